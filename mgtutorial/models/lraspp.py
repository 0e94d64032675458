"""LR-ASPP: a class for each pixel, from two resolutions of a light encoder.

The encoders are MobileNetV3's and MGIC's, without the pooling to one vector. The head weights
the features of the coarsest level by what their means say, adds what the level of twice the
resolution says, and interpolates.

References
----------
.. [1] A. Howard et al., Searching for MobileNetV3, ICCV (2019), section 6.4.
.. [2] M. Eliasof et al., MGIC, SIAM J. Sci. Comput. 45 (2023), section 4.4 and Table 9.
"""

from dataclasses import dataclass, replace
from itertools import accumulate
from operator import mul
from types import MappingProxyType
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import fx, nn

from ..errors import InvalidValue, choose
from . import blocks, mgic
from .mgic_mobilenetv3 import LARGE as LARGE_15
from .mgic_mobilenetv3 import Bneck, MGICMobileNetV3Config
from .mobile_blocks import InvertedBottleneck, SqueezeExcite, by_resolution, round_width
from .network import Network

# MobileNetV3-Large and -Small with the last block halved: channels and hidden channels. With these
# the counts of MobileNetV3's own two rows are the printed ones.
LARGE = (*LARGE_15[:-3], (5, 3, 80, True, 2), (5, 6, 80, True, 1), (5, 6, 80, True, 1))
SMALL = (
    (3, 1, 16, True, 2),
    (3, 72 / 16, 24, False, 2),
    (3, 88 / 24, 24, False, 1),
    (5, 4, 40, True, 2),
    (5, 6, 40, True, 1),
    (5, 6, 40, True, 1),
    (5, 3, 48, True, 1),
    (5, 3, 48, True, 1),
    (5, 3, 48, True, 2),
    (5, 6, 48, True, 1),
    (5, 6, 48, True, 1),
)


@dataclass(frozen=True)
class LRASPPConfig(MGICMobileNetV3Config):
    """What defines an encoder with an LR-ASPP head.

    The fields that it shares are those of :class:`~mgtutorial.models.MGICMobileNetV3Config`.

    Attributes
    ----------
    block : {"mgic", "mobilenetv3"}
        The encoder's. For the latter `group_size`, `coarsest`, `connector` and `grouping` mean
        nothing.
    output_stride : int
        Pixels of the image per point of the coarsest grid, along a side: levels beyond it are
        atrous. The sides of images must be multiples of it.
    features : int
        Channels of the 1x1 convolution at the end of the encoder; 0: there is none.
    hidden : int
        Filters of the head.

    Raises
    ------
    InvalidValue
        If a number is out of range.

    Examples
    --------
    >>> from mgtutorial.models import count_weights
    >>> [round(count_weights(NAMED[f"mobilenetv3-{size}"]) / 1e6, 2) for size in ("large", "small")]
    [1.51, 0.47]
    >>> LRASPPConfig(output_stride=5)
    Traceback (most recent call last):
    ...
    mgtutorial.errors.InvalidValue: output_stride=5: the levels have the strides 4, 8, 16, 32; ...

    Book: mgic_worlds, worlds-segmentation
    """

    grouping: str = "number"
    bottlenecks: tuple = SMALL
    coarsest: int = 48
    features: int = 288
    hidden: int = 128
    swish_from: int = 40
    num_classes: int = 11
    block: str = "mgic"
    output_stride: int = 16

    least_features: ClassVar = 0
    old_names: ClassVar = MappingProxyType({})  # this config came after the renaming

    def __post_init__(self):
        super().__post_init__()
        choose("block", self.block, ("mgic", "mobilenetv3"))
        self.check_whole(1, "num_classes", "output_stride")
        if {self.output_stride, self.output_stride / 2} - {*self.strides}:
            raise InvalidValue(
                f"output_stride={self.output_stride}: the levels have the strides "
                f"{', '.join(map(str, self.strides))}; give one of them whose half is there, too."
            )

    @property
    def strides(self):
        """Image pixels per point of each level's grid, along a side, before some become atrous."""
        steps = [2]  # of the stem
        for i, row in enumerate(self.bottlenecks):
            if row[4] > 1 and i:
                steps.append(1)
            steps[-1] *= row[4]
        return tuple(accumulate(steps, mul))

    def with_ends(self, info):
        if not getattr(info, "masks", False):
            raise InvalidValue(
                f"an LR-ASPP gives a class to each pixel, and {getattr(info, 'name', info)!r} has "
                "one for an image: give a data set with masks, mgtutorial.data.masks.info(name)."
            )
        return super().with_ends(info)

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return LRASPP(self)


class LRASPPHead(nn.Module):
    """``K_low low + K_high up(s * ReLU BN K high)``, with ``s = sigmoid(K' mean(high))``.

    Parameters
    ----------
    c_low, c, hidden, num_classes : int
        Channels of the two levels, filters, and classes.

    Examples
    --------
    >>> head = LRASPPHead(24, 48, 128, 11)
    >>> head(torch.zeros(2, 24, 8, 10), torch.zeros(2, 48, 4, 5)).shape
    torch.Size([2, 11, 8, 10])

    Book: mgic_worlds, eq-worlds-lraspp
    """

    def __init__(self, c_low, c, hidden, num_classes):
        super().__init__()
        self.project = nn.Sequential(
            blocks.conv(c, hidden, kernel=1), blocks.norm("batch", hidden), nn.ReLU()
        )
        self.scale = blocks.conv(c, hidden, kernel=1)
        self.low = nn.Conv2d(c_low, num_classes, 1)
        self.high = nn.Conv2d(hidden, num_classes, 1)

    def forward(self, low, high):
        s = torch.sigmoid(self.scale(high.mean((2, 3), keepdim=True)))
        u = F.interpolate(s * self.project(high), size=low.shape[-2:], mode="bilinear")
        return self.low(low) + self.high(u)


class LRASPP(Network):
    """The network of an :class:`LRASPPConfig`: from images to a score of each class at each pixel.

    Examples
    --------
    >>> net = LRASPPConfig().build().eval()
    >>> net(torch.zeros(2, 3, 48, 64)).shape
    torch.Size([2, 11, 48, 64])
    >>> [tuple(u.shape[1:]) for u in net.forward_levels(torch.zeros(1, 3, 48, 64))]
    [(16, 12, 16), (24, 6, 8), (48, 3, 4), (48, 3, 4)]

    Book: mgic_worlds, worlds-segmentation
    """

    def __init__(self, config):
        super().__init__(config)
        mgics = config.block == "mgic"
        act = nn.Hardswish if config.hard_swish else nn.ReLU
        c = round_width(config.width * config.stem)
        self.stem = nn.Sequential(
            blocks.conv(config.in_channels, c, stride=2), blocks.norm("batch", c),
            nn.ReLU() if mgics else act(),
        )  # fmt: skip
        self.levels = by_resolution(Bneck if mgics else _bottleneck, config, c)
        for level, stride in zip(self.levels, config.strides, strict=True):
            if stride > config.output_stride:
                atrous(level, stride // config.output_stride)
        self.low = config.strides.index(config.output_stride // 2)
        c = self.levels[-1][-1].c
        self.last = nn.Identity()
        if config.features:
            c_last = round_width(config.width * config.features)
            self.last = nn.Sequential(
                blocks.conv(c, c_last, kernel=1), blocks.norm("batch", c_last), act()
            )
            c = c_last
        c_low = self.levels[self.low][-1].c
        self.head = LRASPPHead(c_low, c, config.hidden, config.num_classes)
        mgic.initialise(self, config.initial_weights)

    def data(self, x):
        return super().data(check_sides(x, self.config.output_stride))

    def forward(self, x):
        levels = self.forward_levels(x)
        y = self.head(levels[self.low], self.last(levels[-1]))
        return F.interpolate(y, size=x.shape[-2:], mode="bilinear")

    def reset_classifier(self, num_classes):
        self.config = replace(self.config, num_classes=num_classes)
        for name in ("low", "high"):
            old = getattr(self.head, name)
            new = nn.Conv2d(old.in_channels, num_classes, 1).to(old.weight)
            setattr(self.head, name, new)
        return self


def _bottleneck(config, row, c_in):
    """MobileNetV3's own block: full pointwise convolutions, the stride in the depthwise one."""
    kernel, expansion, c, squeezes, stride = row
    act = nn.Hardswish if config.hard_swish and c >= config.swish_from else nn.ReLU
    m, c = round_width(c_in * expansion), round_width(config.width * c)

    def squeeze(m):
        return SqueezeExcite(m, config.squeeze_bias)

    return InvertedBottleneck(c_in, m, kernel, 1, squeeze if squeezes else None, act, c, stride)


def atrous(level, rate):
    """Let a level keep its resolution: no strides, and kernels whose pixels are `rate` apart.

    A point then sees what it saw before, if the kernels that had the strides have one pixel; others
    are spread, too, as in torchvision's dilated networks. There are more points than before.

    Parameters
    ----------
    level : torch.nn.Module
        Changed in place; its weights stay.
    rate : int

    Returns
    -------
    torch.nn.Module
        `level`.

    Examples
    --------
    >>> atrous(blocks.conv(8, 8, kernel=3, stride=2), 2)(torch.zeros(1, 8, 9, 9)).shape
    torch.Size([1, 8, 9, 9])

    Book: mgic_worlds, worlds-segmentation
    """
    for m in level.modules():
        if isinstance(m, nn.Conv2d):
            m.stride = (1, 1)
            m.dilation = (rate, rate)
            m.padding = tuple(rate * (k // 2) for k in m.kernel_size)
    return level


def check_sides(x, stride):
    """Return images; raise if a side is not a multiple of the stride.

    Parameters
    ----------
    x : tensor, shape (..., height, width)
    stride : int

    Raises
    ------
    InvalidValue

    Book: mgic_worlds, worlds-segmentation
    """
    if torch.jit.is_tracing() or torch.compiler.is_compiling():  # sizes may not be numbers
        return x
    if any(side % stride for side in x.shape[-2:]):
        h, w = x.shape[-2:]
        more = " x ".join(str(side + -side % stride) for side in (h, w))
        raise InvalidValue(
            f"images of {h} x {w}: the network's strides divide a side by {stride}, so give sides "
            f"that are multiples of it: pad them to {more} and crop the result."
        )
    return x


fx.wrap("check_sides")


def take_encoder(network, theirs):
    """Copy the encoder of a trained network into one with a head of its own.

    Parameters
    ----------
    network : LRASPP
        Changed in place.
    theirs : LRASPP
        Such as :func:`mgtutorial.models.load` returns from a file.

    Returns
    -------
    LRASPP
        `network`.

    Raises
    ------
    InvalidValue
        If it is a network with another encoder.

    Examples
    --------
    >>> ours, theirs = LRASPPConfig().build(), LRASPPConfig(num_classes=19).build()
    >>> torch.equal(take_encoder(ours, theirs).stem[0].weight, theirs.stem[0].weight)
    True

    Book: mgic_worlds, worlds-segmentation
    """
    config, head = getattr(theirs, "config", None), ("num_classes", "hidden", "initial_weights")
    same = {name: getattr(config, name, None) for name in head}
    if not isinstance(theirs, LRASPP) or replace(network.config, **same) != config:
        raise InvalidValue(
            f"the weights belong to another network, {type(theirs).__name__} with {config}: build "
            "the encoder of that config, or give a file of this one."
        )
    for name in ("stem", "levels", "last"):
        getattr(network, name).load_state_dict(getattr(theirs, name).state_dict())
    return network


def _large(**changes):
    return LRASPPConfig(
        bottlenecks=LARGE, coarsest=64, features=480, swish_from=80, num_classes=19, **changes
    )


# Table 9: Cityscapes has 19 classes.
NAMED = {
    "mobilenetv3-large": _large(block="mobilenetv3"),
    "mobilenetv3-small": LRASPPConfig(block="mobilenetv3", num_classes=19),
    "mgic-large-g64": _large(),
    "mgic-large-g32": _large(group_size=32),
    "mgic-small-g64": LRASPPConfig(num_classes=19),
}
