"""The algorithm against dense linear algebra that knows nothing of levels and states."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.errors import InvalidValue
from mgtutorial.multigrid import (
    Level,
    State,
    backslash,
    coarsen,
    correct,
    cycle,
    full_multigrid,
    start,
    with_residual,
)


def matrix(m):
    return lambda x: m @ x


class Counted:
    """A matrix as a callable that counts its applications."""

    def __init__(self, m):
        self.m, self.n = m, 0

    def __call__(self, x):
        self.n += 1
        return self.m @ x


def problem(seed, sizes):
    """Random positive definite operators, transfers and damped smoothers on each size."""
    rng = np.random.default_rng(seed)
    operators, smoothers = [], []
    for n in sizes:
        g = rng.standard_normal((n, n))
        operators.append(g @ g.T / n + np.eye(n))
        smoothers.append(np.eye(n) / np.linalg.norm(operators[-1], 2))
    down = [rng.standard_normal((m, n)) for n, m in pairwise(sizes)]
    return operators, smoothers, down, rng


def levels_of(operators, smoothers, down, Pi=None, nu=2):
    levels = []
    for i, (A, B) in enumerate(zip(operators, smoothers, strict=True)):
        A = matrix(A)
        steps = [correct(A, matrix(B))] * nu
        last = i == len(operators) - 1
        R = None if last else matrix(down[i])
        P = None if last else matrix(down[i].T)
        projection = None if last or Pi is None else matrix(Pi[i])
        levels.append(Level(A, steps, steps, R, projection, P))
    return levels


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 3))
def test_v_cycle_propagates_the_error_by_the_dense_two_grid_operator(seed, nu):
    (A, Ac), (B, Bc), (R,), rng = problem(seed, (9, 4))
    levels = levels_of((A, Ac), (B, Bc), (R,), [rng.standard_normal((4, 9))], nu)
    u, f = rng.standard_normal(9), rng.standard_normal(9)
    S, Sc = np.eye(9) - B @ A, np.eye(4) - Bc @ Ac
    solve = (np.eye(4) - np.linalg.matrix_power(Sc, 2 * nu)) @ np.linalg.inv(Ac)
    E = np.linalg.matrix_power(S, nu)
    E = E @ (np.eye(9) - R.T @ solve @ R @ A) @ E
    exact = np.linalg.solve(A, f)
    got = cycle(levels, State(u, f)).u
    scale = np.abs(exact).max() + np.abs(R).max() ** 2 * np.abs(E).max() * 10
    np.testing.assert_allclose(got - exact, E @ (u - exact), atol=1e-12 * scale)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([1, 2]))
def test_on_a_linear_problem_fas_equals_the_correction_scheme_whatever_Pi_is(seed, gamma):
    operators, smoothers, down, rng = problem(seed, (12, 6, 3))
    Pi = [rng.standard_normal(d.shape) for d in down]
    s = State(rng.standard_normal(12), rng.standard_normal(12))
    fas = cycle(levels_of(operators, smoothers, down, Pi), s, gamma).u
    plain = cycle(levels_of(operators, smoothers, down), s, gamma).u
    np.testing.assert_allclose(fas, plain, rtol=1e-11, atol=1e-11 * np.abs(plain).max())


def test_the_first_coarse_residual_is_the_restricted_residual():
    (A, Ac), _, (R,), rng = problem(3, (9, 4))
    fine = Level(matrix(A), R=matrix(R), Pi=matrix(rng.standard_normal((4, 9))))
    s, c = coarsen(fine, Level(matrix(Ac)), State(rng.standard_normal(9), rng.standard_normal(9)))
    np.testing.assert_allclose(c.r, R @ (s.f - A @ s.u), rtol=0, atol=0)
    np.testing.assert_allclose(c.r, c.f - Ac @ c.u, atol=1e-12)


def test_no_application_of_A_is_done_twice():
    operators, smoothers, down, rng = problem(5, (12, 6, 3))
    counted = [Counted(A) for A in operators]
    levels = []
    for i, A in enumerate(counted):
        steps = [correct(A, matrix(smoothers[i]))] * 2
        transfers = {} if i == 2 else {"R": matrix(down[i]), "Pi": matrix(down[i])}
        levels.append(Level(A, steps, **transfers))
    backslash(levels, start(rng.standard_normal(12)))
    # Level 1: the second step and the transfer (the zero start is free). Level 2: A' u', the
    # second step, the transfer. Level 3: A' u' and the second step; its last residual is unread.
    assert [A.n for A in counted] == [2, 3, 2]


def test_a_current_residual_is_not_computed_again():
    A = Counted(np.eye(3))
    s = with_residual(A, State(np.ones(3), np.ones(3)))
    with_residual(A, s)
    assert A.n == 1


def test_numpy_and_torch_give_the_same_cycle():
    torch = pytest.importorskip("torch")
    operators, smoothers, down, rng = problem(7, (8, 4))
    f = rng.standard_normal(8)
    got = cycle(levels_of(operators, smoothers, down, down), start(f)).u
    tensors = [[torch.from_numpy(m) for m in ms] for ms in (operators, smoothers, down)]
    same = cycle(levels_of(*tensors, tensors[2]), start(torch.from_numpy(f))).u
    np.testing.assert_allclose(same.numpy(), got, atol=1e-13 * np.abs(got).max())


def test_a_level_without_restriction_is_one_sentence():
    with pytest.raises(InvalidValue, match="no restriction"):
        coarsen(Level(lambda u: u), Level(lambda u: u), State(np.ones(2), np.ones(2)))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 2))
def test_full_multigrid_is_the_dense_nested_iteration(seed, cycles):
    """On two levels: interpolate the coarse result, then propagate its error by E."""
    (A, Ac), (B, Bc), (R,), rng = problem(seed, (9, 4))
    f = rng.standard_normal(9)
    S, Sc = np.eye(9) - B @ A, np.eye(4) - Bc @ Ac
    solve = (np.eye(4) - np.linalg.matrix_power(Sc, 4)) @ np.linalg.inv(Ac)
    E = S @ S @ (np.eye(9) - R.T @ solve @ R @ A) @ S @ S
    exact = np.linalg.solve(A, f)
    restrict, interpolate = rng.standard_normal((4, 9)), rng.standard_normal((9, 4))
    for M, T in ((R, R.T), (restrict, interpolate)):
        levels = levels_of((A, Ac), (B, Bc), (R,))
        given = {} if M is R else {"restrict": matrix(M), "interpolate": matrix(T)}
        got = full_multigrid(levels, f, cycles, **given).u
        expected = exact + np.linalg.matrix_power(E, cycles) @ (T @ solve @ M @ f - exact)
        size = 1 + np.abs(np.linalg.matrix_power(E, cycles)).max() * np.abs(T @ solve @ M @ f).max()
        np.testing.assert_allclose(got, expected, atol=1e-11 * size)


def test_a_level_may_add_corrections_in_its_own_way():
    (A, Ac), (B, Bc), (R,), rng = problem(4, (9, 4))
    levels = levels_of((A, Ac), (B, Bc), (R,))
    s = State(rng.standard_normal(9), rng.standard_normal(9))
    seen = []

    def add(u, e):
        seen.append(e)
        return u + e

    own = [replace(levels[0], add=add), levels[1]]
    np.testing.assert_array_equal(cycle(own, s).u, cycle(levels, s).u)
    assert len(seen) == 1
