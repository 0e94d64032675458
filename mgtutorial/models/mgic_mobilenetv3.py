"""MGIC-MobileNetV3: inverted bottlenecks as cycles over channel levels.

The blocks are those of MobileNetV3-Large. Each becomes an MGIC block, in which the width
and the hidden width are halved together; a connector in front of it changes width
and resolution.

References
----------
.. [1] A. Howard et al., Searching for MobileNetV3, ICCV (2019).
.. [2] M. Eliasof et al., MGIC, SIAM J. Sci. Comput. 45 (2023), Tables 6 and 7.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from torch import nn

from ..errors import InvalidValue, choose
from . import blocks, mgic
from .config import NetworkConfig, formerly
from .mobile_blocks import (
    DepthwiseConnector,
    InvertedBottleneck,
    MobileHead,
    SqueezeExcite,
    by_resolution,
    check_bottlenecks,
    group_number,
    round_width,
)
from .network import Network

# Kernel, expansion, channels, squeeze-and-excitation, stride: MobileNetV3-Large.
LARGE = (
    (3, 1, 16, False, 1),
    (3, 4, 24, False, 2),
    (3, 3, 24, False, 1),
    (5, 3, 40, True, 2),
    (5, 3, 40, True, 1),
    (5, 3, 40, True, 1),
    (3, 6, 80, False, 2),
    (3, 2.5, 80, False, 1),
    (3, 2.3, 80, False, 1),
    (3, 2.3, 80, False, 1),
    (3, 6, 112, True, 1),
    (3, 6, 112, True, 1),
    (5, 6, 160, True, 2),
    (5, 6, 160, True, 1),
    (5, 6, 160, True, 1),
)
# The rows of the paper's Table 6, one more than those; it gives hidden widths, but no kernels (we
# take 5x5 where MobileNetV3 has it). At no width does its count round to the published one.
TABLE_6 = (
    (3, 16 / 16, 16, False, 1),
    (3, 48 / 16, 24, False, 2),
    (3, 72 / 24, 24, False, 1),
    (5, 72 / 24, 40, True, 2),
    (5, 120 / 40, 40, True, 1),
    (3, 240 / 40, 80, False, 2),
    (3, 200 / 80, 80, False, 1),
    (3, 184 / 80, 80, False, 1),
    (3, 184 / 80, 80, False, 1),
    (3, 480 / 80, 112, True, 1),
    (3, 672 / 112, 112, True, 1),
    (5, 672 / 112, 160, True, 2),
    (5, 960 / 160, 160, False, 1),
    (5, 960 / 160, 160, True, 1),
    (5, 960 / 160, 160, False, 1),
    (5, 960 / 160, 160, True, 1),
)


@formerly(s_g="group_size", s_c="coarsest")
@dataclass(frozen=True)
class MGICMobileNetV3Config(NetworkConfig):
    """What defines an MGIC-MobileNetV3.

    Attributes
    ----------
    width : float
        Multiplies all channels, which are then rounded to multiples of 8.
    group_size : int
        The greatest number of channels in a group.
    coarsest : int
        Channels are halved until they are at most `coarsest`, and at least once.
    connector : {"dense", "depthwise"}
        What changes width and resolution: a dense 1x1 convolution, or the depthwise 3x3 of the
        text. With even groups only the dense one meets the published counts.
    grouping : {"size", "number"}
        How the widths of a level are divided: :func:`~.mobile_blocks.group_number`.
    squeeze_bias : bool
        Squeeze-and-excitation with biases and an inner width rounded to a multiple of 8;
        False: without biases, and a quarter of the hidden channels.
    hard_swish : bool
        Hard swish in the wide blocks and in the head; False: ReLU everywhere.
    bottlenecks : tuple of (kernel, expansion, channels, squeeze, stride)
        One for each block; the hidden width is `expansion` times the width that enters.
    stem, features, hidden : int
        Channels before the blocks, after them, and of the layer before the last.
    swish_from : int
        Blocks with at least this many channels in `bottlenecks` have hard swish.
    in_channels, num_classes : int

    Raises
    ------
    InvalidValue
        If a number is out of range.

    Examples
    --------
    >>> from mgtutorial.models import count_weights
    >>> [count_weights(MGICMobileNetV3Config(width)) for width in (0.6, 1.0, 1.2)]
    [2309836, 5049516, 6988924]
    >>> count_weights(MGICMobileNetV3Config(connector="depthwise"))
    5021836

    Book: mgic, mgic-networks
    """

    width: float = 1.0
    group_size: int = 64
    coarsest: int = 64
    connector: str = "dense"
    grouping: str = "size"
    squeeze_bias: bool = True
    hard_swish: bool = True
    bottlenecks: tuple = LARGE
    stem: int = 16
    features: int = 960
    hidden: int = 1280
    swish_from: int = 80
    in_channels: int = 3
    num_classes: int = 1000

    least_features: ClassVar = 1

    def __post_init__(self):
        super().__post_init__()
        check_bottlenecks(self)
        rows = self.bottlenecks
        self.check_whole(1, "group_size", "coarsest", "stem", "hidden")
        self.check_whole(self.least_features, "features")
        self.check_images()
        choose("connector", self.connector, ("dense", "depthwise"))
        choose("grouping", self.grouping, ("size", "number"))
        widest = max(round_width(self.width * row[2]) for row in rows)
        if self.coarsest > widest:
            raise InvalidValue(
                f"coarsest={self.coarsest}: the coarsest channel level cannot be wider than the "
                f"widest block; give at most {widest}."
            )
        c = round_width(self.width * self.stem)
        for row in rows:
            self.levels_of(row, c)
            c = round_width(self.width * row[2])

    def levels_of(self, row, c_in):
        """Return the channels, hidden channels and groups of the channel levels of a block.

        Parameters
        ----------
        row : tuple
            One of `bottlenecks`.
        c_in : int
            Channels that enter the connector.
        """
        c, m = round_width(self.width * row[2]), round_width(c_in * row[1])
        channels = mgic.halvings(c, self.coarsest)
        hidden = [m >> j for j in range(len(channels))]
        if hidden[-1] << (len(hidden) - 1) != m:
            raise InvalidValue(
                f"bottlenecks: {m} hidden channels cannot be halved {len(hidden) - 1} times as "
                f"the {c} channels of their block; give another expansion or a larger coarsest."
            )
        groups = []
        for (c_j, coarse), m_j in zip(pairwise(channels), hidden, strict=False):
            groups.append(group_number(c_j, m_j, self.group_size, self.grouping))
            if groups[-1] > m_j:
                raise InvalidValue(
                    f"group_size={self.group_size}: {m_j} hidden channels in {groups[-1]} groups; "
                    "give a larger group_size, or a larger expansion."
                )
            if coarse % groups[-1]:
                raise InvalidValue(
                    f"group_size={self.group_size}: groups of {c_j // groups[-1]} channels cannot "
                    f"be halved; give a group size that leaves an even divisor of {c_j} and {m_j}."
                )
        return channels, tuple(hidden), (*groups, 1)

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return MGICMobileNetV3(self)


class Bneck(nn.Module):
    """A connector ``Pi`` where width or resolution changes, then the MGIC block.

    Book: mgic, mgic-networks
    """

    def __init__(self, config, row, c_in):
        super().__init__()
        kernel, _, c, squeezes, stride = row
        channels, hidden, groups = config.levels_of(row, c_in)
        act = nn.Hardswish if config.hard_swish and c >= config.swish_from else nn.ReLU
        self.c = channels[0]
        self.Pi = None
        if stride > 1 or self.c != c_in:
            if config.connector == "dense":
                conv = blocks.conv(c_in, self.c, kernel=1, stride=stride)
            else:
                conv = DepthwiseConnector(c_in, self.c, stride)
            self.Pi = nn.Sequential(conv, blocks.norm("batch", self.c))
        hidden = dict(zip(channels, hidden, strict=True))

        def squeeze(m):
            return SqueezeExcite(m, config.squeeze_bias)

        def block(c_j, groups):
            inner = squeeze if squeezes and c_j == self.c else None  # on the finest level only
            return InvertedBottleneck(c_j, hidden[c_j], kernel, groups, inner, act)

        self.block = mgic.MGIC(block, channels, groups, norm_R=True)

    def forward(self, x):
        return self.block(x if self.Pi is None else self.Pi(x))


class MGICMobileNetV3(Network):
    """The network of an :class:`MGICMobileNetV3Config`.

    MobileNetV3 has hard swish after its stem and dropout before its classes; MGIC's Table 6 has
    neither, nor has this network.

    Examples
    --------
    >>> import torch
    >>> net = MGICMobileNetV3Config(0.6, in_channels=1, num_classes=10).build().eval()
    >>> net(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])

    Book: mgic, mgic-networks
    """

    def __init__(self, config):
        super().__init__(config)
        c = round_width(config.width * config.stem)
        self.stem = nn.Sequential(
            blocks.conv(config.in_channels, c, stride=2), blocks.norm("batch", c), nn.ReLU()
        )
        self.levels = by_resolution(Bneck, config, c)
        c = self.levels[-1][-1].c
        act = nn.Hardswish if config.hard_swish else nn.ReLU
        features, hidden = (round_width(config.width * c) for c in (config.features, config.hidden))
        self.head = MobileHead(c, features, hidden, config.num_classes, act)
        mgic.initialise(self, config.initial_weights)


# Table 7. The published counts were 2.3, 5.2 and 7.1 million. The first two kinds have the
# text's group sizes, with each of two connectors, and at least one halving. The sizes do not divide
# the hidden widths; "even" takes the least number of groups that does, with a plain
# squeeze-and-excitation, and rounds to the print at all three widths. "table6" has the rows of
# the paper's table, and at no width its count.
NAMED = {
    f"mgic-mobilenetv3-{width}{suffix}": MGICMobileNetV3Config(width, **changes)
    for width in (0.6, 1.0, 1.2)
    for suffix, changes in (
        ("", {}),
        ("-depthwise", {"connector": "depthwise"}),
        ("-even", {"grouping": "number", "squeeze_bias": False}),
        ("-table6", {"bottlenecks": TABLE_6}),
    )
}
