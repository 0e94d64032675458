r"""Transfers between a grid and the grid of doubled mesh width.

**One idea.** A restriction is a stencil that is evaluated at every second point only; an
interpolation is the transpose of a restriction. So both are data, just as operators are:
:class:`Restriction` and :class:`Prolongation` hold a stencil, apply themselves matrix-free to
arrays and tensors, and turn into SciPy matrices.

**Where the coarse points are.** With ``n`` cells along an axis the coarse grid has ``n / 2``.
Dirichlet: the interior points :math:`j = 2, 4, \dots, n-2`, which are the array indices
1, 3, ...; ``2 m + 1`` unknowns become ``m``. Periodic: :math:`j = 0, 2, \dots, n-2`; ``2 m``
become ``m``.

References
----------
.. [1] U. Trottenberg, C. W. Oosterlee, A. Schueller, Multigrid, 2001: section 2.3.
.. [2] W. L. Briggs, V. E. Henson, S. F. McCormick, A Multigrid Tutorial, 2nd ed., 2000: chapter 3.
"""

import math
from dataclasses import dataclass
from functools import lru_cache, reduce

import numpy as np
import scipy

from ..errors import InvalidValue, choose
from ._numbers import plain
from .stencils import BOUNDARIES, Stencil, slice_pairs


def coarse_shape(shape, boundary="dirichlet"):
    """Return the shape of the grid of doubled mesh width.

    Parameters
    ----------
    shape : tuple of int
        Of the unknowns on the fine grid.
    boundary : {"dirichlet", "periodic"}

    Raises
    ------
    InvalidValue
        If the number of mesh cells along an axis is odd, or no unknown would be left.

    Examples
    --------
    >>> coarse_shape((31, 31)), coarse_shape((32,), "periodic")
    ((15, 15), (16,))

    Book: coarsening, coarsening-grids
    """
    shape, dirichlet = plain(shape), boundary == "dirichlet"
    if any(m < 2 + dirichlet or m % 2 != dirichlet for m in shape):
        cells = tuple(m + dirichlet for m in shape)
        raise InvalidValue(
            f"a grid of {' x '.join(map(str, cells))} mesh cells does not coarsen: the number of "
            "cells along each axis must be even, and 4 or more with Dirichlet boundary "
            "(a power of two coarsens furthest)."
        )
    return tuple(m // 2 for m in shape)


def fine_shape(shape, boundary="dirichlet"):
    """Return the shape of the grid of halved mesh width.

    Parameters
    ----------
    shape : tuple of int
        Of the unknowns on the coarse grid.
    boundary : {"dirichlet", "periodic"}

    Examples
    --------
    >>> fine_shape((15, 15)), fine_shape((16,), "periodic")
    ((31, 31), (32,))

    Book: coarsening, coarsening-grids
    """
    return tuple(2 * m + (boundary == "dirichlet") for m in plain(shape))


@lru_cache(maxsize=4096)
def sublattice_pairs(shape, offset, boundary, first):
    """Return index tuples ``(points, sources)`` for every second point of a grid.

    Like :func:`~mgtutorial.linalg.slice_pairs` with step 2, but `points` index an array that
    holds only the sublattice: ``u[first::2]`` along each axis.

    Parameters
    ----------
    shape : tuple of int
        Of the grid.
    offset : tuple of int
        From a point of the sublattice to its neighbour.
    boundary : {"dirichlet", "periodic"}
    first : tuple of int
        0 or 1 for each axis: where the sublattice begins.

    Examples
    --------
    >>> sublattice_pairs((7,), (1,), "dirichlet", (1,))
    (((Ellipsis, slice(0, 3, None)), (Ellipsis, slice(2, 7, 2))),)

    Book: coarsening, coarsening-grids
    """
    pairs = slice_pairs(shape, offset, boundary, first, 2)
    halved = [
        tuple(
            slice((t.start - i) // 2, (t.stop - i + 1) // 2)
            for t, i in zip(targets[1:], first, strict=True)
        )
        for targets, _ in pairs
    ]
    return tuple(
        ((..., *points), sources) for points, (_, sources) in zip(halved, pairs, strict=True)
    )


def _zeros(like, shape):
    """Return zeros of `shape`, of the type and kind of ``0.5 * like``."""
    if isinstance(like, np.ndarray):
        return np.zeros(shape, (0.5 * like[..., :1]).dtype)
    return like.new_zeros(shape, dtype=(0.5 * like[..., :1]).dtype)


@dataclass(frozen=True)
class _Transfer:
    """What a restriction and an interpolation share: the weights of the fine neighbours."""

    stencil: Stencil

    @property
    def d(self):
        """Number of space dimensions."""
        return self.stencil.d

    @property
    def boundary(self):
        """The boundary of both grids, "dirichlet" or "periodic"."""
        return self.stencil.boundary

    def symbol(self, *theta):
        r"""Return the symbol of the stencil, :math:`\sum_k w_k e^{i k \cdot \theta}`.

        A restriction maps the wave :math:`e^{i \theta \cdot j}` to this multiple of the coarse
        wave of frequency :math:`2 \theta`. An interpolation maps that coarse wave to
        :math:`2^{-d}` times the sum over its :math:`2^d` harmonics, each with the complex
        conjugate of this as its weight.
        """
        return self.stencil.symbol(*theta)

    def _split(self, x):
        if x.ndim < self.d:
            raise InvalidValue(
                f"a transfer in {self.d} dimensions cannot act on an array of shape "
                f"{tuple(x.shape)}: the grid must be the last {self.d} axes."
            )
        return tuple(x.shape[: x.ndim - self.d]), tuple(x.shape[x.ndim - self.d :])

    def _terms(self, shape):
        """Yield ``(weight, coarse, fine)`` for the fine grid of `shape`."""
        first = (int(self.boundary == "dirichlet"),) * self.d
        for offset, c in zip(self.stencil.offsets, self.stencil.coefficients, strict=True):
            for coarse, fine in sublattice_pairs(shape, offset, self.boundary, first):
                yield c, coarse, fine

    def _matrix(self, shape, dtype):
        """Return the matrix with a row for each coarse and a column for each fine point."""
        shape = plain(shape)
        small = coarse_shape(shape, self.boundary)
        row = np.arange(math.prod(small)).reshape(small)
        column = np.arange(math.prod(shape)).reshape(shape)
        parts = [
            (np.full(row[coarse].size, c, dtype), row[coarse].ravel(), column[fine].ravel())
            for c, coarse, fine in self._terms(shape)
        ]
        values, rows, columns = map(np.concatenate, zip(*parts, strict=True))
        size = row.size, column.size
        return scipy.sparse.coo_array((values, (rows, columns)), shape=size).tocsr()


class Restriction(_Transfer):
    r"""From fine to coarse: :math:`(R r)_J = \sum_k w_k\, r_{2J + k}`.

    Attributes
    ----------
    stencil : Stencil
        The weights :math:`w_k` and the boundary.

    Examples
    --------
    >>> R = full_weighting(d=1)
    >>> R(np.array([0.0, 4.0, 0.0, 0.0, 8.0, 0.0, 0.0]))
    array([2., 2., 2.])

    Book: coarsening, eq-full-weighting-2d
    """

    def __call__(self, r):
        """Restrict `r`, shape ``(..., *grid)``; return a new array.

        Raises
        ------
        InvalidValue
            If the grid does not coarsen.
        """
        batch, shape = self._split(r)
        out = _zeros(r, batch + coarse_shape(shape, self.boundary))
        for c, coarse, fine in self._terms(shape):
            out[coarse] += c * r[fine]
        return out

    def adjoint(self, scale=1.0):
        """Return ``scale * R^T``, a :class:`Prolongation`."""
        return Prolongation(_scaled(self.stencil, scale))

    def sparse(self, shape, dtype=float):
        """Return the matrix for the *fine* grid of `shape`, as a ``scipy.sparse.csr_array``."""
        return self._matrix(shape, dtype)


class Prolongation(_Transfer):
    r"""From coarse to fine: :math:`(P e)_j = \sum_{2J + k = j} w_k\, e_J`.

    Attributes
    ----------
    stencil : Stencil
        The weights :math:`w_k` with which a coarse point enters its fine neighbours.

    Examples
    --------
    >>> P = linear_interpolation(d=1)
    >>> P(np.array([2.0, 4.0]))
    array([1., 2., 3., 4., 2.])

    Book: coarsening, eq-interpolation
    """

    def __call__(self, e):
        """Interpolate `e`, shape ``(..., *grid)``, to the fine grid; return a new array."""
        batch, shape = self._split(e)
        shape = fine_shape(shape, self.boundary)
        out = _zeros(e, batch + shape)
        for c, coarse, fine in self._terms(shape):
            out[fine] += c * e[coarse]
        return out

    def adjoint(self, scale=1.0):
        """Return ``scale * P^T``, a :class:`Restriction`."""
        return Restriction(_scaled(self.stencil, scale))

    def sparse(self, shape, dtype=float):
        """Return the matrix for the *fine* grid of `shape`, as a ``scipy.sparse.csr_array``."""
        return self._matrix(shape, dtype).T.tocsr()


def full_weighting(d=2, boundary="dirichlet"):
    r"""Full weighting: the mean with weights 1/4, 1/2, 1/4 along each axis.

    It is :math:`2^{-d} P^T` with :math:`P` linear interpolation.

    Parameters
    ----------
    d : int
    boundary : {"dirichlet", "periodic"}

    Examples
    --------
    >>> full_weighting(d=2).stencil.kernel() * 16
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])

    Book: coarsening, eq-full-weighting-2d
    """
    return Restriction(_tensor((0.25, 0.5, 0.25), d, boundary))


def half_weighting(boundary="dirichlet"):
    """Half weighting in 2D: 1/2 for the point, 1/8 for each of its four neighbours.

    Parameters
    ----------
    boundary : {"dirichlet", "periodic"}

    Examples
    --------
    >>> half_weighting().stencil.kernel() * 8
    array([[0., 1., 0.],
           [1., 4., 1.],
           [0., 1., 0.]])

    Book: coarsening, coarsening-transfers
    """
    return Restriction(
        Stencil.from_kernel(np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 8, boundary)
    )


def injection(d=2, boundary="dirichlet"):
    """Injection: the value at the coarse point, without reading its neighbours.

    Parameters
    ----------
    d : int
    boundary : {"dirichlet", "periodic"}

    Examples
    --------
    >>> injection(d=1)(np.array([1.0, 2.0, 3.0]))
    array([2.])

    Book: coarsening, coarsening-transfers
    """
    return Restriction(_tensor((0.0, 1.0, 0.0), d, boundary))


def linear_interpolation(d=2, boundary="dirichlet"):
    """Linear interpolation along each axis: bilinear for ``d = 2``.

    Parameters
    ----------
    d : int
    boundary : {"dirichlet", "periodic"}

    Examples
    --------
    >>> linear_interpolation(d=2).stencil.kernel() * 4
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])

    Book: coarsening, eq-interpolation
    """
    return Prolongation(_tensor((0.5, 1.0, 0.5), d, boundary))


def cubic_interpolation(d=2, boundary="dirichlet"):
    r"""Cubic interpolation along each axis, as a function.

    Midpoints take :math:`(-1, 9, 9, -1)/16` of the four nearest coarse points; next to a Dirichlet
    boundary :math:`(5, 15, -5, 1)/16`, beginning with the boundary's zero. It is exact for
    cubic polynomials, and meant for approximations (full multigrid), not for corrections.

    Returns
    -------
    callable
        From arrays or tensors of shape ``(..., *coarse)`` to ``(..., *fine)``.

    Examples
    --------
    >>> x = np.arange(1, 8) / 8
    >>> fine = cubic_interpolation(d=1)((x * (1 - x) ** 2)[1::2])
    >>> bool(abs(fine - x * (1 - x) ** 2).max() < 1e-15)
    True

    Book: coarsening, coarsening-full-multigrid
    """
    choose("boundary", boundary, BOUNDARIES)

    def along_last(u):
        m = u.shape[-1]
        out = _zeros(u, (*u.shape[:-1], *fine_shape((m,), boundary)))
        at = np.arange(m + (boundary == "dirichlet"))  # midpoints, each left of coarse point at
        if boundary == "periodic":
            out[..., 0::2] = u
            near = [u[..., (at + k) % m] for k in (-1, 0, 1, 2)]
            out[..., 1::2] = (9 * (near[1] + near[2]) - near[0] - near[3]) / 16
            return out
        out[..., 1::2] = u
        padded = _zeros(u, (*u.shape[:-1], m + 2))
        padded[..., 1:-1] = u
        if m == 1:  # three points with the boundary: a parabola
            out[..., 0::2] = 0.75 * u
            return out
        inner = 9 * (padded[..., 1:-2] + padded[..., 2:-1])
        out[..., 2:-1:2] = (inner - padded[..., :-3] - padded[..., 3:]) / 16
        out[..., 0] = (15 * padded[..., 1] - 5 * padded[..., 2] + padded[..., 3]) / 16
        out[..., -1] = (15 * padded[..., -2] - 5 * padded[..., -3] + padded[..., -4]) / 16
        return out

    def interpolate(u):
        for axis in range(-d, 0):
            u = along_last(u.swapaxes(axis, -1)).swapaxes(axis, -1)
        return u

    return interpolate


def _tensor(weights, d, boundary):
    """Return the stencil with the product of the weights along `d` axes."""
    if d not in (1, 2, 3):
        raise InvalidValue(f"a transfer in d = {d!r} dimensions: give 1, 2 or 3.")
    return Stencil.from_kernel(reduce(np.multiply.outer, [np.array(weights)] * d), boundary)


def _scaled(stencil, scale):
    coefficients = tuple(scale * c for c in stencil.coefficients)
    return Stencil(stencil.offsets, coefficients, stencil.boundary)
