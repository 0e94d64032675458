"""Solvers against dense matrices, and their convergence against the numbers of theory."""

import numpy as np
import pytest

from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.linalg.coarsening import coarsenings, direct
from mgtutorial.linalg.fast_poisson import PoissonSolver, merge, split
from mgtutorial.linalg.fourier import two_grid_factor
from mgtutorial.linalg.operators import as_matrix
from mgtutorial.linalg.problems import (
    Problem,
    anisotropic_diffusion,
    convection_diffusion,
    poisson,
)
from mgtutorial.linalg.smoothers import gauss_seidel, jacobi, red_black
from mgtutorial.linalg.solvers import (
    convergence_factor,
    full_multigrid,
    linear_levels,
    poisson_levels,
    solve,
)
from mgtutorial.linalg.stencils import Stencil
from mgtutorial.linalg.transfers import (
    cubic_interpolation,
    full_weighting,
    linear_interpolation,
)
from mgtutorial.multigrid import (
    Level,
    State,
    correct,
    cycle,
    start,
    with_residual,
)


def randoms(n, seed=0):
    return np.random.default_rng(seed).standard_normal((n - 1, n - 1))


def error_matrix(levels, shape, gamma=1):
    """The matrix of E, by cycling all unit vectors with f = 0."""
    return as_matrix(lambda e: cycle(levels, State(e, 0 * e), gamma).u, shape)


def dense_two_grid(problem, coarse, S_pre, S_post, nu):
    """E of a two-grid cycle by the textbook's formula, from dense matrices."""
    A, shape = problem.sparse().toarray(), problem.shape
    R = full_weighting(problem.A.d).sparse(shape).toarray()
    P = linear_interpolation(problem.A.d).sparse(shape).toarray()
    K = np.eye(len(A)) - P @ np.linalg.solve(coarse.sparse().toarray(), R @ A)
    power = np.linalg.matrix_power
    return power(S_post, nu[1]) @ K @ power(S_pre, nu[0])


@pytest.mark.parametrize("nu", [(1, 0), (2, 1)])
@pytest.mark.parametrize("fas", [False, True])
def test_two_grid_error_propagation_is_the_dense_formula(nu, fas):
    problem, coarse = poisson(8), poisson(4)
    A = problem.sparse().toarray()
    D, lower = np.diag(np.diag(A)), np.tril(A)
    B_jacobi, B_gs = 0.8 * np.linalg.inv(D), np.linalg.inv(lower)
    smoothers = (
        lambda p: jacobi(p.A.diagonal, 0.8),
        lambda p: gauss_seidel(p.A, p.shape),
    )
    E = error_matrix(poisson_levels(8, depth=2, smoother=smoothers, nu=nu, fas=fas), (7, 7))
    one = np.eye(49)
    expected = dense_two_grid(problem, coarse, one - B_jacobi @ A, one - B_gs @ A, nu)
    np.testing.assert_allclose(E, expected, atol=1e-13)


@pytest.mark.parametrize("gamma", [1, 2])
def test_three_level_cycles_are_the_recursive_dense_formula(gamma):
    """The coarse problem is solved up to the error propagation of the cycle below, to the gamma."""
    nu, power = (1, 1), np.linalg.matrix_power
    fine, coarse, coarsest = poisson(16), poisson(8), poisson(4)

    def smoothing(problem):
        A = problem.sparse().toarray()
        return np.eye(len(A)) - as_matrix(red_black(problem.A), problem.shape) @ A

    S = smoothing(coarse)
    below = power(dense_two_grid(coarse, coarsest, S, S, nu), gamma)
    A, A_coarse = fine.sparse().toarray(), coarse.sparse().toarray()
    R = full_weighting().sparse(fine.shape).toarray()
    P = linear_interpolation().sparse(fine.shape).toarray()
    solved = (np.eye(len(below)) - below) @ np.linalg.inv(A_coarse)
    S = smoothing(fine)
    expected = S @ (np.eye(len(A)) - P @ solved @ R @ A) @ S
    E = error_matrix(poisson_levels(16, depth=3), fine.shape, gamma)
    np.testing.assert_allclose(E, expected, atol=1e-13)


@pytest.mark.parametrize("n", [32, 64, 128, 256])
def test_v11_with_red_black_converges_as_theory_says_on_every_mesh(n):
    """The bar is 0.119 +- 0.003, by 60 cycles of power iteration."""
    levels = PoissonSolver(n).levels if n > 64 else poisson_levels(n)
    u = randoms(n)
    factor = convergence_factor(levels, split(u) if n > 64 else u, cycles=60)
    assert abs(factor - 0.119) <= 0.003


def test_no_growth_up_to_1025():
    factor = convergence_factor(PoissonSolver(1024).levels, split(randoms(1024)), cycles=60)
    assert abs(factor - 0.119) <= 0.003


def test_the_reversed_order_of_colours_is_worse():
    """Red-black before and black-red after: a symmetric cycle, and more than twice the factor."""
    reverse = (lambda p: red_black(p.A), lambda p: red_black(p.A, "black-red"))
    factor = convergence_factor(poisson_levels(32, smoother=reverse), randoms(32))
    assert 0.24 < factor < 0.29
    E = error_matrix(poisson_levels(8, smoother=reverse), (7, 7))
    A = poisson(8).sparse().toarray()
    np.testing.assert_allclose(A @ E, (A @ E).T, atol=1e-12 * A.max())  # why one would choose it


@pytest.mark.parametrize("gamma", [1, 2])
def test_galerkin_coarse_operators_converge_for_a_mixed_derivative(gamma):
    def make(n):
        return anisotropic_diffusion(n, 0.5, angle=0.6)

    levels = linear_levels(
        make, 32, coarse="galerkin", smoother=lambda p: jacobi(p.A.diagonal, 0.8), nu=(2, 1)
    )
    f = randoms(32)
    result = solve(levels, f, tol=1e-10, gamma=gamma)
    assert result.converged and result.factors.max() < 0.45
    exact = np.linalg.solve(make(32).sparse().toarray(), f.ravel()).reshape(f.shape)
    np.testing.assert_allclose(result.u, exact, atol=1e-8 * np.abs(exact).max())


def test_a_nonsymmetric_problem_is_solved():
    def make(n):
        return convection_diffusion(n, (20.0, -10.0))

    f = randoms(64)
    result = solve(linear_levels(make, 64), f, tol=1e-10)
    assert result.converged and result.factors.max() < 0.5
    assert np.linalg.norm(f - make(64).A(result.u)) <= 1e-10 * np.linalg.norm(f)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_periodic_problems_are_solved_up_to_a_constant(d):
    n = 16
    f = np.random.default_rng(0).standard_normal((n,) * d)
    f -= f.mean()
    result = solve(poisson_levels(n, d, "periodic"), f, tol=1e-11)
    assert result.converged and result.cycles <= 16
    exact = direct_fourier(n, d, f)
    assert np.abs(result.u - result.u.mean() - exact).max() < 1e-10 * np.abs(exact).max()


def direct_fourier(n, d, f):
    problem = poisson(n, d, "periodic")
    symbol = problem.A.symbol(*problem.frequencies())
    symbol[(0,) * d] = 1.0
    return np.fft.ifftn(np.fft.fftn(f) / symbol).real


def test_batches_and_torch_give_what_single_arrays_give():
    torch = pytest.importorskip("torch")
    levels = poisson_levels(16, fas=True)
    f = np.stack([randoms(16, seed) for seed in range(3)])
    u = full_multigrid(levels, f).u
    for one, whole in zip(f, u, strict=True):
        np.testing.assert_allclose(whole, full_multigrid(levels, one).u, atol=1e-15)
    tensor = full_multigrid(levels, torch.from_numpy(f)).u
    np.testing.assert_allclose(tensor.numpy(), u, atol=1e-15)
    result = solve(poisson_levels(16), torch.from_numpy(f).float(), tol=1e-5)
    assert result.converged and result.u.dtype == torch.float32


@pytest.mark.parametrize("n", [32, 128])
def test_full_multigrid_reaches_the_accuracy_of_the_discretisation(n):
    """One V(1,1) a level leaves an error like the mesh's own, two a level an eighth of it."""
    from scipy.fft import dstn, idstn

    problem = poisson(n)
    x, y = problem.grid()
    g, w = np.sin(np.pi * x) * np.exp(x), y - y**3
    u = g * w  # -u_xx - u_yy = -g'' w - g w''
    g2 = np.exp(x) * ((1 - np.pi**2) * np.sin(np.pi * x) + 2 * np.pi * np.cos(np.pi * x))
    f = -g2 * w + 6 * y * g
    eigenvalues = problem.A.symbol(*problem.frequencies()).real
    exact = idstn(dstn(f, type=1) / eigenvalues, type=1)
    mesh_error = np.linalg.norm(exact - u)
    for cycles, bound in ((1, 2.1), (2, 0.15)):
        levels = poisson_levels(n)
        got = full_multigrid(levels, f, cycles, interpolate=cubic_interpolation()).u
        assert np.linalg.norm(got - exact) < bound * mesh_error


@pytest.mark.parametrize("n", [8, 24, 64])
@pytest.mark.parametrize("nu", [(1, 1), (2, 1), (1, 2)])
def test_the_fast_solver_does_what_the_plain_levels_do(n, nu):
    """The same numbers to rounding, cycle by cycle: V, W and full multigrid, from any start."""
    u, f = randoms(n, 1), randoms(n, 2)
    plain, fast = poisson_levels(n, nu=nu), PoissonSolver(n, nu).levels
    scaled = split(f) / n**2
    for gamma in (1, 2):
        expected = cycle(plain, State(u, f), gamma).u
        got = cycle(fast, State(split(u), scaled), gamma).u
        np.testing.assert_allclose(merge(got), expected, atol=1e-13)
        expected = cycle(plain, cycle(plain, start(f), gamma), gamma).u
        got = cycle(fast, cycle(fast, start(scaled), gamma), gamma).u
        np.testing.assert_allclose(merge(got), expected, atol=1e-13)
    got = full_multigrid(fast, scaled).u
    np.testing.assert_allclose(merge(got), full_multigrid(plain, f).u, atol=1e-13)


def test_the_fast_solver_in_blocks_of_rows(monkeypatch):
    """Every size of block gives the same numbers, the last and shorter one included."""
    f = randoms(32)
    u = PoissonSolver(32).solve(f).u
    for block in (1, 100, 10**9):
        monkeypatch.setattr("mgtutorial.linalg.fast_poisson.BLOCK", block)
        np.testing.assert_array_equal(PoissonSolver(32).solve(f).u, u)


def test_the_fast_solver_solves_and_says_the_true_residual():
    f, solver = randoms(128), PoissonSolver(128)
    solver.solve(randoms(128, 5))  # one solver, many right-hand sides
    f_before = f.copy()
    result = solver.solve(f, tol=1e-10)
    residual = np.linalg.norm(f - poisson(128).A(result.u))
    assert result.converged and residual <= 1e-10 * np.linalg.norm(f)
    np.testing.assert_allclose(result.residuals[-1], residual, rtol=1e-3)
    np.testing.assert_array_equal(f, f_before)
    np.testing.assert_array_equal(solver.solve(f, tol=1e-10).u, result.u)
    with pytest.raises(InvalidValue, match="shape"):
        solver.solve(randoms(64))


def test_divergence_ends_with_a_reason_and_finite_numbers():
    A = poisson(16).A
    levels = [Level(A, [correct(A, jacobi(A.diagonal, 3.0))])]
    result = solve(levels, randoms(16), max_cycles=10_000)
    assert not result.converged and result.reason.startswith("diverged")
    assert np.all(np.isfinite(result.residuals)) and np.all(np.isfinite(result.u))
    explode = Level(A, [lambda s: State(s.u * np.float64(1e300) ** 2 + s.u + 1, s.f)])
    result = solve([explode], randoms(16))
    assert "not finite" in result.reason and np.all(np.isfinite(result.u))


def test_stagnation_and_patience_end_with_a_reason():
    f = randoms(16)
    A = poisson(16).A
    nothing = [Level(A, [lambda s: State(s.u, s.f)])]
    result = solve(nothing, f, max_cycles=10_000)
    assert result.reason.startswith("stagnated") and result.cycles == 10
    result = solve(poisson_levels(16), f, tol=0.0)  # below rounding
    assert result.reason.startswith("stagnated") and result.residuals[-1] < 1e-11
    result = solve(poisson_levels(16), f, max_cycles=2)
    assert result.reason.startswith("not converged") and result.cycles == 2


def test_a_zero_right_hand_side():
    assert solve(poisson_levels(16), np.zeros((15, 15))).cycles == 0
    u = randoms(16)
    result = solve(poisson_levels(16), 0 * u, u, tol=1e-8)
    assert result.converged and np.linalg.norm(result.u) < 1e-6


def test_bad_input_is_one_sentence():
    f = randoms(16)
    with pytest.raises(InvalidValue, match="not finite"):
        solve(poisson_levels(16), f * np.nan)
    with pytest.raises(InvalidValue, match="subtract its mean"):
        solve(poisson_levels(16, boundary="periodic"), np.ones((16, 16)))
    with pytest.raises(InvalidValue, match="do not coarsen"):
        poisson_levels(33)
    with pytest.raises(InvalidValue, match="to 6 levels"):
        poisson_levels(48, depth=6)
    with pytest.raises(InvalidValue, match="more factors 2"):
        poisson_levels(602)
    with pytest.raises(InvalidValue, match="1 level or more"):
        coarsenings(8, 0)
    with pytest.raises(InvalidValue, match="pseudoinverse"):
        direct(poisson(64, boundary="periodic"))
    with pytest.raises(UnknownName, match="coarse operator"):
        poisson_levels(16, coarse="galrkin")
    for bad in (np.nan, np.inf):
        with pytest.raises(InvalidValue, match="not finite"):
            PoissonSolver(16).solve(f * bad)
    with pytest.raises(InvalidValue, match="a step before and one after"):
        PoissonSolver(16, nu=(1, 0))
    for n in (3, 2):
        with pytest.raises(InvalidValue, match="do not coarsen"):
            PoissonSolver(n)


def test_the_exact_solver_dense_and_sparse():
    for n in (16, 48):  # 225 and 2,209 unknowns
        problem = poisson(n)
        u = np.stack([randoms(n, 1), randoms(n, 2)])
        np.testing.assert_allclose(direct(problem)(problem.A(u)), u, atol=1e-11)
    shifted = Problem(Stencil(((0,), (1,)), (2.0, -1.0)), 8)
    u = np.arange(7.0)
    np.testing.assert_allclose(direct(shifted)(shifted.A(u)), u, atol=1e-13)


def test_the_measured_two_grid_factor_is_the_predicted_one():
    """Within 3 per cent, 128 cells: red-black (both orders), and damped Jacobi."""
    from mgtutorial.linalg.fourier import jacobi_symbol, red_black_symbol

    A, coarse = poisson(8).A, poisson(4).A
    forward, backward = red_black_symbol(A), red_black_symbol(A, "black-red")
    cases = [
        ((lambda p: red_black(p.A)), forward, (1, 1)),
        ((lambda p: red_black(p.A)), forward, (2, 1)),
        (
            (lambda p: red_black(p.A), lambda p: red_black(p.A, "black-red")),
            (forward, backward),
            (1, 1),
        ),
        ((lambda p: jacobi(p.A.diagonal, 0.8)), jacobi_symbol(A, 0.8), (1, 1)),
    ]
    for smoother, symbol, nu in cases:
        predicted = two_grid_factor(A, coarse, full_weighting(), linear_interpolation(), symbol, nu)
        levels = poisson_levels(64, depth=2, smoother=smoother, nu=nu)
        measured = convergence_factor(levels, randoms(64), cycles=60)
        assert abs(measured - predicted) < 0.03 * predicted


def test_a_linear_fas_cycle_applies_A_as_often_as_the_correction_scheme(monkeypatch):
    """V(1,1): three residuals on the finest level, two on the others, none on the coarsest."""
    f, applied = np.random.default_rng(0).standard_normal((31, 31)), {}
    apply = Stencil.__call__

    def counted(self, u):
        applied[id(self)] = applied.get(id(self), 0) + 1
        return apply(self, u)

    monkeypatch.setattr(Stencil, "__call__", counted)
    for fas in (False, True):
        levels = poisson_levels(32, fas=fas)
        s = with_residual(levels[0].A, State(f, f))
        applied.clear()
        with_residual(levels[0].A, cycle(levels, s))
        assert [applied.get(id(level.A), 0) for level in levels] == [3, 2, 2, 2, 0]
