"""Fast, lean, fused and compiled networks compute the function of the plain transcription."""

import copy
import re

import pytest
import torch
from torch import nn

from mgtutorial import models
from mgtutorial.errors import DeviceUnavailable, InvalidValue
from mgtutorial.models import Lean, activations_in_training, fuse
from mgtutorial.models.fused import Packed
from mgtutorial.training import devices, protocols

from . import literal, literal_mgiad, signs

# One of each architecture, small; images of 16 x 16 points.
SMALL = {
    "mgnet": models.MgNetConfig(channels=(8, 16), in_channels=2),
    "mgnet-a": models.MgNetConfig(channels=(8, 16), in_channels=2, share_B=False, group_size=4),
    "mgiad": models.MGiaDConfig(channels=(16, 32), coarsest=8, in_channels=2),
    "mgiad-all": models.MGiaDConfig(
        channels=(16, 32), coarsest=8, in_channels=2, transfer_norms="all", correction="fas"
    ),
    "poly": models.PolyMgNetConfig(channels=(8, 16), steps="g6", in_channels=2),
    "mgic": models.MGICResNetConfig(
        (1, 1), (8, 16), s_g=4, s_c=8, until="<=", in_channels=2, block="bottleneck"
    ),
    "resnet": models.ResNetConfig(blocks=(1, 1), channels=(8, 16), in_channels=2),
}
KINDS = pytest.mark.parametrize("name", SMALL)


def network(name, dtype=torch.float64):
    """With norms that are not the identity."""
    torch.manual_seed(3)
    net = SMALL[name].build().to(dtype)
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.uniform_(m.weight, 0.5, 1.5)
            nn.init.uniform_(m.bias, -0.5, 0.5)
            m.running_mean.uniform_(-0.5, 0.5)
            m.running_var.uniform_(0.5, 1.5)
    return net


def images(dtype=torch.float64, n=4, seed=5):
    return torch.randn(n, 2, 16, 16, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def gradients(net, x):
    out = net(x)
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(7), dtype=out.dtype)
    return out, torch.autograd.grad((out * weights).sum(), [*net.parameters()], allow_unused=True)


def transcription(config):
    if isinstance(config, models.MGiaDConfig):
        return lambda x, s, training: literal_mgiad.mgiad(x, s, config, training)
    return lambda x, s, training: literal.mgnet(
        x, s, config.channels, config.steps, training, group_size=config.group_size
    )


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["mgnet", "mgnet-a", "mgiad", "mgiad-all"])
def test_a_lean_network_is_held_against_the_transcription(name, training):
    net = network(name)
    idle = r"channel_levels\..*\.Pi\." if name == "mgiad-all" else None  # as FAS has it
    forward = _Forward(Lean(net), net)
    literal.hold_against(forward, transcription(net.config), images(), training, idle)


class _Forward(nn.Module):
    """A network by whose parameters' own names the transcription is called."""

    def __init__(self, lean, net):
        super().__init__()
        for name, child in net.named_children():
            setattr(self, name, child)
        object.__setattr__(self, "lean", lean)

    def train(self, mode=True):
        self.lean.train(mode)
        return super().train(mode)

    def forward(self, x):
        return self.lean(x)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", ["mgnet", "mgnet-a", "mgiad", "mgiad-all"])
@pytest.mark.parametrize("training", [True, False])
def test_in_single_precision_gradients_are_the_transcriptions_to_1e_5(name, training, seed):
    # The first draws, and none was left out; with seed 8 an argument lies within rounding of zero,
    # and the two programs decide otherwise about it: see the next test.
    net, x = network(name, torch.float32).train(training), images(torch.float32, seed=seed)
    leaves = {id(p): p.detach().clone().requires_grad_() for p in net.parameters()}
    state = {n: b.clone() for n, b in net.named_buffers()}
    state |= {n: leaves[id(p)] for n, p in net.named_parameters(remove_duplicate=False)}
    out, ours = gradients(net, x)
    theirs = transcription(net.config)(x, state, training)
    torch.testing.assert_close(out, theirs, rtol=0, atol=1e-5 * float(theirs.detach().abs().max()))
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(7))
    expected = torch.autograd.grad((theirs * weights).sum(), [*leaves.values()], allow_unused=True)
    pairs = [(a, b) for a, b in zip(ours, expected, strict=True) if a is not None]
    largest = max(b.abs().max() for _, b in pairs)
    assert max((a - b).abs().max() for a, b in pairs) <= 1e-5 * largest


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["mgnet", "mgnet-a", "mgiad", "mgiad-all"])
@pytest.mark.parametrize("training", [True, False])
def test_for_any_images_gradients_differ_by_rounding_and_by_decisions(name, training, seed):
    """With each activation deciding as ours did, against the transcription in double precision.

    All draws here but one are within 1e-5 of the largest entry, that one within 1.2e-5; the
    transcription's own, in single precision, reach 1.2e-5 as well.

    Without that, single entries could differ by up to some hundredths of the largest, since an
    argument within rounding of zero may decide otherwise; so at most a few may.
    """
    net, x = network(name, torch.float32).train(training), images(torch.float32, 8, seed)
    leaves = {id(p): p.detach().double().requires_grad_() for p in net.parameters()}
    state = {n: b.double() for n, b in net.named_buffers()}
    state |= {n: leaves[id(p)] for n, p in net.named_parameters(remove_duplicate=False)}
    with signs.Recorded() as recorded:
        _, ours = gradients(net, x)
    found = []

    def transcribed():
        theirs = transcription(net.config)(x.double(), state, training)
        # Drawn as in `gradients`, in whose precision they are.
        weights = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(7))
        total = (theirs * weights).sum()
        found.extend(torch.autograd.grad(total, [*leaves.values()], allow_unused=True))

    other = signs.replayed(transcribed, recorded)
    assert other <= 1e-6 * sum(p.numel() for p in recorded.positive) + 2
    assert signs.furthest(ours, found) <= 2e-5


@KINDS
@pytest.mark.parametrize("training", [True, False])
def test_lean_gradients_are_equal_bit_for_bit(name, training):
    net, x = network(name, torch.float32).train(training), images(torch.float32)
    twin = copy.deepcopy(net)
    (a, ours), (b, theirs) = gradients(net, x), gradients(Lean(twin), x)
    assert a.equal(b)
    for p, q in zip(ours, theirs, strict=True):
        assert p is q is None or p.equal(q)
    for p, q in zip(net.buffers(), twin.buffers(), strict=True):
        assert p.equal(q)  # the statistics have taken note of a batch once


@KINDS
def test_a_lean_network_keeps_less_and_the_mode_and_statistics_stay(name):
    net = network(name)
    before = [b.clone() for b in net.buffers()]
    fast = activations_in_training(net, 4, 16)
    lean = activations_in_training(Lean(net), 4, 16, 2)
    assert lean.kept < 0.9 * fast.kept and lean.peak < fast.peak
    assert all(a.equal(b) for a, b in zip(before, net.buffers(), strict=True))
    assert all(p.grad is None for p in net.parameters())


def test_a_smoothing_step_keeps_two_fields_instead_of_four():
    """What its two norms take; what its two activations give is computed again."""
    n, c, size = 2, 16, 16

    def fields(nu, lean):
        net = models.MgNetConfig(channels=(c,), steps=nu, in_channels=1).build()
        kept = activations_in_training(Lean(net) if lean else net, n, size, 1).kept
        return kept / (n * c * size**2 * 4)

    assert round(fields(5, False) - fields(4, False), 1) == 4
    assert round(fields(5, True) - fields(4, True), 1) == 2


def test_what_has_changed_since_is_kept_as_it_is():
    """A recipe would give the value before the change."""

    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.conv = nn.BatchNorm2d(2), nn.Conv2d(2, 2, 3)

        def forward(self, x):
            y = self.norm(x)
            y += 1
            return self.conv(torch.relu(y) * y)

    net, x = InPlace().double(), images()
    (a, ours), (b, theirs) = gradients(net, x), gradients(Lean(net), x)
    assert a.equal(b) and all(p.equal(q) for p, q in zip(ours, theirs, strict=True))


CHANGES = {
    "nothing": lambda net, x: None,
    "the norm's weight": lambda net, x: net[1].weight.mul_(3),
    "the convolution's weight": lambda net, x: net[3].weight.mul_(2),
    "running means": lambda net, x: net[1].running_mean.add_(1),
    "images": lambda net, x: x.mul_(2),
    "the norm's bias": lambda net, x: net[1].bias.add_(1),  # torch itself does not need it
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("what", CHANGES)
def test_what_was_changed_before_the_backward_pass_is_refused_as_torch_refuses_it(what, training):
    found = []
    for wrap in (lambda net: net, Lean):
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3)
        net, x = nn.Sequential(*layers).train(training), torch.rand(2, 3, 8, 8)
        y = wrap(net)(x).square().sum()
        with torch.no_grad():
            CHANGES[what](net, x)
        try:
            y.backward()
            found.append(net[0].weight.grad)
        except RuntimeError as error:
            assert "has been modified by an inplace operation" in str(error)
            found.append(None)
    plain, lean = found
    if what == "nothing":
        assert plain.equal(lean)
    else:
        assert lean is None and (plain is None or what == "the norm's bias")


def test_features_that_are_changed_after_a_norm_has_read_them_are_refused():
    class Changes(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.conv = nn.BatchNorm2d(2), nn.Conv2d(2, 2, 3)

        def forward(self, x):
            x = 1 * x
            y = self.conv(self.norm(x))
            x += 1
            return y

    for net in (Changes(), Lean(Changes())):
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            net(images(torch.float32)).sum().backward()


def test_a_lean_network_can_be_differentiated_again():
    net = network("mgnet")
    twin, x = copy.deepcopy(net), images()

    def second(f):
        g = torch.autograd.grad(f(x).square().sum(), f_parameters(f), create_graph=True)
        return torch.autograd.grad(sum(v.square().sum() for v in g), f_parameters(f))

    def f_parameters(f):
        return [p for n, p in f.named_parameters() if "unused" not in n]

    for p, q in zip(second(net), second(Lean(twin)), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12 * float(p.detach().abs().max()))


@KINDS
def test_channels_are_last_from_the_first_layer_to_the_head(name):
    net, seen = network(name), []
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            m.register_forward_hook(lambda _, args, out: seen.append(out))
    net(images())
    several = [v for v in seen if v.shape[1] > 1 and v.shape[2] > 1]
    assert several and all(v.is_contiguous(memory_format=torch.channels_last) for v in several)


@KINDS
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_a_fused_network_is_the_one_in_evaluation_mode(name, dtype, tolerance):
    net = network(name, dtype).train()
    fused = fuse(net)
    assert net.training and not fused.training
    for n in (1, 4):
        x = images(dtype, n)
        expected = net.eval()(x)
        got = fused(x)
        scale = max(1.0, float(expected.detach().abs().max()))
        torch.testing.assert_close(got, expected, rtol=0, atol=tolerance * scale)
        assert not got.requires_grad


@KINDS
def test_a_fused_network_is_one_graph(name):
    torch._dynamo.reset()
    fused, x = fuse(network(name, torch.float32)), images(torch.float32)
    graph = torch.compile(fused, backend="eager", fullgraph=True, dynamic=False)
    torch.testing.assert_close(graph(x), fused(x), rtol=1e-5, atol=1e-5)


def norms(net):
    return sum(isinstance(m, nn.BatchNorm2d) for m in net.modules())


@KINDS
def test_fusing_takes_norms_away(name):
    net = network(name)
    assert norms(fuse(net)) < norms(net)


def test_steps_that_share_b_get_one_each_and_what_is_shared_otherwise_stays_one():
    net = network("mgnet", torch.float32)
    fused = fuse(net).network
    a, b = fused.levels[0].smoothers
    assert a.B is not b.B and net.levels[0].smoothers[0].B is net.levels[0].smoothers[1].B
    assert isinstance(fused.levels[0].A, Packed)
    assert not isinstance(fuse(net.double()).network.levels[0].A, Packed)


def test_a_fused_network_is_not_trained_and_refusals_are_sentences():
    fused = fuse(network("mgnet"))
    with pytest.raises(InvalidValue, match="cannot be trained"):
        fused.train()
    bare = nn.Sequential(nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2, track_running_stats=False))
    with pytest.raises(InvalidValue, match=r"norm 1 keeps no running statistics"):
        fuse(bare)
    compiled = torch.compile(network("mgnet"), backend="eager")
    with pytest.raises(InvalidValue, match="fuse the network itself"):
        fuse(compiled)
    with pytest.raises(InvalidValue, match="cannot be lean"):
        Lean(compiled)


@KINDS
@pytest.mark.parametrize("training", [True, False])
def test_a_network_is_one_graph(name, training):
    """Without a break in it; the backend executes it as it stands, so nothing is built."""
    torch._dynamo.reset()
    net, x = network(name).train(training), images()
    twin = copy.deepcopy(net)
    graph = torch.compile(twin, backend="aot_eager", fullgraph=True, dynamic=False)
    (a, ours), (b, theirs) = gradients(net, x), gradients(graph, x)
    torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    for p, q in zip(ours, theirs, strict=True):
        # A gradient that nothing leads to may be None on one side, and zeros on the other.
        zero = torch.zeros(1, dtype=torch.float64)
        torch.testing.assert_close(
            zero if p is None else p, zero if q is None else q, rtol=1e-9, atol=1e-12
        )


def test_a_run_is_lean_or_compiled_and_names_it():
    config = protocols.configure("mgnet-20", "digits", "smoke")
    assert "memory" not in config.as_dict()  # older runs keep their names
    lean = protocols.configure("mgnet-20", "digits", "smoke", memory="lean")
    assert lean.as_dict()["memory"] == "lean"
    assert isinstance(devices.executed(lean.model.build(), lean, "cpu"), Lean)
    with pytest.raises(InvalidValue, match="one of the two"):
        protocols.configure("mgnet-20", "digits", "smoke", memory="lean", compile=True)
    with pytest.raises(ValueError, match=re.escape("unknown memory 'small'")):
        protocols.configure("mgnet-20", "digits", "smoke", memory="small")


def test_without_a_compiler_there_is_a_sentence(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(DeviceUnavailable, match="'no-such-compiler' is not there"):
        devices.compiled(network("mgnet"), "cpu")

    def refuse(*args, **kwargs):
        raise RuntimeError("torch.compile is not supported on Python 9")

    monkeypatch.setattr(torch, "compile", refuse)
    with pytest.raises(DeviceUnavailable, match="Python 9"):
        devices.compiled(network("mgnet"), "cuda")
