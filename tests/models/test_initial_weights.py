"""The laws of the first weights: their variance, and what it makes of an operator's gain."""

import json

import pytest
import torch

from mgtutorial import models
from mgtutorial.errors import UnknownName
from mgtutorial.models import blocks, registry
from mgtutorial.models.mgic import ChannelLevel, TransfersConfig
from mgtutorial.training import records

# The variance of one weight: k pixels of a kernel, `out` channels, each of which sees `seen`.
VARIANCE = {
    "he-fan-out": lambda k, out, seen: 2 / (k * out),
    "torch": lambda k, out, seen: 1 / (3 * k * seen),
    "he-fan-in-grouped": lambda k, out, seen: 2 / (k * seen),
}
SHAPES = {  # c_in, c_out, groups
    "dense": (64, 96, 1),
    "grouped": (256, 256, 32),
    "depthwise": (512, 1024, 512),
}


def drawn(law, c_in, c_out, groups, kernel=3):
    torch.manual_seed(0)
    return blocks.initialise(blocks.conv(c_in, c_out, kernel, groups=groups), law)


@pytest.mark.parametrize("law", blocks.INITIAL_WEIGHTS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kernel", [1, 3])
def test_weights_have_the_variance_of_their_law(law, shape, kernel):
    c_in, c_out, groups = SHAPES[shape]
    weight = drawn(law, c_in, c_out, groups, kernel).weight.detach()
    expected = VARIANCE[law](kernel**2, c_out, c_in // groups)
    n = weight.numel()
    # the sample variance of n normal numbers has the relative deviation sqrt(2 / n)
    assert abs(weight.var().item() / expected - 1) < 4 * (2 / n) ** 0.5
    assert abs(weight.mean().item()) < 4 * (expected / n) ** 0.5
    bounded = weight.abs().max().item() <= (3 * expected) ** 0.5 * (1 + 1e-6)
    assert bounded == (law == "torch")  # uniform; of so many normal ones some lie outside


@pytest.mark.parametrize(
    ("law", "radius"), [("he-fan-out", 2), ("torch", 1 / 3), ("he-fan-in-grouped", 2)]
)
def test_spectral_radius_of_a_dense_operator_follows_the_circular_law(law, radius):
    """Its symbol has c x c independent entries of variance k v, so the radius sqrt(c k v)."""
    weight = drawn(law, 512, 512, 1).weight.detach()
    symbol = weight.sum((2, 3))  # at frequency 0
    largest = torch.linalg.eigvals(symbol).abs().max().item()
    assert largest == pytest.approx(radius**0.5, rel=0.1)


def gain(law, groups, c=256):
    """By which factor the operator lengthens noise, root mean square, away from the border."""
    A = drawn(law, c, c, groups)
    noise = torch.randn(8, c, 34, 34)
    return A(noise)[..., 1:-1, 1:-1].square().mean().sqrt().item()


@pytest.mark.parametrize("groups", [1, 4, 64, 256])
def test_only_a_fan_in_for_each_group_keeps_the_gain_of_grouped_operators(groups):
    assert gain("he-fan-in-grouped", groups) == pytest.approx(2**0.5, rel=0.05)
    assert gain("torch", groups) == pytest.approx(3**-0.5, rel=0.05)
    assert gain("he-fan-out", groups) == pytest.approx((2 / groups) ** 0.5, rel=0.05)


def configs():
    yield from registry.CONFIGS.items()
    yield "implicit", registry.ImplicitConfig()
    yield "transfers", TransfersConfig(s_g=8)
    yield "lraspp", models.LRASPPConfig()
    yield "text", models.MGICTextConfig()
    yield "clouds", models.PointCloudConfig()


def test_every_kind_of_config_has_the_field_and_keeps_its_digest():
    kinds = set()
    for name, config in configs():
        kinds.add(type(config).__name__)
        plain = models.as_dict(config)
        assert config.initial_weights == "he-fan-out" and "initial_weights" not in plain, name
        other = models.as_dict(type(config)(**{**vars(config), "initial_weights": "torch"}))
        assert other == plain | {"initial_weights": "torch"}
        assert records.digest(other) != records.digest(plain)
        assert models.as_dict(models.from_dict(json.loads(json.dumps(other)))) == other
        with pytest.raises(UnknownName, match=r"initial weights.*'he'"):
            type(config)(**{**vars(config), "initial_weights": "he"})
    assert kinds == set(registry._KINDS)


NETWORKS = (
    "resnet20", "mgnet-20", "mgiad-20-g8", "poly-mgnet-q2", "mgic-resnet56-c16-g8",
    "mgic-mobilenetv3-0.6-even",
)  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("law", blocks.INITIAL_WEIGHTS)
def test_every_network_draws_all_its_convolutions_from_the_law(name, law):
    torch.manual_seed(0)
    net = models.named(name, initial_weights=law).build()
    transfers = {
        part
        for m in net.modules()
        if isinstance(m, ChannelLevel)
        for side in (m.R, m.P)
        if side is not None
        for part in side.modules()
    }  # MGIC's transfers start as means, whatever the law
    checked = 0
    for m in net.modules():
        if isinstance(m, torch.nn.Conv2d):
            n, k = m.weight.numel(), m.kernel_size[0] * m.kernel_size[1]
            if m in transfers:
                assert m.weight.unique().numel() == 1
            elif n >= 64:
                checked += 1
                expected = VARIANCE[law](k, m.out_channels, m.in_channels // m.groups)
                assert abs(m.weight.var().item() / expected - 1) < 6 * (2 / n) ** 0.5, (name, m)
    assert checked > 5


def test_an_unknown_law_is_one_sentence():
    with pytest.raises(UnknownName, match="torch"):
        blocks.initialise(blocks.conv(8, 8), "xavier")
