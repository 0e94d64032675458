r"""What the transpose buys: smoothers for any operator, constraints, and the gradient of a cycle.

With :math:`B = \omega A^T` a step propagates errors by :math:`I - \omega A^T A`, which is
symmetric for *any* `A`: Landweber's iteration [1]_. Followed by a projection onto the nonnegative
vectors, it solves the least squares problem with :math:`u \ge 0`. Kaczmarz's method [2]_ is
Gauss-Seidel for :math:`A A^T`. And the transpose of a whole cycle is again a cycle, made of the
transposed parts.

References
----------
.. [1] L. Landweber, An iteration formula for Fredholm integral equations of the first kind, Amer.
   J. Math. 73 (1951).
.. [2] S. Kaczmarz, Angenäherte Auflösung von Systemen linearer Gleichungen, Bull. Int. Acad.
   Polon. Sci. Lett. A 35 (1937).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy

from ..errors import InvalidValue
from ..multigrid import Level, changed, correct
from ._numbers import doubles, unit_of


def landweber(adjoint, omega):
    r"""Return :math:`B = \omega A^T`.

    Parameters
    ----------
    adjoint : callable
        :math:`A^T`: for a stencil ``A.adjoint``, for a convolution the transposed convolution with
        the same weights.
    omega : float
        Between 0 and :math:`2 / \|A\|_2^2`; with :math:`1 / \|A\|_2^2` the theory of Richardson's
        iteration holds as it stands.

    Returns
    -------
    callable
        From a residual to a correction.

    Raises
    ------
    InvalidValue
        For a damping that is not positive and finite.

    Examples
    --------
    >>> A = np.array([[0.0, 2.0], [0.0, 0.0]])
    >>> landweber(A.T.dot, 0.25)(np.array([4.0, 1.0]))
    array([0., 2.])

    Book: transposes, eq-transposes-landweber
    """
    if not (np.isfinite(omega) and omega > 0):
        raise InvalidValue(f"omega = {omega!r}: give a damping that is positive and finite.")
    return lambda r: omega * adjoint(r)


def landweber_symbol(A, omega):
    r"""Return the symbol :math:`\tilde E(\theta) = 1 - \omega |\tilde A(\theta)|^2` as a function.

    Parameters
    ----------
    A : Stencil
    omega : float

    Examples
    --------
    Poisson's equation in 1D; the square of an operator is harder to smooth:

    >>> from mgtutorial.linalg import poisson, smoothing_factor
    >>> A = poisson(8, d=1).A
    >>> round(smoothing_factor(landweber_symbol(A, 8 / 5 / A.diagonal**2 / 4), d=1), 9)
    0.6

    Book: transposes, eq-transposes-landweber
    """
    return lambda *theta: 1 - omega * np.abs(A.symbol(*theta)) ** 2


def projected(step):
    r"""Return the step followed by :math:`u \leftarrow \max(u, 0)`, entry by entry.

    With a step of :func:`landweber` it is projected Landweber, the gradient method for
    :math:`\min \|A u - f\|_2` with :math:`u \ge 0`.

    Parameters
    ----------
    step : callable
        From State to State.

    Examples
    --------
    >>> from mgtutorial.multigrid import State
    >>> step = projected(correct(lambda u: u, landweber(lambda r: r, 0.5)))
    >>> step(State(np.array([0.0, 1.0]), np.array([-2.0, 2.0]))).u
    array([0. , 1.5])

    Book: transposes, eq-transposes-projected
    """

    def new(s):
        u = step(s).u
        return changed(s, u.clip(min=0))

    return new


def kaczmarz(matrix):
    r"""Return Kaczmarz's sweep :math:`B = A^* (D + L)^{-1}`, with :math:`A A^* = L + D + L^*`.

    Row by row, `u` is projected onto the solutions of one equation. It is Gauss-Seidel for
    :math:`A A^* y = f` with :math:`u = A^* y`.

    Parameters
    ----------
    matrix : array, shape (m, n)
        No row may be zero.

    Returns
    -------
    callable
        From a residual of shape (m,) to a correction of shape (n,).

    Raises
    ------
    InvalidValue
        For a row that is zero.

    Examples
    --------
    >>> B = kaczmarz(np.array([[1.0, 0.0], [1.0, 1.0]]))
    >>> B(np.array([1.0, 1.0]))  # the second equation holds when the first does
    array([1., 0.])

    Book: transposes, eq-transposes-kaczmarz
    """
    matrix = doubles(matrix, "the matrix")
    units = np.array([unit_of(row) for row in matrix])  # a multiple of a row is the same equation
    matrix = matrix / units[:, None]
    adjoint = matrix.conj().T
    product = matrix @ adjoint
    if (product.diagonal() == 0).any():
        raise InvalidValue("a row of the matrix is zero: its equation says nothing, leave it out.")

    def B(r):
        return adjoint @ scipy.linalg.solve_triangular(product, (r.T / units).T, lower=True)

    return B


@dataclass(frozen=True)
class Linear:
    """A linear operator that knows its transpose.

    Attributes
    ----------
    apply, adjoint : callable

    Examples
    --------
    >>> A = Linear.of(np.array([[1.0, 2.0], [0.0, 1.0]]))
    >>> A(np.ones(2)), A.T(np.ones(2))
    (array([3., 1.]), array([1., 3.]))

    Book: transposes, eq-transposes-adjoint
    """

    apply: Callable
    adjoint: Callable

    @classmethod
    def of(cls, matrix):
        """Return the operator of a matrix, dense or sparse, of NumPy, SciPy or torch."""
        return cls(lambda u: matrix @ u, lambda u: matrix.T @ u)

    def __call__(self, u):
        """Apply it."""
        return self.apply(u)

    @property
    def T(self):
        """The transpose."""
        return Linear(self.adjoint, self.apply)


@dataclass(frozen=True)
class Grid:
    """The linear parts of one level, as operators with transposes.

    Attributes
    ----------
    A : Linear
    pre, post : sequence of Linear
        The `B` of each smoothing step, in order; on the coarsest grid, that of its solver.
    R, P : Linear or None
        To the next coarser grid and back; None on the coarsest.

    Book: transposes, eq-transposes-adjoint
    """

    A: Linear
    pre: Sequence[Linear] = ()
    post: Sequence[Linear] = ()
    R: Linear | None = None
    P: Linear | None = None


def grid_levels(grids):
    """Return the levels of :mod:`mgtutorial.multigrid` for a sequence of grids, fine to coarse.

    Examples
    --------
    >>> from mgtutorial.multigrid import cycle, start
    >>> grid = Grid(Linear.of(2 * np.eye(2)), [Linear.of(np.eye(2) / 2)])
    >>> cycle(grid_levels([grid]), start(np.ones(2), linear=True)).u
    array([0.5, 0.5])

    Book: transposes, eq-transposes-adjoint
    """
    return [
        Level(
            g.A,
            [correct(g.A, B) for B in g.pre],
            [correct(g.A, B) for B in g.post],
            R=g.R,
            P=g.P,
            linear=True,
        )
        for g in grids
    ]


def transposed_grids(grids):
    r"""Return the grids whose cycle from zero is the transpose :math:`M^T` of that of `grids`.

    Each `A` is transposed, `R` and `P` are transposed and exchanged, and the smoothing steps are
    transposed and run backwards: those after the correction come before it.

    Parameters
    ----------
    grids : sequence of Grid

    Returns
    -------
    list of Grid

    Examples
    --------
    >>> grid = Grid(Linear.of(np.eye(2)), pre=[Linear.of(np.array([[0.0, 1.0], [0.0, 0.0]]))])
    >>> (other,) = transposed_grids([grid])
    >>> other.post[0](np.array([1.0, 0.0])), len(other.pre)
    (array([0., 1.]), 0)

    Book: transposes, eq-transposes-adjoint
    """
    return [
        replace(
            g,
            A=g.A.T,
            pre=[B.T for B in reversed(g.post)],
            post=[B.T for B in reversed(g.pre)],
            R=None if g.P is None else g.P.T,
            P=None if g.R is None else g.R.T,
        )
        for g in grids
    ]
