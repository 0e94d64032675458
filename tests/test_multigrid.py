"""The algorithm against dense linear algebra that knows nothing of levels and states."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.errors import InvalidValue
from mgtutorial.linalg.solvers import full_multigrid, poisson_levels, solve
from mgtutorial.multigrid import (
    Level,
    State,
    backslash,
    changed,
    coarsen,
    correct,
    cycle,
    relax,
    start,
    with_residual,
    with_right_hand_side,
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


def levels_of(operators, smoothers, down, Pi=None, nu=2, **options):
    levels = []
    for i, (A, B) in enumerate(zip(operators, smoothers, strict=True)):
        A = matrix(A)
        steps = [correct(A, matrix(B))] * nu
        last = i == len(operators) - 1
        R = None if last else matrix(down[i])
        P = None if last else matrix(down[i].T)
        projection = None if last or Pi is None else matrix(Pi[i])
        levels.append(Level(A, steps, steps, R, projection, P, **options))
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


def counted_levels(linear, Pi, sizes=(12, 6, 3), nu=2):
    """Levels with `nu` steps on each side, the operators that count, and a right-hand side."""
    operators, smoothers, down, rng = problem(5, sizes)
    counted, levels = [Counted(A) for A in operators], []
    for i, A in enumerate(counted):
        steps = [correct(A, matrix(smoothers[i]))] * nu
        transfers = {}
        if i < len(sizes) - 1:
            transfers = {"R": matrix(down[i]), "P": matrix(down[i].T)}
            transfers["Pi"] = matrix(down[i]) if Pi else None
        levels.append(Level(A, steps, steps, **transfers, linear=linear))
    return levels, counted, rng.standard_normal(sizes[0])


@pytest.mark.parametrize(
    ("linear", "Pi", "down", "round_trip"),
    [
        # Down: the second step and the transfer (the first residual is known), but on the last
        # level, where nobody reads the last one. Back: both steps, and the last level's four.
        (True, True, [2, 2, 1], [4, 4, 3]),
        (True, False, [2, 2, 1], [4, 4, 3]),
        (False, False, [2, 2, 1], [4, 4, 3]),  # f' = r' is known, too
        (False, True, [2, 3, 2], [4, 5, 4]),  # A' u' in f'
    ],
)
def test_A_is_applied_once_for_each_residual_that_is_read_and_for_nothing_else(
    linear, Pi, down, round_trip
):
    levels, counted, f = counted_levels(linear, Pi)
    backslash(levels, start(f, linear=linear))
    assert [A.n for A in counted] == down
    levels, counted, f = counted_levels(linear, Pi)
    cycle(levels, start(f, linear=linear))
    assert [A.n for A in counted] == round_trip


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 10**6), st.sampled_from([1, 2]), st.integers(0, 2), st.booleans(),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_the_residual_equation_gives_what_the_equation_gives(seed, gamma, nu, fas, full, zero):
    """Cycles with the residual carried, against the same with f' made and f - A u computed."""
    operators, smoothers, down, rng = problem(seed, (12, 6, 3))
    Pi = [rng.standard_normal(d.shape) for d in down] if fas else None
    f, u = rng.standard_normal(12), None if zero else rng.standard_normal(12)
    found = []
    for linear in (False, True):
        levels = levels_of(
            operators, smoothers, down, Pi, nu, linear=linear, difference=full or not fas
        )
        s = cycle(levels, cycle(levels, start(f, u, linear), gamma), gamma)
        found.append(with_residual(levels[0].A, s))
    equation, residual = found
    size = max(np.abs(equation.u).max(), np.abs(equation.r).max())
    np.testing.assert_allclose(residual.u, equation.u, rtol=0, atol=1e-12 * size)
    np.testing.assert_allclose(residual.r, equation.r, rtol=0, atol=1e-11 * size)
    assert residual.f is None and equation.f is f
    made = with_right_hand_side(matrix(operators[0]), residual)
    np.testing.assert_allclose(made.f, f, rtol=0, atol=1e-11 * size)


def test_the_right_hand_side_is_made_on_demand_for_any_operator():
    """Of a nonlinear A, too, and with a change that the residual does not know of."""

    def A(u):
        return u**3 + u

    rng = np.random.default_rng(1)
    u, f, e = rng.standard_normal((3, 5))
    known = State(u, None, f - A(u))
    later = State(u + e, None, f - A(u), e)
    for s in (known, later):
        np.testing.assert_allclose(with_right_hand_side(A, s).f, f, rtol=0, atol=1e-14)
    assert with_right_hand_side(A, later).r is None
    assert with_right_hand_side(A, State(u, f)) == State(u, f)


def test_changes_without_a_reader_of_the_residual_are_applied_at_once():
    A = Counted(np.diag([2.0, 3.0]))
    s = start(np.ones(2), linear=True)
    once = relax([lambda s: changed(s, s.u + 1)] * 3, s)
    assert A.n == 0
    np.testing.assert_array_equal(with_residual(A, once).r, [1 - 2 * 3, 1 - 3 * 3])
    assert A.n == 1


# ---------------------------------------------------------------------------------- rounding


def gaps(dtype, cycles):
    """The carried residual of Poisson's equation over the cycles, and how far f - A u is away.

    Both relative to f; A u itself is computed in double precision.
    """
    levels = poisson_levels(64)
    f = np.random.default_rng(0).standard_normal((63, 63)).astype(dtype)
    s, carried, gap = start(f, linear=True), [], []
    for _ in range(cycles):
        s = with_residual(levels[0].A, cycle(levels, s))
        assert s.u.dtype == s.r.dtype == dtype and s.f is None
        true = f - levels[0].A(s.u.astype(np.float64))
        carried.append(np.linalg.norm(s.r) / np.linalg.norm(f))
        gap.append(np.linalg.norm(s.r - true) / np.linalg.norm(f))
    return carried, gap


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_carried_residual_goes_on_falling_where_rounding_stops_the_true_one(dtype):
    carried, gap = gaps(dtype, 60)
    eps = np.finfo(dtype).eps
    assert carried[-1] < 1e-3 * eps
    # The gap is of the first cycles, which correct most; what comes later is too small to count.
    assert gap[0] > 0.2 * gap[-1] and gap[20] > 0.99 * gap[-1]
    f = np.random.default_rng(0).standard_normal((63, 63)).astype(dtype)
    recomputed = solve(poisson_levels(64), f, tol=0).residuals
    floor = min(recomputed) / np.linalg.norm(f)
    assert 2 < gap[-1] / floor < 5


@pytest.mark.parametrize("name", ["mgnet-20", "mgiad-20-g4"])
def test_in_a_network_the_gap_is_no_greater_than_the_rounding_of_a_computed_residual(name):
    torch = pytest.importorskip("torch")
    from mgtutorial import models

    torch.manual_seed(0)
    net = models.named(name).build()
    x = torch.randn(4, net.config.in_channels, 28, 28)
    levels = [m.level() for m in net.levels]
    with torch.no_grad():
        s = start(net.stem(x), linear=True)
        for i, level in enumerate(levels):

            def exactly(u, A=level.A):
                w = A.weight.double()
                return torch.nn.functional.conv2d(u.double(), w, padding=1, groups=A.groups)

            s = with_residual(level.A, s)
            f = s.r.double() + exactly(s.u)
            s = with_residual(level.A, relax(level.pre, s))
            true = f - exactly(s.u)
            computed = f.float() - level.A(s.u)
            gap, other = ((r.double() - true).norm() for r in (s.r, computed))
            assert 0 < gap < other
            if i + 1 < len(levels):
                _, s = coarsen(level, levels[i + 1], s)


def test_the_solver_reports_the_true_residual():
    levels = poisson_levels(64)
    f = np.random.default_rng(0).standard_normal((63, 63)).astype(np.float32)
    result = solve(levels, f, tol=1e-20)
    assert result.reason.startswith("stagnated")
    true = np.linalg.norm(f - levels[0].A(result.u))
    assert abs(result.residuals[-1] - true) < 1e-5 * true


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


def same(v):
    return v


@pytest.mark.parametrize("lacks", ["R", "P"])
def test_a_cycle_over_a_level_without_a_transfer_is_one_sentence(lacks):
    transfers = {"R": same, "P": same, lacks: None}
    words = {"R": "no restriction", "P": "no prolongation"}[lacks]
    with pytest.raises(InvalidValue, match=words):
        cycle([Level(same, **transfers), Level(same)], start(np.ones(2)))


@pytest.mark.parametrize("gamma", [0, -1, 1.5, "W"])
def test_a_cycle_that_there_is_not_is_one_sentence(gamma):
    with pytest.raises(InvalidValue, match="gamma"):
        cycle([Level(same, R=same, P=same), Level(same)], start(np.ones(2)), gamma)


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


def dense_cycle(operators, smoothers, down, gamma):
    """The error propagation by matrices: F goes down as F and then as V."""
    (A, *coarser), (B, *others) = operators, smoothers
    S = np.eye(len(A)) - B @ A
    if not coarser:
        return S @ S
    turns = {"F": ["F", 1]}.get(gamma) or [gamma] * gamma
    below = np.eye(len(coarser[0]))
    for turn in turns if len(coarser) > 1 else turns[:1]:
        below = dense_cycle(coarser, others, down[1:], turn) @ below
    R, solve = down[0], (np.eye(len(below)) - below) @ np.linalg.inv(coarser[0])
    return S @ (np.eye(len(A)) - R.T @ solve @ R @ A) @ S


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 3, "F"]))
def test_a_cycle_on_four_levels_propagates_the_error_as_its_matrices_do(seed, gamma):
    operators, smoothers, down, rng = problem(seed, (12, 6, 3, 2))
    E = dense_cycle(operators, smoothers, down, gamma)
    e = rng.standard_normal(12)
    levels = levels_of(operators, smoothers, down, nu=1)
    got = cycle(levels, State(e, np.zeros(12)), gamma).u
    np.testing.assert_allclose(got, E @ e, rtol=0, atol=1e-9 * max(1, np.abs(E).max()))


@pytest.mark.parametrize(
    "gamma, visits", [(1, [1, 1, 1, 1, 1]), (2, [1, 2, 4, 8, 8]), ("F", [1, 2, 3, 4, 4])]
)
def test_how_often_a_level_is_visited(gamma, visits):
    """Twice on the way to each level but the coarsest, of which one solve is enough."""
    found = [0] * 5

    def seen(i):
        def step(s):
            found[i] += 1
            return s

        return step

    same = matrix(np.eye(2))
    levels = [Level(same, pre=[seen(i)], R=same, Pi=same, P=same) for i in range(5)]
    cycle(levels, start(np.ones(2)), gamma)
    assert found == visits
