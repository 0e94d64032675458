"""SiC as a layer: the cycle in channels, for your own network.

In MGiaD it smooths on each resolution level (:mod:`mgtutorial.models.mgiad`). Here it stands
alone, from features to features of the same shape.
"""

import torch
from torch import nn

from .. import multigrid
from ..errors import InvalidValue, choose
from .mgiad import MGiaDConfig, ResolutionLevel

_ARGUMENTS = ("eta_pre", "eta_post", "gamma", "correction", "norm", "activation")


class SiC(nn.Module):
    r"""Smoothing in channels, as a layer: a cycle over channel levels for :math:`A u = f`.

    With a `coarsest` well below `c` it couples `c` channels at about :math:`4 g_s c` weights per
    pixel of the stencil, where a dense A and B take :math:`2 c^2`. The channels are halved as long
    as at least `coarsest` are left: if it is above ``c / 2``, there is one level, which is dense.

    Parameters
    ----------
    c : int
        Channels of ``f`` and of ``u``.
    coarsest, group_size, eta_pre, eta_post, gamma, correction, norm, activation
        As in :class:`~mgtutorial.models.MGiaDConfig`; but `correction` is ``"fas"`` unless
        something else is asked for, and `coarsest` is by default 64, or `c` if that is less: so a
        layer of fewer than 128 channels saves nothing unless `coarsest` is given. `widths` tells.
    transfer_norms : bool
        Whether norm and activation follow the restrictions in channels, too.

    Raises
    ------
    UnknownName, InvalidValue
        As for :class:`~mgtutorial.models.MGiaDConfig`, for any other argument, and for features
        with another number of channels.

    Examples
    --------
    >>> layer = SiC(64, coarsest=16, group_size=8)
    >>> f = torch.zeros(2, 64, 14, 14)
    >>> layer(f).shape, layer(f, u=torch.ones_like(f)).shape
    (torch.Size([2, 64, 14, 14]), torch.Size([2, 64, 14, 14]))
    >>> layer.widths, SiC(64).widths, SiC(128).widths
    ((64, 32, 16), (64,), (128, 64))

    Book: use, use-layer
    """

    def __init__(self, c, coarsest=None, group_size=4, *, transfer_norms=True, **changes):
        super().__init__()
        for name in changes:
            choose("argument of SiC", name, _ARGUMENTS)
        changes = {"correction": "fas", **changes}
        self.config = MGiaDConfig(
            channels=(c,),
            coarsest=min(c, 64) if coarsest is None else coarsest,
            group_size=group_size,
            transfer_norms="all" if transfer_norms else "none",
            **changes,
        )
        (self.widths,) = self.config.channel_widths
        self.level = ResolutionLevel(self.widths, None, self.config)

    def forward(self, f, u=None):
        """Return ``u`` after a cycle; it starts from zero, or from `u` if given."""
        c = self.widths[0]
        for name, v in (("f", f), ("u", u)):
            looks = isinstance(v, torch.Tensor) and not torch.jit.is_tracing()
            if looks and v.ndim != 4:
                raise InvalidValue(
                    f"{name} of shape {tuple(v.shape)}: SiC takes features (n, {c}, height, width)."
                )
            if looks and v.shape[1] != c:
                other = f"make it SiC({v.shape[1]})" if v is f else f"give one of {c}, as f has"
                raise InvalidValue(f"SiC for {c} channels was given {v.shape[1]}: {other}.")
            if looks and isinstance(f, torch.Tensor) and v.shape != f.shape:
                shapes = f"u is {tuple(v.shape)} and f {tuple(f.shape)}"
                raise InvalidValue(f"{shapes}: give both the same shape.")
        return self.level(multigrid.start(f, u, linear=True)).u
