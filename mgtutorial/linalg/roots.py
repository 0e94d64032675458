r"""Roots for a polynomial smoother: where to put them, and in which order to use them.

A polynomial :math:`q(z) = \prod_j (1 - z / x_j)` is 1 at zero and vanishes at its roots.
As a smoother for `A` it multiplies the error along an eigenvector by `q` at its eigenvalue, so the
roots belong where the spectrum is. :mod:`mgtutorial.linalg.polynomials` turns them into steps.

===================================  ======================================================
:func:`chebyshev`                    least maximum on a real interval
:func:`chebyshev_ellipse`            the same polynomials for an ellipse in the complex plane
:func:`extremes`                     on the outermost eigenvalues, as Poly-MgNet has them
:func:`mgtutorial.linalg.minimax`    least maximum on any finite set of points
:func:`leja`                         the order in which rounding does least harm
===================================  ======================================================

Those for a cycle with a real coarse grid are in :mod:`mgtutorial.linalg.cycle_roots`, those from
a few steps of GMRES in :mod:`mgtutorial.linalg.krylov`.

Roots are arrays, real or complex. For a real operator complex roots come in conjugate pairs.

References
----------
.. [1] Y. Saad, Iterative Methods for Sparse Linear Systems, 2nd ed., 2003: sections 6.11 and 12.3.
.. [2] T. A. Manteuffel, The Tchebychev iteration for nonsymmetric linear systems,
   Numer. Math. 28 (1977).
.. [3] L. Reichel, The application of Leja points to Richardson iteration and polynomial
   preconditioning, Linear Algebra Appl. 154-156 (1991).
.. [4] A. van Betteray, M. Rottmann, K. Kahl, Poly-MgNet, ICPRAM 2025.
"""

import numpy as np

from ..errors import InvalidValue
from ._numbers import whole

# Eigenvalue routines return conjugates that agree to some eps; this is what counts as equal.
_SAME = 1e-12


def units(roots, real=True):
    """Return the roots, one for each factor: real numbers, and one complex number per pair.

    Parameters
    ----------
    roots : array_like of float or complex
    real : bool
        Whether the operator is real, so that complex roots must come in conjugate pairs.
        Otherwise every root is a unit.

    Returns
    -------
    list of float or complex
        In the order given; a pair stands where its first member stood, and is
        represented by the member with positive imaginary part.

    Raises
    ------
    InvalidValue
        For no roots, a root that is zero or not finite, or a complex root without its conjugate.

    Examples
    --------
    >>> units([3, 1 - 2j, 2, 1 + 2j])
    [3.0, (1+2j), 2.0]

    Book: polynomial_smoothers, polynomial-smoothers-factors
    """
    roots = points("root", roots)
    if (roots == 0).any():
        raise InvalidValue(
            "a root is zero, but q(0) = 1 for every smoother: give roots that are not zero "
            "(a singular operator has an eigenvalue there; leave it out)."
        )
    if not real:
        return [x.real if x.imag == 0 else x for x in roots.tolist()]
    rest, out = roots.tolist(), []
    while rest:
        x = rest.pop(0)
        if abs(x.imag) <= _SAME * abs(x):
            out.append(x.real)
            continue
        distance = [abs(y - x.conjugate()) for y in rest]
        if not distance or min(distance) > 1e4 * _SAME * abs(x):
            raise InvalidValue(
                f"the complex root {x:.6g} has no conjugate beside it, so the polynomial is not "
                "real: give the pair, or real=False for a complex operator."
            )
        rest.pop(int(np.argmin(distance)))
        out.append(complex(x.real, abs(x.imag)))
    return out


def leja(roots, real=True):
    r"""Return the roots in Leja order: each where the product of the factors so far is greatest.

    The first is the greatest in absolute value. Then

    .. math:: x_{k+1} = \operatorname{argmax}_{x} \prod_{j \le k} |1 - x / x_j|

    over the roots that are left. Conjugates stay together [3]_.

    Parameters
    ----------
    roots : array_like of float or complex
    real : bool
        As in :func:`units`.

    Returns
    -------
    array

    Raises
    ------
    InvalidValue
        As for :func:`units`.

    Examples
    --------
    >>> leja([1, 2, 4, 8])
    array([8., 1., 4., 2.])
    >>> leja([1, 2 + 1j, 2 - 1j, 3])
    array([3.+0.j, 1.+0.j, 2.+1.j, 2.-1.j])

    Book: polynomial_smoothers, eq-poly-leja
    """
    rest = np.array(units(roots, real))
    size = np.log(np.abs(rest))  # for the first; logarithms, since products over- and underflow
    total, out = np.zeros(len(rest)), []
    while len(rest):
        i = int(np.argmax(total if out else size))
        x, keep = rest[i], np.arange(len(rest)) != i
        rest, total = rest[keep], total[keep]
        for member in [x, x.conjugate()] if real and x.imag else [x]:
            out.append(member)
            # A root that occurs twice has distance zero: far behind all others, but not lost.
            total = total + np.log(np.maximum(np.abs(rest - member) / abs(x), 1e-16))
    return np.array(out)


def chebyshev(a, b, degree):
    r"""Roots of the polynomial with :math:`q(0) = 1` that is smallest on the interval [a, b].

    .. math:: q(z) = T_m\Bigl(\frac{b + a - 2z}{b - a}\Bigr) \Big/
        T_m\Bigl(\frac{b + a}{b - a}\Bigr), \qquad
        x_j = \frac{a + b}{2} + \frac{b - a}{2} \cos \frac{(2j - 1) \pi}{2m} .

    Parameters
    ----------
    a, b : float
        Ends of the interval, ``a <= b``, on one side of zero.
    degree : int
        `m`, the number of roots, and of applications of `A`.

    Returns
    -------
    array of float, shape (degree,)
        Ascending.

    Raises
    ------
    InvalidValue
        If the interval contains zero or is not an interval, or for a degree below 1.

    Examples
    --------
    >>> chebyshev(1, 3, degree=2)
    array([1.29289322, 2.70710678])

    Book: polynomial_smoothers, eq-poly-chebyshev
    """
    if not (np.isfinite(a) and np.isfinite(b) and a <= b):
        raise InvalidValue(f"[{a}, {b}] is no interval: give finite ends, the lesser one first.")
    if a <= 0 <= b:
        raise InvalidValue(
            f"the interval [{a}, {b}] contains zero, where q is 1: give one on one side of zero, "
            "for instance the upper part of the spectrum."
        )
    return (a + b) / 2 + (b - a) / 2 * _cosines(degree)


def chebyshev_maximum(a, b, degree):
    r"""Return :math:`1 / T_m\bigl(\frac{b + a}{b - a}\bigr)`, the least maximum on [a, b].

    Parameters and errors are those of :func:`chebyshev`.

    Parameters
    ----------
    a, b : float
        Ends of an interval that does not contain zero.
    degree : int
        1 or more.

    Raises
    ------
    InvalidValue
        As for :func:`chebyshev`.

    Examples
    --------
    >>> round(chebyshev_maximum(1 / 2, 2, degree=2) * 41, 12)  # 9/41
    9.0

    Book: polynomial_smoothers, eq-poly-chebyshev-maximum
    """
    chebyshev(a, b, degree)
    if a == b:
        return 0.0
    x = np.exp(-float(degree) * np.arccosh(abs((b + a) / (b - a))))  # T_m is cosh(m arccosh)
    return float(2 * x / (1 + x**2))


def chebyshev_ellipse(centre, along, across, degree):
    r"""Roots of the Chebyshev polynomial for an ellipse that is symmetric about the real axis.

    With :math:`\delta^2 = \alpha^2 - \beta^2` for the semi-axes :math:`\alpha` (along the real
    axis) and :math:`\beta` (across), :math:`q(z) = T_m((c - z) / \delta) / T_m(c / \delta)`:
    the foci are :math:`c \pm \delta`, and the roots lie between them [2]_. Those of a flat ellipse
    are real, those of a tall one lie on a vertical line, those of a disc are all at its centre.
    On an ellipse these polynomials are best in the limit of high degree; for a given degree
    :func:`~mgtutorial.linalg.minimax` may be better.

    Parameters
    ----------
    centre : float
    along, across : float
        Semi-axes, not negative.
    degree : int

    Returns
    -------
    array of float or complex, shape (degree,)
        Pairs are exact conjugates.

    Raises
    ------
    InvalidValue
        If the ellipse contains zero, for a negative or infinite axis or a degree below 1.

    Examples
    --------
    >>> chebyshev_ellipse(2, along=1, across=1, degree=2)
    array([2., 2.])
    >>> chebyshev_ellipse(2, along=0, across=1, degree=2).imag
    array([-0.70710678,  0.70710678])

    Book: polynomial_smoothers, eq-poly-chebyshev-ellipse
    """
    if not (np.isfinite([centre, along, across]).all() and along >= 0 and across >= 0):
        raise InvalidValue(
            f"an ellipse with centre {centre} and semi-axes {along}, {across}: give finite "
            "numbers, axes not negative."
        )
    if along >= abs(centre):
        raise InvalidValue(
            f"the ellipse reaches from {centre - along} to {centre + along} and contains zero, "
            "where q is 1: give one on one side of zero."
        )
    delta = np.sqrt(abs(along**2 - across**2))
    return centre + (delta if along >= across else 1j * delta) * _cosines(degree)


def extremes(spectrum):
    r"""Roots on the outermost eigenvalues, as Poly-MgNet chooses them [4]_.

    The least and the greatest real part, and the conjugate pair with the greatest imaginary
    part: four roots, or two if the spectrum is real. A linear factor is real, so where an
    eigenvalue with an extreme real part is complex, its real part is taken.

    Parameters
    ----------
    spectrum : array_like of float or complex

    Returns
    -------
    array, shape (4,) or (2,)

    Raises
    ------
    InvalidValue
        For an empty spectrum, or one that is not finite.

    Examples
    --------
    >>> extremes([1, 4, 2 + 3j, 2 - 3j])
    array([1.+0.j, 4.+0.j, 2.+3.j, 2.-3.j])

    Book: polynomial_smoothers, polynomial-smoothers-networks
    """
    z = points("eigenvalue", spectrum)
    roots = np.array([z.real.min(), z.real.max()])
    top = z[np.argmax(np.abs(z.imag))]
    if abs(top.imag) <= _SAME * np.abs(z).max():
        return roots
    return np.array([*roots, complex(top.real, abs(top.imag)), complex(top.real, -abs(top.imag))])


def _cosines(degree):
    """cos((2j - 1) pi / (2m)), ascending and antisymmetric to the last bit."""
    degree = check_degree(degree)
    return np.sin(np.pi / (2 * degree) * np.arange(1 - degree, degree, 2))


def check_degree(degree):
    """Return a degree as a Python int.

    Parameters
    ----------
    degree : int

    Returns
    -------
    int

    Raises
    ------
    InvalidValue
        Unless it is a whole number, 1 or more.

    Examples
    --------
    >>> check_degree(2.5)
    Traceback (most recent call last):
    ...
    mgtutorial.errors.InvalidValue: degree = 2.5: give a whole number, 1 or more.
    """
    return whole("degree", degree, 1)


def points(kind, values):
    """Return `values` as a complex array with one axis, if there are any and all are finite.

    Parameters
    ----------
    kind : str
        What the error message calls one of them.
    values : array_like of float or complex

    Returns
    -------
    array of complex, shape (count,)

    Raises
    ------
    InvalidValue
        If there are none, or one is not finite.

    Examples
    --------
    >>> points("eigenvalue", [1, 2 + 1j])
    array([1.+0.j, 2.+1.j])
    """
    values = np.asarray(values).astype(complex).ravel()
    if not len(values):
        raise InvalidValue(f"there is no {kind}: give one or more.")
    if not np.isfinite(values).all():
        raise InvalidValue(f"a {kind} is not a finite number: look for NaN where they come from.")
    return values
