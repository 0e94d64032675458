"""FAS against the linear scheme, against Newton's method by SciPy, and its convergence."""

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.linalg.nonlinear import NonlinearPoisson, newton_red_black, nonlinear_levels
from mgtutorial.linalg.problems import poisson
from mgtutorial.linalg.smoothers import red_black_sweep
from mgtutorial.linalg.solvers import full_multigrid, poisson_levels, solve
from mgtutorial.linalg.transfers import cubic_interpolation
from mgtutorial.multigrid import Level, State, cycle


def randoms(n, seed=0):
    return np.random.default_rng(seed).standard_normal((n - 1, n - 1))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from(["red-black", "black-red"]))
def test_without_nonlinearity_the_step_is_red_black_gauss_seidel(seed, order):
    u, f = randoms(9, seed), randoms(9, seed + 1)
    before = u.copy()
    got = newton_red_black(NonlinearPoisson(9, 0.0), order)(State(u, f)).u
    np.testing.assert_array_equal(u, before)  # the step must not overwrite its argument
    expected = red_black_sweep(poisson(9).A, u.copy(), f, order)
    np.testing.assert_allclose(got, expected, atol=1e-14)


def test_the_step_is_newtons_method_point_by_point():
    """The slow definition: loop over the points, red first, with the newest neighbours."""
    problem = NonlinearPoisson(6, gamma=50.0)
    u, f = 0.3 * randoms(6), 10 * randoms(6, 1)
    got = newton_red_black(problem)(State(u, f)).u
    u = u.copy()
    for colour in (0, 1):
        for at in np.ndindex(*u.shape):
            if sum(at) % 2 == colour:
                u[at] += (f - problem(u))[at] / problem.diagonal(u)[at]
    np.testing.assert_allclose(got, u, atol=1e-13)


@pytest.mark.parametrize("n", [16, 32, 64])
@pytest.mark.parametrize("gamma", [1, 2])
def test_fas_on_a_linear_problem_is_the_linear_correction(n, gamma):
    """To a relative 1e-13, over three cycles of the full hierarchy, up to 65 x 65."""
    u, f = randoms(n), n**2 * randoms(n, 1)
    fas, plain = poisson_levels(n, fas=True, nu=(2, 1)), poisson_levels(n, nu=(2, 1))
    s = t = State(u, f)
    for _ in range(3):
        s, t = cycle(fas, s, gamma), cycle(plain, t, gamma)
        assert np.abs(s.u - t.u).max() <= 1e-13 * np.abs(t.u).max()
    # the nonlinear levels with gamma = 0: other steps for the same sweep, and 20 on the coarsest
    other = cycle(nonlinear_levels(n, 0.0), State(u, f), gamma).u
    linear = cycle(plain, State(u, f), gamma).u
    assert np.abs(other - linear).max() <= 1e-13 * np.abs(linear).max()


@pytest.mark.parametrize("gamma", [0.0, 1.0, 10.0, 100.0, 1000.0])
def test_fas_v21_converges_below_015_and_to_second_order(gamma):
    errors = []
    for n in (32, 64, 128):
        problem = NonlinearPoisson(n, gamma)
        result = solve(nonlinear_levels(n, gamma), problem.right_hand_side(), tol=1e-11)
        assert result.converged and result.factors.max() < 0.15
        errors.append(np.abs(result.u - problem.solution()).max())
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert np.all(np.abs(orders - 2) < 0.02)


@pytest.mark.parametrize("gamma", [10.0, 1000.0])
def test_fas_finds_what_newtons_method_with_a_sparse_solver_finds(gamma):
    problem = NonlinearPoisson(16, gamma)
    f = 1000 * randoms(16)
    u, matrix = np.zeros(f.size), problem.linear.sparse()
    for _ in range(50):
        residual = f.ravel() - matrix @ u - gamma * u * np.exp(u)
        jacobian = matrix + scipy.sparse.diags_array(gamma * (1 + u) * np.exp(u))
        step = scipy.sparse.linalg.spsolve(jacobian.tocsc(), residual)
        u = u + min(1.0, 1.0 / np.abs(step).max()) * step
    assert np.abs(step).max() < 1e-12
    result = solve(nonlinear_levels(16, gamma), f, tol=1e-12, max_cycles=60)
    assert result.converged
    np.testing.assert_allclose(result.u.ravel(), u, atol=1e-10 * np.abs(u).max())


def test_without_the_fine_approximation_the_coarse_problem_is_wrong():
    """A coarse correction that starts from zero (no Pi) does not solve the nonlinear problem."""
    problem = NonlinearPoisson(32, 1000.0)
    f = problem.right_hand_side()
    levels = nonlinear_levels(32, 1000.0)
    solution = solve(levels, f, tol=1e-12).u
    wrong = [Level(k.A, k.pre, k.post, k.R, None, k.P) for k in levels]
    u = solution + 0.1
    right, other = (np.abs(cycle(x, State(u, f)).u - solution).max() for x in (levels, wrong))
    assert other > 3 * right


def test_full_multigrid_and_torch_on_the_nonlinear_problem():
    torch = pytest.importorskip("torch")
    problem = NonlinearPoisson(64, 100.0)
    f = problem.right_hand_side()
    levels = nonlinear_levels(64, 100.0)
    u = full_multigrid(levels, f, interpolate=cubic_interpolation()).u
    exact = solve(levels, f, tol=1e-12).u
    mesh_error = np.abs(exact - problem.solution()).max()
    assert np.abs(u - exact).max() < mesh_error
    tensor = full_multigrid(levels, torch.from_numpy(f), interpolate=cubic_interpolation()).u
    np.testing.assert_allclose(tensor.numpy(), u, atol=1e-13)


def test_bad_input_is_one_sentence():
    with pytest.raises(InvalidValue, match="gamma"):
        nonlinear_levels(16, -1.0)
    with pytest.raises(InvalidValue, match="do not coarsen"):
        nonlinear_levels(17, 1.0)
    with pytest.raises(InvalidValue, match="coarsest_steps"):
        nonlinear_levels(16, 1.0, coarsest_steps=0)
    with pytest.raises(UnknownName, match="order"):
        newton_red_black(NonlinearPoisson(4, 1.0), "lexicographic")


@pytest.mark.parametrize("scale", [10.0, 100.0])
def test_a_start_far_off_ends_with_the_solution_or_a_reason(scale):
    problem = NonlinearPoisson(16, 1000.0)
    f, u = problem.right_hand_side(), scale * randoms(16)
    result = solve(nonlinear_levels(16, 1000.0), f, u)
    print(result.reason)
    assert np.all(np.isfinite(result.residuals)) and np.all(np.isfinite(result.u))
    assert result.converged or result.reason.startswith(("diverged", "stagnated"))


def test_a_start_whose_residual_overflows_is_one_sentence():
    problem = NonlinearPoisson(16, 1000.0)
    with pytest.raises(InvalidValue, match="start closer"):
        solve(nonlinear_levels(16, 1000.0), problem.right_hand_side(), 1e4 + 0 * randoms(16))


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.bool_, torch.int32])
def test_a_step_from_whole_numbers_keeps_what_stands_after_the_point(kind):
    problem, f = NonlinearPoisson(6, gamma=5.0), 40 * randoms(6, 1)
    u = np.random.default_rng(0).integers(0, 2, (5, 5))
    expected = newton_red_black(problem)(State(u.astype(float), f)).u
    if isinstance(kind, torch.dtype):
        s = State(torch.from_numpy(u).to(kind), torch.from_numpy(f))
    else:
        s = State(u.astype(kind), f)
    np.testing.assert_array_equal(np.asarray(newton_red_black(problem)(s).u), expected)


def test_a_real_start_with_a_complex_right_hand_side_is_one_sentence():
    step = newton_red_black(NonlinearPoisson(6, gamma=1.0))
    with pytest.raises(InvalidValue, match="give a complex u"):
        step(State(randoms(6), 1j * randoms(6)))


def test_gradients_flow_through_a_step():
    torch.manual_seed(0)
    u, f = (torch.randn(3, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    step = newton_red_black(NonlinearPoisson(4, gamma=3.0))
    assert torch.autograd.gradcheck(lambda u, f: step(State(u, f)).u, (u, f))
