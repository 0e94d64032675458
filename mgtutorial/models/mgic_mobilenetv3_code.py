"""MGIC-MobileNetV3 as its authors' public code has it, a different network from the text's.

The code has (1) a stem of 1x1 pixels with stride 1; (2) a connector without norm; (3) the step
``x + ReLU(x + branch x)``; squeeze-and-excitation (4) on every channel level and (5) before the
activation, where the branch widens; (6) a hidden width to which the multiplier is applied
twice; (7) the greatest number of groups up to ``c / s_g`` that divides both widths; (8) a head that
takes the maximum over the pixels; (9) transfers drawn at random where the text speaks of means.

References
----------
.. [1] The public code of MGIC, BGUCompSci/MultigridInChannelsCNNs, commit 729bcee.
"""

from dataclasses import dataclass

from torch import nn

from ..errors import InvalidValue
from . import blocks, mgic
from .config import NetworkConfig
from .mgic_mobilenetv3 import LARGE
from .mobile_blocks import SqueezeExcite, by_resolution, check_bottlenecks, round_width
from .network import Network


@dataclass(frozen=True)
class MGICMobileNetV3CodeConfig(NetworkConfig):
    """What defines an MGIC-MobileNetV3 of the authors' code.

    Attributes
    ----------
    width : float
        Multiplies all channels, which are then rounded to multiples of 8.
    group_size : int
        The least number of channels in a group; the number of groups is lowered until it fits.
    coarsest : int
        Channels are halved until they are below `coarsest`, and at least once.
    bottlenecks : tuple of (kernel, expansion, channels, squeeze, stride)
        As in :class:`~mgtutorial.models.MGICMobileNetV3Config`.
    stem, hidden : int
        Channels before the blocks, and of the layer before the last.
    swish_from : int
        Blocks with at least this many channels in `bottlenecks` have hard swish.
    in_channels, num_classes : int

    Raises
    ------
    InvalidValue
        If a number is out of range.

    Examples
    --------
    The published counts are 2.3, 5.2 and 7.1 million:

    >>> from mgtutorial.models import count_weights
    >>> [count_weights(MGICMobileNetV3CodeConfig(width)) for width in (0.6, 1.0, 1.2)]
    [2111508, 5026136, 8103164]

    Book: mgic, mgic-code
    """

    width: float = 1.0
    group_size: int = 64
    coarsest: int = 64
    bottlenecks: tuple = LARGE
    stem: int = 16
    hidden: int = 1280
    swish_from: int = 80
    in_channels: int = 3
    num_classes: int = 1000

    def __post_init__(self):
        super().__post_init__()
        check_bottlenecks(self)
        self.check_whole(1, "group_size", "coarsest", "stem", "hidden", "swish_from")
        self.check_images()
        c = round_width(self.width * self.stem)
        for row in self.bottlenecks:
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
        m = round_width(c_in * row[1] * self.width)  # c_in has the multiplier already
        channels = mgic.halvings(round_width(self.width * row[2]), self.coarsest, until="<")
        hidden = tuple(m >> j for j in range(len(channels)))
        groups = [
            next(g for g in range(max(c // self.group_size, 1), 0, -1) if not (c % g or m_j % g))
            for c, m_j in zip(channels[:-1], hidden, strict=False)
        ]
        if any(c % g for c, g in zip(channels[1:], groups, strict=True)):
            raise InvalidValue(
                f"group_size={self.group_size}: a level of {channels} channels would have {groups} "
                "groups, which cannot be halved; give a larger group_size."
            )
        return channels, hidden, (*groups, 1)

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return MGICMobileNetV3Code(self)


class CodeStep(nn.Module):
    """``x + ReLU(x + branch x)``, where the branch is an inverted bottleneck.

    Parameters
    ----------
    c, m : int
        Channels, and hidden channels; the branch widens where they differ.
    kernel, groups : int
        Of the depthwise convolution, and of the pointwise ones.
    squeeze : bool
    act : callable
        Makes the activation.

    Examples
    --------
    >>> import torch
    >>> CodeStep(16, 64, 3, 2, True, nn.Hardswish)(torch.zeros(1, 16, 8, 8)).shape
    torch.Size([1, 16, 8, 8])

    Book: mgic, mgic-code
    """

    def __init__(self, c, m, kernel, groups, squeeze, act):
        super().__init__()
        wide, end = [], [act(), SqueezeExcite(m, bias=True) if squeeze else nn.Identity()]
        if m != c:
            wide = [blocks.conv(c, m, kernel=1, groups=groups), blocks.norm("batch", m), act()]
            end.reverse()
        self.branch = nn.Sequential(
            *wide,
            blocks.conv(m, m, kernel=kernel, groups=m),
            blocks.norm("batch", m),
            *end,
            blocks.conv(m, c, kernel=1, groups=groups),
            blocks.norm("batch", c),
        )

    def forward(self, x):
        return x + nn.functional.relu(x + self.branch(x))


class Bneck(nn.Module):
    """A 1x1 convolution ``Pi`` where width or resolution changes, then the MGIC block.

    Book: mgic, mgic-code
    """

    def __init__(self, config, row, c_in):
        super().__init__()
        kernel, _, c, squeezes, stride = row
        channels, hidden, groups = config.levels_of(row, c_in)
        act = nn.Hardswish if c >= config.swish_from else nn.ReLU
        self.c = channels[0]
        self.Pi = None
        if stride > 1 or self.c != c_in:
            self.Pi = blocks.conv(c_in, self.c, kernel=1, stride=stride)
        widths = dict(zip(channels, hidden, strict=True))

        def block(c_j, groups):
            return CodeStep(c_j, widths[c_j], kernel, groups, squeezes, act)

        self.block = mgic.MGIC(block, channels, groups, norm_R=True)

    def forward(self, x):
        return self.block(x if self.Pi is None else self.Pi(x))


class MaxHead(nn.Module):
    """``max ReLU K2 ReLU N K1``, with a linear layer for the classes after it.

    Parameters
    ----------
    c, hidden, num_classes : int

    Examples
    --------
    >>> import torch
    >>> MaxHead(16, 128, 10)(torch.zeros(2, 16, 7, 7)).shape
    torch.Size([2, 10])

    Book: mgic, mgic-code
    """

    def __init__(self, c, hidden, num_classes):
        super().__init__()
        self.features = nn.Sequential(
            blocks.conv(c, c, kernel=1), blocks.norm("batch", c), nn.ReLU(),
            nn.Conv2d(c, hidden, 1), nn.ReLU(),
        )  # fmt: skip
        self.width = hidden
        self.linear = blocks.classifier(hidden, num_classes)

    def forward(self, x):
        return self.linear(self.features(x).amax((2, 3)))


class MGICMobileNetV3Code(Network):
    """The network of an :class:`MGICMobileNetV3CodeConfig`.

    Examples
    --------
    >>> import torch
    >>> net = MGICMobileNetV3CodeConfig(0.6, in_channels=1, num_classes=10).build().eval()
    >>> net(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])

    Book: mgic, mgic-code
    """

    def __init__(self, config):
        super().__init__(config)
        c = round_width(config.width * config.stem)
        self.stem = nn.Sequential(
            blocks.conv(config.in_channels, c, kernel=1), blocks.norm("batch", c), nn.ReLU()
        )
        self.levels = by_resolution(Bneck, config, c)
        c = self.levels[-1][-1].c
        self.head = MaxHead(c, config.hidden, config.num_classes)
        mgic.initialise(self, config.initial_weights, means=False)


# Table 7's three widths.
NAMED = {
    f"mgic-mobilenetv3-{width}-code": MGICMobileNetV3CodeConfig(width) for width in (0.6, 1.0, 1.2)
}
