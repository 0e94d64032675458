r"""Linear operators given as functions: their error propagation, matrix and spectral radius."""

import numpy as np
import scipy

from ..errors import InvalidValue
from . import _arpack
from ._numbers import floating


def error_propagation(A, B):
    r"""Return :math:`E = I - B A`, which maps the error before a step to the error after it.

    Parameters
    ----------
    A, B : callable
        Linear.

    Examples
    --------
    >>> E = error_propagation(lambda u: 2 * u, lambda r: 0.25 * r)
    >>> E(np.array([1.0]))
    array([0.5])

    Book: smoothing, eq-error-propagation
    """
    return lambda e: e - B(A(e))


def as_matrix(operator, shape, dtype=float):
    """Return the dense matrix of a linear operator on a grid, one column per unit vector.

    Parameters
    ----------
    operator : callable
        On arrays of shape ``(..., *shape)``; it is called once, with a batch of all
        unit vectors.
    shape : tuple of int
        Of the grid; keep it small: the matrix has ``prod(shape) ** 2`` entries.
    dtype : dtype

    Examples
    --------
    >>> as_matrix(lambda u: np.cumsum(u, axis=-1), (2,))
    array([[1., 0.],
           [1., 1.]])

    Book: smoothing, eq-error-propagation
    """
    size = int(np.prod(shape))
    columns = operator(np.eye(size, dtype=dtype).reshape(size, *shape))
    return np.ascontiguousarray(columns.reshape(size, size).T)


def spectral_radius(E, shape=None):
    r"""Return :math:`\rho(E) = \max |\lambda(E)|`, the asymptotic convergence factor.

    Parameters
    ----------
    E : dense or sparse matrix, or callable
        A callable acts on arrays of shape ``(..., *shape)``.
    shape : tuple of int, optional
        Of the grid, for a callable.

    Returns
    -------
    float
        From all eigenvalues up to 1,000 unknowns; above that, by Arnoldi's method (ARPACK, up to
        rounding).

    Raises
    ------
    InvalidValue
        For a callable without a `shape`, for a matrix that is not square or not finite, if there
        are no numbers, or if Arnoldi's method does not converge.

    Examples
    --------
    >>> spectral_radius(np.array([[0.5, 1.0], [0.0, -0.75]]))
    0.75

    Book: smoothing, eq-error-propagation
    """
    E = _matrix(E, shape)
    if len(E.shape) != 2 or E.shape[0] != E.shape[1] or not E.shape[0]:
        raise InvalidValue(
            f"an operator of shape {tuple(E.shape)} has no spectral radius: give a square matrix."
        )
    if not (size := _arpack.size_of(E)):
        return 0.0
    if isinstance(E, np.ndarray):
        return float(np.abs(np.linalg.eigvals(E)).max())
    E, unit = _arpack.brought_to_size_1(E, size)
    return unit * float(np.abs(_arpack.values(scipy.sparse.linalg.eigs, E, 6, ncv=60)).max())


def _matrix(E, shape):
    """An operator as an array up to 1,000 unknowns, else as a sparse array or a LinearOperator."""
    if scipy.sparse.issparse(E):
        E = E.toarray() if E.shape[0] <= 1000 else E.astype(np.result_type(E.dtype, float))
    elif isinstance(E, scipy.sparse.linalg.LinearOperator):
        if E.shape[0] <= 1000:
            E = E @ np.eye(E.shape[1])
    elif callable(E):
        if shape is None:
            raise InvalidValue("the spectral radius of a function needs the grid: give its shape.")
        size = int(np.prod(shape))
        if size > 1000:
            kind = np.asarray(E(np.zeros(shape))).dtype  # a real E of complex numbers is complex
            return scipy.sparse.linalg.LinearOperator(
                (size, size),
                lambda v: np.asarray(E(v.reshape(shape))).ravel(),
                dtype=np.result_type(kind, float),
            )
        E = as_matrix(E, shape)
    if scipy.sparse.issparse(E) or isinstance(E, scipy.sparse.linalg.LinearOperator):
        return E
    E = floating(E, what="the operator")
    E = E.detach().cpu().numpy() if hasattr(E, "detach") else E
    return E.astype(complex if np.iscomplexobj(E) else float)  # what LAPACK has
