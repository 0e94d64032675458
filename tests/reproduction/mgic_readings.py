"""MGIC's networks as its text has them, word by word, for counting beside those of the package.

Halving ends at a width of at most ``s_c``, which may be at once; the way to another width is
a depthwise 3x3 convolution; pixels are pooled after a layer, where the tables have a mark.
"""

import math

from torch import nn

from mgtutorial.models import blocks
from mgtutorial.models.mgic import MGIC, group_numbers
from mgtutorial.models.mobile_blocks import (
    DepthwiseConnector,
    InvertedBottleneck,
    SqueezeExcite,
    group_number,
    round_width,
)
from mgtutorial.models.resnet import BasicBlock, Bottleneck
from mgtutorial.reproduction.papers.printed_table import read_table


def widths(c, s_c):
    """Widths of the channel levels, by the number of levels in Algorithm 1."""
    levels = max(math.ceil(math.log2(c / s_c)), 0)
    return tuple(c >> j for j in range(levels + 1))


def around(block, channels, groups):
    """The block of Algorithm 1: without coarser levels it is the block itself."""
    return MGIC(block, channels, groups) if len(channels) > 1 else block(channels[0], 1)


def layer(c_in, c_out, kernel, stride=1):
    """What the captions call Conv2D."""
    conv = blocks.conv(c_in, c_out, kernel=kernel, stride=stride)
    return [conv, nn.BatchNorm2d(c_out), nn.ReLU()]


def connector(c_in, c_out, stride=1):
    return [DepthwiseConnector(c_in, c_out, stride), nn.BatchNorm2d(c_out)]


def resnet56(s_g, s_c):
    """Tables 3 and 12."""
    parts, c = layer(3, 16, 3), 16
    for width in (16, 32, 64):
        if width != c:
            parts += [*connector(c, width, 2), nn.ReLU()]
        channels = widths(width, s_c)
        groups = group_numbers(channels, s_g) if len(channels) > 1 else (1,)
        parts += [
            around(lambda c, g: BasicBlock(c, c, groups=g), channels, groups) for _ in range(9)
        ]
        c = width
    return nn.Sequential(*parts, blocks.Head(64, 10))


def resnet50(s_g, s_c=64):
    """Table 4; `s_c` is of the features, and groups of `s_g` are of the inner channels."""
    stem = [*layer(3, 64, 7), nn.MaxPool2d(2), *layer(64, 64, 3)]
    parts, c = stem, 64
    for n, inner in zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True):
        channels = widths(4 * inner, s_c)

        def block(c, groups, coarsest=channels[-1]):
            groups = 1 if c == coarsest else max(c // 4 // s_g, 1)
            return Bottleneck(c, c // 4, groups=groups)

        groups = (*(w // s_g for w in channels[:-1]), 1)  # of the transfers
        parts += connector(c, channels[0])
        parts += [around(block, channels, groups) for _ in range(n)]
        parts.append(nn.MaxPool2d(2))
        c = channels[0]
    return nn.Sequential(*parts, blocks.Head(c, 1000))


def mobilenetv3(width, hard_swish=True, s_g=64, s_c=64):
    """Table 6, with the kernels of MobileNetV3, which it does not print."""
    c = round_width(16 * width)
    parts = [*layer(3, c, 3), nn.MaxPool2d(2)]
    for row in read_table("mgic_table6_mobilenetv3_architecture.csv"):
        if row["operation"] != "mgic_bneck":
            continue
        out, m = (round_width(width * int(row[column])) for column in ("c_out", "exp"))
        kernel = 5 if row["c_out"] in ("40", "160") else 3
        act = nn.Hardswish if hard_swish and int(row["c_out"]) >= 80 else nn.ReLU
        squeeze = (lambda m: SqueezeExcite(m, True)) if row["se"] == "1" else None
        if out != c:
            parts += connector(c, out)
        channels = widths(out, s_c)
        hidden = {c_j: m >> j for j, c_j in enumerate(channels)}

        def block(c_j, groups, hidden=hidden, kernel=kernel, squeeze=squeeze, act=act):
            return InvertedBottleneck(c_j, hidden[c_j], kernel, groups, squeeze, act)

        groups = (*(group_number(c_j, hidden[c_j], s_g) for c_j in channels[:-1]), 1)
        parts.append(around(block, channels, groups))
        parts += [nn.MaxPool2d(2)] if row["pool"] == "1" else []
        c = out
    features, last = round_width(960 * width), round_width(1280 * width)
    head = [*layer(c, features, 1), nn.AdaptiveAvgPool2d(1), *layer(features, last, 1)]
    return nn.Sequential(*parts, *head, nn.Flatten(), nn.Linear(last, 1000))
