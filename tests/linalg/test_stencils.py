"""Stencils: matrix-free application, matrix, symbol and convolution are one operator."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.linalg.stencils import BOUNDARIES, Stencil, slice_pairs

numbers = st.floats(-4, 4).map(lambda x: round(x, 3))


@st.composite
def stencils(draw, boundary=None):
    d = draw(st.integers(1, 3))
    offsets = draw(
        st.lists(st.tuples(*[st.integers(-2, 2)] * d), min_size=1, max_size=7, unique=True)
    )
    coefficients = draw(st.lists(numbers, min_size=len(offsets), max_size=len(offsets)))
    boundary = boundary or draw(st.sampled_from(BOUNDARIES))
    return Stencil(tuple(offsets), tuple(coefficients), boundary)


@st.composite
def problems(draw):
    """A stencil, a grid (often smaller than the stencil), a batch and a seed."""
    A = draw(stencils())
    shape = draw(st.tuples(*[st.integers(1, 5)] * A.d))
    batch = draw(st.sampled_from([(), (1,), (2, 3)]))
    return A, shape, batch, draw(st.integers(0, 2**32 - 1))


def by_definition(A, u, d):
    """(A u)_j = sum_k c_k u_{j+k}, point by point: slow and independent of the slices."""
    shape = u.shape[u.ndim - d :]
    out = np.zeros_like(u)
    for j in np.ndindex(*shape):
        for offset, c in zip(A.offsets, A.coefficients, strict=True):
            k = np.add(j, offset)
            if A.boundary == "periodic":
                k %= shape
            if np.all((k >= 0) & (k < shape)):
                out[(..., *j)] += c * u[(..., *k)]
    return out


@settings(max_examples=80, deadline=None)
@given(problems(), st.sampled_from([np.float32, np.float64, np.complex128, np.longdouble]))
def test_matrix_free_equals_definition_and_matrix(problem, dtype):
    A, shape, batch, seed = problem
    u = np.random.default_rng(seed).standard_normal(batch + shape).astype(dtype)
    out = A(u)
    assert out.dtype == dtype and out.shape == u.shape
    # at most 7 terms of size 4 * |u|: a few roundings of numbers up to 100
    tolerance = 500 * np.finfo(dtype).eps
    np.testing.assert_allclose(out, by_definition(A, u, A.d), rtol=0, atol=tolerance)
    if dtype is not np.longdouble:  # sparse products are done in the standard types
        flat = (A.sparse(shape, dtype) @ u.reshape(-1, np.prod(shape)).T).T
        np.testing.assert_allclose(out, flat.reshape(u.shape), rtol=0, atol=tolerance)


@settings(max_examples=40, deadline=None)
@given(problems(), st.sampled_from([torch.float32, torch.float64]))
def test_torch_and_numpy_agree(problem, dtype):
    A, shape, batch, seed = problem
    u = torch.from_numpy(np.random.default_rng(seed).standard_normal(batch + shape)).to(dtype)
    out = A(u)
    assert out.dtype == dtype
    # the same operations in the same order: equal but for fused multiply-adds
    np.testing.assert_allclose(out.numpy(), A(u.numpy()), rtol=0, atol=100 * torch.finfo(dtype).eps)


@settings(max_examples=60, deadline=None)
@given(problems(), numbers)
def test_linearity_and_adjointness(problem, a):
    A, shape, _, seed = problem
    u, v = np.random.default_rng(seed).standard_normal((2, *shape))
    np.testing.assert_allclose(A(a * u + v), a * A(u) + A(v), rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.vdot(A(u), v), np.vdot(u, A.adjoint(v)), rtol=0, atol=1e-11)


def test_adjoint_of_complex_coefficients():
    A = Stencil(((0,), (1,)), (1j, 2.0))
    matrix = A.sparse((4,), complex).toarray()
    assert np.array_equal(A.adjoint.sparse((4,), complex).toarray(), matrix.conj().T)


@settings(max_examples=40, deadline=None)
@given(stencils(boundary="periodic"), st.integers(0, 4), st.integers(0, 4))
def test_symbol_is_the_eigenvalue_of_a_wave(A, k0, k1):
    n, k = 5, (k0, k1, 1)[: A.d]
    theta = [2 * np.pi * ki / n for ki in k]
    wave = np.exp(1j * sum(np.ix_(*[np.arange(n)] * A.d)[i] * theta[i] for i in range(A.d)))
    np.testing.assert_allclose(A(wave), A.symbol(*theta) * wave, rtol=0, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(stencils(boundary="dirichlet"), st.integers(0, 2**32 - 1))
def test_kernel_is_a_convolution_weight(A, seed):
    u = torch.from_numpy(np.random.default_rng(seed).standard_normal((2, 1, *(6, 5, 4)[: A.d])))
    kernel = A.kernel()
    convolution = (torch.conv1d, torch.conv2d, torch.conv3d)[A.d - 1]
    expected = convolution(
        u, torch.from_numpy(kernel)[None, None], padding=[size // 2 for size in kernel.shape]
    )
    np.testing.assert_allclose(A(u).numpy(), expected.numpy(), rtol=0, atol=1e-12)
    if kernel.any():
        np.testing.assert_allclose(Stencil.from_kernel(kernel)(u), expected, rtol=0, atol=1e-12)


def test_lower_part_is_the_lower_triangle():
    A = Stencil.from_kernel(np.arange(1.0, 10.0).reshape(3, 3))
    lower = A.lower.sparse((4, 5)).toarray()
    assert np.array_equal(lower, np.tril(A.sparse((4, 5)).toarray()))


def test_gradients_flow_through_the_application():
    A = Stencil.from_kernel([[0.0, 1.0, 0.0], [2.0, -4.0, 3.0], [0.0, 1.0, 0.0]])
    u = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    v = torch.randn(2, 4, 3, dtype=torch.float64)
    (A(u) * v).sum().backward()
    torch.testing.assert_close(u.grad, A.adjoint(v))


def test_numpy_scalars_do_not_widen_the_dtype():
    A = Stencil(((0,), (1,)), tuple(np.array([1.0, 2.0])))
    assert A(np.ones(3, np.float32)).dtype == np.float32
    assert hash(A) == hash(Stencil([[0], [1]], [1.0, 2.0]))


@pytest.mark.parametrize("m", range(1, 7))
@pytest.mark.parametrize("offset", range(-8, 9))
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_slice_pairs_visit_every_target_once(m, offset, boundary):
    for start in (0, 1):
        visited = {}
        for targets, sources in slice_pairs((m,), (offset,), boundary, (start,), 2):
            index = np.arange(m)
            assert index[targets].shape == index[sources].shape
            for t, s in zip(index[targets], index[sources], strict=True):
                assert t not in visited
                visited[int(t)] = int(s)
        expected = {t: t + offset for t in range(start, m, 2)}
        if boundary == "periodic":
            expected = {t: s % m for t, s in expected.items()}
        assert visited == {t: s for t, s in expected.items() if 0 <= s < m}


def test_singular_only_where_constants_are_in_the_kernel():
    weights = (-1.0, 2.0, -1.0)
    offsets = ((-1,), (0,), (1,))
    assert Stencil(offsets, weights, "periodic").singular
    assert not Stencil(offsets, weights, "dirichlet").singular
    assert not Stencil(offsets, (-1.0, 2.5, -1.0), "periodic").singular


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ((((0,), (0, 1)), (1.0, 2.0)), "offsets of one length"),
        (((), ()), "offsets of one length"),
        ((((0,), (0,)), (1.0, 2.0)), "each offset once"),
        ((((0,), (1,)), (1.0,)), "2 offsets .* 1 coefficients"),
        ((((0,),), (float("inf"),)), "not all finite"),
    ],
)
def test_bad_stencils_are_refused(arguments, sentence):
    with pytest.raises(InvalidValue, match=sentence):
        Stencil(*arguments)


def test_bad_use_is_refused():
    A = Stencil.from_kernel([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])
    with pytest.raises(UnknownName, match="did you mean 'dirichlet'"):
        Stencil(A.offsets, A.coefficients, "dirichlett")
    with pytest.raises(InvalidValue, match="the grid must be the last 2 axes"):
        A(np.ones(3))
    with pytest.raises(InvalidValue, match="give 2 positive sizes"):
        A.sparse((3,))
    with pytest.raises(InvalidValue, match="one for each axis"):
        A.symbol(0.0)
    with pytest.raises(InvalidValue, match="no middle"):
        Stencil.from_kernel([1.0, 2.0])
