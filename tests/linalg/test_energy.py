"""The sharp two-grid identity and the best interpolation, against matrices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.errors import InvalidValue
from mgtutorial.linalg.energy import (
    coarse_correction,
    energy_norm,
    equivalence,
    optimal_interpolation,
    two_grid_constant,
)
from mgtutorial.linalg.operators import as_matrix, error_propagation, spectral_radius
from mgtutorial.linalg.problems import poisson
from mgtutorial.linalg.smoothers import jacobi, red_black
from mgtutorial.linalg.transfers import full_weighting, linear_interpolation

from ..project.prose import says


def problem(seed, size=10, coarse=4):
    """A random symmetric positive definite A, a smoother that is not symmetric, and a P."""
    rng = np.random.default_rng(seed)
    M = rng.standard_normal((size, size))
    A = M @ M.T + np.eye(size)
    B = np.linalg.inv(np.tril(A)) if seed % 2 else np.eye(size) / np.linalg.norm(A, 2)
    return A, B, rng.standard_normal((size, coarse))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000))
def test_the_two_grid_norm_is_what_the_identity_says_and_not_below_the_optimum(seed):
    """Theorems 2 and 3."""
    A, B, P = problem(seed)
    S, K = np.eye(len(A)) - B @ A, coarse_correction(A, P)
    norm = energy_norm(S @ K, A)
    assert norm**2 == pytest.approx(1 - 1 / two_grid_constant(A, B, P), abs=1e-8)
    best = optimal_interpolation(A, B, P.shape[1])
    assert norm >= best.norm - 1e-9
    assert energy_norm(S @ coarse_correction(A, best.P), A) == pytest.approx(best.norm, abs=1e-7)
    np.testing.assert_allclose(best.P.T @ A @ best.P, np.eye(P.shape[1]), atol=1e-9)
    # exercise 1: the symmetric cycle
    adjoint = np.linalg.solve(A, S.T @ A)
    assert spectral_radius(S @ K @ adjoint) == pytest.approx(norm**2, abs=1e-8)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000))
def test_a_galerkin_correction_is_a_projection_without_any_symmetry(seed):
    """Proposition 1: K P = 0, R A K = 0, K^2 = K."""
    rng = np.random.default_rng(seed)
    A, R, P = rng.standard_normal((9, 9)), rng.standard_normal((3, 9)), rng.standard_normal((9, 3))
    if np.linalg.cond(R @ A @ P) > 1e4:
        return
    K = coarse_correction(A, P, R)
    size = max(1, np.abs(K).max()) ** 2
    for zero in (K @ P, R @ A @ K, K @ K - K):
        assert np.abs(zero).max() < 1e-9 * size
    other = coarse_correction(A, P, R, 1.1 * R @ A @ P)  # no product, no projection
    assert np.abs(other @ P).max() > 0.01 * np.abs(P).max()


def test_linear_interpolation_is_the_best_for_one_step_of_jacobi_in_1d():
    """Also pair by pair: 1/9 whatever the wave. With two steps there is something to gain."""
    n = 64
    line = poisson(n, d=1)
    A = line.sparse().toarray()
    P = linear_interpolation(1).sparse(line.shape).toarray()
    B = np.eye(n - 1) * 2 / 3 / line.A.diagonal
    S, K = np.eye(n - 1) - B @ A, coarse_correction(A, P)
    assert energy_norm(S @ K, A) == pytest.approx(1 / 3, abs=1e-12)
    assert optimal_interpolation(A, B, n // 2 - 1).norm == pytest.approx(1 / 3, abs=1e-12)
    for k in (1, 5, 20, 31):
        v = line.mode(k) + line.mode(n - k)
        assert np.abs(K @ v - v).max() < 1e-10
        ratio = (S @ v) @ A @ (S @ v) / (v @ A @ v)
        assert ratio == pytest.approx(1 / 9, abs=1e-12)
    two = energy_norm(S @ S @ K, A)
    assert optimal_interpolation(A, 2 * B - B @ A @ B, n // 2 - 1).norm == pytest.approx(1 / 9)
    says("two_grid_theory", f"linear interpolation has ${two:.3f}$ (with 64 cells)")


def test_the_table_of_norms():
    n = 32
    grid = poisson(n)
    A = grid.sparse().toarray()
    R = full_weighting().sparse(grid.shape).toarray()
    P = linear_interpolation().sparse(grid.shape).toarray()
    K = coarse_correction(A, P, R)
    K2 = coarse_correction(A, P, R, poisson(n // 2).sparse().toarray())

    def E(B):
        return as_matrix(error_propagation(grid.A, B), grid.shape)

    J, S, T = (
        E(B)
        for B in (
            jacobi(grid.A.diagonal, 4 / 5),
            red_black(grid.A),
            red_black(grid.A, order="black-red"),
        )
    )
    for M in (J, S, K, J @ K @ J, S @ K2 @ S, T @ K2 @ S):
        row = spectral_radius(M), np.linalg.norm(M, 2), energy_norm(M, A)
        says("two_grid_theory", "| " + " | ".join(f"{value:.3f}" for value in row) + " |")


def test_matrices_without_an_energy_are_refused():
    with pytest.raises(InvalidValue, match="symmetric"):
        energy_norm(np.eye(2), np.array([[1.0, 1.0], [0.0, 1.0]]))
    with pytest.raises(InvalidValue, match="positive definite"):
        energy_norm(np.eye(2), np.diag([1.0, 0.0]))
    with pytest.raises(InvalidValue, match="damp"):
        two_grid_constant(np.eye(2), 3 * np.eye(2), np.ones((2, 1)))
    for count in (0, 3):
        with pytest.raises(InvalidValue, match="coarse unknowns"):
            optimal_interpolation(np.eye(3), np.eye(3) / 2, count)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_equivalence_bounds_every_quotient_and_is_attained(seed):
    rng = np.random.default_rng(seed)
    A, B, _ = problem(seed)
    B = np.eye(len(A)) + 0.1 * A @ A
    least, greatest = equivalence(A, B)
    w = rng.standard_normal((200, len(A)))
    quotients = np.einsum("wi,ij,wj->w", w, A, w) / np.einsum("wi,ij,wj->w", w, B, w)
    assert least - 1e-12 <= quotients.min() and quotients.max() <= greatest + 1e-12
    ends = np.sort(np.linalg.eigvals(np.linalg.solve(B, A)).real)[[0, -1]]
    np.testing.assert_allclose([least, greatest], ends, rtol=1e-9)


def test_equivalence_needs_symmetric_matrices():
    with pytest.raises(InvalidValue, match="not symmetric"):
        equivalence(np.array([[1.0, 2.0], [0.0, 1.0]]), np.eye(2))
    with pytest.raises(InvalidValue, match="positive definite"):
        equivalence(np.eye(2), -np.eye(2))


@pytest.mark.parametrize(
    "function",
    [
        energy_norm,
        equivalence,
        lambda E, A: optimal_interpolation(A, E, 1),
        lambda P, A: two_grid_constant(A, np.eye(2) / 4, P),
    ],
)
@pytest.mark.parametrize("which", [0, 1])
def test_complex_matrices_are_one_sentence(function, which):
    matrices = [np.diag([0.5, 0.25]), np.diag([1.0, 2.0])]
    matrices[which] = matrices[which] + 1j * np.array([[0, 1], [-1, 0]])
    with pytest.raises(InvalidValue, match="a matrix is complex"):
        function(*matrices)
