"""ARPACK for operators of any magnitude, including zero.

Its convergence tests compare with a fixed small number, so for a small operator they pass too soon,
and a zero one stops it with an error code. Operators are therefore scaled to a size near 1 first.
"""

import numpy as np
import scipy

from ..errors import InvalidValue


def start(n):
    """A fixed start, so that the same question gets the same answer."""
    return np.random.default_rng(0).standard_normal(n)


def size_of(matrix):
    """Return the size of an operator: 0.0 only for the zero operator.

    Parameters
    ----------
    matrix : array, sparse array or LinearOperator
        For a LinearOperator, the size is how much it enlarges a random vector.

    Raises
    ------
    InvalidValue
        If it is not finite.
    """
    if isinstance(matrix, scipy.sparse.linalg.LinearOperator):
        v = start(matrix.shape[1])
        with np.errstate(over="ignore", invalid="ignore"):
            size = np.abs(matrix @ v).max(initial=0.0)
    else:
        entries = matrix.data if scipy.sparse.issparse(matrix) else np.asarray(matrix)
        size = np.abs(entries).max(initial=0.0)
    if not np.isfinite(size):
        raise InvalidValue(
            "the operator has entries that are NaN or infinite, so that it has no spectrum."
        )
    return float(size)


def values(method, matrix, k, **options):
    """Return `k` values at one end of a spectrum; failure to converge is reported in one sentence.

    Parameters
    ----------
    method : scipy.sparse.linalg.eigs or eigsh
    matrix : sparse array or LinearOperator, of a size about 1
    k : int
    **options
        Of the method.

    Raises
    ------
    InvalidValue
    """
    try:
        return method(matrix, k=k, v0=start(matrix.shape[0]), return_eigenvectors=False, **options)
    except scipy.sparse.linalg.ArpackNoConvergence as error:
        raise InvalidValue(
            f"{len(error.eigenvalues)} of {k} values converged, as the spectrum is crowded at this "
            "end: ask for fewer or for another end, or take a smaller grid."
        ) from error
    except scipy.sparse.linalg.ArpackError as error:
        raise InvalidValue(
            f"Arnoldi's method did not find {k} values ({str(error).rstrip('.')}): ask for fewer, "
            "or take a grid so small that all are computed."
        ) from error


def brought_to_size_1(matrix, size):
    """Return the operator divided by its size, unless near 1, and the factor that undoes it."""
    if 1e-6 < size < 1e6:
        return matrix, 1.0
    unit = 2.0 ** np.clip(np.round(np.log2(size)), -1000, 1000)
    return matrix * (1 / unit), float(unit)
