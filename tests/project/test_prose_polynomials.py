"""Numbers that the pages on polynomials print, computed again."""

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from mgtutorial.linalg.approximation import minimax
from mgtutorial.linalg.cycle_roots import chebyshev_fourth
from mgtutorial.linalg.krylov import harmonic_ritz
from mgtutorial.linalg.polynomials import correction, q
from mgtutorial.linalg.problems import convection_diffusion
from mgtutorial.linalg.roots import chebyshev, chebyshev_ellipse, extremes
from mgtutorial.linalg.solvers import convergence_factor, poisson_levels
from mgtutorial.linalg.transfers import (
    full_weighting,
    linear_interpolation,
)

from .prose import ROOT, says


def half_ellipse(peclet=2.0):
    t = np.linspace(0, np.pi / 2, 101)
    return 1 + np.cos(t) + 1j * peclet * np.sin(t)


def test_the_ellipse_around_half_an_ellipse_that_is_best_for_high_degrees():
    half = half_ellipse()

    def across(c, a):
        return np.sqrt((half.imag**2 / np.maximum(1 - ((half.real - c) / a) ** 2, 1e-14)).max())

    def size(v):
        c, a = v
        if not max(c - 1, 2 - c) < a < c:
            return 9.0
        b = across(c, a)
        return (a + b) / abs(c + np.sqrt(c**2 - a**2 + b**2 + 0j))

    starts = [(c, a) for c in (1.3, 1.5) for a in (0.6, 0.8)]
    best = min(
        (minimize(size, s, method="Nelder-Mead", tol=1e-9) for s in starts), key=lambda r: r.fun
    )
    c, a = best.x
    assert (round(c, 2), round(a, 2), round(across(c, a), 2)) == (1.39, 0.61, 2.57)
    assert round(best.fun, 3) == 0.751
    says("polynomial_smoothers", "0.751 for a root: centre 1.39, semi-axes 0.61 and 2.57")
    page = (ROOT / "book/polynomial_smoothers.md").read_text()
    table = page.split("| enclosing ellipse |")[1].split("\n\n")[0].splitlines()[2:]
    rows = {int(line.split("|")[1]): line for line in table}
    for degree, printed in ((1, 1.47), (2, 0.693), (3, 0.494), (4, 0.358), (8, 0.103)):
        roots = chebyshev_ellipse(c, a, across(c, a), degree)
        assert abs(np.abs(q(half, roots)).max() - printed) < 6e-4
        assert float(rows[degree].split("|")[4]) == printed


@pytest.mark.parametrize("peclet", [1.0, 1.5, 2.0, 4.0, 50.0])
def test_the_pair_of_two_points_is_that_of_the_half_ellipse_where_the_wind_is_strong(peclet):
    """The solution of exercise 4: the bound M holds on the whole curve from Pe = 1 on."""
    w = 1 / (2 + peclet)
    t = (1 - w) / (1 + peclet**2)
    z = half_ellipse(peclet)
    most = np.abs(1 - (w + 2 * t) * z + t * z**2).max()
    assert most == pytest.approx(peclet * w, rel=1e-12)


def test_a_double_factor_leaves_what_its_angle_says():
    """1 - t z^2 with real t, at the angle phi and its mirror image: at least |sin 2 phi|."""
    for phi in np.deg2rad([20, 60, 75, 85]):
        z = np.exp(1j * phi)
        least = minimize_scalar(lambda t, z=z: abs(1 - t * z**2)).fun
        assert least == pytest.approx(abs(np.sin(2 * phi)), abs=1e-7)


@pytest.mark.parametrize(
    "degree, low, printed",
    [(2, 4, 0.16), (2, 5, 0.15), (3, 4, 0.109), (3, 10, 0.075), (4, 4, 0.085), (4, 10, 0.056)],
)
def test_in_a_cycle_it_is_better_to_aim_lower(degree, low, printed):
    """The V(1,1)-cycle on 129 x 129 points, with roots for the spectrum's part above top / low."""

    def smoother(problem):
        top = 2 * problem.A.diagonal
        return correction(problem.A, chebyshev(top / low, top, degree))

    levels = poisson_levels(128, smoother=smoother)
    start = np.random.default_rng(0).standard_normal((127, 127))
    digits = len(str(printed)) - 2
    assert round(convergence_factor(levels, start), digits) == printed
    says(
        "polynomial_smoothers",
        "give the factor 0.15, for $[\\tfrac14, 1]$ 0.16",
        "but the factor 0.075 where $[\\tfrac14, 1]$ has 0.109",
        "for $m = 4$ it is 0.056 against 0.085",
    )


def test_four_roots_from_gmres_for_random_starts():
    n = 64
    wind = convection_diffusion(n, [4.0 * n], scheme="central", boundary="periodic")
    R, P = full_weighting(1, "periodic"), linear_interpolation(1, "periodic")
    half, rng, found = half_ellipse(), np.random.default_rng(0), ([], [])
    for _ in range(200):
        r = rng.standard_normal(n)
        for values, given in zip(found, (r, r - P(R(r))), strict=True):
            roots = harmonic_ritz(lambda u: wind.A(u) / wind.A.diagonal, given, 4)
            values.append(np.abs(q(half, roots)).max())
    for values, printed in zip(found, ((0.36, 0.42, 0.49), (0.19, 0.22, 0.25)), strict=True):
        # another 200 starts move the quartiles by some 0.01
        assert np.abs(np.quantile(values, (0.25, 0.5, 0.75)) - printed).max() < 0.015
    assert round(float(np.abs(q(half, extremes(half))).max()), 2) == 0.75
    assert round(minimax(half, 4).maximum, 2) == 0.14
    says("cycle_polynomials", "| 0.75 | 0.42 (0.36 to 0.49) | 0.22 (0.19 to 0.25) | 0.14 |")


def test_two_polynomials_for_a_cycle_are_close_at_degree_2_and_far_apart_at_degree_8():
    x = np.linspace(0, 1, 20_001)
    sizes = {
        degree: [
            np.abs(np.sqrt(x) * q(x, roots)).max()
            for roots in (chebyshev(1 / 4, 1, degree), chebyshev_fourth(1, degree))
        ]
        for degree in (2, 8)
    }
    assert sizes[2][0] < 1.15 * sizes[2][1]
    assert abs(sizes[8][0] / sizes[8][1] - 1.8) < 0.05
    says("book/cycle_polynomials.md", "1.8 times as large, at its greatest")


def test_the_best_weight_of_two_neighbours_for_two_steps_tends_to_one_half():
    """With one step every weight gives 1/3; with two the best lies a little beyond one half."""

    def norm(n, w, steps=2):
        theta = np.arange(1, n) * np.pi / n
        waves = np.sin(np.outer(np.arange(1, n), theta)) * np.sqrt(2 / n)
        roots = np.sqrt(2 - 2 * np.cos(theta))
        smooth = (waves * (1 - 2 / 3 * (1 - np.cos(theta))) ** steps) @ waves.T
        P = np.zeros((n - 1, n // 2 - 1))
        for j in range(n // 2 - 1):
            P[2 * j : 2 * j + 3, j] = w, 1, w
        X = (waves * roots) @ waves.T @ P  # in the energy norm K projects onto what is left of X
        K = np.eye(n - 1) - X @ np.linalg.solve(X.T @ X, X.T)
        return np.linalg.norm(smooth @ K, 2)

    assert norm(64, 0.5) == pytest.approx(0.248, abs=5e-4)
    best = minimize_scalar(lambda w: norm(64, w), bounds=(0.4, 0.6), method="bounded")
    assert (round(best.x, 3), round(best.fun, 3)) == (0.506, 0.241)
    further = [
        minimize_scalar(lambda w, n=n: norm(n, w), bounds=(0.4, 0.6), method="bounded").x - 0.5
        for n in (16, 32, 64)
    ]
    assert further[0] > 1.8 * further[1] > 3.2 * further[2] > 0
    says("two_grid_theory", "the best is $0.506$, with $0.241$, and it tends to one half")


def test_the_polynomial_of_gmres_is_the_characteristic_polynomial_of_the_harmonic_matrix():
    """Proposition 5 of the right polynomial for a cycle, with a root that is double too."""
    rng = np.random.default_rng(3)
    for A in (rng.standard_normal((9, 9)), np.kron(np.eye(3), np.diag([1.0, 2.0, 4.0]))):
        r, m = rng.standard_normal(9), 2
        V, H = [r / np.linalg.norm(r)], np.zeros((m + 1, m))
        for j in range(m):
            v = A @ V[j]
            for i, basis in enumerate(V):
                H[i, j] = basis @ v
                v = v - H[i, j] * basis
            H[j + 1, j] = np.linalg.norm(v)
            V.append(v / H[j + 1, j])
        square, h, last = H[:m], H[m, m - 1], np.eye(m)[-1]
        harmonic = square + h**2 * np.outer(np.linalg.solve(square.T, last), last)
        coefficients = np.poly(harmonic) / np.linalg.det(-harmonic)
        chi = sum(c * np.linalg.matrix_power(A, m - i) for i, c in enumerate(coefficients))
        krylov = np.stack([A @ r, A @ A @ r], axis=1)
        y, *_ = np.linalg.lstsq(krylov, r, rcond=None)
        assert np.abs(chi @ r - (r - krylov @ y)).max() < 1e-9 * np.linalg.norm(r)
