"""MGIC's networks for ImageNet to the letter of the text, beside those that meet more counts.

Pixels are pooled after a layer, where Tables 4 and 6 have a mark, and not by a stride before it; so
a stage runs on four times as many pixels. Halving ends at a width of at most ``s_c``, which may be
at once: then there are no coarser channels, and the block stands alone. The way to another width is
a depthwise 3x3 convolution. MobileNetV3's rows are the sixteen of Table 6, which are GhostNet's.

References
----------
.. [1] M. Eliasof, J. Ephrath, L. Ruthotto and E. Treister, MGIC: Multigrid-in-channels
   neural network architectures, SIAM J. Sci. Comput. 45 (2023). Section 3.3, Tables 4 and 6.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from ..errors import InvalidValue, choose
from . import blocks, mgic
from .config import NetworkConfig, is_whole
from .ghostnet import BOTTLENECKS
from .mobile_blocks import (
    DepthwiseConnector,
    InvertedBottleneck,
    SqueezeExcite,
    group_number,
    is_row,
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
        The text's s_g and s_c; in ResNet-50 the groups are those of a bottleneck's inner channels,
        and `coarsest` counts its outer ones.
    width : float
        Multiplies MobileNetV3's channels, which are then rounded to multiples of 8.
    hard_swish : bool
        Hard swish in MobileNetV3's wide blocks; False: ReLU everywhere.
    stages : tuple
        For ResNet-50: (repetitions, inner channels). For MobileNetV3: (kernel, hidden channels,
        channels, squeeze-and-excitation, 2 where a pool follows). Empty: those of the table.
    in_channels, num_classes : int

    Raises
    ------
    UnknownName, InvalidValue
        If a value is out of range, if a stage has a different form, or if widths, groups and
        halvings do not fit.

    Examples
    --------
    The published counts are 6.2, 9.4 and 15.1 million, and 2.3, 5.2 and 7.1 million:

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
        rows = tuple(tuple(row) if isinstance(row, list) else row for row in self.stages)
        object.__setattr__(self, "stages", rows or TABLES[self.architecture])
        if not all(map(self._is_stage, self.stages)):
            form = {
                "resnet50": "repetitions, inner channels",
                "mobilenetv3": "odd kernel, hidden channels, channels, squeeze, 2 before a pool",
            }[self.architecture]
            raise InvalidValue(f"stages={self.stages}: give rows ({form}) of positive numbers.")
        for row in self.stages:
            self._check_levels(*self.levels(row))

    def _is_stage(self, row):
        if self.architecture == "mobilenetv3":
            return is_row(row, int)
        pair = isinstance(row, tuple) and len(row) == 2
        return pair and all(is_whole(v) and v > 0 for v in row)

    def _check_levels(self, channels, groups, inner):
        """Raise if a block or a transfer of some channel level cannot be made."""
        pairs = zip(pairwise(channels), groups[:-1], strict=True)
        fit = channels[-1] and inner[-1] and not any(c % g or half % g for (c, half), g in pairs)
        if self.architecture == "resnet50":  # whose blocks are four times as wide as inside
            fit = fit and not any(c % 4 for c in channels)
            fit = fit and not any(m % self.groups(m) for m in inner[:-1])
        if not fit:
            raise InvalidValue(
                f"group_size={self.group_size}, coarsest={self.coarsest}: channel levels of "
                f"{channels} channels, and {inner} inside of their blocks, cannot be grouped and "
                "halved so: give powers of two, or a larger coarsest."
            )

    def groups(self, c):
        """Return the number of groups of `c` channels of ResNet-50."""
        return max(c // self.group_size, 1)

    def scaled(self, c):
        """Return `c` channels times the width, a multiple of 8."""
        return round_width(self.width * c)

    def widths(self, c):
        """Return the widths of the channel levels, by the number of levels in Algorithm 1."""
        levels = max(math.ceil(math.log2(c / self.coarsest)), 0)
        return tuple(c >> j for j in range(levels + 1))

    def levels(self, row):
        """Return channels, groups and the blocks' inner channels of the channel levels of a row."""
        if self.architecture == "resnet50":
            channels = self.widths(4 * row[1])
            inner = tuple(c // 4 for c in channels)
            groups = [self.groups(c) for c in channels[:-1]]
        else:
            channels = self.widths(self.scaled(row[2]))
            inner = tuple(self.scaled(row[1]) >> j for j in range(len(channels)))
            pairs = zip(channels[:-1], inner, strict=False)
            groups = [group_number(c, m, self.group_size) for c, m in pairs]
        return channels, (*groups, 1), inner

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
        As for :class:`~mgtutorial.models.MGIC`, but a single level is allowed, too.

    Book: mgic, mgic-counts
    """
    if len(channels) == 1:
        return block(channels[0], 1)
    return mgic.MGIC(block, channels, groups, norm_R)


def layer(c_in, c_out, kernel):
    """Return what the captions call a convolution: one with norm and ReLU.

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
        channels, groups, _ = config.levels((n, inner))  # groups of the transfers

        def block(c, groups, coarsest=channels[-1]):
            inside = 1 if c == coarsest else config.groups(c // 4)
            return Bottleneck(c, c // 4, groups=inside)

        members = [around(block, channels, groups) for _ in range(n)]
        levels.append(nn.Sequential(*_connector(c, channels[0]), *members, _pool()))
        c = channels[0]
    return stem, levels, blocks.Head(c, config.num_classes)


def _mobilenetv3(config):
    c = config.scaled(16)
    stem = nn.Sequential(*layer(config.in_channels, c, 3), _pool())
    levels = nn.ModuleList([nn.Sequential()])
    for row in config.stages:
        kernel, _, c_out, squeezes, pool = row
        channels, groups, widths = config.levels(row)
        out, inner = channels[0], dict(zip(channels, widths, strict=True))
        act = nn.Hardswish if config.hard_swish and c_out >= 80 else nn.ReLU

        def block(c_j, groups, inner=inner, kernel=kernel, squeezes=squeezes, act=act):
            squeeze = _squeeze if squeezes else None
            return InvertedBottleneck(c_j, inner[c_j], kernel, groups, squeeze, act)

        level = levels[-1]
        for part in _connector(c, out) if out != c else ():
            level.append(part)
        level.append(around(block, channels, groups))
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
