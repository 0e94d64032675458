"""Numerical ranges, pseudospectra, powers, and both ends of spectra with any padding."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.linalg.approximation import root_choices
from mgtutorial.linalg.operators import as_matrix, spectral_radius
from mgtutorial.linalg.polynomials import q
from mgtutorial.linalg.problems import poisson
from mgtutorial.spectra import extremal
from mgtutorial.spectra.convolutions import PADDING_MODES, Convolution
from mgtutorial.spectra.extremal import extremal_eigenvalues, extremal_singular_values
from mgtutorial.spectra.layers import as_convolution
from mgtutorial.spectra.nonnormality import (
    normality,
    numerical_range,
    power_norms,
    pseudospectrum,
    smoothing_damping,
)
from mgtutorial.spectra.symbols import eigenvalues, operator_norm, singular_values, symbol


def random(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def unitary(n, seed=0):
    return np.linalg.qr(random(seed, n, n) + 1j * random(seed + 1, n, n))[0]


# ------------------------------------------------------------------- the numerical range


def test_the_numerical_range_of_a_normal_matrix_is_the_hull_of_its_eigenvalues():
    values = np.array([1 + 1j, -1 + 1j, -1 - 1j, 1 - 1j, 0.3])
    U = unitary(5)
    found = numerical_range(U @ np.diag(values) @ U.conj().T, count=360)
    expected = (np.exp(-1j * found.angles)[:, None] * values).real.max(axis=1)
    np.testing.assert_allclose(found.support, expected, atol=1e-13)
    corners = np.delete(found.points, range(0, 360, 90))  # at those, a whole side is outermost
    assert np.abs(corners[:, None] - values[:4]).min(axis=1).max() < 1e-12


@pytest.mark.parametrize("n", [2, 5, 20])
def test_a_jordan_block_has_a_disc(n):
    """The radius is cos(pi / (n + 1)), although every eigenvalue is zero."""
    found = numerical_range(np.eye(n, k=1), count=16)
    np.testing.assert_allclose(np.abs(found.points), np.cos(np.pi / (n + 1)), atol=1e-13)
    assert abs(found.radius - np.cos(np.pi / (n + 1))) < 1e-13


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_every_quotient_lies_in_the_half_planes_and_the_points_are_quotients(seed, n):
    A = random(seed, n, n) + 1j * random(seed + 1, n, n)
    found = numerical_range(A, count=24)
    v = random(seed + 2, 50, n) + 1j * random(seed + 3, 50, n)
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    quotients = np.concatenate([((v.conj() @ A) * v).sum(1), np.linalg.eigvals(A), found.points])
    turned = (np.exp(-1j * found.angles)[:, None] * quotients).real
    assert (turned <= found.support[:, None] + 1e-12).all()
    on = (np.exp(-1j * found.angles) * found.points).real
    np.testing.assert_allclose(on, found.support, atol=1e-12)  # so the points touch them
    norm = np.linalg.norm(A, 2)
    assert np.cos(np.pi / 24) * norm / 2 - 1e-12 <= found.radius <= norm + 1e-12


# ---------------------------------------------------------------------- pseudospectra


def test_a_pseudospectrum_is_what_perturbations_of_that_size_reach():
    A, z = random(3, 6, 6), np.array([0.3 + 0.2j, 2.0, -1j])
    sizes = pseudospectrum(A, z)
    for point, size in zip(z, sizes, strict=True):
        U, s, Vh = np.linalg.svd(point * np.eye(6) - A)
        nearest = A + s[-1] * np.outer(U[:, -1], Vh[-1])
        assert abs(np.linalg.norm(nearest - A, 2) - size) < 1e-13
        assert np.abs(np.linalg.eigvals(nearest) - point).min() < 1e-7
    assert pseudospectrum(A, np.zeros((2, 3))).shape == (2, 3)


def test_of_a_normal_operator_it_is_the_distance_to_the_spectrum():
    values, U = np.array([1.0, 2j, -3.0]), unitary(3)
    z = np.linspace(-3, 3, 7) + 1j
    found = pseudospectrum(U @ np.diag(values) @ U.conj().T, z)
    np.testing.assert_allclose(found, np.abs(z[:, None] - values).min(axis=1), atol=1e-13)


# ---------------------------------------------------- a symbol stands for its convolution


def test_the_symbol_of_a_convolution_has_the_range_and_powers_of_its_matrix():
    kernel = random(4, 3, 3, 3) / 3
    A, n = as_convolution(kernel, padding_mode="circular"), 6
    matrix, blocks = as_matrix(A, (3, n)), symbol(A, (n,))
    full, parts = numerical_range(matrix, 32), numerical_range(blocks, 32)
    np.testing.assert_allclose(parts.support, full.support, atol=1e-12)
    z = np.array([0.1, 1j, 2 - 1j])
    np.testing.assert_allclose(pseudospectrum(blocks, z), pseudospectrum(matrix, z), atol=1e-12)
    np.testing.assert_allclose(power_norms(blocks, 6), power_norms(matrix, 6), rtol=1e-12)
    np.testing.assert_allclose(normality(blocks), normality(matrix), atol=1e-12)
    tensor = torch.from_numpy(blocks)
    np.testing.assert_array_equal(power_norms(tensor, 2), power_norms(blocks, 2))


# ----------------------------------------------------------------- how far from normal


def test_normality_is_zero_for_normal_matrices_and_has_known_values_for_others():
    U = unitary(8)
    for values, skew in ((np.arange(8), 0), (1j * np.arange(8), 1)):
        found = normality(U @ np.diag(values) @ U.conj().T)
        np.testing.assert_allclose(found, (0, 0, skew), atol=1e-14)
    jordan = normality(np.eye(2, k=1))
    np.testing.assert_allclose(jordan, (np.sqrt(2), 1, np.sqrt(0.5)), atol=1e-15)
    assert normality(np.zeros((2, 2))) == (0, 0, 0)
    A = random(5, 30, 30)
    direct = 1 - (np.abs(np.linalg.eigvals(A)) ** 2).sum() / (A**2).sum()
    assert abs(normality(A).henrici - np.sqrt(direct)) < 1e-12


def test_one_channel_is_always_normal_on_a_periodic_grid_and_never_with_a_wall():
    """Circulant matrices commute; Toeplitz matrices do not."""
    kernel = random(6, 1, 1, 3)
    assert normality(symbol(kernel, (16,))).commutator < 1e-15
    assert normality(as_convolution(kernel).sparse((16,)).toarray()).commutator > 1e-3


# ------------------------------------------------------------------------------ traps


def test_radius_below_one_and_growing_powers():
    """Zero padding, one channel: u_j / 2 + 1.2 u_{j-1}. The only eigenvalue is 1/2.

    On the periodic grid the norm is 1.7, and away from the wall nobody knows that there is one:
    the powers grow like 1.7^nu as long as a wave finds room, and decay only afterwards.
    """
    n, A = 60, Convolution([[[1.2, 0.5, 0.0]]])
    matrix = A.sparse((n,)).toarray()
    assert spectral_radius(matrix) == 0.5
    norms = power_norms(matrix, 300)
    assert norms[1] > 1.6 and norms[10] > 1.6**10
    assert norms.max() > 1e9 and norms[300] < 1e-3
    assert (np.diff(norms[:20]) > 0).all()
    # the numerical range and the pseudospectrum have said so
    assert numerical_range(matrix).radius > 1.69
    assert pseudospectrum(matrix, 1.5) < 1e-3 and pseudospectrum(matrix, -0.3) < 1e-9
    assert operator_norm(A, (n,)) == pytest.approx(1.7, abs=1e-12)
    # the computed eigenvalues of a matrix that differs by rounding are no longer 1/2
    U = unitary(n)
    moved = np.linalg.eigvals(U @ matrix @ U.conj().T)
    assert np.abs(moved - 0.5).max() > 0.1


def test_channels_make_an_operator_nonnormal_on_a_periodic_grid_too():
    kernel = np.zeros((2, 2, 1, 1))
    kernel[:, :, 0, 0] = [[0.9, 5.0], [0.0, 0.9]]
    norms = power_norms(symbol(kernel, (4, 4)), 100)
    assert np.abs(eigenvalues(kernel, (4, 4))).max() == pytest.approx(0.9, abs=1e-15)
    assert norms.argmax() == 9 and norms.max() > 15 and norms[100] < 0.02


def test_the_computed_spectra_of_the_two_paddings_differ():
    """The zero-padded eigenvalues of a shift's kind do not approach the periodic ones."""
    kernel, n = np.array([[[1.2, 0.5, 0.3]]]), 50
    zero = 0.5 + 2 * np.sqrt(1.2 * 0.3) * np.cos(np.pi * np.arange(1, n + 1) / (n + 1))
    matrix = as_convolution(kernel).sparse((n,)).toarray()
    scale = (1.2 / 0.3) ** (np.arange(n) / 2)  # makes it symmetric
    similar = matrix / scale[:, None] * scale
    found = np.sort(np.linalg.eigvalsh(similar))
    np.testing.assert_allclose(found, np.sort(zero), atol=1e-13)
    assert np.abs(eigenvalues(kernel, (n,)).imag).max() > 0.89  # an ellipse, not an interval


# ------------------------------------------------------------------------- root choices


def test_the_fit_is_never_worse_than_roots_on_the_extremes():
    for seed in range(5):
        spectrum = 1.5 + (random(seed, 60) + 1j * random(seed + 50, 60)) / 4
        choices = root_choices(spectrum)
        for choice in choices.values():
            assert len(choice.roots) <= 4
            assert abs(np.abs(q(spectrum, choice.roots)).max() - choice.maximum) < 1e-9
        assert choices["minimax"].maximum <= choices["extremes"].maximum + 1e-9


def test_a_learned_spectrum_around_zero_is_refused_and_on_one_side_fitted():
    around = eigenvalues(random(7, 8, 8, 3, 3) / 8, (6, 6)).ravel()
    with pytest.raises(InvalidValue, match="surround zero"):
        root_choices(around)
    kernel = random(7, 8, 8, 3, 3) / 40
    kernel[range(8), range(8), 1, 1] += 1
    choices = root_choices(eigenvalues(kernel, (6, 6)).ravel())
    assert choices["minimax"].maximum < 0.7 * choices["extremes"].maximum < 0.7


# ------------------------------------------------------------------- both ends, any padding

KEYS = {
    "LM": lambda z: -np.abs(z),
    "SM": np.abs,
    "LR": lambda z: -z.real,
    "SR": lambda z: z.real,
    "LI": lambda z: -np.abs(z.imag),
}


@pytest.mark.parametrize("which", KEYS)
@pytest.mark.parametrize("mode", PADDING_MODES)
def test_extremal_eigenvalues_are_those_of_the_dense_matrix(which, mode):
    """2 channels on 22 x 20: 880 unknowns, more than are taken at once."""
    kernel = random(8, 2, 2, 3, 3) / 4
    kernel[range(2), range(2), 1, 1] += 1.5
    A = as_convolution(kernel, padding_mode=mode)
    dense = np.linalg.eigvals(A.sparse((22, 20)).toarray())
    found = extremal_eigenvalues(A, (22, 20), k=4, which=which)
    order = KEYS[which]
    np.testing.assert_allclose(order(found), np.sort(order(dense))[:4], rtol=0, atol=1e-9)
    assert np.abs(found[:, None] - dense).min(axis=1).max() < 1e-8


@pytest.mark.parametrize("which", ["LM", "SM"])
@pytest.mark.parametrize("mode", PADDING_MODES)
def test_extremal_singular_values_are_those_of_the_dense_matrix(which, mode):
    A = as_convolution(random(9, 2, 2, 3, 3), padding_mode=mode)
    dense = np.linalg.svd(A.sparse((22, 20)).toarray(), compute_uv=False)
    found = extremal_singular_values(A, (22, 20), k=5, which=which)
    expected = dense[:5] if which == "LM" else dense[::-1][:5]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * dense[0])


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize(("stride", "c_out"), [(1, 3), (2, 3), (2, 8)])
def test_norms_with_stride_and_padding(mode, stride, c_out, monkeypatch):
    """Also without the matrix: the same number by products with the operator."""
    A = as_convolution(random(10, c_out, 2, 3, 3), stride=stride, padding=1, padding_mode=mode)
    shape = (24, 18)
    expected = np.linalg.norm(A.sparse(shape).toarray(), 2)
    assert abs(operator_norm(A, shape, mode) / expected - 1) < 1e-10
    monkeypatch.setattr(extremal, "_ENTRIES", 0)
    assert abs(extremal_singular_values(A, shape, k=1)[0] / expected - 1) < 1e-10


def test_poissons_equation_with_walls_has_its_analytic_ends():
    n = 40
    problem = poisson(n)
    kernel = problem.A.kernel()[None, None] / n**2
    low, high = (8 * np.sin(np.pi * k / (2 * n)) ** 2 for k in (1, n - 1))
    for function in (extremal_eigenvalues, extremal_singular_values):
        top = function(kernel, problem.shape, k=1)[0]
        bottom = function(kernel, problem.shape, k=1, which="SM")[0]
        assert abs(top - high) < 1e-12 and abs(bottom - low) < 1e-13


def test_a_singular_operator_has_the_eigenvalue_and_singular_value_zero():
    difference = as_convolution([[[-1.0, 1.0, 0.0]]], padding_mode="circular")
    for function in (extremal_eigenvalues, extremal_singular_values):
        assert np.abs(function(difference, (900,), k=1, which="SM")[0]) < 1e-12


def test_smallest_singular_values_of_two_paddings_differ_by_orders_of_magnitude():
    """With channels and in two dimensions: a random kernel with a dominant shift."""
    kernel = random(11, 2, 2, 3, 3) / 20
    kernel[range(2), range(2), 1, 0] += 1
    shape = (24, 20)
    periodic = singular_values(kernel, shape).min()
    zero = extremal_singular_values(kernel, shape, k=1, which="SM")[0]
    assert periodic > 0.2 and zero < 1e-6 * periodic


def test_norms_of_larger_grids_grow_to_that_of_the_symbol():
    """Zero padding: a part of the infinite operator, which grows with the grid."""
    kernel = random(12, 2, 2, 3, 3)
    norms = [operator_norm(kernel, (n, n), "zeros") for n in (4, 8, 16, 32)]
    assert all(a < b for a, b in pairwise(norms))
    limit = operator_norm(kernel, (256, 256))
    gaps = [limit - norm for norm in norms]
    assert 0 < gaps[-1] < gaps[0] / 10


def test_matrices_sparse_matrices_and_operators_are_taken_as_well():
    matrix = as_convolution(random(13, 1, 1, 3, 3)).sparse((6, 6))
    for function in (extremal_eigenvalues, extremal_singular_values):
        first = function(matrix, k=2)
        np.testing.assert_allclose(function(matrix.toarray(), k=2), first, atol=1e-13)
        operator = scipy.sparse.linalg.aslinearoperator(matrix)
        np.testing.assert_allclose(function(operator, k=2), first, atol=1e-13)


def test_bad_input_is_one_sentence():
    with pytest.raises(InvalidValue, match="give square ones"):
        numerical_range(np.ones((2, 3)))
    with pytest.raises(InvalidValue, match="singular values only"):
        normality(np.ones(3))
    with pytest.raises(InvalidValue, match="NaN"):
        power_norms([[np.nan]], 3)
    rectangular = np.ones((4, 2, 3))
    with pytest.raises(InvalidValue, match="no eigenvalues"):
        extremal_eigenvalues(rectangular, (5,))
    with pytest.raises(InvalidValue, match="whole number from 1 to 5"):
        extremal_eigenvalues(np.ones((1, 1, 3)), (5,), k=6)
    with pytest.raises(UnknownName, match="end of the spectrum"):
        extremal_eigenvalues(np.eye(3), k=1, which="SI")
    with pytest.raises(InvalidValue, match="smallest singular values are found for square"):
        extremal_singular_values(rectangular, (500,), which="SM")
    with pytest.raises(InvalidValue, match="the shape of its grid"):
        extremal_eigenvalues(rectangular)
    operator = scipy.sparse.linalg.aslinearoperator(np.eye(3))
    with pytest.raises(InvalidValue, match="give its matrix"):
        extremal_eigenvalues(operator, k=1, which="SM")
    with pytest.raises(InvalidValue, match="give 1 positive"):
        extremal_eigenvalues(np.ones((1, 1, 3)), (5, 5))


# ------------------------------------------------------------------ Reusken's condition


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.floats(0.3, 4))
def test_smoothing_damping_is_the_greatest_that_the_lemma_allows(seed, shift):
    """Against the norm itself, just below and just above; Proposition 5 of Symbols."""
    rng = np.random.default_rng(seed)
    stack = rng.standard_normal((3, 4, 4)) + 1j * rng.standard_normal((3, 4, 4))
    stack = stack / np.linalg.norm(stack, 2, axis=(-2, -1)).max() + shift * np.eye(4)
    omega = smoothing_damping(stack)

    def norm(w):
        return np.linalg.norm(np.eye(4) - 2 * w * stack, 2, axis=(-2, -1)).max()

    if omega == 0:
        assert norm(1e-6) > 1
        return
    assert norm(omega * (1 - 1e-9)) <= 1 + 1e-9 and norm(omega * 1.001) > 1
    if shift > 1:
        assert omega >= (1 - 1e-9) / (1 + shift)
    for nu in (1, 5, 20):
        power = np.linalg.matrix_power(np.eye(4) - omega * stack, nu)
        left = np.linalg.norm(stack @ power, 2, axis=(-2, -1)).max()
        assert left <= np.sqrt(2 / (np.pi * nu)) / omega


def test_smoothing_damping_of_the_tables_operators():
    theta = np.linspace(-np.pi, np.pi, 401)
    scalars = {
        "upwind": (1 - np.exp(-1j * theta), 0.5),
        "Poisson": (4 * np.sin(theta / 2) ** 2, 0.25),
        "little wind": (1 - np.cos(theta) + 0.5j * np.sin(theta), 0.5),
        "strong wind": (1 - np.cos(theta) + 2j * np.sin(theta), 1 / 8),
    }
    for name, (values, expected) in scalars.items():
        found = smoothing_damping(values[:, None, None])
        assert found == pytest.approx(expected, rel=1e-3), name  # of samples near zero
    M = np.random.default_rng(0).standard_normal((6, 6))
    expected = 1 / np.linalg.norm(M, 2) ** 2
    assert smoothing_damping(M.T @ M) == pytest.approx(expected, rel=1e-9)
    assert smoothing_damping(np.zeros((2, 2))) == np.inf
    assert smoothing_damping([[0.0, 1.0], [0.0, 0.0]]) == 0  # v*Av has both signs
    assert smoothing_damping(np.diag([0.0, 2.0])) == 0.5  # a constant that stays


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e200, 1e307])
@pytest.mark.parametrize("entries", [[[0.0, 1.0], [0.0, 0.0]], [[1.0, 2.0], [-3.0, 4.0]]])
def test_normality_knows_no_scale(scale, entries):
    expected = normality(entries)
    np.testing.assert_allclose(normality(scale * np.array(entries)), expected, rtol=1e-5)


def test_norms_of_powers_beyond_the_range_are_infinite_and_come_back():
    assert power_norms([[10.0]], 400)[-1] == np.inf
    np.testing.assert_allclose(power_norms([[10.0]], 300), 10.0 ** np.arange(301), rtol=1e-13)
    np.testing.assert_allclose(power_norms([[0.1]], 300), 10.0 ** -np.arange(301.0), rtol=1e-13)
    up_and_down = np.diag([1e160, 1e160, 1e-30], 1)  # nilpotent
    norms = power_norms(up_and_down, 4)
    np.testing.assert_allclose(norms, [1, 1e160, np.inf, 1e290, 0], rtol=1e-13)
