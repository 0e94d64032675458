r"""Polynomial smoothers: :math:`B = p_d(A)`, made of steps from the roots of what it leaves.

A step :math:`u \leftarrow u + p_d(A)(f - A u)` maps the error, and likewise the residual, by

.. math:: q_{d+1}(A) = I - A\, p_d(A), \qquad q_{d+1}(z) = 1 - z\, p_d(z).

A polynomial with :math:`q(0) = 1` is the product of its factors :math:`1 - z / x` over its roots,
and each factor is a step of its own: :func:`linear` for a real root, :func:`pair` for a conjugate
pair, :func:`double` for the roots :math:`\pm x`. All are :math:`q = 1 - s z + t z^2` with a step
:math:`p = s - t z`, `s` and `t` real: a :class:`Factor`.

Wherever a function takes `roots`, it accepts an array of roots, which it puts into Leja order, or
a sequence of factors, which it uses as they are. Operators are callables on arrays or tensors.
:mod:`mgtutorial.linalg.roots` chooses roots.

References
----------
.. [1] Y. Saad, Iterative Methods for Sparse Linear Systems, 2nd ed., 2003: section 12.3.
.. [2] L. Reichel, The application of Leja points to Richardson iteration and polynomial
   preconditioning, Linear Algebra Appl. 154-156 (1991).
.. [3] A. van Betteray, M. Rottmann, K. Kahl, Poly-MgNet, ICPRAM 2025.
"""

from typing import Any, NamedTuple

import numpy as np

from ..errors import InvalidValue
from ..multigrid import correct, relax, start
from ._numbers import inverse, squared
from .roots import leja, units


class Factor(NamedTuple):
    r"""A factor :math:`q(z) = 1 - s z + t z^2`, whose step has :math:`p(z) = s - t z`.

    Attributes
    ----------
    s, t : float or scalar tensor
        Complex for a complex root of a complex operator. Tensors keep their graph, so that
        roots can be trained.

    Book: polynomial_smoothers, polynomial-smoothers-factors
    """

    s: Any
    t: Any = 0.0

    def q(self, z):
        """Return the factor at `z`, a number or an array."""
        return 1 - z * self.p(z)

    def p(self, z):
        """Return ``(1 - q(z)) / z``, without the division."""
        return self.s - self.t * z if self.quadratic else self.s + 0 * z

    def B(self, A):
        """Return the correction of the factor's step: ``p(A)``, as a function of the residual."""
        return (lambda r: self.s * r - self.t * A(r)) if self.quadratic else lambda r: self.s * r

    @property
    def quadratic(self):
        """Whether the factor has degree 2: False if `t` is a float equal to zero."""
        return not (isinstance(self.t, float) and self.t == 0)


def linear(x):
    """Return the factor ``1 - z/x``: a step of Richardson's iteration with damping ``1/x``.

    Parameters
    ----------
    x : float or scalar tensor
        The root, not zero. A complex one makes sense for complex operators only.

    Raises
    ------
    InvalidValue
        For a root that is zero or not finite, or whose inverse is not finite; likewise for
        :func:`pair` and :func:`double`, with the square of the root.

    Examples
    --------
    >>> linear(4.0)
    Factor(s=0.25, t=0.0)

    Book: polynomial_smoothers, eq-poly-roots
    """
    return Factor(inverse(x, x))


def pair(a, b):
    r"""Return the factor with the roots :math:`a \pm i b`, in real arithmetic.

    Parameters
    ----------
    a, b : float or scalar tensor
        With ``b = 0`` it is a double root.

    Examples
    --------
    >>> pair(1.0, 2.0)
    Factor(s=0.4, t=0.2)
    >>> pair(1.0, 2.0).q(1 + 2j)
    0j

    Book: polynomial_smoothers, eq-poly-pair
    """
    size = squared(a, b)
    t = inverse(size, f"{a} +- {b}i")
    return Factor(2 * a / size, t)


def double(x):
    r"""Return the factor :math:`1 - z^2/x^2` with the roots :math:`\pm x`.

    Its step is :math:`u \leftarrow u + A (f - A u) / x^2`. Poly-MgNet uses it under this name [3]_.

    Parameters
    ----------
    x : float or scalar tensor

    Examples
    --------
    >>> double(2.0).q(np.array([-2.0, 1.0, 2.0]))
    array([0.  , 0.75, 0.  ])

    Book: polynomial_smoothers, polynomial-smoothers-factors
    """
    return Factor(0.0, -inverse(squared(x), x))


def factors(roots, real=True, order="leja"):
    """Return the factors of the polynomial with the given roots.

    Parameters
    ----------
    roots : array_like of float or complex, or sequence of Factor
        Factors are returned as they are.
    real : bool
        Whether the operator is real. If so, complex roots come in conjugate pairs, and each
        pair makes one real factor; if not, every root makes a linear one.
    order : {"leja", "given"}
        Leja order keeps rounding errors small (:func:`amplification`).

    Returns
    -------
    tuple of Factor

    Raises
    ------
    InvalidValue
        For no roots, a root that is zero or not finite, or an unpaired complex root of a real
        operator.

    Examples
    --------
    >>> factors([4, 1 - 2j, 1 + 2j])
    (Factor(s=0.25, t=0.0), Factor(s=0.4, t=0.2))

    Book: polynomial_smoothers, polynomial-smoothers-factors
    """
    made = [isinstance(x, Factor) for x in roots]
    if made and all(made):
        return tuple(roots)
    if order not in ("leja", "given"):
        raise InvalidValue(f"order = {order!r}: give 'leja' or 'given'.")
    ordered = leja(roots, real) if order == "leja" else roots
    return tuple(
        pair(x.real, x.imag) if real and isinstance(x, complex) else linear(x)
        for x in units(ordered, real)
    )


def steps(A, roots):
    r"""Return the smoothing steps :math:`u \leftarrow u + p(A)(f - A u)`, one per factor.

    Each starts from a fresh residual. Together they apply `A` once for each root, and one time
    fewer if the state's residual is current. They are steps of :mod:`mgtutorial.multigrid`:
    ``Level(A, pre=steps(A, roots))`` smooths with them.

    Parameters
    ----------
    A : callable
    roots : array_like or sequence of Factor

    Examples
    --------
    A root for each eigenvalue solves the system:

    >>> eigenvalues = np.array([1.0, 2.0, 4.0])
    >>> A = lambda u: eigenvalues * u
    >>> relax(steps(A, eigenvalues), start(np.array([3.0, 2.0, 4.0]))).u
    array([3., 1., 1.])

    Book: polynomial_smoothers, polynomial-smoothers-factors
    """
    return [correct(A, factor.B(A)) for factor in factors(roots)]


def correction(A, roots):
    r"""Return :math:`B = p_d(A)`: all steps together, from a zero start, as one correction.

    With :func:`mgtutorial.multigrid.correct` it is one step of a higher degree. It applies `A`
    `d` times, one fewer than there are roots.

    Examples
    --------
    >>> A = lambda u: np.array([1.0, 2.0, 4.0]) * u
    >>> correction(A, [1.0, 2.0, 4.0])(np.ones(3))  # the inverse
    array([1.  , 0.5 , 0.25])

    Book: polynomial_smoothers, eq-poly-step
    """
    made = steps(A, roots)
    return lambda r: relax(made, start(r)).u


def propagation(A, roots):
    """Return ``q(A)``, which maps the error, and the residual, before all steps to that after them.

    Examples
    --------
    >>> E = propagation(lambda u: 2 * u, [4.0, -1.0])
    >>> E(np.array([1.0]))  # (1 - 2/4) (1 + 2/1)
    array([1.5])

    Book: polynomial_smoothers, eq-poly-propagation
    """
    made = factors(roots)

    def E(e):
        for factor in made:
            e = e - A(factor.B(A)(e))
        return e

    return E


def q(z, roots):
    r"""Return :math:`q(z) = \prod_j (1 - z / x_j)`, factor by factor.

    Parameters
    ----------
    z : float, complex, array or tensor
        At an eigenvalue of `A` this is what the steps multiply its eigenvector by.
    roots : array_like or sequence of Factor

    Examples
    --------
    >>> q(np.array([0.0, 1.0, 3.0]), [1.0, 2.0])
    array([1., 0., 1.])

    Book: polynomial_smoothers, eq-poly-roots
    """
    value = 1 + 0 * z
    for factor in factors(roots):
        value = value * factor.q(z)
    return value


def p(z, roots):
    r"""Return :math:`p(z) = (1 - q(z)) / z`, without the division.

    :math:`p = p_1 + q_1 p_2 + q_1 q_2 p_3 + \dots` for factors with :math:`q_j = 1 - z p_j`.

    Examples
    --------
    >>> p(np.array([0.0, 1.0, 2.0]), [1.0, 2.0])
    array([1.5, 1. , 0.5])

    Book: polynomial_smoothers, eq-poly-q
    """
    value, head = 0 * z, 1 + 0 * z
    for factor in factors(roots):
        value = value + head * factor.p(z)
        head = head * factor.q(z)
    return value


def polynomial_symbol(A, roots):
    r"""Return the symbol :math:`\tilde E(\theta) = q(\tilde A(\theta))` as a function.

    Parameters
    ----------
    A : Stencil
    roots : array_like or sequence of Factor

    Examples
    --------
    Two Chebyshev dampings have the smoothing factor 9/41 for Poisson's equation in 2D:

    >>> from mgtutorial.linalg import chebyshev, poisson, smoothing_factor
    >>> A = poisson(8).A
    >>> roots = chebyshev(A.diagonal / 2, 2 * A.diagonal, degree=2)
    >>> round(41 * smoothing_factor(polynomial_symbol(A, roots), d=2), 9)
    9.0

    Book: polynomial_smoothers, eq-poly-propagation
    """
    made = factors(roots)
    return lambda *theta: q(A.symbol(*theta), made)


def coefficients(roots):
    r"""Return :math:`a_0, \dots, a_d` of :math:`p_d(z) = \sum_i a_i z^i`; those of `q` are 1, -a.

    They lose digits as fast as :math:`\prod_j (1 + |z| / x_j)` grows (positive roots): use them
    for low degrees, or just to look at.

    Returns
    -------
    array of float, shape (d + 1,)
        Complex if a factor is.

    Examples
    --------
    >>> coefficients([1.0, 2.0])  # q = 1 - 1.5 z + 0.5 z^2
    array([ 1.5, -0.5])

    Book: polynomial_smoothers, polynomial-smoothers-coefficients
    """
    product = np.ones(1)
    for factor in factors(roots):
        own = [1, -factor.s, factor.t] if factor.quadratic else [1, -factor.s]
        product = np.convolve(product, own)
    return -product[1:]


def horner(A, a):
    r"""Return :math:`B = \sum_i a_i A^i` from coefficients, by Horner's rule.

    Parameters
    ----------
    A : callable
    a : sequence of float
        :math:`a_0, \dots, a_d`.

    Examples
    --------
    >>> horner(lambda u: 2 * u, [1.5, -0.5])(np.array([1.0]))
    array([0.5])

    Book: polynomial_smoothers, polynomial-smoothers-coefficients
    """
    *lower, last = (number.item() if hasattr(number, "item") else number for number in a)

    def B(r):
        out = last * r
        for number in reversed(lower):
            out = A(out) + number * r
        return out

    return B


def amplification(z, roots):
    r"""Return how much the order of the factors may amplify rounding errors.

    An iterate is rounded, and the factors that follow multiply the rounding error. Relative to the
    solution, and from a start that is no further from it than zero is, the amplification is

    .. math:: \max_k \; \max(1, G_k)\, \bar G_k, \qquad
        G_k = \max_z \prod_{i \le k} |q_i(z)|, \quad \bar G_k = \max_z \prod_{i > k} |q_i(z)| .

    The two maxima may be at different eigenvalues, since a rounding error has a share in each.

    Parameters
    ----------
    z : array
        The spectrum.
    roots : array_like or sequence of Factor

    Returns
    -------
    float
        1 or more.

    Examples
    --------
    >>> from mgtutorial.linalg import chebyshev
    >>> x, z = chebyshev(0.01, 1, degree=30), np.linspace(0.01, 1, 500)
    >>> amplification(z, x) < 1e3 < 1e12 < amplification(z, factors(x, order="given"))
    True

    Book: polynomial_smoothers, eq-poly-amplification
    """
    values = [np.abs(factor.q(np.asarray(z))) for factor in factors(roots)]
    ones = np.ones_like(values[0])
    heads = np.cumprod([ones, *values], axis=0).max(axis=1)
    tails = np.cumprod([ones, *values[::-1]], axis=0).max(axis=1)
    return float((np.maximum(1, heads) * tails[::-1]).max())
