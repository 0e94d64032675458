"""How far a mesh coarsens, and the exact solver at the bottom."""

import math

import numpy as np
import scipy

from ..errors import InvalidValue
from ._numbers import floating, in_type, is_whole, solvable, whole
from .stencils import Stencil

#: The greatest number of unknowns for which the coarsest problem is solved by a dense
#: (pseudo)inverse.
DENSE = 1000
#: The greatest number of unknowns that a hierarchy may leave to its coarsest level when it
#: chooses the depth.
COARSEST = 20_000


def coarsenings(n, depth=None):
    """Return the numbers of mesh cells on all levels, from fine to coarse.

    Parameters
    ----------
    n : int
        Mesh cells along each axis on the finest level.
    depth : int, optional
        Number of levels; by default halving goes on as long as it can.

    Raises
    ------
    InvalidValue
        If `n` cannot be halved ``depth - 1`` times down to 2 or more, or cannot be halved at all.

    Examples
    --------
    >>> coarsenings(48), coarsenings(64, depth=2)
    ([48, 24, 12, 6, 3], [64, 32])

    Book: coarsening, coarsening-v-cycles
    """
    if depth is not None and not is_whole(depth, 1):
        raise InvalidValue(f"depth = {depth!r}: a hierarchy has 1 level or more.")
    sizes = [n := whole("n", n, 1)]
    while sizes[-1] % 2 == 0 and sizes[-1] >= 4 and len(sizes) != depth:
        sizes.append(sizes[-1] // 2)
    if len(sizes) < (2 if depth is None and n > 3 else depth or 1):
        wanted = f" to {depth} levels" if depth else ""
        near = 2 ** max(2, round(math.log2(max(n, 4))))
        raise InvalidValue(
            f"n = {n} mesh cells do not coarsen{wanted}: halving gives {sizes} and ends at the "
            f"first odd number or at 2; take a power of two, such as {near}, or a small multiple "
            "of one."
        )
    return sizes


def check_coarsest(sizes, d, depth=None):
    """Raise :class:`InvalidValue` if a default depth leaves the coarsest level too many unknowns.

    A `depth` that was asked for is not checked: a two-grid method wants a large coarsest level.

    Parameters
    ----------
    sizes : sequence of int
        Mesh cells along an axis on all levels, from fine to coarse.
    d : int
        Dimensions of the grid.
    depth : int, optional
        The number of levels that was asked for, if one was.

    Raises
    ------
    InvalidValue
        If the depth was left to the mesh, and more than ``COARSEST`` unknowns are left.

    Examples
    --------
    >>> check_coarsest([64, 32, 16, 8, 4, 2], d=2)
    >>> check_coarsest([1023], d=2)
    Traceback (most recent call last):
    ...
    mgtutorial.errors.InvalidValue: n = 1023 mesh cells can be halved to 1023 only, ...

    Book: coarsening, coarsening-v-cycles
    """
    unknowns = sizes[-1] ** d
    if depth is None and unknowns > COARSEST:
        raise InvalidValue(
            f"n = {sizes[0]} mesh cells can be halved to {sizes[-1]} only, which leaves about "
            f"{unknowns} unknowns to the coarsest level: take a number with more factors 2."
        )


def direct(problem):
    """Return ``B``, the exact inverse of a linear problem's operator, for a coarsest level.

    Parameters
    ----------
    problem : Problem
        If it is singular (periodic), `B` is the pseudoinverse.

    Returns
    -------
    callable
        For arrays and tensors of shape ``(..., *grid)``; gradients flow for up to 1,000 unknowns.

    Raises
    ------
    InvalidValue
        For a singular problem with more than 1,000 unknowns; when called, for another grid, or for
        a gradient with more than 1,000 unknowns.

    Examples
    --------
    >>> from mgtutorial.linalg import poisson
    >>> direct(poisson(4, d=1))(np.array([16.0, 0.0, 16.0]))
    array([1., 1., 1.])

    Book: coarsening, coarsening-v-cycles
    """
    matrix, shape = problem.sparse(), problem.shape
    size = matrix.shape[0]
    if size > DENSE:
        if problem.A.singular:
            raise InvalidValue(
                f"the coarsest problem is singular and has {size} unknowns, more than the {DENSE} "
                "that are solved by a dense pseudoinverse: use more levels."
            )
        inverse = _sparse_inverse(matrix.tocsc())
    else:
        invert = np.linalg.pinv if problem.A.singular else np.linalg.inv
        inverse = _dense_inverse(np.ascontiguousarray(invert(matrix.toarray()).T))

    def B(r):
        if tuple(r.shape[max(0, r.ndim - len(shape)) :]) != shape:
            raise InvalidValue(
                f"the coarsest problem has unknowns of shape {shape} and was given an array of "
                f"shape {tuple(r.shape)}: the last {len(shape)} axes must be its grid."
            )
        return inverse(in_type(r, ()).reshape(-1, size)).reshape(r.shape)

    return B


def _dense_inverse(transposed):
    """Solutions for the rows of an array or a tensor, by a product with the inverse."""

    def rows(r):
        if isinstance(r, np.ndarray):
            dtype = np.result_type(r.dtype, np.float32, _complex_as(transposed))
            return r @ transposed.astype(dtype, copy=False)
        import torch

        turns = np.iscomplexobj(transposed)
        dtype = torch.promote_types(r.dtype, torch.complex64) if turns else r.dtype
        return r.to(dtype) @ torch.as_tensor(transposed, dtype=dtype, device=r.device)

    return rows


def _sparse_inverse(matrix):
    """The same by a factorisation; tensors are treated as arrays, without a graph."""
    columns = _factorised(matrix)

    def rows(r):
        if isinstance(r, np.ndarray):
            return np.ascontiguousarray(columns(r.T).T)
        import torch

        if r.requires_grad and torch.is_grad_enabled():
            raise InvalidValue(
                f"the coarsest problem has {matrix.shape[0]} unknowns, more than the {DENSE} "
                "through which gradients are computed: use more levels, or detach the tensor."
            )
        b = floating(r.detach()).cpu().numpy().T  # NumPy has no bfloat16
        return torch.from_numpy(np.ascontiguousarray(columns(b).T)).to(r.device)

    return rows


def _factorised(matrix):
    """Solutions for the columns of an array, by a factorisation of a regular matrix."""
    matrix = scipy.sparse.csc_array(matrix)
    try:
        factors = scipy.sparse.linalg.splu(matrix)
        pivots = abs(factors.U.diagonal())[factors.perm_c] / abs(matrix).max(axis=0).toarray()
        singular = pivots.min() <= len(pivots) * np.finfo(pivots.dtype).eps
    except RuntimeError:  # exactly singular
        singular = True
    if singular:
        raise InvalidValue(
            f"the matrix of {matrix.shape[0]} unknowns is singular up to rounding, so that its "
            "equations have no solution or many: leave out what it maps to zero, such as constants "
            "on a periodic grid."
        )

    def columns(b):
        b = np.ascontiguousarray(b, dtype=np.result_type(solvable(b, matrix.data), matrix.dtype))
        if np.iscomplexobj(b) and not np.iscomplexobj(matrix):  # one factorisation serves both
            return factors.solve(b.real.copy()) + 1j * factors.solve(b.imag.copy())
        return factors.solve(b)

    return columns


def _complex_as(array):
    """The smallest type of an array of the same kind, real or complex."""
    return np.complex64 if np.iscomplexobj(array) else np.float32


def galerkin(R, A, P):
    r"""Return the Galerkin operator :math:`R A P` on the coarse grid.

    Parameters
    ----------
    R, A, P : matrices, or Restriction, Stencil and Prolongation
        With a stencil the result is a stencil too: the product of the three stencils on the
        fine grid, read at every second point.

    Returns
    -------
    matrix or Stencil

    Raises
    ------
    InvalidValue
        If a transfer reaches further than one point on a grid with a Dirichlet boundary: near the
        boundary the product is then not a stencil. Use the matrices.

    Examples
    --------
    >>> from mgtutorial.linalg import full_weighting, linear_interpolation, poisson
    >>> A = poisson(8, d=1).A
    >>> galerkin(full_weighting(d=1), A, linear_interpolation(d=1)) == poisson(4, d=1).A
    True

    Book: coarsening, coarsening-problem
    """
    if not isinstance(A, Stencil):
        return R @ A @ P
    reach = max(abs(i) for t in (R, P) for offset in t.stencil.offsets for i in offset)
    if A.boundary == "dirichlet" and reach > 1:
        raise InvalidValue(
            f"transfers that reach {reach} points give no stencil next to a Dirichlet boundary: "
            "multiply the matrices, R.sparse(shape) @ A.sparse(shape) @ P.sparse(shape)."
        )
    terms = {}
    # Coarse offset K: sum over r_a A_b p_c with a + b = 2 K + c, as R reads at +a, P writes to +c.
    for a, ca in zip(R.stencil.offsets, R.stencil.coefficients, strict=True):
        for b, cb in zip(A.offsets, A.coefficients, strict=True):
            for c, cc in zip(P.stencil.offsets, P.stencil.coefficients, strict=True):
                at = tuple(i + j - k for i, j, k in zip(a, b, c, strict=True))
                if not any(i % 2 for i in at):
                    K = tuple(i // 2 for i in at)
                    terms[K] = terms.get(K, 0.0) + ca * cb * cc
    size = max(map(abs, terms.values()))
    # Terms that cancel leave rounding behind, which is not a coupling.
    kept = {K: c for K, c in sorted(terms.items()) if abs(c) > 1e-14 * size or not any(K)}
    return Stencil(tuple(kept), tuple(kept.values()), A.boundary)
