r"""Roots for a cycle: polynomials that are small where a coarse grid needs it.

:func:`mgtutorial.linalg.chebyshev` makes `q` small on an interval of high frequencies, as if a
coarse grid did the rest. A real coarse grid is good where `A` hardly sees the error, and the worse
the more `A` sees of it: an approximation property. Then what counts is not `q` but `q` times a
weight, on the whole spectrum ``(0, top]``, and `top` is all one has to know.

==========================  ======================================  ==========================
roots                       what is least, for eigenvalues x top    value with m roots
==========================  ======================================  ==========================
:func:`chebyshev_residual`  the residual, max x abs(q)              tan(pi/(4m + 4)) / (m + 1)
:func:`chebyshev_fourth`    the energy, max sqrt(x) abs(q)          1 / (2m + 1)
:func:`chebyshev_cycle`     the V-cycle, max x q^2 / (1 - q^2)      tan(pi/(4m + 2))^2
==========================  ======================================  ==========================

The last maximum is :func:`cycle_weight`; with it a V-cycle has the bound of :func:`cycle_bound`.

References
----------
.. [1] J. Lottes, Optimal polynomial smoothers for multigrid V-cycles, Numer. Linear Algebra
   Appl. 30 (2023): the fourth kind, and the problem of the V-cycle.
.. [2] M. Phillips, P. Fischer, Optimal Chebyshev smoothers and one-sided V-cycles,
   arXiv:2210.03179.
"""

import numpy as np

from ..errors import InvalidValue
from ._numbers import whole
from .polynomials import factors, q
from .roots import check_degree


def chebyshev_residual(top, degree):
    r"""Roots of the `q` with the least residual: :math:`\max_{0 \le z \le top} |z\, q(z)|`.

    With `N = m + 1` and :math:`t_j = \cos((2j - 1) \pi / 2N)` the zeros of :math:`T_N`, the
    greatest of them is moved to zero: :math:`x_j = top\, (t_1 - t_j) / (1 + t_1)`, `j = 2, ..., N`.
    The maximum is :math:`top \cdot \tan(\pi / 4N) / N`.

    Parameters
    ----------
    top : float
        An upper bound for the spectrum, positive.
    degree : int
        `m`, the number of roots.

    Returns
    -------
    array of float, shape (degree,)
        Ascending.

    Raises
    ------
    InvalidValue
        For a bound that is not positive and finite, or a degree below 1; likewise for the
        other two functions.

    Examples
    --------
    >>> x = chebyshev_residual(1.0, degree=1)
    >>> z = np.linspace(0, 1, 1001)
    >>> float(abs(z * q(z, x)).max().round(6)), float((np.tan(np.pi / 8) / 2).round(6))
    (0.207107, 0.207107)

    Book: cycle_polynomials, eq-cycle-residual
    """
    degree = _check(top, degree)
    t = np.cos((2 * np.arange(1, degree + 2) - 1) * np.pi / (2 * degree + 2))
    return top * (t[0] - t[1:]) / (1 + t[0])


def chebyshev_fourth(top, degree):
    r"""Roots of Chebyshev's polynomial of the fourth kind: least :math:`\max \sqrt z\, |q(z)|`.

    .. math:: q(\sin^2 \varphi) = \frac{\sin((2m + 1) \varphi)}{(2m + 1) \sin \varphi}, \qquad
        x_j = top \cdot \sin^2 \frac{j \pi}{2m + 1}

    for :math:`z = top \cdot \sin^2 \varphi`; the maximum is :math:`\sqrt{top} / (2m + 1)` [1]_.

    Parameters
    ----------
    top : float
        An upper bound for the spectrum, positive.
    degree : int

    Returns
    -------
    array of float, shape (degree,)
        Ascending.

    Raises
    ------
    InvalidValue
        As for :func:`chebyshev_residual`.

    Examples
    --------
    >>> chebyshev_fourth(4.0, degree=1)
    array([3.])

    Book: cycle_polynomials, eq-cycle-fourth
    """
    degree = _check(top, degree)
    return top * np.sin(np.arange(1, degree + 1) * np.pi / (2 * degree + 1)) ** 2


def chebyshev_cycle(top, degree):
    r"""Roots of the `q` for which the bound of a V-cycle is least: :func:`cycle_weight`.

    With :math:`\alpha = \pi / (4m + 2)` and :math:`\gamma = \tan^2 \alpha`

    .. math:: q(x) \sqrt{1 + x / \gamma} = (-1)^m\, T_{2m+1}\Bigl(\sqrt{\tfrac{x + \gamma}
        {1 + \gamma}}\Bigr), \qquad
        x_j = \frac{\cos^2 ((2j - 1) \alpha) - \sin^2 \alpha}{\cos^2 \alpha}

    for eigenvalues :math:`x \cdot top`.

    Parameters
    ----------
    top : float
        An upper bound for the spectrum, positive.
    degree : int

    Returns
    -------
    array of float, shape (degree,)
        Ascending.

    Raises
    ------
    InvalidValue
        As for :func:`chebyshev_residual`.

    Examples
    --------
    >>> chebyshev_cycle(1.0, degree=1).round(12)  # damping 3/2
    array([0.66666667])

    Book: cycle_polynomials, eq-cycle-optimal
    """
    degree = _check(top, degree)
    alpha = np.pi / (4 * degree + 2)
    cosines = np.cos((2 * np.arange(degree, 0, -1) - 1) * alpha)
    return top * (cosines**2 - np.sin(alpha) ** 2) / np.cos(alpha) ** 2


def cycle_weight(top, roots, samples=20_000):
    r"""Return :math:`\gamma = \sup_{0 < x \le 1} x\, q^2 / (1 - q^2)`, with `q` at `x top`.

    The supremum is taken over samples and over the limit at zero, which is
    :math:`1 / (2 \sum_j top / x_j)`.

    Parameters
    ----------
    top : float
        An upper bound for the spectrum, positive.
    roots : array_like or sequence of Factor
    samples : int
        How many; they are spaced like squares, denser near zero.

    Returns
    -------
    float
        Infinite if some `x` is not reduced at all.

    Raises
    ------
    InvalidValue
        For a bound that is not positive and finite.

    Examples
    --------
    Two steps of Richardson's iteration with damping ``1/top`` have the weight 1/4, two Chebyshev
    steps of the fourth kind 1/8:

    >>> round(cycle_weight(1.0, [1.0, 1.0]), 6)
    0.25
    >>> round(cycle_weight(1.0, chebyshev_fourth(1.0, 2)), 6)
    0.125

    Book: cycle_polynomials, eq-cycle-weight
    """
    _check(top, 1)
    samples = whole("samples", samples, 1)
    made = factors(roots)
    slope = top * sum(factor.s for factor in made)  # -q'(0), per unit of x
    x = (np.arange(1, samples + 1) / samples) ** 2
    square = q(top * x, made) ** 2
    if slope <= 0 or square.max() >= 1:
        return float("inf")
    near = x > 1e-4 / slope  # nearer to zero, 1 - q^2 is mostly rounding, and the limit serves
    return float((x * square / (1 - square))[near].max(initial=1 / (2 * slope)))


def cycle_bound(top, roots, C):
    r"""Return :math:`C \gamma / (1 + C \gamma)`, which bounds a V-cycle in the energy norm.

    The cycle smooths by :math:`q(A)` before and after a Galerkin correction with
    :math:`top \cdot \|A^{-1} - P A'^{-1} R\|_2 \le C` on every level.

    Parameters
    ----------
    top : float
    roots : array_like or sequence of Factor
    C : float
        The constant of the approximation property; 2 for Poisson's equation in 1D.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> round(cycle_bound(1.0, [1.0], C=2.0), 6)  # 1 / (1 + nu) for nu = 1
    0.5

    Book: cycle_polynomials, eq-cycle-bound
    """
    gamma = cycle_weight(top, roots)
    return 1.0 if gamma == float("inf") else float(C * gamma / (1 + C * gamma))


def _check(top, degree):
    degree = check_degree(degree)
    if not (np.isfinite(top) and top > 0):
        raise InvalidValue(f"top = {top!r}: give a bound of the spectrum, positive and finite.")
    return degree
