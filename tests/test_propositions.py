"""Statements that the chapters on linear algebra prove, as mathematics: matrices and their norms.

The other tests hold the package against matrices. Here it is the propositions that are tested,
with hypotheses in full, with what fails without them, and with no part of the package where a
matrix is as short.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.convolutions import Convolution
from mgtutorial.problems import poisson
from mgtutorial.smoothers import gauss_seidel_symbol, jacobi_symbol
from mgtutorial.symbols import symbol


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
