r"""Smoothers: cheap approximate inverses, what they do to an error, and how well they smooth.

**The step.** A smoother is a function ``B`` from a residual to a correction, and
:func:`mgtutorial.multigrid.correct` makes it into the step
:math:`u \leftarrow u + B(f - A u)`. This propagates the error by :math:`E = I - B A`
(:func:`mgtutorial.linalg.error_propagation`).

======================  ==============================  ============================
smoother                B                               symbol of E
======================  ==============================  ============================
:func:`richardson`      omega I                         :func:`richardson_symbol`
:func:`jacobi`          omega D^-1                      :func:`jacobi_symbol`
:func:`gauss_seidel`    (D + L)^-1, lexicographic       :func:`gauss_seidel_symbol`
:func:`red_black`       (D + L)^-1, chessboard order    :func:`red_black_symbol`
======================  ==============================  ============================

Here `D` is the diagonal of `A` and `L` what lies below it in the order of the sweep. For any `A`
there is ``omega A^T`` (:mod:`mgtutorial.linalg.transposes`). Whole lines are relaxed by
:mod:`mgtutorial.linalg.lines`.

**Symbols.** On an infinite (or periodic) grid a constant-coefficient operator maps
:math:`e^{i \theta \cdot j}` to a multiple of itself, its symbol. With a coarse grid of
doubled mesh width the frequencies :math:`|\theta|_\infty \ge \pi/2` are *high*: the coarse
grid cannot represent them, and the smoother has to remove them.

References
----------
.. [1] U. Trottenberg, C. W. Oosterlee, A. Schueller, Multigrid, 2001.
.. [2] Y. Saad, Iterative Methods for Sparse Linear Systems, 2nd ed., 2003.
"""

from functools import lru_cache
from itertools import product

import numpy as np
import scipy

from ..errors import InvalidValue, choose
from ._numbers import in_type, plain, solvable
from .stencils import slice_pairs

ORDERS = ("red-black", "black-red")
RED, BLACK = 0, 1  # parity of the sum of a point's array indices


def richardson(omega):
    r"""Richardson's iteration, :math:`B = \omega I`.

    Parameters
    ----------
    omega : float
        It converges for symmetric positive definite `A` iff
        :math:`0 < \omega < 2 / \lambda_{\max}(A)`.

    Returns
    -------
    callable
        From a residual, an array or a tensor, to a correction.

    Raises
    ------
    InvalidValue
        If `omega` is not finite.

    Examples
    --------
    >>> richardson(0.25)(np.array([4.0, 8.0]))
    array([1., 2.])

    Book: smoothing, eq-richardson-jacobi
    """
    _finite(omega)
    return lambda r: omega * r


def jacobi(diagonal, omega=1.0):
    r"""Damped Jacobi, :math:`B = \omega D^{-1}`.

    Parameters
    ----------
    diagonal : float or array
        Of `A`: a number (``A.diagonal`` of a stencil) or an array that broadcasts
        against the residual.
    omega : float
        1 is Jacobi's method; 2/3 smooths best for Poisson's equation in 1D, 4/5 in 2D.

    Returns
    -------
    callable
        From a residual, an array or a tensor, to a correction.

    Raises
    ------
    InvalidValue
        For a zero on the diagonal.

    Examples
    --------
    >>> jacobi(diagonal=4.0, omega=0.5)(np.array([8.0]))
    array([1.])

    Book: smoothing, eq-richardson-jacobi
    """
    _finite(omega)
    _nonzero(diagonal)
    scale = omega / diagonal

    def B(r):
        if isinstance(scale, np.ndarray) and hasattr(r, "new_tensor"):
            return r.new_tensor(scale) * r
        return scale * r

    return B


def gauss_seidel(A, shape):
    r"""Gauss-Seidel in lexicographic order, :math:`B = (D + L)^{-1}`, by a triangular solve.

    Parameters
    ----------
    A : Stencil or scipy.sparse matrix
    shape : tuple of int
        Of the grid; points are visited in C order. To sweep in another order, flip or
        transpose the arrays.

    Returns
    -------
    callable
        For NumPy arrays of shape ``(..., *shape)``, real or complex, in at most double precision.
        The triangular matrix is built once.

    Raises
    ------
    InvalidValue
        For a zero on the diagonal; when called, for arrays it cannot work with.

    Examples
    --------
    >>> from mgtutorial.linalg import poisson
    >>> problem = poisson(4, d=1)
    >>> B = gauss_seidel(problem.A, problem.shape)
    >>> B(np.array([32.0, 0.0, 0.0]))
    array([1.  , 0.5 , 0.25])

    Book: smoothing, eq-gauss-seidel
    """
    shape = plain(shape)
    matrix = A if scipy.sparse.issparse(A) else A.sparse(shape)
    _nonzero(matrix.diagonal())
    lower = scipy.sparse.tril(matrix, format="csc")

    @lru_cache(maxsize=4)
    def solver(dtype):
        # Without reordering and pivoting the factors of a triangular matrix are trivial.
        return scipy.sparse.linalg.splu(
            lower.astype(dtype), permc_spec="NATURAL", diag_pivot_thresh=0.0
        )

    def B(r):
        if not isinstance(r, np.ndarray) or r.shape[max(r.ndim - len(shape), 0) :] != shape:
            raise InvalidValue(
                f"lexicographic Gauss-Seidel on a grid of shape {shape} was given a "
                f"{type(r).__name__} of shape {tuple(r.shape)}: give a NumPy array whose last "
                "axes are the grid (for torch tensors there is red_black)."
            )
        dtype = solvable(r, lower)
        columns = np.ascontiguousarray(r.reshape(-1, lower.shape[0]).T, dtype=dtype)
        return np.ascontiguousarray(solver(dtype).solve(columns).T).reshape(r.shape)

    return B


def red_black(A, order="red-black"):
    r"""Gauss-Seidel in chessboard order: all points of one colour, then all of the other.

    Points of one colour do not couple, so each half-sweep is one vectorised update.

    Parameters
    ----------
    A : Stencil
        It must couple each point to points of the other colour only (the 5-point stencil does).
    order : {"red-black", "black-red"}
        The red points are those whose array indices have an even sum.

    Returns
    -------
    callable
        ``B``, for arrays and tensors of shape ``(..., *grid)``: one sweep for
        ``A e = r`` from ``e = 0``. :func:`red_black_sweep` does the same in place.

    Raises
    ------
    InvalidValue
        If the stencil couples points of one colour, or its diagonal is zero.

    Examples
    --------
    >>> from mgtutorial.linalg import poisson
    >>> red_black(poisson(4, d=1).A)(np.array([0.0, 32.0, 0.0]))  # red: first and last
    array([0., 1., 0.])

    Book: smoothing, smoothing-gauss-seidel
    """
    colours = _colours(A, order)

    def B(r):
        # From zero, the first half-sweep is a division; the second overwrites its points.
        r = in_type(r, A.coefficients)
        e = r / A.diagonal
        half_sweep(A, e, r, colours[1])
        return e

    return B


def red_black_sweep(A, u, f, order="red-black"):
    """Do one Gauss-Seidel sweep for ``A u = f`` in chessboard order, in place; return `u`.

    Parameters
    ----------
    A : Stencil
    u : array or tensor, shape (..., *grid)
        Overwritten; of a type that can hold the solution.
    f : array or tensor, shape (..., *grid)
    order : {"red-black", "black-red"}

    Returns
    -------
    array or tensor
        `u`.

    Raises
    ------
    InvalidValue
        As for :func:`red_black`, and for a `u` of whole numbers, or a real one where the solution
        is complex.

    Examples
    --------
    >>> from mgtutorial.linalg import poisson
    >>> A = poisson(4, d=1).A
    >>> red_black_sweep(A, np.zeros(3), np.array([0.0, 32.0, 0.0]))
    array([0., 1., 0.])

    Book: smoothing, smoothing-gauss-seidel
    """
    f = in_type(f, A.coefficients)
    _check_holds(u, f)
    for colour in _colours(A, order):
        half_sweep(A, u, f, colour)
    return u


def _check_holds(u, f):
    """Raise if `u` would cut off what a division or a complex number leaves."""
    real, turns = _kinds(u)
    if not real and not turns:
        raise InvalidValue(
            f"a sweep in place over whole numbers ({u.dtype}): give u in double precision."
        )
    if real and _kinds(f)[1]:
        raise InvalidValue(
            f"a sweep in place over real numbers ({u.dtype}) has a complex solution: give a "
            "complex u."
        )


def _kinds(u):
    """Whether the numbers of an array or a tensor are floating and real, and whether complex."""
    if hasattr(u, "detach"):
        return u.is_floating_point(), u.is_complex()
    return u.dtype.kind == "f", u.dtype.kind == "c"


def half_sweep(A, u, f, colour):
    """Solve every equation of one colour for its own unknown, in place.

    Parameters
    ----------
    A : Stencil
        It must couple different colours only (not checked here).
    u : array or tensor, shape (..., *grid)
        Overwritten at the points of `colour`.
    f : array or tensor, shape (..., *grid)
    colour : {0, 1}
        Parity of the sum of the array indices.

    Raises
    ------
    InvalidValue
        On a periodic grid with an odd number of points along an axis, which has no
        chessboard.

    Examples
    --------
    >>> from mgtutorial.linalg import poisson
    >>> A, u = poisson(4, d=1).A, np.ones(3)
    >>> half_sweep(A, u, np.zeros(3), RED)
    >>> u
    array([0.5, 1. , 0.5])

    Book: smoothing, smoothing-gauss-seidel
    """
    shape = tuple(u.shape[u.ndim - A.d :])
    if A.boundary == "periodic" and any(m % 2 for m in shape):
        raise InvalidValue(
            f"a periodic grid of shape {shape} cannot be coloured red and black: "
            "give an even number of points along each axis."
        )
    for start in product((0, 1), repeat=A.d):  # the colour's sublattices of mesh width 2h
        if sum(start) % 2 != colour:
            continue
        points = (..., *(slice(s, None, 2) for s in start))
        u[points] = f[points] / A.diagonal
        for offset, c in zip(A.offsets, A.coefficients, strict=True):
            if any(offset):
                for targets, sources in slice_pairs(shape, offset, A.boundary, start, 2):
                    u[targets] -= (c / A.diagonal) * u[sources]


def _colours(A, order):
    """Return the two colours in the given order, if `A` has a chessboard splitting."""
    choose("order", order, ORDERS)
    _nonzero(A.diagonal)
    for offset in A.offsets:
        if any(offset) and sum(offset) % 2 == 0:
            raise InvalidValue(
                f"the stencil couples points of one colour (offset {offset}): red-black "
                "Gauss-Seidel needs offsets with an odd sum; use gauss_seidel or jacobi."
            )
    return (RED, BLACK) if order == "red-black" else (BLACK, RED)


def _finite(omega):
    if not np.isfinite(omega):
        raise InvalidValue(f"omega = {omega!r}: give a finite damping factor.")


def _nonzero(diagonal):
    zero = diagonal == 0
    if zero if isinstance(zero, bool) else zero.any():
        raise InvalidValue(
            "the diagonal has a zero, so no equation can be solved for its own unknown: "
            "use richardson."
        )
