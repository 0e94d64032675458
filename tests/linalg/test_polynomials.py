"""Polynomial smoothers: factors, coefficients and steps against dense matrices, and rounding."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dst

from mgtutorial.errors import InvalidValue
from mgtutorial.linalg.fourier import smoothing_factor
from mgtutorial.linalg.operators import as_matrix, error_propagation, spectral_radius
from mgtutorial.linalg.polynomials import (
    Factor,
    amplification,
    coefficients,
    correction,
    double,
    factors,
    horner,
    linear,
    p,
    pair,
    polynomial_symbol,
    propagation,
    q,
    steps,
)
from mgtutorial.linalg.problems import convection_diffusion, poisson
from mgtutorial.linalg.roots import chebyshev, chebyshev_maximum
from mgtutorial.multigrid import Level, State, backslash, correct, relax, start

EPS = np.finfo(float).eps


@st.composite
def root_sets(draw, largest=8):
    """Real roots of both signs and conjugate pairs, sizes from 0.5 to 4."""
    size, angle = st.floats(0.5, 4), st.floats(0.05, np.pi - 0.05)
    reals = draw(st.lists(st.tuples(size, st.sampled_from([1, -1])), max_size=largest // 2))
    pairs = draw(
        st.lists(st.tuples(size, angle), min_size=0 if reals else 1, max_size=largest // 4)
    )
    roots = [r * s for r, s in reals]
    for r, phi in pairs:
        z = r * np.exp(1j * phi)
        roots += [z, z.conjugate()]
    return draw(st.permutations(roots))


def dense_q(A, roots):
    """The product of the matrices I - A / x, complex."""
    Q = np.eye(len(A), dtype=complex)
    for x in roots:
        Q = Q @ (np.eye(len(A)) - A / x)
    return Q


def random_matrix(seed, size=6):
    """Not symmetric, of norm about 1, as an array and as an operator on (..., size)."""
    M = np.random.default_rng(seed).standard_normal((size, size)) / (2 * np.sqrt(size))
    return M, lambda u: u @ M.T


# Three ways to write a polynomial


@settings(max_examples=200, deadline=None)
@given(root_sets(), st.complex_numbers(max_magnitude=5, allow_nan=False))
def test_factors_equal_coefficients(roots, z):
    """To rounding of the coefficients' form, whose terms add up to prod (1 + |z| / |x|)."""
    scale = np.prod([1 + abs(z) / abs(x) for x in roots])
    a = coefficients(roots)
    assert len(a) == len(roots) and np.isrealobj(a)
    by_coefficients = 1 - z * np.polynomial.polynomial.polyval(z, a)
    by_product = np.prod([1 - z / x for x in roots])
    assert abs(q(z, roots) - by_coefficients) < 50 * EPS * scale
    assert abs(q(z, roots) - by_product) < 50 * EPS * scale
    assert abs(1 - z * p(z, roots) - q(z, roots)) < 100 * EPS * scale
    assert q(0.0, roots) == 1


@settings(max_examples=100, deadline=None)
@given(root_sets(), st.integers(0, 2**32 - 1))
def test_steps_multiply_error_and_residual_by_q_of_A(roots, seed):
    M, A = random_matrix(seed)
    u, f = np.random.default_rng(seed).standard_normal((2, 3, 6))  # a batch of three
    Q = dense_q(M, roots)
    assert np.abs(Q.imag).max() < 1e-12 * np.abs(Q).max()
    scale = np.prod([1 + np.linalg.norm(M, 2) / abs(x) for x in roots])
    after = relax(steps(A, roots), State(u, f))
    before, residual = f - A(u), f - A(after.u)
    np.testing.assert_allclose(residual, before @ Q.T.real, rtol=0, atol=1e-13 * scale)
    np.testing.assert_allclose(propagation(A, roots)(u), u @ Q.T.real, rtol=0, atol=1e-13 * scale)
    E = as_matrix(error_propagation(A, correction(A, roots)), (6,))
    np.testing.assert_allclose(E, Q.real, rtol=0, atol=1e-13 * scale)


@settings(max_examples=100, deadline=None)
@given(root_sets(), st.integers(0, 2**32 - 1))
def test_one_correction_equals_its_steps_and_horner(roots, seed):
    M, A = random_matrix(seed)
    u, f = np.random.default_rng(seed).standard_normal((2, 6))
    scale = np.prod([1 + np.linalg.norm(M, 2) / abs(x) for x in roots])
    one = correct(A, correction(A, roots))(State(u, f)).u
    many = relax(steps(A, roots), State(u, f)).u
    by_horner = correct(A, horner(A, coefficients(roots)))(State(u, f)).u
    np.testing.assert_allclose(one, many, rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(by_horner, many, rtol=0, atol=1e-12 * scale)
    powers = [np.linalg.matrix_power(M, i) for i in range(len(roots))]
    B = np.tensordot(coefficients(roots), powers, 1)
    matrix = as_matrix(correction(A, roots), (6,))
    np.testing.assert_allclose(matrix, B, rtol=0, atol=1e-12 * scale)


@settings(max_examples=100, deadline=None)
@given(st.floats(-3, 3), st.floats(0.1, 3), st.integers(0, 2**32 - 1))
def test_a_pair_in_real_arithmetic_equals_its_two_complex_steps(a, b, seed):
    M, A = random_matrix(seed)
    u, f = np.random.default_rng(seed).standard_normal((2, 6))
    x = complex(a, b)
    real = relax(steps(A, [x, x.conjugate()]), State(u, f)).u
    assert real.dtype == float
    each = factors([x, x.conjugate()], real=False)
    assert len(each) == 2 and all(isinstance(one, Factor) for one in each)
    twice = relax(steps(A, each), State(u.astype(complex), f)).u
    scale = (1 + np.linalg.norm(M, 2) / abs(x)) ** 2
    assert np.abs(twice.imag).max() < 1e-13 * scale  # the imaginary parts cancel
    np.testing.assert_allclose(twice.real, real, rtol=0, atol=1e-13 * scale)


def test_kinds_of_factors():
    z = np.array([0.3, -1.2, 2 + 1j])
    assert linear(4.0) == Factor(0.25, 0.0) and not linear(4.0).quadratic
    np.testing.assert_allclose(pair(1.0, 2.0).q(z), (1 - z / (1 + 2j)) * (1 - z / (1 - 2j)))
    np.testing.assert_allclose(pair(3.0, 0.0).q(z), (1 - z / 3) ** 2)
    np.testing.assert_allclose(double(2.0).q(z), (1 - z / 2) * (1 + z / 2))
    np.testing.assert_allclose(double(2.0).p(z), z / 4)  # as Poly-MgNet writes it
    _, A = random_matrix(0)
    u, f = np.random.default_rng(1).standard_normal((2, 6))
    by_double = relax(steps(A, [double(2.0)]), State(u, f)).u
    np.testing.assert_allclose(by_double, u + A(f - A(u)) / 4, rtol=1e-14)
    np.testing.assert_allclose(by_double, relax(steps(A, [2.0, -2.0]), State(u, f)).u, atol=1e-14)
    # factors are used as they are, in their order
    given = (linear(1.0), double(2.0), pair(1.0, 2.0))
    assert factors(given) == given
    assert [one.s for one in factors([1.0, 2.0, 8.0], order="given")] == [1, 1 / 2, 1 / 8]
    assert [one.s for one in factors([1.0, 2.0, 8.0])] == [1 / 8, 1, 1 / 2]


def test_a_root_on_each_eigenvalue_solves_the_system():
    """Cayley and Hamilton; the matrix is normal, so that the eigenvalues are the whole truth."""
    problem = convection_diffusion(6, [9.0], scheme="central", boundary="periodic")
    A, theta = problem.A, 2 * np.pi * np.fft.fftfreq(6)
    eigenvalues = A.symbol(theta)
    f = A(np.random.default_rng(0).standard_normal(6))  # without a mean
    roots = [x for x in eigenvalues if abs(x) > 1e-9]
    u = relax(steps(A, roots), start(f)).u
    assert np.abs(f - A(u)).max() < 1e-12 * np.abs(f).max()


def test_A_is_applied_once_a_root():
    calls = []

    def A(u):
        calls.append(1)
        return 2 * u

    def count(f):
        calls.clear()
        f()
        return len(calls)

    roots, f = [1.0, 3.0, 2 + 1j, 2 - 1j], np.ones(2)
    assert count(lambda: relax(steps(A, roots), State(f, f))) == 4
    assert count(lambda: relax(steps(A, roots), start(f))) == 3  # the residual is known
    assert count(lambda: correction(A, roots)(f)) == 3  # p has degree 3
    assert count(lambda: horner(A, coefficients(roots))(f)) == 3
    assert count(lambda: propagation(A, roots)(f)) == 4


# Rounding: where coefficients fail and ordered factors hold


def measured_and_predicted(n, degree, make):
    """Relative error of an iteration on Poisson's equation in 1D against exact arithmetic.

    With sines as eigenvectors the exact result is q times each coefficient.
    """
    problem = poisson(n, d=1)
    A, spectrum = problem.A, problem.A.symbol(*problem.frequencies()).real
    roots = chebyshev(spectrum[0], spectrum[-1], degree)
    u = np.random.default_rng(0).standard_normal(problem.shape)
    f = A(u)
    exact = dst(q(spectrum, roots) * dst(u, type=1, norm="ortho"), type=1, norm="ortho")
    result, predicted = make(A, f, roots, spectrum)
    return np.abs(u - result - exact).max() / np.abs(u).max(), predicted


def by_factors(order):
    def make(A, f, roots, spectrum):
        made = factors(roots, order=order)
        return relax(steps(A, made), start(f)).u, amplification(spectrum, made)

    return make


def by_coefficients(A, f, roots, spectrum):
    """In a unit in which the greatest eigenvalue is 1, so that nothing overflows."""
    top = spectrum[-1]
    a = coefficients(roots / top)
    u = horner(lambda v: A(v) / top, a)(f / top)
    return u, np.prod(1 + top / roots)


@pytest.mark.parametrize("n", [16, 64, 256])
@pytest.mark.parametrize("degree", [5, 10, 20, 40, 60])
def test_leja_ordered_factors_hold(n, degree):
    error, predicted = measured_and_predicted(n, degree, by_factors("leja"))
    assert predicted < 1e4
    assert error < 10 * EPS * predicted
    assert error < 1e-13


@pytest.mark.parametrize("n", [16, 64, 256])
def test_coefficients_and_ascending_factors_fail(n):
    for make, tolerance in ((by_coefficients, 1e-3), (by_factors("given"), 1e-6)):
        error, predicted = measured_and_predicted(n, 8, make)
        assert error < 1e-10  # a low degree is fine
        error, predicted = measured_and_predicted(n, 60, make)
        assert 1 < error < EPS * predicted * 10  # no digit is right
        assert error > tolerance * EPS**1.2 * predicted**0.8  # and the prediction means it


def test_amplification_of_a_descending_order_comes_from_what_follows():
    z = np.linspace(0.01, 1, 500)
    roots = chebyshev(0.01, 1, 30)
    ascending, descending = (factors(x, order="given") for x in (roots, roots[::-1]))
    heads = [np.abs(q(z, descending[: k + 1])).max() for k in range(30)]
    assert max(heads) <= 1  # the iterates never grow
    assert amplification(z, descending) > 1e11 and amplification(z, ascending) > 1e11
    assert amplification(z, roots) < 1e3
    assert amplification(z, [linear(0.5)]) == pytest.approx(1)


# Arrays, operators, symbols


def test_scipy_matrices_and_tensors_give_the_same_numbers():
    problem = convection_diffusion(8, [60.0, 5.0], scheme="central")
    A, matrix = problem.A, problem.sparse()
    top = A.diagonal
    roots = [top * x for x in (0.7, 1.6, 1 + 0.8j, 1 - 0.8j)]
    f = np.random.default_rng(0).standard_normal(problem.shape)
    u = relax(steps(A, roots), start(f)).u
    by_matrix = relax(steps(lambda v: matrix @ v, roots), start(f.ravel())).u
    np.testing.assert_allclose(by_matrix.reshape(problem.shape), u, rtol=0, atol=1e-15)
    tensor = relax(steps(A, roots), start(torch.from_numpy(f))).u
    np.testing.assert_allclose(tensor.numpy(), u, rtol=0, atol=1e-15)
    for single in (torch.from_numpy(f).float(), f.astype(np.float32)):
        for B in (correction(A, roots), horner(A, coefficients(roots))):
            assert B(single).dtype == single.dtype
            np.testing.assert_allclose(B(single), u, rtol=0, atol=1e-5 * np.abs(u).max())
    z = torch.tensor([0.5, 1.5], dtype=torch.float64)
    np.testing.assert_allclose(q(z, [1.0, 2.0]).numpy(), q(z.numpy(), [1.0, 2.0]))


def test_roots_can_be_trained():
    """The gradient with respect to roots that are tensors, against central differences."""
    problem = convection_diffusion(6, [60.0], scheme="central")
    f = torch.from_numpy(np.random.default_rng(0).standard_normal(problem.shape))
    top = problem.A.diagonal

    def loss(values):
        x, a, b, y = values
        made = [linear(x), pair(a, b), double(y)]
        s = relax(steps(lambda u: problem.A(u) / top, made), start(f))
        return ((f - problem.A(s.u) / top) ** 2).sum()

    values = torch.tensor([0.8, 1.1, 0.6, 2.0], dtype=torch.float64, requires_grad=True)
    loss(values).backward()
    for i, d in enumerate(1e-5 * torch.eye(4, dtype=torch.float64)):
        difference = (loss(values + d) - loss(values - d)).item() / 2e-5
        assert values.grad[i].item() == pytest.approx(difference, rel=1e-7)


def test_every_wave_is_multiplied_by_the_symbol():
    problem = convection_diffusion(12, [30.0, 5.0], scheme="central", boundary="periodic")
    A, shape = problem.A, problem.shape
    roots = [A.diagonal * x for x in (0.7, 1 + 0.8j, 1 - 0.8j)]
    waves = np.stack([problem.mode(*k) for k in np.ndindex(*shape)])
    theta = [2 * np.pi * np.array([k[i] for k in np.ndindex(*shape)]) / 12 for i in (0, 1)]
    expected = polynomial_symbol(A, roots)(*theta)[:, None, None] * waves
    np.testing.assert_allclose(propagation(A, roots)(waves), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("d, kappa", [(1, 2), (2, 4)])
@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_chebyshev_smoothing_factors(d, kappa, degree):
    """High frequencies of Poisson's equation fill [top / kappa, top]; in 2D 2 / (3^n + 3^-n)."""
    A = poisson(8, d).A
    top = 2 * A.diagonal
    roots = chebyshev(top / kappa, top, degree)
    mu = smoothing_factor(polynomial_symbol(A, roots), d)
    assert mu == pytest.approx(chebyshev_maximum(1, kappa, degree), abs=1e-9)
    if d == 2:
        assert mu == pytest.approx(2 / (3**degree + 3**-degree), abs=1e-9)


def test_eigenvalues_mislead_where_the_matrix_is_not_normal():
    """Upwind convection: one eigenvalue, a root on it, and an error that hardly shrinks."""
    n = 40
    A = convection_diffusion(n, [1.0], epsilon=1e-9).A
    x = A.diagonal
    E = as_matrix(propagation(A, [x]), (n - 1,))
    assert spectral_radius(E) < 0.01
    assert np.linalg.norm(np.linalg.matrix_power(E, n - 2), 2) > 0.99
    theta = np.linspace(-np.pi, np.pi, 101)
    assert np.abs(polynomial_symbol(A, [x])(theta)).min() > 0.99  # the symbol knows


def test_steps_are_the_smoother_of_a_level():
    problem = poisson(8)
    top = 2 * problem.A.diagonal
    roots = chebyshev(top / 4, top, 3)
    f = np.random.default_rng(0).standard_normal(problem.shape)
    level = Level(problem.A, pre=steps(problem.A, roots))
    by_level = backslash([level], start(f)).u
    np.testing.assert_allclose(by_level, correction(problem.A, roots)(f), rtol=0, atol=1e-16)


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: linear(0.0), "a root at 0.0"),
        (lambda: linear(float("nan")), "a root at nan"),
        (lambda: linear(float("inf")), "a root at inf"),
        (lambda: linear(torch.tensor(0.0)), "give a finite one"),
        (lambda: pair(0.0, 0.0), "a root at"),
        (lambda: double(0.0), "a root at 0.0"),
        (lambda: linear(1e-320), "a root at 1e-320: .* in the range"),
        (lambda: pair(1e-170, 1e-170), r"a root at 1e-170 \+- 1e-170i: .* in the range"),
        (lambda: pair(1e170, 1e170), "in the range"),
        (lambda: pair(torch.tensor(1e30), torch.tensor(0.0)), "in the range"),
        (lambda: double(1e-170), "a root at 1e-170: .* in the range"),
        (lambda: double(1e170), "in the range"),
        (lambda: factors([]), "there is no root"),
        (lambda: factors([0.0, 1.0]), "a root is zero"),
        (lambda: factors([1 + 1j]), "has no conjugate"),
        (lambda: factors([1.0], order="sorted"), "order = 'sorted'"),
        (lambda: steps(lambda u: u, [np.nan]), "not a finite number"),
        (lambda: correction(lambda u: u, [2j, 1.0]), "has no conjugate"),
        (lambda: coefficients([]), "there is no root"),
    ],
)
def test_bad_input_is_one_sentence(make, sentence):
    with pytest.raises(InvalidValue, match=sentence) as error:
        make()
    assert "\n" not in str(error.value) and str(error.value).endswith(".")
