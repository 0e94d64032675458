r"""What a spectrum says about an operator, and what it does not: operators that are not normal.

Wherever a function takes `matrices`, a stack of shape (..., n, n) means the block-diagonal operator
of all of them. The symbol of a convolution thus stands for the convolution on a periodic grid.

References
----------
.. [1] L. N. Trefethen, M. Embree, Spectra and Pseudospectra, 2005.
.. [2] A. van Betteray, M. Rottmann, K. Kahl, Poly-MgNet, ICPRAM 2025.
.. [3] A. Reusken, On maximum norm convergence of multigrid methods for elliptic boundary value
   problems, SIAM J. Numer. Anal. 31 (1994).
"""

import math
from typing import NamedTuple

import numpy as np
import scipy

from ..errors import InvalidValue
from ..linalg._numbers import unit_of, whole
from .convolutions import double


class NumericalRange(NamedTuple):
    r"""The numerical range :math:`W(A) = \{v^* A v : \|v\|_2 = 1\}`, a convex set.

    Attributes
    ----------
    points : array of complex
        Points on its boundary, counterclockwise; the polygon they form lies inside.
    angles : array of float
        The directions.
    support : array of float
        The greatest real part of :math:`e^{-i \varphi} z` over the set, for each direction: each
        of the half-planes that it allows contains the set.

    Examples
    --------
    >>> numerical_range(np.diag([1.0, -2.0])).radius
    2.0

    Book: symbols, symbols-nonnormal
    """

    points: np.ndarray
    angles: np.ndarray
    support: np.ndarray

    @property
    def radius(self):
        """The numerical radius, from the directions used: half the norm or more."""
        return float(self.support.max())


def numerical_range(matrices, count=128):
    r"""Return the boundary of the numerical range (field of values).

    In the direction :math:`\varphi` the outermost point belongs to the greatest eigenvalue of the
    Hermitian part of :math:`e^{-i \varphi} A`.

    Parameters
    ----------
    matrices : array or tensor, shape (..., n, n)
    count : int
        Number of directions.

    Returns
    -------
    NumericalRange

    Raises
    ------
    InvalidValue
        For matrices that are not square, or not finite.

    Examples
    --------
    A Jordan block has the eigenvalue 0, and a disc of radius 1/2 as its numerical range:

    >>> disc = numerical_range([[0.0, 1.0], [0.0, 0.0]], count=8)
    >>> np.abs(disc.points).round(12)
    array([0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5])

    Book: symbols, symbols-nonnormal
    """
    stack = _square(matrices)
    angles = 2 * np.pi * np.arange(count) / count
    points, support = np.empty(count, complex), np.empty(count)
    for i, angle in enumerate(angles):
        turned = np.exp(-1j * angle) * stack
        values, vectors = np.linalg.eigh((turned + turned.conj().swapaxes(-1, -2)) / 2)
        block = values[:, -1].argmax()
        v = vectors[block, :, -1]
        points[i], support[i] = v.conj() @ stack[block] @ v, values[block, -1]
    return NumericalRange(points, angles, support)


def pseudospectrum(matrices, z):
    r"""Return :math:`\sigma_{\min}(z I - A)`: how small a perturbation makes `z` an eigenvalue.

    The pseudospectrum for :math:`\epsilon` is where this is below :math:`\epsilon`. For a normal
    operator it is the distance to the spectrum; otherwise it may be much smaller.

    Parameters
    ----------
    matrices : array or tensor, shape (..., n, n)
        Small ones: each takes a singular value decomposition for every `z`.
    z : array_like of complex

    Returns
    -------
    array of float, of the shape of `z`

    Raises
    ------
    InvalidValue
        As for :func:`numerical_range`.

    Examples
    --------
    >>> pseudospectrum(np.diag([1.0, 3.0]), [2.0, 2.5])
    array([1. , 0.5])
    >>> pseudospectrum(np.array([[1.0, 100.0], [0.0, 3.0]]), [2.0]).round(3)
    array([0.01])

    Book: symbols, eq-sym-pseudospectrum
    """
    stack, z = _square(matrices), np.asarray(z, dtype=complex)
    eye, out = np.eye(stack.shape[-1]), np.empty(z.size)
    at_once = max(1, 2**24 // (16 * stack.size))
    for i in range(0, z.size, at_once):
        shifted = z.ravel()[i : i + at_once, None, None, None] * eye - stack
        out[i : i + at_once] = np.linalg.svd(shifted, compute_uv=False)[..., -1].min(-1)
    return out.reshape(z.shape)


def power_norms(matrices, count):
    r"""Return :math:`\|A^\nu\|_2` for :math:`\nu = 0, \dots, count`.

    In the end they behave like the powers of the spectral radius; before that, those of a nonnormal
    operator may grow even though the radius is below 1.

    Parameters
    ----------
    matrices : array or tensor, shape (..., n, n)
    count : int

    Returns
    -------
    array of float, shape (count + 1,)
        Infinite beyond the range of floating-point numbers.

    Examples
    --------
    >>> power_norms([[0.5, 3.0], [0.0, 0.5]], 3).round(2)
    array([1.  , 3.08, 3.02, 2.26])

    Book: symbols, eq-sym-transport
    """
    stack = _square(matrices)
    unit = unit_of(stack)  # powers of two, so that no power of the matrix leaves the range
    stack, each = stack / unit, math.frexp(unit)[1] - 1
    power, exponent, norms = np.broadcast_to(np.eye(stack.shape[-1]), stack.shape), 0, []
    for _ in range(whole("count", count, 0) + 1):
        with np.errstate(over="ignore"):
            norms.append(np.ldexp(np.linalg.svd(power, compute_uv=False).max(), exponent))
        power = stack @ power
        unit = unit_of(power)
        power, exponent = power / unit, exponent + each + math.frexp(unit)[1] - 1
    return np.array(norms)


class Normality(NamedTuple):
    r"""How far an operator is from normal and from Hermitian, in the Frobenius norm.

    Attributes
    ----------
    commutator : float
        :math:`\|A^* A - A A^*\| / \|A\|^2`: 0 for a normal operator, below :math:`\sqrt 2`.
    henrici : float
        :math:`\sqrt{1 - \sum |\lambda|^2 / \|A\|^2}`: what the eigenvalues do not see, the part of
        a Schur form above its diagonal. 0 for a normal operator, 1 for a nilpotent one.
    skew : float
        :math:`\|A - A^*\| / (2 \|A\|)`: 0 for a Hermitian operator, 1 for a skew one; about
        :math:`1/\sqrt 2` for random entries.

    Examples
    --------
    >>> normality(np.array([[0.0, 1.0], [0.0, 0.0]])).henrici
    1.0

    Book: spectra, eq-spectra-normal
    """

    commutator: float
    henrici: float
    skew: float


def normality(matrices):
    """Return how far an operator is from normal and from Hermitian.

    Parameters
    ----------
    matrices : array or tensor, shape (..., n, n)

    Returns
    -------
    Normality

    Examples
    --------
    >>> normality([[0.0, 1.0], [0.0, 0.0]]).henrici  # nilpotent
    1.0
    >>> normality(np.diag([1.0, 1j]))
    Normality(commutator=0.0, henrici=0.0, skew=0.70710678...)

    Book: spectra, eq-spectra-normal
    """
    stack = _square(matrices)
    stack = stack / unit_of(stack)  # so that no square leaves the range of the numbers
    adjoint = stack.conj().swapaxes(-1, -2)
    size = np.linalg.norm(stack)
    if size == 0:
        return Normality(0.0, 0.0, 0.0)
    # not by the difference of the squares, in which half the digits would be lost
    above = [np.linalg.norm(np.triu(scipy.linalg.schur(block, "complex")[0], 1)) for block in stack]
    return Normality(
        float(np.linalg.norm(adjoint @ stack - stack @ adjoint) / size**2),
        float(np.linalg.norm(above) / size),
        float(np.linalg.norm(stack - adjoint) / (2 * size)),
    )


def smoothing_damping(matrices):
    r"""Return the greatest :math:`\omega` with :math:`\|I - 2 \omega A\|_2 \le 1`, or 0 if none.

    That is the condition of Reusken's lemma [3]_, under which Richardson's iteration with this
    damping smooths, whether `A` is symmetric or not. It says that
    :math:`\frac12 (A + A^*) \ge \omega A^* A`; for an invertible `A` the greatest such number is
    the least eigenvalue of the Hermitian part of :math:`A^{-1}`.

    Parameters
    ----------
    matrices : array or tensor, shape (..., n, n)
        The symbol of a convolution: the condition holds for the convolution on a periodic grid if
        it does at each frequency.

    Returns
    -------
    float
        0 if no positive damping will do; infinite for a zero operator.

    Examples
    --------
    >>> smoothing_damping(np.diag([1.0, 4.0]))  # 1 / the greatest eigenvalue
    0.25
    >>> upwind = 1 - np.exp(-1j * np.linspace(0.1, 3, 8))
    >>> round(smoothing_damping(upwind[:, None, None]), 12)
    0.5

    Book: symbols, symbols-smoothing-test
    """
    best, stack = np.inf, _square(matrices)
    zero = 1e-12 * np.abs(stack).max()
    for block in stack:
        left, values, right = np.linalg.svd(block)
        rank = int(np.count_nonzero(values > zero))
        if rank == 0:
            continue
        row, column = right[:rank].conj().T, left[:, :rank]
        # what A maps to zero must not be reached by A either: else v*Av has both signs
        if np.linalg.norm(row - column @ (column.conj().T @ row)) > 1e-8:
            return 0.0
        inverse = np.linalg.inv(row.conj().T @ block @ row)
        best = min(best, float(np.linalg.eigvalsh((inverse + inverse.conj().T) / 2)[0]))
    return max(best, 0.0)


def _square(matrices):
    """`matrices` as one stack in double precision, shape (count, n, n)."""
    stack = double(matrices)
    if stack.ndim < 2 or stack.shape[-1] != stack.shape[-2] or not stack.size:
        raise InvalidValue(
            f"matrices of shape {stack.shape}: give square ones, (..., n, n); an operator between "
            "different spaces has singular values only."
        )
    if not np.isfinite(stack).all():
        raise InvalidValue(
            "the matrix has entries that are NaN or infinite: look where it comes from."
        )
    return stack.reshape(-1, *stack.shape[-2:])
