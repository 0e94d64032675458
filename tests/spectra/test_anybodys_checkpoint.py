"""Spectra of anybody's checkpoint: the weights that the network uses, or a sentence by name."""

import argparse
import sys
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from mgtutorial.cli import main
from mgtutorial.errors import InvalidValue
from mgtutorial.models.strided import NarrowStrided
from mgtutorial.spectra.layers import Transposed, as_convolution, convolutions_in
from mgtutorial.spectra.report import spectra
from mgtutorial.spectra.symbols import operator_norm
from mgtutorial.training.weights import convolutions_of

with warnings.catch_warnings():  # torch's older hooks are what older checkpoints were made with
    warnings.simplefilter("ignore")
    from torch.nn.utils import spectral_norm, weight_norm

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated:FutureWarning")


class Small(nn.Module):
    """Three convolutions and a head."""

    def __init__(self, change=lambda layer: layer):
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.second = change(nn.Conv2d(4, 4, 3, padding=1, groups=1))
        self.norm = nn.BatchNorm2d(4)
        self.last = nn.Conv2d(4, 6, 1)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        x = self.second(self.first(x).relu())
        return self.head(self.last(self.norm(x)).mean((2, 3)))


class Standardised(nn.Conv2d):
    """A layer that computes its weight in its own forward pass."""

    def forward(self, x):
        w = self.weight
        w = (w - w.mean((1, 2, 3), keepdim=True)) / w.std((1, 2, 3), keepdim=True)
        return self._conv_forward(x, w, self.bias)


class Symmetric(nn.Module):
    """A parametrisation without a state."""

    def forward(self, w):
        return (w + w.flip(2, 3)) / 2


def symmetric(layer):
    parametrize.register_parametrization(layer, "weight", Symmetric())
    return layer


def standardised(layer):
    return Standardised(4, 4, 3, padding=1)


def halves(layer):
    def before(module, inputs):
        module.weight = module.raw / 2

    layer.raw = nn.Parameter(layer.weight.detach().clone())
    del layer.weight
    layer.weight = layer.raw.detach()
    layer.register_forward_pre_hook(before)
    return layer


def pruned_and_normed(layer):
    return prune.l1_unstructured(weight_norm(layer), "weight_v", 0.25)


# name -> (what is done to the layer, whether the file alone says the weight)
CHANGES = {
    "nothing": (lambda layer: layer, True),
    "weight norm": (weight_norm, True),
    "weight norm, second axis": (lambda layer: weight_norm(layer, dim=1), True),
    "weight norm, of all": (lambda layer: weight_norm(layer, dim=None), True),
    "parametrised weight norm": (parametrizations.weight_norm, True),
    "parametrised weight norm, second axis": (
        lambda layer: parametrizations.weight_norm(layer, dim=1),
        True,
    ),
    "spectral norm": (spectral_norm, True),
    "spectral norm, second axis": (lambda layer: spectral_norm(layer, dim=1), True),
    "parametrised spectral norm": (parametrizations.spectral_norm, True),
    "pruned": (lambda layer: prune.l1_unstructured(layer, "weight", 0.5), True),
    "pruned channels": (lambda layer: prune.ln_structured(layer, "weight", 0.5, 2, 0), True),
    "orthogonal": (parametrizations.orthogonal, False),
    "symmetric": (symmetric, False),
    "standardised": (standardised, None),  # the file looks like a plain weight
    "a hook of one's own": (halves, None),
    "pruned weight norm": (pruned_and_normed, False),
}


def worked(change):
    """A network that has been trained a little, and the weight with which it computes."""
    torch.manual_seed(3)
    net = Small(change).train()
    steps = torch.optim.SGD(net.parameters(), lr=0.3)
    for _ in range(8):
        steps.zero_grad()
        net(torch.randn(2, 2, 6, 6)).square().sum().backward()
        steps.step()
    net.eval()
    seen = {}

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            if function is torch.conv2d and args[1].shape == (4, 4, 3, 3):
                seen["weight"] = args[1].detach().clone()
            return function(*args, **(kwargs or {}))

    with Watch(), torch.no_grad():
        for _ in range(2):  # a hook on a hook's weight shows its effect a pass later
            net(torch.randn(1, 2, 6, 6))
    return net, seen["weight"]


@pytest.mark.parametrize("what", CHANGES)
def test_the_weight_is_the_one_that_the_network_uses(what, tmp_path, monkeypatch):
    change, alone = CHANGES[what]
    net, weight = worked(change)
    true = float(operator_norm(weight, (6, 6)))
    # in the network
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [m.training for m in net.modules()]
    found = convolutions_in(net)
    torch.testing.assert_close(found["second"].kernel, weight)
    assert float(operator_norm(net.second, (6, 6)).detach()) == pytest.approx(true, rel=1e-5)
    assert [m.training for m in net.modules()] == modes
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]), name
    # in a file, loaded into a fresh network
    torch.save(net.state_dict(), tmp_path / "w.pt")
    monkeypatch.setitem(sys.modules, "anybodys", argparse.Namespace(net=lambda: Small(change)))
    again = convolutions_of(tmp_path / "w.pt", "anybodys:net")
    torch.testing.assert_close(again["second"].kernel, weight)
    # in the file alone
    if alone is None:
        return
    bare = convolutions_of(tmp_path / "w.pt")
    assert {"first", "last"} <= bare.keys() <= {"first", "second", "last"}
    assert not any("mask" in name or name.endswith(("_g", "_v", "_u")) for name in bare)
    if alone:
        kernel = torch.as_tensor(bare["second"].kernel, dtype=weight.dtype)
        torch.testing.assert_close(kernel, weight, rtol=1e-4, atol=1e-5)
    elif "second" not in bare:
        assert "second" in bare.passed_over
    else:
        assert what == "symmetric"  # a parametrisation without a state leaves no trace


def test_training_mode_is_no_matter_and_moves_nothing():
    net, weight = worked(parametrizations.spectral_norm)
    net.train()
    before = net.second.parametrizations.weight[0]._u.clone()
    torch.testing.assert_close(convolutions_in(net)["second"].kernel, weight)
    assert torch.equal(net.second.parametrizations.weight[0]._u, before) and net.second.training


def test_a_gradient_flows_through_what_makes_the_weight():
    for make in (weight_norm, parametrizations.weight_norm):
        layer = make(nn.Conv2d(2, 2, 3))
        operator_norm(layer, (4, 4)).backward()
        grads = [p.grad for name, p in layer.named_parameters() if "bias" not in name]
        assert len(grads) == 2 and all(g is not None and g.isfinite().all() for g in grads)


class DependsOnInput(nn.Conv2d):
    def forward(self, x):
        return self._conv_forward(x, self.weight * x.mean(), self.bias)


class TwoConvolutions(nn.Conv2d):
    def forward(self, x):
        return super().forward(x) + super().forward(2 * x)


class NoConvolution(nn.Conv2d):
    def forward(self, x):
        return x.mean((1, 2, 3))


class Broken(nn.Conv2d):
    def forward(self, x):
        raise KeyError("time")


def set_from_outside():
    layer = nn.Conv2d(4, 4, 3)
    del layer.weight
    layer.weight = torch.ones(4, 4, 3, 3)
    return layer


class OwnOperator(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernel = nn.Parameter(torch.ones(4, 4, 3, 3))


def poisoned():
    layer = nn.Conv2d(4, 4, 3)
    nn.init.constant_(layer.weight, float("inf"))
    return layer


def poisoned_factor():
    layer = nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3))
    nn.init.constant_(layer.parametrizations.weight.original0, float("nan"))
    return layer


CANNOT = {
    "depends on the input": lambda: DependsOnInput(4, 4, 3),
    "calls 2 convolutions": lambda: TwoConvolutions(4, 4, 3),
    "calls no convolutions": lambda: NoConvolution(4, 4, 3),
    "could not be computed": lambda: Broken(4, 4, 3),
    "outside of the layer": set_from_outside,
    "not initialised": lambda: nn.LazyConv2d(4, 3),
    "device meta": lambda: nn.Conv2d(4, 4, 3, device="meta"),
    "belongs to a OwnOperator": OwnOperator,
    "NaN or infinite": poisoned,
    "or infinite": poisoned_factor,
}


@pytest.mark.parametrize("why", CANNOT)
@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_what_cannot_be_told_is_named_and_the_others_are_done(why, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = nn.ModuleDict({"good": nn.Conv2d(4, 4, 3), "odd": CANNOT[why]()})
    monkeypatch.setitem(sys.modules, "anybodys", argparse.Namespace(net=net))
    assert main(["spectrum", "anybodys:net", "--size", "4"]) == 0
    said = capsys.readouterr()
    assert "left out: odd" in said.err and why in said.err and "good" in said.out
    assert said.err.index("left out") < said.err.index("done")
    alone = nn.ModuleDict({"odd": CANNOT[why]()})
    with pytest.raises(InvalidValue, match=why):
        convolutions_in(alone)


def own(base, forward):
    """A layer with a forward pass of its own: convolve is that of torch, without bias."""

    class Own(base):
        def forward(self, x):
            return forward(x, lambda x: super(Own, self)._conv_forward(x, self.weight, None))

    return Own


MORE = {
    "a gain": lambda x, convolve: 2 * convolve(x),
    "a gain before": lambda x, convolve: convolve(x / 3),
    "an activation": lambda x, convolve: convolve(x).relu(),
    "a residual": lambda x, convolve: x + convolve(x),
    "a gate": lambda x, convolve: convolve(x) * x.mean((2, 3), keepdim=True).sigmoid(),
    "a norm": lambda x, convolve: nn.functional.group_norm(convolve(x), 2),
    "a part": lambda x, convolve: convolve(x[:, :, 1:-1]),
    "a mirror": lambda x, convolve: convolve(x.flip(2)),
    "another shape": lambda x, convolve: convolve(x).flatten(2),
    "a pooling": lambda x, convolve: nn.functional.avg_pool2d(convolve(x), 2),
}


@pytest.mark.parametrize("what", MORE)
def test_a_layer_that_does_more_than_to_convolve_is_refused(what):
    torch.manual_seed(0)
    with pytest.raises(InvalidValue, match="more than convolve"):
        convolutions_in(own(nn.Conv2d, MORE[what])(4, 4, 3, padding=1))


@pytest.mark.parametrize("change", [lambda y: 2 * y, lambda y: y.relu(), lambda y: y[:, :, 1:]])
def test_a_hook_that_changes_what_a_layer_returns_is_no_matter_of_its_kernel(change):
    layer, seen = nn.Conv2d(4, 4, 3), []
    layer.register_forward_hook(lambda module, x, y: seen.append(y))
    assert len(convolutions_in(layer)) == 1 and seen  # one that only looks changes nothing
    layer.register_forward_hook(lambda module, x, y: change(y))
    with pytest.raises(InvalidValue, match="more than convolve"):
        convolutions_in(layer)


SAME = {
    "a margin": lambda x, convolve: convolve(nn.functional.pad(x, (0, 2, 1, 0))),
    "a bias": lambda x, convolve: convolve(x) + torch.arange(4.0)[:, None, None],
    "half precision": lambda x, convolve: convolve(x.bfloat16().float()).to(x.dtype),
    "nothing": lambda x, convolve: convolve(x),
}


@pytest.mark.parametrize("what", SAME)
def test_what_leaves_the_spectrum_alone_is_no_reason_to_refuse(what):
    torch.manual_seed(0)
    layer = own(nn.Conv2d, SAME[what])(4, 4, 3, stride=2)
    (A,) = convolutions_in(layer).values()
    assert A.stride == (2, 2) and torch.equal(A.kernel, layer.weight)


@pytest.mark.parametrize("stride", [2, (3, 2)])
def test_points_that_a_layer_leaves_out_by_itself_count_as_its_stride(stride):
    """So do the package's own narrow shortcuts, which take their pixels before they convolve."""
    (A,) = convolutions_in(NarrowStrided(8, 16, 1, stride=stride)).values()
    plain = nn.Conv2d(8, 16, 1, stride=stride)
    assert (
        A.stride == plain.stride
        and A.output_shape((12, 12)) == plain(torch.zeros(1, 8, 12, 12)).shape[2:]
    )


def test_transposed_layers_are_listed_with_their_true_norm(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    net = nn.ModuleDict({
        "plain": nn.Conv2d(2, 4, 3),
        "up": nn.ConvTranspose2d(4, 2, 4, stride=2, padding=1),
        "same": nn.ConvTranspose1d(4, 4, 3, padding=1),
        "grouped": nn.ConvTranspose2d(4, 8, 3, stride=3, groups=2, dilation=2, output_padding=1),
        "turned": nn.ConvTranspose1d(2, 2, 3, dtype=torch.complex64),
        "normed": parametrizations.spectral_norm(nn.ConvTranspose2d(4, 2, 3)),
    })  # fmt: skip
    found = {s.name: s for s in spectra(net, size=6)}
    assert list(found) == list(net) and list(convolutions_in(net)) == ["plain"]
    for name, s in found.items():
        if name == "plain":
            continue
        layer = net[name].eval()
        assert isinstance(s.A, Transposed) and s.shape == (6,) * s.A.d
        matrix = periodic_matrix(layer, 6)
        values = np.linalg.svd(matrix, compute_uv=False)
        mine = np.sort(s.singular_values.ravel())[::-1]
        np.testing.assert_allclose(mine, values[: len(mine)], atol=2e-5)
        if name in ("same", "turned"):
            powers = [np.trace(np.linalg.matrix_power(matrix, k)) for k in (1, 2, 3)]
            np.testing.assert_allclose(
                [(s.eigenvalues.astype(complex) ** k).sum() for k in (1, 2, 3)], powers, atol=1e-3
            )
    monkeypatch.setitem(sys.modules, "anybodys", argparse.Namespace(net=net))
    assert main(["spectrum", "anybodys:net", "--size", "6"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum("transposed" in line for line in lines) == 5
    with pytest.raises(InvalidValue, match="transposed"):
        as_convolution(net["up"])


def periodic_matrix(layer, n):
    """The matrix of a transposed layer on a periodic grid of n points, by unit vectors."""
    d, c = len(layer.kernel_size), layer.in_channels
    eye = torch.eye(c * n**d, dtype=layer.weight.dtype).reshape(-1, c, *[n] * d)
    convolve = (nn.functional.conv_transpose1d, nn.functional.conv_transpose2d)[d - 1]
    with torch.no_grad():
        y = convolve(eye, layer.weight, None, layer.stride, 0, 0, layer.groups, layer.dilation)
    for axis, s in zip(range(2, 2 + d), layer.stride, strict=True):  # wrap the border around
        m, size = n * s, y.shape[axis]
        y = torch.cat([y, y.new_zeros(*y.shape[:axis], -size % m, *y.shape[axis + 1 :])], axis)
        y = y.unflatten(axis, (-1, m)).sum(axis)
        y = y.roll(-1, axis) if max(layer.stride) == 1 else y  # the middle of 3 is the point itself
    return y.reshape(len(eye), -1).T.numpy()
