"""MGIC's networks for ImageNet by the word of the text, beside those that meet more counts.

Pixels are pooled after a layer, where Tables 4 and 6 have a mark, and not by a stride before it; so
a stage runs on four times the pixels. Halving ends at a width of at most ``s_c``, which may be at
once: then there are no coarser channels, and the block is alone. The way to another width is a
depthwise 3x3 convolution. MobileNetV3's rows are the sixteen of Table 6, which are GhostNet's.

References
----------
.. [1] M. Eliasof, J. Ephrath, L. Ruthotto and E. Treister, MGIC: Multigrid-in-channels
   neural network architectures, SIAM J. Sci. Comput. 45 (2023). Section 3.3, Tables 4 and 6.
"""

import math
from dataclasses import dataclass

from torch import nn

from ..errors import InvalidValue, choose
from . import blocks, mgic
from .config import NetworkConfig
from .ghostnet import BOTTLENECKS
from .mobile_blocks import (
    DepthwiseConnector,
    InvertedBottleneck,
    SqueezeExcite,
    group_number,
    round_width,
)
from .network import Network
from .resnet import Bottleneck


@dataclass(frozen=True)
class MGICTextConfig(NetworkConfig):
    """What defines an MGIC network of the text.

    Attributes
    ----------
    architecture : {"resnet50", "mobilenetv3"}
        Table 4 or Table 6.
    group_size, coarsest : int
        The text's s_g and s_c; of ResNet-50 the groups are of a bottleneck's inner channels, and
        `coarsest` is of its outer ones.
    width : float
        Multiplies MobileNetV3's channels, which are then rounded to multiples of 8.
    hard_swish : bool
        In MobileNetV3's wide blocks; False: ReLU everywhere.
    stages : tuple
        Of ResNet-50: (repetitions, inner channels). Of MobileNetV3: (kernel, hidden channels,
        channels, squeeze-and-excitation, 2 where a pool follows). Empty: those of the table.
    in_channels, num_classes : int

    Raises
    ------
    UnknownName, InvalidValue
        If a value is out of its range.

    Examples
    --------
    The print has 6.2, 9.4 and 15.1 million, and 2.3, 5.2 and 7.1:

    >>> from mgtutorial.models import count_weights
    >>> [count_weights(NAMED[f"mgic-resnet50-text-g{g}"]) for g in (16, 32, 64)]
    [4716712, 7082152, 11534504]
    >>> [count_weights(NAMED[f"mgic-mobilenetv3-{w}-text"]) for w in (0.6, 1.0, 1.2)]
    [2589920, 5832788, 7977856]

    Book: mgic, mgic-counts
    """

    architecture: str = "mobilenetv3"
    group_size: int = 64
    coarsest: int = 64
    width: float = 1.0
    hard_swish: bool = True
    stages: tuple = ()
    in_channels: int = 3
    num_classes: int = 1000

    def __post_init__(self):
        super().__post_init__()
        choose("architecture", self.architecture, TABLES)
        self.check_whole(1, "group_size", "coarsest")
        self.check_images()
        if not self.width > 0:
            raise InvalidValue(f"width={self.width}: it must be above 0.")
        stages = tuple(tuple(row) for row in self.stages)
        object.__setattr__(self, "stages", stages or TABLES[self.architecture])

    def scaled(self, c):
        """Return `c` channels times the width, a multiple of 8."""
        return round_width(self.width * c)

    def widths(self, c):
        """Return the widths of the channel levels, by the number of levels in Algorithm 1."""
        levels = max(math.ceil(math.log2(c / self.coarsest)), 0)
        return tuple(c >> j for j in range(levels + 1))

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return MGICText(self)


TABLES = {
    "resnet50": ((3, 64), (4, 128), (6, 256), (3, 512)),
    "mobilenetv3": BOTTLENECKS,
}


def around(block, channels, groups, norm_R=False):
    """Return the block of Algorithm 1, which without coarser levels is the block itself.

    Parameters
    ----------
    block, channels, groups, norm_R
        As for :class:`~mgtutorial.models.MGIC`, but for a single level, too.

    Book: mgic, mgic-counts
    """
    if len(channels) == 1:
        return block(channels[0], 1)
    return mgic.MGIC(block, channels, groups, norm_R)


def layer(c_in, c_out, kernel):
    """Return what the captions call a convolution: with norm and ReLU.

    Parameters
    ----------
    c_in, c_out, kernel : int

    Book: mgic, mgic-counts
    """
    return [blocks.conv(c_in, c_out, kernel), nn.BatchNorm2d(c_out), nn.ReLU()]


class MGICText(Network):
    """The network of an :class:`MGICTextConfig`.

    Sides that cannot be halved are rounded up by the pools.

    Examples
    --------
    >>> import torch
    >>> net = NAMED["mgic-mobilenetv3-0.6-text"].build().eval()
    >>> [u.shape[-1] for u in net.forward_levels(torch.zeros(1, 3, 64, 64))]
    [16, 8, 4, 2, 2]

    Book: mgic, mgic-counts
    """

    def __init__(self, config):
        super().__init__(config)
        make = {"resnet50": _resnet50, "mobilenetv3": _mobilenetv3}[config.architecture]
        self.stem, self.levels, self.head = make(config)
        mgic.initialise(self, config.initial_weights)


def _pool():
    return nn.MaxPool2d(2, ceil_mode=True)


def _connector(c_in, c_out):
    return [DepthwiseConnector(c_in, c_out, 1), nn.BatchNorm2d(c_out)]


def _squeeze(c):
    return SqueezeExcite(c, bias=True)


def _resnet50(config):
    c = config.stages[0][1]
    stem = nn.Sequential(*layer(config.in_channels, c, 7), _pool(), *layer(c, c, 3))
    levels = nn.ModuleList()
    for n, inner in config.stages:
        channels = config.widths(4 * inner)

        def block(c, groups, coarsest=channels[-1]):
            inside = 1 if c == coarsest else max(c // 4 // config.group_size, 1)
            return Bottleneck(c, c // 4, groups=inside)

        groups = (*(max(w // config.group_size, 1) for w in channels[:-1]), 1)  # of the transfers
        members = [around(block, channels, groups) for _ in range(n)]
        levels.append(nn.Sequential(*_connector(c, channels[0]), *members, _pool()))
        c = channels[0]
    return stem, levels, blocks.Head(c, config.num_classes)


def _mobilenetv3(config):
    c = config.scaled(16)
    stem = nn.Sequential(*layer(config.in_channels, c, 3), _pool())
    levels = nn.ModuleList([nn.Sequential()])
    for kernel, hidden, c_out, squeezes, pool in config.stages:
        out, m = config.scaled(c_out), config.scaled(hidden)
        act = nn.Hardswish if config.hard_swish and c_out >= 80 else nn.ReLU
        channels = config.widths(out)
        inner = {c_j: m >> j for j, c_j in enumerate(channels)}

        def block(c_j, groups, inner=inner, kernel=kernel, squeezes=squeezes, act=act):
            squeeze = _squeeze if squeezes else None
            return InvertedBottleneck(c_j, inner[c_j], kernel, groups, squeeze, act)

        groups = [group_number(c_j, inner[c_j], config.group_size) for c_j in channels[:-1]]
        level = levels[-1]
        for part in _connector(c, out) if out != c else ():
            level.append(part)
        level.append(around(block, channels, (*groups, 1)))
        if pool > 1:
            level.append(_pool())
            levels.append(nn.Sequential())
        c = out
    return stem, levels, _Head(c, config.scaled(960), config.scaled(1280), config.num_classes)


class _Head(nn.Module):
    """The last rows of Table 6: convolution, mean, convolution, linear layer."""

    def __init__(self, c, features, hidden, num_classes):
        super().__init__()
        self.features = nn.Sequential(*layer(c, features, 1))
        self.hidden = nn.Sequential(*layer(features, hidden, 1))
        self.width = hidden
        self.linear = blocks.classifier(hidden, num_classes)

    def forward(self, x):
        means = self.features(x).mean((2, 3), keepdim=True)
        return self.linear(self.hidden(means).flatten(1))


NAMED = {
    **{f"mgic-resnet50-text-g{g}": MGICTextConfig("resnet50", g) for g in (16, 32, 64)},
    **{
        f"mgic-mobilenetv3-{width}-text{suffix}": MGICTextConfig(width=width, hard_swish=swish)
        for width in (0.6, 1.0, 1.2)
        for suffix, swish in (("", True), ("-relu", False))
    },
}
