r"""The polynomial with :math:`q(0) = 1` that is smallest on given points of the complex plane.

For an interval, Chebyshev's polynomials are the answer (:func:`mgtutorial.linalg.chebyshev`). For
the spectrum of a nonsymmetric operator there is no formula, but the problem is convex.

References
----------
.. [1] P. D. Brubeck, Y. Nakatsukasa, L. N. Trefethen, Vandermonde with Arnoldi,
   SIAM Rev. 63 (2021).
"""

from typing import NamedTuple

import numpy as np

from ..errors import InvalidValue
from .polynomials import q
from .roots import check_degree, extremes, points

_TOLERANCES = ("primal_feasibility_tolerance", "dual_feasibility_tolerance")


class Fit(NamedTuple):
    """What :func:`minimax` found.

    Attributes
    ----------
    roots : array
    maximum : float
        The greatest ``|q|`` over the points.
    bound : float
        No polynomial of the same degree has a smaller maximum than this.

    Examples
    --------
    >>> fit = minimax([1.0, 2.0], degree=1)
    >>> fit.roots.round(6), round(fit.maximum, 6), fit.bound <= fit.maximum
    (array([1.5]), 0.333333, True)

    Book: polynomial_smoothers, eq-poly-minimax
    """

    roots: np.ndarray
    maximum: float
    bound: float


def minimax(spectrum, degree, tolerance=1e-9):
    r"""Fit the real polynomial with :math:`q(0) = 1` whose greatest absolute value is least.

    .. math:: \min_{c \in \mathbb{R}^m} \max_j |q(z_j)|, \qquad q(z) = 1 - \sum_{i=1}^m c_i z^i .

    :math:`|q| \le t` means :math:`\operatorname{Re}(e^{-i \varphi} q) \le t` for all angles.
    A linear program with some of the angles gives a lower bound for the optimum; the angles at
    which its solution is too large are added, until there are none. The polynomial is written
    in an orthogonal basis on the points, made by Arnoldi's method [1]_, and its roots are
    eigenvalues of the Hessenberg matrix of that basis: no powers of `z` are formed.

    Parameters
    ----------
    spectrum : array_like of float or complex
        The points. Conjugates need not be given: `q` is real.
    degree : int
        `m`, the greatest number of roots; there are fewer if a lower degree does as well.
    tolerance : float
        How much `maximum` may exceed `bound`; not below 1e-10, the accuracy of the linear
        programs. A maximum is flat, so roots are found only to about the square root of this.

    Returns
    -------
    Fit

    Raises
    ------
    InvalidValue
        For no points, points that are zero or not finite, a degree below 1, or points that
        surround zero so that no such polynomial is below 1 on them.

    Examples
    --------
    One real root cannot do much about a pair of eigenvalues; two roots can:

    >>> fit = minimax([1 + 1j], degree=1)
    >>> fit.roots.round(3), round(fit.maximum, 6)  # 1/sqrt(2)
    (array([2.]), 0.707107)
    >>> minimax([1 + 1j], degree=2).roots
    array([1.+1.j, 1.-1.j])

    Book: polynomial_smoothers, eq-poly-minimax
    """
    from scipy.optimize import linprog  # half a second, for which every network would wait

    degree = check_degree(degree)
    z = points("eigenvalue", spectrum)
    scale = np.abs(z).max()
    z = z / (scale or 1.0)
    if (z == 0).any():
        raise InvalidValue(
            "the spectrum contains zero, where q is 1 whatever its roots: leave that eigenvalue "
            "out."
        )
    # points that agree up to rounding are one; those near zero keep ten digits of their own
    unit = 10.0 ** np.minimum(np.ceil(np.log10(np.abs(z))) + 2, 0)
    z = np.round(z.real / unit, 13) + 1j * np.round(np.abs(z.imag) / unit, 13)
    z = np.unique(unit * z)
    if len(z) + np.count_nonzero(z.imag) <= degree:  # as many roots as points: all of them
        roots = np.concatenate([z, z[z.imag > 0].conj()])
        return Fit(scale * (roots if roots.imag.any() else roots.real), 0.0, 0.0)
    basis, H = _arnoldi(z, degree)
    products = basis @ H  # z times the basis functions
    angles, index = np.repeat([0.0, np.pi], len(z)), np.tile(np.arange(len(z)), 2)
    for _ in range(50):
        turn = np.exp(-1j * angles)
        rows = -(turn[:, None] * products[index]).real
        for method in ("highs", "highs-ipm", "highs-ds"):  # where one gives up, another does not
            solution = linprog(
                [*np.zeros(degree), 1],
                A_ub=np.column_stack([rows, -np.ones(len(rows))]),
                b_ub=-turn.real,
                bounds=[(None, None)] * degree + [(0, None)],
                method=method,
                options=dict.fromkeys(_TOLERANCES, 1e-10),
            )
            if solution.status == 0:
                break
        else:
            raise InvalidValue(
                f"the linear program for degree {degree} was not solved ({solution.message}): "
                "give a lower degree."
            )
        y, bound = solution.x[:-1], float(solution.x[-1])
        q = 1 - products @ y
        maximum = float(np.abs(q).max())
        bound = min(bound, maximum)  # they may cross by a rounding
        if maximum <= bound + tolerance:
            break
        above = np.flatnonzero(np.abs(q) > bound + tolerance / 2)
        angles = np.append(angles, np.angle(q[above]))
        index = np.append(index, above)
    if maximum > 1 - 1e-6:
        raise InvalidValue(
            f"no real polynomial of degree {degree} with q(0) = 1 stays below 1 on these "
            f"{len(z)} points: they surround zero, lie on both sides of it or too near it, so give "
            "a higher degree or a part of the spectrum."
        )
    return Fit(scale * _roots_in(H, y), maximum, bound)


def _arnoldi(z, degree):
    """Polynomials 1, ... of degree 0 to `degree`, orthonormal on the points and their conjugates.

    Returns their values, shape (points, degree + 1), and H with ``z basis[:, :-1] = basis H``.
    """
    basis, H = np.ones((len(z), degree + 1), complex), np.zeros((degree + 1, degree))
    for k in range(degree):
        v = z * basis[:, k]
        for _ in range(2):  # twice is enough, once is not
            h = (basis[:, : k + 1].conj().T @ v).real / len(z)
            v = v - basis[:, : k + 1] @ h
            H[: k + 1, k] += h
        H[k + 1, k] = np.sqrt((np.abs(v) ** 2).mean())
        basis[:, k + 1] = v / H[k + 1, k]
    return basis, H


def _roots_in(H, y):
    """Roots of ``1 - z sum_k y_k basis_k`` as eigenvalues (the comrade matrix of the basis)."""
    n = len(y)
    g = -H @ y
    g[0] += 1
    # A leading coefficient of zero is a root at infinity: its factor is 1, so it is dropped.
    while n > 1 and abs(g[n]) <= 1e-10 * np.abs(g).max():
        n -= 1
    M = H[:n, :n].copy()
    M[:, -1] -= H[n, n - 1] / g[n] * g[:n]
    roots = np.sort_complex(np.linalg.eigvals(M))
    return roots if roots.imag.any() else roots.real


class Choice(NamedTuple):
    """Roots of a polynomial smoother, and what they make of a spectrum.

    Attributes
    ----------
    roots : array
    maximum : float
        The greatest ``|q|`` over the spectrum.

    Book: symbols, symbols-smoothing
    """

    roots: np.ndarray
    maximum: float


def root_choices(spectrum):
    """Return two choices of roots for a spectrum: on its outermost eigenvalues, and the best ones.

    Parameters
    ----------
    spectrum : array_like of complex
        Eigenvalues, for instance from :func:`mgtutorial.spectra.eigenvalues`.

    Returns
    -------
    dict of str to Choice
        ``"extremes"``, as Poly-MgNet has them (:func:`mgtutorial.linalg.extremes`), and
        ``"minimax"``, the least maximum for the same number of roots (:func:`minimax`).

    Raises
    ------
    InvalidValue
        As for :func:`minimax`: for a spectrum that contains zero, or surrounds it so that
        `q = 1` is the best.

    Examples
    --------
    >>> disc = 2 + np.exp(2j * np.pi * np.arange(12) / 12)
    >>> {name: round(choice.maximum, 4) for name, choice in root_choices(disc).items()}
    {'extremes': 0.1155, 'minimax': 0.0625}

    Book: symbols, symbols-smoothing
    """
    spectrum = np.asarray(spectrum).ravel()
    outer = extremes(spectrum)
    fit = minimax(spectrum, len(outer))
    return {
        "extremes": Choice(outer, float(np.abs(q(spectrum, outer)).max())),
        "minimax": Choice(fit.roots, fit.maximum),
    }
