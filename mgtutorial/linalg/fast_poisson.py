r"""A fast solver for Poisson's equation on the square: the same cycle, and nothing wasted.

:func:`mgtutorial.multigrid.cycle` asks only for callables. Those of this module know that the
operator is the five-point stencil, that the smoother is red-black Gauss-Seidel and that the
transfers are full weighting and bilinear interpolation. What this saves:

* Red and black points are kept in two arrays, so that every operation runs through memory in
  order, in blocks of rows that fit into the cache. (With both colours in one array, every second
  number that is fetched is of the wrong colour.)
* After a sweep the residual vanishes at the black points. It is computed only at the red ones,
  and half of the neighbours in full weighting are black.
* A sweep begins with the red points and reads only the black ones. So the interpolated
  correction is added only to the black points.
* Where the residual is current, updating the red points means adding a multiple of it, once.
* All arrays are allocated once; steps overwrite `u`.

**Layout.** Equations are multiplied by :math:`h^2`: ``f`` stands for :math:`h^2 f`, and `A` is
4, -1, -1, -1, -1. A grid function is an array of shape ``(2, n + 1, n / 2 + 1)``: colour (0 for
red, :math:`i + j` even), row :math:`i` with the boundary, and :math:`\lfloor j / 2 \rfloor`.
Entries that belong to no unknown (the boundary, and a slot at the end of the rows with odd
:math:`j`) are zero throughout. Vertical neighbours have the same place in the row.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from ..errors import InvalidValue
from ..multigrid import Level, State, correct
from ._numbers import floating, scale_of, two_steps
from .coarsening import check_coarsest, coarsenings, direct
from .problems import poisson
from .solvers import full_multigrid, solve

RED, BLACK = 0, 1
#: Points in a block of rows, roughly: three arrays of that size fit into the cache.
BLOCK = 65536


def split(u, out=None):
    """Return an array of unknowns, shape ``(n - 1, n - 1)`` with even `n`, in the layout above.

    The result is written to `out` if that is given.

    Parameters
    ----------
    u : array, shape (n - 1, n - 1)
        `n` even.
    out : array, shape (2, n + 1, n / 2 + 1), optional

    Returns
    -------
    array, shape (2, n + 1, n / 2 + 1)
        `out` if that is given.

    Raises
    ------
    InvalidValue
        For complex numbers.

    Examples
    --------
    >>> red, black = split(np.arange(9.0).reshape(3, 3))
    >>> red[1:-1]
    array([[0., 2., 0.],
           [0., 4., 0.],
           [6., 8., 0.]])

    Book: smoothing, smoothing-gauss-seidel
    """
    n = u.shape[0] + 1
    if np.iscomplexobj(u):
        raise InvalidValue(
            "the array is complex, and this layout holds real numbers: give its real or its "
            "imaginary part."
        )
    out = np.zeros((2, n + 1, n // 2 + 1)) if out is None else out
    for place, points in _PLACES:
        out[place] = u[points]
    return out


def merge(s, out=None, scale=1.0):
    """Return the unknowns of an array in the layout above, shape ``(n - 1, n - 1)``, times `scale`.

    Parameters
    ----------
    s : array, shape (2, n + 1, n / 2 + 1)
    out : array, shape (n - 1, n - 1), optional
        If it is given, the result is written to it.
    scale : float

    Examples
    --------
    >>> u = np.arange(9.0).reshape(3, 3)
    >>> np.array_equal(merge(split(u)), u)
    True

    Book: smoothing, smoothing-gauss-seidel
    """
    n = s.shape[1] - 1
    out = np.empty((n - 1, n - 1)) if out is None else out
    for place, points in _PLACES:
        np.multiply(s[place], scale, out=out[points])
    return out


# Where the unknowns stand in a row, if their columns j are odd, and if they are even.
_ODD, _EVEN = slice(None, -1), slice(1, -1)
# Where each quarter of the unknowns stands in the layout, and where in an ordinary array.
_PLACES = (
    ((RED, slice(1, -1, 2), _ODD), np.s_[0::2, 0::2]),
    ((RED, slice(2, -1, 2), _EVEN), np.s_[1::2, 1::2]),
    ((BLACK, slice(1, -1, 2), _EVEN), np.s_[0::2, 1::2]),
    ((BLACK, slice(2, -1, 2), _ODD), np.s_[1::2, 0::2]),
)


class _Grid:
    """The arrays of one level and what is done with them. `n` is even.

    Each method is one of the callables of a :class:`~mgtutorial.multigrid.Level`.
    """

    def __init__(self, n):
        self.n, self.shape = n, (2, n + 1, n // 2 + 1)
        self.u, self.f = np.zeros(self.shape), np.zeros(self.shape)
        self.r = np.zeros(self.shape[1:])  # at the red points
        self.half_u = np.zeros((n + 1, n + 1))  # unsplit, for the interpolation from here
        rows = max(2, BLOCK // self.shape[2] // 2 * 2)
        # Blocks begin with an odd row, so that the parities are known.
        self.blocks = [(a, min(a + rows, n)) for a in range(1, n, rows)]
        self.work = np.empty((rows, self.shape[2]))

    def neighbours(self, u, colour, a, b):
        """Sum the four neighbours of the points of `colour` in rows a to b - 1; a is odd.

        Returns
        -------
        sums : array, shape (b - a, n / 2 + 1)
            A view of the work array, overwritten by the next call.
        odd, even : tuples of slices
            Where odd and even rows of the block hold unknowns.
        """
        other = u[1 - colour]
        t = self.work[: b - a]
        np.add(other[a - 1 : b - 1], other[a + 1 : b + 1], out=t)
        t += other[a:b]
        # In its own row a point lies between q - 1 and q if its column j is even, otherwise
        # between q and q + 1. Red points have j even in even rows, black ones in odd rows.
        first, second = (_ODD, _EVEN) if colour == RED else (_EVEN, _ODD)
        for start, place in ((0, first), (1, second)):
            part = other[a + start : b : 2]
            t[start::2, place] += part[:, :-2] if place is _EVEN else part[:, 1:]
        return t, (slice(0, None, 2), first), (slice(1, None, 2), second)

    def half_sweep(self, u, f, colour):
        """Solve the equations of one colour for their own unknowns, in place."""
        mine = u[colour]
        for a, b in self.blocks:
            t, *places = self.neighbours(u, colour, a, b)
            t += f[colour, a:b]
            for place in places:
                np.multiply(t[place], 0.25, out=mine[a:b][place])

    def residual(self, u, f):
        """Compute the residual at the red points; return it, an array owned by this grid."""
        for a, b in self.blocks:
            t, *places = self.neighbours(u, RED, a, b)
            t += f[RED, a:b]
            for place in places:
                here = self.r[a:b][place]
                np.multiply(u[RED, a:b][place], -4.0, out=here)
                here += t[place]
        return self.r

    def A(self, u):
        """Apply the operator, at all points."""
        out = 4.0 * u
        for colour in (RED, BLACK):
            for a, b in self.blocks:
                t, *places = self.neighbours(u, colour, a, b)
                for place in places:
                    out[colour, a:b][place] -= t[place]
        return out

    def sweep(self, s):
        """A smoothing step: red, then black; it uses a current residual for the red points."""
        u, f = s.u, s.f
        if s.r is f and s.r is not None:  # the zero start, whose residual is the right-hand side
            u = self.u
            np.multiply(f[RED], 0.25, out=u[RED])
        elif s.r is not None:
            red = s.r if s.r.ndim == 2 else s.r[RED]
            for a, b in self.blocks:
                t = np.multiply(red[a:b], 0.25, out=self.work[: b - a])
                u[RED, a:b] += t
        else:
            self.half_sweep(u, f, RED)
        self.half_sweep(u, f, BLACK)
        return State(u, f)

    def with_red_residual(self, s):
        """A step that changes nothing and makes the residual current, at the red points."""
        return State(s.u, s.f, self.residual(s.u, s.f))

    def take(self, f):
        """Return the unsplit `f` as a right-hand side of this level."""
        return split(f, self.f)

    def halved(self, u):
        """Return ``u / 2``, unsplit and with the boundary."""
        merge(u, self.half_u[1:-1, 1:-1], 0.5)
        return self.half_u

    def add(self, u, e):
        """Add to the black points of `u` the interpolation of `e`, from a coarser `halved`."""
        n, half, black = self.n, self.n // 2, u[BLACK]
        between_columns, between_rows = black[2:n:2, :-1], black[1:n:2, 1:-1]
        between_columns += e[1:half, :-1]
        between_columns += e[1:half, 1:]
        between_rows += e[:-1, 1:-1]
        between_rows += e[1:, 1:-1]
        return u

    def restriction(self, coarse):
        """Return `R`: four times full weighting (the factor is the ratio of the meshes' h^2)."""
        n, half = self.n, self.n // 2
        pairs = np.empty((half, half - 1))  # sums of two neighbours in odd rows
        out = np.empty((half - 1, half - 1))

        def R(r):
            red = r if r.ndim == 2 else r[RED]
            np.add(red[1:n:2, :-2], red[1:n:2, 1:-1], out=pairs)
            np.add(pairs[:-1], pairs[1:], out=out)
            np.multiply(out, 0.25, out=out)
            np.add(out, red[2:n:2, 1:-1], out=out)
            if r.ndim == 3:  # a right-hand side: its black neighbours count, with weight 1/2
                black = r[BLACK]
                along = black[2:n:2, :-2] + black[2:n:2, 1:-1]
                across = black[1 : n - 1 : 2, 1:-1] + black[3:n:2, 1:-1]
                np.add(out, 0.5 * (along + across), out=out)
            return coarse.take(out)

        return R


class _Coarsest:
    """The last level: a few unknowns, not split, and solved exactly."""

    def __init__(self, n):
        problem = poisson(n)
        stencil = problem.A
        self.inverse, self.scale = direct(problem), n**2
        self.A = lambda u: stencil(u) / n**2
        self.half_u = np.zeros((n + 1, n + 1))

    def take(self, f):
        return f.copy()

    def halved(self, u):
        np.multiply(u, 0.5, out=self.half_u[1:-1, 1:-1])
        return self.half_u

    def B(self, r):
        return self.inverse(r) * self.scale


class PoissonSolver:
    r"""Multigrid for :math:`-\Delta u = f` on the unit square with zero boundary values.

    The arrays are allocated once, so one solver serves many right-hand sides (one at a time).
    It runs V(1,1)-cycles with red-black Gauss-Seidel, full weighting and bilinear interpolation,
    after a start by full multigrid. The numbers are those of
    :func:`~mgtutorial.linalg.poisson_levels`, up to rounding.

    Parameters
    ----------
    n : int
        Mesh cells along each axis; even, preferably a power of two.
    nu : (int, int)
        Smoothing steps before and after the coarse-grid correction, at least 1 of each.

    Attributes
    ----------
    levels : list of Level
        For :func:`~mgtutorial.multigrid.cycle`, in this module's layout. They overwrite `u`.

    Raises
    ------
    InvalidValue
        If `n` does not coarsen, or a number of steps is 0.

    Examples
    --------
    >>> solver = PoissonSolver(64)
    >>> result = solver.solve(np.ones((63, 63)), tol=1e-10)
    >>> bool(abs(poisson(64).A(result.u) - 1).max() < 1e-8)
    True

    Book: coarsening, coarsening-full-multigrid
    """

    def __init__(self, n, nu=(1, 1)):
        if min(nu := two_steps(nu)) < 1:
            raise InvalidValue(f"nu = {nu}: this solver needs a step before and one after.")
        sizes = coarsenings(n)
        check_coarsest(sizes, d=2)
        if len(sizes) < 2:
            raise InvalidValue(
                f"n = {n} mesh cells do not coarsen: give an even number, 4 or more."
            )
        self.n = sizes[0]
        grids = [_Grid(m) for m in sizes[:-1]] + [_Coarsest(sizes[-1])]
        self.levels = []
        for fine, coarse in pairwise(grids):
            pre = [fine.sweep] * nu[0] + [fine.with_red_residual]
            # On the finest level the residual is asked for after the cycle; the next cycle uses it.
            post = [fine.sweep] * nu[1] + [fine.with_red_residual] * (fine is grids[0])
            R = fine.restriction(coarse)
            self.levels.append(Level(fine.A, pre, post, R, P=coarse.halved, add=fine.add))
        self.levels.append(Level(grids[-1].A, [correct(grids[-1].A, grids[-1].B)]))

    def solve(self, f, tol=1e-10, max_cycles=50):
        """Solve for the right-hand side `f`, shape ``(n - 1, n - 1)``.

        Parameters
        ----------
        f : array of real numbers
        tol, max_cycles
            As for :func:`mgtutorial.linalg.solve`.

        Returns
        -------
        Result
            As for :func:`mgtutorial.linalg.solve`; the first residual is the one after the start.

        Raises
        ------
        InvalidValue
            For any other shape, complex entries, entries that are not finite, or a tensor with a
            gradient.
        """
        f = poisson(self.n).check(self._array(f))
        scale = scale_of(f)
        f = split(f / scale / self.n**2)
        with np.errstate(over="ignore", invalid="ignore"):  # solve reports it in words
            u = full_multigrid(self.levels, f).u
        result = solve(self.levels, f, u, tol, max_cycles)
        residuals = [self.n**2 * (scale * r) for r in result.residuals]
        return replace(result, u=merge(result.u, scale=scale), residuals=residuals)

    def _array(self, f):
        """The right-hand side as one array of doubles, which is all that this solver works on."""
        if getattr(f, "requires_grad", False):
            raise InvalidValue(
                "the right-hand side is a tensor that requires a gradient, and this solver works "
                f"in place, without one: solve with poisson_levels({self.n}), or detach it."
            )
        f = floating(f)
        f = f.detach().cpu().numpy() if hasattr(f, "detach") else f
        if np.iscomplexobj(f):
            raise InvalidValue(
                "the right-hand side is complex, and this solver works on real numbers: solve for "
                f"its real and its imaginary part, or with poisson_levels({self.n})."
            )
        if f.ndim != 2:
            raise InvalidValue(
                f"a right-hand side of shape {f.shape}: this solver takes one of shape "
                f"({self.n - 1}, {self.n - 1}) at a time; poisson_levels({self.n}) takes batches."
            )
        return f.astype(float, copy=False)
