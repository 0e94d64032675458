r"""MgNet: the coarsening leg of multigrid as a network.

On each level :math:`\nu` steps :math:`u \leftarrow u + B(f - A u)` with
:math:`B(r)` standing for ``ReLU BN B ReLU BN r``, then
:math:`u' = \Pi u`, :math:`f' = R(f - A u) + A' u'`. The forward pass is
:func:`mgtutorial.multigrid.backslash`, nothing else.
"""

from dataclasses import dataclass

from torch import nn

from .. import multigrid
from ..errors import InvalidValue
from . import blocks


@dataclass(frozen=True)
class MgNetConfig:
    r"""What defines an MgNet.

    Attributes
    ----------
    channels : tuple of int
        Channels on each level; each level halves the resolution.
    steps : int
        Smoothing steps :math:`\nu` on each level, at least 1.
    in_channels, num_classes : int
    share_B : bool
        True: one ``B`` a level (MgNet^{A,B}); False: one a step (MgNet^A).
    fas : bool
        True: the coarse level starts from :math:`\Pi u`; False: from zero, with
        :math:`f' = R(f - A u)`, the form without the full approximation scheme.
    unused_transfers : bool
        The published counts hold an ``R`` and a ``Pi`` of the first level's width
        that no forward pass uses. True keeps them, so that the counts agree.
    stem : {"3x3", "7x7"}
    norm : {"batch", "none"}
    activation : {"relu", "none"}
        Both "none" make the network linear: then it is a solver.

    Raises
    ------
    InvalidValue
        If a number is out of its range.

    Examples
    --------
    >>> from mgtutorial.counting import count_weights
    >>> count_weights(MgNetConfig(channels=(16, 32, 64), steps=3).build())
    101242
    """

    channels: tuple = (64, 128, 256, 256)
    steps: int = 2
    in_channels: int = 3
    num_classes: int = 10
    share_B: bool = True
    fas: bool = True
    unused_transfers: bool = True
    stem: str = "3x3"
    norm: str = "batch"
    activation: str = "relu"

    def __post_init__(self):
        object.__setattr__(self, "channels", tuple(self.channels))
        if not self.channels or min(self.channels) < 1:
            raise InvalidValue(f"channels={self.channels}: give one positive width for each level.")
        for name in ("steps", "in_channels", "num_classes"):
            if getattr(self, name) < 1:
                raise InvalidValue(f"{name}={getattr(self, name)}: it must be at least 1.")
        # A depthwise transfer c -> c' needs c' to be a multiple of c.
        for c, d in zip(self.channels, self.channels[1:], strict=False):
            if d % c:
                raise InvalidValue(
                    f"channels={self.channels}: R and Pi are depthwise, so each width must be "
                    f"a multiple of the one before, and {d} is no multiple of {c}."
                )

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return MgNet(self)


class Smoother(nn.Module):
    """``B(r) = ReLU BN B ReLU BN r``: one step's norms around a ``B`` that steps may share."""

    def __init__(self, B, c, config):
        super().__init__()
        self.norm_in = blocks.norm(config.norm, c)
        self.B = B
        self.norm_out = blocks.norm(config.norm, c)
        self.act = blocks.activation(config.activation)

    def forward(self, r):
        return self.act(self.norm_out(self.B(self.act(self.norm_in(r)))))


class ResolutionLevel(nn.Module):
    """The operators of one level; :meth:`level` shows them to the multigrid algorithm."""

    def __init__(self, c, c_next, config):
        super().__init__()
        self.A = blocks.conv(c, c)
        shared = blocks.conv(c, c) if config.share_B else None
        self.smoothers = nn.ModuleList(
            Smoother(shared or blocks.conv(c, c), c, config) for _ in range(config.steps)
        )
        self.R = self.Pi = None
        if c_next:
            self.R = blocks.conv(c, c_next, stride=2, groups=c)
            self.Pi = blocks.conv(c, c_next, stride=2, groups=c) if config.fas else None

    def level(self):
        pre = [multigrid.correct(self.A, B) for B in self.smoothers]
        return multigrid.Level(self.A, pre, R=self.R, Pi=self.Pi)


class MgNet(nn.Module):
    """The network of an :class:`MgNetConfig`.

    Examples
    --------
    >>> import torch
    >>> net = MgNetConfig(channels=(8, 16), in_channels=1).build()
    >>> net(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 10])
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        widths = config.channels
        self.stem = blocks.stem(
            config.stem, config.in_channels, widths[0], config.norm, config.activation
        )
        self.levels = nn.ModuleList(
            ResolutionLevel(c, c_next, config)
            for c, c_next in zip(widths, (*widths[1:], None), strict=True)
        )
        if config.unused_transfers:
            # The authors' convention: every level owns the transfers that lead
            # *to* it, the first one too, where nothing leads from.
            c = widths[0]
            self.unused = nn.ModuleList(blocks.conv(c, c, stride=2, groups=c) for _ in range(2))
        self.head = blocks.Head(widths[-1], config.num_classes)
        blocks.initialise(self)

    def features(self, f):
        """The state on the coarsest level, from the data `f` on the finest."""
        return multigrid.backslash([m.level() for m in self.levels], multigrid.start(f))

    def forward(self, x):
        x = blocks.check_images(x, self.config.in_channels)
        f = blocks.check_size(self.stem(x), len(self.levels))
        return self.head(self.features(f).u)


NAMED = {
    "mgnet": MgNetConfig(),
    "mgnet-a": MgNetConfig(share_B=False),
    "mgnet-20": MgNetConfig(channels=(16, 32, 64), steps=3),
}
