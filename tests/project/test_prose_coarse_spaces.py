"""Numbers that the pages on coarse spaces print, computed again."""

import numpy as np
import pytest
import scipy

from mgtutorial.linalg.aggregation import aggregates, algebraic_levels, smoothed
from mgtutorial.linalg.coarsening import galerkin
from mgtutorial.linalg.energy import coarse_correction, energy_norm, equivalence
from mgtutorial.linalg.fourier import (
    jacobi_symbol,
    red_black_symbol,
    smoothing_factor,
    two_grid_factor,
)
from mgtutorial.linalg.learned_transfers import analyse, galerkin_factors
from mgtutorial.linalg.lines import line_jacobi, line_jacobi_symbol
from mgtutorial.linalg.operators import as_matrix, error_propagation, spectral_radius
from mgtutorial.linalg.problems import anisotropic_diffusion, poisson
from mgtutorial.linalg.smoothers import jacobi, red_black
from mgtutorial.linalg.solvers import (
    convergence_factor,
    linear_levels,
    poisson_levels,
)
from mgtutorial.linalg.stencils import Stencil
from mgtutorial.linalg.transfers import (
    full_weighting,
    injection,
    linear_interpolation,
)
from mgtutorial.multigrid import cycle, start

from .prose import ROOT, says


def row(page, label):
    """The numbers of the row of a table that begins with `label`."""
    lines = (ROOT / f"book/{page}.md").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(f"| {label} |")]
    return [float(cell) for cell in line.strip("|").split("|")[1:]]


# ------------------------------------------------------------- what a coarse space is worth


def test_the_table_of_radii_and_norms():
    square = poisson(32)
    A = square.sparse().toarray()
    R = full_weighting().sparse(square.shape).toarray()
    P = linear_interpolation().sparse(square.shape).toarray()

    def matrix(B):
        return as_matrix(error_propagation(square.A, B), square.shape)

    damped, sweep = matrix(jacobi(square.A.diagonal, 4 / 5)), matrix(red_black(square.A))
    back = matrix(red_black(square.A, order="black-red"))
    K = coarse_correction(A, P, R)
    again = coarse_correction(A, P, R, poisson(16).sparse().toarray())
    for label, E in {
        r"damped Jacobi, $\omega = \frac45$": damped,
        "red-black sweep": sweep,
        "correction $K$, Galerkin": K,
        "Jacobi, $K$, Jacobi": damped @ K @ damped,
        "red-black, rediscretised $K$, red-black": sweep @ again @ sweep,
        "the same, colours reversed after $K$": back @ again @ sweep,
    }.items():
        found = spectral_radius(E), np.linalg.norm(E, 2), energy_norm(E, A)
        assert np.abs(np.array(found) - row("two_grid_theory", label)).max() < 6e-4, label


def first_along_x(m, epsilon):
    """V-cycles whose grids are halved along x until both couplings are alike."""
    size, couplings, interpolations = np.array([m, m]), np.array([1.0, epsilon]), []
    while size.min() > 2:
        half = couplings > couplings.max() / 2
        parts = [
            linear_interpolation(1).sparse((k - 1,)) if h else scipy.sparse.identity(k - 1)
            for k, h in zip(size, half, strict=True)
        ]
        interpolations.append(scipy.sparse.kron(*parts))
        size, couplings = np.where(half, size // 2, size), np.where(half, couplings / 4, couplings)
    A = anisotropic_diffusion(m, epsilon).sparse()
    return algebraic_levels(A, interpolations, omega=4 / 5)


@pytest.mark.parametrize("epsilon", ["1", "0.1", "0.01", "0.001"])
def test_the_table_of_remedies_against_anisotropy(epsilon):
    weak = float(epsilon)
    points, lines, first, mu_lines, mu_first = row("two_grid_theory", epsilon)
    start = np.random.default_rng(0).standard_normal((63, 63))

    def measured(smoother):
        levels = linear_levels(lambda m: anisotropic_diffusion(m, weak), 64, smoother=smoother)
        return convergence_factor(levels, start, cycles=600)

    assert abs(measured(lambda p: jacobi(p.A.diagonal, 4 / 5)) - points) < 1e-3
    assert abs(measured(lambda p: line_jacobi(p.A, 2 / 3)) - lines) < 1e-3
    assert abs(convergence_factor(first_along_x(64, weak), start.ravel(), 300) - first) < 1.5e-3
    A = anisotropic_diffusion(64, weak).A
    assert abs(smoothing_factor(line_jacobi_symbol(A), 2) ** 2 - mu_lines) < 6e-4
    t = np.linspace(-np.pi, np.pi, 257)
    high = np.abs(t) >= np.pi / 2
    left = np.abs(jacobi_symbol(A, 4 / 5)(t[high][:, None], t)).max()
    assert left**2 == pytest.approx(mu_first, abs=1e-9)


def test_levels_that_are_halved_once_have_up_to_twice_the_points():
    work = [
        sum(level.A(np.zeros(n)).size for level, n in zip(levels, sizes, strict=True))
        for levels, sizes in [_sized(first_along_x(64, weak)) for weak in (1.0, 0.001)]
    ]
    assert work[0] / 63**2 == pytest.approx(4 / 3, abs=0.05)
    assert 1.8 < work[1] / 63**2 < 2


def _sized(levels):
    sizes = [63**2]
    for level in levels[:-1]:
        sizes.append(level.R(np.zeros(sizes[-1])).size)
    return levels, sizes


def test_rediscretised_and_galerkin_operators_for_poissons_equation():
    """Proposition 5: between a half and one, strictly; and what it costs."""
    R, P = full_weighting(), linear_interpolation()
    for n in (8, 32):
        square, small = poisson(n), poisson(n // 2)
        G = galerkin(R, square.A, P).sparse(small.shape).toarray()
        again = small.sparse().toarray()
        least, greatest = equivalence(G, again)
        s = np.sin(np.arange(1, n // 2) * np.pi / n) ** 2
        quotient = 1 - np.outer(s, s) / np.add.outer(s, s)
        np.testing.assert_allclose([least, greatest], [quotient.min(), quotient.max()], rtol=1e-9)
        assert 0.5 < least < greatest < 1
        A, T = square.sparse().toarray(), P.sparse(square.shape).toarray()
        K = coarse_correction(A, T, R.sparse(square.shape).toarray(), again)
        assert energy_norm(np.eye(len(again)) - np.linalg.solve(again, G), G) < 0.5
        np.testing.assert_allclose(
            K @ T, T @ (np.eye(len(again)) - np.linalg.solve(again, G)), rtol=0, atol=1e-12
        )
        constants = [
            np.linalg.eigvalsh(A)[-1]
            * np.linalg.norm(
                np.linalg.inv(A) - T @ np.linalg.solve(C, R.sparse(square.shape).toarray()),
                2,
            )
            for C in (again, G)
        ]
    assert np.abs(np.array(constants) - [3.98, 3.97]).max() < 5e-3
    says("book/two_grid_theory.md", r"is $3.98$ with $A'$ and $3.97$ with $G$")
    says("book/two_grid_theory.md", r"with $G$ it is $0.0624$")
    ring, wrapped = poisson(64, boundary="periodic").A, poisson(32, boundary="periodic").A
    R, P = full_weighting(2, "periodic"), linear_interpolation(2, "periodic")
    product = galerkin(R, ring, P)
    for smoother, expected in (
        (red_black_symbol(ring), [0.074, 0.0624]),
        (jacobi_symbol(ring, 4 / 5), [0.36, 0.36]),
    ):
        found = [two_grid_factor(ring, C, R, P, smoother) for C in (wrapped, product)]
        assert np.abs(np.array(found) - expected).max() < 5e-4
    for weak, expected in ((0.1, 0.155), (0.01, 0.120)):  # lines, by local Fourier analysis
        A, small = (anisotropic_diffusion(n, weak, boundary="periodic").A for n in (64, 32))
        lines = line_jacobi_symbol(A)
        assert abs(two_grid_factor(A, small, R, P, lines) - expected) < 1e-3
        products = two_grid_factor(A, galerkin(R, A, P), R, P, lines)
        assert f"{products:.3f}" == f"{smoothing_factor(lines, 2) ** 2:.3f}"  # mu squared itself
        says("two_grid_theory", f"{products:.3f}$")
    start = np.random.default_rng(0).standard_normal((63, 63))
    for weak, expected in ((0.1, 0.169), (0.01, 0.125)):  # V-cycles with Galerkin's operators
        levels = linear_levels(
            lambda m, weak=weak: anisotropic_diffusion(m, weak), 64,
            smoother=lambda p: line_jacobi(p.A), coarse="galerkin",
        )  # fmt: skip
        assert abs(convergence_factor(levels, start, cycles=300) - expected) < 1e-3


def test_galerkin_again_and_again_tends_to_finite_elements():
    """Exercise 5: a = 1/2 + a/4."""
    A, n, a = poisson(128).A, 128, 0.0
    while n > 8:
        A, n, a = galerkin(full_weighting(), A, linear_interpolation()), n // 2, 0.5 + a / 4
        line = np.array([a / 4, 1 - a / 2, a / 4])  # the symbol 1 - a sin^2
        second = n**2 * np.array([-1, 2, -1])
        expected = np.outer(second, line) + np.outer(line, second)
        np.testing.assert_allclose(A.kernel(), expected, rtol=0, atol=1e-9)
    assert abs(a - 2 / 3) < 1e-2


def test_a_scaling_of_channels_keeps_no_constant():
    """Exercise 6."""
    for delta in (1e-2, 1e-4):
        A = np.array([[1 + delta, -1], [-1, 1 + delta]])
        root = np.diag([1.0, 2.0])
        w = np.ones(2)
        assert w @ A @ w == pytest.approx(2 * delta)
        assert w @ root @ A @ root @ w == pytest.approx(1 + 5 * delta)
        assert equivalence(root @ A @ root, A)[1] > 0.4 / delta


def factor(found, kernel):
    import torch

    return float(galerkin_factors(found, torch.tensor(kernel)).max())


LINEAR = np.array([0.5, 1.0, 0.5])


def test_bilinear_interpolation_is_on_the_bound_for_the_square_of_the_five_point_stencil():
    """What training gains on few frequencies goes away when there are more."""
    five = {(0, 0): 4.0, (0, 1): -1.0, (0, -1): -1.0, (1, 0): -1.0, (-1, 0): -1.0}
    square = {}
    for a, x in five.items():
        for b, y in five.items():
            at = (a[0] + b[0], a[1] + b[1])
            square[at] = square.get(at, 0.0) + x * y
    plate = Stencil(tuple(square), tuple(square.values()), "periodic")
    smoother = jacobi_symbol(plate, 2 * plate.diagonal / (4 + 64))
    gaps = []
    for samples in (16, 32, 64):
        found = analyse(plate, smoother, samples=samples)
        bilinear = factor(found, np.outer(LINEAR, LINEAR))
        assert found.bound <= bilinear < (15 / 17) ** 2
        gaps.append(bilinear - found.bound)
        if samples == 16:
            assert (round(bilinear, 3), round(found.bound, 3)) == (0.775, 0.763)
    # of second order in the distance of the samples
    assert gaps[1] < gaps[0] / 3.5 and gaps[2] < gaps[1] / 3.5
    says("two_grid_theory", "on the bound, $(15/17)^2 = 0.779$", "from $0.775$ to the bound")


def test_no_interpolation_of_the_coarser_grid_helps_against_anisotropy_but_another_grid_does():
    A = anisotropic_diffusion(16, 0.01).A
    symbol = jacobi_symbol(A, 4 / 5)
    assert analyse(A, symbol, samples=64).bound > 0.98  # squared: before and after
    t = (np.arange(256) + 0.5) * np.pi / 256
    left = np.sort(np.abs(symbol(t[:, None], t)).ravel())[::-1]
    assert round(float(left[left.size // 4]), 2) == 0.76
    # every fourth point along x: the four harmonics of |theta_1| < pi / 4, one of them taken over
    t1 = (np.arange(1024) + 0.5) * np.pi / 2048 - np.pi / 4
    harmonics = t1[:, None, None] + np.arange(4)[:, None] * np.pi / 2
    second = np.sort(np.abs(symbol(harmonics, t[::16])), axis=1)[:, -2]
    assert round(float(second.max()), 2) == 0.77
    says("two_grid_theory", "the bound of Theorem 3 is $0.76$", "come close to it, with $0.77$")


@pytest.mark.parametrize("size", [16, 64, 256, 1024])
def test_the_table_of_cycles_over_pairs(size):
    """Spectral radii, by power iteration, but for the K-cycle, which is not linear: its test is in
    tests/linalg, and its column here is that of two grids.
    """
    matrix = poisson(size + 1, d=1).sparse()
    groups = [aggregates((size >> i,)) for i in range(size.bit_length() - 2)]
    levels = algebraic_levels(matrix, groups)
    wider = algebraic_levels(matrix, [lambda M, T=T: smoothed(M, T) for T in groups])
    two, v, w, k, sa = row("two_grid_theory", size)
    for grids, gamma, printed in (
        (algebraic_levels(matrix, groups[:1]), 1, two),
        (levels, 1, v),
        (levels, 2, w),
        (wider, 1, sa),
    ):
        e = np.random.default_rng(0).standard_normal(size)
        for _ in range(600):
            e /= np.linalg.norm(e)
            e -= cycle(grids, start(grids[0].A(e), linear=True), gamma).u
        radius = np.linalg.norm(e)
        assert abs(radius - printed) < 0.0055
    assert abs(k - two) < 0.0055


# ------------------------------------------------------------------------------------- polynomials


@pytest.mark.parametrize("n", [16, 64])
def test_a_coarse_level_that_linearises_at_zero_corrects_too_much(n):
    """Exact coarse solve, error and hill of one shape: 5.5 times at the top, 3.2 in the corners."""
    ticks = np.arange(1, n) / n
    shape = np.outer(np.sin(np.pi * ticks), np.sin(np.pi * ticks))
    u, gamma, half = 2 * shape, 10.0, n // 2
    fine, coarse = (as_matrix(poisson(m).A, (m - 1, m - 1)) for m in (n, half))
    residual = fine @ shape.ravel() + gamma * ((1 + u) * np.exp(u) * shape).ravel()
    R, P = full_weighting(2), linear_interpolation(2)
    wrong = coarse + gamma * np.eye(len(coarse))
    restricted = R(residual.reshape(shape.shape))
    correction = P(np.linalg.solve(wrong, restricted.ravel()).reshape(restricted.shape))
    ratio = correction / shape
    assert ratio.max() == pytest.approx(5.5, abs=0.1) and f"{ratio[0, 0]:.1f}" == "3.2"
    assert ratio.max() == pytest.approx(ratio[half - 1, half - 1])
    assert ratio.min() == pytest.approx(ratio[0, 0])
    says("fas", "by a factor of about 5.5 at the top and of 3.2 in the corners")


def test_what_injection_of_residuals_does_to_damped_jacobi():
    """The exercise of the notebook on networks: 64 x 64 cells, in the long run."""
    start = np.random.default_rng(0).standard_normal((63, 63))

    def factors(**options):
        for R in (full_weighting(2), injection(2)):
            levels = poisson_levels(
                64, smoother=lambda problem: jacobi(problem.A.diagonal, 0.8), R=R, **options
            )
            yield f"{convergence_factor(levels, start, cycles=400):.3f}"

    page = "notebooks/from_multigrid_to_networks.ipynb"
    says(page, "goes from {} to {}, in the long run".format(*factors()))
    weighted, injected = factors(depth=2)
    assert weighted == injected
    says(page, f"the factor does not change, {weighted} in both cases")
    weighted, injected = factors(nu=(2, 2))
    says(page, f"injection is even the better of the two, {injected} against {weighted}")
