r"""Model problems: a stencil, a grid, and the operator as a function and as a matrix.

**Grids.** The mesh width is :math:`h = 1/n`. With a ``"dirichlet"`` boundary (zero
values) the unknowns are the interior points :math:`x_j = j h`,
:math:`j = 1, \dots, n-1`: an array of shape ``(n - 1,) * d``, and what the
literature calls a :math:`33^2` grid (boundary counted) is ``n = 32``. With a
``"periodic"`` boundary they are :math:`j = 0, \dots, n-1`: shape ``(n,) * d``.
Array axis 0 is :math:`x`, axis 1 is :math:`y`.

**Operators.** A linear :class:`Problem` holds a :class:`~mgtutorial.linalg.Stencil`,
scaled by the mesh width, so that it approximates the differential operator itself.

References
----------
.. [1] U. Trottenberg, C. W. Oosterlee, A. Schueller, Multigrid, 2001.
.. [2] W. L. Briggs, V. E. Henson, S. F. McCormick, A Multigrid Tutorial, 2nd ed., 2000.
"""

import math
import numbers
import sys
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..errors import InvalidValue, choose
from ._numbers import floating, is_whole, rounding
from .stencils import Stencil


@dataclass(frozen=True)
class Problem:
    """A linear model problem ``A u = f`` on the unit interval or square.

    Attributes
    ----------
    A : Stencil
        The operator, scaled by the mesh width ``1/n``.
    n : int
        Number of mesh cells along each axis.

    Raises
    ------
    InvalidValue
        If `n` is not a whole number, 2 or more.

    Examples
    --------
    >>> problem = poisson(4, d=1)
    >>> problem.shape, problem.h
    ((3,), 0.25)
    >>> problem.A(np.ones(problem.shape))
    array([16.,  0., 16.])

    Book: smoothing, eq-stencil-1d
    """

    A: Stencil
    n: int

    def __post_init__(self):
        if not is_whole(self.n, 2):
            raise InvalidValue(
                f"n = {self.n!r} mesh cells: give a whole number, 2 or more "
                "(a power of two coarsens furthest)."
            )
        object.__setattr__(self, "n", int(self.n))  # squares of NumPy's small ones wrap around

    @property
    def h(self):
        """The mesh width."""
        return 1.0 / self.n

    @property
    def shape(self):
        """Shape of the unknowns: ``n - 1`` points per axis (Dirichlet) or ``n`` (periodic)."""
        return (self.n - (self.A.boundary == "dirichlet"),) * self.A.d

    def sparse(self, dtype=None):
        """Return the matrix as a ``scipy.sparse.csr_array``, of doubles by default."""
        return self.A.sparse(self.shape, dtype)

    def grid(self):
        """Return the coordinates of the unknowns: `d` arrays that broadcast to `shape`."""
        first = int(self.A.boundary == "dirichlet")
        return np.ix_(*[np.arange(first, self.n) * self.h] * self.A.d)

    def frequencies(self):
        r"""Return the frequencies of the grid's modes: `d` arrays that broadcast to `shape`.

        They are :math:`\pi k / n`, :math:`k = 1, \dots, n-1`, for the sine modes of a
        Dirichlet boundary, and :math:`2 \pi k / n` in the order of ``numpy.fft`` for a
        periodic one. The values of ``A.symbol(*problem.frequencies())`` are then the eigenvalues
        (Dirichlet: for stencils that are even along every axis).

        Examples
        --------
        >>> problem = poisson(4, d=1)
        >>> problem.A.symbol(*problem.frequencies()).real.round(12)  # 64 sin^2(theta / 2)
        array([ 9.372583, 32.      , 54.627417])
        """
        if self.A.boundary == "dirichlet":
            theta = np.pi * np.arange(1, self.n) / self.n
        else:
            theta = 2 * np.pi * np.fft.fftfreq(self.n)
        return np.ix_(*[theta] * self.A.d)

    def mode(self, *k):
        r"""Return the mode with wave numbers `k` on the grid.

        :math:`\prod_i \sin(k_i \pi x_i)` with a Dirichlet boundary,
        :math:`e^{2 \pi i\, k \cdot x}` with a periodic one.

        Raises
        ------
        InvalidValue
            If there is not one wave number for each axis.
        """
        if len(k) != self.A.d:
            raise InvalidValue(
                f"{len(k)} wave numbers for a grid with {self.A.d} axes: give one for each axis."
            )
        if self.A.boundary == "dirichlet":
            return math.prod(np.sin(ki * np.pi * x) for ki, x in zip(k, self.grid(), strict=True))
        return np.exp(2j * np.pi * sum(ki * x for ki, x in zip(k, self.grid(), strict=True)))

    def check(self, f, like=None):
        """Return `f` if ``A u = f`` can be solved on this grid.

        Parameters
        ----------
        f : array or tensor, shape (..., *shape)
        like : array or tensor, optional
            The same numbers in the type to be returned.

        Raises
        ------
        InvalidValue
            If the shape is not that of the grid, or if the problem is singular (periodic)
            and `f` has a nonzero mean: constants are in the kernel, so only right-hand
            sides with zero mean have a solution.
        """
        values, d = floating(f) if like is None else like, self.A.d
        if tuple(values.shape[max(values.ndim - d, 0) :]) != self.shape:
            raise InvalidValue(
                f"a right-hand side of shape {tuple(values.shape)} for unknowns of shape "
                f"{self.shape}: the last {d} axes must be the grid."
            )
        if self.A.singular:
            axes = tuple(range(-d, 0))
            size = abs(values).reshape(*values.shape[: values.ndim - d], -1)
            size = size.max(-1).values if hasattr(size, "detach") else size.max(-1)
            size = size.reshape(*size.shape, *[1] * d)
            mean = abs((values / (size + (size == 0))).mean(axes))
            # Rounding leaves a mean of a few eps times the largest entry.
            if bool((mean > min(1e3 * rounding(f), 0.01)).any()):
                raise InvalidValue(
                    "the periodic problem is singular and the right-hand side has a mean of "
                    f"{float(mean.max()):.3g} of its greatest entry, so there is no solution: "
                    "subtract its mean."
                )
        return f if like is None else like

    def without_mean(self, f):
        """Return `f` without the mean that rounding has left in it."""
        mean = f.mean(tuple(range(-self.A.d, 0)))
        return f - mean.reshape(*mean.shape, *[1] * self.A.d)


def poisson(n, d=2, boundary="dirichlet"):
    r"""Poisson's equation :math:`-\Delta u = f`, central differences of second order.

    Parameters
    ----------
    n : int
        Mesh cells along each axis.
    d : int
        Space dimensions: 1, 2 or 3.
    boundary : {"dirichlet", "periodic"}

    Returns
    -------
    Problem

    Raises
    ------
    InvalidValue
        For `n` below 2 or any other `d`.

    Examples
    --------
    >>> (poisson(4).A.kernel() / 4**2).round(12)
    array([[ 0., -1.,  0.],
           [-1.,  4., -1.],
           [ 0., -1.,  0.]])

    Book: smoothing, eq-stencils
    """
    if d not in (1, 2, 3):
        raise InvalidValue(f"Poisson's equation in d = {d!r} dimensions: give 1, 2 or 3.")
    return _assemble(n, np.eye(d), np.zeros(d), boundary=boundary)


def anisotropic_diffusion(n, epsilon, angle=0.0, boundary="dirichlet"):
    r"""Diffusion that is weak across one direction, in two dimensions.

    :math:`-\nabla \cdot (K \nabla u) = f` with
    :math:`K = Q\, \mathrm{diag}(1, \varepsilon)\, Q^T` and `Q` the rotation by `angle`.
    Without rotation this is :math:`-u_{xx} - \varepsilon u_{yy} = f`.

    Parameters
    ----------
    n : int
    epsilon : float
        Positive; 1 gives Poisson's equation.
    angle : float
        Between the strong direction and the x axis, in radians. Unless that direction is
        along an axis, the mixed derivative adds the four diagonal neighbours.
    boundary : {"dirichlet", "periodic"}

    Returns
    -------
    Problem

    Raises
    ------
    InvalidValue
        For an `epsilon` that is not positive or an `angle` that is not finite.

    Examples
    --------
    >>> (anisotropic_diffusion(4, epsilon=0.01).A.kernel() / 4**2).round(12)
    array([[ 0.  , -1.  ,  0.  ],
           [-0.01,  2.02, -0.01],
           [ 0.  , -1.  ,  0.  ]])

    Book: smoothing, eq-anisotropic
    """
    _positive("epsilon", epsilon)
    if not _finite(angle):
        raise InvalidValue(f"angle = {angle!r}: give a finite number of radians.")
    c, s = math.cos(angle), math.sin(angle)
    # an angle within rounding of an axis is that axis, so that no mixed term is left over
    if min(abs(c), abs(s)) <= sys.float_info.epsilon * max(1.0, abs(angle)):
        c, s = float(round(c)), float(round(s))
    Q = np.array([[c, -s], [s, c]])
    return _assemble(n, Q @ np.diag([1.0, epsilon]) @ Q.T, np.zeros(2), boundary=boundary)


def convection_diffusion(n, velocity, epsilon=1.0, scheme="upwind", boundary="dirichlet"):
    r"""Convection and diffusion :math:`-\varepsilon \Delta u + v \cdot \nabla u = f`.

    The matrix is not symmetric. Central differences are of second order. With a Dirichlet
    boundary they give complex eigenvalues once :math:`h |v_i| > 2 \varepsilon` for some `i`, with
    a periodic one for every :math:`v \ne 0`. Upwind differences are of first order and
    give an M-matrix for every `epsilon`.

    Parameters
    ----------
    n : int
    velocity : sequence of float
        :math:`v`, one entry for each dimension (1, 2 or 3 of them).
    epsilon : float
        Positive.
    scheme : {"upwind", "central"}
    boundary : {"dirichlet", "periodic"}

    Returns
    -------
    Problem

    Raises
    ------
    InvalidValue
        For an `epsilon` that is not positive, or a velocity that is not finite or has any other
        length.
    UnknownName
        For any other scheme.

    Examples
    --------
    >>> convection_diffusion(4, velocity=[8.0], scheme="central").A.kernel()
    array([-32.,  32.,   0.])
    >>> convection_diffusion(4, velocity=[8.0], scheme="upwind").A.kernel()
    array([-48.,  64., -16.])

    Book: polynomial_smoothers, eq-poly-convection
    """
    _positive("epsilon", epsilon)
    choose("scheme", scheme, ("upwind", "central"))
    velocity = np.atleast_1d(floating(velocity, what="the velocity"))
    # the upwind scheme takes maxima, in which a NaN would get lost
    if np.iscomplexobj(velocity) or not np.isfinite(velocity).all():
        raise InvalidValue(
            f"the velocity {velocity.tolist()} is not all finite and real: give such numbers."
        )
    if velocity.ndim != 1 or velocity.size not in (1, 2, 3):
        raise InvalidValue(
            f"a velocity of shape {velocity.shape}: give 1, 2 or 3 numbers, one for each dimension."
        )
    return _assemble(n, epsilon * np.eye(velocity.size), velocity, scheme, boundary)


def _assemble(n, K, velocity, scheme="central", boundary="dirichlet"):
    """Return the problem for ``-div(K grad u) + velocity . grad u`` on mesh width 1/n."""
    d, centre = len(velocity), (0,) * len(velocity)
    n = Problem(Stencil((centre,), (1.0,)), n).n  # checked
    terms = {}

    def add(offset, c):
        terms[offset] = terms.get(offset, 0.0) + float(c)

    def unit(i, sign):
        return tuple(sign * (axis == i) for axis in range(d))

    for i in range(d):
        v = velocity[i]
        add(centre, 2 * K[i, i] * n**2)
        for sign in (-1, 1):
            add(unit(i, sign), -K[i, i] * n**2)
            if scheme == "central":
                add(unit(i, sign), sign * v * n / 2)
            elif sign * v < 0:  # the neighbour upstream
                add(unit(i, sign), -abs(v) * n)
                add(centre, abs(v) * n)
        for j in range(i):
            for si, sj in product((-1, 1), repeat=2):
                add(
                    tuple(si * (axis == i) + sj * (axis == j) for axis in range(d)),
                    -si * sj * K[i, j] * n**2 / 2,
                )
    terms = {offset: c for offset, c in sorted(terms.items()) if c or offset == centre}
    return Problem(Stencil(tuple(terms), tuple(terms.values()), boundary), n)


def _positive(name, value):
    if not (_finite(value) and value > 0):
        raise InvalidValue(f"{name} = {value!r}: give a positive number.")


def _finite(value):
    return isinstance(value, numbers.Real) and math.isfinite(value)
