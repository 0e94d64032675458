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

from mgtutorial.linalg.approximation import minimax
from mgtutorial.linalg.fourier import (
    gauss_seidel_symbol,
    jacobi_symbol,
    red_black_symbol,
    two_grid_factor,
    two_grid_symbol,
)
from mgtutorial.linalg.operators import as_matrix, error_propagation
from mgtutorial.linalg.polynomials import polynomial_symbol, q
from mgtutorial.linalg.problems import poisson
from mgtutorial.linalg.roots import chebyshev, chebyshev_ellipse, chebyshev_maximum
from mgtutorial.linalg.smoothers import red_black
from mgtutorial.linalg.solvers import poisson_levels
from mgtutorial.linalg.transfers import full_weighting, linear_interpolation
from mgtutorial.multigrid import State, cycle
from mgtutorial.spectra.convolutions import Convolution
from mgtutorial.spectra.extremal import extremal_singular_values
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


# --------------------------------------------------------------------------------------- FAS


def fas_correction(A, coarse_inverse, coarse, R, Pi, P, u, f):
    """One coarse correction with an exact coarse solution."""
    return u + P @ (coarse_inverse(R @ (f - A(u)) + coarse(Pi(u))) - Pi(u))


@pytest.mark.parametrize("power, order", [(1.5, 1.5), (2, 2), (3, 3)])
def test_the_remainder_of_the_linearised_correction_is_of_second_order_with_two_derivatives(
    power, order
):
    """Theorem 4 of FAS: A(u) = u + |u|^p is C^1, and C^2 from p = 2 on (up to a sign).

    With identities in all other places the formula gives zero, so what is left is the remainder.
    """
    identity = np.eye(1)
    left = []
    for size in (1e-2, 1e-3):
        u = np.array([size])
        new = fas_correction(
            lambda v: v + np.abs(v) ** power, lambda g: g, lambda v: v,
            identity, lambda v: v, identity, u, np.zeros(1),
        )  # fmt: skip
        left.append(abs(new[0]))
    assert abs(np.log10(left[0] / left[1]) - order) < 1e-9
    assert left[1] < 0.1 * 1e-3  # small beside the error in every case


def test_the_linearised_correction_of_a_system_with_any_projection_of_second_order():
    """The same with four unknowns, two coarse ones, and a projection that is not linear."""
    rng = np.random.default_rng(0)
    M, N = rng.standard_normal((4, 4)) + 4 * np.eye(4), rng.standard_normal((2, 2)) + 4 * np.eye(2)
    R, P, Q = rng.standard_normal((2, 4)), rng.standard_normal((4, 2)), rng.standard_normal((2, 4))
    exact = rng.standard_normal(4)

    def A(u):
        return M @ u + 0.3 * np.sin(u)

    def coarse(v):
        return N @ v + 0.3 * v * np.exp(0.1 * v)

    def slope(v):
        return N + np.diag(0.3 * (1 + 0.1 * v) * np.exp(0.1 * v))

    def solve(g):
        v = np.linalg.solve(N, g)
        for _ in range(50):
            v = v + np.linalg.solve(slope(v), g - coarse(v))
        return v

    def Pi(u):
        return Q @ u + 0.1 * np.cos(Q @ u)

    jacobian = M + 0.3 * np.diag(np.cos(exact))
    K = np.eye(4) - P @ np.linalg.solve(slope(Pi(exact)), R @ jacobian)
    direction, left = rng.standard_normal(4), []
    for size in (1e-2, 1e-3):
        e = size * direction
        new = exact - fas_correction(A, solve, coarse, R, Pi, P, exact - e, A(exact))
        left.append(np.linalg.norm(new - K @ e))
    assert abs(np.log10(left[0] / left[1]) - 2) < 0.05  # the next term is a tenth and a hundredth


# ----------------------------------------------------------------------- polynomial smoothers


@settings(deadline=None, max_examples=100)
@given(st.floats(0.2, 10), st.floats(-3, 3), st.floats(-3, 3))
def test_the_best_factor_for_the_two_ends_of_the_half_ellipse(peclet, s, t):
    """Exercise 4 of Polynomial smoothers: no real s, t are below Pe / (2 + Pe) at both ends."""
    ends = np.array([2, 1 + 1j * peclet])
    M = peclet / (2 + peclet)
    assert np.abs(1 - s * ends + t * ends**2).max() >= M - 1e-12
    w = 1 / (2 + peclet)
    t = (1 - w) / (1 + peclet**2)
    best = 1 - (w + 2 * t) * ends + t * ends**2
    np.testing.assert_allclose(best, [M, -1j * M], rtol=0, atol=1e-14 * (1 + peclet))


@pytest.mark.parametrize("peclet", [1.0, 2.0, 4.0])
def test_up_to_degree_two_the_chebyshev_family_of_ellipses_has_the_best_roots(peclet):
    """One real root is a centre; two roots, real or a pair, are c +- delta / sqrt 2."""
    t = np.linspace(0, np.pi / 2, 101)
    half = 1 + np.cos(t) + 1j * peclet * np.sin(t)
    for degree in (1, 2):
        fit = minimax(half, degree)
        c = fit.roots.mean().real
        square = 2 * ((fit.roots - c) ** 2).sum().real / degree
        across = np.sqrt(max(-square, 0.0))
        family = chebyshev_ellipse(c, np.sqrt(max(square, 0.0)), across, degree)
        assert np.abs(q(half, family)).max() < fit.maximum + 1e-6


def test_axes_of_a_box_around_a_curve_are_not_those_of_an_ellipse_around_it():
    """The corners 1 +- i Pe lie outside of the ellipse with the semi-axes 1/2 and Pe about 3/2."""
    for peclet in (1.0, 2.0, 4.0):
        corner = 1 + 1j * peclet
        assert ((corner.real - 1.5) / 0.5) ** 2 + (corner.imag / peclet) ** 2 == 2


def test_from_degree_three_on_a_wider_interval_makes_the_better_cycle():
    """The smoothing factor is the promise of an ideal coarse grid: kept by one and two steps."""
    A, coarse = poisson(32).A, poisson(16).A
    transfers, top = (full_weighting(), linear_interpolation()), 2 * A.diagonal
    for degree in (1, 2, 3, 4):
        mu = chebyshev_maximum(1, 4, degree)
        narrow, wide = (
            [
                two_grid_factor(A, coarse, *transfers, polynomial_symbol(A, roots), nu)
                for nu in ((1, 0), (1, 1))
            ]
            for roots in (chebyshev(top / kappa, top, degree) for kappa in (4, 10))
        )
        assert (abs(narrow[0] - mu) < 0.01 * mu) == (degree <= 2)
        assert (wide[1] < narrow[1]) == (degree >= 3)
    assert narrow[1] > 90 * mu**2  # degree 4: the promise is wrong by a factor of a hundred


def test_the_power_method_bounds_the_greatest_eigenvalue_from_below_and_gershgorin_from_above():
    A = poisson(32).sparse()
    greatest = 8 * 32**2 * np.cos(np.pi / 64) ** 2
    v = np.random.default_rng(0).standard_normal(A.shape[0])
    found = []
    for _ in range(20):
        v = v / np.linalg.norm(v)
        v = A @ v
        found.append(np.linalg.norm(v) / greatest)
    assert all(a < b for a, b in pairwise(found))
    assert 0.85 < found[4] < 0.93 and 0.96 < found[19] < 1
    assert 1 < abs(A).sum(axis=1).max() / greatest < 1.01


# -------------------------------------------------------------------------------- symbols


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 5))
def test_each_of_four_flattened_weights_bounds_the_norm_and_the_first_and_last_from_both_sides(
    seed, c_out, c_in
):
    """Symbols, after Proposition 3: the offsets beside the output or beside the input channels."""
    kernel = np.random.default_rng(seed).standard_normal((c_out, c_in, 3, 3))
    norm = np.linalg.norm(symbol(kernel, (9, 9)), 2, axis=(-2, -1)).max()
    flat = [
        np.linalg.norm(kernel.transpose(order).reshape(rows, -1), 2)
        for order, rows in (
            ((0, 1, 2, 3), c_out),
            ((0, 2, 1, 3), 3 * c_out),
            ((0, 3, 1, 2), 3 * c_out),
            ((0, 2, 3, 1), 9 * c_out),
        )
    ]
    assert norm <= 3 * min(flat) * (1 + 1e-12)
    assert max(flat[0], flat[3]) <= norm * (1 + 1e-12)


def test_the_best_of_the_four_can_be_better_than_the_usual_one():
    kernel = np.zeros((4, 1, 3, 3))
    kernel[range(4), 0, [0, 0, 2, 2], [0, 2, 0, 2]] = 1  # four shifts, stacked: the norm is 2
    norm = np.linalg.norm(symbol(kernel, (8, 8)), 2, axis=(-2, -1)).max()
    usual, last = (np.linalg.norm(kernel.reshape(4, 9), 2), np.linalg.norm(kernel.reshape(36), 2))
    assert norm == pytest.approx(2, abs=1e-14) and usual == pytest.approx(1, abs=1e-14)
    assert last == pytest.approx(2, abs=1e-14)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(4, 8))
def test_the_singular_values_of_the_two_paddings_differ_by_little_in_sum(seed, c, n):
    """Symbols, after Proposition 4: at most 2 r M, with r rows that differ and M the norm."""
    kernel = np.random.default_rng(seed).standard_normal((c, c, 3, 3))
    zeros = np.linalg.svd(Convolution(kernel).sparse((n, n)).toarray(), compute_uv=False)
    around = Convolution(kernel, padding_mode="circular").sparse((n, n)).toarray()
    periodic = np.linalg.svd(around, compute_uv=False)
    r = c * (n**2 - (n - 2) ** 2)
    assert np.abs(zeros - periodic).sum() <= 2 * r * max(zeros[0], periodic[0])


def test_the_smallest_singular_value_under_zero_padding_is_a_matter_of_luck_and_of_the_grid():
    """Four random channels: the loss differs by far from draw to draw, its median grows with n."""
    medians = []
    for n in (6, 12):
        ratios = []
        for seed in range(60):
            kernel = np.random.default_rng(seed).standard_normal((4, 4, 3, 3)) / 6
            least = extremal_singular_values(kernel, (n, n), k=1, which="SM")[0]
            ratios.append(np.linalg.svd(symbol(kernel, (n, n)))[1].min() / least)
        low, middle, high = np.quantile(ratios, [0.1, 0.5, 0.9])
        assert high > 5 * low
        medians.append(middle)
    assert 2 < 2 * medians[0] < medians[1]


def test_powers_of_the_transport_follow_the_symbol_and_then_fall_behind():
    A = 0.5 * np.eye(24) + 1.2 * np.eye(24, k=-1)
    norms, power = [1.0], np.eye(24)
    for _ in range(60):
        power = A @ power
        norms.append(np.linalg.norm(power, 2))
    assert 3.5e4 < norms[20] < 1.7**20 < 4.2e4
    assert np.argmax(norms) == 45 and norms[45] == pytest.approx(7.8e7, rel=0.01)
    assert norms[45] < 0.01 * 1.7**45


# ------------------------------------------------------------------------------ the glossary


def test_a_nonnormal_matrix_may_have_the_hull_of_its_eigenvalues_as_numerical_range():
    """diag(1, i, -1, -i) beside a small Jordan block, whose numerical range is a disc inside."""
    A = np.zeros((6, 6), complex)
    A[range(4), range(4)] = [1, 1j, -1, -1j]
    A[4, 5] = 0.1
    assert np.linalg.norm(A @ A.conj().T - A.conj().T @ A) > 0.01
    corners = np.diag(A)[:4]
    for angle in np.linspace(0, 2 * np.pi, 100):
        turned = np.exp(-1j * angle) * A
        outermost = np.linalg.eigvalsh((turned + turned.conj().T) / 2)[-1]
        assert outermost == pytest.approx((np.exp(-1j * angle) * corners).real.max(), abs=1e-14)
