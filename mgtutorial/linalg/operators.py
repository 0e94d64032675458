r"""Linear operators given as functions: their error propagation, matrix and spectral radius."""

import numpy as np
import scipy

from ..errors import InvalidValue


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
    """Return the dense matrix of a linear operator on a grid, column by unit vector.

    Parameters
    ----------
    operator : callable
        On arrays of shape ``(..., *shape)``; it is called once, with a batch of all
        unit vectors.
    shape : tuple of int
        Of the grid; keep it small, the matrix has ``prod(shape) ** 2`` entries.
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
        By all eigenvalues up to 1,000 unknowns, by Arnoldi's method (ARPACK, to
        rounding) above.

    Raises
    ------
    InvalidValue
        For a callable without a `shape`.

    Examples
    --------
    >>> spectral_radius(np.array([[0.5, 1.0], [0.0, -0.75]]))
    0.75

    Book: smoothing, eq-error-propagation
    """
    if callable(E):
        if shape is None:
            raise InvalidValue("the spectral radius of a function needs the grid: give its shape.")
        size = int(np.prod(shape))
        if size <= 1000:
            E = as_matrix(E, shape)
        else:
            flat = E
            E = scipy.sparse.linalg.LinearOperator(
                (size, size), lambda v: flat(v.reshape(shape)).ravel(), dtype=float
            )
    elif scipy.sparse.issparse(E) and E.shape[0] <= 1000:
        E = E.toarray()
    if isinstance(E, np.ndarray):
        return float(np.abs(np.linalg.eigvals(E)).max())
    # A fixed start, so that the same question has the same answer.
    v0 = np.random.default_rng(0).standard_normal(E.shape[0])
    values = scipy.sparse.linalg.eigs(E, k=6, ncv=60, v0=v0, return_eigenvectors=False)
    return float(np.abs(values).max())
