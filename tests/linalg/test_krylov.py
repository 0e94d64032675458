"""Roots from GMRES against least squares, and K-cycles against the cycles that they contain."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.errors import InvalidValue
from mgtutorial.linalg.aggregation import aggregates, algebraic_levels
from mgtutorial.linalg.krylov import accelerated, arnoldi, harmonic_ritz, k_cycle
from mgtutorial.linalg.polynomials import propagation
from mgtutorial.linalg.problems import convection_diffusion, poisson
from mgtutorial.multigrid import cycle, start


def matrix(seed, size=12, shift=4.0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((size, size)) + shift * np.eye(size), rng.standard_normal(size)


def test_arnoldi_is_a_factorisation_with_orthonormal_columns():
    M, r = matrix(0)
    V, H = arnoldi(lambda u: M @ u, r, 6)
    np.testing.assert_allclose(V @ V.T, np.eye(7), atol=1e-14)
    np.testing.assert_allclose(M @ V[:-1].T, V.T @ H, atol=1e-12)
    np.testing.assert_allclose(np.tril(H, -2), 0)


def test_arnoldi_stops_at_an_invariant_space():
    V, H = arnoldi(lambda u: np.array([1.0, 2.0, 2.0, 2.0]) * u, np.ones(4), 4)
    assert H.shape == (3, 2) and V.shape == (3, 4) and not V[-1].any()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 8))
def test_the_polynomial_of_the_roots_leaves_the_least_residual(seed, degree):
    """Proposition 5, against a least squares problem in a basis of powers."""
    M, r = matrix(seed)
    roots = harmonic_ritz(lambda u: M @ u, r, degree)
    powers = [M @ r]
    while len(powers) < degree:
        powers.append(M @ powers[-1] / np.linalg.norm(powers[-1]))
    Q = np.linalg.qr(np.array(powers).T)[0]
    best = r - Q @ (Q.T @ r)
    got = propagation(lambda u: M @ u, roots)(r)
    assert np.linalg.norm(got - best) < 1e-8 * np.linalg.norm(r)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_one_root_is_a_ratio_between_the_ends_of_a_symmetric_spectrum(seed):
    """Exercise 3 of the chapter; a skew operator stagnates."""
    M, r = matrix(seed)
    S = M @ M.T
    (root,) = harmonic_ritz(lambda u: S @ u, r, 1)
    assert root == pytest.approx(np.dot(S @ r, S @ r) / np.dot(r, S @ r), rel=1e-9)
    ends = np.linalg.eigvalsh(S)
    assert ends[0] <= root <= ends[-1] and np.dot(r, S @ r) / np.dot(r, r) <= root
    with pytest.raises(InvalidValue, match="stagnates"):
        harmonic_ritz(lambda u: np.array([u[1], -u[0]]), np.array([1.0, 0.0]), 1)


def test_roots_are_found_on_grids_and_for_complex_operators():
    A = convection_diffusion(8, [3.0, 1.0], boundary="periodic").A
    r = np.random.default_rng(0).standard_normal((8, 8))
    assert harmonic_ritz(A, r, 4).shape == (4,)
    M, r = matrix(3)
    M, r = M + 1j * matrix(4)[0], r + 0j
    roots = harmonic_ritz(lambda u: M @ u, r, 3)
    left = r
    for x in roots:
        left = left - M @ left / x
    K = np.array([M @ r, M @ M @ r, M @ M @ M @ r]).T
    best = r - K @ np.linalg.lstsq(K, r, rcond=None)[0]
    np.testing.assert_allclose(left, best, atol=1e-9 * np.linalg.norm(r))


@pytest.mark.parametrize("bad", [np.zeros(3), np.array([1.0, np.nan])])
def test_a_start_that_says_nothing_is_refused(bad):
    with pytest.raises(InvalidValue, match="another"):
        arnoldi(lambda u: u, bad, 1)


# ------------------------------------------------------------------------------- K-cycles


def test_flexible_conjugate_gradients_are_those_of_the_textbook_and_end():
    """With B = I: the error is A-orthogonal to the Krylov space; n steps solve."""
    M, r = matrix(5, size=8)
    S = M @ M.T
    u = accelerated(lambda v: S @ v, lambda v: v, 3)(r)
    K = np.array([r, S @ r, S @ S @ r]).T
    np.testing.assert_allclose(K.T @ (r - S @ u), 0, atol=1e-8 * np.linalg.norm(S @ S @ r))
    solved = accelerated(lambda v: S @ v, lambda v: v, 8)(r)
    np.testing.assert_allclose(S @ solved, r, atol=1e-8)
    assert not accelerated(lambda v: S @ v, lambda v: v, 3)(0 * r).any()


def noisy(rng, r):
    return np.tanh(r) + rng.standard_normal(8)


def test_accelerating_never_makes_the_energy_of_the_error_greater_whatever_the_preconditioner():
    M, r = matrix(6, size=8)
    S = M @ M.T
    exact, last = np.linalg.solve(S, r), np.inf
    for count in (1, 2, 3, 5):
        rng = np.random.default_rng(0)  # the same nonsense each time
        u = accelerated(lambda v: S @ v, partial(noisy, rng), count)(r)
        energy = (exact - u) @ S @ (exact - u)
        assert energy <= last * (1 + 1e-12)
        last = energy


def pairs(depth, size=64):
    """Levels over pairs of points, too rough for a V- or a W-cycle, and the matrix.

    In 1D both would be exact with linear interpolation: then no cycle is better than another.
    """
    A = poisson(size + 1, d=1).sparse()
    return algebraic_levels(A, [aggregates((size >> i,)) for i in range(depth - 1)]), A.toarray()


def left_over(A, f, u):
    """Part of the error's energy that a cycle from zero leaves."""
    exact = np.linalg.solve(A, f)
    return (exact - u) @ A @ (exact - u) / (exact @ A @ exact)


def test_a_k_cycle_is_a_v_cycle_on_two_levels_and_better_than_a_w_cycle_on_many():
    f = np.random.default_rng(0).standard_normal(64)
    two, _ = pairs(2)
    np.testing.assert_array_equal(k_cycle(two, start(f)).u, cycle(two, start(f)).u)
    for depth, least in ((3, 1.4), (5, 1.6)):
        levels, A = pairs(depth)
        W, K = (left_over(A, f, m(levels, start(f)).u) for m in (w_cycle, k_cycle))
        assert least * K < W


def w_cycle(levels, s):
    return cycle(levels, s, gamma=2)


def test_two_steps_a_level_are_two_nested_minimisations():
    """Three levels, with the middle one's problem solved over the span of its two directions."""
    levels, _ = pairs(3)
    f = np.random.default_rng(1).standard_normal(64)
    r = levels[0].R(f - levels[0].A(levels[0].pre[0](start(f)).u))
    middle = (aggregates((64,)).T @ poisson(65, d=1).sparse() @ aggregates((64,))).toarray()
    D, solved = [], 0 * r
    for _ in range(2):
        D.append(cycle(levels[1:], start(r - middle @ solved)).u)
        Q = np.array(D).T
        solved = Q @ np.linalg.solve(Q.T @ middle @ Q, Q.T @ r)
    u = levels[0].pre[0](start(f)).u + levels[0].P(solved)
    u = levels[0].post[0](start(f, u)).u
    np.testing.assert_allclose(k_cycle(levels, start(f)).u, u, rtol=1e-10)


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
@pytest.mark.parametrize("inner", [1, 2, 3])
def test_every_level_between_the_ends_takes_so_many_steps(depth, inner):
    """So the coarsest problem is solved ``inner`` times for each of those levels."""
    levels, _ = pairs(depth)
    solved, solve = [], levels[-1].pre[0]
    levels[-1] = replace(levels[-1], pre=[lambda s: solved.append(1) or solve(s)])
    k_cycle(levels, start(np.random.default_rng(0).standard_normal(64)), inner)
    assert len(solved) == inner ** (depth - 2)


@pytest.mark.parametrize("scale", [1e-300, 1e-170, 1e170, 1e300, 1, 1j])
def test_roots_do_not_depend_on_the_size_of_the_start_or_on_its_phase(scale):
    M, r = matrix(6)
    roots = [np.poly(harmonic_ritz(lambda u: M @ u, s * r, 4)) for s in (1.0, scale)]
    np.testing.assert_allclose(*roots, rtol=1e-8)


def test_a_start_of_whole_numbers_is_that_of_the_same_reals():
    M, r = matrix(7)
    whole = (200 * np.sign(r)).clip(0).astype(np.uint8)
    roots = [np.poly(harmonic_ritz(lambda u: M @ u, x, 3)) for x in (whole, whole * 1.0)]
    np.testing.assert_allclose(*roots, rtol=1e-12)


def test_a_complex_operator_has_its_polynomial_from_a_real_start():
    M, r = matrix(8)
    M = M + 1j * matrix(9)[0]
    roots = [np.poly(harmonic_ritz(lambda u: M @ u, x, 3)) for x in (r, r + 0j)]
    np.testing.assert_allclose(*roots, rtol=1e-9)


def test_conjugate_gradients_solve_for_both_parts_of_a_complex_right_hand_side():
    M, r = matrix(10, size=8)
    H = (M + 1j * matrix(11, size=8)[0]) / 4
    H = H @ H.conj().T + np.eye(8)
    r = r + 1j * matrix(12, size=8)[1]
    u = accelerated(lambda v: H @ v, lambda v: v, 8)(r)
    np.testing.assert_allclose(H @ u, r, atol=1e-9 * np.linalg.norm(r))


SCALES = [1e-300, 1e-170, 1.0, 1e160, 1e300]


@pytest.mark.parametrize("scale", SCALES)
def test_conjugate_gradients_solve_at_every_scale(scale):
    d = np.array([1.0, 4.0, 9.0])
    u = accelerated(lambda u: d * u, lambda r: r, 3)(scale * d)
    np.testing.assert_allclose(u / scale, 1.0, rtol=1e-12)


@pytest.mark.parametrize("scale", SCALES)
def test_a_k_cycle_solves_for_a_multiple_by_that_multiple(scale):
    (levels, A), f = pairs(4, size=16), np.linspace(1, 2, 16)
    expected = k_cycle(levels, start(f)).u
    assert 1e-3 < left_over(A, f, expected) < left_over(A, f, w_cycle(levels, start(f)).u) / 1.3
    np.testing.assert_allclose(k_cycle(levels, start(scale * f)).u / scale, expected, rtol=1e-12)


@pytest.mark.parametrize("scale", SCALES)
def test_roots_of_a_multiple_are_that_multiple(scale):
    M = np.array([[3.0, 1.0, 0.0], [-1.0, 2.0, 0.5], [0.0, 1.0, 4.0]])
    r = np.array([1.0, 2.0, -1.0])
    for degree in (1, 2, 3):
        expected = np.sort_complex(harmonic_ritz(lambda u: M @ u, r, degree))
        roots = np.sort_complex(harmonic_ritz(lambda u: scale * (M @ u), r, degree) / scale)
        np.testing.assert_allclose(roots, expected, rtol=1e-10)
    V, H = arnoldi(lambda u: scale * (M @ u), r, 2)
    np.testing.assert_allclose(M @ V[:2].T, V.T @ (H / scale), atol=1e-14)
