"""Symbols against dense matrices of operators on small periodic grids."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.linalg.operators import as_matrix
from mgtutorial.linalg.polynomials import double, propagation, q
from mgtutorial.linalg.stencils import Stencil
from mgtutorial.spectra.layers import as_convolution
from mgtutorial.spectra.symbols import (
    convolution_symbol,
    eigenvalues,
    operator_norm,
    propagation_symbol,
    singular_values,
    smoothing_symbol,
    symbol,
)

EPS = np.finfo(float).eps


@settings(deadline=None, max_examples=15)
@given(
    st.integers(0, 10**6),
    st.sampled_from([(3, 3), (1, 1), (5, 3)]),
    st.sampled_from([(6, 5), (4, 4), (3, 7)]),
)
def test_the_spectrum_of_a_convolution_is_that_of_its_dense_matrix(seed, sizes, shape):
    """Eigenvalues and singular values, with torch's own periodic convolution as the operator."""
    c = 2
    kernel = torch.from_numpy(np.random.default_rng(seed).standard_normal((c, c, *sizes)))
    pads = [p for s in reversed(sizes) for p in (s // 2, s // 2)]

    def convolve(u):
        u = torch.from_numpy(np.ascontiguousarray(u))
        u = torch.nn.functional.pad(u, pads, mode="circular")
        return torch.nn.functional.conv2d(u, kernel).numpy()

    matrix = as_matrix(convolve, (c, *shape))
    symbol = convolution_symbol(kernel.numpy(), shape)
    assert symbol.shape == (*shape, c, c)
    got = np.sort(np.linalg.svd(symbol, compute_uv=False).ravel())
    np.testing.assert_allclose(got, np.sort(np.linalg.svd(matrix, compute_uv=False)), atol=1e-12)
    # eigenvalues through power sums, which need no matching of complex numbers
    values, blocks = np.linalg.eigvals(matrix), np.linalg.eigvals(symbol).ravel()
    for power in (1, 2, 3):
        np.testing.assert_allclose((blocks**power).sum(), (values**power).sum(), atol=1e-8)
    tensor = convolution_symbol(kernel, shape)
    np.testing.assert_allclose(tensor.numpy(), symbol, atol=1e-13)


def test_one_channel_gives_the_symbol_of_the_stencil():
    stencil = Stencil.from_kernel(np.random.default_rng(0).standard_normal((3, 5)), "periodic")
    n = 8
    theta = np.ix_(*[2 * np.pi * np.fft.fftfreq(n)] * 2)
    got = convolution_symbol(stencil.kernel()[None, None], (n, n))[..., 0, 0]
    np.testing.assert_allclose(got, stencil.symbol(*theta), atol=1e-13)


def test_channels_are_mapped_from_input_to_output():
    """A wave in one input channel comes out with the column of its symbol."""
    kernel = np.random.default_rng(1).standard_normal((3, 2, 3))
    n, m = 7, 2
    symbol = convolution_symbol(kernel, (n,))
    assert symbol.shape == (n, 3, 2)
    wave = np.exp(2j * np.pi * m * np.arange(n) / n)
    for i in range(2):
        for o in range(3):
            row = Stencil.from_kernel(kernel[o, i], "periodic")
            np.testing.assert_allclose(row(wave), symbol[m, o, i] * wave, atol=1e-13)


def test_bad_input_is_one_sentence():
    with pytest.raises(InvalidValue, match="one odd size"):
        convolution_symbol(np.ones((1, 1, 2, 2)), (4, 4))
    with pytest.raises(InvalidValue, match="one odd size"):
        convolution_symbol(np.ones((1, 1, 3, 3)), (4,))
    A = as_convolution(np.ones((1, 1, 3)))
    for f in (symbol, singular_values, eigenvalues, operator_norm, convolution_symbol):
        for shape in (8, None, 8.0):
            with pytest.raises(InvalidValue, match=r"such as \(16,\)"):
                f(A.kernel if f is convolution_symbol else A, shape)
    for f in (A.output_shape, A.sparse, lambda shape: operator_norm(A, shape, "zeros")):
        with pytest.raises(InvalidValue, match="give a tuple"):
            f(8)


# ------------------------------------------------------------ any stride, dilation, groups


def unfolded(kernel, shape, stride, dilation, groups, origin):
    """The dense matrix, by torch's convolution of all unit vectors on a padded periodic grid."""
    d = len(shape)
    convolve = (None, F.conv1d, F.conv2d, F.conv3d)[d]
    reach = [q * (k - 1) for q, k in zip(dilation, kernel.shape[2:], strict=True)]
    pads = [p for o, r in zip(reversed(origin), reversed(reach), strict=True) for p in (o, r - o)]
    size = kernel.shape[1] * groups * int(np.prod(shape))
    units = torch.eye(size, dtype=torch.float64).reshape(size, -1, *shape)
    for axis in range(d):  # by indexing: torch's circular padding is not to check itself
        before, after = pads[2 * (d - 1 - axis)], pads[2 * (d - 1 - axis) + 1]
        at = torch.arange(-before, shape[axis] + after) % shape[axis]
        units = units.index_select(2 + axis, at)
    y = convolve(units, torch.from_numpy(kernel), None, stride, 0, dilation, groups)
    return y.reshape(size, -1).T.numpy()


def fourier(grid):
    """The unitary matrix from a grid to its waves."""
    out = np.ones((1, 1))
    for n in grid:
        j = np.arange(n)
        out = np.kron(out, np.exp(-2j * np.pi * np.outer(j, j) / n) / np.sqrt(n))
    return out


def in_waves(matrix, A, shape, grid):
    """The matrix as a map from input waves to output waves, (waves, c_out, waves, c_in)."""
    left = np.kron(np.eye(A.c_out), fourier(grid))
    right = np.kron(np.eye(A.c_in), fourier(shape)).conj().T
    blocks = (left @ matrix @ right).reshape(A.c_out, np.prod(grid), A.c_in, np.prod(shape))
    return blocks.transpose(1, 0, 3, 2)


def check_against_dense(kernel, shape, **options):
    """The symbol is the dense matrix in Fourier's basis; so are its singular values."""
    A = as_convolution(kernel, **options)
    matrix = unfolded(kernel, shape, A.stride, A.dilation, A.groups, A.origin)
    grid = tuple(n // s for n, s in zip(shape, A.stride, strict=True))
    got, size = symbol(A, shape), np.linalg.norm(matrix, 2)
    expected = np.zeros((np.prod(grid), A.c_out, np.prod(shape), A.c_in), complex)
    rows, columns = A.c_out // A.groups, A.c_in // A.groups
    for m in np.ndindex(*grid):
        for a, alpha in enumerate(np.ndindex(*A.stride)):
            wave = [i + n * j for i, n, j in zip(m, grid, alpha, strict=True)]
            at = np.ravel_multi_index(m, grid), np.ravel_multi_index(wave, shape)
            for g in range(A.groups):
                block = got[m][g][:, a * columns : (a + 1) * columns]
                r, c = slice(g * rows, (g + 1) * rows), slice(g * columns, (g + 1) * columns)
                expected[at[0], r, at[1], c] = block
    np.testing.assert_allclose(in_waves(matrix, A, shape, grid), expected, atol=1e-12 * size)
    values = singular_values(A, shape)
    assert values.shape[:-1] == grid and (np.diff(values) <= 0).all()
    dense = np.linalg.svd(matrix, compute_uv=False)
    got = -np.sort(-values.ravel())[: len(dense)]
    np.testing.assert_allclose(got, dense[: len(got)], atol=1e-12 * size)
    assert len(got) == len(dense) or dense[len(got) :].max() < 1e-12 * size
    assert abs(operator_norm(A, shape) - dense[0]) < 1e-13 * size
    return A, matrix, size


@pytest.mark.parametrize("size", [1, 3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2, 4])
@settings(deadline=None, max_examples=4)
@given(st.integers(0, 10**6), st.sampled_from([4, 8]), st.tuples(*[st.integers(0, 2)] * 2))
def test_the_symbol_is_the_dense_operator_in_fouriers_basis(size, stride, groups, seed, c, extra):
    """Every kernel size, stride and grouping (4 groups: depthwise), on oblong grids as well."""
    kernel = np.random.default_rng(seed).standard_normal((c, 4 // groups, size, size))
    shape = tuple(stride * (-(-size // stride) + e) for e in extra)
    check_against_dense(kernel, shape, stride=stride, groups=groups, padding=size // 2)


@st.composite
def cases(draw):
    d = draw(st.integers(1, 2))
    sizes = draw(st.tuples(*[st.integers(1, 5 if d == 1 else 4)] * d))
    stride, dilation = (draw(st.tuples(*[st.integers(1, 3)] * d)) for _ in range(2))
    if d == 2:
        dilation = tuple(min(q, 2) for q in dilation)
    groups = draw(st.integers(1, 3))
    channels = groups * draw(st.integers(1, 2)), draw(st.integers(1, 2))
    least = [q * (k - 1) + 1 for q, k in zip(dilation, sizes, strict=True)]
    extra = draw(st.tuples(*[st.integers(0, 4)] * d))
    shape = tuple(s * -(-(m + e) // s) for s, m, e in zip(stride, least, extra, strict=True))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    options = {"stride": stride, "dilation": dilation, "groups": groups}
    if draw(st.booleans()):  # any padding: it says where the origin is, if it keeps the grid
        options["padding"] = draw(st.tuples(*[st.integers(0, 3)] * d))
    return rng.standard_normal((*channels, *sizes)), shape, options


@settings(deadline=None, max_examples=60)
@given(cases())
def test_the_same_for_even_sizes_dilation_other_paddings_and_channels(case):
    kernel, shape, options = case
    check_against_dense(kernel, shape, **options)


def matched(found, expected):
    """The greatest distance in the best matching of two sets of complex numbers."""
    distance = np.abs(found[:, None] - expected)
    return distance[linear_sum_assignment(distance)].max()


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 10**6),
    st.sampled_from([(1, 1), (3, 3), (5, 3), (2, 4)]),
    st.sampled_from([1, 2, 4]),
    st.sampled_from([(5, 6), (8, 4), (7, 7)]),
)
def test_eigenvalues_are_those_of_the_dense_operator(seed, sizes, groups, shape):
    kernel = np.random.default_rng(seed).standard_normal((4, 4 // groups, *sizes))
    A, matrix, size = check_against_dense(kernel, shape, groups=groups)
    values = eigenvalues(A, shape)
    assert values.shape == (*shape, 4)
    # an eigenvalue moves by its condition times a rounding, in both computations
    condition = np.linalg.cond(np.linalg.eig(symbol(A, shape))[1]).max()
    assert (
        matched(values.ravel(), np.linalg.eigvals(matrix)) < 1e-12 * max(1, condition / 10) * size
    )
    tensor = eigenvalues(as_convolution(torch.from_numpy(kernel), groups=groups), shape)
    assert tensor.dtype == torch.complex128
    np.testing.assert_array_equal(tensor.numpy(), values)


def test_a_layers_symbol_is_the_operator_that_torch_applies():
    """Conv2d with circular padding: a wave goes in, the column of the symbol comes out."""
    torch.manual_seed(0)
    shape, m = (12, 8), (1, 3)
    for stride, size, padding in [(1, 3, 1), (2, 3, 1), (2, 7, 3), (2, 4, 1), (2, 2, 0), (1, 1, 0)]:
        layer = torch.nn.Conv2d(
            4, 6, size, stride, padding, groups=2, padding_mode="circular", bias=False
        ).double()
        grid = tuple(n // stride for n in shape)
        blocks = symbol(layer, shape).detach()
        for alpha in np.ndindex(stride, stride):
            waves = [i + g * a for i, g, a in zip(m, grid, alpha, strict=True)]
            theta = 2 * np.pi * np.array(waves) / shape
            wave = np.exp(1j * np.add.outer(theta[0] * np.arange(12), theta[1] * np.arange(8)))
            v = torch.randn(4, dtype=torch.complex128)
            u = v[:, None, None] * torch.from_numpy(wave)
            with torch.no_grad():
                y = torch.complex(layer(u.real[None]), layer(u.imag[None]))[0]
            at = np.ravel_multi_index(alpha, (stride, stride))
            block = blocks[m].reshape(2, 3, stride**2, 2)[:, :, at]
            w = stride * torch.einsum("goi,gi->go", block, v.reshape(2, 2)).reshape(6)
            expected = w[:, None, None] * torch.from_numpy(wave[::stride, ::stride])
            torch.testing.assert_close(y, expected, rtol=0, atol=1e-12)


def test_even_kernels_have_their_origin_where_torchs_same_has_it():
    kernel = np.random.default_rng(0).standard_normal((1, 1, 4, 2))
    layer = torch.nn.Conv2d(1, 1, (4, 2), padding="same", padding_mode="circular", bias=False)
    layer = layer.double()
    layer.weight.data = torch.from_numpy(kernel)
    with torch.no_grad():
        matrix = as_matrix(lambda u: layer(torch.from_numpy(u)).numpy(), (1, 6, 5))
    for A in (layer, kernel):
        values = eigenvalues(A, (6, 5))
        values = values.detach().numpy() if isinstance(values, torch.Tensor) else values
        assert matched(values.ravel(), np.linalg.eigvals(matrix)) < 1e-12


@settings(deadline=None, max_examples=25)
@given(cases())
def test_parsevals_identity(case):
    """The squares of the singular values sum to the points of the output times those of w."""
    kernel, shape, options = case
    A = as_convolution(kernel, **options)
    blocks = symbol(A, shape)
    points = np.prod(blocks.shape[: A.d])
    total = np.sum(np.abs(blocks) ** 2)
    assert abs(total / (points * np.sum(kernel**2)) - 1) < 1e-14
    squares = np.sum(singular_values(A, shape, fast=False) ** 2)
    assert abs(squares / (points * np.sum(kernel**2)) - 1) < 1e-14


@pytest.mark.parametrize("shape", [(8,), (12, 10), (7, 16), (4, 6, 5)])
def test_laplacian_stencils_have_their_analytic_spectra(shape):
    """2d - 2 sum cos theta, to rounding; the eigenvalues of a real even kernel are real."""
    d = len(shape)
    kernel = np.zeros((3,) * d)
    kernel[(1,) * d] = 2 * d
    for axis in range(d):
        for side in (0, 2):
            kernel[tuple(side if i == axis else 1 for i in range(d))] = -1
    theta = np.meshgrid(*[2 * np.pi * np.fft.fftfreq(n) for n in shape], indexing="ij")
    expected = sum(4 * np.sin(t / 2) ** 2 for t in theta)
    values = eigenvalues(kernel[None, None], shape)[..., 0]
    np.testing.assert_allclose(values.real, expected, rtol=0, atol=8 * d * EPS)
    assert np.abs(values.imag).max() <= 4 * d * EPS
    found = singular_values(kernel[None, None], shape)[..., 0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=8 * d * EPS)
    top = 4 * sum(np.sin(np.pi * (n // 2) / n) ** 2 for n in shape)
    assert abs(operator_norm(kernel[None, None], shape) - top) < 8 * d * EPS


def test_a_central_difference_is_skew_and_a_laplacian_of_channels_is_the_identity_times_it():
    values = eigenvalues([[[-1.0, 0.0, 1.0]]], (9,))[:, 0]
    expected = 2j * np.sin(2 * np.pi * np.arange(9) / 9)
    np.testing.assert_allclose(values, expected, rtol=0, atol=4 * EPS)
    laplace = np.zeros((3, 3, 3))
    laplace[range(3), range(3)] = [-1, 2, -1]
    values = singular_values(laplace, (9,))
    expected = 4 * np.sin(np.pi * np.arange(9) / 9) ** 2
    # by squares, near zero only to the tolerance of `fast`: the whole block is zero there
    np.testing.assert_allclose(values, expected[:, None].repeat(3, 1), rtol=0, atol=1e-14)


# ----------------------------------------------------------- smoothing steps, polynomials


@pytest.mark.parametrize("groups", [(1, 1), (2, 2), (2, 1)])
def test_the_smoothing_symbol_is_the_step_of_the_two_convolutions(groups):
    torch.manual_seed(2)
    shape, options = (5, 6), {"padding": 1, "padding_mode": "circular", "bias": False}
    A = torch.nn.Conv2d(4, 6, 3, groups=groups[0], **options).double()
    B = torch.nn.Conv2d(6, 4, 3, groups=groups[1], **options).double()
    with torch.no_grad():
        E = as_matrix(lambda u: u - as_convolution(B)(as_convolution(A)(u)), (4, *shape))
        step = smoothing_symbol(A, B, shape)
    assert step.shape[2] == (groups[0] if groups[0] == groups[1] else 1)
    found = np.linalg.eigvals(step.numpy()).ravel()
    assert matched(found, np.linalg.eigvals(E)) < 1e-11
    norms = np.sort(np.linalg.svd(step.numpy(), compute_uv=False).ravel())
    np.testing.assert_allclose(norms, np.sort(np.linalg.svd(E, compute_uv=False)), atol=1e-12)
    arrays = smoothing_symbol(
        as_convolution(A.weight.detach().numpy(), groups=groups[0]),
        as_convolution(B.weight.detach().numpy(), groups=groups[1]),
        shape,
    )
    np.testing.assert_allclose(arrays, step.numpy(), atol=1e-14)


@pytest.mark.parametrize("roots", [[2.0], [1.0, 3.0], [0.7, 1 + 1j, 1 - 1j], [double(1.5)]])
def test_the_propagation_symbol_is_the_polynomial_of_the_convolution(roots):
    rng = np.random.default_rng(4)
    kernel = rng.standard_normal((4, 2, 3, 3)) / 4
    A = as_convolution(kernel, groups=2, padding_mode="circular")
    E = as_matrix(propagation(A, roots), (4, 5, 4))
    step = propagation_symbol(A, roots, (5, 4))
    norms = np.sort(np.linalg.svd(step, compute_uv=False).ravel())
    np.testing.assert_allclose(norms, np.sort(np.linalg.svd(E, compute_uv=False)), atol=1e-12)
    # and its eigenvalues are q of those of A
    assert (
        matched(np.linalg.eigvals(step).ravel(), q(eigenvalues(A, (5, 4)).ravel(), roots)) < 1e-11
    )
    tensor = propagation_symbol(as_convolution(torch.from_numpy(kernel), groups=2), roots, (5, 4))
    np.testing.assert_allclose(tensor.numpy(), step, atol=1e-14)


def test_unknown_spectra_are_refused_in_one_sentence():
    kernel = np.ones((2, 1, 3, 3))
    with pytest.raises(InvalidValue, match="singular values"):
        eigenvalues(kernel, (8, 8))
    with pytest.raises(InvalidValue, match=r"stride \(2, 2\).*singular values"):
        eigenvalues(as_convolution(np.ones((1, 1, 3, 3)), stride=2), (8, 8))
    with pytest.raises(InvalidValue, match="singular values"):
        propagation_symbol(kernel, [1.0], (8, 8))
    with pytest.raises(InvalidValue, match="give at least"):
        singular_values(np.ones((1, 1, 5, 3)), (4, 8))
    with pytest.raises(InvalidValue, match=r"at least \(5, 5\)"):
        singular_values(as_convolution(np.ones((1, 1, 3, 3)), dilation=2), (4, 8))
    with pytest.raises(InvalidValue, match="multiples of the stride"):
        singular_values(as_convolution(kernel, stride=2), (7, 8))
    with pytest.raises(InvalidValue, match="multiples of the stride"):
        symbol(kernel, (8,))
    with pytest.raises(InvalidValue, match="maps back"):
        smoothing_symbol(kernel, kernel, (8, 8))
    with pytest.raises(InvalidValue, match="NaN"):
        singular_values(torch.full((1, 1, 3, 3), torch.nan), (8, 8))
    with pytest.raises(InvalidValue, match="is not a convolution"):
        symbol(torch.nn.ReLU(), (8, 8))
    with pytest.raises(UnknownName, match="padding mode"):
        operator_norm(kernel, (8, 8), "periodic")
