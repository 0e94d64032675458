"""The transpose as a smoother, under a constraint, and of a whole cycle."""

import numpy as np
import pytest
import scipy.optimize
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.errors import InvalidValue
from mgtutorial.linalg.fourier import smoothing_factor
from mgtutorial.linalg.problems import convection_diffusion, poisson
from mgtutorial.linalg.transposes import (
    Grid,
    Linear,
    grid_levels,
    kaczmarz,
    landweber,
    landweber_symbol,
    projected,
    transposed_grids,
)
from mgtutorial.multigrid import State, correct, cycle, relax, start

from ..project.prose import says


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_landweber_smooths_for_any_matrix(seed, nu):
    """Proposition 1, for matrices of any shape and rank."""
    rng = np.random.default_rng(seed)
    rank = rng.integers(1, 5)
    A = rng.standard_normal((6, rank)) @ rng.standard_normal((rank, 9))
    norm = np.linalg.norm(A, 2)
    E = np.eye(9) - A.T @ A / norm**2
    values = np.linalg.eigvalsh(E)
    assert values[0] > -1e-12 and values[-1] < 1 + 1e-12
    power = np.linalg.matrix_power(E, nu)
    bound = (2 * nu / (2 * nu + 1)) ** nu / np.sqrt(2 * nu + 1)
    assert np.linalg.norm(A @ power, 2) <= norm * bound * (1 + 1e-10)
    assert np.linalg.norm(A.T @ A @ power, 2) <= norm**2 / (np.e * nu)
    u, f = rng.standard_normal(9), rng.standard_normal(6)
    step = correct(lambda v: A @ v, landweber(lambda r: A.T @ r, 1 / norm**2))
    exact = np.linalg.pinv(A) @ f
    kept = (np.eye(9) - np.linalg.pinv(A) @ A) @ u  # what A does not see stays
    expected = exact + kept - E @ (exact + kept - u)
    np.testing.assert_allclose(step(State(u, f)).u, expected, atol=1e-9)


def test_the_price_is_a_square():
    for d, low, value in ((1, 1.0, 3 / 5), (2, 0.5, 15 / 17)):
        A = poisson(8, d=d).A
        omega = 2 / (low**2 + 4) / A.diagonal**2
        assert smoothing_factor(landweber_symbol(A, omega), d) == pytest.approx(value, abs=1e-9)
    says("transposes", "$\\frac{15}{17} = 0.882$ in 2D")
    assert round(15 / 17, 3) == 0.882


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_projected_landweber_is_not_worse_than_the_linear_step_and_finds_the_solution(seed):
    """Proposition 2, against a nonnegative least squares solver."""
    rng = np.random.default_rng(seed)
    A, f = rng.standard_normal((8, 5)), rng.standard_normal(8)
    solution, _ = scipy.optimize.nnls(A, f)
    omega = rng.uniform(0.1, 1.9) / np.linalg.norm(A, 2) ** 2
    step = projected(correct(lambda v: A @ v, landweber(lambda r: A.T @ r, omega)))
    np.testing.assert_allclose(step(State(solution, f)).u, solution, atol=1e-10)
    E = np.eye(5) - omega * A.T @ A
    u = 3 * rng.standard_normal(5)
    left = np.linalg.norm(solution - step(State(u, f)).u)
    assert left <= np.linalg.norm(E @ (solution - u)) + 1e-10
    s = relax([step] * 20, start(f, np.zeros(5)))
    carried = relax(
        [step] * 20, start(f, np.zeros(5), linear=True)
    )  # also with a residual that is carried
    np.testing.assert_allclose(carried.u, s.u, atol=1e-10)
    assert (s.u >= 0).all()


def test_relu_on_the_increments_ends_beside_the_solution():
    """Exercise 3."""
    A, f = np.array([[1.0, 1.0], [0.0, 1.0]]), np.ones(2)
    both = correct(lambda v: A @ v, landweber(lambda r: A.T @ r, 0.3))
    grow = correct(lambda v: A @ v, lambda r: np.maximum(0.3 * A.T @ r, 0))
    right = relax([projected(both)] * 2000, start(f)).u
    np.testing.assert_allclose(right, [0, 1], atol=1e-9)
    s, before = start(f), np.zeros(2)
    for _ in range(2000):
        s = grow(s)
        assert (s.u >= before).all()
        before = s.u
    assert s.u[0] >= 0.3 and s.u[1] <= 0.85


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_kaczmarz_is_row_by_row_and_never_enlarges_the_error(seed):
    rng = np.random.default_rng(seed)
    A, u, exact = rng.standard_normal((5, 7)), rng.standard_normal(7), rng.standard_normal(7)
    f, v = A @ exact, u.copy()
    for a, value in zip(A, f, strict=True):
        v += (value - a @ v) / (a @ a) * a
    got = correct(lambda w: A @ w, kaczmarz(A))(State(u, f)).u
    np.testing.assert_allclose(got, v, atol=1e-10)
    assert np.linalg.norm(exact - got) <= np.linalg.norm(exact - u) * (1 + 1e-12)


def random_grids(seed, sizes=(9, 5, 3)):
    """Levels of random parts: nothing symmetric, nothing square but the operators."""
    rng = np.random.default_rng(seed)

    def part(*shape):
        return Linear.of(rng.standard_normal(shape))

    grids = []
    for n, m in zip(sizes, (*sizes[1:], None), strict=True):
        A = Linear.of(rng.standard_normal((n, n)) + 3 * np.eye(n))
        pre, post = [part(n, n), part(n, n)], [part(n, n)]
        grids.append(Grid(A, pre, post, part(m, n), part(n, m)) if m else Grid(A, pre, post))
    return grids


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from([1, 2, 3]))
def test_the_transpose_of_a_cycle_is_the_cycle_of_the_transposed_parts(seed, gamma):
    """Theorem 3; the parts need not make a method that converges."""
    grids = random_grids(seed)

    def matrix(given):
        levels = grid_levels(given)
        return np.array([cycle(levels, start(e, linear=True), gamma).u for e in np.eye(9)]).T

    M, other = matrix(grids), matrix(transposed_grids(grids))
    np.testing.assert_allclose(other, M.T, atol=1e-9 * np.abs(M).max())
    again = matrix(transposed_grids(transposed_grids(grids)))
    np.testing.assert_allclose(again, M, atol=1e-12 * np.abs(M).max())


def test_reverse_mode_is_the_transposed_cycle():
    grids = random_grids(0)
    count = {}
    for g, n in zip(grids, (9, 5, 3), strict=True):
        count |= {id(op): n for op in (g.A, *g.pre, *g.post, g.R) if op}
        if g.P:
            count[id(g.P)] = (n + 1) // 2

    def tensor(op):
        columns = np.array([op(e) for e in np.eye(count[id(op)])])
        return Linear.of(torch.from_numpy(columns.T.copy()))

    made = [
        Grid(
            tensor(g.A),
            [tensor(B) for B in g.pre],
            [tensor(B) for B in g.post],
            g.R and tensor(g.R),
            g.P and tensor(g.P),
        )
        for g in grids
    ]
    f = torch.linspace(-1, 1, 9, dtype=torch.float64, requires_grad=True)
    g = torch.linspace(0, 1, 9, dtype=torch.float64)
    u = cycle(grid_levels(made), start(f, linear=True)).u
    (by_torch,) = torch.autograd.grad(g @ u, f)
    by_cycle = cycle(grid_levels(transposed_grids(made)), start(g, linear=True)).u
    torch.testing.assert_close(
        by_torch, by_cycle, rtol=1e-9, atol=1e-9 * float(by_cycle.abs().max())
    )


def test_stencils_and_transfers_make_grids_too():
    """Their own adjoints serve; a nonsymmetric problem keeps its rate."""
    A = convection_diffusion(16, [4.0]).A
    op = Linear(A, A.adjoint)
    u, v = np.random.default_rng(0).standard_normal((2, 15))
    assert np.dot(op(u), v) == pytest.approx(np.dot(u, op.T(v)))
    assert op.T.T == op


def test_bad_dampings_and_rows_are_refused():
    for omega in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(InvalidValue, match="damping"):
            landweber(lambda r: r, omega)
    with pytest.raises(InvalidValue, match="row"):
        kaczmarz(np.array([[1.0, 0.0], [0.0, 0.0]]))


@pytest.mark.parametrize("scales", [(1e-170, 1e-170), (1e170, 1e170), (1e-170, 1e170)])
def test_kaczmarz_does_not_ask_in_which_units_an_equation_is(scales):
    matrix, f = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([1.0, 2.0])
    scales = np.array(scales)
    got = kaczmarz(scales[:, None] * matrix)(scales * f)
    np.testing.assert_allclose(got, kaczmarz(matrix)(f), rtol=1e-14)


def test_kaczmarz_of_a_complex_matrix_projects_row_by_row():
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((3, 5)) + 1j * rng.standard_normal((3, 5))
    f = rng.standard_normal(3) + 1j * rng.standard_normal(3)
    u = np.zeros(5, complex)
    for row, value in zip(matrix, f, strict=True):
        u = u + row.conj() * (value - row @ u) / np.vdot(row, row).real
    np.testing.assert_allclose(kaczmarz(matrix)(f), u, atol=1e-14)
