r"""The one multigrid algorithm: smooth, restrict the residual, correct.

It is written once, over plain callables. The same functions solve Poisson's equation with NumPy and
SciPy and are the forward pass of the networks with torch modules; they never ask what an operator
is, only apply it.

**Two forms of an equation.** A :class:`State` holds the approximation ``u`` and what is left to
solve, in one of two forms. The *equation* ``A(u) = f`` makes sense for any operator; its residual
is ``f - A(u)``, computed when it is asked for and dropped when ``u`` changes. The *residual
equation* ``A e = r`` for the error is enough where `A` is linear: when a correction ``c`` is added
to ``u``, the residual becomes ``r - A c``, for which neither ``f`` nor ``u`` is needed. That
product is formed only when the residual is asked for, and after the last correction it never is.

**Why the full approximation scheme and the correction scheme agree.** The full approximation
scheme gives the coarse level the problem

.. math:: A' u' = f', \qquad f' = R (f - A u) + A' (\Pi u),

and starts there from :math:`\Pi u`. Its first residual is therefore :math:`R (f - A u)`, the
restricted residual: :func:`coarsen` hands it on. If :math:`A'` is linear, every later one follows
from the corrections alone, so :math:`f'` and :math:`A' (\Pi u)` are never needed, and
:math:`\Pi` has no influence on the corrections. The correction scheme starts from zero with the
same residual, and makes the same corrections. Only a nonlinear :math:`A'` has to be told where it
is, by :math:`f'`; :func:`with_right_hand_side` then computes this from the residual.

**Rounding.** Each correction adds an error the size of the rounding in ``A c`` to a carried
residual, and these errors stay. In a solver they leave a gap, three to five times as large as the
residual at which rounding stops a solver that computes ``f - A u``, while the carried one goes on
falling: so :func:`mgtutorial.linalg.solve` computes what it reports from `f` and `u`. In a network,
with its few steps, the gap is smaller than the rounding error of a computed ``f - A u``.

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
    """An approximation and what is left to solve: the equation, or the residual equation.

    Attributes
    ----------
    u : array
        The approximation (in a network: the features).
    f : array or None
        The right-hand side (in a network: the data). None for the residual equation of a linear
        `A`, which does not need one.
    r : array or None
        The residual of ``u - added``; where there is an `f`, None once `u` has changed.
    added : array or None
        What was added to `u` since `r` was its residual; None if `r` still is. Only without `f`.

    Examples
    --------
    >>> State(u=1.0, f=5.0)
    State(u=1.0, f=5.0, r=None, added=None)

    Book: fas, eq-fas-identity
    """

    u: Any
    f: Any
    r: Any = None
    added: Any = None


Step = Callable[[State], State]


@dataclass(frozen=True)
class Level:
    """One level of the hierarchy: an operator, its smoothing steps, its transfers.

    Attributes
    ----------
    A : callable
        The operator, features to data.
    pre, post : sequence of steps
        Smoothing steps before and after the coarse correction, as :func:`correct` makes them. On
        the coarsest level, ``pre`` and then ``post`` are all there is: put a solver there.
    R : callable or None
        Restricts residuals to the next coarser level.
    Pi : callable or None
        Restricts approximations to that level. None starts it from zero, with the restricted
        residual as its right-hand side: the correction scheme, for linear problems only.
    P : callable or None
        Prolongates corrections from the next coarser level back to this one.
    add : callable
        Maps ``u`` and ``P``'s result to ``u + P(e)``; a solver that works in place has its own.
    difference : bool
        True: `P` gets ``u' - Pi u``, the correction of the full approximation scheme. False: it
        gets ``u'`` itself, as MGiaD's algorithm is printed; no solver does: solutions would move.
    linear : bool
        True: `A` is linear, and the steps ask only for the residual, as those of :func:`correct`
        do. Then no work is spent on ``f'`` when this level is entered from a finer one.

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
    linear: bool = False


def start(f, u=None, linear=False):
    """Return the initial state; from zero its residual is `f`, as ``A(0) = 0`` for every `A` here.

    Parameters
    ----------
    f : array or tensor
        The right-hand side.
    u : array or tensor, optional
        The approximation; zero by default.
    linear : bool
        True: `A` is linear, so the state is to carry its residual and no `f`.

    Examples
    --------
    >>> start(np.ones(3))
    State(u=array([0., 0., 0.]), f=array([1., 1., 1.]), r=array([1., 1., 1.]), added=None)
    >>> start(5.0, 1.0, linear=True)  # 5 is the residual of zero
    State(u=1.0, f=None, r=5.0, added=1.0)

    Book: mgnet, tab-mgnet-applications
    """
    if u is not None:
        return State(u, None, f, u) if linear else State(u, f)
    # What speaks torch's protocol is a tensor, or stands for one in a trace.
    like = sys.modules["torch"] if hasattr(f, "__torch_function__") else np
    return State(like.zeros_like(f), None if linear else f, f)


def with_residual(A, s):
    """Return `s` with a current residual; apply `A` once, and only if it was not current.

    Examples
    --------
    >>> with_residual(lambda u: 2 * u, State(u=1.0, f=5.0)).r
    3.0
    >>> with_residual(lambda u: 2 * u, State(u=1.0, f=None, r=4.0, added=0.5)).r
    3.0

    Book: smoothing, eq-residual
    """
    if s.f is None:
        return s if s.added is None else State(s.u, None, s.r - A(s.added))
    return s if s.r is not None else State(s.u, s.f, s.f - A(s.u))


def with_right_hand_side(A, s):
    """Return `s` as the equation ``A(u) = f``; apply `A` once, and only if `s` carries no `f`.

    Examples
    --------
    >>> with_right_hand_side(lambda u: 2 * u, State(u=1.0, f=None, r=3.0))
    State(u=1.0, f=5.0, r=3.0, added=None)

    Book: fas, fas-carried
    """
    if s.f is not None:
        return s
    if s.added is None:
        return State(s.u, s.r + A(s.u), s.r)
    return State(s.u, s.r + A(s.u - s.added))


def changed(s, u, by=None):
    """Return the state after the approximation of `s` was changed to `u`.

    Every step ends with this. The residual is not computed until it is asked for.

    Parameters
    ----------
    s : State
    u : array
    by : array, optional
        ``u - s.u``, if that is already known.

    Examples
    --------
    >>> changed(State(u=1.0, f=5.0, r=3.0), 1.5)
    State(u=1.5, f=5.0, r=None, added=None)
    >>> changed(State(u=1.0, f=None, r=3.0), 1.5)
    State(u=1.5, f=None, r=3.0, added=0.5)

    Book: fas, fas-carried
    """
    if s.f is not None:
        return State(u, s.f)
    by = u - s.u if by is None else by
    return State(u, None, s.r, by if s.added is None else s.added + by)


def correct(A, B):
    r"""Return the step :math:`u \leftarrow u + B(f - A u)`.

    The error of a linear step is propagated by :math:`E = I - B A`.

    Parameters
    ----------
    A, B : callable
        ``B`` maps a residual to a correction; it may be the inverse of a diagonal, a polynomial
        in ``A``, or batch norm, ReLU and a convolution.

    Examples
    --------
    One step of Richardson's iteration for ``2 u = 6``, with the equation and with the residual:

    >>> step = correct(lambda u: 2 * u, lambda r: 0.25 * r)
    >>> step(State(u=1.0, f=6.0))
    State(u=2.0, f=6.0, r=None, added=None)
    >>> step(State(u=1.0, f=None, r=4.0))
    State(u=2.0, f=None, r=4.0, added=1.0)

    Book: smoothing, eq-step
    """

    def step(s):
        s = with_residual(A, s)
        e = B(s.r)
        return changed(s, s.u + e, e)

    return step


def relax(steps, s):
    """Apply smoothing steps to a state, in order; return the new state.

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

    and :math:`u' = 0`, :math:`f' = r'` where the level has no :math:`\Pi`. A linear coarse level
    gets only :math:`u'` and :math:`r'`.

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
    (State(u=1.0, f=6.0, r=4.0, added=None), State(u=1.0, f=5.0, r=2.0, added=None))

    Book: fas, eq-fas
    """
    if fine.R is None:
        raise InvalidValue("the fine level has no restriction: give its Level an R.")
    s = with_residual(fine.A, s)
    r = fine.R(s.r)
    if fine.Pi is None:
        return s, start(r, linear=coarse.linear)
    c = State(fine.Pi(s.u), None, r)
    return s, c if coarse.linear else with_right_hand_side(coarse.A, c)


def backslash(levels, s, visit=None):
    r"""The coarsening leg of a cycle: smooth and coarsen down to the last level.

    MgNet's forward pass between stem and head; with a solve on the last level, half of a V-cycle.

    Parameters
    ----------
    levels : sequence of Level
        From fine to coarse.
    s : State
        On the finest level.
    visit : callable, optional
        Called with the state of each level as the level is left, with the last one's at the end.

    Returns
    -------
    State
        On the coarsest level.

    Examples
    --------
    >>> fine = Level(lambda u: 2 * u, R=lambda r: r / 2, Pi=lambda u: u)
    >>> coarse = Level(lambda u: 3 * u, pre=[correct(lambda u: 3 * u, lambda r: r / 3)])
    >>> backslash([fine, coarse], State(u=1.0, f=4.0))
    State(u=1.3333333333333333, f=4.0, r=None, added=None)

    Book: mgnet, mgnet-algorithm
    """
    visit = visit or (lambda state: None)
    for fine, coarse in pairwise(levels):
        left, s = coarsen(fine, coarse, relax(fine.pre, s))
        visit(left)
        del left  # so that its memory is free
    visit(s := relax(levels[-1].pre, s))
    return s


def cycle(levels, s, gamma=1):
    r"""One multigrid cycle of the full approximation scheme.

    Smooth, coarsen, continue one level down (`gamma` times), correct by
    :math:`u \leftarrow u + P (u' - \Pi u)`, smooth again. On a linear problem this is the classical
    correction scheme, up to rounding.

    An F-cycle goes down twice, as a W-cycle does, but the second time as a V-cycle: in `d`
    dimensions it costs :math:`(1 - 2^{-d})^{-2}`, where a V-cycle costs :math:`(1 - 2^{-d})^{-1}`.

    Parameters
    ----------
    levels : sequence of Level
        From fine to coarse.
    s : State
        On the finest level.
    gamma : int or "F"
        1 for a V-cycle, 2 for a W-cycle, "F" for an F-cycle.

    Returns
    -------
    State
        On the finest level.

    Raises
    ------
    InvalidValue
        If a level above the coarsest lacks `R` or `P`, or has to continue with any other `gamma`.

    Examples
    --------
    >>> two, same = lambda u: 2 * u, lambda v: v
    >>> exact = correct(two, lambda r: r / 2)
    >>> cycle([Level(two, R=same, Pi=same, P=same), Level(two, pre=[exact])], State(1.0, 6.0)).u
    3.0

    Book: fas, eq-fas
    """
    fine, *coarser = levels
    s = relax(fine.pre, s)
    if coarser:
        if gamma != "F" and not (isinstance(gamma, int | np.integer) and gamma > 0):
            raise InvalidValue(f'gamma={gamma!r}: give a whole number from 1 on, or "F".')
        if fine.P is None:
            raise InvalidValue("the fine level has no prolongation: give its Level a P.")
        s, c = coarsen(fine, coarser[0], s)
        w = c
        turns = ("F", 1) if gamma == "F" else (gamma,) * gamma
        for turn in turns if len(coarser) > 1 else turns[:1]:
            w = cycle(coarser, w, turn)
        # Without Pi the coarse level started from zero: w.u is the correction itself.
        e = fine.P(w.u - c.u if fine.Pi is not None and fine.difference else w.u)
        s = changed(s, fine.add(s.u, e), e)
    return relax(fine.post, s)
