"""A pass and a count do not depend on what the caller has switched on around them."""

import copy
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad, jvp, stack_module_state, vmap
from torch.utils.flop_counter import FlopCounterMode

from mgtutorial import models
from mgtutorial.errors import InvalidValue
from mgtutorial.models import (
    activations_alive,
    activations_held,
    activations_in_training,
    count_macs,
    fuse,
    macs_by_part,
)

LARGE = 128  # from here on a pass warns of its stem, and counts two networks for the warning


def small(**changes):
    return models.MgNetConfig((8, 16), steps=2, **changes)


def test_the_warning_of_a_large_image_is_in_no_count():
    config = small()
    assert all(part.role != "other" for part in macs_by_part(config, LARGE))
    for network in (config, config.build()):
        each = [
            (
                count_macs(network, side) / side**2,
                activations_alive(network, 1, side).bytes / side**2,
                *(n / side**2 for n in activations_in_training(network, 2, side)),
            )
            for side in (LARGE - 16, LARGE)
        ]
        assert each[0] == pytest.approx(each[1], rel=1e-3)  # all but the head grows with the image


@pytest.mark.filterwarnings("ignore:images of 128 x 128")
def test_torchs_own_counter_sees_one_network_at_the_first_pass():
    net, x, counts = small().build().eval(), torch.zeros(1, 3, LARGE, LARGE), []
    for _ in range(2):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            net(x)
        counts.append(counter.get_total_flops() // 2)
    assert counts == [count_macs(small(), LARGE)] * 2


def test_the_warning_says_in_inference_mode_what_training_holds():
    said = []
    for mode in (False, True):
        with torch.inference_mode(mode), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            small().build().eval()(torch.zeros(1, 3, LARGE, LARGE))
        (one,) = caught
        said.append(str(one.message))
    assert said[0] == said[1] and " 0 MiB" not in said[0]


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_counts_are_the_same_without_gradients(around):
    config = small()
    net = config.build()

    def counts():
        both = [f(n, 2, 16) for f in (activations_held, activations_in_training)
                for n in (net, config)]  # fmt: skip
        return *both, count_macs(net, 16), activations_alive(net, 2, 16)

    expected = counts()
    with around():
        assert counts() == expected
    assert expected[0].elements > 0


def test_counts_are_the_same_under_autocast():
    for network in (small(), small().build()):
        expected = count_macs(network, 16)
        with torch.autocast("cpu", torch.bfloat16):
            assert count_macs(network, 16) == expected


@pytest.mark.parametrize("name", ["mgnet-20", "mgiad-20-g4", "poly-mgiad-20-g4", "resnet20"])
def test_a_fused_network_has_the_multiplications_that_it_had(name):
    net = models.named(name, in_channels=3).build().eval()
    fused = fuse(net)
    assert count_macs(fused, 16, 3) == count_macs(net, 16)
    fused(torch.zeros(1, 3, 16, 16))  # packed
    assert count_macs(fused, 16, 3) == count_macs(net, 16)


def test_gradients_of_single_images_are_those_of_a_loop():
    net = small(norm="group", num_classes=4).build().double().eval()
    weights = {name: p.detach() for name, p in net.named_parameters()}
    x, y = torch.randn(3, 3, 8, 8, dtype=torch.float64), torch.tensor([0, 2, 1])

    def loss(weights, image, label):
        # torch 2.13 ties by name, which leaves what it put into a module that stands in two places
        z = functional_call(net, weights, (image[None],), tie_weights=False)
        return F.cross_entropy(z, label[None])

    each = vmap(grad(loss), (None, 0, 0))(weights, x, y)
    for i in range(3):
        net.zero_grad(set_to_none=False)
        F.cross_entropy(net(x[i : i + 1]), y[i : i + 1]).backward()
        for name, p in net.named_parameters():
            expected = torch.zeros_like(p) if p.grad is None else p.grad
            torch.testing.assert_close(each[name][i], expected, rtol=1e-9, atol=1e-12)


def test_an_ensemble_in_one_pass_is_its_members():
    members = [small().build().eval() for _ in range(3)]
    weights, buffers = stack_module_state(members)
    shell, x = copy.deepcopy(members[0]).to("meta"), torch.randn(2, 3, 8, 8)

    def one(weights, buffers):
        return functional_call(shell, (weights, buffers), (x,), tie_weights=False)

    with torch.no_grad():
        expected = torch.stack([net(x) for net in members])
        torch.testing.assert_close(vmap(one)(weights, buffers), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own formulas
@pytest.mark.parametrize("norm", ["batch", "group", "layer", "none"])
def test_forward_mode_is_the_difference_quotient(norm):
    net = small(norm=norm).build().double().eval()
    x, v = torch.randn(2, 2, 3, 8, 8, dtype=torch.float64)
    _, along = jvp(net, (x,), (v,))
    h = 1e-6
    with torch.no_grad():
        quotient = (net(x + h * v) - net(x - h * v)) / (2 * h)
    torch.testing.assert_close(along, quotient, rtol=1e-5, atol=1e-6)


def test_the_first_pass_of_a_large_image_may_be_differentiated():
    net = small(norm="none").build().eval()
    x = torch.randn(1, 3, LARGE, LARGE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert grad(lambda x: net(x).sum())(x).shape == x.shape


def replica(module):
    """A copy as nn.DataParallel makes it: its weights are attributes, and no parameters."""
    made = {m: m._replicate_for_data_parallel() for m in module.modules()}
    for m, copied in made.items():
        for name, child in m._modules.items():
            if child is not None:
                copied._modules[name] = made[child]
                setattr(copied, name, made[child])
        for name, p in m._parameters.items():
            if p is None:
                copied._parameters[name] = None
            else:
                setattr(copied, name, p.detach().clone().requires_grad_())
        for name, b in m._buffers.items():
            copied._buffers[name] = b if b is None else b.clone()
    return made[module]


@pytest.mark.parametrize("name", ["mgnet-20", "mgiad-20-g4", "poly-mgiad-20-g4", "resnet20"])
def test_a_replica_computes_what_its_network_computes(name):
    net = models.named(name, in_channels=3).build().eval()
    copied, x = replica(net), torch.randn(2, 3, 16, 16)
    assert not [*copied.parameters()]
    with torch.no_grad():
        assert torch.equal(copied(x), net(x))


def test_galerkins_operators_are_not_replicated_in_silence():
    with pytest.raises(InvalidValue, match="DistributedDataParallel"):
        replica(models.named("galerkin-20").build())


def test_a_plain_convolution_is_counted_in_any_mode():
    conv = nn.Conv2d(3, 4, 3)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert count_macs(conv, 8, 3) == 3 * 4 * 9 * 6 * 6
