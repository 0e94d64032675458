"""Symbols against dense matrices of operators on small periodic grids."""

from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.linalg.fourier import (
    jacobi_symbol,
    red_black_symbol,
    two_grid_factor,
    two_grid_symbol,
)
from mgtutorial.linalg.operators import as_matrix
from mgtutorial.linalg.polynomials import double, propagation, q
from mgtutorial.linalg.problems import anisotropic_diffusion, poisson
from mgtutorial.linalg.smoothers import jacobi, red_black
from mgtutorial.linalg.solvers import linear_levels
from mgtutorial.linalg.stencils import Stencil
from mgtutorial.linalg.transfers import (
    full_weighting,
    half_weighting,
    injection,
    linear_interpolation,
)
from mgtutorial.multigrid import State, cycle
from mgtutorial.spectra import symbols
from mgtutorial.spectra._frequencies import Frequencies
from mgtutorial.spectra._squares import Squares, worthwhile
from mgtutorial.spectra.layers import of
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


CASES = {
    "jacobi": ((lambda p: jacobi(p.A.diagonal, 0.7)), (lambda A: jacobi_symbol(A, 0.7))),
    "red-black": ((lambda p: red_black(p.A)), red_black_symbol),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("d", "restriction"),
    [
        (1, full_weighting(1, "periodic")),
        (1, injection(1, "periodic")),
        (2, full_weighting(2, "periodic")),
        (2, injection(2, "periodic")),
        (2, half_weighting("periodic")),
    ],
)
def test_two_grid_symbols_hold_the_whole_spectrum_on_a_periodic_grid(name, d, restriction):
    """Every eigenvalue of the dense error propagation, except for those of frequency zero."""
    R, P, n, nu = restriction, linear_interpolation(d, "periodic"), 8, (2, 1)

    def make(m):
        return poisson(m, d, "periodic")

    smoother, symbol_of = CASES[name]
    levels = linear_levels(make, n, depth=2, smoother=smoother, nu=nu, R=R)
    A, coarse = make(n).A, make(n // 2).A
    E = as_matrix(lambda e: cycle(levels, State(e, 0 * e)).u, make(n).shape)
    M = two_grid_symbol(A, coarse, R, P, symbol_of(A), nu)
    low = 2 * np.pi * np.arange(-(n // 4), n // 4) / n
    theta = [t for t in np.stack(np.meshgrid(*[low] * d), -1).reshape(-1, d) if t.any()]
    assert len(theta) == (n // 2) ** d - 1
    blocks = [M(*t) for t in theta]
    for power in (1, 2, 3):
        # frequency zero and its harmonics: without a coarse correction, so a power of S alone
        S = symbol_of(A)
        zero = on_zero(S, d)
        expected = sum(np.trace(np.linalg.matrix_power(b, power)) for b in blocks)
        expected += np.trace(np.linalg.matrix_power(zero, power * sum(nu)))
        got = np.trace(np.linalg.matrix_power(E, power))
        np.testing.assert_allclose(got, expected, atol=1e-11)


def on_zero(S, d):
    """The smoother on the harmonics of frequency zero, where the coarse problem is singular.

    They are one coarse constant (or nothing), which the pseudoinverse maps to zero: no correction.
    """
    out = []
    for alpha in product((0, 1), repeat=d):
        value = np.asarray(S(*(np.pi * a for a in alpha)))
        if value.ndim == 0:
            out.append(np.diag([value]))
        elif alpha[0] == 0:
            out.append(value)
    size = sum(len(b) for b in out)
    matrix, at = np.zeros((size, size), complex), 0
    for b in out:
        matrix[at : at + len(b), at : at + len(b)] = b
        at += len(b)
    return matrix


def test_known_two_grid_factors():
    """Exact values in one dimension, the literature's three digits in two."""
    A, coarse = poisson(8, 1).A, poisson(4, 1).A
    line = full_weighting(1), linear_interpolation(1)
    for nu, factor in [((1, 0), 1 / 3), ((1, 1), 1 / 9)]:
        got = two_grid_factor(A, coarse, *line, jacobi_symbol(A, 2 / 3), nu, samples=512)
        assert abs(got - factor) < 1e-4
    # relaxing the points between the coarse ones last leaves an error that P represents exactly
    got = two_grid_factor(A, coarse, *line, red_black_symbol(A, "black-red"), (1, 0))
    assert got < 1e-7
    A, coarse = poisson(8).A, poisson(4).A
    square = full_weighting(), linear_interpolation()
    for nu, factor in [((1, 0), 0.250), ((1, 1), 0.074), ((2, 1), 0.053), ((2, 2), 0.041)]:
        assert abs(two_grid_factor(A, coarse, *square, red_black_symbol(A), nu) - factor) < 6e-4


def test_a_point_smoother_fails_for_strong_anisotropy():
    A, coarse = anisotropic_diffusion(8, 0.01).A, anisotropic_diffusion(4, 0.01).A
    symbol = red_black_symbol(A)
    assert two_grid_factor(A, coarse, full_weighting(), linear_interpolation(), symbol) > 0.9


def test_bad_input_is_one_sentence():
    with pytest.raises(InvalidValue, match="one odd size"):
        convolution_symbol(np.ones((1, 1, 2, 2)), (4, 4))
    with pytest.raises(InvalidValue, match="one odd size"):
        convolution_symbol(np.ones((1, 1, 3, 3)), (4,))
    M = two_grid_symbol(
        poisson(8).A, poisson(4).A, full_weighting(), linear_interpolation(), lambda *t: 1.0
    )
    with pytest.raises(InvalidValue, match="one for each axis"):
        M(0.1)


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
    A = of(kernel, **options)
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
    tensor = eigenvalues(of(torch.from_numpy(kernel), groups=groups), shape)
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
    A = of(kernel, **options)
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


# --------------------------------------------------- half the work, and how it is done


def test_a_real_kernel_takes_half_the_frequencies_and_a_complex_one_all(monkeypatch):
    counted, plain = [], symbols.symbol_blocks

    def counting(A, weights, shape, index):
        counted.append(len(index))
        return plain(A, weights, shape, index)

    monkeypatch.setattr(symbols, "symbol_blocks", counting)
    rng = np.random.default_rng(0)
    kernel = rng.standard_normal((2, 2, 3, 3))
    twice = rng.standard_normal((2, 2, 3, 3)) * 1j + kernel
    for A, shape, number in [
        (of(kernel), (8, 6), (48 + 4) // 2),  # four frequencies are their own opposites
        (of(kernel), (7, 5), (35 + 1) // 2),
        (of(kernel, stride=2), (8, 6), (12 + 2) // 2),
        (of(twice), (8, 6), 48),
    ]:
        counted.clear()
        values = singular_values(A, shape)
        assert sum(counted) == number
        every = np.linalg.svd(symbol(A, shape), compute_uv=False)
        np.testing.assert_allclose(values, every.reshape(values.shape), atol=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e150])
def test_the_fast_way_keeps_twelve_digits_of_the_greatest(scale):
    """Also for kernels of low rank, graded ones, and ones whose squares are near the ends."""
    rng = np.random.default_rng(3)
    c = 24
    full = rng.standard_normal((c, c, 2, 2))
    low = np.einsum("or,rikl->oikl", rng.standard_normal((c, 5)), rng.standard_normal((5, c, 2, 2)))
    graded = full * np.logspace(0, -14, c)[:, None, None, None]
    identity = np.eye(c)[..., None, None] * np.array([[1.0, 0], [0, 0]])
    smooth = identity * 0.25 + 0.25 * np.eye(c)[..., None, None] + 1e-5 * full  # small at pi
    cases = [full, low, graded, identity, identity + 1e-3 * full, smooth, full[:20], full[:, :20]]
    for kernel in cases:
        exact = np.linalg.svd(symbol(kernel, (10, 9)), compute_uv=False)[..., 0, :]
        A = of(scale * kernel)
        assert worthwhile(Frequencies(A, (10, 9)))
        got = singular_values(A, (10, 9)) / scale
        assert np.abs(got - exact).max() < 1e-12 * exact.max()
        slow = singular_values(A, (10, 9), fast=False) / scale
        assert np.abs(slow - exact).max() < 1e-13 * exact.max()
        assert abs(operator_norm(A, (10, 9)) / scale / exact.max() - 1) < 1e-13


@pytest.mark.parametrize("shape", [(12, 24, 2, 1), (24, 12, 2, 1), (24, 24, 1, 2)])
@pytest.mark.parametrize("stride", [1, 2, (1, 3)])
@pytest.mark.parametrize("groups", [1, 2])
def test_the_symbol_of_a_times_its_transposed(shape, stride, groups):
    """The squares without a product of matrices at each frequency, with stride and groups."""
    kernel = np.random.default_rng(8).standard_normal(shape)
    A = of(kernel, stride=stride, groups=groups, dilation=(1, 2))
    frequencies = Frequencies(A, (12, 6))
    if not worthwhile(frequencies):  # tall blocks with a stride: A^T A is no convolution
        assert shape[0] // groups > shape[1] and stride != 1
        return
    squares = Squares(frequencies)
    found = squares.scale**2 * squares(frequencies.index)
    blocks = symbol(A, (12, 6)).reshape(
        -1, groups, shape[0] // groups, A.stride[0] * A.stride[1] * shape[1]
    )
    at = np.ravel_multi_index(tuple(frequencies.index.T), frequencies.grid)
    exact = np.linalg.svd(blocks[at], compute_uv=False) ** 2
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-13 * exact.max())


def test_tensors_give_tensors_of_their_precision_with_or_without_a_graph():
    rng = np.random.default_rng(2)
    array = rng.standard_normal((6, 4, 3, 3))
    exact = singular_values(array, (6, 9))
    for dtype, eps in ((torch.float64, 1e-13), (torch.float32, 1e-5)):
        weight = torch.tensor(array, dtype=dtype, requires_grad=True)
        for kernel in (weight, weight.detach()):
            values = singular_values(kernel, (6, 9))
            assert values.dtype == dtype and values.requires_grad == kernel.requires_grad
            assert np.abs(values.detach().numpy() - exact).max() < eps * exact.max()
            norm = operator_norm(kernel, (6, 9))
            assert norm.dtype == dtype and norm.requires_grad == kernel.requires_grad
            assert abs(norm.item() - exact.max()) < eps * exact.max()
        with torch.no_grad():
            assert not singular_values(weight, (6, 9)).requires_grad
    assert symbol(weight, (6, 9)).dtype == torch.complex64


@pytest.mark.parametrize(
    ("stride", "groups", "c_out"), [(1, 1, 2), (2, 1, 3), (1, 2, 2), (2, 2, 4)]
)
def test_gradients_are_those_of_finite_differences(stride, groups, c_out):
    torch.manual_seed(1)
    weight = torch.randn(c_out, 2 // groups, 3, 2, dtype=torch.float64, requires_grad=True)
    shape = (4, 6)

    def operator(w):
        return of(w, stride=stride, groups=groups)

    check = torch.autograd.gradcheck
    assert check(lambda w: symbol(operator(w), shape), weight)
    assert check(lambda w: singular_values(operator(w), shape), weight)
    assert check(lambda w: operator_norm(operator(w), shape), weight)
    if stride == 1 and c_out == 2:
        # sums over each frequency, as the eigenvalues themselves have no order
        assert check(lambda w: eigenvalues(operator(w), shape).abs().square().sum(-1), weight)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_gives_what_the_cpu_gives_and_keeps_it():
    weight = torch.randn(6, 2, 3, 3, dtype=torch.float64)
    A = {"stride": 2, "groups": 2}
    here, there = of(weight, **A), of(weight.cuda(), **A)
    for function in (symbol, singular_values, operator_norm):
        found, exact = function(there, (6, 8)), function(here, (6, 8))
        assert found.is_cuda and (found.cpu() - exact).abs().max() < 1e-12
    square = torch.randn(4, 4, 3, 3, dtype=torch.float64)
    found, exact = eigenvalues(square.cuda(), (6, 5)), eigenvalues(square, (6, 5))
    assert found.is_cuda and matched(found.cpu().numpy().ravel(), exact.numpy().ravel()) < 1e-10


# ----------------------------------------------------------- smoothing steps, polynomials


@pytest.mark.parametrize("groups", [(1, 1), (2, 2), (2, 1)])
def test_the_smoothing_symbol_is_the_step_of_the_two_convolutions(groups):
    torch.manual_seed(2)
    shape, options = (5, 6), {"padding": 1, "padding_mode": "circular", "bias": False}
    A = torch.nn.Conv2d(4, 6, 3, groups=groups[0], **options).double()
    B = torch.nn.Conv2d(6, 4, 3, groups=groups[1], **options).double()
    with torch.no_grad():
        E = as_matrix(lambda u: u - of(B)(of(A)(u)), (4, *shape))
        step = smoothing_symbol(A, B, shape)
    assert step.shape[2] == (groups[0] if groups[0] == groups[1] else 1)
    found = np.linalg.eigvals(step.numpy()).ravel()
    assert matched(found, np.linalg.eigvals(E)) < 1e-11
    norms = np.sort(np.linalg.svd(step.numpy(), compute_uv=False).ravel())
    np.testing.assert_allclose(norms, np.sort(np.linalg.svd(E, compute_uv=False)), atol=1e-12)
    arrays = smoothing_symbol(
        of(A.weight.detach().numpy(), groups=groups[0]),
        of(B.weight.detach().numpy(), groups=groups[1]),
        shape,
    )
    np.testing.assert_allclose(arrays, step.numpy(), atol=1e-14)


@pytest.mark.parametrize("roots", [[2.0], [1.0, 3.0], [0.7, 1 + 1j, 1 - 1j], [double(1.5)]])
def test_the_propagation_symbol_is_the_polynomial_of_the_convolution(roots):
    rng = np.random.default_rng(4)
    kernel = rng.standard_normal((4, 2, 3, 3)) / 4
    A = of(kernel, groups=2, padding_mode="circular")
    E = as_matrix(propagation(A, roots), (4, 5, 4))
    step = propagation_symbol(A, roots, (5, 4))
    norms = np.sort(np.linalg.svd(step, compute_uv=False).ravel())
    np.testing.assert_allclose(norms, np.sort(np.linalg.svd(E, compute_uv=False)), atol=1e-12)
    # and its eigenvalues are q of those of A
    assert (
        matched(np.linalg.eigvals(step).ravel(), q(eigenvalues(A, (5, 4)).ravel(), roots)) < 1e-11
    )
    tensor = propagation_symbol(of(torch.from_numpy(kernel), groups=2), roots, (5, 4))
    np.testing.assert_allclose(tensor.numpy(), step, atol=1e-14)


# ------------------------------------------------------------------------------ traps


def test_the_norm_of_the_flattened_weight_is_not_the_operator_norm():
    """For 3 x 3 weights the operator norm is between it and three times it."""
    spread = np.ones((1, 1, 3, 3))  # all entries push a constant the same way: 9 against 3
    point = np.zeros((1, 1, 3, 3))
    point[0, 0, 1, 1] = 1
    rng = np.random.default_rng(0)
    for kernel, ratio in ((spread, 3.0), (point, 1.0)):
        flat = np.linalg.norm(kernel.reshape(1, -1), 2)
        assert abs(operator_norm(kernel, (8, 8)) / flat - ratio) < 1e-14
    for _ in range(20):
        kernel = rng.standard_normal((4, 4, 3, 3))
        flat = np.linalg.norm(kernel.reshape(4, -1), 2)
        norm = operator_norm(kernel, (8, 8))
        assert 1.2 * flat < norm <= 3 * flat
        strided = operator_norm(of(kernel, stride=2), (8, 8))
        assert flat * (1 - 1e-13) <= strided <= norm
        # where patches do not overlap, the two agree
        assert abs(operator_norm(of(kernel, stride=3), (9, 9)) / flat - 1) < 1e-13
        # with groups it is not even a bound: it puts side by side what never meets
        depthwise = np.abs(kernel[:, :1])
        groups = [np.linalg.norm(w) for w in depthwise]
        norm = operator_norm(of(depthwise, groups=4, stride=3), (9, 9))
        assert abs(norm - max(groups)) < 1e-13 < np.linalg.norm(depthwise.reshape(4, -1), 2) - norm


def test_periodic_bounds_zero_padding_and_the_bulk_approaches_like_one_over_n():
    """The padded operator is a part of a periodic one on a larger grid: its norm is no greater.

    Means over all singular values differ by the share of the boundary, O(1/n).
    """
    kernel = np.random.default_rng(5).standard_normal((3, 3, 3, 3))
    gaps = []
    for n in (8, 16):
        zero = np.linalg.svd(of(kernel).sparse((n, n)).toarray(), compute_uv=False)
        periodic = np.sort(singular_values(kernel, (n, n)).ravel())[::-1]
        assert zero[0] <= operator_norm(kernel, (n + 2, n + 2)) * (1 + 1e-12)
        assert abs(operator_norm(kernel, (n, n), "zeros") - zero[0]) < 1e-9 * zero[0]
        gaps.append(np.abs(zero - periodic).mean() / zero[0])
    assert 1.5 < gaps[0] / gaps[1] < 3


def test_the_smallest_singular_values_of_the_paddings_differ_by_orders_of_magnitude():
    """2 u_{j-1} + u_j / 2 enlarges every wave by 3/2 or more; a wall stops what was shifted."""
    kernel, n = np.array([[[2.0, 0.5, 0.0]]]), 40
    periodic = singular_values(kernel, (n,)).min()
    zero = np.linalg.svd(of(kernel).sparse((n,)).toarray(), compute_uv=False)[-1]
    assert periodic >= 1.5 and zero < 1e-10


def test_unknown_spectra_are_refused_in_one_sentence():
    kernel = np.ones((2, 1, 3, 3))
    with pytest.raises(InvalidValue, match="singular values"):
        eigenvalues(kernel, (8, 8))
    with pytest.raises(InvalidValue, match=r"stride \(2, 2\).*singular values"):
        eigenvalues(of(np.ones((1, 1, 3, 3)), stride=2), (8, 8))
    with pytest.raises(InvalidValue, match="singular values"):
        propagation_symbol(kernel, [1.0], (8, 8))
    with pytest.raises(InvalidValue, match="give at least"):
        singular_values(np.ones((1, 1, 5, 3)), (4, 8))
    with pytest.raises(InvalidValue, match=r"at least \(5, 5\)"):
        singular_values(of(np.ones((1, 1, 3, 3)), dilation=2), (4, 8))
    with pytest.raises(InvalidValue, match="multiples of the stride"):
        singular_values(of(kernel, stride=2), (7, 8))
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
