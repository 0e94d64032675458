r"""The full approximation scheme for a nonlinear problem: its smoothing steps and its levels.

Each nonlinear equation is solved for its own unknown by one step of Newton's method, which is all
that smoothing needs [1]_. The points are visited in chessboard order: Newton-Gauss-Seidel.

References
----------
.. [1] U. Trottenberg, C. W. Oosterlee, A. Schueller, Multigrid, 2001: section 5.3.
.. [2] A. Brandt, Multi-level adaptive solutions to boundary-value problems, Math. Comp. 31 (1977).
"""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..errors import InvalidValue, choose
from ..multigrid import Level, changed, with_right_hand_side
from ._numbers import in_type
from .coarsening import coarsenings
from .problems import poisson
from .smoothers import BLACK, ORDERS, RED, _check_holds
from .transfers import full_weighting, injection, linear_interpolation, sublattice_pairs


def newton_red_black(problem, order="red-black"):
    r"""Return a step: nonlinear Gauss-Seidel in chessboard order, one Newton step per point.

    For each point of one colour, then of the other,

    .. math:: u_j \leftarrow u_j + \frac{(f - A(u))_j}{4/h^2 + \gamma (1 + u_j) e^{u_j}} .

    Parameters
    ----------
    problem : NonlinearPoisson
    order : {"red-black", "black-red"}

    Returns
    -------
    callable
        From :class:`~mgtutorial.multigrid.State` to State, for arrays and tensors of shape
        ``(..., n - 1, n - 1)``. With ``gamma = 0`` it is linear red-black Gauss-Seidel.

    Raises
    ------
    InvalidValue
        Raised by the step, for a real `u` with a complex right-hand side.

    Examples
    --------
    >>> import numpy as np
    >>> from mgtutorial.multigrid import State
    >>> problem = NonlinearPoisson(2, gamma=1.0)  # one unknown: 16 u + u exp(u) = 34
    >>> step, s = newton_red_black(problem), State(np.array([[1.0]]), np.array([[34.0]]))
    >>> for _ in range(5):
    ...     s = step(s)
    >>> float(abs(problem(s.u) - s.f).max()) < 1e-12
    True

    Book: fas, eq-fas-smoother
    """
    choose("order", order, ORDERS)
    colours = (RED, BLACK) if order == "red-black" else (BLACK, RED)
    A, gamma = problem.linear.A, problem.gamma

    def half(u, f, colour):
        shape = tuple(u.shape[u.ndim - A.d :])
        for first in product((0, 1), repeat=A.d):  # the colour's sublattices of mesh width 2h
            if sum(first) % 2 != colour:
                continue
            points = (..., *(slice(i, None, 2) for i in first))
            v = 1 * u[points]  # a copy: gradients need it after u has changed
            grown = gamma * _exp(v)
            r = f[points] - (A.diagonal + grown) * v
            for offset, c in zip(A.offsets, A.coefficients, strict=True):
                if any(offset):
                    for at, sources in sublattice_pairs(shape, offset, A.boundary, first):
                        r[at] -= c * u[sources]
            u[points] = v + r / (A.diagonal + grown * (1 + v))

    def step(s):
        s = with_right_hand_side(problem, s)
        u = 1 * in_type(s.u, ())  # a copy, which the half steps overwrite
        _check_holds(u, s.f)
        for colour in colours:
            half(u, s.f, colour)
        return changed(s, u)

    return step


def nonlinear_levels(n, gamma, depth=None, nu=(2, 1), coarsest_steps=20):
    r"""Return the levels of the full approximation scheme for :class:`NonlinearPoisson`.

    Newton-Gauss-Seidel smooths, residuals are restricted by full weighting, approximations by
    injection, and corrections are interpolated bilinearly; the coarse problems are those of the
    coarser meshes.

    Parameters
    ----------
    n : int
        Mesh cells along each axis on the finest level.
    gamma : float
        Strength of the nonlinearity, not negative.
    depth : int, optional
        Number of levels; by default down to one unknown where `n` is a power of two.
    nu : (int, int)
        Steps before and after the coarse-grid correction.
    coarsest_steps : int
        Steps on the coarsest level; with one unknown they are steps of Newton's method.

    Returns
    -------
    list of Level

    Raises
    ------
    InvalidValue
        For a mesh that does not coarsen to the depth, a negative `gamma`, or no coarsest step.

    Examples
    --------
    >>> from mgtutorial.linalg import solve
    >>> problem = NonlinearPoisson(32, gamma=100.0)
    >>> result = solve(nonlinear_levels(32, gamma=100.0), problem.right_hand_side(), tol=1e-10)
    >>> result.converged, bool(abs(result.u - problem.solution()).max() < 2 * problem.h**2)
    (True, True)

    Book: fas, eq-fas
    """
    if coarsest_steps < 1:
        raise InvalidValue(f"coarsest_steps = {coarsest_steps!r}: give 1 or more.")
    levels = []
    sizes = coarsenings(n, depth)
    for m in sizes:
        problem = NonlinearPoisson(m, gamma)
        step = newton_red_black(problem)
        if m == sizes[-1]:
            levels.append(Level(problem, [step] * coarsest_steps))
        else:
            transfers = full_weighting(), injection(), linear_interpolation()
            levels.append(Level(problem, [step] * nu[0], [step] * nu[1], *transfers))
    return levels


@dataclass(frozen=True)
class NonlinearPoisson:
    r"""The nonlinear problem :math:`-\Delta u + \gamma u e^u = f`, zero on the square's boundary.

    Calling it applies the discrete operator. The right-hand side is chosen so that the
    continuous solution is :math:`u = (x^2 - x^3) \sin 3 \pi y` [2]_, whose fourth derivatives
    do not vanish: there is a discretisation error, and it is of second order.

    Attributes
    ----------
    n : int
        Mesh cells along each axis.
    gamma : float
        Strength of the nonlinearity, not negative; 0 is Poisson's equation.

    Raises
    ------
    InvalidValue
        If `n` is not a whole number, 2 or more, or `gamma` is negative or not finite.

    Examples
    --------
    >>> problem = NonlinearPoisson(32, gamma=10.0)
    >>> residual = problem.right_hand_side() - problem(problem.solution())
    >>> bool(abs(residual).max() < 100 * problem.h**2)
    True

    Book: fas, eq-fas-operator
    """

    n: int
    gamma: float

    def __post_init__(self):
        if not (math.isfinite(self.gamma) and self.gamma >= 0):
            raise InvalidValue(
                f"gamma = {self.gamma!r}: give a number that is not negative, so that the problem "
                "has one solution."
            )
        object.__setattr__(self, "n", self.linear.n)  # checked

    @property
    def linear(self):
        """The linear part, :func:`poisson` on the same grid."""
        return poisson(self.n)

    @property
    def h(self):
        """The mesh width."""
        return self.linear.h

    @property
    def shape(self):
        """Shape of the unknowns, ``(n - 1, n - 1)``."""
        return self.linear.shape

    def __call__(self, u):
        """Apply the operator to `u`, shape ``(..., n - 1, n - 1)``."""
        return self.linear.A(u) + self.gamma * u * _exp(u)

    def diagonal(self, u):
        r"""Return the diagonal of the Jacobian at `u`, :math:`4/h^2 + \gamma (1 + u) e^u`."""
        return self.linear.A.diagonal + self.gamma * (1 + u) * _exp(u)

    def solution(self):
        """Return the continuous solution at the grid points."""
        x, y = self.linear.grid()
        return (x**2 - x**3) * np.sin(3 * np.pi * y)

    def right_hand_side(self):
        """Return `f` at the grid points, for which :meth:`solution` solves the equation."""
        x, y = self.linear.grid()
        u = self.solution()
        minus_laplace = (9 * np.pi**2 * (x**2 - x**3) + 6 * x - 2) * np.sin(3 * np.pi * y)
        return minus_laplace + self.gamma * u * np.exp(u)


def _exp(u):
    return np.exp(u) if isinstance(u, np.ndarray) else u.exp()
