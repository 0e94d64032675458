r"""Fourier analysis of two-grid methods: the symbol of a cycle, and its convergence factor.

The symbol of a stencil is :meth:`mgtutorial.stencils.Stencil.symbol`; those of the smoothers and
the smoothing factor are in :mod:`mgtutorial.smoothers`. Here the coarse grid joins them.

**Harmonics.** On the coarse grid the phase from point to point is doubled, so the :math:`2^d`
frequencies :math:`\theta^\alpha = \theta + \pi \alpha`, :math:`\alpha \in \{0, 1\}^d`, cannot be
told apart there. A two-grid cycle mixes them, and nothing else: its symbol is a
:math:`2^d \times 2^d` matrix for each low :math:`\theta`.

References
----------
.. [1] U. Trottenberg, C. W. Oosterlee, A. Schueller, Multigrid, 2001: chapter 4.
"""

from itertools import product

import numpy as np

from .errors import InvalidValue


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
        The symbol of a smoothing step, as :mod:`mgtutorial.smoothers` gives it: numbers, or
        2 x 2 matrices for pairs :math:`\theta, \theta + (\pi, \dots, \pi)`. A pair: before and
        after the coarse-grid correction.
    nu : (int, int)
        Smoothing steps before and after.

    Returns
    -------
    callable
        From `d` arrays of low frequencies, not all zero, to an array with two more axes of
        length :math:`2^d`.

    Examples
    --------
    >>> from mgtutorial.problems import poisson
    >>> from mgtutorial.smoothers import jacobi_symbol
    >>> from mgtutorial.transfers import full_weighting, linear_interpolation
    >>> A, coarse = poisson(8, d=1).A, poisson(4, d=1).A
    >>> transfers = full_weighting(1), linear_interpolation(1)
    >>> M = two_grid_symbol(A, coarse, *transfers, jacobi_symbol(A, 2 / 3), nu=(1, 0))
    >>> np.abs(np.linalg.eigvals(M(np.pi / 2))).max().round(12)
    np.float64(0.333333333333)
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
            value = np.asarray(symbol(*shifted(theta, alpha)))
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


def two_grid_factor(A, coarse, R, P, smoother, nu=(1, 1), samples=64):
    r"""Return the two-grid convergence factor :math:`\max_\theta \rho(\tilde M(\theta))`.

    Parameters
    ----------
    A, coarse, R, P, smoother, nu
        As for :func:`two_grid_symbol`.
    samples : int
        Frequencies along each axis, from :math:`-\pi/2` on. A mesh with periodic boundary and
        ``2 * samples`` cells has just these, moved by half a step so that zero is left out.

    Returns
    -------
    float

    Examples
    --------
    >>> from mgtutorial.problems import poisson
    >>> from mgtutorial.smoothers import red_black_symbol
    >>> from mgtutorial.transfers import full_weighting, linear_interpolation
    >>> A, coarse = poisson(8).A, poisson(4).A
    >>> E = red_black_symbol(A)
    >>> round(two_grid_factor(A, coarse, full_weighting(), linear_interpolation(), E), 3)
    0.074
    """
    M = two_grid_symbol(A, coarse, R, P, smoother, nu)
    theta = (np.arange(samples) + 0.5) * np.pi / samples - np.pi / 2
    return float(np.abs(np.linalg.eigvals(M(*np.ix_(*[theta] * A.d)))).max())
