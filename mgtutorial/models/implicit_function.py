r"""MGIC's network for functions of two variables, row by row as in its Table 2.

A point :math:`(x, y)` is an image of one pixel with two channels, and every kernel is
:math:`1 \times 1`: no neighbours, channels alone. So the network shows by itself what a block
does among its channels.

References
----------
.. [1] M. Eliasof, J. Ephrath, L. Ruthotto and E. Treister, MGIC: Multigrid-in-channels
   neural network architectures, SIAM J. Sci. Comput. 45 (2023). Table 2 and Figure 4.
"""

from dataclasses import dataclass

from torch import nn

from ..errors import InvalidValue, choose
from . import blocks, mgic
from .config import NetworkConfig, formerly
from .mobile_blocks import InvertedBottleneck

BLOCKS = ("dense", "grouped", "mgic")
ENDS = ("linear", "printed")


@formerly(s_g="group_size", s_c="coarsest")
@dataclass(frozen=True)
class ImplicitConfig(NetworkConfig):
    r"""What defines a network of MGIC's Table 2.

    The table has a block with expansion 2; section 4.2 names three, MobileNetV3's, GhostNet's
    and MGIC's, which are not built yet. Ours are inverted bottlenecks with 1x1 kernels throughout.

    Attributes
    ----------
    alpha : float
        The width is :math:`160 \alpha`; printed are 0.6, 0.8 and 1.2.
    block : {"dense", "grouped", "mgic"}
        All channels coupled; groups of `group_size` channels; such groups with a cycle over
        channel levels around them.
    group_size, coarsest : int
        Channels in a group, and the width at which channels are no longer halved.
    end : {"linear", "printed"}
        The last row: a linear function of the 64 features before it, or, as printed, two
        channels with batch norm and ReLU, whose difference is the value.

    Raises
    ------
    InvalidValue
        If the width is no whole number, or if width, groups and halvings do not fit.

    Examples
    --------
    >>> from mgtutorial.models import count_weights
    >>> [count_weights(ImplicitConfig(0.6, block)) for block in BLOCKS]
    [84161, 22721, 40385]

    Book: mgic, mgic-few-channels
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

    @property
    def width(self):
        """Number of channels of both blocks."""
        return round(160 * self.alpha)

    @property
    def widths(self):
        """Widths of the channel levels."""
        return mgic.halvings(self.width, self.coarsest)

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return ImplicitNetwork(self)


class ImplicitNetwork(nn.Module):
    """The network of an :class:`ImplicitConfig`, from points ``(n, 2)`` to values ``(n,)``.

    As printed it ends in batch norm and ReLU, with two channels. Neither of them can be
    negative; their difference can.

    Examples
    --------
    >>> import torch
    >>> ImplicitConfig(0.8, "dense").build()(torch.rand(5, 2)).shape
    torch.Size([5])

    Book: mgic, mgic-few-channels
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        c = config.width
        self.layers = nn.Sequential(
            *_pointwise(2, 16),
            *_pointwise(16, c)[:2],  # a block keeps its width: this leads to it
            _block(config),
            _block(config),
            *_pointwise(c, 64),
            *([nn.Flatten(), nn.Linear(64, 1)] if config.end == "linear" else _pointwise(64, 2)),
        )
        mgic.initialise(self, config.initial_weights)

    def forward(self, points):
        x = self.layers(points[:, :, None, None]).flatten(1)
        return x[:, 0] if self.config.end == "linear" else x[:, 0] - x[:, 1]


def _pointwise(c_in, c_out):
    return blocks.conv(c_in, c_out, kernel=1), nn.BatchNorm2d(c_out), nn.ReLU()


def _bottleneck(c, groups):
    return InvertedBottleneck(c, 2 * c, 1, groups, None, nn.ReLU)


def _block(config):
    if config.block == "mgic":
        widths = config.widths
        return mgic.MGIC(_bottleneck, widths, mgic.group_numbers(widths, config.group_size))
    return _bottleneck(
        config.width, config.width // config.group_size if config.block == "grouped" else 1
    )
