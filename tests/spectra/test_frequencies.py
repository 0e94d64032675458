"""How symbols are computed: half the frequencies, a fast way, tensors, gradients, a GPU."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import threadpoolctl
import torch

from mgtutorial.spectra import symbols
from mgtutorial.spectra._frequencies import Frequencies
from mgtutorial.spectra._squares import Squares, _pairs, worthwhile
from mgtutorial.spectra.layers import as_convolution
from mgtutorial.spectra.symbols import eigenvalues, operator_norm, singular_values, symbol

from .test_symbols import matched


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
        (as_convolution(kernel), (8, 6), (48 + 4) // 2),  # four frequencies are their own opposites
        (as_convolution(kernel), (7, 5), (35 + 1) // 2),
        (as_convolution(kernel, stride=2), (8, 6), (12 + 2) // 2),
        (as_convolution(twice), (8, 6), 48),
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
        A = as_convolution(scale * kernel)
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
    A = as_convolution(kernel, stride=stride, groups=groups, dilation=(1, 2))
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


@pytest.mark.parametrize("shape", [(24, 24, 3, 3), (30, 20, 3, 1), (20, 30, 3, 3)])
@pytest.mark.parametrize("grid", [(4, 4), (8, 6), (9, 7)])
@pytest.mark.parametrize("stride", [1, (2, 1)])
def test_squares_are_products_on_few_points_and_differences_on_many(shape, grid, stride):
    """Both are the squares of the singular values, at real frequencies and at others."""
    kernel = np.random.default_rng(9).standard_normal(shape)
    A = as_convolution(kernel, stride=stride, padding=1 if stride != 1 else "same")
    grid = tuple(-(-n // s) * s for n, s in zip(grid, A.stride, strict=True))
    frequencies = Frequencies(A, grid)
    exact = np.linalg.svd(symbol(A, grid), compute_uv=False) ** 2
    exact = exact.reshape(-1, 1, exact.shape[-1])
    at = np.ravel_multi_index(tuple(frequencies.index.T), frequencies.grid)
    squares, tried = Squares(frequencies), set()
    for sums in (None, squares._sums(_pairs(squares.A))):
        if sums is not None and stride != 1 and shape[0] > shape[1] * 2:
            continue  # A^T A is no convolution
        squares.sums = sums
        tried.add(sums is None)
        found = squares.scale**2 * squares(frequencies.index)
        np.testing.assert_allclose(found, exact[at], rtol=0, atol=1e-13 * exact.max())
    assert tried == {True, False}
    few = Squares(Frequencies(A, tuple(4 * s for s in A.stride))).sums is None
    many = Squares(Frequencies(A, tuple(40 * s for s in A.stride))).sums is None
    assert not many and (few or stride != 1 or shape[2:] != (3, 3))


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("kind", ["array", "tensor", "graph"])
@pytest.mark.parametrize(
    ("sizes", "stride", "padding"),
    [((1, 1), 2, 0), ((1, 1), (1, 3), 0), ((3, 1), (1, 2), (1, 0)), ((1, 2), (3, 2), 0),
     ((1,), 4, 0), ((1, 1, 3), (2, 2, 3), (0, 0, 1))],
)  # fmt: skip
def test_strides_over_single_entries_only_add_zeros(sizes, stride, padding, groups, kind):
    """Against the matrix of the operator, wide and tall: as many values, and the same ones."""
    for c_out, c_in in ((6, 9), (9, 6), (3, 12), (12, 3)):
        kernel = np.random.default_rng(4).standard_normal((c_out, c_in // groups, *sizes))
        steps = stride if isinstance(stride, tuple) else (stride,) * len(sizes)
        shape = tuple(s * (3 if k > 1 else 2) for s, k in zip(steps, sizes, strict=True))
        options = {"stride": stride, "groups": groups, "padding": padding}
        A = as_convolution(kernel, padding_mode="circular", **options)
        exact = np.sort(np.linalg.svd(A.sparse(shape).toarray(), compute_uv=False))
        if kind != "array":
            weight = torch.tensor(kernel, requires_grad=kind == "graph")
            A = as_convolution(weight, **options)
        values = singular_values(A, shape)
        assert values.shape[-1] == groups * min(c_out, c_in * int(np.prod(steps))) // groups
        if kind == "graph":
            values.square().sum().backward()
            points = int(np.prod(shape)) // int(np.prod(steps))
            assert torch.allclose(weight.grad, 2 * points * weight)  # of the Frobenius norm
            values = values.detach()
        found = np.sort(np.asarray(values), axis=None)
        assert np.all(np.diff(np.asarray(values)) <= 0)
        np.testing.assert_allclose(found[-len(exact) :], exact[-len(found) :], atol=1e-13 * 20)
        norm = operator_norm(A, shape)
        assert abs(float(norm.detach() if kind == "graph" else norm) - exact[-1]) < 1e-13 * 20


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
        return as_convolution(w, stride=stride, groups=groups)

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
    here, there = as_convolution(weight, **A), as_convolution(weight.cuda(), **A)
    for function in (symbol, singular_values, operator_norm):
        found, exact = function(there, (6, 8)), function(here, (6, 8))
        assert found.is_cuda and (found.cpu() - exact).abs().max() < 1e-12
    square = torch.randn(4, 4, 3, 3, dtype=torch.float64)
    found, exact = eigenvalues(square.cuda(), (6, 5)), eigenvalues(square, (6, 5))
    assert found.is_cuda and matched(found.cpu().numpy().ravel(), exact.numpy().ravel()) < 1e-10


@pytest.mark.parametrize("leaves_first", [0, 1])
def test_lapack_has_its_threads_back_after_calls_that_overlap(leaves_first):
    def threads():
        libraries = threadpoolctl.threadpool_info()
        return [found["num_threads"] for found in libraries if found["user_api"] == "blas"]

    frequencies = Frequencies(as_convolution(np.ones((1, 1, 3))), (4,))
    entered, leave = ([threading.Event() for _ in range(2)] for _ in range(2))
    before, inside = threads(), []

    def call(i):
        def function(index):
            inside.append(threads())
            entered[i].set()
            assert leave[i].wait(5)
            return index

        return frequencies.each(function)

    with ThreadPoolExecutor(2) as pool:
        calls = []
        for i in range(2):
            calls.append(pool.submit(call, i))
            assert entered[i].wait(5)
        for i in (leaves_first, 1 - leaves_first):
            leave[i].set()
            calls[i].result()
        assert threads() == before
        with threadpoolctl.threadpool_limits(limits=1, user_api="blas"):  # and others may set it
            assert set(threads()) == {1}
    assert set(inside[0]) == set(inside[1]) == {1}
