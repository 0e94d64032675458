"""ResNet: the baselines that the papers compare with."""

from dataclasses import dataclass, field

import torch.nn.functional as F
from torch import nn

from ..errors import InvalidValue, choose
from . import blocks
from .config import NetworkConfig
from .network import Network


@dataclass(frozen=True)
class ResNetConfig(NetworkConfig):
    """What defines a ResNet.

    Attributes
    ----------
    blocks : tuple of int
        Number of blocks on each level.
    channels : tuple of int
        Width of each level; every level but the first halves the resolution.
    shortcut : {"projection", "padding"}
        Where the width or the resolution changes: a 1x1 convolution with batch norm
        (He et al.'s option B, ResNet18), or every second pixel, with channels of zeros
        added (option A, without weights: ResNet20, ResNet56).
    in_channels, num_classes : int
    stem : {"3x3", "7x7"}
    block : {"basic", "bottleneck"}
        Two 3x3 convolutions of the level's width; or 1x1, 3x3, 1x1, the last of which
        makes four times the level's width (ResNet50).
    norm : {"batch", "group", "layer", "none"}

    Raises
    ------
    InvalidValue
        If a number is out of range, or blocks and channels differ in length.

    Examples
    --------
    >>> from mgtutorial.models import count_weights
    >>> count_weights(ResNetConfig(blocks=(3, 3, 3), channels=(16, 32, 64), shortcut="padding"))
    269722
    >>> count_weights(NAMED["resnet50"])
    25557032

    Book: smoothing, smoothing-networks
    """

    blocks: tuple = (2, 2, 2, 2)
    channels: tuple = (64, 128, 256, 512)
    shortcut: str = "projection"
    in_channels: int = 3
    num_classes: int = 10
    stem: str = "3x3"
    block: str = field(default="basic", metadata={"later": True})
    norm: str = field(default="batch", metadata={"later": True})

    def __post_init__(self):
        super().__post_init__()
        self.check_levels("blocks", "channels")
        self.check_images("stem", "norm")
        choose("block", self.block, BLOCKS)
        choose("shortcut", self.shortcut, ("projection", "padding"))
        if self.shortcut == "padding" and list(self.channels) != sorted(self.channels):
            raise InvalidValue(
                f"channels={self.channels}: a shortcut that pads channels cannot take any away; "
                'let them grow or use shortcut="projection".'
            )

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return ResNet(self)


class Shortcut(nn.Module):
    """The way around a block: nothing, or what changes width and resolution as the block does.

    Parameters
    ----------
    c_in, c_out, stride : int
    kind : {"projection", "padding"}
        A 1x1 convolution with norm, or every `stride`-th pixel, and zero channels before and after.

    Raises
    ------
    UnknownName
        For any other kind.
    InvalidValue
        If channels would have to be taken away where they are padded.

    Examples
    --------
    >>> import torch
    >>> Shortcut(16, 32, 2, "padding")(torch.zeros(1, 16, 8, 8)).shape
    torch.Size([1, 32, 4, 4])

    Book: smoothing, smoothing-networks
    """

    def __init__(self, c_in, c_out, stride, kind):
        super().__init__()
        choose("shortcut", kind, ("projection", "padding"))
        if kind == "padding" and c_out < c_in:
            raise InvalidValue(f"a shortcut that pads channels cannot make {c_out} of {c_in}.")
        self.stride, self.extra = stride, c_out - c_in
        self.projection = None
        if kind == "projection" and (stride != 1 or c_in != c_out):
            self.projection = nn.Sequential(
                blocks.conv(c_in, c_out, kernel=1, stride=stride), blocks.norm("batch", c_out)
            )

    def forward(self, x):
        if self.projection is not None:
            return self.projection(x)
        if self.stride == 1 and not self.extra:
            return x
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, self.extra // 2, self.extra - self.extra // 2))


class BasicBlock(nn.Module):
    """``ReLU(shortcut(x) + BN K2 ReLU BN K1 x)``, with two 3x3 convolutions.

    Parameters
    ----------
    c_in, width : int
        Channels of ``x`` and of the result.
    stride : int
        Of ``K1``.
    shortcut : {"projection", "padding"}
    groups : int
        Of both convolutions.

    Examples
    --------
    >>> import torch
    >>> BasicBlock(16, 32, stride=2)(torch.zeros(1, 16, 8, 8)).shape
    torch.Size([1, 32, 4, 4])

    Book: smoothing, smoothing-networks
    """

    expansion = 1
    followed = (("conv1", "norm1"), ("conv2", "norm2"))

    def __init__(self, c_in, width, stride=1, shortcut="projection", groups=1):
        super().__init__()
        self.conv1 = blocks.conv(c_in, width, stride=stride, groups=groups)
        self.norm1 = blocks.norm("batch", width)
        self.conv2 = blocks.conv(width, width, groups=groups)
        self.norm2 = blocks.norm("batch", width)
        self.shortcut = Shortcut(c_in, width, stride, shortcut)

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.shortcut(x) + self.norm2(self.conv2(y)))


class Bottleneck(nn.Module):
    """``ReLU(shortcut(x) + BN K3 ReLU BN K2 ReLU BN K1 x)``: 1x1, 3x3 and 1x1.

    The result has four times `width` channels. The stride is that of the 3x3 convolution,
    as in the weights and operations quoted for ResNet50 today; in the original paper it was
    that of the first 1x1. Parameters as in :class:`BasicBlock`.

    Examples
    --------
    >>> import torch
    >>> Bottleneck(64, 32)(torch.zeros(1, 64, 8, 8)).shape
    torch.Size([1, 128, 8, 8])

    Book: smoothing, smoothing-networks
    """

    expansion = 4
    followed = (*BasicBlock.followed, ("conv3", "norm3"))

    def __init__(self, c_in, width, stride=1, shortcut="projection", groups=1):
        super().__init__()
        c_out = self.expansion * width
        self.conv1 = blocks.conv(c_in, width, kernel=1, groups=groups)
        self.norm1 = blocks.norm("batch", width)
        self.conv2 = blocks.conv(width, width, stride=stride, groups=groups)
        self.norm2 = blocks.norm("batch", width)
        self.conv3 = blocks.conv(width, c_out, kernel=1, groups=groups)
        self.norm3 = blocks.norm("batch", c_out)
        self.shortcut = Shortcut(c_in, c_out, stride, shortcut)

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        return F.relu(self.shortcut(x) + self.norm3(self.conv3(y)))


BLOCKS = {"basic": BasicBlock, "bottleneck": Bottleneck}


class ResolutionLevel(nn.Module):
    """One level of a residual network: the map that leads to it, if it has one, and its blocks.

    Parameters
    ----------
    members : iterable of torch.nn.Module
        The blocks.
    Pi : torch.nn.Module, optional

    Examples
    --------
    >>> import torch
    >>> level = ResolutionLevel([BasicBlock(8, 8)], Pi=nn.MaxPool2d(2))
    >>> level(torch.zeros(1, 8, 8, 8)).shape
    torch.Size([1, 8, 4, 4])

    Book: smoothing, smoothing-networks
    """

    def __init__(self, members, Pi=None):
        super().__init__()
        self.Pi = Pi
        self.blocks = nn.Sequential(*members)

    def forward(self, x):
        return self.blocks(x if self.Pi is None else self.Pi(x))


class ResNet(Network):
    """The network of a :class:`ResNetConfig`.

    Examples
    --------
    >>> import torch
    >>> net = ResNetConfig(blocks=(1, 1), channels=(8, 16), in_channels=1).build()
    >>> net(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 10])

    Book: smoothing, smoothing-networks
    """

    def __init__(self, config):
        super().__init__(config)
        self.stem = blocks.stem(config.stem, config.in_channels, config.channels[0])
        kind, c = BLOCKS[config.block], config.channels[0]
        self.levels = nn.ModuleList()
        for level, (n, width) in enumerate(zip(config.blocks, config.channels, strict=True)):
            members = []
            for i in range(n):
                stride = 2 if level and not i else 1
                members.append(kind(c, width, stride, config.shortcut))
                c = kind.expansion * width
            self.levels.append(ResolutionLevel(members))
        self.head = blocks.Head(c, config.num_classes)
        blocks.initialise(self, config.initial_weights)
        blocks.exchange_norms(self, config.norm)


def scaled(scale, **changes):
    """Return ResNet18 with its four widths scaled: ``b, 2b, 4b, 8b`` with ``b = int(64 scale)``.

    Parameters
    ----------
    scale : float
        Of the widths 64, 128, 256, 512.
    **changes
        Other fields of the config.

    Returns
    -------
    ResNetConfig

    Examples
    --------
    >>> scaled(0.5).channels
    (32, 64, 128, 256)

    Book: poly_mgnet, eq-polynet-weights
    """
    b = int(64 * scale)
    return ResNetConfig(channels=(b, 2 * b, 4 * b, 8 * b), **changes)


NAMED = {
    "resnet18": ResNetConfig(),
    "resnet20": ResNetConfig(blocks=(3, 3, 3), channels=(16, 32, 64), shortcut="padding"),
    "resnet56": ResNetConfig(blocks=(9, 9, 9), channels=(16, 32, 64), shortcut="padding"),
    "resnet50": ResNetConfig(blocks=(3, 4, 6, 3), num_classes=1000, stem="7x7", block="bottleneck"),
    # Poly-MgNet, Figure 5: fewer weights by a factor of 8 and of 2.
    **{f"resnet18-x{scale:.2f}": scaled(scale) for scale in (8**-0.5, 2**-0.5)},
}
