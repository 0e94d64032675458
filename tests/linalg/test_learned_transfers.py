"""The differentiable two-grid factor against matrices and differences; what training finds."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.errors import InvalidValue
from mgtutorial.linalg.coarsening import galerkin
from mgtutorial.linalg.fourier import jacobi_symbol, red_black_symbol, two_grid_factor
from mgtutorial.linalg.learned_transfers import analyse, galerkin_factors, train_interpolation
from mgtutorial.linalg.problems import anisotropic_diffusion, convection_diffusion, poisson
from mgtutorial.linalg.stencils import Stencil
from mgtutorial.linalg.transfers import full_weighting, linear_interpolation

from ..project.prose import says

PLATE = Stencil.from_kernel(np.array([1.0, -4.0, 6.0, -4.0, 1.0]), "periodic")
SPLINE = np.array([1, 4, 6, 4, 1]) / 8


def dense_factor(A, kernel, omega, n, nu=1):
    """The factor of the cycle on a periodic grid with n points, but for the constant."""
    M = A.sparse((n,)).toarray()
    reach = len(kernel) // 2
    T = np.zeros((n, n // 2))
    for j in range(n // 2):
        for k, weight in enumerate(kernel):
            T[(2 * j + k - reach) % n, j] += weight
    S = np.linalg.matrix_power(np.eye(n) - omega / A.diagonal * M, nu)
    E = S @ (np.eye(n) - T @ np.linalg.pinv(T.T @ M @ T, rcond=1e-11) @ T.T @ M) @ S
    return np.sort(np.abs(np.linalg.eigvals(E)))[-2]


@settings(deadline=None, max_examples=20)
@given(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4), st.sampled_from([1, 2]))
def test_the_factor_is_that_of_the_matrices_on_a_grid_also_without_symmetry(a, b, nu):
    kernel = np.array([a, 0.5 - b, 1 - 2 * a, 0.5 + b, a])
    n = 32
    found = analyse(PLATE, jacobi_symbol(PLATE, 0.6), nu=nu, samples=n // 2)
    low = np.arange(n // 2) * 2 * np.pi / n - np.pi / 2  # the grid's own frequencies
    keep = np.abs(low) > 1e-9
    theta = np.stack([low, low + np.pi], 1)[keep][..., None]
    symbols = [np.asarray(f(theta[..., 0])).real for f in (PLATE.symbol, jacobi_symbol(PLATE, 0.6))]
    found = found._replace(theta=theta, a=symbols[0], s=symbols[1] ** nu)
    predicted = float(galerkin_factors(found, torch.tensor(kernel)).max())
    # at frequency zero the coarse operator is singular: the wave pi stays, with its factor
    wave = (1 - 0.6 * PLATE.symbol(np.pi).real / 6) ** (2 * nu)
    assert dense_factor(PLATE, kernel, 0.6, n, nu) == pytest.approx(max(predicted, wave), abs=1e-6)
    assert predicted >= np.sort(np.abs(found.s), axis=1)[:, -2].max() ** 2 - 1e-12


@pytest.mark.parametrize("d", [1, 2])
def test_it_agrees_with_the_two_grid_analysis_for_stencils(d):
    A = poisson(8, d=d, boundary="periodic").A
    R, P = full_weighting(d, "periodic"), linear_interpolation(d, "periodic")
    E = jacobi_symbol(A, 0.7)
    expected = two_grid_factor(A, galerkin(R, A, P), R, P, E, (1, 1), samples=16)
    found = analyse(A, E, samples=16)
    kernel = torch.tensor(P.stencil.kernel())
    assert float(galerkin_factors(found, kernel).max()) == pytest.approx(expected, abs=1e-10)


def test_the_derivative_is_that_of_differences():
    found = analyse(PLATE, jacobi_symbol(PLATE, 0.6), samples=8)
    kernel = torch.tensor([0.1, 0.55, 0.8, 0.45, 0.1], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda k: galerkin_factors(found, k), kernel)


def test_training_reaches_the_bound_with_the_weights_of_a_cubic_spline():
    """The experiment of the chapter, and its table."""
    found = analyse(PLATE, jacobi_symbol(PLATE, 0.6))
    linear = np.array([0.0, 0.5, 1.0, 0.5, 0.0])
    three = train_interpolation(found, linear[1:4], steps=50)
    assert three.losses[0] == pytest.approx(three.losses[-1], abs=1e-12)
    five = train_interpolation(found, linear, steps=400)
    assert five.losses[-1] < found.bound * 1.001 and np.abs(five.kernel - SPLINE).max() < 0.01
    assert dense_factor(PLATE, five.kernel, 0.6, 64) == pytest.approx(five.losses[-1], abs=5e-3)
    # on all frequencies, not only those that training looks at
    many = analyse(PLATE, jacobi_symbol(PLATE, 0.6), samples=1024)

    def factor(kernel):
        return float(galerkin_factors(many, torch.tensor(kernel)).max())

    rows = (
        ("linear | $\\frac12, 1, \\frac12$", factor(linear)),
        ("3 weights, trained | the same", factor(three.kernel)),
        ("cubic | $(-1, 0, 9, 16, 9, 0, -1)/16$", factor(np.array([-1, 0, 9, 16, 9, 0, -1]) / 16)),
        ("5 weights, trained | $0.1266, 0.5, 0.7468, 0.5, 0.1266$", factor(five.kernel)),
        ("the least possible |", many.bound),
    )
    for words, value in rows:
        says("two_grid_theory", f"| {words} | {value:.3f} |")
    printed = np.array([0.1266, 0.5, 0.7468, 0.5, 0.1266])
    assert np.abs(five.kernel - printed).max() < 2e-4
    assert factor(printed) == pytest.approx(
        factor(five.kernel), abs=5e-4
    )  # constants stay constant
    assert len(found.theta) == 32 and abs(many.bound - 0.36) < 1e-5
    on_few = f"Training looks at 32 frequencies, on which it is ${found.bound:.3f}$."
    says("two_grid_theory", on_few)


def test_no_interpolation_helps_where_the_smoother_fails():
    A = anisotropic_diffusion(16, 0.01).A
    bound = analyse(A, jacobi_symbol(A, 4 / 5), samples=128).bound
    assert bound == pytest.approx((1 - 0.8 * 0.01 / 1.01) ** 2, abs=2e-3) and bound > 0.98


def test_weights_that_do_not_sum_to_one_leave_smooth_waves():
    """Exercise 4."""
    found = analyse(PLATE, jacobi_symbol(PLATE, 0.6), samples=256)
    near = int(np.argmin(np.abs(found.theta[:, 0, 0])))
    for gap, least in ((0.0, None), (0.1, 0.99)):
        kernel = torch.tensor([0.5, 1.0 + gap, 0.5], dtype=torch.float64)
        factor = float(galerkin_factors(found, kernel)[near])
        assert factor < 0.7 if least is None else factor > least


def test_a_smoother_that_does_nothing_may_be_given_as_a_number():
    constant, full = (analyse(PLATE, E, samples=4) for E in (lambda t: 0.5, lambda t: 0.5 + 0 * t))
    np.testing.assert_array_equal(constant.s, full.s)


def test_what_has_no_energy_is_refused():
    wind = convection_diffusion(8, [8.0], boundary="periodic").A
    with pytest.raises(InvalidValue, match="real"):
        analyse(wind, jacobi_symbol(wind, 0.5))
    with pytest.raises(InvalidValue, match="positive"):
        analyse(Stencil.from_kernel(np.array([1.0, -2.0, 1.0])), lambda t: 0 * t)
    five_points = poisson(8).A
    with pytest.raises(InvalidValue, match="mixes harmonics"):
        analyse(five_points, red_black_symbol(five_points))
    found = analyse(PLATE, jacobi_symbol(PLATE, 0.6), samples=8)
    with pytest.raises(InvalidValue, match="odd"):
        train_interpolation(found, np.ones(4))


@pytest.mark.parametrize(
    "start",
    [[0, 1, 0], [0, 0.5, 0, 0.5, 0], [-0.5, 0.5, 1, 0.5, -0.5], [np.nan, 1, np.nan], [[0, 1, 0]]],
)
def test_a_start_whose_weights_cannot_sum_to_one_is_one_sentence(start):
    A = poisson(8, d=np.ndim(start)).A
    found = analyse(A, jacobi_symbol(A, 2 / 3), samples=4)
    with pytest.raises(InvalidValue, match="sum to zero"):
        train_interpolation(found, np.array(start), steps=2)


def test_training_needs_no_gradients_around_it():
    found = analyse(PLATE, jacobi_symbol(PLATE, 0.6), samples=8)
    expected = train_interpolation(found, SPLINE, steps=3)
    with torch.no_grad():
        trained = train_interpolation(found, SPLINE, steps=3)
    np.testing.assert_array_equal(trained.kernel, expected.kernel)
    assert trained.losses == expected.losses
