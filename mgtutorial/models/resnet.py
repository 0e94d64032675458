"""ResNet for small images: the baselines that the papers compare with."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import nn

from ..errors import InvalidValue, choose
from . import blocks


@dataclass(frozen=True)
class ResNetConfig:
    """What defines a ResNet of basic blocks (two 3x3 convolutions each).

    Attributes
    ----------
    blocks : tuple of int
        Number of blocks on each level.
    channels : tuple of int
        Channels on each level; every level but the first halves the resolution.
    shortcut : {"projection", "padding"}
        Where the width or the resolution changes: a 1x1 convolution with batch norm
        (He et al.'s option B, ResNet18), or every second pixel with zero channels
        added (option A, without weights: ResNet20, ResNet56).
    in_channels, num_classes : int
    stem : {"3x3", "7x7"}

    Raises
    ------
    InvalidValue
        If a number is out of its range, or blocks and channels differ in length.

    Examples
    --------
    >>> from mgtutorial.counting import count_weights
    >>> count_weights(ResNetConfig(blocks=(3, 3, 3), channels=(16, 32, 64), shortcut="padding"))
    269722
    """

    blocks: tuple = (2, 2, 2, 2)
    channels: tuple = (64, 128, 256, 512)
    shortcut: str = "projection"
    in_channels: int = 3
    num_classes: int = 10
    stem: str = "3x3"

    def __post_init__(self):
        for name in ("blocks", "channels"):
            value = tuple(getattr(self, name))
            object.__setattr__(self, name, value)
            if not value or min(value) < 1:
                raise InvalidValue(f"{name}={value}: give one positive number for each level.")
        if len(self.blocks) != len(self.channels):
            raise InvalidValue(
                f"blocks={self.blocks} and channels={self.channels}: "
                "both need one number for each level."
            )
        choose("shortcut", self.shortcut, ("projection", "padding"))
        if self.shortcut == "padding" and list(self.channels) != sorted(self.channels):
            raise InvalidValue(
                f"channels={self.channels}: a shortcut that pads channels cannot take any away; "
                'let them grow or use shortcut="projection".'
            )

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return ResNet(self)


class BasicBlock(nn.Module):
    """``ReLU(shortcut(x) + BN K2 ReLU BN K1 x)``."""

    def __init__(self, c_in, c_out, stride, shortcut):
        super().__init__()
        self.conv1, self.norm1 = blocks.conv(c_in, c_out, stride=stride), nn.BatchNorm2d(c_out)
        self.conv2, self.norm2 = blocks.conv(c_out, c_out), nn.BatchNorm2d(c_out)
        self.stride, self.extra = stride, c_out - c_in
        changes = stride != 1 or c_in != c_out
        self.projection = None
        if changes and shortcut == "projection":
            self.projection = nn.Sequential(
                blocks.conv(c_in, c_out, kernel=1, stride=stride), nn.BatchNorm2d(c_out)
            )

    def shortcut(self, x):
        if self.projection is not None:
            return self.projection(x)
        if self.stride == 1 and not self.extra:
            return x
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, self.extra // 2, self.extra - self.extra // 2))

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.shortcut(x) + self.norm2(self.conv2(y)))


class ResNet(nn.Module):
    """The network of a :class:`ResNetConfig`.

    Examples
    --------
    >>> import torch
    >>> net = ResNetConfig(blocks=(1, 1), channels=(8, 16), in_channels=1).build()
    >>> net(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 10])
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        widths = config.channels
        self.stem = blocks.stem(config.stem, config.in_channels, widths[0])
        levels, c = [], widths[0]
        for level, (n, width) in enumerate(zip(config.blocks, widths, strict=True)):
            for i in range(n):
                stride = 2 if level and not i else 1
                levels.append(BasicBlock(c, width, stride, config.shortcut))
                c = width
        self.blocks = nn.Sequential(*levels)
        self.head = blocks.Head(c, config.num_classes)
        blocks.initialise(self)

    def forward(self, x):
        x = blocks.check_images(x, self.config.in_channels)
        return self.head(self.blocks(self.stem(x)))


NAMED = {
    "resnet18": ResNetConfig(),
    "resnet20": ResNetConfig(blocks=(3, 3, 3), channels=(16, 32, 64), shortcut="padding"),
    "resnet56": ResNetConfig(blocks=(9, 9, 9), channels=(16, 32, 64), shortcut="padding"),
}
