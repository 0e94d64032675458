"""MGIC-ResNets: residual networks whose blocks are cycles over channel levels.

MGIC-ResNet-56 is for CIFAR-10, MGIC-ResNet-50 for ImageNet. Where the resolution or the
width changes, a depthwise convolution leads to the next resolution level.
"""

from dataclasses import dataclass, field
from itertools import pairwise

from torch import nn

from ..errors import InvalidValue, choose
from . import blocks, mgic
from .config import NetworkConfig, formerly
from .network import Network
from .resnet import BLOCKS, ResolutionLevel


@formerly(s_g="group_size", s_c="coarsest")
@dataclass(frozen=True)
class MGICResNetConfig(NetworkConfig):
    """What defines an MGIC-ResNet.

    Attributes
    ----------
    blocks : tuple of int
        Number of MGIC blocks on each resolution level.
    channels : tuple of int
        Width of each level; a bottleneck's features have four times as many channels.
    group_size : int
        Channels of the width in a group (so four times as many outside a bottleneck).
    coarsest : int
        Width at which channels are no longer halved.
    until : {"<=", "<"}
        Halve until the width is at most `coarsest`, or below it, and at least once.
    block : {"basic", "bottleneck"}
    in_channels, num_classes : int
    stem : {"3x3", "7x7"}
    norm : {"batch", "group", "layer", "none"}
    transfer_start : {"means", "law"}
        How ``R`` and ``P`` start: as means, or as `initial_weights` says, which is what the
        authors' code does.
    coarsest_relu : bool
        Whether the branch of a coarsest level's bottleneck ends in a ReLU of its own, as in the
        authors' code.

    Raises
    ------
    InvalidValue
        If a number is out of range, or if widths, groups and halvings do not fit.

    Examples
    --------
    >>> from mgtutorial.models import count_weights
    >>> count_weights(MGICResNetConfig(group_size=16, coarsest=64))
    534394
    >>> count_weights(NAMED["mgic-resnet50-g32"])
    9198248

    Book: mgic, mgic-networks
    """

    blocks: tuple = (9, 9, 9)
    channels: tuple = (16, 32, 64)
    group_size: int = 8
    coarsest: int = 16
    until: str = "<"
    block: str = "basic"
    in_channels: int = 3
    num_classes: int = 10
    stem: str = "3x3"
    norm: str = field(default="batch", metadata={"later": True})
    transfer_start: str = field(default="means", metadata={"later": True})
    coarsest_relu: bool = field(default=False, metadata={"later": True})

    def __post_init__(self):
        super().__post_init__()
        self.check_levels("blocks", "channels")
        self.check_images("stem", "norm")
        choose("block", self.block, BLOCKS)
        choose("transfer_start", self.transfer_start, ("means", "law"))
        if self.coarsest_relu and self.block != "bottleneck":
            raise InvalidValue("coarsest_relu=True is about bottlenecks: give block='bottleneck'.")
        if self.coarsest > max(self.channels):
            raise InvalidValue(
                f"coarsest={self.coarsest}: the coarsest channel level cannot be wider than the "
                f"widest resolution level; give at most {max(self.channels)}."
            )
        for c, d in pairwise(self.channels):
            if d % c:
                raise InvalidValue(
                    f"channels={self.channels}: the way to the next level is depthwise, so each "
                    f"width must be a multiple of the one before, and {d} is no multiple of {c}."
                )
        for c in self.channels:
            mgic.group_numbers(self.widths(c), self.group_size)

    def widths(self, c):
        """Return the widths of the channel levels of a resolution level with width `c`."""
        return mgic.halvings(c, self.coarsest, self.until)

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return MGICResNet(self)


class MGICResNet(Network):
    """The network of an :class:`MGICResNetConfig`.

    Examples
    --------
    >>> import torch
    >>> config = MGICResNetConfig((1, 1), (8, 16), 4, coarsest=8, until="<=", in_channels=1)
    >>> config.build()(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 10])

    Book: mgic, mgic-networks
    """

    def __init__(self, config):
        super().__init__(config)
        self.stem = blocks.stem(config.stem, config.in_channels, config.channels[0])
        kind, c = BLOCKS[config.block], config.channels[0]

        def block(channels, groups):
            return kind(channels, channels // kind.expansion, groups=groups)

        self.levels = nn.ModuleList()
        for level, (n, width) in enumerate(zip(config.blocks, config.channels, strict=True)):
            widths = config.widths(width)
            groups = mgic.group_numbers(widths, config.group_size)
            channels = tuple(kind.expansion * w for w in widths)
            Pi = None
            if level or channels[0] != c:
                Pi = nn.Sequential(
                    blocks.conv(c, channels[0], stride=2 if level else 1, groups=c),
                    blocks.norm("batch", channels[0]),
                    nn.ReLU(),
                )
            members = [mgic.MGIC(block, channels, groups) for _ in range(n)]
            self.levels.append(ResolutionLevel(members, Pi))
            c = channels[0]
        self.head = blocks.Head(c, config.num_classes)
        for m in self.modules() if config.coarsest_relu else ():
            if isinstance(m, mgic.MGIC):
                last = m.channel_levels[-1].block
                last.norm3 = nn.Sequential(last.norm3, nn.ReLU())
        mgic.initialise(self, config.initial_weights, config.transfer_start == "means")
        blocks.exchange_norms(self, config.norm)


def _resnet50(s_g, until="<=", **changes):
    return MGICResNetConfig(
        blocks=(3, 4, 6, 3),
        channels=(64, 128, 256, 512),
        group_size=s_g,
        coarsest=64,
        until=until,
        block="bottleneck",
        num_classes=1000,
        stem="7x7",
        **changes,
    )


# What the authors' code does, where the text says something else or nothing.
_CODE = {"until": "<", "transfer_start": "law", "coarsest_relu": True}

# Table 12 (with Table 3's row among them), and Table 5.
NAMED = {
    **{
        f"mgic-resnet56-c{s_c}-g{s_g}": MGICResNetConfig(group_size=s_g, coarsest=s_c)
        for s_c, s_g in ((64, 16), (32, 16), (16, 32), (16, 16), (16, 8), (16, 4))
    },
    **{f"mgic-resnet50-g{s_g}": _resnet50(s_g) for s_g in (16, 32, 64)},
    **{f"mgic-resnet50-code-g{s_g}": _resnet50(s_g, **_CODE) for s_g in (16, 32, 64)},
}
