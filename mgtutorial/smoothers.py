r"""Smoothers: cheap approximate inverses, what they do to an error, and how well they smooth.

**The step.** A smoother is a function ``B`` from a residual to a correction, and
:func:`mgtutorial.multigrid.correct` makes the step :math:`u \leftarrow u + B(f - A u)`
of it. It propagates the error by :math:`E = I - B A`
(:func:`mgtutorial.operators.error_propagation`).

======================  ==============================  ============================
smoother                B                               symbol of E
======================  ==============================  ============================
:func:`richardson`      omega I                         :func:`richardson_symbol`
:func:`jacobi`          omega D^-1                      :func:`jacobi_symbol`
:func:`gauss_seidel`    (D + L)^-1, lexicographic       :func:`gauss_seidel_symbol`
:func:`red_black`       (D + L)^-1, checkerboard order  :func:`red_black_symbol`
======================  ==============================  ============================

with `D` the diagonal of `A` and `L` what lies below it in the order of the sweep.

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
import scipy.sparse
import scipy.sparse.linalg

from .errors import InvalidValue, choose
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

    Examples
    --------
    >>> richardson(0.25)(np.array([4.0, 8.0]))
    array([1., 2.])
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

    Raises
    ------
    InvalidValue
        For a zero on the diagonal.

    Examples
    --------
    >>> jacobi(diagonal=4.0, omega=0.5)(np.array([8.0]))
    array([1.])
    """
    _finite(omega)
    _nonzero(diagonal)
    return lambda r: (omega / diagonal) * r


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
        For NumPy arrays of shape ``(..., *shape)``, real or complex, of single or
        double precision. The triangular matrix is built once.

    Raises
    ------
    InvalidValue
        For a zero on the diagonal; when called, for arrays it cannot solve with.

    Examples
    --------
    >>> from mgtutorial.problems import poisson
    >>> problem = poisson(4, d=1)
    >>> B = gauss_seidel(problem.A, problem.shape)
    >>> B(np.array([32.0, 0.0, 0.0]))
    array([1.  , 0.5 , 0.25])
    """
    shape = tuple(shape)
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
        dtype = np.result_type(r.dtype, np.float32)
        if dtype.char not in "fdFD":
            raise InvalidValue(
                f"the triangular solve works in single or double precision, not {r.dtype}: "
                "convert the array to float64."
            )
        columns = np.ascontiguousarray(r.reshape(-1, lower.shape[0]).T, dtype=dtype)
        return np.ascontiguousarray(solver(dtype).solve(columns).T).reshape(r.shape)

    return B


def red_black(A, order="red-black"):
    r"""Gauss-Seidel in checkerboard order: all points of one colour, then all of the other.

    Points of one colour do not couple, so each half is one vectorised update.

    Parameters
    ----------
    A : Stencil
        It must couple each point to points of the other colour only (the 5-point stencil does).
    order : {"red-black", "black-red"}
        Red are the points whose array indices have an even sum.

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
    >>> from mgtutorial.problems import poisson
    >>> red_black(poisson(4, d=1).A)(np.array([0.0, 32.0, 0.0]))  # red: first and last
    array([0., 1., 0.])
    """
    colours = _colours(A, order)

    def B(r):
        # From zero, the first half-sweep is a division; the second overwrites its points.
        e = r / A.diagonal
        half_sweep(A, e, r, colours[1])
        return e

    return B


def red_black_sweep(A, u, f, order="red-black"):
    """Do one Gauss-Seidel sweep for ``A u = f`` in checkerboard order, in place; return `u`.

    Parameters
    ----------
    A : Stencil
    u : array or tensor, shape (..., *grid)
        Overwritten.
    f : array or tensor, shape (..., *grid)
    order : {"red-black", "black-red"}

    Raises
    ------
    InvalidValue
        As :func:`red_black`.
    """
    for colour in _colours(A, order):
        half_sweep(A, u, f, colour)
    return u


def half_sweep(A, u, f, colour):
    """Solve every equation of one colour for its own unknown, in place.

    Parameters
    ----------
    A : Stencil
        Coupling different colours only (not checked here).
    u : array or tensor, shape (..., *grid)
        Overwritten at the points of `colour`.
    f : array or tensor, shape (..., *grid)
    colour : {0, 1}
        Parity of the sum of the array indices.

    Raises
    ------
    InvalidValue
        On a periodic grid with an odd number of points along an axis, which has no
        checkerboard.
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


def richardson_symbol(A, omega):
    r"""Return the symbol :math:`\tilde E(\theta) = 1 - \omega \tilde A(\theta)` as a function."""
    return lambda *theta: 1 - omega * A.symbol(*theta)


def jacobi_symbol(A, omega=1.0):
    r"""Return the symbol :math:`\tilde E(\theta) = 1 - \omega \tilde A(\theta) / d` as a function.

    Here `d` is the diagonal of `A`.

    Examples
    --------
    >>> from mgtutorial.problems import poisson
    >>> smoothing_factor(jacobi_symbol(poisson(8).A, omega=4 / 5), d=2)  # 3/5
    0.6...
    """
    return richardson_symbol(A, omega / A.diagonal)


def gauss_seidel_symbol(A):
    r"""Return the symbol of lexicographic Gauss-Seidel as a function.

    With :math:`D + L` the part of the stencil up to and with the point itself,

    .. math:: \tilde E(\theta) = 1 - \frac{\tilde A(\theta)}{\widetilde{(D + L)}(\theta)}.

    It is exact on the infinite grid. On a periodic one the sweep starts somewhere, with neighbours
    that are not new yet: there, as near a boundary, it describes the inside.

    Examples
    --------
    >>> from mgtutorial.problems import poisson
    >>> round(smoothing_factor(gauss_seidel_symbol(poisson(8).A), d=2), 12)
    0.5
    """
    return lambda *theta: 1 - A.symbol(*theta) / A.lower.symbol(*theta)


def red_black_symbol(A, order="red-black"):
    r"""Return the symbol of red-black Gauss-Seidel: 2 x 2 matrices, as a function.

    A sweep is not invariant under shifts by one point, so it mixes the wave of
    frequency :math:`\theta` with that of :math:`\bar\theta = \theta + (\pi, \dots, \pi)`.
    With Jacobi's symbol :math:`\alpha = 1 - \tilde A(\theta) / d` their coefficients are
    mapped by

    .. math:: \tilde E(\theta) = \frac12 \begin{pmatrix}
        \alpha (1 + \alpha) & -\alpha (1 + \alpha) \\
        \alpha (1 - \alpha) & -\alpha (1 - \alpha) \end{pmatrix}

    when red comes first. With black first the second column and then the second row
    change sign.

    Returns
    -------
    callable
        From `d` arrays of frequencies to an array with two more axes, of length 2.

    Examples
    --------
    >>> from mgtutorial.problems import poisson
    >>> round(smoothing_factor(red_black_symbol(poisson(8).A), d=2), 12)
    0.25
    """
    first, _ = _colours(A, order)
    sign = -1 if first == RED else 1

    def symbol(*theta):
        alpha = jacobi_symbol(A)(*theta)
        up, down = alpha * (alpha + 1) / 2, alpha * (alpha - 1) / 2
        if first == RED:
            down = -down
        rows = np.stack([up, sign * up], -1), np.stack([down, sign * down], -1)
        return np.stack(rows, -2)

    return symbol


def smoothing_factor(symbol, d, nu=1):
    r"""Return the smoothing factor :math:`\mu`: the worst reduction of a high frequency by a step.

    For a scalar symbol :math:`\mu = \max_{\theta\ \mathrm{high}} |\tilde E(\theta)|`. For
    2 x 2 symbols of the pairs :math:`(\theta, \bar\theta)` it is
    :math:`\max_\theta \rho(Q \tilde E^\nu)^{1/\nu}`, with `Q` the projection on the high
    frequencies of the pair: the ideal coarse-grid correction.

    Parameters
    ----------
    symbol : callable
        From `d` arrays of frequencies to the symbol of `E`.
    d : int
        Space dimensions.
    nu : int
        Steps between two coarse-grid corrections; it matters only for 2 x 2 symbols.

    Returns
    -------
    float
        To about 1e-9: the maximum over 64 samples an axis, then refined around the best one.

    Examples
    --------
    >>> smoothing_factor(lambda theta: np.cos(theta / 2), d=1)  # at pi/2
    0.7071067811...
    """
    half = np.pi / 2 - 1e-12

    def high(*theta):
        wrapped = [np.abs((t + np.pi) % (2 * np.pi) - np.pi) for t in theta]
        return np.maximum.reduce(np.broadcast_arrays(*wrapped)) >= half

    def factor(*theta):
        value, is_high = np.asarray(symbol(*theta)), high(*theta)
        if value.ndim == is_high.ndim:
            return np.where(is_high, np.abs(value), 0.0)
        Q = np.stack([is_high, high(*(t + np.pi for t in theta))], -1)[..., None]
        radius = np.abs(np.linalg.eigvals(Q * np.linalg.matrix_power(value, nu))).max(-1)
        return radius ** (1 / nu)

    axis = np.arange(-32, 32) * np.pi / 32
    values = np.broadcast_to(factor(*np.ix_(*[axis] * d)), (64,) * d)
    peaks = values >= 0.9 * values.max()  # a polynomial's may be many, and of equal height
    for i in range(d):
        peaks &= (values >= np.roll(values, 1, i)) & (values >= np.roll(values, -1, i))
    best = float(values.max())
    for peak in np.argwhere(peaks)[:64]:
        centre, width = axis[peak], np.pi / 32
        while width > 1e-10:
            axes = [c + np.linspace(-width, width, 9) for c in centre]
            near = np.broadcast_to(factor(*np.ix_(*axes)), (9,) * d)
            at = np.unravel_index(near.argmax(), near.shape)
            best = max(best, float(near[at]))
            centre = [a[i] for a, i in zip(axes, at, strict=True)]
            width /= 4
    return best


def _colours(A, order):
    """Return the two colours in the given order, if `A` has a checkerboard splitting."""
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
