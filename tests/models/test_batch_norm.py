"""The batch norm of the networks is torch's, with statistics that are exact channels last."""

import pickle

import pytest
import torch
import torch.autograd.forward_ad as fwd
from torch import nn

from mgtutorial.models import blocks
from mgtutorial.models.blocks import BatchNorm2d, _Normalise, statistics

SHAPES = pytest.mark.parametrize(
    "shape", [(128, 16, 28, 28), (64, 64, 16, 16), (37, 3, 5, 7), (1, 8, 9, 9), (64, 12, 2, 1)]
)


def features(*shape, seed=0, dtype=torch.float32):
    """Channels last, with means that differ and are not small."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    means = torch.linspace(-3, 5, shape[1], dtype=dtype)[:, None, None]
    return (x + means).to(memory_format=torch.channels_last)


def pair(c, **options):
    """Ours, and torch's in double precision, with the same weights."""
    ours, exact = BatchNorm2d(c, **options), nn.BatchNorm2d(c, **options)
    nn.init.uniform_(ours.weight, 0.5, 1.5)
    nn.init.uniform_(ours.bias, -0.5, 0.5)
    exact.load_state_dict(ours.state_dict())
    return ours, exact.double()


@SHAPES
def test_statistics_are_exact_to_some_roundings(shape):
    x = features(*shape)
    variance, mean = torch.var_mean(x.double(), (0, 2, 3), correction=0)
    ours = statistics(x)
    assert (ours[0] - mean).abs().max() <= 5e-7 * mean.abs().max()
    assert ((ours[1] - variance) / variance).abs().max() <= 5e-7


@SHAPES
@pytest.mark.parametrize("momentum", [0.1, 0.37, None])
def test_values_gradients_and_running_statistics_are_those_of_torch_in_double_precision(
    shape, momentum
):
    ours, exact = pair(shape[1], momentum=momentum)
    for seed in range(3):
        x = features(*shape, seed=seed).requires_grad_()
        y, z = ours(x), exact(x.double())
        assert (y - z).abs().max() <= 2e-6 * z.abs().max()
        weights = torch.randn_like(x.detach())  # a gradient without a mean
        got = torch.autograd.grad((y * weights).sum(), [x, *ours.parameters()])
        want = torch.autograd.grad((z * weights).sum(), [x, *exact.parameters()])
        # The sums of the backward pass are torch's.
        for a, b, tolerance in zip(got, want, (5e-6, 5e-5, 5e-5), strict=True):
            assert (a - b).abs().max() <= tolerance * b.abs().max()
    assert ours.num_batches_tracked == exact.num_batches_tracked == 3
    for name in ("running_mean", "running_var"):
        a, b = getattr(ours, name), getattr(exact, name)
        torch.testing.assert_close(a.double(), b, rtol=1e-6, atol=1e-6)


def test_derivatives_are_those_of_the_formula_once_and_twice():
    """The statistics are differentiated with the values that they are made of."""
    x = features(3, 2, 2, 3, dtype=torch.float64).requires_grad_()
    weight = torch.tensor([0.7, 1.3], dtype=torch.float64, requires_grad=True)
    bias = torch.tensor([0.1, -0.2], dtype=torch.float64, requires_grad=True)

    def norm(x, weight, bias):
        mean, variance = statistics(x.detach())
        return _Normalise.apply(x, weight, bias, mean, variance, 1e-5)

    assert torch.autograd.gradcheck(norm, (x, weight, bias))
    assert torch.autograd.gradgradcheck(norm, (x, weight, bias))


ELSEWHERE = {
    "channels first": (features(4, 8, 6, 6).contiguous(), {}),
    "double": (features(4, 8, 6, 6, dtype=torch.float64), {"dtype": torch.float64}),
    "half": (features(4, 8, 6, 6).bfloat16(), {}),
    "one pixel": (features(16, 8, 1, 1), {}),
    "no weights": (features(4, 8, 6, 6), {"affine": False}),
    "no running statistics": (features(4, 8, 6, 6), {"track_running_stats": False}),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_everything_else_is_torchs_bit_for_bit(name):
    x, options = ELSEWHERE[name]
    ours, theirs = BatchNorm2d(8, **options), nn.BatchNorm2d(8, **options)
    for _ in range(2):
        assert ours(x).equal(theirs(x))
    ours.eval(), theirs.eval()
    assert ours(x).equal(theirs(x))
    assert all(a.equal(b) for a, b in zip(ours.buffers(), theirs.buffers(), strict=True))


def test_evaluation_is_torchs_bit_for_bit():
    ours, theirs = BatchNorm2d(8), nn.BatchNorm2d(8)
    ours(features(4, 8, 6, 6))
    theirs.load_state_dict(ours.state_dict())
    x = features(4, 8, 6, 6, seed=1)
    assert ours.eval()(x).equal(theirs.eval()(x))


def test_it_is_torchs_for_whoever_looks():
    ours = blocks.norm("batch", 8)
    assert isinstance(ours, nn.BatchNorm2d) and repr(ours) == repr(nn.BatchNorm2d(8))
    assert list(ours.state_dict()) == list(nn.BatchNorm2d(8).state_dict())
    assert type(pickle.loads(pickle.dumps(ours))) is BatchNorm2d
    synchronised = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(ours))
    assert isinstance(synchronised[0], nn.SyncBatchNorm)


def test_it_says_what_torch_says():
    for wrong in (torch.zeros(1, 8, 1, 1), torch.zeros(2, 8, 3), torch.zeros(2, 7, 3, 3)):
        wrong = wrong if wrong.ndim < 4 else wrong.to(memory_format=torch.channels_last)
        with pytest.raises((ValueError, RuntimeError)) as theirs:
            nn.BatchNorm2d(8)(wrong)
        with pytest.raises(type(theirs.value)) as ours:
            BatchNorm2d(8)(wrong)
        assert str(ours.value) == str(theirs.value)


def test_traces_and_transforms_go_through_it_in_training_mode():
    net = nn.Sequential(nn.Conv2d(3, 8, 3), BatchNorm2d(8), nn.ReLU())
    x = features(4, 3, 6, 6)
    graph = torch.fx.symbolic_trace(net)
    assert [n.op for n in graph.graph.nodes].count("call_module") == 3  # it is a leaf
    expected = net(x)
    assert graph(x).equal(expected)
    compiled = torch.compile(net, backend="aot_eager", fullgraph=True, dynamic=False)
    torch.testing.assert_close(compiled(x), expected, rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own
def test_forward_mode_differentiates_it_too():
    norm, x = BatchNorm2d(3), features(4, 3, 6, 6)
    leaf = x.clone(memory_format=torch.channels_last).requires_grad_()
    (gradient,) = torch.autograd.grad(norm(leaf).pow(3).sum(), leaf)
    with fwd.dual_level():
        out = norm(fwd.make_dual(x, x.cos())).pow(3).sum()
        along = fwd.unpack_dual(out).tangent
    torch.testing.assert_close(along, (gradient * x.cos()).sum(), rtol=1e-3, atol=1e-2)


def test_every_batch_norm_of_the_package_is_this_one():
    from mgtutorial.models import CONFIGS

    seen = 0
    for config in {type(c): c for c in CONFIGS.values()}.values():
        with torch.device("meta"):
            net = config.build()
        norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
        assert all(type(m) is BatchNorm2d for m in norms)
        seen += len(norms)
    assert seen > 100
