r"""Local Fourier analysis: symbols of smoothers and of two-grid cycles, and their factors.

The symbol of a stencil is :meth:`mgtutorial.linalg.Stencil.symbol`.

**Harmonics.** On the coarse grid the phase from point to point is doubled, so the :math:`2^d`
frequencies :math:`\theta^\alpha = \theta + \pi \alpha`, :math:`\alpha \in \{0, 1\}^d`, cannot be
told apart there. A two-grid cycle mixes these, and no others: its symbol is a
:math:`2^d \times 2^d` matrix for each low :math:`\theta`.

References
----------
.. [1] U. Trottenberg, C. W. Oosterlee, A. Schueller, Multigrid, 2001: chapter 4.
"""

from itertools import product

import numpy as np

from ..errors import InvalidValue
from .smoothers import RED, _colours


def two_grid_symbol(A, coarse, R, P, smoother, nu=(1, 1)):
    r"""Return the symbol of the error propagation of a two-grid cycle, as a function.

    .. math:: \tilde M(\theta) = \tilde S_{post}^{\nu_2}\,
        (I - \tilde P\, \tilde A'(2\theta)^{-1} \tilde R\, \tilde A)\, \tilde S_{pre}^{\nu_1}

    on the :math:`2^d` harmonics of a low frequency.

    Parameters
    ----------
    A, coarse : Stencil
        The operators of the two grids.
    R, P : Restriction, Prolongation
    smoother : callable or pair of callables
        The symbol of a smoothing step, as :mod:`mgtutorial.linalg.fourier` gives it: numbers, or
        2 x 2 matrices for pairs :math:`\theta, \theta + (\pi, \dots, \pi)`. A pair: one for before
        and one for after the coarse-grid correction.
    nu : (int, int)
        Smoothing steps before and after.

    Returns
    -------
    callable
        From `d` arrays of low frequencies, not all zero, to an array with two more axes of
        length :math:`2^d`.

    Raises
    ------
    InvalidValue
        Raised by the returned function if the number of frequencies is not that of the
        dimensions, or a symbol's values are neither numbers nor 2 x 2 matrices.

    Examples
    --------
    >>> from mgtutorial.linalg import full_weighting, jacobi_symbol, linear_interpolation, poisson
    >>> A, coarse = poisson(8, d=1).A, poisson(4, d=1).A
    >>> transfers = full_weighting(1), linear_interpolation(1)
    >>> M = two_grid_symbol(A, coarse, *transfers, jacobi_symbol(A, 2 / 3), nu=(1, 0))
    >>> np.abs(np.linalg.eigvals(M(np.pi / 2))).max().round(12)
    np.float64(0.333333333333)

    Book: coarsening, eq-two-grid-symbol
    """
    d = A.d
    before, after = smoother if isinstance(smoother, tuple) else (smoother, smoother)
    # Pairs alpha, 1 - alpha next to each other: the 2 x 2 symbols become diagonal blocks.
    first = [alpha for alpha in product((0, 1), repeat=d) if alpha[0] == 0]
    harmonics = [a for alpha in first for a in (alpha, tuple(1 - i for i in alpha))]

    def shifted(theta, alpha):
        return [np.asarray(t) + np.pi * a for t, a in zip(theta, alpha, strict=True)]

    def on_harmonics(symbol, theta):
        rows = [np.asarray(symbol(*shifted(theta, alpha)), dtype=complex) for alpha in harmonics]
        return np.stack(np.broadcast_arrays(*rows), axis=-1)

    def smoothing(symbol, theta, grid):
        out = np.zeros((*grid, 2**d, 2**d), dtype=complex)
        for i, alpha in enumerate(harmonics):
            value = _values_at(symbol, shifted(theta, alpha), grid)
            if value.ndim == len(grid):
                out[..., i, i] = value
            elif i % 2 == 0:
                out[..., i : i + 2, i : i + 2] = value
        return out

    def symbol(*theta):
        if len(theta) != d:
            raise InvalidValue(
                f"{len(theta)} frequencies for a problem in {d} dimensions: give one for each axis."
            )
        theta = np.broadcast_arrays(*map(np.asarray, theta))
        grid = theta[0].shape
        a, r = on_harmonics(A.symbol, theta), on_harmonics(R.symbol, theta)
        p = np.conj(on_harmonics(P.symbol, theta)) / 2**d
        solved = np.asarray(coarse.symbol(*(2 * t for t in theta)))[..., None, None]
        correction = np.eye(2**d) - p[..., :, None] * (r * a)[..., None, :] / solved
        power = np.linalg.matrix_power
        pre = power(smoothing(before, theta, grid), nu[0])
        return power(smoothing(after, theta, grid), nu[1]) @ correction @ pre

    return symbol


def _values_at(symbol, theta, grid):
    """A symbol's numbers or 2 x 2 matrices at frequencies of shape `grid`; constants repeat."""
    value = np.asarray(symbol(*theta))
    for shape in (grid, (*grid, 2, 2)):
        if shape == grid or value.shape[-2:] == (2, 2):
            try:
                return np.broadcast_to(value, shape)
            except ValueError:
                continue
    raise InvalidValue(
        f"a symbol gives values of shape {value.shape} at frequencies of shape {grid}: it must "
        "give a number for each, or a 2 x 2 matrix."
    )


def two_grid_factor(A, coarse, R, P, smoother, nu=(1, 1), samples=64):
    r"""Return the two-grid convergence factor :math:`\max_\theta \rho(\tilde M(\theta))`.

    Parameters
    ----------
    A, coarse, R, P, smoother, nu
        As for :func:`two_grid_symbol`.
    samples : int
        Frequencies along each axis, from :math:`-\pi/2` on. A mesh with a periodic boundary and
        ``2 * samples`` cells has just these, but for a shift by half a step that leaves out zero.

    Returns
    -------
    float

    Examples
    --------
    >>> from mgtutorial.linalg import poisson, red_black_symbol
    >>> from mgtutorial.linalg import full_weighting, linear_interpolation
    >>> A, coarse = poisson(8).A, poisson(4).A
    >>> E = red_black_symbol(A)
    >>> round(two_grid_factor(A, coarse, full_weighting(), linear_interpolation(), E), 3)
    0.074

    Book: coarsening, eq-two-grid-symbol
    """
    M = two_grid_symbol(A, coarse, R, P, smoother, nu)
    theta = (np.arange(samples) + 0.5) * np.pi / samples - np.pi / 2
    return float(np.abs(np.linalg.eigvals(M(*np.ix_(*[theta] * A.d)))).max())


def richardson_symbol(A, omega):
    r"""Return the symbol :math:`\tilde E(\theta) = 1 - \omega \tilde A(\theta)` as a function.

    Parameters
    ----------
    A : Stencil
    omega : float
        The damping.

    Returns
    -------
    callable
        From `d` arrays of frequencies to an array.

    Examples
    --------
    >>> from mgtutorial.linalg import poisson
    >>> E = richardson_symbol(poisson(8, d=1).A, omega=1 / 4 / 8**2)
    >>> E(np.array([0.0, np.pi])).real
    array([1., 0.])

    Book: smoothing, eq-symbol
    """
    return lambda *theta: 1 - omega * A.symbol(*theta)


def jacobi_symbol(A, omega=1.0):
    r"""Return the symbol :math:`\tilde E(\theta) = 1 - \omega \tilde A(\theta) / d` as a function.

    Here `d` is the diagonal of `A`.

    Parameters
    ----------
    A : Stencil
    omega : float
        The damping; 1 is Jacobi's method.

    Examples
    --------
    >>> from mgtutorial.linalg import poisson
    >>> smoothing_factor(jacobi_symbol(poisson(8).A, omega=4 / 5), d=2)  # 3/5
    0.6...

    Book: smoothing, eq-jacobi-symbol
    """
    return richardson_symbol(A, omega / A.diagonal)


def gauss_seidel_symbol(A):
    r"""Return the symbol of lexicographic Gauss-Seidel as a function.

    With :math:`D + L` the part of the stencil up to and including the point itself,

    .. math:: \tilde E(\theta) = 1 - \frac{\tilde A(\theta)}{\widetilde{(D + L)}(\theta)}.

    Parameters
    ----------
    A : Stencil

    Examples
    --------
    >>> from mgtutorial.linalg import poisson
    >>> round(smoothing_factor(gauss_seidel_symbol(poisson(8).A), d=2), 12)
    0.5

    Book: smoothing, eq-gs-symbol
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

    Parameters
    ----------
    A : Stencil
        It must couple points of different colours only.
    order : {"red-black", "black-red"}

    Returns
    -------
    callable
        From `d` arrays of frequencies to an array with two more axes, of length 2.

    Raises
    ------
    InvalidValue
        If the stencil couples points of one colour, or its diagonal is zero.
    UnknownName
        For any other order.

    Examples
    --------
    >>> from mgtutorial.linalg import poisson
    >>> round(smoothing_factor(red_black_symbol(poisson(8).A), d=2), 12)
    0.25

    Book: smoothing, eq-rb-symbol
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
    :math:`\max_\theta \rho(Q \tilde E^\nu)^{1/\nu}`, with `Q` the projection onto the high
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
        To about 1e-9: the maximum over 64 samples per axis, then refined around the best ones.

    Examples
    --------
    >>> smoothing_factor(lambda theta: np.cos(theta / 2), d=1)  # at pi/2
    0.7071067811...

    Book: smoothing, eq-paired-smoothing-factor
    """
    half = np.pi / 2 - 1e-12

    def high(*theta):
        wrapped = [np.abs((t + np.pi) % (2 * np.pi) - np.pi) for t in theta]
        return np.maximum.reduce(np.broadcast_arrays(*wrapped)) >= half

    def factor(*theta):
        is_high = high(*theta)
        value = _values_at(symbol, theta, is_high.shape)
        if value.ndim == is_high.ndim:
            return np.where(is_high, np.abs(value), 0.0)
        Q = np.stack([is_high, high(*(t + np.pi for t in theta))], -1)[..., None]
        radius = np.abs(np.linalg.eigvals(Q * np.linalg.matrix_power(value, nu))).max(-1)
        return radius ** (1 / nu)

    axis = np.arange(-32, 32) * np.pi / 32
    values = np.broadcast_to(factor(*np.ix_(*[axis] * d)), (64,) * d)
    peaks = values >= 0.9 * values.max()  # a polynomial may have many, of equal height
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
