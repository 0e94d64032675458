"""MGIC-ResNets: residual networks whose blocks are cycles over channel levels.

MGIC-ResNet-56 is for CIFAR-10, MGIC-ResNet-50 for ImageNet. Where the resolution or the
width changes, a depthwise convolution leads to the next resolution level.
"""

from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from ..errors import InvalidValue, choose
from . import blocks, mgic
from .config import NetworkConfig
from .resnet import BLOCKS, ResolutionLevel


@dataclass(frozen=True)
class MGICResNetConfig(NetworkConfig):
    """What defines an MGIC-ResNet.

    Attributes
    ----------
    blocks : tuple of int
        Number of MGIC blocks on each resolution level.
    channels : tuple of int
        Width of each level; a bottleneck's features have four times as many channels.
    s_g : int
        Channels in a group, of the width (so four times as many outside of a bottleneck).
    s_c : int
        Width at which channels are no longer halved.
    until : {"<=", "<"}
        Halve until the width is at most `s_c`, or below it, and in any case once.
    block : {"basic", "bottleneck"}
    in_channels, num_classes : int
    stem : {"3x3", "7x7"}

    Raises
    ------
    InvalidValue
        If a number is out of its range, or if widths, groups and halvings do not fit.

    Examples
    --------
    >>> from mgtutorial.models import count_weights
    >>> count_weights(MGICResNetConfig(s_g=16, s_c=64))
    534394
    >>> count_weights(NAMED["mgic-resnet50-g32"])
    9198248

    Book: mgic, mgic-networks
    """

    blocks: tuple = (9, 9, 9)
    channels: tuple = (16, 32, 64)
    s_g: int = 8
    s_c: int = 16
    until: str = "<"
    block: str = "basic"
    in_channels: int = 3
    num_classes: int = 10
    stem: str = "3x3"

    def __post_init__(self):
        super().__post_init__()
        self.check_levels("blocks", "channels")
        self.check_images("stem")
        choose("block", self.block, BLOCKS)
        if self.s_c > max(self.channels):
            raise InvalidValue(
                f"s_c={self.s_c}: the coarsest channel level cannot be wider than the widest "
                f"resolution level; give at most {max(self.channels)}."
            )
        for c, d in pairwise(self.channels):
            if d % c:
                raise InvalidValue(
                    f"channels={self.channels}: the way to the next level is depthwise, so each "
                    f"width must be a multiple of the one before, and {d} is no multiple of {c}."
                )
        for c in self.channels:
            mgic.group_numbers(self.widths(c), self.s_g)

    def widths(self, c):
        """Return the widths of the channel levels of a resolution level with width `c`."""
        return mgic.halvings(c, self.s_c, self.until)

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return MGICResNet(self)


class MGICResNet(nn.Module):
    """The network of an :class:`MGICResNetConfig`.

    Examples
    --------
    >>> import torch
    >>> config = MGICResNetConfig((1, 1), (8, 16), s_g=4, s_c=8, until="<=", in_channels=1)
    >>> config.build()(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 10])

    Book: mgic, mgic-networks
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.stem = blocks.stem(config.stem, config.in_channels, config.channels[0])
        kind, c = BLOCKS[config.block], config.channels[0]

        def block(channels, groups):
            return kind(channels, channels // kind.expansion, groups=groups)

        self.levels = nn.ModuleList()
        for level, (n, width) in enumerate(zip(config.blocks, config.channels, strict=True)):
            widths = config.widths(width)
            groups = mgic.group_numbers(widths, config.s_g)
            channels = tuple(kind.expansion * w for w in widths)
            Pi = None
            if level or channels[0] != c:
                Pi = nn.Sequential(
                    blocks.conv(c, channels[0], stride=2 if level else 1, groups=c),
                    nn.BatchNorm2d(channels[0]),
                    nn.ReLU(),
                )
            members = [mgic.MGIC(block, channels, groups) for _ in range(n)]
            self.levels.append(ResolutionLevel(members, Pi))
            c = channels[0]
        self.head = blocks.Head(c, config.num_classes)
        mgic.initialise(self, config.initial_weights)

    def forward(self, x):
        x = blocks.check_images(x, self.config.in_channels)
        x = blocks.check_size(self.stem(x), len(self.levels))
        for level in self.levels:
            x = level(x)
        return self.head(x)


def _resnet50(s_g):
    return MGICResNetConfig(
        blocks=(3, 4, 6, 3),
        channels=(64, 128, 256, 512),
        s_g=s_g,
        s_c=64,
        until="<=",
        block="bottleneck",
        num_classes=1000,
        stem="7x7",
    )


# Table 12 (with Table 3's row among them), and Table 5.
NAMED = {
    **{
        f"mgic-resnet56-c{s_c}-g{s_g}": MGICResNetConfig(s_g=s_g, s_c=s_c)
        for s_c, s_g in ((64, 16), (32, 16), (16, 32), (16, 16), (16, 8), (16, 4))
    },
    **{f"mgic-resnet50-g{s_g}": _resnet50(s_g) for s_g in (16, 32, 64)},
}
