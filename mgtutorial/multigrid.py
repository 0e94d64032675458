r"""The one multigrid algorithm: smooth, restrict the residual, correct.

It is written once, over plain callables. The same functions solve Poisson's
equation with NumPy and SciPy and are the forward pass of the networks with
torch modules; they never ask what an operator is, only apply it.

**The state.** Everything is carried by :class:`State`: the approximation ``u``,
the right-hand side ``f`` and, while it is current, the residual
``r = f - A u``. A function that changes ``u`` drops ``r``; a function that needs
``r`` computes it only if it was dropped. So no application of ``A`` is done
twice.

**The FAS identity.** The full approximation scheme gives the coarse level the
problem

.. math:: A' u' = f', \qquad f' = R (f - A u) + A' (\Pi u),

and starts there from :math:`\Pi u`. Its first residual is therefore

.. math:: f' - A' (\Pi u) = R (f - A u),

the restricted residual, which is already known. :func:`coarsen` hands it on, and
the first step on the coarse level needs no application of ``A'``.

References
----------
.. [1] A. Brandt, Multi-level adaptive solutions to boundary-value problems,
   Math. Comp. 31 (1977): the full approximation scheme.
.. [2] J. He and J. Xu, MgNet: A unified framework of multigrid and convolutional
   neural network, Sci. China Math. 62 (2019).
"""

import operator
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .errors import InvalidValue


class State(NamedTuple):
    """An approximation, its right-hand side, and its residual while that is current.

    Attributes
    ----------
    u : array
        The approximation (in a network: the features).
    f : array
        The right-hand side (in a network: the data).
    r : array or None
        ``f - A u`` for this very ``u``, or None once ``u`` has changed.

    Examples
    --------
    >>> State(u=1.0, f=5.0)
    State(u=1.0, f=5.0, r=None)

    Book: fas, eq-fas-identity
    """

    u: Any
    f: Any
    r: Any = None


Step = Callable[[State], State]


@dataclass(frozen=True)
class Level:
    """One level of the hierarchy: an operator, its smoothing steps, its transfers.

    Attributes
    ----------
    A : callable
        The operator, features to data.
    pre, post : sequence of steps
        Smoothing steps before and after the coarse correction; each maps a
        :class:`State` to a :class:`State`, as :func:`correct` makes them. On the
        coarsest level ``pre`` then ``post`` are all there is: put a solver there, or more steps.
    R : callable or None
        Restricts residuals to the next coarser level.
    Pi : callable or None
        Restricts approximations there. None starts the coarse level from zero,
        with the restricted residual as its right-hand side: the correction scheme,
        which serves linear problems only.
    P : callable or None
        From the next coarser level back: prolongates corrections.
    add : callable
        Takes ``u`` and ``P``'s result to the corrected approximation: ``u + P(e)``, unless a
        solver that works in place puts its own here.
    difference : bool
        True: `P` gets ``u' - Pi u``, the correction of the full approximation scheme. False: it
        gets ``u'`` itself, as MGiaD's algorithm is printed; no solver does that, since a
        solution would not stay where it is.

    Examples
    --------
    >>> solver = Level(lambda u: 2 * u, pre=[correct(lambda u: 2 * u, lambda r: r / 2)])
    >>> relax(solver.pre, start(6.0, u=0.0)).u
    3.0

    Book: fas, eq-fas
    """

    A: Callable
    pre: Sequence[Step] = ()
    post: Sequence[Step] = ()
    R: Callable | None = None
    Pi: Callable | None = None
    P: Callable | None = None
    add: Callable = operator.add
    difference: bool = True


def start(f, u=None):
    """Return the state to start from; for the zero start its residual is `f`, free of charge.

    Every ``A`` here satisfies ``A(0) = 0`` (a convolution without bias does).

    Parameters
    ----------
    f : array or tensor
        The right-hand side.
    u : array or tensor, optional
        The approximation; zero if it is not given.

    Examples
    --------
    >>> import numpy as np
    >>> start(np.ones(3))
    State(u=array([0., 0., 0.]), f=array([1., 1., 1.]), r=array([1., 1., 1.]))

    Book: mgnet, tab-mgnet-applications
    """
    if u is not None:
        return State(u, f)
    torch = sys.modules.get("torch")  # a tensor can only come from an imported torch
    like = torch if torch is not None and isinstance(f, torch.Tensor) else np
    return State(like.zeros_like(f), f, f)


def with_residual(A, s):
    """Return `s` with a current residual; apply `A` only if it was not current.

    Parameters
    ----------
    A : callable
    s : State

    Examples
    --------
    >>> with_residual(lambda u: 2 * u, State(u=1.0, f=5.0))
    State(u=1.0, f=5.0, r=3.0)

    Book: smoothing, eq-residual
    """
    return s if s.r is not None else State(s.u, s.f, s.f - A(s.u))


def correct(A, B):
    r"""Return the step :math:`u \leftarrow u + B(f - A u)`.

    The error of a linear step is propagated by :math:`E = I - B A`.

    Parameters
    ----------
    A, B : callable
        ``B`` maps a residual to a correction; it may be a matrix's inverse
        diagonal, a polynomial in ``A``, or batch norm, ReLU and a convolution.

    Examples
    --------
    One step of Richardson's iteration for ``2 u = 6``:

    >>> step = correct(lambda u: 2 * u, lambda r: 0.25 * r)
    >>> step(State(u=1.0, f=6.0))
    State(u=2.0, f=6.0, r=None)

    Book: smoothing, eq-step
    """

    def step(s):
        s = with_residual(A, s)
        return State(s.u + B(s.r), s.f)

    return step


def relax(steps, s):
    """Apply smoothing steps in order.

    Parameters
    ----------
    steps : sequence of callables, State -> State
    s : State

    Returns
    -------
    State

    Examples
    --------
    >>> halve = correct(lambda u: 2 * u, lambda r: r / 4)
    >>> relax([halve, halve], State(u=1.0, f=0.0)).u
    0.25

    Book: smoothing, eq-step
    """
    for step in steps:
        s = step(s)
    return s


def coarsen(fine, coarse, s):
    r"""Return ``(s, s')``: `s` with its residual, and the state on the next coarser level.

    .. math:: u' = \Pi u, \quad r' = R (f - A u), \quad f' = r' + A' u',

    and :math:`u' = 0`, :math:`f' = r'` where the level has no :math:`\Pi`.

    Parameters
    ----------
    fine, coarse : Level
    s : State
        On the fine level.

    Returns
    -------
    State, State
        Of the fine level, with its residual, and of the coarse one; both residuals are current.

    Raises
    ------
    InvalidValue
        If `fine` has no restriction.

    Examples
    --------
    >>> fine = Level(lambda u: 2 * u, R=lambda r: r / 2, Pi=lambda u: u)
    >>> coarsen(fine, Level(lambda u: 3 * u), State(u=1.0, f=6.0))
    (State(u=1.0, f=6.0, r=4.0), State(u=1.0, f=5.0, r=2.0))

    Book: fas, eq-fas
    """
    if fine.R is None:
        raise InvalidValue("the fine level has no restriction: give its Level an R.")
    s = with_residual(fine.A, s)
    r = fine.R(s.r)
    if fine.Pi is None:
        return s, start(r)
    u = fine.Pi(s.u)
    return s, State(u, r + coarse.A(u), r)


def backslash(levels, s):
    r"""The coarsening leg of a cycle: smooth and coarsen down to the last level.

    This is MgNet's forward pass between stem and head; with one linear solve
    on the last level it is the first half of a V-cycle.

    Parameters
    ----------
    levels : sequence of Level
        From fine to coarse.
    s : State
        On the finest level.

    Returns
    -------
    State
        On the coarsest level.

    Examples
    --------
    >>> fine = Level(lambda u: 2 * u, R=lambda r: r / 2, Pi=lambda u: u)
    >>> coarse = Level(lambda u: 3 * u, pre=[correct(lambda u: 3 * u, lambda r: r / 3)])
    >>> backslash([fine, coarse], State(u=1.0, f=4.0))
    State(u=1.3333333333333333, f=4.0, r=None)

    Book: mgnet, mgnet-algorithm
    """
    for fine, coarse in pairwise(levels):
        _, s = coarsen(fine, coarse, relax(fine.pre, s))
    return relax(levels[-1].pre, s)


def cycle(levels, s, gamma=1):
    r"""One multigrid cycle of the full approximation scheme.

    Smooth, coarsen, go on one level down (`gamma` times), correct by
    :math:`u \leftarrow u + P (u' - \Pi u)`, smooth again. On a linear problem
    this is the classical correction scheme, to rounding.

    Parameters
    ----------
    levels : sequence of Level
        From fine to coarse.
    s : State
        On the finest level.
    gamma : int
        1 for a V-cycle, 2 for a W-cycle.

    Returns
    -------
    State
        On the finest level.

    Examples
    --------
    Two levels that solve ``2 u = 6`` at once, since the coarse one is exact:

    >>> two = lambda u: 2 * u
    >>> same = lambda v: v
    >>> exact = correct(two, lambda r: r / 2)
    >>> cycle([Level(two, R=same, Pi=same, P=same), Level(two, pre=[exact])], State(1.0, 6.0)).u
    3.0

    Book: fas, eq-fas
    """
    fine, *coarser = levels
    s = relax(fine.pre, s)
    if coarser:
        s, c = coarsen(fine, coarser[0], s)
        w = c
        for _ in range(gamma if len(coarser) > 1 else 1):
            w = cycle(coarser, w, gamma)
        # Without Pi the coarse level started from zero: w.u is the correction itself.
        e = w.u - c.u if fine.Pi is not None and fine.difference else w.u
        s = State(fine.add(s.u, fine.P(e)), s.f)
    return relax(fine.post, s)


def full_multigrid(levels, f, cycles=1, gamma=1, restrict=None, interpolate=None):
    r"""Full multigrid: solve on the coarsest level, then interpolate and cycle, level by level.

    Each level starts from the solution of the next coarser one, so its cycles have only the
    difference of two discretisations left to remove. The work is that of `cycles` V-cycles
    times :math:`1 + 2^{-d} + 4^{-d} + \dots` once more.

    Parameters
    ----------
    levels : sequence of Level
        From fine to coarse.
    f : array
        The right-hand side on the finest level. The coarser ones get ``f' = restrict(f)``.
    cycles : int
        Cycles on each level.
    gamma : int
        1 for V-cycles, 2 for W-cycles.
    restrict, interpolate : callable, optional
        For right-hand sides and for approximations; each level's `R` and `P` by default.
        Approximations deserve a better interpolation than corrections do:
        :func:`mgtutorial.linalg.transfers.cubic_interpolation`.

    Returns
    -------
    State
        On the finest level.

    Examples
    --------
    >>> two, same = (lambda u: 2 * u), (lambda v: v)
    >>> exact = correct(two, lambda r: r / 2)
    >>> full_multigrid([Level(two, R=same, P=same), Level(two, pre=[exact])], np.float64(6.0)).u
    np.float64(3.0)

    Book: coarsening, coarsening-full-multigrid
    """
    sides = [f]
    for fine in levels[:-1]:
        sides.append((restrict or fine.R)(sides[-1]))
    s = cycle(levels[-1:], start(sides[-1]))
    for i in reversed(range(len(levels) - 1)):
        u = (interpolate or levels[i].P)(s.u)
        s = State(levels[i].add(start(sides[i]).u, u), sides[i])
        for _ in range(cycles):
            s = cycle(levels[i:], s, gamma)
    return s
