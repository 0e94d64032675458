r"""Poly-MgNet: MgNet whose smoother is a polynomial in ``A``.

On each level there are steps :math:`u \leftarrow u + p(A)(f - A u)`, with norms and activations as
:mod:`mgtutorial.models.poly_steps` places them; then :math:`u' = \Pi u` and
:math:`f' = R\,\sigma(f - A u) + A' u'`. There is no ``B``. The forward pass is
:func:`mgtutorial.multigrid.backslash`.

References
----------
.. [1] A. van Betteray, M. Rottmann, K. Kahl, Poly-MgNet, ICPRAM 2025.
"""

from dataclasses import dataclass

from torch import nn

from .. import multigrid
from ..errors import InvalidValue, choose
from . import blocks, poly_roots, poly_steps
from .config import NetworkConfig
from .mgnet import check_widths, transfer
from .network import LevelModule, StateNetwork

#: The polynomials of the public code, by their degree.
POLYNOMIALS = {
    "q2": ("linear",) * 2,
    "g4": ("double",) * 2,
    "g6": ("double",) * 2 + ("repeated",),
    "g8": ("double",) * 3 + ("repeated",),
}


class PolynomialSteps:
    """What the configs of networks with polynomial steps share: the fields of the steps.

    A derived config has `steps`, `placement`, `residual`, `parametrisation`, `roots` and
    `train_roots`, as :class:`PolyMgNetConfig` says.

    Book: poly_mgnet, poly-mgnet-numbers
    """

    def check_steps(self):
        """Raise unless the fields of the steps fit together; a polynomial's name is replaced.

        Raises
        ------
        UnknownName, InvalidValue
        """
        steps = self.steps
        if isinstance(steps, str):
            steps = POLYNOMIALS[choose("polynomial", steps, POLYNOMIALS)]
        object.__setattr__(self, "steps", steps)
        if not self.steps:
            raise InvalidValue("steps=(): give at least one kind of step, or a polynomial's name.")
        for name in ("placement", "residual"):
            value = getattr(self, name)
            if not isinstance(value, str):
                if len(value) != len(self.steps):
                    raise InvalidValue(
                        f"{name}={tuple(value)}: give one name for all steps or one for each of "
                        f"the {len(self.steps)}."
                    )
        choose("parametrisation", self.parametrisation, poly_steps.PARAMETRISATIONS)
        self.each_step()
        object.__setattr__(self, "roots", poly_roots.check_law(self.roots, self.steps))
        poly_roots.check_start(self.steps, self.parametrisation, self.roots)

    def each_step(self):
        """Return (kind, placement, residual) of each step, with "public" replaced."""
        n = len(self.steps)
        lists = (
            (value,) * n if isinstance(value, str) else value
            for value in (self.placement, self.residual)
        )
        return [
            (kind, *poly_steps.resolve(kind, *own))
            for kind, *own in zip(self.steps, *lists, strict=True)
        ]

    def modules(self, c):
        """Return the steps of a level of `c` channels, as modules; their numbers are not set."""
        return nn.ModuleList(
            poly_steps.PolyStep(
                kind, c, placement, residual, self.parametrisation, self.norm, self.activation
            )
            for kind, placement, residual in self.each_step()
        )


class PolynomialLevel:
    """What levels with polynomial steps share: `steps`, whose start may depend on ``A``.

    Book: poly_mgnet, poly-mgnet-spectrum
    """

    def start_roots(self, config):
        """Set the steps' numbers, which may depend on the weights of ``A``."""
        starts = poly_roots.start(
            config.steps, config.parametrisation, config.roots, self.A.weight.detach()
        )
        for step, numbers in zip(self.steps, starts, strict=True):
            step.numbers.data.copy_(numbers)
            step.numbers.requires_grad_(config.train_roots)

    def roots(self):
        """Return the roots of ``q`` on this level, one array per step."""
        return [step.roots() for step in self.steps]


@dataclass(frozen=True)
class PolyMgNetConfig(PolynomialSteps, NetworkConfig):
    r"""What defines a Poly-MgNet; by default the public code's q2, without what it leaves unused.

    Attributes
    ----------
    channels : tuple of int
        Channels on each level; each level halves the resolution.
    steps : tuple of str, or str
        The kind of each step on a level: "linear", "double", "repeated" or "pair", or "p2" to
        "p8", which train the coefficients of a polynomial of that degree; or a polynomial of
        the public code, "q2", "g4", "g6" or "g8".
    placement : str or tuple of str
        Where norms and activations stand, for all steps or for each: a name of
        :data:`mgtutorial.models.PLACEMENTS`, or "public" for the public code's.
    residual : str or tuple of str
        "plain", "norm", "norm-relu" or "public".
    parametrisation : {"public", "reciprocal", "root", "coefficients"}
        What is trained, except by the steps with coefficients: see
        :func:`mgtutorial.models.poly_steps.factor`.
    roots : str or tuple
        Where the roots start: "xavier", "spectrum", ("uniform", a, b) or ("fixed", x, ...), see
        :func:`mgtutorial.models.poly_roots.check_law`. With the parametrisation "public" what is
        *drawn* is the reciprocal of the trained number, whatever this stands for.
    train_roots : bool
        False leaves them where they start.
    end : {"relu", "none"}
        Whether the residual goes through an activation before it is restricted.
    in_channels, num_classes : int
    unused_transfers : bool
        As in :class:`~mgtutorial.models.MgNetConfig`.
    stem : {"3x3", "7x7"}
    norm : {"batch", "group", "layer", "none"}
    activation : {"relu", "none"}
        With norm and activation both "none" the network is linear: each level multiplies its
        residual by `q(A)`.

    Raises
    ------
    UnknownName, InvalidValue
        For an unknown name, or a number out of range.

    Examples
    --------
    >>> from mgtutorial.models import count_weights
    >>> [count_weights(NAMED[f"poly-mgnet-{name}"]) for name in ("q2", "g6")]
    [1386706, 1389526]

    Book: poly_mgnet, poly-mgnet-public
    """

    channels: tuple = (64, 128, 256, 256)
    steps: tuple | str = "q2"
    placement: tuple | str = "public"
    residual: tuple | str = "public"
    parametrisation: str = "public"
    roots: tuple | str = ("xavier",)
    train_roots: bool = True
    end: str = "relu"
    in_channels: int = 3
    num_classes: int = 10
    unused_transfers: bool = False
    stem: str = "3x3"
    norm: str = "batch"
    activation: str = "relu"

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "channels", check_widths("channels", self.channels))
        self.check_images("stem", "norm", "activation")
        self.check_steps()
        choose("end of a level", self.end, ("relu", "none"))

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return PolyMgNet(self)


class ResolutionLevel(PolynomialLevel, LevelModule):
    """The operators of one level; :meth:`level` shows them to the multigrid algorithm.

    Parameters
    ----------
    c : int
        Channels.
    c_next : int or None
        Those of the next level; None on the last one, which has no transfers.
    config : PolyMgNetConfig

    Examples
    --------
    >>> level = ResolutionLevel(8, 16, PolyMgNetConfig()).level()
    >>> len(level.pre), len(level.post), level.P is None
    (2, 0, True)

    Book: poly_mgnet, eq-polynet-end
    """

    def __init__(self, c, c_next, config):
        super().__init__()
        self.A = blocks.conv(c, c)
        self.steps = config.modules(c)
        self.R = self.Pi = None
        if c_next:
            end = blocks.activation(config.activation if config.end == "relu" else "none")
            self.R = nn.Sequential(end, transfer(c, c_next))
            self.Pi = transfer(c, c_next)

    def level(self):
        pre = [step(self.A) for step in self.steps]
        return multigrid.Level(self.A, pre, R=self.R, Pi=self.Pi, linear=True)


class PolyMgNet(StateNetwork):
    """The network of a :class:`PolyMgNetConfig`.

    Examples
    --------
    >>> import torch
    >>> config = PolyMgNetConfig(channels=(8, 16), steps=("linear", "pair"), in_channels=1)
    >>> config.build()(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 10])

    Book: poly_mgnet, eq-polynet-q
    """

    def __init__(self, config):
        super().__init__(config)
        widths = config.channels
        self.stem = blocks.stem(
            config.stem, config.in_channels, widths[0], config.norm, config.activation
        )
        self.levels = nn.ModuleList(
            ResolutionLevel(c, c_next, config)
            for c, c_next in zip(widths, (*widths[1:], None), strict=True)
        )
        if config.unused_transfers:  # the authors' convention, as in MgNet
            self.unused = nn.ModuleList(transfer(widths[0], widths[0]) for _ in range(2))
        self.head = blocks.Head(widths[-1], config.num_classes)
        blocks.initialise(self, config.initial_weights)
        for level in self.levels:
            level.start_roots(config)


def _named():
    kept = {"unused_transfers": True}  # as the public code's counts have it
    out = {f"poly-mgnet-{name}": PolyMgNetConfig(steps=name, **kept) for name in POLYNOMIALS}
    for name in ("g6", "g8"):  # with a true pair where the public code has a double root
        steps = (*POLYNOMIALS[name][:-1], "pair")
        out[f"poly-mgnet-{name}-pair"] = PolyMgNetConfig(steps=steps, **kept)
    for scale in (8**-0.5, 2**-0.5, 2**0.5, 8**0.5):
        b = int(64 * scale)
        widths = (b, 2 * b, 4 * b, 4 * b)
        out[f"poly-mgnet-q2-x{scale:.2f}"] = PolyMgNetConfig(channels=widths, **kept)
    return out


NAMED = _named()
