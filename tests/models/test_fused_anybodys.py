"""Fusing anybody's network: what is no plain convolution or norm stays what it is."""

import copy
import pickle

import pytest
import torch
from torch import nn

from mgtutorial import models
from mgtutorial.models.fused import Packed, fuse


class Standardised(nn.Conv2d):
    """Weight standardisation: the kernel that is used is not the one that is stored."""

    def forward(self, x):
        w = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return self._conv_forward(x, w / w.std((1, 2, 3), keepdim=True), self.bias)


class SamePadding(nn.Conv2d):
    def forward(self, x):
        return super().forward(nn.functional.pad(x, (0, 1, 0, 1)))


class NormAndReLU(nn.BatchNorm2d):
    def forward(self, x):
        return super().forward(x).relu()


class Backwards(nn.Sequential):
    def forward(self, x):
        for module in reversed(self):
            x = module(x)
        return x


def hooked():
    conv = nn.Conv2d(4, 4, 3)
    conv.register_forward_hook(lambda module, args, out: 2 * out)
    return nn.Sequential(conv, nn.BatchNorm2d(4))


def shared_activation():
    act = nn.ReLU()  # under its second name it stands between a convolution and a norm
    return nn.Sequential(nn.Conv2d(4, 4, 3), act, nn.Conv2d(4, 4, 3), act, nn.BatchNorm2d(4))


def one_norm_twice():
    norm = nn.BatchNorm2d(4)
    return nn.Sequential(nn.Conv2d(4, 4, 3), norm, nn.Conv2d(4, 4, 3), norm)


def one_convolution_twice():
    conv = nn.Conv2d(4, 4, 3)
    return nn.Sequential(conv, nn.BatchNorm2d(4), conv, nn.BatchNorm2d(4))


def parametrised():
    conv = torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3))
    return nn.Sequential(conv, nn.BatchNorm2d(4))


def patched():
    conv = nn.Conv2d(4, 4, 3)
    conv.forward = lambda x: x.flip(1)
    return nn.Sequential(conv, nn.BatchNorm2d(4))


NETWORKS = {
    "a convolution that makes its kernel": lambda: nn.Sequential(
        Standardised(4, 4, 3), nn.BatchNorm2d(4)
    ),
    "a convolution that pads by itself": lambda: nn.Sequential(
        SamePadding(4, 4, 3), nn.BatchNorm2d(4)
    ),
    "a norm that activates": lambda: nn.Sequential(nn.Conv2d(4, 4, 3), NormAndReLU(4)),
    "another order": lambda: Backwards(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)),
    "a hook": hooked,
    "a forward of its own": patched,
    "an activation of two names": shared_activation,
    "a norm of two names": one_norm_twice,
    "a convolution of two names": one_convolution_twice,
    "a parametrisation": parametrised,
}


def trained(net):
    """The network in evaluation mode, its norms with statistics and numbers of their own."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    return net.eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_fused_network_computes_the_same(name):
    net, x = trained(NETWORKS[name]()), torch.randn(2, 4, 9, 9)
    fused = fuse(net)
    for _ in range(2):  # the second time what is packed is packed already
        torch.testing.assert_close(fused(x), net(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("build", "x"),
    [
        (models.named("constrained-20").build, torch.rand(2, 3, 32, 32)),
        (models.PointCloudConfig("diff-gcn").build, torch.rand(2, 40, 3)),
        (models.PointCloudConfig("edge-conv").build, torch.rand(2, 40, 3)),
    ],
    ids=["constrained", "diff-gcn", "edge-conv"],
)
def test_networks_that_ask_a_convolution_for_its_weights_find_them(build, x):
    net = build().eval()
    torch.testing.assert_close(fuse(net)(x), net(x), rtol=1e-4, atol=1e-4)


def two():
    torch.manual_seed(1)
    return [models.MgNetConfig((8, 16)).build().eval() for _ in range(2)]


def test_weights_that_are_loaded_are_those_that_count():
    (one, other), x = two(), torch.rand(2, 3, 8, 8)
    fused = fuse(one)
    fused(x)  # packs the weights of before
    fused.load_state_dict(fuse(other).state_dict())
    torch.testing.assert_close(fused(x), other(x), rtol=1e-5, atol=1e-5)


def test_weights_that_are_changed_in_place_or_exchanged_are_those_that_count():
    (one, _), x = two(), torch.rand(2, 3, 8, 8)
    fused = fuse(one)
    fused(x)
    with torch.no_grad():
        for p in fused.parameters():
            p.mul_(1.5)
    expected = copy.deepcopy(fused)(x)
    assert torch.equal(fused(x), expected)
    for m in fused.modules():
        if isinstance(m, Packed):
            m.conv.weight = nn.Parameter(0.5 * m.conv.weight, requires_grad=False)
    assert torch.equal(fused(x), copy.deepcopy(fused)(x))
    assert not torch.equal(fused(x), expected)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_is_the_same_and_has_nothing_packed(copied):
    net, x = two()[0], torch.rand(2, 3, 8, 8)
    fused = fuse(net)
    expected = fused(x)
    again = copied(fused)
    assert not any(m.packed for m in again.modules() if isinstance(m, Packed))
    assert torch.equal(again(x), expected)


def test_another_precision_is_the_plain_convolution():
    net, x = two()[0], torch.rand(2, 3, 8, 8)
    fused = fuse(net)
    fused(x)
    expected = net.double()(x.double())
    got = fused.double()(x.double())
    assert got.dtype == torch.float64
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_of_many_sizes_a_few_are_kept():
    conv = nn.Conv2d(4, 4, 3).requires_grad_(False)
    packed = Packed(conv)
    for side in range(4, 4 + 3 * Packed.KEPT):
        x = torch.rand(1, 4, side, side)
        torch.testing.assert_close(packed(x), conv(x), rtol=1e-5, atol=1e-5)
        assert len(packed.packed) <= Packed.KEPT


@pytest.mark.parametrize("shape", [(0, 4, 5, 5), (4, 5, 5)], ids=["no image", "no batch"])
def test_what_the_library_does_not_take_goes_to_torch(shape):
    conv, x = nn.Conv2d(4, 4, 3).requires_grad_(False), torch.rand(shape)
    assert torch.equal(Packed(conv)(x), conv(x))
