"""Smoothers: what they do, measured, against what the theory says they do."""

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.linalg.fourier import (
    gauss_seidel_symbol,
    jacobi_symbol,
    red_black_symbol,
    richardson_symbol,
    smoothing_factor,
)
from mgtutorial.linalg.lines import line_jacobi, line_jacobi_symbol
from mgtutorial.linalg.operators import as_matrix, error_propagation, spectral_radius
from mgtutorial.linalg.problems import anisotropic_diffusion, convection_diffusion, poisson
from mgtutorial.linalg.smoothers import (
    gauss_seidel,
    half_sweep,
    jacobi,
    red_black,
    red_black_sweep,
    richardson,
)
from mgtutorial.linalg.stencils import Stencil
from mgtutorial.multigrid import State, correct

ORDERS = ["red-black", "black-red"]


def lines(problem, A, axis=-1):
    """A without the couplings between points of different lines."""
    place = np.stack(np.unravel_index(np.arange(len(A)), problem.shape))
    place[axis] = 0
    return np.where((place[:, :, None] == place[:, None]).all(0), A, 0)


def smoothers(problem):
    """Every smoother, with the matrix B that the textbook gives it."""
    A = problem.sparse().toarray()
    D = np.diag(np.diag(A))
    red = (sum(np.ix_(*map(np.arange, problem.shape))) % 2 == 0).ravel()
    first = np.where(red, 0, 1)

    def triangular(rank):
        """(D + L)^-1 where L holds the couplings to points of lower rank."""
        return np.linalg.inv(np.where(rank[:, None] > rank[None, :], A, 0) + D)

    return [
        (richardson(0.01), 0.01 * np.eye(len(A))),
        (jacobi(problem.A.diagonal, 0.8), 0.8 * np.linalg.inv(D)),
        (line_jacobi(problem.A, 0.7, axis=-1), 0.7 * np.linalg.inv(lines(problem, A))),
        (gauss_seidel(problem.A, problem.shape), triangular(np.arange(len(A)))),
        (gauss_seidel(problem.sparse(), problem.shape), triangular(np.arange(len(A)))),
        (red_black(problem.A), triangular(first)),
        (red_black(problem.A, "black-red"), triangular(-first)),
    ]


PROBLEMS = [
    poisson(9, d=1),
    poisson(6),
    anisotropic_diffusion(5, 0.01),
    convection_diffusion(6, [20.0, -7.0]),
    convection_diffusion(4, [3.0, 1.0, -2.0], scheme="central"),
    poisson(6, boundary="periodic"),
]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: f"{p.A.d}d-{p.n}-{p.A.boundary}")
def test_B_is_the_matrix_of_the_textbook(problem):
    for B, matrix in smoothers(problem):
        np.testing.assert_allclose(as_matrix(B, problem.shape), matrix, rtol=0, atol=1e-13)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: f"{p.A.d}d-{p.n}-{p.A.boundary}")
def test_dense_error_propagation_equals_steps_on_unit_vectors(problem):
    """With f = 0 the iterate is minus the error, so a step applied to u gives E u."""
    size = int(np.prod(problem.shape))
    units = np.eye(size).reshape(size, *problem.shape)
    A = problem.sparse().toarray()
    for B, matrix in smoothers(problem):
        E = np.eye(size) - matrix @ A
        step = correct(problem.A, B)
        columns = [step(State(u, np.zeros_like(u))).u.ravel() for u in units]
        np.testing.assert_allclose(np.stack(columns, 1), E, rtol=0, atol=1e-12)
        operator = error_propagation(problem.A, B)
        np.testing.assert_allclose(as_matrix(operator, problem.shape), E, rtol=0, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 5),
    st.sampled_from([(), (2,), (2, 3)]),
    st.floats(-3, 3),
    st.integers(0, 2**32 - 1),
)
def test_smoothers_are_linear_and_take_batches(which, batch, a, seed):
    problem = convection_diffusion(7, [4.0, 9.0])
    B, _ = smoothers(problem)[which]
    r, s = np.random.default_rng(seed).standard_normal((2, *batch, *problem.shape))
    np.testing.assert_allclose(B(a * r + s), a * B(r) + B(s), rtol=0, atol=1e-14)
    if batch:
        one = (0,) * len(batch)
        np.testing.assert_allclose(B(r)[one], B(r[one]), rtol=1e-14, atol=1e-17)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(ORDERS), st.sampled_from([(), (3,)]), st.integers(0, 2**32 - 1))
def test_red_black_in_place_equals_correction(order, batch, seed):
    problem = convection_diffusion(8, [4.0, 9.0])
    u, f = np.random.default_rng(seed).standard_normal((2, *batch, *problem.shape))
    expected = correct(problem.A, red_black(problem.A, order))(State(u, f)).u
    swept = red_black_sweep(problem.A, u, f, order)
    assert swept is u
    np.testing.assert_allclose(u, expected, rtol=0, atol=1e-13)


def test_half_sweep_leaves_the_other_colour_and_solves_its_own():
    problem = poisson(8)
    u, f = np.random.default_rng(0).standard_normal((2, *problem.shape))
    red = sum(np.ix_(*map(np.arange, problem.shape))) % 2 == 0
    before = u.copy()
    half_sweep(problem.A, u, f, colour=0)
    assert np.array_equal(u[~red], before[~red])
    # residuals of the red equations vanish, to rounding of terms of size 4 n^2 |u|
    assert np.abs(f - problem.A(u))[red].max() < 1e-13 * 4 * 8**2
    assert np.abs(f - problem.A(u))[~red].max() > 1


def test_smoothers_on_tensors_and_in_single_precision():
    problem = poisson(8)
    r = np.random.default_rng(0).standard_normal((2, *problem.shape))
    for B in (richardson(0.1), jacobi(problem.A.diagonal, 0.8), red_black(problem.A)):
        np.testing.assert_allclose(B(torch.from_numpy(r)).numpy(), B(r), rtol=1e-14, atol=1e-17)
    for B, _ in smoothers(problem):
        single = B(r.astype(np.float32))
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, B(r), rtol=0, atol=1e-5 * np.abs(B(r)).max())
    complex_r = r[0] + 1j * r[1]
    B = gauss_seidel(problem.A, problem.shape)
    np.testing.assert_allclose(B(complex_r), B(r[0]) + 1j * B(r[1]), rtol=0, atol=1e-15)
    diagonal = torch.full(problem.shape, 2.0, dtype=torch.float64)
    assert torch.equal(jacobi(diagonal)(torch.from_numpy(r)), torch.from_numpy(r) / 2)
    assert torch.equal(jacobi(diagonal.numpy())(torch.from_numpy(r)), torch.from_numpy(r) / 2)


# Smoothing factors that the literature derives


@pytest.mark.parametrize("d, omega, mu", [(1, 2 / 3, 1 / 3), (2, 4 / 5, 3 / 5), (3, 6 / 7, 5 / 7)])
def test_jacobi_smoothing_factor(d, omega, mu):
    A = poisson(8, d).A
    assert smoothing_factor(jacobi_symbol(A, omega), d) == pytest.approx(mu, abs=1e-12)
    for other in (omega - 0.05, omega + 0.05):  # and it is the optimum
        assert smoothing_factor(jacobi_symbol(A, other), d) > mu + 0.01
    # undamped Jacobi does not smooth: the highest frequency keeps its size
    assert smoothing_factor(jacobi_symbol(A), d) == pytest.approx(1, abs=1e-12)


def test_richardson_is_jacobi_for_a_constant_diagonal():
    A = poisson(8).A
    omega = 4 / 5 / A.diagonal
    assert smoothing_factor(richardson_symbol(A, omega), 2) == pytest.approx(3 / 5, abs=1e-12)


def test_gauss_seidel_smoothing_factors():
    assert smoothing_factor(gauss_seidel_symbol(poisson(8).A), 2) == pytest.approx(0.5, abs=1e-9)
    # 1D: |e^it / (2 - e^-it)| is greatest at pi/2
    one = smoothing_factor(gauss_seidel_symbol(poisson(8, 1).A), 1)
    assert one == pytest.approx(1 / np.sqrt(5), abs=1e-9)


@pytest.mark.parametrize(
    "A",
    [
        poisson(8, 3).A,
        anisotropic_diffusion(8, 0.1, angle=0.7).A,
        convection_diffusion(8, [9, 4]).A,
    ],
    ids=["3d", "rotated", "convection"],
)
def test_no_sampled_frequency_beats_the_smoothing_factor(A):
    """The search finds the maximum: a random sample stays below, and comes close."""
    theta = np.random.default_rng(0).uniform(-np.pi, np.pi, (A.d, 200_000))
    theta = theta[:, np.abs(theta).max(axis=0) >= np.pi / 2]
    for symbol in (jacobi_symbol(A, 0.8), gauss_seidel_symbol(A)):
        mu = smoothing_factor(symbol, A.d)
        sampled = np.abs(symbol(*theta)).max()
        assert mu - 0.01 < sampled <= mu + 1e-9


def test_point_smoothers_fail_for_strong_anisotropy():
    for epsilon in (1e-1, 1e-2, 1e-4):
        A = anisotropic_diffusion(8, epsilon).A
        assert smoothing_factor(jacobi_symbol(A, 4 / 5), 2) > 1 - 2 * epsilon
        assert smoothing_factor(gauss_seidel_symbol(A), 2) > 1 - 2 * epsilon


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-6, 1))
def test_lines_smooth_the_better_the_weaker_the_other_coupling(epsilon):
    """(1 + 3 eps) / (3 + 3 eps) for omega = 2/3, along the strong coupling."""
    A = anisotropic_diffusion(8, epsilon).A
    expected = (1 + 3 * epsilon) / (3 + 3 * epsilon)
    assert smoothing_factor(line_jacobi_symbol(A), 2) == pytest.approx(expected, abs=1e-6)
    across = smoothing_factor(line_jacobi_symbol(A, axis=1), 2)  # at (0, pi) little changes
    assert across >= max(expected, 1 - 2 * epsilon) - 1e-6


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_lines_run_along_the_axis_that_was_named(axis):
    problem = convection_diffusion(6, [20.0, -7.0])
    expected = np.linalg.inv(lines(problem, problem.sparse().toarray(), axis))
    B = line_jacobi(problem.A, 1.0, axis)
    np.testing.assert_allclose(as_matrix(B, problem.shape), expected, rtol=0, atol=1e-13)
    with pytest.raises(InvalidValue, match="give a NumPy array"):
        B(torch.ones(problem.shape))
    with pytest.raises(InvalidValue, match="no axis 2"):
        line_jacobi(problem.A, 1.0, 2)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("nu, mu", [(1, 1 / 4), (2, 1 / 4), (3, (5**5 / 6**6 / 2) ** (1 / 3))])
def test_red_black_smoothing_factor(order, nu, mu):
    """max(1/4, max_a (a^(2 nu - 1) (1 - a) / 2)^(1/nu)), the second at a = 1 - 1/(2 nu)."""
    symbol = red_black_symbol(poisson(8).A, order)
    assert smoothing_factor(symbol, 2, nu) == pytest.approx(mu, abs=1e-9)


def test_red_black_smoothing_factor_in_1d():
    symbol = red_black_symbol(poisson(8, 1).A)
    assert smoothing_factor(symbol, 1) == pytest.approx(1 / 8, abs=1e-12)


# Symbols against what a step does to a wave


@pytest.mark.parametrize(
    "problem",
    [
        poisson(16, 1, "periodic"),
        poisson(12, 2, "periodic"),
        convection_diffusion(12, [30.0, 5.0], scheme="central", boundary="periodic"),
    ],
    ids=["1d", "2d", "convection"],
)
def test_every_wave_is_multiplied_by_the_symbol(problem):
    """Jacobi and Richardson on a periodic grid, all waves at once (a batch), to rounding."""
    A, shape = problem.A, problem.shape
    waves = np.stack([problem.mode(*k) for k in np.ndindex(*shape)])
    theta = [
        2 * np.pi * np.array([k[i] for k in np.ndindex(*shape)]) / problem.n for i in range(A.d)
    ]
    column = (slice(None), *[None] * A.d)
    for B, symbol in [
        (jacobi(A.diagonal, 0.8), jacobi_symbol(A, 0.8)),
        (richardson(1e-3), richardson_symbol(A, 1e-3)),
    ]:
        after = error_propagation(A, B)(waves)
        np.testing.assert_allclose(after, symbol(*theta)[column] * waves, rtol=0, atol=1e-12)


def test_gauss_seidel_multiplies_waves_by_its_symbol():
    """Away from the edges where the sweep starts: their influence halves with every point."""
    problem = poisson(80)
    x, y = (np.arange(79)[:, None], np.arange(79)[None, :])
    E = error_propagation(problem.A, gauss_seidel(problem.A, problem.shape))
    symbol = gauss_seidel_symbol(problem.A)
    for theta in [(np.pi / 2, np.arccos(4 / 5)), (3.0, -2.0), (0.2, 0.1), (-1.0, 2.5)]:
        wave = np.exp(1j * (theta[0] * x + theta[1] * y))
        window = (slice(60, 78), slice(60, 78))
        expected = symbol(*theta) * wave[window]
        np.testing.assert_allclose(E(wave)[window], expected, rtol=0, atol=1e-13)
    # the worst high frequency is reduced by exactly one half
    assert abs(symbol(np.pi / 2, np.arccos(4 / 5))) == pytest.approx(0.5, abs=1e-15)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "problem",
    [
        poisson(8, 1, "periodic"),
        poisson(8, 2, "periodic"),
        convection_diffusion(8, [30.0, 5.0], boundary="periodic"),
    ],
    ids=["1d", "2d", "upwind"],
)
def test_red_black_couples_pairs_as_its_symbol_says(problem, order):
    E = error_propagation(problem.A, red_black(problem.A, order))
    symbol = red_black_symbol(problem.A, order)
    half = problem.n // 2
    for k in np.ndindex(*problem.shape):
        matrix = symbol(*(2 * np.pi * ki / problem.n for ki in k))
        pair = [problem.mode(*k), problem.mode(*(ki + half for ki in k))]
        for j in range(2):
            expected = matrix[0, j] * pair[0] + matrix[1, j] * pair[1]
            np.testing.assert_allclose(E(pair[j]), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("nu", [1, 2, 3])
def test_red_black_smoothing_factor_is_measured(nu):
    """rho(Q E^nu) with Q the filter of the high frequencies, as a dense matrix."""
    problem = poisson(16, boundary="periodic")
    theta = np.ix_(*[2 * np.pi * np.fft.fftfreq(16)] * 2)
    is_high = np.maximum(*np.broadcast_arrays(*map(np.abs, theta))) >= np.pi / 2 - 1e-12
    step = error_propagation(problem.A, red_black(problem.A))

    def filtered(e):
        for _ in range(nu):
            e = step(e)
        return np.fft.ifft2(is_high * np.fft.fft2(e)).real

    measured = spectral_radius(filtered, problem.shape) ** (1 / nu)
    predicted = smoothing_factor(red_black_symbol(problem.A), 2, nu)
    # the grid has only some of the frequencies: never above, and close below
    # (the square root of a nearly defective eigenvalue costs digits)
    assert 0.97 * predicted < measured < predicted + 1e-6


# Convergence factors on the Dirichlet problem


@pytest.mark.parametrize("n", [8, 32])
def test_dirichlet_convergence_factors(n):
    """Jacobi cos(pi h); Gauss-Seidel, both orders, its square (consistently ordered matrices)."""
    problem = poisson(n)
    c = np.cos(np.pi / n)

    def rho(B):
        E = error_propagation(problem.A, B)
        return spectral_radius(as_matrix(E, problem.shape))

    assert rho(jacobi(problem.A.diagonal)) == pytest.approx(c, abs=1e-10)
    damped = rho(jacobi(problem.A.diagonal, 0.8))
    assert damped == pytest.approx(1 - 0.8 * (1 - c), abs=1e-10)
    # nonnormal with many Jordan blocks at zero: the largest eigenvalue is still simple
    assert rho(gauss_seidel(problem.A, problem.shape)) == pytest.approx(c**2, abs=1e-8)
    assert rho(red_black(problem.A)) == pytest.approx(c**2, abs=1e-8)


def test_gauss_seidel_along_the_wind_solves_pure_convection_at_once():
    A = Stencil(((-1,), (0,)), (-1.0, 1.0))
    f = np.random.default_rng(0).standard_normal(50)
    u = gauss_seidel(A, (50,))(f)
    assert np.abs(f - A(u)).max() < 1e-13
    against = Stencil(((0,), (1,)), (1.0, -1.0))
    E = as_matrix(error_propagation(against, gauss_seidel(against, (50,))), (50,))
    assert np.abs(np.linalg.matrix_power(E, 49)).max() == 1  # one point a sweep


@pytest.mark.parametrize("d", [1, 2])
def test_energy_norm_never_grows(d):
    """Gauss-Seidel on a symmetric positive definite matrix: |E e|_A < |e|_A for every e != 0."""
    problem = poisson(10, d)
    root = scipy.linalg.sqrtm(problem.sparse().toarray()).real
    for B in (gauss_seidel(problem.A, problem.shape), red_black(problem.A)):
        E = as_matrix(error_propagation(problem.A, B), problem.shape)
        assert np.linalg.norm(root @ E @ np.linalg.inv(root), 2) < 1


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: richardson(float("nan")), "omega = nan"),
        (lambda: jacobi(4.0, float("inf")), "omega = inf"),
        (lambda: jacobi(0.0), "use richardson"),
        (lambda: jacobi(np.array([1.0, 0.0])), "use richardson"),
        (lambda: jacobi(torch.zeros(2)), "use richardson"),
        (lambda: gauss_seidel(Stencil(((1,),), (1.0,)), (3,)), "use richardson"),
        (
            lambda: gauss_seidel(poisson(4).A, (3, 3))(np.ones((4, 3))),
            "whose last axes are the grid",
        ),
        (lambda: gauss_seidel(poisson(4).A, (3, 3))(torch.ones(3, 3)), "there is red_black"),
        (lambda: gauss_seidel(poisson(4).A, (3, 3))(np.ones((3, 3), np.longdouble)), "float64"),
        (lambda: red_black(anisotropic_diffusion(4, 0.1, angle=0.5).A), "points of one colour"),
        (
            lambda: red_black(poisson(5, boundary="periodic").A)(np.ones((5, 5))),
            "even number of points",
        ),
    ],
)
def test_bad_input_is_one_sentence(make, sentence):
    with pytest.raises(InvalidValue, match=sentence) as error:
        make()
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


def test_unknown_order():
    with pytest.raises(UnknownName, match="did you mean 'red-black'"):
        red_black(poisson(4).A, "red_black")
