r"""Krylov methods in the service of multigrid: roots from a few steps of GMRES, and K-cycles.

GMRES from a zero start leaves the residual :math:`q(A)\, r`, with the `q` of given degree and
:math:`q(0) = 1` for which its norm is least [1]_. The roots of that `q` are the harmonic Ritz
values [2]_, eigenvalues of a small matrix: they cost `m` applications of `A` and inner products,
once. After that, the steps of :mod:`mgtutorial.linalg.polynomials` need no inner products [3]_.

A K-cycle solves each coarse problem by a few steps of a Krylov method that is preconditioned by the
cycle one level down [4]_.

References
----------
.. [1] Y. Saad, M. H. Schultz, GMRES, SIAM J. Sci. Stat. Comput. 7 (1986).
.. [2] C. C. Paige, B. N. Parlett, H. A. van der Vorst, Approximate solutions and eigenvalue bounds
   from Krylov subspaces, Numer. Linear Algebra Appl. 2 (1995).
.. [3] J. A. Loe, R. B. Morgan, Toward efficient polynomial preconditioning for GMRES, Numer.
   Linear Algebra Appl. 29 (2022).
.. [4] Y. Notay, P. S. Vassilevski, Recursive Krylov-based multigrid cycles, Numer. Linear Algebra
   Appl. 15 (2008).
"""

import numpy as np

from ..errors import InvalidValue
from ..multigrid import Level, correct, cycle, start
from ._numbers import floating, largest, norm, unit_of
from .roots import check_degree


def arnoldi(A, r, degree):
    r"""Return `V` and `H` of Arnoldi's process: :math:`A V_m = V_{m+1} H`, with orthonormal `V`.

    Parameters
    ----------
    A : callable
        Linear, on arrays of the shape of `r`.
    r : array
        The start, not zero; of any shape.
    degree : int
        `m`, the number of applications of `A`; fewer if an invariant space is found earlier.

    Returns
    -------
    V : array, shape (m + 1, *r.shape)
        The ``V[j]`` are orthonormal; ``V[m]`` is zero if the space is invariant.
    H : array, shape (m + 1, m)
        Upper Hessenberg.

    Raises
    ------
    InvalidValue
        For a start that is zero or not finite, or a degree below 1.

    Examples
    --------
    >>> V, H = arnoldi(lambda u: np.array([1.0, 2.0, 4.0]) * u, np.ones(3), 2)
    >>> V.shape, H.shape
    ((3, 3), (3, 2))

    Book: cycle_polynomials, eq-cycle-arnoldi
    """
    degree = check_degree(degree)
    r = floating(r, what="the start")
    largest_entry = largest(r)
    if not 0 < largest_entry < np.inf:
        raise InvalidValue("the start of Arnoldi's process is zero or not finite: give another.")
    r = r / largest_entry  # so that no square leaves the range of the numbers
    V, H = [r / norm(r)], np.zeros((degree + 1, degree), np.result_type(r, float))
    unit = 0.0
    for j in range(degree):
        w = A(V[j])
        unit = unit or unit_of(w)  # of A, whose squares may leave the range as well
        w = w / unit
        H = H.astype(np.result_type(H, w), copy=False)  # a complex A makes it complex
        before = np.linalg.norm(w)
        for _ in range(2):  # a second time, for what rounding left over from the first
            parts = [np.vdot(v, w) for v in V]
            H[: j + 1, j] += parts
            w = w - sum(c * v for c, v in zip(parts, V, strict=True))
        H[j + 1, j] = np.linalg.norm(w)
        if abs(H[j + 1, j]) <= 1e-13 * before:  # invariant, to rounding
            H[j + 1, j] = 0
            return np.array([*V, np.zeros_like(w)]), unit * H[: j + 2, : j + 1]
        V.append(w / H[j + 1, j])
    return np.array(V), unit * H


def harmonic_ritz(A, r, degree):
    r"""Return the roots of the `q` with :math:`q(0) = 1` for which :math:`\|q(A)\, r\|_2` is least.

    They are the harmonic Ritz values: the eigenvalues of :math:`H_m + h^2 H_m^{-*} e_m e_m^T`,
    where :math:`H_m` is the square part of Arnoldi's `H` and `h` is its last entry.

    Parameters
    ----------
    A : callable
    r : array
        What the polynomial is to make small. For a smoother: a random residual without its smooth
        part.
    degree : int

    Returns
    -------
    array of float or complex
        As many as `degree`; fewer if fewer annihilate `r`. Complex ones come in pairs if `A`
        and `r` are real.

    Raises
    ------
    InvalidValue
        As for :func:`arnoldi`; also if GMRES stagnates, so that its polynomial has a lower degree.

    Examples
    --------
    Three eigenvalues are found from any start that has a share in all of them:

    >>> A = lambda u: np.array([1.0, 2.0, 4.0]) * u
    >>> np.sort(harmonic_ritz(A, np.ones(3), 3)).round(12)
    array([1., 2., 4.])

    Book: cycle_polynomials, eq-cycle-harmonic
    """
    _, H = arnoldi(A, r, degree)
    unit = unit_of(H)
    H = H / unit
    square, h = H[:-1], H[-1, -1]
    last = np.zeros(len(square))
    last[-1] = 1.0
    if np.linalg.cond(square) > 1e13:
        raise InvalidValue(
            f"GMRES stagnates at degree {degree}: the best polynomial has fewer roots. Give a "
            "lower degree, or another start; where the spectrum surrounds zero there may be none."
        )
    correction = abs(h) ** 2 * np.linalg.solve(square.conj().T, last)
    values = unit * np.linalg.eigvals(square + np.outer(correction, last))
    return values.real if np.isrealobj(values) or not values.imag.any() else values


def accelerated(A, B, count):
    r"""Return `count` steps of flexible conjugate gradients as one correction, from a zero start.

    Each direction :math:`B(r)` is made `A`-orthogonal to those before it. So the energy norm of the
    error is least over their span, whether `B` is linear or not.

    Parameters
    ----------
    A : callable
        Symmetric (or Hermitian) positive definite.
    B : callable
        The preconditioner, from a residual to a correction.
    count : int

    Returns
    -------
    callable
        From a residual to a correction; not linear.

    Raises
    ------
    InvalidValue
        For a count below 1.

    Examples
    --------
    >>> A = lambda u: np.array([1.0, 4.0]) * u
    >>> accelerated(A, lambda r: r, 2)(np.array([1.0, 4.0])).round(12)
    array([1., 1.])

    Book: two_grid_theory, eq-two-grid-k-cycle
    """
    count = check_degree(count)

    def correction(r):
        u, made = 0 * r, []
        for _ in range(count):
            d = B(r)
            for other, image, energy in made:
                d = d - np.vdot(image, d) / energy * other
            d = d / unit_of(d)  # any length will do: one whose square is in range
            image = A(d)
            energy = np.vdot(d, image).real
            if energy <= 0:  # nothing is left to correct
                return u
            step = np.vdot(d, r) / energy
            u, r = u + step * d, r - step * image
            made.append((d, image, energy))
        return u

    return correction


def k_cycle(levels, s, inner=2):
    r"""Do one K-cycle: solve coarse problems by `inner` steps of conjugate gradients with K-cycles.

    It is :func:`mgtutorial.multigrid.cycle` on two levels, the coarser of which has a single step.

    Parameters
    ----------
    levels : sequence of Level
        From fine to coarse, for a symmetric positive definite problem, each without a `Pi`; the
        smoothing after a correction is ideally the transpose of that before it.
    s : State
    inner : int
        Steps on each coarse level except the coarsest. With 2, the work is that of a W-cycle.

    Returns
    -------
    State

    Examples
    --------
    >>> from mgtutorial.linalg import poisson_levels
    >>> levels = poisson_levels(16, d=1)
    >>> s = k_cycle(levels, start(np.ones(15)))
    >>> float(np.linalg.norm(np.ones(15) - levels[0].A(s.u))) < 0.5
    True

    Book: two_grid_theory, eq-two-grid-k-cycle
    """
    fine, *coarser = levels
    if len(coarser) < 2:
        return cycle(levels, s)
    A = coarser[0].A
    solve = accelerated(A, lambda r: k_cycle(coarser, start(r), inner).u, inner)
    return cycle([fine, Level(A, pre=[correct(A, solve)])], s)
