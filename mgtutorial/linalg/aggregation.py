r"""Aggregation: coarse unknowns that are groups of fine ones, as MGiaD pairs its channels.

The interpolation gives a group's value to all its members: one 1 per row. It needs neither a grid
nor an operator, but it is too rough for a V-cycle: the coarse operator comes out too stiff, so that
smooth errors are only half corrected (in 1D), and again on each level. There are three remedies
here: an interpolation that is smoothed [1]_, a coarse operator divided by a number [2]_, and
K-cycles (:func:`mgtutorial.linalg.k_cycle`) [3]_.

References
----------
.. [1] P. Vanek, J. Mandel, M. Brezina, Algebraic multigrid by smoothed aggregation for second and
   fourth order elliptic problems, Computing 56 (1996).
.. [2] D. Braess, Towards algebraic multigrid for elliptic problems of second order, Computing 55
   (1995).
.. [3] Y. Notay, P. S. Vassilevski, Recursive Krylov-based multigrid cycles, Numer. Linear Algebra
   Appl. 15 (2008).
"""

import numpy as np
import scipy

from ..errors import InvalidValue
from ..multigrid import Level, correct
from ._numbers import plain, whole
from .coarsening import _factorised


def aggregates(shape, size=2):
    """Return the interpolation that is constant on groups of neighbours: cubes of a grid.

    Parameters
    ----------
    shape : tuple of int
        Of the fine grid, or ``(c,)`` for channels.
    size : int
        Points per group along each axis; the last group may have fewer.

    Returns
    -------
    csr_array, shape (prod(shape), prod(coarse))

    Raises
    ------
    InvalidValue
        For a size below 2.

    Examples
    --------
    >>> aggregates((4,)).toarray()
    array([[1., 0.],
           [1., 0.],
           [0., 1.],
           [0., 1.]])

    Book: two_grid_theory, eq-two-grid-aggregation
    """
    size = whole("size", size, 2)  # groups of one point make nothing coarser
    out = scipy.sparse.identity(1, format="csr")
    for n in plain(shape):
        own = np.arange(n) // size
        along = scipy.sparse.csr_array((np.ones(n), (np.arange(n), own)), shape=(n, own[-1] + 1))
        out = scipy.sparse.kron(out, along, format="csr")
    return scipy.sparse.csr_array(out)


def smoothed(A, P, omega=2 / 3):
    r"""Return :math:`(I - \omega D^{-1} A)\, P`: an interpolation after a step of damped Jacobi.

    Parameters
    ----------
    A : sparse matrix
    P : sparse matrix
    omega : float

    Examples
    --------
    >>> from mgtutorial.linalg import poisson
    >>> A = poisson(5, d=1).sparse()
    >>> (3 * smoothed(A, aggregates((4,)))[:, [0]]).toarray().ravel().round(12)
    array([2., 2., 1., 0.])

    Book: two_grid_theory, two-grid-aggregation
    """
    D = scipy.sparse.diags_array(omega / A.diagonal())
    return scipy.sparse.csr_array(P - D @ (A @ P))


def algebraic_levels(A, interpolations, nu=1, omega=2 / 3, stiffness=1.0):
    r"""Return the levels of a multigrid method for a matrix: Galerkin operators, damped Jacobi.

    Parameters
    ----------
    A : sparse matrix
        On the finest level.
    interpolations : sequence of sparse matrices, or callables
        From fine to coarse; a callable makes one from the level's matrix.
    nu : int
        Steps before the correction, and as many after it.
    omega : float
        Of damped Jacobi.
    stiffness : float
        What each coarse operator :math:`P^T A P` is divided by: 1 is Galerkin's; more than
        that lengthens the corrections.

    Returns
    -------
    list of Level
        For arrays with one axis. The coarsest level is solved directly.

    Raises
    ------
    InvalidValue
        If an interpolation does not have as many rows as its level has unknowns, or if the
        coarsest matrix is singular.

    Examples
    --------
    >>> from mgtutorial.linalg import poisson, solve
    >>> A = poisson(17, d=1).sparse()
    >>> levels = algebraic_levels(A, [aggregates((16,))])
    >>> solve(levels, np.ones(16), tol=1e-6).converged
    True

    Book: two_grid_theory, eq-two-grid-aggregation
    """
    levels, A = [], scipy.sparse.csr_array(A)
    for P in interpolations:
        P = scipy.sparse.csr_array(P(A) if callable(P) else P)
        if P.shape[0] != A.shape[0]:
            raise InvalidValue(
                f"an interpolation of shape {P.shape} for a level of {A.shape[0]} unknowns: it "
                "needs as many rows."
            )
        step = correct(A.dot, _jacobi(A, omega))
        R = P.T.tocsr()
        levels.append(Level(A.dot, [step] * nu, [step] * nu, R=R.dot, P=P.dot, linear=True))
        A = scipy.sparse.csr_array(R @ A @ P) / stiffness
    return [*levels, Level(A.dot, [correct(A.dot, _factorised(A))], linear=True)]


def _jacobi(A, omega):
    scale = omega / A.diagonal()
    return lambda r: scale * r
