r"""Both ends of the spectrum of an operator whose matrix is large: Arnoldi and Lanczos.

For a convolution with zero padding there is no symbol: its matrix is sparse (Toeplitz in blocks),
and its outermost eigenvalues and singular values come from products with it.

References
----------
.. [1] R. B. Lehoucq, D. C. Sorensen, C. Yang, ARPACK Users' Guide, 1998.
"""

import math

import numpy as np
import scipy

from ..errors import InvalidValue, choose
from ..linalg import _arpack
from ..linalg._numbers import floating, is_whole
from .convolutions import double
from .layers import as_convolution

_DENSE = 800  # up to this size it is quicker to compute all values than a few of them
_ENTRIES = 10**7  # up to this many the matrix is formed: 120 MB, and quicker than without it


def extremal_eigenvalues(operator, shape=None, k=6, which="LM"):
    """Return eigenvalues at one end of the spectrum, by Arnoldi's method.

    Parameters
    ----------
    operator : Convolution, module, square matrix (dense or sparse) or LinearOperator
    shape : tuple of int, optional
        That of the grid, for a convolution, which has its own padding mode.
    k : int
        How many.
    which : {"LM", "SM", "LR", "SR", "LI"}
        Largest or smallest magnitude, largest or smallest real part, largest imaginary part. The
        smallest magnitudes need a factorisation of the matrix.

    Returns
    -------
    array of complex, shape (k,)
        The outermost first; for "SM", the smallest. For up to 800 unknowns they are picked from all
        eigenvalues. ARPACK finds them to rounding, which for a nonnormal operator means that they
        are those of a matrix that differs by rounding.

    Raises
    ------
    InvalidValue
        If the operator is not square or has fewer than `k` eigenvalues, or Arnoldi's method does
        not converge.

    Examples
    --------
    >>> extremal_eigenvalues([[[-1.0, 2.0, -1.0]]], (7,), k=2).real.round(3)
    array([3.848, 3.414])

    Book: symbols, symbols-padding
    """
    choose("end of the spectrum", which, ("LM", "SM", "LR", "SR", "LI"))
    matrix = _operator(operator, shape, assemble=which == "SM")
    n = matrix.shape[0]
    if matrix.shape[1] != n:
        raise InvalidValue(
            f"an operator of {matrix.shape[1]} to {n} unknowns has no eigenvalues: ask for its "
            "singular values."
        )
    k = _count(k, n)
    key = {
        "LM": lambda z: -np.abs(z),
        "SM": np.abs,
        "LR": lambda z: -z.real,
        "SR": lambda z: z.real,
        "LI": lambda z: -np.abs(z.imag),
    }[which]
    if not (size := _arpack.size_of(matrix)):
        return np.zeros(k, complex)
    if n <= max(_DENSE, k + 2):
        values = np.linalg.eigvals(_dense(matrix)).astype(complex)
    else:
        matrix, unit = _arpack.brought_to_size_1(matrix, size)
        options = {"which": which, "ncv": min(n, max(4 * k, 60))}
        if which == "SM":
            options |= {"sigma": 0, "which": "LM", "OPinv": _inverse(matrix)}
        values = unit * _arpack.values(scipy.sparse.linalg.eigs, matrix, k, **options)
    return values[np.argsort(key(values), kind="stable")][:k]


def extremal_singular_values(operator, shape=None, k=6, which="LM"):
    r"""Return the largest or smallest singular values, by Lanczos' method.

    Parameters
    ----------
    operator : Convolution, module, matrix (dense or sparse) or LinearOperator
    shape : tuple of int, optional
        That of the input's grid, for a convolution, which has its own padding mode.
    k : int
        How many.
    which : {"LM", "SM"}
        The largest come from :math:`A^T A`; the smallest, which would lose half their digits
        there, from the factorised matrix of :math:`(u, f) \mapsto (A^T f, A u)`, whose eigenvalues
        are plus and minus the singular values.

    Returns
    -------
    array of float, shape (k,)
        The outermost first. For up to 800 unknowns they are picked from all singular values.

    Raises
    ------
    InvalidValue
        For a `k` that is too large, for the smallest values of an operator that is not square, or
        if Lanczos' method does not converge.

    Examples
    --------
    >>> laplace = [[[-1.0, 2.0, -1.0]]]
    >>> extremal_singular_values(laplace, (7,), k=1, which="SM").round(4)  # 2 - 2 cos(pi/8)
    array([0.1522])

    Book: symbols, symbols-padding
    """
    choose("end of the spectrum", which, ("LM", "SM"))
    matrix = _operator(operator, shape, assemble=which == "SM")
    m, n = matrix.shape
    k = _count(k, min(m, n))
    if not (size := _arpack.size_of(matrix)):
        return np.zeros(k)
    if max(m, n) <= _DENSE or min(m, n) <= k + 2:
        values = np.linalg.svd(_dense(matrix), compute_uv=False)
        return values[:k] if which == "LM" else values[::-1][:k]
    matrix, unit = _arpack.brought_to_size_1(matrix, size)  # so that squares stay in range
    if which == "LM":
        A = scipy.sparse.linalg.aslinearoperator(matrix)
        gram = A @ A.H if m < n else A.H @ A
        ncv = min(m, n, max(4 * k, 60))
        values = _arpack.values(scipy.sparse.linalg.eigsh, gram, k, which="LM", ncv=ncv)
        return unit * np.sqrt(np.sort(values)[::-1].clip(0))
    if m != n:
        raise InvalidValue(
            f"an operator of {n} to {m} unknowns: the smallest singular values are found for "
            "square ones; take a grid so small that the matrix is dense "
            f"(up to {_DENSE} unknowns)."
        )
    both = scipy.sparse.block_array([[None, matrix], [matrix.conj().T, None]], format="csc")
    options = {
        "sigma": 0,
        "which": "LM",
        "OPinv": _inverse(both),
        "ncv": min(2 * n, max(8 * k, 60)),
    }
    values = _arpack.values(scipy.sparse.linalg.eigsh, both, 2 * k, **options)
    return unit * np.sort(np.abs(values))[::2][:k]


def _operator(operator, shape, assemble):
    """The operator as a matrix, or without one where products with it are enough."""
    if isinstance(operator, scipy.sparse.linalg.LinearOperator):
        if assemble:
            raise InvalidValue(
                "the smallest values need a factorisation, and an operator given as a function has "
                "none: give its matrix."
            )
        return operator
    if shape is None:
        if scipy.sparse.issparse(operator):
            return operator.astype(np.result_type(operator.dtype, float))
        matrix = double(floating(operator, what="the operator"))
        if matrix.ndim == 2:
            return matrix
        raise InvalidValue(
            f"an operator of type {type(operator).__name__} and no grid: give a matrix, or a "
            "convolution and the shape of its grid."
        )
    A = as_convolution(operator)
    entries = math.prod(A.kernel.shape) * math.prod(A.output_shape(shape))
    return A.sparse(shape) if assemble or entries <= _ENTRIES else A.operator(shape)


def _dense(matrix):
    if isinstance(matrix, scipy.sparse.linalg.LinearOperator):
        return matrix @ np.eye(matrix.shape[1])
    return matrix.toarray() if scipy.sparse.issparse(matrix) else matrix


def _count(k, n):
    if is_whole(k, 1) and k <= n:
        return int(k)
    raise InvalidValue(f"k = {k!r} values of {n}: give a whole number from 1 to {n}.")


def _inverse(matrix):
    """Solutions with a sparse matrix; a singular one is shifted by a rounding error."""
    matrix = scipy.sparse.csc_array(matrix)
    try:
        factors = scipy.sparse.linalg.splu(matrix)
    except RuntimeError:  # exactly singular
        size = abs(matrix).sum(axis=1).max()
        nudge = np.finfo(float).eps * (size or 1.0) * scipy.sparse.eye_array(matrix.shape[0])
        factors = scipy.sparse.linalg.splu(scipy.sparse.csc_array(matrix + nudge))
    return scipy.sparse.linalg.LinearOperator(matrix.shape, factors.solve, dtype=matrix.dtype)
