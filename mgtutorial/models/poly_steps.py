r"""The steps of Poly-MgNet: a polynomial in ``A`` where MgNet has ``B``.

A step is :math:`u \leftarrow u + p(A)\, \tilde r` with norms ``N`` and activations ``S`` at one of
several places: :data:`PLACEMENTS`. It is the smoother of a factor :math:`q(z) = 1 - z\, p(z)` with
:math:`p(z) = s - t z`, as in :mod:`mgtutorial.linalg.polynomials`; `s` and `t` come from the one or
two numbers that it trains (:func:`factor`), which start where :mod:`mgtutorial.models.poly_roots`
says.

==========  ======================  ==========================
kind        roots of q              in the public code
==========  ======================  ==========================
linear      x                       the steps of q2
double      x and -x                the steps of g4, g6, g8
repeated    x, twice                the last step of g6 and g8
pair        a + ib and a - ib
==========  ======================  ==========================

A step of the kind ``"p2"``, ``"p3"``, ... trains the coefficients of a :math:`p_d` of that degree,
:math:`p_d(z) = \alpha_0 + \alpha_1 z + \dots + \alpha_d z^d`, so that `q` has `d + 1` roots,
which may be anywhere. The public code has no such step; the paper's summary writes
:math:`p_d` in this way.

References
----------
.. [1] A. van Betteray, M. Rottmann, K. Kahl, Poly-MgNet, ICPRAM 2025.
"""

import numpy as np
import torch
from torch import nn

from .. import multigrid
from ..errors import InvalidValue, choose
from ..linalg.polynomials import Factor
from . import blocks

#: The kinds that train coefficients, with the degree of their p.
DEGREES = {f"p{d}": d for d in range(2, 9)}

#: How many numbers each kind of step trains: a factor's, and coefficients.
FACTORS = {"linear": 1, "double": 1, "repeated": 1, "pair": 2}
KINDS = FACTORS | {kind: d + 1 for kind, d in DEGREES.items()}

#: What is trained: see :func:`factor`.
PARAMETRISATIONS = ("public", "reciprocal", "root", "coefficients")


# Where norm N and activation S stand in u <- outside(u + update(s r - on_A(t A r))).
#: The placements, by name; ``public`` is the public code's choice for each kind of step.
PLACEMENTS = {
    "regular": {"update": "norm-relu"},  # u + S N p(A) r
    "outside": {"outside": "norm-relu"},  # S N (u + p(A) r)
    "relu-outside": {"update": "norm", "outside": "relu"},  # S (u + N p(A) r)
    "relu-outside-bare": {"outside": "relu"},  # S (u + p(A) r)
    "plain": {},  # u + p(A) r
    "norm-only": {"outside": "norm"},  # N (u + p(A) r)
    "norm-A": {"on_A": "norm"},  # u + s r - N t A r
    "norm-update": {"update": "norm"},  # u + N p(A) r
}

#: What a step makes of the residual before it uses it: r, N r, or S N r.
RESIDUALS = ("plain", "norm", "norm-relu")

_PUBLIC = {  # placement and residual of the public code
    "linear": ("outside", "norm"),
    "double": ("regular", "norm-relu"),
    "repeated": ("outside", "norm-relu"),
    "pair": ("outside", "norm-relu"),
    **dict.fromkeys(DEGREES, ("outside", "norm-relu")),  # it has none; as for its pairs
}


def resolve(kind, placement, residual):
    """Return placement and residual of a step, with ``"public"`` replaced.

    Parameters
    ----------
    kind, placement, residual : str

    Raises
    ------
    UnknownName
        For an unknown kind, placement or residual.
    InvalidValue
        For a norm around the A-term of a linear step, which has none.

    Examples
    --------
    >>> resolve("linear", "public", "public")
    ('outside', 'norm')

    Book: poly_mgnet, eq-polynet-placement
    """
    choose("kind of step", kind, KINDS)
    choose("placement", placement, ("public", *PLACEMENTS))
    choose("residual", residual, ("public", *RESIDUALS))
    if kind == "linear" and placement == "norm-A":
        raise InvalidValue(
            "placement='norm-A' puts a norm around the A-term, which a linear step does not have: "
            "give 'norm-update', or another kind of step."
        )
    own = _PUBLIC[kind]
    return (
        own[0] if placement == "public" else placement,
        own[1] if residual == "public" else residual,
    )


class PolyStep(nn.Module):
    r"""One step :math:`u \leftarrow` outside(u + update(s r~ - on_A(t A r~))), r~ = residual(r).

    ``A`` belongs to the level; the step owns its numbers and its norms.

    Parameters
    ----------
    kind, placement, residual, parametrisation : str
        Placement and residual may be ``"public"``.
    c : int
        Channels.
    norm, activation : str
        As in :mod:`mgtutorial.models.blocks`.

    Attributes
    ----------
    numbers : torch.nn.Parameter
        All 1 until somebody sets them, as a network does from its roots.

    Raises
    ------
    UnknownName, InvalidValue
        As for :func:`resolve`, and for an unknown parametrisation.

    Examples
    --------
    >>> step = PolyStep("linear", 4, "plain", "plain", "root")
    >>> _ = step.numbers.data.fill_(2.0)
    >>> step(lambda u: 3 * u)(multigrid.start(torch.ones(1))).u  # from zero: f / x
    tensor([0.5000], grad_fn=<AddBackward0>)

    Book: poly_mgnet, eq-polynet-placement
    """

    def __init__(
        self, kind, c, placement, residual, parametrisation, norm="batch", activation="relu"
    ):
        super().__init__()
        placement, residual = resolve(kind, placement, residual)
        choose("parametrisation", parametrisation, PARAMETRISATIONS)
        self.kind, self.parametrisation = kind, parametrisation
        self.numbers = nn.Parameter(torch.ones(KINDS[kind]))

        def stage(what):
            parts = []
            if "norm" in what:
                parts.append(blocks.norm(norm, c))
            if "relu" in what:
                parts.append(blocks.activation(activation))
            return nn.Sequential(*parts)

        self.residual = stage(residual)
        where = PLACEMENTS[placement]
        self.on_A, self.update, self.outside = (
            stage(where.get(slot, "")) for slot in ("on_A", "update", "outside")
        )

    def factor(self):
        """Return the step's :class:`~mgtutorial.linalg.Factor`, with its graph.

        Raises
        ------
        InvalidValue
            For a step that trains coefficients: its `q` has more than two roots.
        """
        if self.kind in DEGREES:
            raise InvalidValue(
                f"the step {self.kind} is no single factor: its numbers are the coefficients of p."
            )
        return factor(self.kind, self.parametrisation, self.numbers)

    def roots(self):
        """Return the roots of the step's `q` as an array, conjugates included."""
        with torch.no_grad():
            if self.kind in DEGREES:
                a = self.numbers.tolist()  # q = 1 - z p
                return np.roots([*(-x for x in reversed(a)), 1.0])
            s, t = (float(v) for v in self.factor())
        return np.roots([t, -s, 1.0] if t else [-s, 1.0])

    def p(self, A, r):
        """Return ``p(A) r``, with the norm that a placement may put around the A-term."""
        if self.kind in DEGREES:
            first, *middle, last = (self.numbers[i] for i in range(KINDS[self.kind]))
            term = -last * r
            for number in reversed(middle):  # Horner's rule
                term = A(term) - number * r
            return first * r - self.on_A(A(term))
        s, t = self.factor()
        if self.kind == "linear":
            return s * r
        term = self.on_A(t * A(r))
        return -term if self.kind == "double" else s * r - term

    def forward(self, A):
        """Return the step for :mod:`mgtutorial.multigrid`: a map from state to state."""

        def step(state):
            s = multigrid.with_residual(A, state)
            e = self.update(self.p(A, self.residual(s.r)))
            u = self.outside(s.u + e)
            # What stands outside changes u by more than e.
            return multigrid.changed(s, u, None if len(self.outside) else e)

        return step


def factor(kind, parametrisation, numbers):
    r"""Return the factor :math:`q(z) = 1 - s z + t z^2` that trained numbers stand for.

    ============  ================  ===================  =================  ====================
    numbers are   linear            double               repeated           pair
    ============  ================  ===================  =================  ====================
    root          x                 x                    x                  a, b
    reciprocal    1/x               1/x                  1/x                real and imaginary
                                                                            part of 1/(a + ib)
    coefficients  s                 t, negative for      s, with            s, t
                                    real roots           t = s^2/4
    public        s = 1/x           -t = 1/x^2, of       x, its sign        a, b, their signs
                                    either sign          is ignored         are ignored
    ============  ================  ===================  =================  ====================

    Parameters
    ----------
    kind : {"linear", "double", "repeated", "pair"}
    parametrisation : {"public", "reciprocal", "root", "coefficients"}
    numbers : tensor, shape (1,) or (2,)
        The factor keeps their graph.

    Returns
    -------
    mgtutorial.linalg.polynomials.Factor

    Raises
    ------
    UnknownName
        For a kind that trains no factor, or an unknown parametrisation.

    Examples
    --------
    >>> factor("linear", "root", torch.tensor([4.0]))
    Factor(s=tensor(0.2500), t=0.0)
    >>> factor("pair", "root", torch.tensor([1.0, 2.0])).q(1 + 2j)  # a root
    tensor(0.+0.j)

    Book: poly_mgnet, poly-mgnet-numbers
    """
    if kind not in FACTORS or parametrisation not in PARAMETRISATIONS:
        choose("kind of step", kind, FACTORS)
        choose("parametrisation", parametrisation, PARAMETRISATIONS)
    x = numbers[0]
    if kind == "linear":
        return Factor(1 / x if parametrisation == "root" else x)
    if kind == "double":
        return Factor(0.0, _DOUBLE[parametrisation](x))
    y = numbers[1] if kind == "pair" else None
    if parametrisation == "coefficients":
        return Factor(x, x**2 / 4 if y is None else y)
    size = x**2 if y is None else x**2 + y**2
    if parametrisation == "reciprocal":
        return Factor(2 * x, size)
    a = x.abs() if parametrisation == "public" else x
    return Factor(2 * a / size, 1 / size)


_DOUBLE = {  # t of q = 1 + t z^2
    "root": lambda x: -1 / x**2,
    "reciprocal": lambda x: -(x**2),
    "coefficients": lambda x: x,
    "public": lambda x: -x,
}


def numbers(kind, parametrisation, root):
    """Return the numbers that :func:`factor` turns into a factor with the given root.

    Parameters
    ----------
    kind, parametrisation : str
    root : tensor, shape (1,) or (2,)
        ``x``, or ``a, b`` for a pair.

    Raises
    ------
    InvalidValue
        For a root that is zero or not finite, or one with a negative real part where the
        parametrisation ignores signs.

    Examples
    --------
    >>> numbers("double", "coefficients", torch.tensor([2.0]))
    tensor([-0.2500])

    Book: poly_mgnet, poly-mgnet-numbers
    """
    if not root.is_meta:
        shown = " + i ".join(f"{v:.6g}" for v in root.tolist())
        if not torch.isfinite(root).all() or not root.any():
            raise InvalidValue(
                f"a root at {shown}: give a finite one that is not zero, since q(0) = 1."
            )
        if parametrisation == "public" and kind in ("repeated", "pair") and root[0] < 0:
            raise InvalidValue(
                f"a root at {shown} of a {kind} step: the parametrisation 'public' ignores its "
                "sign, so give a positive real part or another parametrisation."
            )
    if parametrisation == "root" or (parametrisation == "public" and kind in ("repeated", "pair")):
        return root
    size = (root**2).sum()
    if kind == "pair":
        a, b = root
        if parametrisation == "reciprocal":
            return torch.stack([a, -b]) / size
        return torch.stack([2 * a, torch.ones_like(a)]) / size
    if parametrisation == "reciprocal" or kind == "linear":
        return 1 / root
    if kind == "repeated":
        return 2 / root
    return 1 / root**2 if parametrisation == "public" else -1 / root**2
