"""GhostNet: half of the features by full 1x1 convolutions, the rest by cheap filters of these.

MGIC's text compares its networks with GhostNet, and its Table 6 has GhostNet's list of bottlenecks.

References
----------
.. [1] K. Han, Y. Wang, Q. Tian, J. Guo, C. Xu and C. Xu, GhostNet: More features from cheap
   operations, CVPR (2020).
"""

from dataclasses import dataclass

import torch
from torch import nn

from . import blocks
from .config import NetworkConfig
from .mobile_blocks import MobileHead, SqueezeExcite, by_resolution, check_bottlenecks, round_width
from .network import Network

# Kernel, hidden channels, channels, squeeze-and-excitation, stride: Table 1 of [1].
BOTTLENECKS = (
    (3, 16, 16, False, 1),
    (3, 48, 24, False, 2),
    (3, 72, 24, False, 1),
    (5, 72, 40, True, 2),
    (5, 120, 40, True, 1),
    (3, 240, 80, False, 2),
    (3, 200, 80, False, 1),
    (3, 184, 80, False, 1),
    (3, 184, 80, False, 1),
    (3, 480, 112, True, 1),
    (3, 672, 112, True, 1),
    (5, 672, 160, True, 2),
    (5, 960, 160, False, 1),
    (5, 960, 160, True, 1),
    (5, 960, 160, False, 1),
    (5, 960, 160, True, 1),
)


class GhostModule(nn.Module):
    """``(y, BN D y)`` with ``y = act BN K x``: a full 1x1 convolution, and a filter of each result.

    Parameters
    ----------
    c_in, c_out : int
        Channels. ``y`` has half of `c_out`, rounded up; any surplus is dropped.
    kernel : int
        Of the depthwise filters ``D``.
    act : callable
        Makes the activation, after ``K`` and after ``D``.

    Examples
    --------
    >>> ghost = GhostModule(16, 49, 3, nn.ReLU)
    >>> ghost(torch.zeros(1, 16, 8, 8)).shape, ghost.primary[0].out_channels
    (torch.Size([1, 49, 8, 8]), 25)

    Book: mgic_worlds, worlds-ghostnet
    """

    def __init__(self, c_in, c_out, kernel, act):
        super().__init__()
        half = -(-c_out // 2)
        self.c_out = c_out
        self.primary = nn.Sequential(
            blocks.conv(c_in, half, kernel=1), blocks.norm("batch", half), act()
        )
        self.cheap = nn.Sequential(
            blocks.conv(half, half, kernel=kernel, groups=half), blocks.norm("batch", half), act()
        )

    def forward(self, x):
        y = self.primary(x)
        return torch.cat([y, self.cheap(y)], dim=1)[:, : self.c_out]


class GhostBottleneck(nn.Module):
    """``shortcut(x) + G2 S D G1 x`` with two ghost modules, the second without activation.

    ``D``, a depthwise filter with a norm, is there only if there is a stride; ``S`` is the
    squeeze-and-excitation. Where width or resolution changes, the shortcut is a depthwise
    filter and a full 1x1 convolution, each with a norm.

    Parameters
    ----------
    c_in, m, c : int
        Channels, hidden channels, channels of the result.
    kernel : int
        Of ``D`` and of the shortcut.
    squeeze : bool
    stride : int
    cheap : int
        Kernel of the ghost modules' filters.

    Examples
    --------
    >>> GhostBottleneck(16, 48, 24, 3, False, 2)(torch.zeros(1, 16, 8, 8)).shape
    torch.Size([1, 24, 4, 4])

    Book: mgic_worlds, worlds-ghostnet
    """

    def __init__(self, c_in, m, c, kernel, squeeze, stride, cheap=3):
        super().__init__()
        self.c = c
        parts = [GhostModule(c_in, m, cheap, nn.ReLU)]
        if stride > 1:
            parts += [blocks.conv(m, m, kernel, stride, groups=m), blocks.norm("batch", m)]
        if squeeze:
            parts.append(SqueezeExcite(m, bias=True, multiple=4))
        parts.append(GhostModule(m, c, cheap, nn.Identity))
        self.branch = nn.Sequential(*parts)
        self.shortcut = None
        if stride > 1 or c != c_in:
            self.shortcut = nn.Sequential(
                blocks.conv(c_in, c_in, kernel, stride, groups=c_in), blocks.norm("batch", c_in),
                blocks.conv(c_in, c, kernel=1), blocks.norm("batch", c),
            )  # fmt: skip

    def forward(self, x):
        return self.branch(x) + (x if self.shortcut is None else self.shortcut(x))


@dataclass(frozen=True)
class GhostNetConfig(NetworkConfig):
    """What defines a GhostNet.

    Attributes
    ----------
    width : float
        Multiplies all channels but `hidden`; they are then rounded to multiples of 4.
    bottlenecks : tuple of (kernel, hidden channels, channels, squeeze, stride)
    stem, hidden : int
        Channels before the bottlenecks, and of the layer before the last.
    in_channels, num_classes : int

    Raises
    ------
    InvalidValue
        If a number is out of range.

    Examples
    --------
    Where 2.6, 5.2 and 7.3 million weights are published:

    >>> from mgtutorial.models import count_weights
    >>> [count_weights(GhostNetConfig(width)) for width in (0.5, 1.0, 1.3)]
    [2587292, 5182508, 7358820]

    Book: mgic_worlds, worlds-ghostnet
    """

    width: float = 1.0
    bottlenecks: tuple = BOTTLENECKS
    stem: int = 16
    hidden: int = 1280
    in_channels: int = 3
    num_classes: int = 1000

    def __post_init__(self):
        super().__post_init__()
        check_bottlenecks(self, "hidden channels", int)
        self.check_whole(1, "stem", "hidden")
        self.check_images()

    def scaled(self, c):
        """Return `c` channels times the width, a multiple of 4."""
        return round_width(self.width * c, multiple=4)

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return GhostNet(self)


class GhostNet(Network):
    """The network of a :class:`GhostNetConfig`; the paper's dropout before the end is left out.

    Examples
    --------
    >>> net = GhostNetConfig(0.5, in_channels=1, num_classes=10).build().eval()
    >>> net(torch.zeros(2, 1, 32, 32)).shape
    torch.Size([2, 10])

    Book: mgic_worlds, worlds-ghostnet
    """

    def __init__(self, config):
        super().__init__(config)
        c = config.scaled(config.stem)
        self.stem = nn.Sequential(
            blocks.conv(config.in_channels, c, stride=2), blocks.norm("batch", c), nn.ReLU()
        )
        self.levels = by_resolution(_bottleneck, config, c)
        m, c = config.scaled(config.bottlenecks[-1][1]), self.levels[-1][-1].c
        self.head = MobileHead(c, m, config.hidden, config.num_classes, nn.ReLU)
        blocks.initialise(self, config.initial_weights)


def _bottleneck(config, row, c):
    kernel, hidden, channels, squeeze, stride = row
    m, out = config.scaled(hidden), config.scaled(channels)
    return GhostBottleneck(c, m, out, kernel, squeeze, stride)


# The three that MGIC's Table 7 quotes.
NAMED = {f"ghostnet-{width}x": GhostNetConfig(width) for width in (0.5, 1.0, 1.3)}
