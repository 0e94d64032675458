r"""Multigrid solvers for the model problems: levels that are ready to cycle, and the iteration.

The algorithm is in :mod:`mgtutorial.multigrid`; here are the levels for a family of problems, the
loop that cycles until the residual is small or says why it stopped, and the measurement of a
convergence factor.

References
----------
.. [1] U. Trottenberg, C. W. Oosterlee, A. Schueller, Multigrid, 2001: chapters 2 and 3.
"""

import math
import numbers
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import InvalidValue, choose
from ..multigrid import Level, State, correct, cycle, start, with_residual
from . import transfers
from ._numbers import common, floating, largest, scale_of, two_steps, whole
from ._numbers import norm as two_norm
from .coarsening import check_coarsest, coarsenings, direct, galerkin
from .problems import Problem, poisson
from .smoothers import red_black
from .stencils import Stencil


def linear_levels(
    make, n, depth=None, smoother=None, nu=(1, 1), coarse="rediscretised", R=None, P=None, fas=False
):
    r"""Return the levels of a multigrid solver for a family of linear problems.

    Parameters
    ----------
    make : callable
        From a number of mesh cells to the :class:`~mgtutorial.linalg.Problem`.
    n : int
        Mesh cells along each axis on the finest level.
    depth : int, optional
        Number of levels, 2 for a two-grid method; by default as many as possible.
    smoother : callable or pair of callables, optional
        From a problem to its ``B``; two of them for the steps before and after the correction.
        Red-black Gauss-Seidel by default.
    nu : (int, int)
        Steps before and after the coarse-grid correction.
    coarse : {"rediscretised", "galerkin"}
        The coarse operators: ``make(n / 2)``, or :math:`R A P`.
    R, P : Restriction, Prolongation, optional
        The transfers; full weighting and linear interpolation by default.
    fas : bool
        True for the full approximation scheme, with injection as :math:`\Pi`.

    Returns
    -------
    list of Level
        From fine to coarse. The coarsest problem is solved exactly.

    Raises
    ------
    InvalidValue
        If `n` does not coarsen that often, if the coarsest problem is left too large, or if `nu` is
        not two whole numbers.

    Examples
    --------
    >>> levels = linear_levels(poisson, 32)
    >>> len(levels)
    5
    >>> solve(levels, np.ones((31, 31)), tol=1e-10).cycles
    11

    Book: coarsening, coarsening-v-cycles
    """
    choose("coarse operator", coarse, ("rediscretised", "galerkin"))
    nu = two_steps(nu)
    problem = make(n)
    d, boundary = problem.A.d, problem.A.boundary
    R = R or transfers.full_weighting(d, boundary)
    P = P or transfers.linear_interpolation(d, boundary)
    Pi = transfers.injection(d, boundary) if fas else None
    if not (isinstance(smoother, tuple) or smoother is None):
        smoother = (smoother, smoother)
    before, after = smoother or (_red_black, _red_black)

    sizes = coarsenings(n, depth)
    check_coarsest(sizes, d, depth)
    levels = []
    for m in sizes:
        if levels:
            product = coarse == "galerkin"
            problem = Problem(galerkin(R, problem.A, P), m) if product else make(m)
        A = problem.A
        if m == sizes[-1]:
            levels.append(Level(A, [correct(A, direct(problem))], linear=True))
        else:
            pre = [correct(A, before(problem))] * nu[0]
            post = [correct(A, after(problem))] * nu[1]
            levels.append(Level(A, pre, post, R, Pi, P, linear=True))
    return levels


def poisson_levels(n, d=2, boundary="dirichlet", **options):
    """Return the levels for :func:`~mgtutorial.linalg.poisson`; options as for `linear_levels`.

    Parameters
    ----------
    n : int
        Mesh cells along each axis on the finest level.
    d : int
        Dimensions: 1, 2 or 3.
    boundary : {"dirichlet", "periodic"}
    **options
        As for :func:`linear_levels`.

    Examples
    --------
    >>> [level.A.diagonal for level in poisson_levels(16, depth=3)]
    [1024.0, 256.0, 64.0]

    Book: coarsening, coarsening-v-cycles
    """
    return linear_levels(lambda m: poisson(m, d, boundary), n, **options)


@dataclass(frozen=True)
class Result:
    """The outcome of an iteration.

    Attributes
    ----------
    u : array
        The approximation; not a solution unless `converged`.
    residuals : list of float
        Norms of ``f - A u``, by default 2-norms: first that of the start, then one for each cycle;
        all finite.
    converged : bool
    reason : str
        Why the iteration ended, in a sentence.

    Examples
    --------
    >>> result = solve(poisson_levels(16), np.ones((15, 15)), tol=1e-8)
    >>> result.converged, result.cycles == len(result.factors)
    (True, True)

    Book: coarsening, eq-attainable
    """

    u: Any
    residuals: list
    converged: bool
    reason: str

    @property
    def cycles(self):
        """Number of cycles."""
        return len(self.residuals) - 1

    @property
    def factors(self):
        """Reduction of the residual by each cycle."""
        r = np.array(self.residuals)
        return r[1:] / r[:-1]


def solve(levels, f, u=None, tol=1e-8, max_cycles=50, gamma=1, norm=None):
    r"""Cycle until the residual is small, and stop early if that will not happen.

    The iteration ends with a reason when :math:`\|f - A u\| \le tol \cdot \|f\|`, when the
    residual grows or is not finite (divergence), or when it has not fallen by one per cent in
    ten cycles (stagnation: rounding, or a coarse grid that does not fit).

    Parameters
    ----------
    levels : sequence of Level
        From fine to coarse.
    f : array or tensor
        The right-hand side on the finest level, or a batch. Whole numbers and half precision are
        solved for in double precision; where an entry or a coefficient is complex, so is `u`.
    u : array or tensor, optional
        Where to start; from zero by default.
    tol : float
        Relative to the norm of `f`, or to that of the first residual if `f` is zero; at least 0,
        and below 1.
    max_cycles : int
        0 or more.
    gamma : int or "F"
        1 for V-cycles, 2 for W-cycles, "F" for F-cycles.
    norm : callable, optional
        Of residuals; by default the 2-norm (for a batch, of all its entries together).

    Returns
    -------
    Result

    Raises
    ------
    InvalidValue
        For a right-hand side or a first residual that is not finite, or whose norm is not; with a
        singular stencil (periodic), a right-hand side with a nonzero mean; a start of another
        shape; a batch whose members differ too much in size; numbers out of range.

    Examples
    --------
    >>> result = solve(poisson_levels(16), np.ones((15, 15)), max_cycles=3)
    >>> result.converged, result.reason
    (False, 'not converged: 3 cycles left a relative residual of ...')

    Book: coarsening, eq-attainable
    """
    _check(levels, tol, max_cycles, gamma)
    norm = norm or two_norm
    A = levels[0].A
    given, f = f, floating(f, *_coefficients(A))
    if isinstance(A, Stencil) and (f.ndim < A.d or 0 in f.shape[f.ndim - A.d :]):
        raise InvalidValue(
            f"a right-hand side of shape {tuple(f.shape)}: give an array whose last {A.d} axes are "
            "the grid."
        )
    if isinstance(A, Stencil) and A.singular:
        problem = Problem(A, int(f.shape[-1]))
        f = problem.without_mean(problem.check(given, like=f))
    if u is not None:
        f, u = common(f, floating(u, *_coefficients(A), what="the start"))
    size = norm(f)
    if not math.isfinite(size):
        raise InvalidValue(
            "the norm of the right-hand side leaves the range of its numbers: divide it by a power "
            "of ten, and multiply the solution."
            if math.isfinite(largest(f))
            else "the right-hand side has entries that are not finite: there is nothing to solve."
        )
    if all(level.linear for level in levels) and (unit := scale_of(f, getattr(A, "d", None))) != 1:
        found = solve(
            levels, f / unit, None if u is None else u / unit, tol, max_cycles, gamma, norm
        )
        return replace(found, u=found.u * unit, residuals=[r * unit for r in found.residuals])
    with np.errstate(over="ignore", invalid="ignore"):
        s = with_residual(A, start(f, u))  # with f: every residual below is f - A u
        residuals = [norm(s.r)]
    if not math.isfinite(residuals[0]):
        raise InvalidValue(
            "the first residual is not finite (it overflows, or the start has such entries): "
            "start closer to the solution, or from zero."
        )
    scale = size or residuals[0] or 1.0
    goal = tol * scale

    def result(converged, reason):
        return Result(s.u, residuals, converged, reason)

    while True:
        done, best = len(residuals) - 1, min(residuals)
        relative = f"a relative residual of {residuals[-1] / scale:.3g}"
        if residuals[-1] <= goal:
            return result(True, f"converged: {done} cycles left {relative}.")
        if residuals[-1] > 1e3 * best:
            return result(False, f"diverged: {done} cycles led to {relative}.")
        if done >= 10 and best > 0.99 * min(residuals[:-10]):
            return result(False, f"stagnated: after {done} cycles still {relative}.")
        if done >= max_cycles:
            return result(False, f"not converged: {done} cycles left {relative}.")
        with np.errstate(over="ignore", invalid="ignore"):  # detected below
            new = with_residual(A, cycle(levels, s, gamma))
            size = norm(new.r)
        if not math.isfinite(size):
            words = f"cycle {done + 1} led to numbers that are not finite after {relative}."
            return result(False, f"diverged: {words}")
        s = new
        residuals.append(size)


def convergence_factor(levels, u, cycles=60, gamma=1, project=None):
    r"""Measure the convergence factor of a linear multigrid method by power iteration.

    The solution for ``f = 0`` is zero, so `u` is the error and a cycle is :math:`u \leftarrow
    E u`. After each cycle `u` is scaled to norm 1.

    Parameters
    ----------
    levels : sequence of Level
    u : array
        An error to start from, preferably a random one.
    cycles : int
        60 are enough for three digits if the second eigenvalue is not too close.
    gamma : int or "F"
        1 for V-cycles, 2 for W-cycles, "F" for F-cycles.
    project : callable, optional
        Removes from `u` what no cycle changes: the mean, for a periodic problem.

    Returns
    -------
    float
        The geometric mean of the reduction over the last tenth of the cycles: the estimate
        of :math:`\rho(E)`.

    Raises
    ------
    InvalidValue
        If there is no error to start from: `u`, as projected, is zero or not finite.

    Examples
    --------
    >>> u = np.random.default_rng(0).standard_normal((31, 31))
    >>> round(convergence_factor(poisson_levels(32), u), 2)
    0.12

    Book: coarsening, coarsening-prediction
    """
    _check(levels, 0.0, whole("cycles", cycles, 1), gamma)
    u, logs = floating(u, *_coefficients(levels[0].A), what="the error"), []
    if not 0 < two_norm(project(u) if project else u) < math.inf:
        raise InvalidValue("the error is zero or not finite: start from a random one.")
    for _ in range(cycles):
        u = project(u) if project else u
        u = u / two_norm(u)
        u = cycle(levels, State(u, 0 * u), gamma).u
        after = two_norm(project(u) if project else u)
        if after == 0:
            return 0.0
        logs.append(math.log(after))
    last = logs[-max(1, cycles // 10) :]
    return math.exp(sum(last) / len(last))


def _red_black(problem):
    return red_black(problem.A)


def _coefficients(A):
    return A.coefficients if isinstance(A, Stencil) else ()


def _check(levels, tol, max_cycles, gamma):
    """Check what every iteration needs: levels, and numbers in range."""
    if not len(levels):
        raise InvalidValue("there are no levels: give one or more, such as poisson_levels(32).")
    # with a tolerance of 1 the zero start would solve everything
    if isinstance(tol, bool) or not isinstance(tol, numbers.Real) or not 0 <= tol < 1:
        raise InvalidValue(f"tol = {tol!r}: give a number from 0 on, below 1.")
    whole("max_cycles", max_cycles, 0)
    if gamma != "F":
        whole("gamma", gamma, 1)


def full_multigrid(levels, f, cycles=1, gamma=1, restrict=None, interpolate=None):
    r"""Full multigrid: solve on the coarsest level, then interpolate and cycle, level by level.

    Each level starts from the solution of the next coarser one, so its cycles have only the
    difference of two discretisations left to remove. The work is that of `cycles` V-cycles, times
    :math:`1 + 2^{-d} + 4^{-d} + \dots` once more.

    Parameters
    ----------
    levels : sequence of Level
        From fine to coarse.
    f : array
        The right-hand side on the finest level. The coarser ones get ``f' = restrict(f)``.
    cycles : int
        Cycles on each level.
    gamma : int or "F"
        1 for V-cycles, 2 for W-cycles, "F" for F-cycles.
    restrict, interpolate : callable, optional
        For right-hand sides and for approximations; each level's `R` and `P` by default.
        Approximations deserve a better interpolation than corrections do:
        :func:`mgtutorial.linalg.cubic_interpolation`.

    Returns
    -------
    State
        On the finest level.

    Examples
    --------
    >>> import numpy as np
    >>> from mgtutorial.multigrid import Level, correct
    >>> two, same = (lambda u: 2 * u), (lambda v: v)
    >>> exact = correct(two, lambda r: r / 2)
    >>> full_multigrid([Level(two, R=same, P=same), Level(two, pre=[exact])], np.float64(6.0)).u
    np.float64(3.0)

    Book: coarsening, coarsening-full-multigrid
    """
    _check(levels, 0.0, whole("cycles", cycles, 0), gamma)
    sides = [floating(f, *_coefficients(levels[0].A))]
    for fine in levels[:-1]:
        sides.append((restrict or fine.R)(sides[-1]))
    s = cycle(levels[-1:], start(sides[-1]))
    for i in reversed(range(len(levels) - 1)):
        u = (interpolate or levels[i].P)(s.u)
        s = State(levels[i].add(start(sides[i]).u, u), sides[i])
        for _ in range(cycles):
            s = cycle(levels[i:], s, gamma)
    return s
