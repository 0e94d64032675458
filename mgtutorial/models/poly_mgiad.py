r"""Poly-MGiaD: MGiaD whose smoothers in channels are polynomials in :math:`\hat A`.

MGiaD's paper ends with the question of whether its smoother could be such a polynomial. Here it is:
on each channel level :math:`\hat B` is gone, and a step is
:math:`\hat u \leftarrow \hat u + p(\hat A)(\hat f - \hat A \hat u)` with one or two trained
numbers, as on the levels of :mod:`mgtutorial.models.poly_mgnet`. Everything else is MGiaD's.
A step of the kind "double" or "pair" applies :math:`\hat A` where MGiaD applies :math:`\hat B`:
the multiplications are the same, and nearly half of the weights are gone.
"""

from dataclasses import dataclass

from ..errors import InvalidValue
from . import mgiad
from .poly_mgnet import PolynomialLevel, PolynomialSteps


@dataclass(frozen=True)
class PolyMGiaDConfig(PolynomialSteps, mgiad.MGiaDConfig):
    r"""What defines a Poly-MGiaD: an :class:`MGiaDConfig` and the steps of its channel levels.

    Attributes
    ----------
    steps : tuple of str, or str
        The kind of each of the ``eta_pre + eta_post`` steps on a channel level, as in
        :class:`~mgtutorial.models.PolyMgNetConfig`. The coarsest level runs all of them, too.
    placement, residual, parametrisation, roots, train_roots
        As there, for the steps of every channel level; each level trains numbers of its own.

    Raises
    ------
    UnknownName, InvalidValue
        As for the two configs that it joins, and if there are not ``eta_pre + eta_post``
        steps.

    Examples
    --------
    >>> from mgtutorial.models import count_macs, count_weights, named
    >>> for name in ("mgiad-20-g4", "poly-mgiad-20-g4"):
    ...     config = named(name)
    ...     print(count_weights(config), count_macs(config, 28))
    27642 11040928
    16146 11040928

    Book: mgiad, mgiad-polynomials
    """

    steps: tuple | str = ("pair", "pair")
    placement: tuple | str = "public"
    residual: tuple | str = "public"
    parametrisation: str = "public"
    roots: tuple | str = ("xavier",)
    train_roots: bool = True

    def __post_init__(self):
        super().__post_init__()
        self.check_steps()
        wanted = self.eta_pre + self.eta_post
        if len(self.steps) != wanted:
            raise InvalidValue(
                f"steps={self.steps}: give one kind for each of the eta_pre + eta_post = {wanted} "
                "smoothing steps of a channel level."
            )

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return PolyMGiaD(self)


class ChannelLevel(PolynomialLevel, mgiad.ChannelLevel):
    r"""One channel level without a :math:`\hat B`: its steps know only :math:`\hat A` and numbers.

    Parameters
    ----------
    c, c_next, config, visits, first
        As for :class:`mgtutorial.models.mgiad.ChannelLevel`; the numbers are shared, too.

    Examples
    --------
    >>> level = ChannelLevel(64, 32, PolyMGiaDConfig())
    >>> [step.kind for step in level.steps], len(level.level().pre), len(level.level().post)
    (['pair', 'pair'], 1, 1)

    Book: mgiad, mgiad-polynomials
    """

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        _share_numbers(self)
        self.register_load_state_dict_post_hook(_share_numbers)  # it may have assigned new ones

    def _apply(self, fn, recurse=True):  # as `to_empty` may
        super()._apply(fn, recurse)
        _share_numbers(self)
        return self

    def _add_smoothing(self, c, groups, config, first):
        self.steps = config.modules(c)

    def _steps(self):
        return [step(self.A) for step in self.steps]


def _share_numbers(level, *_):
    """Let all visits of a level have the first one's numbers."""
    for visit in level.again:
        for mine, theirs in zip(visit.steps, level.steps, strict=True):
            mine.numbers = theirs.numbers


class _ResolutionLevel(mgiad.ResolutionLevel):
    channel_level = ChannelLevel


class PolyMGiaD(mgiad.MGiaD):
    """The network of a :class:`PolyMGiaDConfig`.

    Examples
    --------
    >>> import torch
    >>> config = PolyMGiaDConfig(channels=(8, 16), coarsest=4, in_channels=1)
    >>> config.build()(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 10])

    Book: mgiad, mgiad-polynomials
    """

    resolution_level = _ResolutionLevel

    def __init__(self, config):
        super().__init__(config)
        for level in self.levels:
            for channel_level in level.channel_levels:
                channel_level.start_roots(config)


def _named():
    """MGiaD's three-level networks, with two pairs, or with double steps where MGiaD has B."""
    out = {}
    for g_s in (4, 8, 16):
        theirs = mgiad.NAMED[f"mgiad-20-g{g_s}"]
        fields = {k: getattr(theirs, k) for k in theirs.__dataclass_fields__}
        out[f"poly-mgiad-20-g{g_s}"] = PolyMGiaDConfig(**fields)
        out[f"poly-mgiad-20-g{g_s}-double"] = PolyMGiaDConfig(**fields, steps="g4")
    return out


NAMED = _named()
