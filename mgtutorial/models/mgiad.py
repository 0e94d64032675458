r"""MGiaD: multigrid in all dimensions. MgNet, smoothed by V-cycles in channels.

In place of MgNet's smoothing steps each resolution level runs one cycle over its *channel
levels*: on each there are grouped operators :math:`\hat A, \hat B`; the width halves from one
to the next, and the coarsest couples all of its channels. So one algorithm runs inside the other:
:func:`mgtutorial.multigrid.cycle` in channels is the smoothing step of
:func:`mgtutorial.multigrid.backslash` in resolution.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise

from torch import nn

from .. import multigrid
from ..errors import InvalidValue, choose
from . import blocks, mgnet
from .config import NetworkConfig
from .network import LevelModule

TRANSFER_NORMS = ("none", "resolution", "all")

# The transfers' norms in the networks of the tables, by data set. They are inferred from the
# published counts (two other decompositions fit as well).
BY_DATA = {
    "fashion-mnist": "none",
    "cifar10": "resolution",
    "cifar100": "resolution",
    "tiny-imagenet": "all",
    "imagenet": "all",
}


@dataclass(frozen=True)
class MGiaDConfig(NetworkConfig):
    r"""What defines an MGiaD.

    Attributes
    ----------
    channels : tuple of int
        Channels on each resolution level, before they are multiplied by `lam`.
    lam : int
        The multiplier :math:`\lambda` of all of `channels`, at least 1.
    coarsest : int
        :math:`c_K`: the width of a level's channels is halved as long as it does not fall
        below this. So the coarsest channel level has :math:`c_K` to :math:`2 c_K - 1` channels.
    group_size : int
        :math:`g_s`: channels in a group of :math:`\hat A` and :math:`\hat B` on every channel
        level but the coarsest, which is fully coupled.
    eta_pre, eta_post : int
        Smoothing steps before (at least 1) and after (at least 0) the coarser channel level; the
        coarsest runs both. All of them share one :math:`\hat A` and one :math:`\hat B`.
    gamma : int
        Cycles on the next channel level for each one on this level, at least 1: 1 for a V-cycle,
        2 for a W-cycle. As in :func:`mgtutorial.multigrid.cycle` the coarsest level is visited
        once for each visit to the one before. Visits share the operators and the transfers; each
        has norms of its own, since their statistics differ.
    correction : {"printed", "fas"}
        With :math:`\hat u` the features of the coarser channel level after its cycle: add
        :math:`\hat P \hat u`, as the paper prints it, or
        :math:`\hat P (\hat u - \hat\Pi u)`, as the full approximation scheme has it.
    transfer_norms : {"none", "resolution", "all"}
        Where norm and activation follow a restriction: nowhere (FashionMNIST); after
        ``R`` and ``Pi`` (CIFAR); after those in channels, too (Tiny ImageNet, ImageNet).
        They always follow :math:`\hat P`.
    unused_transfers : bool
        Whether the level-1 transfers that no forward pass uses are kept, as the published
        counts have it for four levels; so do the named networks with four.
    in_channels, num_classes : int
    stem : {"3x3", "7x7"}
    norm : {"batch", "group", "layer", "none"}
    activation : {"relu", "none"}
        With norm and activation both "none" the network is linear: then it is a solver.

    Raises
    ------
    InvalidValue
        If a number is out of range, if `group_size` does not divide the width of a channel level
        that is to be grouped, or if `coarsest` exceeds some level's width.

    Examples
    --------
    >>> from mgtutorial.models import count_weights
    >>> count_weights(MGiaDConfig(lam=3, group_size=4, unused_transfers=True).build())
    1020106
    >>> MGiaDConfig(lam=3).channel_widths
    ((192, 96), (384, 192, 96), (768, 384, 192, 96), (768, 384, 192, 96))

    Book: mgiad, mgiad-network
    """

    channels: tuple = (64, 128, 256, 256)
    lam: int = 1
    coarsest: int = 64
    group_size: int = 4
    eta_pre: int = 1
    eta_post: int = 1
    correction: str = "printed"
    transfer_norms: str = "resolution"
    unused_transfers: bool = False
    in_channels: int = 3
    num_classes: int = 10
    stem: str = "3x3"
    norm: str = "batch"
    activation: str = "relu"
    gamma: int = field(default=1, metadata={"later": True})

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "channels", mgnet.check_widths("channels", self.channels))
        self.check_whole(1, "lam", "coarsest", "group_size", "eta_pre", "gamma")
        self.check_whole(0, "eta_post")
        self.check_images("stem", "norm", "activation")
        choose("correction", self.correction, ("printed", "fas"))
        choose("transfer_norms", self.transfer_norms, TRANSFER_NORMS)
        for widths in self.channel_widths:
            for c in widths[:-1]:
                mgnet.check_group_size(self.group_size, c)

    @property
    def widths(self):
        """Channels on each resolution level: ``lam`` times `channels`."""
        return tuple(self.lam * c for c in self.channels)

    @property
    def channel_widths(self):
        """For each resolution level the widths of its channel levels, from fine to coarse."""
        return tuple(halve(c, self.coarsest) for c in self.widths)

    def visits(self, levels):
        """How often a cycle visits each of `levels` channel levels, from fine to coarse."""
        return [self.gamma ** min(k, max(levels - 2, 0)) for k in range(levels)]

    def for_data_set(self, info):
        """Return the config with a data set's channels, classes, stem and norms of the transfers.

        For a data set that is in no published table the norms stay as they are.

        Parameters
        ----------
        info : object
            As for :meth:`mgtutorial.models.NetworkConfig.for_data_set`.

        Examples
        --------
        >>> class ImageNet:  # what the catalogue's record has, in short
        ...     name, channels, classes, stem = "imagenet", 3, 1000, "7x7"
        >>> config = NAMED["mgiad-lam3-c64-g64"].for_data_set(ImageNet)
        >>> config.transfer_norms, config.stem, config.num_classes
        ('all', '7x7', 1000)
        """
        fitted = super().for_data_set(info)
        return replace(fitted, transfer_norms=BY_DATA.get(info.name, self.transfer_norms))

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return MGiaD(self)


def halve(c, coarsest):
    r"""Return the widths of the channel levels: halved while :math:`c_k / 2 \ge c_K`.

    Parameters
    ----------
    c : int
        Channels of the finest level.
    coarsest : int
        :math:`c_K`: the least width that a level may have.

    Raises
    ------
    InvalidValue
        If `coarsest` exceeds `c`, or if a width that has to be halved is odd.

    Examples
    --------
    >>> halve(256, 64), halve(192, 64), halve(64, 64)
    ((256, 128, 64), (192, 96), (64,))

    Book: mgiad, eq-mgiad-widths
    """
    if coarsest > c:
        raise InvalidValue(
            f"coarsest={coarsest} exceeds a level's {c} channels: "
            "give at most the narrowest level's width."
        )
    widths = [c]
    while widths[-1] >= 2 * coarsest:
        if widths[-1] % 2:
            raise InvalidValue(
                f"coarsest={coarsest} on a level of {c} channels: the {widths[-1]} channels on the "
                f"way down cannot be halved, so give more than {widths[-1] // 2} or other channels."
            )
        widths.append(widths[-1] // 2)
    return tuple(widths)


def _transfer(convolution, c, normed, config):
    """Return a transfer to `c` channels, alone or with norm and activation after it."""
    if not normed:
        return convolution
    return nn.Sequential(
        convolution, blocks.norm(config.norm, c), blocks.activation(config.activation)
    )


class ChannelLevel(LevelModule):
    """The operators of one channel level: grouped, or fully coupled if there is no next one.

    It is one visit to that level: `again` has a cycle's other visits, with norms of their own.

    Parameters
    ----------
    c : int
        Channels.
    c_next : int or None
        Those of the next channel level, ``c / 2``; None on the coarsest.
    config : MGiaDConfig
    visits : int
        How often one cycle visits the level.
    first : ChannelLevel, optional
        Another visit, whose operators and transfers this one shares.

    Examples
    --------
    >>> fine, coarse = (ChannelLevel(64, c, MGiaDConfig()) for c in (32, None))
    >>> fine.A.groups > 1, coarse.A.groups, coarse.R is None
    (True, 1, True)

    Book: mgiad, eq-mgiad-transfers
    """

    def __init__(self, c, c_next, config, visits=1, first=None):
        super().__init__()
        groups = c // config.group_size if c_next else 1
        self.A = first.A if first else blocks.conv(c, c, groups=groups)
        self._add_smoothing(c, groups, config, first)
        self.eta_pre, self.difference = config.eta_pre, config.correction == "fas"
        self.R = self.Pi = self.P = None
        if c_next:  # two channels to one, and one to two; no pixel meets another
            normed = config.transfer_norms == "all"
            self.R = self._pairing("R", c, c_next, normed, config, first)
            self.Pi = self._pairing("Pi", c, c_next, normed, config, first)
            self.P = self._pairing("P", c_next, c, True, config, first)
        others = (type(self)(c, c_next, config, first=self) for _ in range(visits - 1))
        self.again = nn.ModuleList(others)

    def _pairing(self, name, c, c_to, normed, config, first):
        if first:
            theirs = getattr(first, name)
            convolution = theirs[0] if normed else theirs
        else:
            convolution = blocks.conv(c, c_to, kernel=1, groups=min(c, c_to))
        return _transfer(convolution, c_to, normed, config)

    # What Poly-MGiaD, which has no B, does differently.
    def _add_smoothing(self, c, groups, config, first):
        shared = first.smoothers[0].B if first else blocks.conv(c, c, groups=groups)
        self.smoothers = nn.ModuleList(
            mgnet.Smoother(shared, c, config) for _ in range(config.eta_pre + config.eta_post)
        )

    def _steps(self):
        return [multigrid.correct(self.A, B) for B in self.smoothers]

    def level(self):
        steps = self._steps()
        pre, post = steps[: self.eta_pre], steps[self.eta_pre :]
        others = {"R": self.R, "Pi": self.Pi, "P": self.P, "difference": self.difference}
        return multigrid.Level(self.A, pre, post, **others, linear=True)


class ResolutionLevel(LevelModule):
    """One resolution level: its channel levels, whose cycle is its one smoothing step.

    Parameters
    ----------
    widths : sequence of int
        Channels of the channel levels, from fine to coarse.
    c_next : int or None
        Those of the next resolution level; None on the last one.
    config : MGiaDConfig

    Attributes
    ----------
    channel_level : type
        The class of its channel levels.

    Examples
    --------
    >>> level = ResolutionLevel((64, 32, 16), None, MGiaDConfig())
    >>> len(level.channel_levels), len(level.level().pre)
    (3, 1)

    Book: mgiad, mgiad-network
    """

    channel_level = ChannelLevel

    def __init__(self, widths, c_next, config):
        super().__init__()
        self.gamma, often = config.gamma, config.visits(len(widths))
        self.channel_levels = nn.ModuleList(
            self.channel_level(c, c_coarse, config, n)
            for n, (c, c_coarse) in zip(often, pairwise((*widths, None)), strict=True)
        )
        self.R = _resolution_transfer(widths[0], c_next, config) if c_next else None
        self.Pi = _resolution_transfer(widths[0], c_next, config) if c_next else None

    def sic(self, s):
        """The cycle in channels: from a state to a state, like every smoothing step."""
        return self._cycle(0, 0)(s)

    def _cycle(self, k, visit):
        """A cycle from channel level `k` on, as a step; a `visit` to a level has its own norms."""
        first = self.channel_levels[k]
        here = [first, *first.again][visit].called()
        coarser = self.channel_levels[k + 1 :]
        if not coarser:
            return partial(multigrid.cycle, [here])
        turns = self.gamma if len(coarser) > 1 else 1
        cycles = [self._cycle(k + 1, turns * visit + turn) for turn in range(turns)]
        below = multigrid.Level(coarser[0].A, cycles, linear=True)
        return partial(multigrid.cycle, [here, below])

    def level(self):
        # The A of a level is that of its finest channel level, so both have the same residual.
        A = self.channel_levels[0].A
        return multigrid.Level(A, [self.sic], R=self.R, Pi=self.Pi, linear=True)


def _resolution_transfer(c, c_next, config):
    normed = config.transfer_norms != "none"
    return _transfer(mgnet.transfer(c, c_next), c_next, normed, config)


class MGiaD(mgnet.MgNet):
    """The network of an :class:`MGiaDConfig`: an MgNet whose levels smooth in channels.

    Examples
    --------
    >>> import torch
    >>> net = MGiaDConfig(channels=(8, 16), coarsest=4, in_channels=1).build()
    >>> net(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 10])
    >>> len(net.levels), len(net.levels[1].channel_levels)
    (2, 3)

    Book: mgiad, mgiad-network
    """

    resolution_level = ResolutionLevel

    def _levels(self, config):
        for widths, c_next in zip(config.channel_widths, (*config.widths[1:], None), strict=True):
            yield self.resolution_level(widths, c_next, config)

    def _transfer(self, c, config):
        return _resolution_transfer(c, c, config)


# (lam, c_K, g_s) of the published rows.
_TABLE_1 = {(3, 64, 4), (3, 64, 8)}
_TABLE_2 = {(1, 64, 4), (1, 64, 64), (1, 32, 4), (1, 32, 16), (1, 16, 4), (1, 16, 16)}
_TABLE_3 = {(lam, 64, g_s) for lam in (1, 2, 3) for g_s in (8, 64)}
_TEXT = {(1, 64, 32), (1, 32, 32)}  # an accuracy without a row, and a label without a count
_WIDTHS = {(1, c_K, g_s) for c_K in (16, 32, 64) for g_s in (4, 8)}
_FIGURE_7 = _WIDTHS | {(lam, 64, g_s) for lam in (1, 2, 3) for g_s in (4, 8)}


def _name(lam, c_K, g_s):
    return f"mgiad-lam{lam}-c{c_K}-g{g_s}"


def _config(lam, c_K, g_s, **changes):
    return MGiaDConfig(lam=lam, coarsest=c_K, group_size=g_s, unused_transfers=True, **changes)


NAMED = {
    _name(*row): _config(*row) for row in sorted(_TABLE_1 | _TABLE_2 | _TABLE_3 | _TEXT | _FIGURE_7)
}
NAMED |= {  # the study of more post-smoothing
    f"{_name(*row)}-post{eta}": _config(*row, eta_post=eta)
    for row in sorted(_WIDTHS)
    for eta in (2, 3)
}
NAMED |= {  # the three-level rows of Table 2: FashionMNIST only
    f"mgiad-20-g{g_s}": MGiaDConfig(
        channels=(16, 32, 64),
        coarsest=16,
        group_size=g_s,
        transfer_norms="none",
        unused_transfers=False,
        in_channels=1,
    )
    for g_s in (4, 8, 16)
}
