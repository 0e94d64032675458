r"""The steps of Poly-MgNet: a polynomial in ``A`` where MgNet has ``B``.

A step is :math:`u \leftarrow u + p(A)\, \tilde r` with :math:`p(z) = s - t z`, and with norms ``N``
and activations ``S`` at one of several places: :data:`PLACEMENTS`. Its `s` and `t` come from the
one or two numbers that it trains: :mod:`mgtutorial.models.poly_roots`. Or `p` has degree two or
more, and the step trains its coefficients.

References
----------
.. [1] A. van Betteray, M. Rottmann, K. Kahl, Poly-MgNet, ICPRAM 2025.
"""

import numpy as np
import torch
from torch import nn

from .. import multigrid
from ..errors import InvalidValue, choose
from . import blocks
from .poly_roots import DEGREES, KINDS, factor

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
        For a kind, a placement or a residual that there is not.
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
    c : int
        Channels.
    norm, activation : str
        As in :mod:`mgtutorial.models.blocks`.

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
        self.kind, self.parametrisation = kind, parametrisation
        self.numbers = nn.Parameter(torch.empty(KINDS[kind]))

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
