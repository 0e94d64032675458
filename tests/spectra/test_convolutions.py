"""Convolutions as operators: against torch's own layers, entry by entry."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial import models
from mgtutorial._torchvision import torchvision
from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.linalg.operators import as_matrix
from mgtutorial.linalg.stencils import Stencil
from mgtutorial.spectra.convolutions import PADDING_MODES, Convolution
from mgtutorial.spectra.layers import as_convolution, convolutions_in, fold_norm, input_grids

KINDS = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)


def random(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


@st.composite
def layers(draw):
    """A convolution of torch without bias, and the shape of a grid that it fits."""
    d = draw(st.integers(1, 3))
    one = st.integers(1, 3) if d < 3 else st.integers(1, 2)
    each = st.tuples(*[one] * d)
    groups = draw(st.integers(1, 3))
    options = {
        "kernel_size": draw(st.tuples(*[st.integers(1, 4 if d < 3 else 3)] * d)),
        "stride": draw(each),
        "dilation": draw(each),
        "groups": groups,
        "padding_mode": draw(st.sampled_from(PADDING_MODES)),
    }
    options["padding"] = draw(st.one_of(st.integers(0, 3), st.tuples(*[st.integers(0, 3)] * d)))
    if set(options["stride"]) == {1} and draw(st.booleans()):
        options["padding"] = "same"
    c_in, c_out = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    shape = draw(st.tuples(*[st.integers(4, 9 if d < 3 else 6)] * d))
    layer = KINDS[d - 1](c_in, c_out, bias=False, dtype=torch.float64, **options)
    return layer, shape, np.random.default_rng(draw(st.integers(0, 10**6)))


# torch says once in a process that for an even kernel "same" copies the input; that is no fault
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@settings(deadline=None, max_examples=150)
@given(layers())
def test_a_layer_of_torch_its_call_its_matrix_and_its_operator_are_one_map(case):
    """All paddings, strides, dilations, groups, one to three dimensions; and the adjoint."""
    layer, shape, rng = case
    A = as_convolution(layer)
    try:
        out = A.output_shape(shape)
    except InvalidValue:  # torch refuses such a grid as well
        with pytest.raises((RuntimeError, AssertionError, ValueError)):
            layer(random(rng, 1, A.c_in, *shape))
        return
    u, v = random(rng, 2, A.c_in, *shape), random(rng, A.c_out, *out)
    with torch.no_grad():
        y = layer(u)
    assert y.shape[2:] == out
    torch.testing.assert_close(A(u).detach(), y, rtol=0, atol=1e-13)
    np.testing.assert_allclose(
        as_convolution(A.kernel.detach().numpy(), **options_of(A))(u.numpy()), y
    )
    matrix, operator = A.sparse(shape), A.operator(shape)
    for k in range(2):
        np.testing.assert_allclose(matrix @ u[k].numpy().ravel(), y[k].ravel(), atol=1e-12)
        np.testing.assert_allclose(operator @ u[k].numpy().ravel(), y[k].ravel(), atol=1e-12)
    back = matrix.T @ v.numpy().ravel()
    np.testing.assert_allclose(operator.H @ v.numpy().ravel(), back, atol=1e-12)


def options_of(A):
    return {f: getattr(A, f) for f in ("stride", "dilation", "groups", "padding", "padding_mode")}


def test_a_kernel_of_numbers_says_which_entry_stands_where():
    A = Convolution(np.arange(1.0, 10).reshape(1, 1, 3, 3))
    matrix = A.sparse((4, 5)).toarray()
    assert set(np.unique(matrix)) == set(range(10))
    assert (np.diag(matrix) == 5).all()  # the middle entry stands on the point itself
    assert (np.diag(matrix, 1)[:4] == 6).all() and np.diag(matrix, 1)[4] == 0  # the right edge
    # as many entries as pairs of neighbours inside: 3 n - 2 along each axis
    assert np.count_nonzero(matrix) == (3 * 4 - 2) * (3 * 5 - 2)


def test_stencils_and_convolutions_of_one_channel_agree():
    kernel = np.random.default_rng(0).standard_normal((3, 5))
    for boundary, mode in (("dirichlet", "zeros"), ("periodic", "circular")):
        stencil = Stencil.from_kernel(kernel, boundary)
        A = Convolution(kernel[None, None], padding_mode=mode)
        assert abs(A.sparse((6, 7)) - stencil.sparse((6, 7))).max() < 1e-15
        np.testing.assert_allclose(as_matrix(A, (1, 6, 7)), A.sparse((6, 7)).toarray())


def test_complex_kernels_have_a_conjugate_transposed():
    rng = np.random.default_rng(1)
    kernel = rng.standard_normal((2, 1, 3)) + 1j * rng.standard_normal((2, 1, 3))
    A = Convolution(kernel, groups=2, padding_mode="reflect", padding=2)
    matrix, operator = A.sparse((5,)), A.operator((5,))
    u = rng.standard_normal(10) + 1j * rng.standard_normal(10)
    v = rng.standard_normal(matrix.shape[0]) + 1j * rng.standard_normal(matrix.shape[0])
    np.testing.assert_allclose(operator @ u, matrix @ u, atol=1e-13)
    np.testing.assert_allclose(operator.H @ v, matrix.conj().T @ v, atol=1e-13)


def test_precision_single_stays_single_half_becomes_single_and_arrays_double():
    kernel = torch.ones(1, 1, 3)
    assert as_convolution(kernel).kernel.dtype == torch.float32
    assert as_convolution(kernel.bfloat16()).kernel.dtype == torch.float32
    assert as_convolution(np.ones((1, 1, 3), np.float32)).kernel.dtype == np.float64
    assert as_convolution([[[1, 2, 3]]]).kernel.dtype == np.float64
    assert as_convolution(kernel).sparse((4,)).dtype == np.float64


def test_the_graph_of_a_weight_is_kept_and_a_networks_kernels_are_detached():
    layer = torch.nn.Conv2d(1, 2, 3, padding=1)
    as_convolution(layer)(torch.ones(1, 4, 4)).sum().backward()
    assert layer.weight.grad is not None
    assert not convolutions_in(layer)[""].kernel.requires_grad


def test_the_convolutions_of_a_resnet_of_torchvision_and_their_grids():
    net = torchvision().models.resnet18(weights=None).train()
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    found, grids = convolutions_in(net), input_grids(net, torch.zeros(2, 3, 64, 96))
    assert len(found) == 20 and set(found) == set(grids)
    assert list(found)[:2] == ["conv1", "layer1.0.conv1"]
    stem = found["conv1"]
    assert (stem.sizes, stem.stride, stem.padding) == ((7, 7), (2, 2), ((3, 3), (3, 3)))
    assert stem.output_shape(grids["conv1"]) == (32, 48)
    assert grids["layer1.0.conv1"] == (16, 24) and grids["layer4.1.conv2"] == (2, 3)
    assert net.training and net.layer1[0].bn1.training
    assert all(torch.equal(before[name], buffer) for name, buffer in net.named_buffers())


def test_the_convolutions_of_a_network_of_the_book():
    net = models.CONFIGS["mgnet-20"].build()
    layers = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [A.kernel.shape for A in convolutions_in(net).values()] == [
        m.weight.shape for m in layers
    ]


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("affine", [False, True])
def test_a_folded_norm_is_the_linear_part_of_the_two_modules(groups, before, affine):
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(4, 6, 3, padding=1, groups=groups, dtype=torch.float64)
    norm = torch.nn.BatchNorm2d(4 if before else 6, affine=affine, dtype=torch.float64)
    for p in [norm.running_mean, norm.running_var, *norm.parameters()]:
        p.data.uniform_(0.5, 2)
    both = torch.nn.Sequential(*([norm, conv] if before else [conv, norm])).eval()
    u = torch.randn(1, 4, 5, 5, dtype=torch.float64)
    with torch.no_grad():
        expected = both(u) - both(0 * u)
        A = fold_norm(conv, norm, before=before)
        torch.testing.assert_close(A(u), expected, rtol=0, atol=1e-12)
        array = fold_norm(
            as_convolution(conv.weight.detach().numpy(), groups=groups), norm, before=before
        )
        np.testing.assert_allclose(array.kernel, A.kernel, atol=1e-15)


def test_bad_input_is_one_sentence():
    nan = torch.full((1, 1, 3), torch.nan)
    with pytest.raises(InvalidValue, match="NaN or infinite"):
        as_convolution(nan)
    with pytest.raises(InvalidValue, match="NaN or infinite"):
        as_convolution(np.full((1, 1, 3, 3), np.inf))
    with pytest.raises(InvalidValue, match="c_out, c_in / groups"):
        as_convolution(np.ones((3, 3)))
    for groups in (0, 2, 1.0, True):
        with pytest.raises(InvalidValue, match="give a divisor"):
            as_convolution(np.ones((3, 1, 3)), groups=groups)
    with pytest.raises(InvalidValue, match="stride = 0"):
        as_convolution(np.ones((1, 1, 3)), stride=0)
    with pytest.raises(InvalidValue, match=r"dilation = \(1, 1\)"):
        as_convolution(np.ones((1, 1, 3)), dilation=(1, 1))
    with pytest.raises(InvalidValue, match="padding = -1"):
        as_convolution(np.ones((1, 1, 3)), padding=-1)
    with pytest.raises(InvalidValue, match="padding = "):
        as_convolution(np.ones((1, 1, 3)), padding=((1, 2, 3),))
    with pytest.raises(UnknownName, match="circular"):
        as_convolution(np.ones((1, 1, 3)), padding_mode="periodic")
    A = as_convolution(np.ones((1, 2, 3, 3)))
    with pytest.raises(InvalidValue, match="give 2 positive"):
        A.sparse((4,))
    with pytest.raises(InvalidValue, match="2 channels in 2 dimensions"):
        A(np.ones((1, 4, 4)))
    with pytest.raises(InvalidValue, match="larger grid"):
        as_convolution(np.ones((1, 1, 5)), padding="valid").sparse((4,))
    with pytest.raises(InvalidValue, match="larger grid"):
        as_convolution(np.ones((1, 1, 5)), padding_mode="reflect").sparse((2,))
    with pytest.raises(InvalidValue, match="Linear is not a convolution"):
        as_convolution(torch.nn.Linear(2, 2))
    with pytest.raises(InvalidValue, match="transposed"):
        as_convolution(torch.nn.ConvTranspose2d(2, 2, 3))
    with pytest.raises(InvalidValue, match="contains no convolution"):
        convolutions_in(torch.nn.Sequential(torch.nn.Linear(2, 2)))
    conv = torch.nn.Conv2d(2, 4, 3)
    with pytest.raises(InvalidValue, match="a norm of 2 channels"):
        fold_norm(conv, torch.nn.BatchNorm2d(2))
    with pytest.raises(InvalidValue, match="no running statistics"):
        fold_norm(conv, torch.nn.BatchNorm2d(4, track_running_stats=False))


def test_replacing_a_field_keeps_the_rest():
    A = as_convolution(np.ones((2, 1, 3)), groups=2, stride=2, padding=1)
    B = replace(A, kernel=A.kernel * 2)
    assert options_of(A) == options_of(B) and as_convolution(A) is A
    assert as_convolution(A, padding_mode="circular").padding_mode == "circular"


@pytest.mark.parametrize("turn", [1, 1j], ids=["real kernel", "complex kernel"])
def test_the_adjoint_of_the_operator_keeps_imaginary_parts(turn):
    rng = np.random.default_rng(0)
    kernel = rng.standard_normal((2, 3, 3)) + (rng.standard_normal((2, 3, 3)) * turn).imag * 1j
    A = Convolution(kernel if turn == 1j else kernel.real)
    v = rng.standard_normal(8) + 1j * rng.standard_normal(8)
    expected = A.sparse((4,)).toarray().conj().T @ v
    np.testing.assert_allclose(A.operator((4,)).rmatvec(v), expected, atol=1e-14)


def test_the_grid_of_a_layer_is_found_however_its_input_is_given():
    class Named(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.c = torch.nn.Conv2d(1, 2, 3)

        def forward(self, x):
            return self.c(input=x)

    assert input_grids(Named(), torch.zeros(1, 1, 8, 6)) == {"c": (8, 6)}
    assert input_grids(Named(), torch.zeros(1, 8, 6)) == {"c": (8, 6)}  # an image alone


def test_masked_numbers_are_not_convolved():
    A = Convolution(np.ones((1, 1, 3)))
    with pytest.raises(InvalidValue, match="1 masked entries"):
        A(np.ma.masked_equal(np.arange(4.0)[None], 2))
    np.testing.assert_array_equal(A(np.ma.array(np.ones((1, 4)))), [[2, 3, 3, 2]])
