r"""MGIC's network for functions of two variables, row by row as in its Table 2.

A point :math:`(x, y)` is a pixel with two channels, and every kernel is :math:`1 \times 1`: no
neighbours, only channels. So the network shows in isolation what a block does among its channels.

There is a choice of six blocks. Section 4.2 compares three: MobileNetV3's and GhostNet's inverted
bottlenecks and MGIC's cycle around the former. Each changes the width in its own way: by a branch
without a shortcut; by one with a shortcut of two convolutions; by the depthwise filters of MGIC's
section 3.3, which read every input channel several times. The other three are the book's own, each
after the same full convolution: all channels coupled, groups, and groups in a cycle.

References
----------
.. [1] M. Eliasof, J. Ephrath, L. Ruthotto and E. Treister, MGIC: Multigrid-in-channels
   neural network architectures, SIAM J. Sci. Comput. 45 (2023). Section 4.2, Table 2, Figure 4.
"""

from dataclasses import dataclass

import torch
from torch import nn

from ..errors import InvalidValue, choose
from . import blocks, mgic
from .config import NetworkConfig, formerly
from .ghostnet import GhostBottleneck
from .mobile_blocks import InvertedBottleneck, group_number
from .network import _type_of_weights, check_type

#: The blocks of the paper's section 4.2.
PRINTED_BLOCKS = ("mobilenetv3", "ghostnet", "mgic-bneck")
#: The book's own, which differ only in what couples the channels.
OWN_BLOCKS = ("dense", "grouped", "mgic")
BLOCKS = PRINTED_BLOCKS + OWN_BLOCKS
ENDS = ("linear", "printed")
STEM = 16  # channels of Table 2's first row


@formerly(s_g="group_size", s_c="coarsest")
@dataclass(frozen=True)
class ImplicitConfig(NetworkConfig):
    r"""What defines a network of MGIC's Table 2.

    Attributes
    ----------
    alpha : float
        The width is :math:`160 \alpha`; the paper prints 0.6, 0.8 and 1.2.
    block : {"mobilenetv3", "ghostnet", "mgic-bneck", "dense", "grouped", "mgic"}
        The paper's three, with expansion 2 and ReLU and without squeeze-and-excitation; or ours:
        all channels coupled; groups of `group_size` channels; such groups with a cycle over channel
        levels around them.
    group_size, coarsest : int
        Channels in a group, and the width at which channels are no longer halved. In
        ``"mgic-bneck"`` the group size is the greatest number up to `group_size` that divides both
        widths of a level, as in the paper.
    end : {"linear", "printed"}
        The last row: a linear function of the 64 features before it, or, as printed, two
        channels with batch norm and ReLU, whose difference is the value.

    Raises
    ------
    InvalidValue
        If the width is not a whole number, or if width, groups and halvings do not fit.

    Examples
    --------
    >>> from mgtutorial.models import count_weights
    >>> [count_weights(ImplicitConfig(0.6, block)) for block in OWN_BLOCKS]
    [84161, 22721, 40385]
    >>> [count_weights(ImplicitConfig(0.6, block, 8, 8)) for block in PRINTED_BLOCKS]
    [48353, 29441, 26321]

    Book: mgic_worlds, worlds-functions
    """

    alpha: float = 0.6
    block: str = "mgic"
    group_size: int = 16
    coarsest: int = 32
    end: str = "linear"

    def __post_init__(self):
        super().__post_init__()
        choose("block", self.block, BLOCKS)
        choose("end", self.end, ENDS)
        if self.alpha <= 0 or abs(self.width - 160 * self.alpha) > 1e-6:
            raise InvalidValue(
                f"alpha={self.alpha}: 160 alpha is the number of channels, so it must be whole "
                "and at least 1; printed are 0.6, 0.8 and 1.2."
            )
        if self.block == "grouped" and (self.group_size < 1 or self.width % self.group_size):
            raise InvalidValue(
                f"group_size={self.group_size} does not divide the {self.width} channels: "
                "give a divisor."
            )
        if self.block == "mgic":
            mgic.group_numbers(self.widths, self.group_size)
        if self.block == "mgic-bneck":
            self._check_bneck()

    def _check_bneck(self):
        self.check_whole(1, "group_size", "coarsest")
        if self.width % STEM:
            raise InvalidValue(
                f"alpha={self.alpha}: depthwise filters lead from {STEM} channels to a multiple "
                f"of {STEM}, and {self.width} is none; printed are 0.6, 0.8 and 1.2."
            )
        for c, groups in zip(self.widths[:-1], self.groups, strict=False):
            if c // 2 % groups:
                raise InvalidValue(
                    f"group_size={self.group_size}: R halves each group of {c // groups} of {c} "
                    "channels, so give a group size that leaves an even divisor."
                )

    @property
    def width(self):
        """Number of channels of both blocks."""
        return round(160 * self.alpha)

    @property
    def widths(self):
        """Widths of the channel levels."""
        return mgic.halvings(self.width, self.coarsest)

    @property
    def groups(self):
        """Number of groups on each channel level of MGIC's blocks."""
        if self.block == "mgic-bneck":
            sizes = (group_number(c, 2 * c, self.group_size) for c in self.widths[:-1])
            return (*sizes, 1)
        return mgic.group_numbers(self.widths, self.group_size)

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return ImplicitNetwork(self)


class ImplicitNetwork(nn.Module):
    """The network of an :class:`ImplicitConfig`, from points ``(n, 2)`` to values ``(n,)``.

    As printed, it ends in two channels with batch norm and ReLU. Neither of them can be
    negative; their difference can.

    Examples
    --------
    >>> ImplicitConfig(0.8, "dense").build()(torch.rand(5, 2)).shape
    torch.Size([5])

    Book: mgic_worlds, worlds-functions
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        c = config.width
        self.layers = nn.Sequential(
            *_pointwise(2, STEM),
            *_widened(config),
            _block(config, c),
            *_pointwise(c, 64),
            *(_pointwise(64, 2) if config.end == "printed" else ()),
        )
        self.last = nn.Linear(64, 1) if config.end == "linear" else None
        _multiply_matrices(self)
        mgic.initialise(self, config.initial_weights)

    @property
    def macs(self):
        """Multiplications for one point, where each weight except those of norms is used once."""
        layers = (m for m in self.modules() if isinstance(m, nn.Conv2d | nn.Linear))
        return sum(m.weight.numel() for m in layers)

    def forward(self, points):
        points = check_type(points, _type_of_weights(self), "points")
        recorded = torch.jit.is_tracing() or torch.compiler.is_compiling()
        if isinstance(points, torch.Tensor) and not recorded:  # else sizes may not be numbers
            if points.ndim != 2 or points.shape[1] != 2 or not len(points):
                raise InvalidValue(
                    f"the network takes points of shape (n, 2), at least one, but was given "
                    f"{tuple(points.shape)}: put x and y into two columns."
                )
        # a batch of points is one image, whose pixels are a row
        x = self.layers(points.T[None, :, None])[0, :, 0].T
        return x[:, 0] - x[:, 1] if self.last is None else self.last(x)[:, 0]


class Pointwise(nn.Conv2d):
    """A 1x1 convolution that, on a single image, is computed as a product of matrices.

    The function is that of the convolution it replaces. With few pixels a convolution
    library takes twice the time.

    Parameters
    ----------
    conv : torch.nn.Conv2d
        Without bias; its weight becomes this one's.

    Examples
    --------
    >>> conv, x = blocks.conv(8, 4, kernel=1, groups=2), torch.rand(1, 8, 1, 5)
    >>> torch.allclose(Pointwise(conv)(x), conv(x), atol=1e-6)
    True

    Book: mgic_worlds, worlds-functions
    """

    def __init__(self, conv):
        super().__init__(
            conv.in_channels, conv.out_channels, 1, groups=conv.groups, bias=False, device="meta"
        )
        self.weight = conv.weight

    def forward(self, x):
        if len(x) > 1:
            return super().forward(x)
        if self.groups == self.in_channels == self.out_channels:
            return x * self.weight.view(1, -1, 1, 1)
        weight = self.weight.view(self.groups, -1, self.weight.shape[1])
        groups = x.reshape(self.groups, weight.shape[2], -1)
        return torch.bmm(weight, groups).view(1, -1, *x.shape[2:])


def _multiply_matrices(module):
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            setattr(module, name, Pointwise(child))
        else:
            _multiply_matrices(child)


def _pointwise(c_in, c_out):
    return blocks.conv(c_in, c_out, kernel=1), blocks.norm("batch", c_out), nn.ReLU()


def _widened(config):
    """The second row: from 16 channels to the width, with the first block."""
    c = config.width
    if config.block in ("mobilenetv3", "ghostnet"):
        return (_block(config, STEM),)
    # MGIC's section 3.3 asks for depthwise filters; the book's own blocks share a full convolution
    groups = STEM if config.block == "mgic-bneck" else 1
    shortcut = blocks.conv(STEM, c, kernel=1, groups=groups), blocks.norm("batch", c)
    return (*shortcut, _block(config, c))


def _block(config, c_in):
    """A block with expansion 2 from `c_in` channels to the config's width."""
    c = config.width
    if config.block == "ghostnet":
        return GhostBottleneck(c_in, 2 * c_in, c, kernel=1, squeeze=False, stride=1, cheap=1)
    if config.block in ("mgic", "mgic-bneck"):
        return mgic.MGIC(_bottleneck, config.widths, config.groups)
    groups = c // config.group_size if config.block == "grouped" else 1
    return _bottleneck(c_in, groups, c)


def _bottleneck(c, groups, c_out=None):
    return InvertedBottleneck(c, 2 * c, 1, groups, None, nn.ReLU, c_out)
