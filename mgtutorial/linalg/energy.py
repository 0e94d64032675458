r"""Two grids in the energy norm: what a coarse space is worth, for a given smoother.

For a symmetric positive definite `A` and Galerkin's correction, a two-grid cycle has an energy norm
that can be computed without waves, and that says which interpolation is the best: the one
spanned by the errors that the smoother reduces least. Everything here is for dense
matrices: it is meant for understanding, and for testing what has been trained.

References
----------
.. [1] R. D. Falgout, P. S. Vassilevski, L. T. Zikatanov, On two-grid convergence estimates,
   Numer. Linear Algebra Appl. 12 (2005).
.. [2] J. Xu, L. Zikatanov, Algebraic multigrid methods, Acta Numerica 26 (2017).
.. [3] J. Brannick, F. Cao, K. Kahl, R. D. Falgout, X. Hu, Optimal interpolation and compatible
   relaxation in classical algebraic multigrid, SIAM J. Sci. Comput. 40 (2018).
"""

from typing import NamedTuple

import numpy as np
import scipy

from ..errors import InvalidValue


def energy_norm(E, A):
    r"""Return :math:`\|E\|_A = \max \|E e\|_A / \|e\|_A`, with :math:`\|e\|_A^2 = e^T A e`.

    Parameters
    ----------
    E, A : array, shape (n, n)
        `A` symmetric positive definite.

    Returns
    -------
    float

    Raises
    ------
    InvalidValue
        If `A` is not symmetric positive definite, or a matrix is complex; likewise for the other
        functions here.

    Examples
    --------
    >>> energy_norm(np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([4.0, 1.0]))
    2.0

    Book: two_grid_theory, eq-two-grid-energy
    """
    L, E = _cholesky(A), _real(E)
    return float(np.linalg.norm(scipy.linalg.solve_triangular(L, (L.T @ E).T, lower=True), 2))


def equivalence(A, B):
    r"""Return the least and the greatest value of :math:`x^T A x / x^T B x`.

    If these are :math:`0 < c \le C`, then :math:`c\, B \le A \le C\, B`: the matrices are
    spectrally equivalent, and the eigenvalues of :math:`B^{-1} A` lie between `c` and `C`.

    Parameters
    ----------
    A, B : array, shape (n, n)
        `B` symmetric positive definite, `A` symmetric.

    Returns
    -------
    (float, float)

    Raises
    ------
    InvalidValue
        If a matrix is not symmetric, or `B` is not positive definite.

    Examples
    --------
    >>> np.round(equivalence(np.diag([1.0, 6.0]), np.diag([2.0, 3.0])), 12).tolist()
    [0.5, 2.0]

    Book: two_grid_theory, two-grid-equivalent
    """
    _cholesky(B)
    A, B = _real(A), _real(B)
    if not np.allclose(A, A.T, rtol=0, atol=1e-12 * np.abs(A).max()):
        raise InvalidValue("two energies are compared, and the first matrix is not symmetric.")
    values = scipy.linalg.eigh(A, B, eigvals_only=True)
    return float(values[0]), float(values[-1])


def coarse_correction(A, P, R=None, coarse=None):
    r"""Return :math:`K = I - P A'^{-1} R A` as a matrix.

    Parameters
    ----------
    A : array, shape (n, n)
    P : array, shape (n, m)
    R : array, shape (m, n), optional
        The transpose of `P` by default.
    coarse : array, shape (m, m), optional
        :math:`A'`; Galerkin's :math:`R A P` by default.

    Examples
    --------
    >>> coarse_correction(np.diag([1.0, 2.0]), np.array([[1.0], [0.0]]))
    array([[0., 0.],
           [0., 1.]])

    Book: two_grid_theory, eq-two-grid-idempotent
    """
    R = P.T if R is None else R
    coarse = R @ A @ P if coarse is None else coarse
    return np.eye(len(A)) - P @ np.linalg.solve(coarse, R @ A)


def two_grid_constant(A, B, P):
    r"""Return the constant :math:`\mathcal K` of the sharp two-grid identity [1]_, [2]_.

    .. math:: \|(I - B A) K\|_A^2 = 1 - \frac{1}{\mathcal K}, \qquad \mathcal K = \max_v \min_c
        \frac{\|v - P c\|_{\tilde M}^2}{\|v\|_A^2}, \quad \tilde M^{-1} = B + B^T - B^T A B .

    Parameters
    ----------
    A, B : array, shape (n, n)
        `B` need not be symmetric; :math:`\|I - B A\|_A < 1`.
    P : array, shape (n, m)

    Returns
    -------
    float
        1 or more.

    Raises
    ------
    InvalidValue
        If the smoother does not converge in the energy norm, or a matrix is complex.

    Examples
    --------
    >>> A = np.diag([1.0, 2.0, 4.0])
    >>> round(two_grid_constant(A, np.eye(3) / 4, np.eye(3)[:, :1]), 12)  # 1 / (1 - (1/2)^2)
    1.333333333333

    Book: two_grid_theory, eq-two-grid-sharp
    """
    L, B, P = _cholesky(A), _real(B), _real(P)
    inverse = B + B.T - B.T @ A @ B
    if np.linalg.eigvalsh(inverse)[0] <= 0:
        raise InvalidValue(
            "the smoother does not reduce every error in the energy norm: damp it until it does."
        )
    M = np.linalg.inv(inverse)
    rest = M - M @ P @ np.linalg.solve(P.T @ M @ P, P.T @ M)  # the square of the distance to P c
    half = scipy.linalg.solve_triangular(L, rest, lower=True)
    both = scipy.linalg.solve_triangular(L, half.T, lower=True)
    return float(np.linalg.eigvalsh((both + both.T) / 2)[-1])


class Optimal(NamedTuple):
    """What :func:`optimal_interpolation` found.

    Attributes
    ----------
    P : array, shape (n, m)
        Orthonormal in the energy norm.
    norm : float
        The energy norm of smoothing after the correction with this `P`; no other `P` has a
        lesser one.

    Book: two_grid_theory, eq-two-grid-optimal
    """

    P: np.ndarray
    norm: float


def optimal_interpolation(A, B, count):
    r"""Return the best interpolation from `count` coarse unknowns for the smoother `B` [3]_.

    Its range is spanned by the `count` errors that :math:`S = I - B A` reduces least: the first
    singular vectors of `S` in the energy norm. The two-grid norm is the next singular value.

    Parameters
    ----------
    A, B : array, shape (n, n)
    count : int
        From 1 to ``n - 1``.

    Returns
    -------
    Optimal

    Raises
    ------
    InvalidValue
        For any other count.

    Examples
    --------
    >>> found = optimal_interpolation(np.diag([1.0, 2.0, 4.0]), np.eye(3) / 4, 1)
    >>> found.norm, abs(found.P[:, 0])
    (0.5, array([1., 0., 0.]))

    Book: two_grid_theory, eq-two-grid-optimal
    """
    n = len(A)
    if not 1 <= count < n:
        raise InvalidValue(f"{count} coarse unknowns of {n}: give from 1 to {n - 1}.")
    L, B = _cholesky(A), _real(B)
    S = np.eye(n) - B @ A
    hat = scipy.linalg.solve_triangular(L, (L.T @ S).T, lower=True).T  # L^T S L^-T
    _, values, right = np.linalg.svd(hat)
    P = scipy.linalg.solve_triangular(L.T, right[:count].T, lower=False)
    return Optimal(P, float(values[count]))


def _real(matrix):
    if np.iscomplexobj(matrix):
        raise InvalidValue(
            "a matrix is complex, and energies are compared here for real ones: give its real form."
        )
    return np.asarray(matrix, dtype=float)


def _cholesky(A):
    A = _real(A)
    if not np.allclose(A, A.T, rtol=0, atol=1e-12 * np.abs(A).max()):
        raise InvalidValue("the energy norm needs a symmetric A, and this one is not symmetric.")
    try:
        return np.linalg.cholesky(A)
    except np.linalg.LinAlgError:
        raise InvalidValue(
            "the energy norm needs a positive definite A: leave out what is constant on a "
            "periodic grid."
        ) from None
