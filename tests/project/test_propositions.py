"""Statements that the chapters on linear algebra prove, as mathematics: matrices and their norms.

The other tests hold the package against matrices. Here it is the propositions that are tested,
with hypotheses in full, with what fails without them, and with no part of the package where a
matrix is as short.
"""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, eigs

from mgtutorial.linalg.fourier import (
    gauss_seidel_symbol,
    jacobi_symbol,
    red_black_symbol,
    two_grid_symbol,
)
from mgtutorial.linalg.operators import as_matrix, error_propagation
from mgtutorial.linalg.problems import poisson
from mgtutorial.linalg.smoothers import red_black
from mgtutorial.linalg.solvers import poisson_levels
from mgtutorial.linalg.transfers import full_weighting, linear_interpolation
from mgtutorial.multigrid import State, cycle
from mgtutorial.spectra.convolutions import Convolution
from mgtutorial.spectra.symbols import symbol


def second_difference(n, periodic=False):
    """n^2 times (-1, 2, -1), on n - 1 inner points or on n points of a circle."""
    m = n if periodic else n - 1
    A = 2 * np.eye(m) - np.eye(m, k=1) - np.eye(m, k=-1)
    if periodic:
        A[0, -1] = A[-1, 0] = -1
    return n**2 * A


# --------------------------------------------------------------------------------- smoothing


def residual_left(A, omega, nu):
    return np.linalg.norm(A @ np.linalg.matrix_power(np.eye(len(A)) - omega * A, nu), 2)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(1, 40))
def test_reuskens_lemma_needs_a_contraction_and_no_symmetry(seed, size, nu):
    """Proposition 5 of Smoothing for A = (I - X) / (2 omega) with any X of norm 1."""
    rng = np.random.default_rng(seed)
    X, omega = rng.standard_normal((size, size)), rng.uniform(0.1, 10)
    X /= np.linalg.norm(X, 2)
    A = (np.eye(size) - X) / (2 * omega)
    bound = np.sqrt(2 / (np.pi * nu)) / omega
    assert residual_left(A, omega, nu) <= bound * (1 + 1e-12)
    # the hypothesis in its other form, v^T A v >= omega |A v|^2
    assert np.linalg.eigvalsh((A + A.T) / 2 - omega * A.T @ A).min() > -1e-12 / omega


def test_the_order_of_reuskens_lemma_is_attained_and_half_the_damping_is_needed():
    """The upwind difference: 1 / sqrt(nu) for omega = 1/2; for omega = 1 nothing is smoothed."""
    n = 400
    upwind = np.eye(n) - np.eye(n, k=-1)
    for nu in (4, 16, 64):
        bound = 2 * np.sqrt(2 / (np.pi * nu))
        assert 0.5 * bound < residual_left(upwind, 1 / 2, nu) < bound
        assert residual_left(upwind, 1.0, nu) > 1.99  # the shift of a rough vector is as rough


def test_a_random_convolution_satisfies_reuskens_hypothesis_for_no_damping():
    """Some v has v^T A v < 0. With a multiple of the identity it can be had, frequency-wise."""
    kernel = np.random.default_rng(0).standard_normal((4, 4, 3, 3)) / 6
    blocks = symbol(kernel, (8, 8))[:, :, 0]
    hermitian = (blocks + blocks.conj().swapaxes(-1, -2)) / 2
    assert np.linalg.eigvalsh(hermitian).min() < -0.1
    kernel[range(4), range(4), 1, 1] += 3
    blocks = symbol(kernel, (8, 8))[:, :, 0]
    omega = 1 / np.linalg.norm(blocks, 2, axis=(-2, -1)).max() / 2
    by_symbol = np.linalg.norm(np.eye(4) - 2 * omega * blocks, 2, axis=(-2, -1)).max()
    assert by_symbol <= 1
    A = Convolution(kernel, padding_mode="circular").sparse((8, 8)).toarray()
    assert abs(np.linalg.norm(np.eye(len(A)) - 2 * omega * A, 2) - by_symbol) < 1e-13
    for nu in (1, 5, 20):
        assert residual_left(A, omega, nu) <= np.sqrt(2 / (np.pi * nu)) / omega


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 10), st.floats(0.01, 0.99))
def test_jacobi_reduces_what_the_scaled_operator_sees(seed, size, share):
    """Exercise 7 of Smoothing, for random positive definite A with very different rows."""
    rng = np.random.default_rng(seed)
    g, scale = rng.standard_normal((size, size)), 10 ** rng.uniform(-3, 3, size)
    A = scale[:, None] * (g @ g.T + 0.1 * np.eye(size)) * scale
    d = np.diag(A)
    root = 1 / np.sqrt(d)
    greatest = np.linalg.eigvalsh(root[:, None] * A * root)[-1]
    omega = 2 * share / greatest
    e = rng.standard_normal(size) / scale
    r = A @ e
    after = e - omega * r / d
    right = e @ A @ e - omega * (2 - omega * greatest) * r @ (r / d)
    assert after @ A @ after <= right + 1e-9 * (e @ A @ e)  # rounding: the condition of A


def test_jacobi_and_richardson_disagree_on_what_is_smooth_where_the_diagonal_varies():
    A, e = np.diag([1.0, 1e-3]), np.array([0.0, 1.0])
    richardson = e - A @ e
    jacobi = e - 2 / 3 * (A @ e) / np.diag(A)
    assert richardson[1] > 0.998 and jacobi[1] == pytest.approx(1 / 3, abs=1e-15)


@pytest.mark.parametrize("k, off", [(2, 0.06), (5, 0.2), (8, 0.3)])
def test_on_a_circle_the_symbol_is_exact_for_jacobi_and_not_for_a_lexicographic_sweep(k, off):
    n = 16
    A, stencil = second_difference(n, periodic=True), poisson(n, 1, "periodic").A
    theta = 2 * np.pi * k / n
    wave = np.exp(1j * theta * np.arange(n))
    jacobi = wave - 2 / 3 * A @ wave / A[0, 0]
    assert np.abs(jacobi - jacobi_symbol(stencil, 2 / 3)(theta) * wave).max() < 1e-14
    swept = wave - np.linalg.solve(np.tril(A), A @ wave)
    distance = np.linalg.norm(swept - gauss_seidel_symbol(stencil)(theta) * wave)
    assert distance > off * np.linalg.norm(wave)


# -------------------------------------------------------------------------------- coarsening


def energy_norm(E, A):
    """The greatest of ||E e||_A / ||e||_A: the 2-norm of C^T E C^-T with A = C C^T."""
    C = np.linalg.cholesky(A)
    return np.linalg.norm(np.linalg.solve(C, (C.T @ E).T).T, 2)


def line_transfers(n):
    """Full weighting and linear interpolation from n - 1 to n / 2 - 1 points."""
    P = np.zeros((n - 1, n // 2 - 1))
    for J in range(n // 2 - 1):
        P[2 * J : 2 * J + 3, J] = 1 / 2, 1, 1 / 2
    return P.T / 2, P


@pytest.mark.parametrize("nu", range(3, 9))
def test_from_the_third_sweep_on_the_two_grid_factor_is_not_the_power_of_the_smoothing_factor(nu):
    """After Theorem 4 of Coarsening: (3/4) nu^nu / (nu+1)^(nu+1), but for a term below 3^-nu."""
    n = 64
    A, (R, P) = second_difference(n), line_transfers(n)
    K = np.eye(n - 1) - P @ np.linalg.solve(R @ A @ P, R @ A)
    S = np.eye(n - 1) - 2 / 3 * A / A[0, 0]
    factor = np.abs(np.linalg.eigvals(K @ np.linalg.matrix_power(S, nu))).max()
    limit = 3 / 4 * nu**nu / (nu + 1) ** (nu + 1)
    assert abs(factor - limit) < 3.0**-nu
    assert factor > 2 * 3.0**-nu


def test_the_bound_of_two_grids_beside_the_truth_for_the_same_smoother():
    """K S^2 with S = I - A / Lambda: 1/4, which is also its radius; 8/27 and 1/e are the bounds."""
    n = 64
    A, (R, P) = second_difference(n), line_transfers(n)
    K = np.eye(n - 1) - P @ np.linalg.solve(R @ A @ P, R @ A)
    S = np.eye(n - 1) - A / np.linalg.eigvalsh(A)[-1]
    norm = np.linalg.norm(K @ S @ S, 2)
    assert 0.249 < norm < 0.25 < 2 * 4 / 27 < 1 / np.e
    damped = np.eye(n - 1) - 2 / 3 * A / A[0, 0]
    assert np.linalg.norm(K @ damped @ damped, 2) == pytest.approx(0.157, abs=1e-3)


def v_cycle(A, transfers, nu):
    """The error propagation of V(nu, nu) with S = I - A / Lambda, and the greatest C of a level."""
    if not transfers:
        return np.zeros_like(A), 0.0
    (R, P), *rest = transfers
    below = R @ A @ P
    E, C = v_cycle(below, rest, nu)
    greatest = np.linalg.eigvalsh(A)[-1]
    S = np.linalg.matrix_power(np.eye(len(A)) - A / greatest, nu)
    gap = np.linalg.inv(A) - P @ np.linalg.solve(below, R)
    C = max(C, greatest * np.linalg.norm(gap, 2))
    solved = np.linalg.solve(below, R @ A)
    return S @ (np.eye(len(A)) - P @ solved + P @ E @ solved) @ S, C


@pytest.mark.parametrize("n", [8, 32, 128])
@pytest.mark.parametrize("nu", [1, 2, 3])
def test_v_cycles_in_one_dimension_are_bounded_for_every_number_of_levels(n, nu):
    """Theorem 6 of Coarsening: ||E||_A <= 1 / (1 + nu), down to one unknown."""
    transfers, m = [], n
    while m > 2:
        transfers.append(line_transfers(m))
        m //= 2
    A = second_difference(n)
    E, C = v_cycle(A, transfers, nu)
    assert C < 2
    assert energy_norm(E, A) <= 1 / (1 + nu)
    # positive and symmetric in the energy product, so the norm is the radius
    assert np.abs(A @ E - (A @ E).T).max() < 1e-12 * A.max()
    assert np.linalg.eigvalsh((A @ E + (A @ E).T) / 2)[0] > -1e-10 * A.max()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_v_cycles_for_any_symmetric_operator_and_any_interpolation(seed, nu):
    """Theorem 6 with random A and P on four levels: C / (C + 2 nu) with the measured C."""
    rng = np.random.default_rng(seed)
    sizes = (14, 9, 5, 2)
    g = rng.standard_normal((14, 14))
    A = g @ g.T + 0.1 * np.eye(14)
    transfers = []
    for fine, coarse in pairwise(sizes):
        P = rng.standard_normal((fine, coarse))
        transfers.append((rng.uniform(0.1, 3) * P.T, P))
    E, C = v_cycle(A, transfers, nu)
    assert energy_norm(E, A) <= C / (C + 2 * nu) + 1e-9  # rounding: the conditions of the levels


def test_a_two_grid_cycle_that_is_not_symmetric_needs_some_cycles_to_show_its_radius():
    """The order of colours: 0.074 against 0.25 in the long run, a factor of two in one cycle."""
    n = 16
    problem, found = poisson(n), {}
    A = problem.sparse().toarray()
    for name, back in (("same", "red-black"), ("reversed", "black-red")):
        pair = (lambda p: red_black(p.A), lambda p, back=back: red_black(p.A, back))
        levels = poisson_levels(n, depth=2, smoother=pair)
        E = as_matrix(lambda e, levels=levels: cycle(levels, State(e, 0 * e)).u, problem.shape)
        found[name] = np.abs(np.linalg.eigvals(E)).max(), energy_norm(E, A)
    assert found["reversed"][0] == pytest.approx(found["reversed"][1], abs=1e-9)
    assert found["same"][1] > 1.5 * found["same"][0]
    assert found["reversed"][0] > 3 * found["same"][0]
    assert 1.8 < found["reversed"][1] / found["same"][1] < 2.2
    # and a sweep alone may enlarge the 2-norm, though its radius is below 1
    sweep = as_matrix(error_propagation(problem.A, red_black(problem.A)), problem.shape)
    assert np.linalg.norm(sweep, 2) > 1.3 > 1 > np.abs(np.linalg.eigvals(sweep)).max()


def test_the_v_cycle_has_the_radius_0_119_by_arnoldis_method():
    """Power iteration leaves noise in the third digit, as several eigenvalues nearly agree."""
    for n, expected in ((32, 0.1189), (64, 0.1193)):
        levels, shape = poisson_levels(n), (n - 1, n - 1)

        def apply(v, levels=levels, shape=shape):
            e = v.reshape(shape)
            return cycle(levels, State(e, 0 * e)).u.ravel()

        size = shape[0] * shape[1]
        E = LinearOperator((size, size), matvec=apply, dtype=float)
        start = np.random.default_rng(0).standard_normal(size)
        top = eigs(E, k=4, ncv=40, v0=start, tol=1e-8, return_eigenvectors=False)
        assert np.abs(top).max() == pytest.approx(expected, abs=5e-5)


def test_the_two_grid_symbol_in_one_dimension_written_down():
    """Exercise 7 of Coarsening, against the package's function."""
    A, coarse = poisson(8, 1).A, poisson(4, 1).A
    transfers = full_weighting(1), linear_interpolation(1)
    M = two_grid_symbol(A, coarse, *transfers, jacobi_symbol(A, 2 / 3), nu=(0, 0))
    for theta in (-1.2, 0.3, 1.0, np.pi / 2):
        s, c = np.sin(theta / 2) ** 2, np.cos(theta / 2) ** 2
        np.testing.assert_allclose(M(theta), [[s, -c], [-s, c]], rtol=0, atol=1e-14)


@pytest.mark.parametrize("theta", [(0.4, 0.9), (-1.1, 0.2), (1.5, 1.5)])
def test_the_two_grid_symbol_with_red_black_written_down_as_the_chapter_says(theta):
    A, coarse = poisson(8).A, poisson(4).A
    made = two_grid_symbol(A, coarse, full_weighting(), linear_interpolation(), red_black_symbol(A))
    moved = [np.add(theta, np.pi * np.array(a)) for a in ((0, 0), (1, 1), (0, 1), (1, 0))]
    row = np.array([np.prod(np.cos(t / 2) ** 2) for t in moved])
    a = np.diag([A.symbol(*t).real for t in moved])
    S = np.zeros((4, 4), complex)
    S[:2, :2], S[2:, 2:] = red_black_symbol(A)(*moved[0]), red_black_symbol(A)(*moved[2])
    K = np.eye(4) - np.outer(row, row @ a) / coarse.symbol(2 * theta[0], 2 * theta[1]).real
    radius = np.abs(np.linalg.eigvals(S @ K @ S)).max()
    assert abs(np.abs(np.linalg.eigvals(made(*theta))).max() - radius) < 1e-13


@pytest.mark.parametrize("nu", [1, 2, 4, 8])
def test_the_constant_of_the_w_cycle_argument_does_not_grow_with_the_sweeps(nu):
    """Exercise 3 of Coarsening: |A'^-1 R A S^nu| |P| <= sqrt 2 (1 + sigma) in 1D."""
    n = 64
    A, (R, P) = second_difference(n), line_transfers(n)
    S = np.linalg.matrix_power(np.eye(n - 1) - A / np.linalg.eigvalsh(A)[-1], nu)
    coarse = np.linalg.solve(R @ A @ P, R @ A @ S)
    sigma = np.linalg.norm(S - P @ coarse, 2)
    C = np.linalg.norm(coarse, 2) * np.linalg.norm(P, 2)
    assert 0.99 < C <= np.sqrt(2) * (1 + sigma)  # 1 in the limit: the smoothest error passes
