r"""MgNet: the coarsening leg of multigrid as a network.

On each level there are :math:`\nu` steps :math:`u \leftarrow u + B(f - A u)` with
:math:`B(r)` standing for ``ReLU BN B ReLU BN r``, then
:math:`u' = \Pi u`, :math:`f' = R(f - A u) + A' u'`. The forward pass is
:func:`mgtutorial.multigrid.backslash`, and nothing else.
"""

from dataclasses import dataclass, field
from itertools import pairwise

from torch import nn

from .. import multigrid
from ..errors import InvalidValue, choose
from . import blocks
from .config import NetworkConfig, is_whole
from .network import LevelModule, StateNetwork


@dataclass(frozen=True)
class MgNetConfig(NetworkConfig):
    r"""What defines an MgNet.

    Attributes
    ----------
    channels : tuple of int
        Channels on each level; each level halves the resolution.
    steps : int or tuple of int
        Smoothing steps :math:`\nu`, at least 1: one number for all levels, or one for each. With
        1 the last level never applies its `A`, whose weights then have no gradient.
    in_channels, num_classes : int
    share_B : bool
        True: one ``B`` per level (MgNet^{A,B}); False: one per step (MgNet^A).
    fas : bool
        True: the coarse level starts from :math:`\Pi u`; False: from zero, with
        :math:`f' = R(f - A u)`, the form without the full approximation scheme.
    unused_transfers : bool
        The published counts include an ``R`` and a ``Pi`` of the first level's width
        that no forward pass uses. True, as in the networks of the tables, keeps them, so that the
        counts agree; DistributedDataParallel then waits for their gradients, and stops.
    stem : {"3x3", "7x7"}
    norm : {"batch", "group", "layer", "none"}
    activation : {"relu", "none"}
        With norm and activation both "none" the network is linear: then it is a solver.
    group_size : int or None
        Channels in a group of ``A`` and ``B``; None couples all channels of a level.
    grouped : {"A and B", "B"}
        Which of the two are grouped.
    transfers : {"depthwise", "dense"}
        ``R`` and ``Pi``: a depthwise convolution and nothing else, as MGiaD's paper has MgNet; or
        one that couples all channels, with norm and ReLU after it, as He and Xu's own code has it.

    Raises
    ------
    UnknownName
        If a word is none of those listed.
    InvalidValue
        If a number is out of range, `group_size` does not divide some width, or ``B`` alone
        is to be grouped without a `group_size`.

    Examples
    --------
    >>> from mgtutorial.models import count_weights
    >>> count_weights(MgNetConfig((16, 32, 64), 3)), count_weights(NAMED["mgnet-20"])
    (100954, 101242)
    >>> [count_weights(MgNetConfig(group_size=4, grouped=which)) for which in ("A and B", "B")]
    [72266, 1410890]

    Book: mgnet, mgnet-algorithm
    """

    channels: tuple = (64, 128, 256, 256)
    steps: int | tuple = 2
    in_channels: int = 3
    num_classes: int = 10
    share_B: bool = True
    fas: bool = True
    unused_transfers: bool = False
    stem: str = "3x3"
    norm: str = "batch"
    activation: str = "relu"
    group_size: int | None = field(default=None, metadata={"later": True})
    grouped: str = field(default="A and B", metadata={"later": True})
    transfers: str = field(default="depthwise", metadata={"later": True})

    def __post_init__(self):
        super().__post_init__()
        choose("transfers", self.transfers, ("depthwise", "dense"))
        object.__setattr__(self, "channels", self._checked_widths())
        if isinstance(self.steps, tuple):
            if len(self.steps) != len(self.channels):
                raise InvalidValue(
                    f"steps={self.steps} for {len(self.channels)} levels: "
                    "give one number for all levels, or one for each."
                )
        if not all(is_whole(nu) and nu >= 1 for nu in self.steps_by_level):
            raise InvalidValue(f"steps={self.steps}: each level needs at least 1.")
        self.check_images("stem", "norm", "activation")
        choose("grouped", self.grouped, ("A and B", "B"))
        if self.group_size is not None:
            for c in self.channels:
                check_group_size(self.group_size, c)
        elif self.grouped == "B":
            raise InvalidValue('grouped="B" without groups: give their group_size as well.')

    def _checked_widths(self):
        if self.transfers == "depthwise":
            return check_widths("channels", self.channels)
        self.check_levels("channels")
        return self.channels

    @property
    def widths(self):
        """Channels on each level: `channels` itself."""
        return self.channels

    @property
    def steps_by_level(self):
        """Smoothing steps on each level, whichever way `steps` was given."""
        given = self.steps
        return (given,) * len(self.channels) if isinstance(given, int) else given

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return MgNet(self)


def check_widths(name, widths):
    """Return `widths` as a tuple; raise unless each is a positive multiple of the one before.

    A depthwise transfer from ``c`` channels to ``c'`` needs ``c'`` to be a multiple of ``c``.

    Parameters
    ----------
    name : str
        What the error message calls them.
    widths : sequence of int
        Channels of the levels, from fine to coarse.

    Raises
    ------
    InvalidValue
        If there is no width, one below 1, or one that is not a multiple of the one before.

    Examples
    --------
    >>> check_widths("channels", [16, 32, 32])
    (16, 32, 32)

    Book: mgnet, eq-mgnet-transfer
    """
    widths = tuple(widths)
    if not widths or not all(is_whole(c) and c >= 1 for c in widths):
        raise InvalidValue(f"{name}={widths}: give one positive width for each level.")
    for c, d in pairwise(widths):
        if d % c:
            raise InvalidValue(
                f"{name}={widths}: R and Pi are depthwise, so each width must be "
                f"a multiple of the one before, and {d} is no multiple of {c}."
            )
    return widths


def check_group_size(g_s, c):
    """Return the number of groups of `g_s` among `c` channels; raise if `g_s` does not divide `c`.

    Parameters
    ----------
    g_s, c : int

    Raises
    ------
    InvalidValue
        If `g_s` does not divide `c`.

    Examples
    --------
    >>> check_group_size(8, 64)
    8

    Book: mgic, eq-mgic-grouped
    """
    if g_s < 1 or c % g_s:
        allowed = ", ".join(str(g) for g in range(1, c + 1) if c % g == 0)
        raise InvalidValue(
            f"group_size={g_s} does not divide a level's {c} channels: choose among {allowed}."
        )
    return c // g_s


class Smoother(nn.Module):
    """``B(r) = ReLU BN B ReLU BN r``: one step's norms around a ``B`` that steps may share.

    Parameters
    ----------
    B : torch.nn.Module
    c : int
        Channels of the level.
    config : MgNetConfig or another with its norm and activation

    Examples
    --------
    >>> import torch
    >>> smoother = Smoother(blocks.conv(8, 8), 8, MgNetConfig())
    >>> bool((smoother(torch.randn(2, 8, 4, 4)) >= 0).all())
    True

    Book: mgnet, eq-mgnet-b
    """

    followed = (("B", "norm_out"),)

    def __init__(self, B, c, config):
        super().__init__()
        self.norm_in = blocks.norm(config.norm, c)
        self.B = B
        self.norm_out = blocks.norm(config.norm, c)
        self.act = blocks.activation(config.activation)

    def forward(self, r):
        return self.act(self.norm_out(self.B(self.act(self.norm_in(r)))))


class ResolutionLevel(LevelModule):
    """The operators of one level; :meth:`level` shows them to the multigrid algorithm.

    Parameters
    ----------
    c : int
        Channels.
    c_next : int or None
        Those of the next level; None on the last one, which has no transfers.
    steps : int
    config : MgNetConfig

    Examples
    --------
    >>> level = ResolutionLevel(8, 16, 3, MgNetConfig()).level()
    >>> len(level.pre), len(level.post), level.P is None
    (3, 0, True)

    Book: mgnet, eq-mgnet-step
    """

    def __init__(self, c, c_next, steps, config):
        super().__init__()
        groups = 1 if config.group_size is None else c // config.group_size
        self.A = blocks.conv(c, c, groups=1 if config.grouped == "B" else groups)
        shared = blocks.conv(c, c, groups=groups) if config.share_B else None
        self.smoothers = nn.ModuleList(
            Smoother(shared or blocks.conv(c, c, groups=groups), c, config) for _ in range(steps)
        )
        self.R = self.Pi = None
        if c_next:
            self.R = transfer_of(config, c, c_next)
            self.Pi = transfer_of(config, c, c_next) if config.fas else None

    def level(self):
        pre = [multigrid.correct(self.A, B) for B in self.smoothers]
        return multigrid.Level(self.A, pre, R=self.R, Pi=self.Pi, linear=True)


def transfer(c, c_next):
    """Return an ``R`` or ``Pi`` of resolution: depthwise, 3x3, to half the size.

    Parameters
    ----------
    c, c_next : int
        Channels; the second a multiple of the first.

    Returns
    -------
    torch.nn.Conv2d

    Raises
    ------
    InvalidValue
        If `c_next` is not a multiple of `c`.

    Examples
    --------
    >>> transfer(8, 16).weight.shape
    torch.Size([16, 1, 3, 3])

    Book: mgnet, eq-mgnet-transfer
    """
    return blocks.conv(c, c_next, stride=2, groups=c)


def transfer_of(config, c, c_next):
    """Return an ``R`` or ``Pi`` of resolution as a config has it.

    Parameters
    ----------
    config : MgNetConfig
    c, c_next : int
        Channels.

    Returns
    -------
    torch.nn.Module

    Examples
    --------
    >>> [type(m).__name__ for m in transfer_of(MgNetConfig(transfers="dense"), 8, 16)]
    ['Conv2d', 'BatchNorm2d', 'ReLU']

    Book: mgnet, mgnet-he-and-xu
    """
    if config.transfers == "depthwise":
        return transfer(c, c_next)
    return nn.Sequential(
        blocks.conv(c, c_next, stride=2),
        blocks.norm(config.norm, c_next),
        blocks.activation(config.activation),
    )


class MgNet(StateNetwork):
    """The network of an :class:`MgNetConfig`.

    Examples
    --------
    >>> import torch
    >>> net = MgNetConfig(channels=(8, 16), in_channels=1).build()
    >>> net(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 10])

    Book: mgnet, mgnet-algorithm
    """

    def __init__(self, config):
        super().__init__(config)
        widths = config.widths
        self.stem = blocks.stem(
            config.stem, config.in_channels, widths[0], config.norm, config.activation
        )
        self.levels = nn.ModuleList(self._levels(config))
        if config.unused_transfers:
            # The authors' convention: every level owns the transfers that lead
            # *to* it, even the first one, to which nothing leads.
            self.unused = nn.ModuleList(self._transfer(widths[0], config) for _ in range(2))
        self.head = blocks.Head(widths[-1], config.num_classes)
        blocks.initialise(self, config.initial_weights)

    # What MGiaD, which smooths in another way, does differently.
    def _levels(self, config):
        widths = config.widths
        for c, c_next, nu in zip(widths, (*widths[1:], None), config.steps_by_level, strict=True):
            yield ResolutionLevel(c, c_next, nu, config)

    def _transfer(self, c, config):
        return transfer_of(config, c, c)


def scaled(scale, **changes):
    """Return MgNet with its four widths scaled: ``b, 2b, 4b, 4b`` with ``b = int(64 scale)``.

    Parameters
    ----------
    scale : float
        Of the widths of the large MgNet: 64, 128, 256, 256.
    **changes
        Other fields of the config.

    Returns
    -------
    MgNetConfig

    Examples
    --------
    >>> scaled(0.5).channels
    (32, 64, 128, 128)

    Book: poly_mgnet, eq-polynet-weights
    """
    b = int(64 * scale)
    return MgNetConfig(channels=(b, 2 * b, 4 * b, 4 * b), **changes)


_PUBLISHED = {"unused_transfers": True}  # as the counts of the tables have it

NAMED = {
    "mgnet": MgNetConfig(**_PUBLISHED),
    "mgnet-a": MgNetConfig(share_B=False, **_PUBLISHED),
    "mgnet-20": MgNetConfig(channels=(16, 32, 64), steps=3, **_PUBLISHED),
    # MGiaD, Figure 7: the cheap way to fewer weights, grouping and nothing else.
    **{f"mgnet-g{g}": MgNetConfig(group_size=g, **_PUBLISHED) for g in (4, 8, 16, 32, 64)},
    # He and Xu's own code: dense transfers with norm and ReLU, one width, nothing unused.
    "mgnet-hexu": MgNetConfig((256,) * 4, transfers="dense"),
    "mgnet-hexu-a": MgNetConfig((256,) * 4, share_B=False, transfers="dense"),
    # Poly-MgNet: a factor 8 and a factor 2 in the weights, either way.
    **{
        f"mgnet-x{scale:.2f}": scaled(scale, **_PUBLISHED)
        for scale in (8**-0.5, 2**-0.5, 2**0.5, 8**0.5)
    },
}
