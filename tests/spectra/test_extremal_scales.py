"""Norms and outermost values of operators of every size, zero among them, and of every type."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from mgtutorial.errors import InvalidValue
from mgtutorial.spectra.convolutions import Convolution
from mgtutorial.spectra.extremal import extremal_eigenvalues, extremal_singular_values
from mgtutorial.spectra.layers import as_convolution
from mgtutorial.spectra.symbols import eigenvalues, operator_norm, singular_values


def kernel(c=4):
    return np.random.default_rng(0).standard_normal((c, c, 3, 3))


@pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate"])
@pytest.mark.parametrize("side", [4, 32])  # a dense matrix, and products with a sparse one
def test_zero_has_norm_zero(mode, side):
    assert operator_norm(torch.zeros(4, 4, 3, 3), (side, side), mode) == 0
    assert operator_norm(np.zeros((4, 4, 3, 3), np.int8), (side, side), mode) == 0


@pytest.mark.parametrize("which", ["LM", "SM"])
@pytest.mark.parametrize("n", [10, 1000])
def test_zero_has_zeros_only(n, which):
    for zero in (np.zeros((n, n)), sp.csr_array((n, n))):
        assert not extremal_eigenvalues(zero, which=which, k=3).any()
        assert not extremal_singular_values(zero, which=which, k=3).any()
    zero = sp.linalg.aslinearoperator(sp.csr_array((n, n)))
    assert not extremal_eigenvalues(zero, k=3).any()
    assert not extremal_singular_values(zero, k=3).any()


@pytest.mark.parametrize("power", [-990, -400, -60, 60, 400, 660])
def test_the_norm_of_a_multiple_is_the_multiple_of_the_norm(power):
    w = kernel()
    for mode, side in (("circular", 8), ("zeros", 5), ("zeros", 20)):
        one, other = (operator_norm(v, (side, side), mode) for v in (w, np.ldexp(w, power)))
        assert np.ldexp(other, -power) == pytest.approx(one, rel=1e-9)
    for function in (eigenvalues, singular_values):
        one, other = (np.sort(abs(function(v, (6, 6)))) for v in (w, np.ldexp(w, power)))
        np.testing.assert_allclose(np.ldexp(other, -power), one, rtol=1e-9, atol=1e-12)
    row = w[:1]  # one output channel: the norms of rows
    one, other = (singular_values(v, (6, 6)) for v in (row, np.ldexp(row, power)))
    np.testing.assert_allclose(np.ldexp(other, -power), one, rtol=1e-9)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_gradients_of_norms_of_any_size(size):
    """The norm is homogeneous of degree 1: the gradient along the kernel is the norm."""
    for shape in ((4, 4, 3, 3), (1, 4, 3, 3)):
        w = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * size
        w.requires_grad_()
        norm = operator_norm(w, (6, 6))
        norm.backward()
        assert torch.isfinite(w.grad).all()
        along = float((w.grad.double() * w.detach().double()).sum())
        assert along == pytest.approx(float(norm.detach()), rel=1e-4)


@pytest.mark.parametrize(
    "kind",
    ["f2", "f4", "f8", "g", "i1", "u1", "i8", "?", "c8", "c16", "G", torch.bfloat16, torch.half,
     torch.int8, torch.bool, torch.complex64, torch.float8_e4m3fn, list],
)  # fmt: skip
def test_kernels_of_any_type(kind):
    w = (kernel(2) > 0).astype(float)
    if isinstance(kind, torch.dtype):
        given = torch.from_numpy(w).to(kind)
    else:
        given = w.tolist() if kind is list else w.astype(kind)
    assert float(operator_norm(given, (4, 4))) == pytest.approx(operator_norm(w, (4, 4)), rel=1e-6)
    assert float(operator_norm(given, (4, 4), "zeros")) == pytest.approx(
        operator_norm(w, (4, 4), "zeros"), rel=1e-6
    )


def test_complex_kernels_keep_their_imaginary_part():
    w = kernel(2) + 1j * kernel(2)[::-1]
    for given in (w, torch.from_numpy(w), torch.from_numpy(w.conj()).conj()):
        for side, mode in ((4, "zeros"), (24, "zeros"), (6, "circular")):
            found = float(operator_norm(given, (side, side), mode))
            assert found > 1.001 * float(operator_norm(w.real, (side, side), mode))


@pytest.mark.parametrize(
    "bad, said",
    [
        ("word", "kernel is of type <U4: give an array of numbers"),
        ([["a"]], "kernel is of type <U1: give an array of numbers"),
        (None, r"a kernel of shape \(\): give"),
        (torch.ones(2, 2, 3, 3, device="meta"), "device meta, which keeps no numbers"),
    ],
)
def test_what_is_no_kernel_is_one_sentence(bad, said):
    with pytest.raises(InvalidValue, match=said):
        operator_norm(bad, (4, 4))


def test_a_grid_that_no_memory_holds_is_one_sentence():
    with pytest.raises(InvalidValue, match="smaller grid"):
        singular_values(kernel(), (10**6, 10**6))
    with pytest.raises(InvalidValue, match="smaller grid"):
        operator_norm(torch.from_numpy(kernel()), (10**6, 10**6))


@pytest.mark.parametrize("sizes", [(1, 1), (1, 3), (3, 1)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("groups", [1, 2])
def test_axes_on_which_the_symbol_is_constant(sizes, stride, groups):
    w = np.random.default_rng(1).standard_normal((4, 4 // groups, *sizes))
    A = Convolution(w, stride=stride, groups=groups, padding_mode="circular")
    exact = np.linalg.svd(A.sparse((6, 4)).toarray(), compute_uv=False)
    found = np.sort(singular_values(A, (6, 4)).ravel())[::-1]
    np.testing.assert_allclose(found, exact, atol=1e-12)
    tensor = singular_values(as_convolution(A, kernel=torch.from_numpy(w)), (6, 4))
    np.testing.assert_allclose(np.sort(tensor.numpy().ravel())[::-1], exact, atol=1e-12)
    if stride == 1:
        z = eigenvalues(A, (6, 4))
        assert z.shape == (6, 4, 4)
        for power in (1, 2, 3):  # the traces of powers know the eigenvalues
            matrix = np.linalg.matrix_power(A.sparse((6, 4)).toarray(), power)
            assert (z**power).sum() == pytest.approx(np.trace(matrix), abs=1e-9)


@pytest.mark.parametrize("sizes", [(1, 1), (3, 3), (1, 3)])
@pytest.mark.parametrize("stride", [1, 2])
def test_squares_are_right_on_grids_of_few_points(sizes, stride):
    """64 channels, so that the squares are taken; 4 points and fewer, so that none is asked."""
    rng = np.random.default_rng(2)
    w = rng.standard_normal((64, 80, *sizes)) / 20
    A = Convolution(w, stride=stride, padding_mode="circular")
    plain = singular_values(A, (4, 4), fast=False)
    np.testing.assert_allclose(singular_values(A, (4, 4)), plain, atol=1e-11)
    assert operator_norm(A, (4, 4)) == pytest.approx(plain.max(), rel=1e-12)
