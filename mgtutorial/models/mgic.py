r"""MGIC: a cycle over channel levels around any block of a convolutional network.

A dense block couples all :math:`c` channels, at :math:`c^2` weights per pixel of its
stencil. MGIC couples them in groups of :math:`s_g`, at :math:`s_g c`, and lets the groups
talk on coarser levels with :math:`c/2, c/4, \dots` channels, down to about :math:`s_c`:

.. math::

    x_0 = x, \qquad x_{j+1} = y_{j+1} = R_j x_j \quad (j = 0, \dots, n - 1), \\
    x_n \leftarrow \mathrm{block}_n(x_n), \qquad
    x_j \leftarrow \mathrm{block}_j\bigl(x_j + N P_j (x_{j+1} - y_{j+1})\bigr)
    \quad (j = n - 1, \dots, 0),

with batch norm :math:`N`; only the block of the coarsest level is ungrouped.

**It is multigrid.** These lines are :func:`mgtutorial.multigrid.cycle`, which is the
forward pass of :class:`MGIC`: no steps on the way down, the correction
:math:`P(u' - \Pi u)` of the full approximation scheme, and the block as the one step on
the way up. What the paper calls :math:`R_j` restricts features, so it takes the place
of :math:`\Pi`. There is no equation: no operator :math:`A`, no data :math:`f`. We put this
to the algorithm as :math:`A = 0`, :math:`f = 0`. Then all residuals are the number 0, and
nothing is computed for them.

References
----------
.. [1] M. Eliasof, J. Ephrath, L. Ruthotto and E. Treister, MGIC: Multigrid-in-channels
   neural network architectures, SIAM J. Sci. Comput. 45 (2023). Algorithm 1, whose loop
   on the way down restricts once too often as printed.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import nn

from .. import multigrid
from ..errors import InvalidValue, choose, whole
from . import blocks
from .config import NetworkConfig, formerly


def halvings(c, coarsest, until="<="):
    r"""Return the widths of the channel levels: `c` and its halves.

    Parameters
    ----------
    c : int
        Width of the finest level.
    coarsest : int
        Where to stop, :math:`s_c`: the coarsest width is the first half that is at most
        `coarsest`, or below it. There is always one halving, even where `c` is small enough.
    until : {"<=", "<"}
        The text has "at most", and then no halving where `c` is small enough; the counts of
        ResNet-56 are met by "below", which is the public code's rule.

    Raises
    ------
    InvalidValue
        If `c` is not a positive whole number, `coarsest` is too small to stop at, or a width on
        the way is odd.

    Examples
    --------
    >>> halvings(64, 16), halvings(64, 16, until="<"), halvings(16, 16)
    ((64, 32, 16), (64, 32, 16, 8), (16, 8))

    Book: mgic, eq-mgic-widths
    """
    choose("stopping rule until", until, ("<=", "<"))
    if coarsest < 1 or (until == "<" and coarsest < 2):
        raise InvalidValue(
            f"coarsest={coarsest}: the coarsest channel level has at least one channel, so with "
            f'until="{until}" give at least {1 if until == "<=" else 2}.'
        )
    widths = [whole("channels", c)]
    while len(widths) < 2 or (widths[-1] > coarsest if until == "<=" else widths[-1] >= coarsest):
        if widths[-1] % 2:
            raise InvalidValue(
                f"channels={c}, coarsest={coarsest}: {widths[-1]} channels cannot be halved; give "
                f'a width with more factors of two, or a larger coarsest (until="{until}").'
            )
        widths.append(widths[-1] // 2)
    return tuple(widths)


def group_numbers(widths, group_size):
    r"""Return the number of groups on each channel level; on the coarsest it is 1.

    Parameters
    ----------
    widths : tuple of int
        From :func:`halvings`.
    group_size : int
        Channels in a group, :math:`s_g`. Levels with fewer channels are one group.

    Raises
    ------
    InvalidValue
        If `group_size` does not divide a width above it, or is odd (half a group must be whole);
        if a width is not a positive whole number.

    Examples
    --------
    >>> group_numbers((64, 32, 16, 8), group_size=16)
    (4, 2, 1, 1)

    Book: mgic, eq-mgic-widths
    """
    if group_size < 1:
        raise InvalidValue(f"group_size={group_size}: a group has at least one channel.")
    numbers = []
    for c, coarse in pairwise(widths):
        size = min(group_size, whole("channels", c))
        if c % size:
            raise InvalidValue(
                f"group_size={group_size} does not divide the {c} channels of a level: "
                f"give a divisor of {c}, or at least {c} for one group."
            )
        if coarse % (c // size):
            raise InvalidValue(
                f"group_size={group_size}: R halves each group of channels, so give an even group "
                "size."
            )
        numbers.append(c // size)
    return (*numbers, 1)


def _nothing(u):
    """The operator of a cycle without an equation, ``A = 0``."""
    return 0.0


def _same(r):
    """What restricts its residual, which is 0."""
    return r


class ChannelLevel(nn.Module):
    """One channel level: its block, and the transfers to the next coarser level and back.

    Parameters
    ----------
    block : torch.nn.Module or None
        Keeps the shape of its argument.
    c, c_coarse : int
        Channels here and on the next level; 0 for none.
    groups : int
        Of the transfers.
    norm_R, norm_P : bool
        Whether batch norm follows the transfer.

    Examples
    --------
    >>> level = ChannelLevel(nn.Identity(), 64, 32, groups=8)
    >>> level.R.weight.shape
    torch.Size([32, 8, 1, 1])

    Book: mgic, eq-mgic-transfers
    """

    def __init__(self, block, c, c_coarse, groups, norm_R=False, norm_P=True):
        super().__init__()
        self.R = self.P = None
        if c_coarse:
            self.R = _transfer(c, c_coarse, groups, norm_R)
            self.P = _transfer(c_coarse, c, groups, norm_P)
        self.block = block
        self.average()

    def average(self):
        """Let both transfers take means: positive weights, with each row summing to 1."""
        for transfer in (self.R, self.P):
            for m in transfer.modules() if transfer is not None else ():
                if isinstance(m, nn.Conv2d):  # a row of a group has as many entries
                    nn.init.constant_(m.weight, 1 / m.weight[0].numel())

    def step(self, s):
        """The one smoothing step of the level, on the way up."""
        return multigrid.State(self.block(s.u), s.f)

    def level(self):
        """The level as the multigrid algorithm sees it."""
        return multigrid.Level(_nothing, post=(self.step,), R=_same, Pi=self.R, P=self.P)


def _transfer(c_in, c_out, groups, norm):
    conv = blocks.conv(c_in, c_out, kernel=1, groups=groups)
    return nn.Sequential(conv, blocks.norm("batch", c_out)) if norm else conv


def _check_levels(channels, groups):
    if len(channels) < 2 or len(groups) != len(channels):
        raise InvalidValue(
            f"channels={tuple(channels)}, groups={tuple(groups)}: give one number of each "
            "for every channel level, and at least two levels."
        )


class MGIC(nn.Module):
    """The MGIC block around any block of a convolutional network.

    Parameters
    ----------
    block : callable
        ``block(channels, groups)`` makes a module that keeps the shape
        ``(n, channels, height, width)`` and couples channels in `groups` groups.
    channels : tuple of int
        Channels on each level, from fine to coarse, as :func:`halvings` gives them.
    groups : tuple of int
        Number of groups on each level, as :func:`group_numbers` gives it.
    norm_R : bool
        Whether batch norm follows ``R``, too (it always follows ``P``).

    Raises
    ------
    InvalidValue
        If there are fewer than two levels, if the two tuples differ in length, or if
        a number of groups does not divide the channels of its level and of the next.

    Examples
    --------
    Around a single convolution of three by three pixels:

    >>> from mgtutorial.models import count_weights
    >>> dense = lambda c, groups: blocks.conv(c, c, groups=groups)
    >>> widths = halvings(64, coarsest=16)
    >>> net = MGIC(dense, widths, group_numbers(widths, group_size=16))
    >>> net(torch.zeros(2, 64, 8, 8)).shape
    torch.Size([2, 64, 8, 8])
    >>> count_weights(net), count_weights(dense(64, 1))  # with 192 weights of batch norms
    (17856, 36864)

    Book: mgic, eq-mgic-up
    """

    def __init__(self, block, channels, groups, norm_R=False):
        super().__init__()
        _check_levels(channels, groups)
        self.channel_levels = nn.ModuleList(
            ChannelLevel(block(c, g), c, coarse, g, norm_R)
            for c, coarse, g in zip(channels, (*channels[1:], 0), groups, strict=True)
        )

    def forward(self, x):
        levels = [m.level() for m in self.channel_levels]
        return multigrid.cycle(levels, multigrid.State(x, 0.0, 0.0)).u


class TransferChain(nn.Module):
    r"""The transfers of MGIC alone, :math:`P_0 \cdots P_{n-1} R_{n-1} \cdots R_0 x`.

    Table 1 of the paper asks how well features survive the way to few channels and back,
    without blocks, norms and shortcuts. It is the same cycle: no steps, and the coarse
    result takes the place of the fine one.

    Parameters
    ----------
    channels, groups : tuple of int
        As for :class:`MGIC`.

    Examples
    --------
    The paper's four chains have 3.3, 1.8, 0.9 and 0.4 thousand weights:

    >>> from mgtutorial.models import count_weights
    >>> widths = halvings(64, coarsest=8)
    >>> [count_weights(TransferChain(widths, group_numbers(widths, s))) for s in (32, 16, 8, 4)]
    [3328, 1792, 896, 448]

    Book: mgic, eq-mgic-moments
    """

    def __init__(self, channels, groups):
        super().__init__()
        _check_levels(channels, groups)
        self.channel_levels = nn.ModuleList(
            ChannelLevel(None, c, coarse, g, norm_P=False)
            for c, coarse, g in zip(channels, (*channels[1:], 0), groups, strict=True)
        )

    def restrict(self, x):
        """The features on all levels, from fine to coarse."""
        features = [x]
        for m in self.channel_levels[:-1]:
            features.append(m.R(features[-1]))
        return features

    def matrix(self):
        """The map at a pixel, in float64: ``(c, c)``."""
        first = self.channel_levels[0].R
        unit = torch.eye(first.in_channels).to(first.weight)
        with torch.no_grad():
            return self(unit[:, :, None, None])[:, :, 0, 0].T.double()

    def forward(self, x):
        levels = [
            multigrid.Level(_nothing, R=_same, Pi=m.R, P=m.P, add=lambda u, e: e, difference=False)
            for m in self.channel_levels
        ]
        return multigrid.cycle(levels, multigrid.State(x, 0.0, 0.0)).u


def initialise(network, law="he-fan-out", means=True):
    """Draw initial weights by a law, then set the transfers between channel levels to means.

    Parameters
    ----------
    network : torch.nn.Module
    law : str
        As for :func:`mgtutorial.models.blocks.initialise`.
    means : bool
        False: the law holds for the transfers, too, as in the authors' code.

    Returns
    -------
    torch.nn.Module
        `network`.

    Examples
    --------
    >>> chain = initialise(TransfersConfig(s_g=4).build())
    >>> chain.channel_levels[0].R.weight.unique()
    tensor([0.2500], grad_fn=<Unique2Backward0>)

    Book: mgic, eq-mgic-transfers
    """
    blocks.initialise(network, law)
    for m in network.modules():
        if means and isinstance(m, ChannelLevel):
            m.average()
    return network


@formerly(s_g="group_size", s_c="coarsest")
@dataclass(frozen=True)
class TransfersConfig(NetworkConfig):
    """The transfers of MGIC alone, from `c` channels to `coarsest` and back: Table 1 of that paper.

    Attributes
    ----------
    group_size : int
        Channels in a group.
    coarsest, c : int
        Channels of the coarsest and of the finest level.
    start : {"means", "random rows"}
        The initial weights: equal or random; in both cases positive with row sums 1.

    Raises
    ------
    InvalidValue
        If widths and groups do not fit.

    Examples
    --------
    >>> TransfersConfig(group_size=32).build()(torch.zeros(1, 64, 4, 4)).shape
    torch.Size([1, 64, 4, 4])
    >>> chain = TransfersConfig(group_size=4, start="random rows").build()
    >>> rows = chain.channel_levels[0].R.weight.sum(1)
    >>> torch.allclose(rows, torch.ones_like(rows)), bool(rows.min() > 0)
    (True, True)

    Book: mgic, mgic-few-channels
    """

    group_size: int
    coarsest: int = 8
    c: int = 64
    start: str = field(default="means", metadata={"later": True})

    def __post_init__(self):
        super().__post_init__()
        self.check_whole(1, "group_size", "coarsest", "c")
        choose("start of the transfers", self.start, ("means", "random rows"))
        group_numbers(self.widths, self.group_size)

    @property
    def widths(self):
        """Widths of the channel levels."""
        return halvings(self.c, self.coarsest)

    def build(self):
        """Return the :class:`~mgtutorial.models.TransferChain`."""
        chain = TransferChain(self.widths, group_numbers(self.widths, self.group_size))
        if self.start == "random rows":
            with torch.no_grad():
                for weight in chain.parameters():
                    weight.uniform_().div_(weight.sum(1, keepdim=True))
        return chain
