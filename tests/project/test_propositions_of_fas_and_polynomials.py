"""Statements on FAS, polynomials and symbols that chapters prove, as mathematics.

As in :mod:`test_propositions`, which has smoothing and coarsening.
"""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.linalg.approximation import minimax
from mgtutorial.linalg.fourier import (
    two_grid_factor,
)
from mgtutorial.linalg.nonlinear import nonlinear_levels
from mgtutorial.linalg.polynomials import amplification, polynomial_symbol, q
from mgtutorial.linalg.problems import poisson
from mgtutorial.linalg.roots import chebyshev, chebyshev_ellipse, chebyshev_maximum
from mgtutorial.linalg.solvers import solve
from mgtutorial.linalg.transfers import full_weighting, linear_interpolation
from mgtutorial.spectra.convolutions import Convolution
from mgtutorial.spectra.extremal import extremal_singular_values
from mgtutorial.spectra.symbols import symbol

from .prose import says

# --------------------------------------------------------------------------------------- FAS


@pytest.mark.parametrize("n, ends_well", [(64, False), (128, True)])
def test_what_is_in_reach_from_zero_depends_on_the_grid(n, ends_well):
    """The hill of height 3 with gamma = 1000 of the chapter's section on where to start."""
    levels = nonlinear_levels(n, 1000.0)
    x, y = levels[0].A.linear.grid()
    hill = 3 * np.sin(np.pi * x) * np.sin(np.pi * y)
    assert solve(levels, levels[0].A(hill), tol=1e-10).converged == ends_well
    says("fas", "(On 128 × 128 cells the same start converges.)")


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


@pytest.mark.parametrize("peclet", [0.3, 0.5, 0.6, 1.0, 2.0, 4.0])
def test_the_best_real_roots_of_the_half_ellipse_leave_the_corner_if_the_wind_is_strong(peclet):
    """All at 1 + Pe^2 from Pe = 1/sqrt(3) on; below it that point leaves more at the other end."""
    t = np.linspace(0, np.pi / 2, 101)
    half = 1 + np.cos(t) + 1j * peclet * np.sin(t)
    points = np.linspace(0.5, 20, 20_000)
    left = np.abs(1 - half[None, :] / points[:, None]).max(1)
    best = points[left.argmin()]
    at_corner = 1 + peclet**2
    assert (abs(best - at_corner) < 0.01) == (peclet >= 3**-0.5)
    if peclet < 3**-0.5:
        assert abs(1 - 2 / at_corner) > abs(1 - (1 + 1j * peclet) / at_corner)


def test_the_amplification_does_not_count_a_residual_that_is_rounded_and_then_magnified():
    """Roots 1, 2e-6, 1 for the eigenvalues 1e-6 and 1, in a rotated basis."""
    small, roots = 1e-6, (1.0, 2e-6, 1.0)
    partial = np.cumprod([abs(1 - np.array([small, 1.0]) / x) for x in roots], axis=0)
    assert amplification(np.array([small, 1.0]), list(roots)) == pytest.approx(1)
    assert partial[-1][1] == 0  # the factor of the root 1 comes first and last
    lost = []
    for angle in (0.3, 0.7, 1.1):
        found = {}
        for kind in (np.float64, np.longdouble):
            c, s = kind(np.cos(angle)), kind(np.sin(angle))
            basis = np.array([[c, -s], [s, c]])
            A = np.float64(basis @ np.diag([kind(small), kind(1)]) @ basis.T).astype(kind)
            u, f = np.zeros(2, kind), A @ np.ones(2, kind)
            f = np.float64(f).astype(kind)
            for x in roots:
                u = u + (f - A @ u) / kind(x)
            found[kind] = np.float64(u)
        lost.append(np.abs(found[np.float64] - found[np.longdouble]).max() / np.finfo(float).eps)
    assert max(lost) > 1000


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
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 3), st.integers(4, 8))
def test_the_singular_values_of_the_two_paddings_differ_by_little_in_sum(seed, c_in, c_out, n):
    """Symbols, after Proposition 4: at most 2 r M, with r rows or columns that differ."""
    kernel = np.random.default_rng(seed).standard_normal((c_out, c_in, 3, 3))
    zeros = Convolution(kernel).sparse((n, n)).toarray()
    periodic = Convolution(kernel, padding_mode="circular").sparse((n, n)).toarray()
    r = min(c_in, c_out) * (n**2 - (n - 2) ** 2)
    assert np.linalg.matrix_rank(zeros - periodic) <= r
    a, b = (np.linalg.svd(matrix, compute_uv=False) for matrix in (zeros, periodic))
    assert np.abs(a - b).sum() <= 2 * r * max(a[0], b[0])


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
