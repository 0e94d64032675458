"""Transfers against dense matrices, polynomials and Fourier modes that know nothing of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.linalg.coarsening import galerkin
from mgtutorial.linalg.operators import as_matrix
from mgtutorial.linalg.problems import anisotropic_diffusion, convection_diffusion, poisson
from mgtutorial.linalg.stencils import Stencil
from mgtutorial.linalg.transfers import (
    coarse_shape,
    cubic_interpolation,
    fine_shape,
    full_weighting,
    half_weighting,
    injection,
    linear_interpolation,
)

GRIDS = [("dirichlet", (7,)), ("dirichlet", (7, 11)), ("periodic", (8,)), ("periodic", (4, 10))]
GRIDS += [("dirichlet", (3, 5, 7)), ("periodic", (2, 2)), ("dirichlet", (3, 3))]


def restrictions(boundary, shape):
    d = len(shape)
    return [full_weighting(d, boundary), injection(d, boundary)] + (
        [half_weighting(boundary)] if d == 2 else []
    )


@pytest.mark.parametrize(("boundary", "shape"), GRIDS)
def test_a_restriction_is_its_definition_point_by_point(boundary, shape):
    rng = np.random.default_rng(0)
    r = rng.standard_normal((2, *shape))
    for R in restrictions(boundary, shape):
        got = R(r)
        assert got.shape == (2, *coarse_shape(shape, boundary))
        for J in np.ndindex(*got.shape[1:]):
            expected = 0.0
            for k, w in zip(R.stencil.offsets, R.stencil.coefficients, strict=True):
                j = [2 * i + o + (boundary == "dirichlet") for i, o in zip(J, k, strict=True)]
                if boundary == "periodic":
                    j = [i % m for i, m in zip(j, shape, strict=True)]
                expected = expected + w * r[(slice(None), *j)]
            np.testing.assert_allclose(got[(slice(None), *J)], expected, atol=1e-15)


@pytest.mark.parametrize(("boundary", "shape"), GRIDS)
def test_matrices_and_functions_agree_and_interpolation_is_the_scaled_transpose(boundary, shape):
    small, d = coarse_shape(shape, boundary), len(shape)
    for R in restrictions(boundary, shape):
        batch = np.eye(np.prod(shape)).reshape(-1, *shape)
        dense = R(batch).reshape(len(batch), -1).T
        np.testing.assert_array_equal(dense, R.sparse(shape).toarray())
        P = R.adjoint(3.0)
        batch = np.eye(np.prod(small)).reshape(-1, *small)
        np.testing.assert_allclose(P(batch).reshape(len(batch), -1).T, 3 * dense.T, atol=1e-15)
        np.testing.assert_allclose(P.sparse(shape).toarray(), 3 * dense.T, atol=1e-15)
    P, R = linear_interpolation(d, boundary), full_weighting(d, boundary)
    assert P.adjoint(0.5**d) == R
    assert fine_shape(small, boundary) == shape


@pytest.mark.parametrize("d", [1, 2])
def test_bilinear_interpolation_is_exact_for_products_of_linear_functions(d):
    n = 16
    x = np.arange(1, n) / n
    f = x if d == 1 else np.multiply.outer(1 + x, 2 - 3 * x)
    inside = (slice(1, -1),) * d  # next to the boundary it continues by zero
    got = linear_interpolation(d)(f[(slice(1, None, 2),) * d])
    np.testing.assert_allclose(got[inside], f[inside], atol=1e-15)


@pytest.mark.parametrize("n", [4, 8, 16])
@pytest.mark.parametrize("d", [1, 2])
def test_cubic_interpolation_is_exact_for_cubics_that_vanish_on_the_boundary(n, d):
    x = np.arange(1, n) / n
    line = x * (1 - x) * (1 if n == 4 else 0.3 + x)  # with one coarse point: a parabola
    f = line if d == 1 else np.multiply.outer(line, 2 * line)
    got = cubic_interpolation(d)(f[(slice(1, None, 2),) * d])
    np.testing.assert_allclose(got, f, atol=1e-15)


def test_periodic_cubic_interpolation_has_order_four():
    errors = []
    for n in (32, 64, 128):
        x = np.arange(n) / n
        f = np.multiply.outer(np.sin(2 * np.pi * x), np.cos(2 * np.pi * x))
        errors.append(np.abs(cubic_interpolation(2, "periodic")(f[::2, ::2]) - f).max())
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert np.all(np.abs(orders - 4) < 0.1)


@pytest.mark.parametrize("d", [1, 2])
def test_symbols_predict_what_happens_to_a_wave(d):
    """A restriction aliases a wave to frequency 2 theta; an interpolation makes all harmonics."""
    n, k = 12, (5, 2)[:d]
    theta = [2 * np.pi * i / n for i in k]
    index, coarse = np.ix_(*[np.arange(n)] * d), np.ix_(*[np.arange(n // 2)] * d)
    wave = np.exp(1j * sum(t * i for t, i in zip(theta, index, strict=True)))
    doubled = np.exp(2j * sum(t * i for t, i in zip(theta, coarse, strict=True)))
    for R in restrictions("periodic", (n,) * d):
        np.testing.assert_allclose(R(wave), R.symbol(*theta) * doubled, atol=1e-13)
    P, expected = linear_interpolation(d, "periodic"), 0
    for alpha in np.ndindex(*(2,) * d):
        shifted = [t + np.pi * a for t, a in zip(theta, alpha, strict=True)]
        harmonic = np.exp(1j * sum(t * i for t, i in zip(shifted, index, strict=True)))
        expected = expected + np.conj(P.symbol(*shifted)) / 2**d * harmonic
    np.testing.assert_allclose(P(doubled), expected, atol=1e-13)


def dense_galerkin(R, A, P, shape):
    """R A P by dense matrices."""
    return R.sparse(shape).toarray() @ as_matrix(A, shape) @ P.sparse(shape).toarray()


@pytest.mark.parametrize("boundary", ["dirichlet", "periodic"])
@pytest.mark.parametrize(
    "make",
    [
        lambda n, b: poisson(n, 1, b),
        lambda n, b: poisson(n, 2, b),
        lambda n, b: anisotropic_diffusion(n, 0.01, angle=0.4, boundary=b),
        lambda n, b: convection_diffusion(n, (3.0, -20.0), boundary=b),
    ],
)
def test_the_galerkin_stencil_is_the_dense_product(make, boundary):
    problem = make(12, boundary)
    A, d, shape = problem.A, problem.A.d, problem.shape
    P = linear_interpolation(d, boundary)
    for R in restrictions(boundary, shape):
        stencil = galerkin(R, A, P)
        expected = dense_galerkin(R, A, P, shape)
        size = np.abs(expected).max()
        got = as_matrix(stencil, coarse_shape(shape, boundary))
        np.testing.assert_allclose(got, expected, atol=1e-14 * size)
        matrices = galerkin(R.sparse(shape), A.sparse(shape), P.sparse(shape))
        np.testing.assert_allclose(matrices.toarray(), expected, atol=1e-14 * size)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from(["dirichlet", "periodic"]))
def test_the_galerkin_stencil_of_random_stencils_is_the_dense_product(seed, boundary):
    rng = np.random.default_rng(seed)
    A = Stencil.from_kernel(rng.standard_normal((5, 3)), boundary)
    shape = (11, 15) if boundary == "dirichlet" else (12, 16)
    R, P = full_weighting(2, boundary), linear_interpolation(2, boundary)
    got = as_matrix(galerkin(R, A, P), coarse_shape(shape, boundary))
    np.testing.assert_allclose(got, dense_galerkin(R, A, P, shape), atol=1e-13)


def test_in_one_dimension_galerkin_and_rediscretisation_are_the_same():
    got = galerkin(full_weighting(1), poisson(64, 1).A, linear_interpolation(1))
    assert got == poisson(32, 1).A


def test_torch_gives_the_same_and_keeps_type_and_gradient():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(1).standard_normal((2, 3, 7, 7))
    for T in (full_weighting(), linear_interpolation(), cubic_interpolation()):
        tensor = torch.from_numpy(x).requires_grad_()
        np.testing.assert_allclose(T(tensor).detach().numpy(), T(x), atol=1e-15)
        T(tensor).sum().backward()
        assert tensor.grad.shape == tensor.shape
        assert T(torch.ones(3, 3, dtype=torch.float32)).dtype == torch.float32
        assert T(np.ones((3, 3), np.float32)).dtype == np.float32
        assert T(np.ones((3, 3), int)).dtype == np.float64
    periodic = cubic_interpolation(2, "periodic")
    x = x[..., :6, :6]
    np.testing.assert_allclose(periodic(torch.from_numpy(x)).numpy(), periodic(x), atol=1e-15)


@pytest.mark.parametrize(
    ("shape", "boundary"), [((8,), "dirichlet"), ((7,), "periodic"), ((1, 7), "dirichlet")]
)
def test_a_grid_that_does_not_coarsen_is_one_sentence(shape, boundary):
    with pytest.raises(InvalidValue, match="does not coarsen"):
        full_weighting(len(shape), boundary)(np.ones(shape))
    with pytest.raises(InvalidValue, match="does not coarsen"):
        full_weighting(len(shape), boundary).sparse(shape)


def test_other_bad_input_is_one_sentence():
    with pytest.raises(InvalidValue, match="last 2 axes"):
        full_weighting()(np.ones(7))
    with pytest.raises(InvalidValue, match="d = 4"):
        injection(d=4)
    with pytest.raises(UnknownName, match="boundary"):
        cubic_interpolation(boundary="open")
    wide = full_weighting(1).adjoint()
    wide = type(wide)(Stencil.from_kernel(np.ones(5)))
    with pytest.raises(InvalidValue, match="multiply the matrices"):
        galerkin(full_weighting(1), poisson(8, 1).A, wide)
