"""Counting: parts that sum to the whole, the papers' multiplications, memory held by autograd."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mgtutorial import models, multigrid
from mgtutorial.errors import InvalidValue
from mgtutorial.models import counting
from mgtutorial.models.applications import literal_macs
from mgtutorial.models.counting import Part, count_macs, count_weights

from .literal import mgnet, tensors
from .literal_mgiad import mgiad

# One of each kind, and of each way to name its modules.
KINDS = [
    "resnet20", "resnet50", "mgnet", "mgnet-a", "mgnet-g8", "mgiad-lam1-c16-g4", "mgiad-20-g8",
    "mgic-resnet56-c16-g8", "mgic-resnet50-g32", "mgic-mobilenetv3-0.6", "poly-mgnet-g6-pair",
]  # fmt: skip


def size_of(config):
    return 64 if config.num_classes == 1000 else 32


@pytest.mark.parametrize("name", KINDS)
def test_the_parts_sum_to_the_whole_and_each_has_a_role(name):
    config = models.named(name)
    with torch.device("meta"):
        net = config.build()
    weights, size = counting.weights_by_part(config), size_of(config)
    assert sum(weights.values()) == sum(p.numel() for p in net.parameters())
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net.eval()(torch.zeros(1, config.in_channels, size, size, device="meta"))
    macs = counting.macs_by_part(config, size)
    assert sum(macs.values()) == counter.get_total_flops() // 2
    assert {p.role for p in {**weights, **macs}} <= set(counting.ROLES) - {"other"}
    # a role costs nothing in the forward pass, or has a level, or is outside of them
    assert not any(p.role in ("norms", "unused", "roots") for p in macs)
    assert all((p.level is None) == (p.role in ("stem", "head")) for p in macs)


def test_mgnets_parts_are_the_terms_of_its_weight_formula():
    config = models.named("mgnet")
    parts = counting.weights_by_part(config)
    for l, c in enumerate(config.channels, 1):
        assert parts[Part(l, None, "A")] == parts[Part(l, None, "B")] == 9 * c**2
        assert parts[Part(l, None, "norms")] == 4 * config.steps * c
        if l > 1:  # the transfers that lead to a level stand with the level they lead from
            assert parts[Part(l - 1, None, "R")] == parts[Part(l - 1, None, "Pi")] == 9 * c
    assert parts[Part(None, None, "unused")] == 18 * config.channels[0]
    assert parts[Part(None, None, "head")] == (config.channels[-1] + 1) * 10
    assert parts[Part(None, None, "stem")] == 27 * config.channels[0]
    assert parts[Part(None, None, "norms")] == 2 * config.channels[0]


def test_what_steps_share_counts_once_and_what_they_own_each_time():
    shared = counting.weights_by_part(models.named("mgnet"))
    own = counting.weights_by_part(models.named("mgnet-a"))
    assert all(n == (2 if part.role == "B" else 1) * shared[part] for part, n in own.items())


def test_mgiads_channel_levels_are_told_apart():
    config = models.named("mgiad-lam3-c64-g4")
    parts = counting.weights_by_part(config)
    for l, widths in enumerate(config.channel_widths, 1):
        for k, c in enumerate(widths, 1):
            coarsest = k == len(widths)
            assert parts[Part(l, k, "A")] == 9 * c * (c if coarsest else 4)
            for role in ("R", "Pi", "P"):
                assert parts.get(Part(l, k, role), 0) == (0 if coarsest else c)


def test_each_application_of_A_is_counted_where_it_happens():
    macs = counting.macs_by_part(models.named("mgnet-20"), 32)
    for l, (c, applied) in enumerate([(16, 3), (32, 3), (64, 2)], 1):  # nu = 3
        once = 9 * c**2 * (32 >> (l - 1)) ** 2
        assert macs[Part(l, None, "A")] == applied * once
        assert macs[Part(l, None, "B")] == 3 * once


def test_a_module_that_calls_another_is_not_charged_for_it():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale, self.A = nn.Parameter(torch.ones(1)), nn.Conv2d(3, 4, 1, bias=False)

        def forward(self, x):
            return nn.functional.conv2d(self.scale * self.A(x), torch.ones(2, 4, 1, 1))

    macs = counting.macs_by_part(Outer(), 8, in_channels=3)
    assert macs == {Part(None, None, "A"): 12 * 64, Part(None, None, "other"): 8 * 64}


# The papers' figures: MGiaD prints 1.40, 1.14 and 1.34 GFLOPs, two to a multiplication.
MACS = {
    "mgnet": (701_082_112, 484_026_880),
    "mgiad-lam3-c64-g4": (676_858_368, 425_372_160),
    "mgiad-lam3-c64-g8": (780_151_296, 502_786_560),
    "mgiad-lam1-c64-g4": (269_226_496, 201_986_560),
}


@pytest.mark.parametrize("name", MACS)
def test_multiplications_as_written_and_as_executed(name):
    config = models.named(name)
    assert (literal_macs(config, 32), count_macs(config, 32)) == MACS[name]


@pytest.mark.parametrize(
    "config",
    [
        models.MgNetConfig((4, 8, 16), 2),
        models.MgNetConfig((4, 8, 16), (3, 1, 2), group_size=2),
        models.MgNetConfig((4, 8, 8), 2, fas=False),
        models.MgNetConfig((8,), 1),  # its A is written and never executed
        models.MGiaDConfig((8, 16), coarsest=4, group_size=4, eta_post=0),
        models.MGiaDConfig((4, 8, 16), coarsest=4, group_size=2),
        models.MGiaDConfig((4, 8), coarsest=2, group_size=2, eta_pre=2, eta_post=0),
        models.MGiaDConfig((8, 16), coarsest=2, group_size=2, gamma=2),
        models.MGiaDConfig((8,), coarsest=1, group_size=2, gamma=3, transfer_norms="all"),
    ],
)
def test_the_literal_count_is_what_a_literal_program_executes(config):
    state = {k: v.detach() for k, v in tensors(config.build()).items()}
    x, unread = torch.zeros(1, 3, 12, 10), 0
    with FlopCounterMode(display=False) as counter:
        if isinstance(config, models.MGiaDConfig):
            mgiad(x, state, config, False)
        else:
            mgnet(x, state, config.channels, config.steps, False, config.fas, config.group_size)
            # this transcription leaves out the last level's residual, which is written in the
            # algorithm
            c, halved = config.channels[-1], 2 ** (len(config.channels) - 1)
            unread = 9 * c * (config.group_size or c) * -(-12 // halved) * -(-10 // halved)
    assert counter.get_total_flops() // 2 + unread == literal_macs(config, (12, 10))


@pytest.mark.parametrize("gamma", [1, 2, 3])
def test_no_level_is_executed_more_often_than_it_is_written(gamma):
    config = models.MGiaDConfig((8, 16), coarsest=2, group_size=2, gamma=gamma)
    net, executed = config.build().eval(), Counter()
    for l, level in enumerate(net.levels, 1):
        for k, channels in enumerate(level.channel_levels, 1):
            channels.A.register_forward_hook(lambda *_, at=(l, k): executed.update([at]))
    net(torch.zeros(1, 3, 8, 8))
    written = models.applications_written(config)
    assert executed.keys() == written.keys() and all(executed[at] <= written[at] for at in written)


@pytest.mark.parametrize(
    "network",
    [
        models.named("resnet20"), models.named("galerkin-20"), models.named("poly-mgiad-20-g4"),
        nn.Conv2d(3, 3, 3),
    ],
)  # fmt: skip
def test_only_fas_networks_have_a_literal_count(network):
    with pytest.raises(InvalidValue, match=f"{type(network).__name__} does not describe"):
        literal_macs(network, 32, 3)


# ------------------------------------------------------------------ memory for the backward pass


def test_held_is_what_each_operation_needs_for_its_gradients():
    # convolution: its input; batch norm: its input, a mean and a deviation a channel; ReLU: its
    # result, which the next convolution needs, too, and which counts once
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 4, 1, bias=False),
    )  # fmt: skip
    pixels = 5 * 6 * 6
    expected = 3 * pixels + 8 * pixels + 2 * 8 + 8 * pixels
    held = counting.activations_held(net, 5, 6, in_channels=3)
    assert held == (expected, 4 * expected)
    double = counting.activations_held(net.double(), 5, 6, in_channels=3)
    assert double == (expected, 8 * expected)


def test_nothing_is_held_where_nothing_is_trained():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    assert counting.activations_held(net.requires_grad_(False), 2, 4, 3).elements == 0


@pytest.mark.parametrize("name", ["mgnet-20", "mgiad-20-g4", "mgic-resnet56-c16-g8", "resnet20"])
def test_the_meta_device_holds_what_the_processor_does(name):
    config = models.named(name)
    built = config.build()
    assert counting.activations_held(config, 4, 16) == counting.activations_held(built, 4, 16)


def test_counting_leaves_the_network_as_it_was():
    net = models.named("mgnet-20").build().eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    counting.activations_held(net, 2, 16)
    count_macs(net, 16)
    assert not net.training and not any(m._forward_hooks for m in net.modules())
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


COUNTS = {
    "count_macs": lambda net: count_macs(net, 8, 3),
    "activations_held": lambda net: counting.activations_held(net, 2, 8, 3),
    "activations_alive": lambda net: models.activations_alive(net, 2, 8, 3),
    "activations_in_training": lambda net: models.activations_in_training(net, 2, 8, 3),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("count", COUNTS)
def test_a_norm_stays_frozen_and_a_dropout_awake_and_no_random_number_is_used(count, training):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout())
    net.train(training)
    for m in net[1:]:
        m.train(not training)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    modes, state = [m.training for m in net.modules()], torch.get_rng_state()
    COUNTS[count](net)
    assert [m.training for m in net.modules()] == modes
    assert torch.get_rng_state().equal(state)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_sizes_may_be_numpys_and_a_network_without_weights_multiplies_nothing():
    net, of = nn.Conv2d(3, 4, 3, bias=False), np.int64
    assert count_macs(net, of(8), of(3)) == count_macs(net, (of(8), 8), 3) == 27 * 4 * 36
    assert counting.activations_held(net, of(2), 8, 3) == counting.activations_held(net, 2, 8, 3)
    assert count_macs(nn.ReLU(), 8, 3) == 0


@pytest.mark.parametrize("count", COUNTS)
def test_what_is_no_network_for_images_is_a_sentence(count):
    function = getattr(models, count)
    batch = () if count == "count_macs" else (2,)
    net = nn.Conv2d(3, 4, 3)
    for args, said in [
        ((net, *batch, 8), "Conv2d has no channels of images: give in_channels"),
        ((models.PointCloudConfig(), *batch, 8), "PointCloudNetwork has no channels"),
        (("mgnet-20", *batch, 8, 3), "'mgnet-20' is no network: .*named"),
        ((net, *batch, 8.0, 3), "size=8.0: it must be a whole number"),
        ((net, *batch, (8, 0), 3), "size=0: it must be a whole number, at least 1"),
        ((net, *batch, (8, 8, 8), 3), "height and width"),
        ((net, *batch, 8, 0), "in_channels=0"),
        *(((net, 0, 8, 3), "batch_size=0") for _ in batch),
    ]:
        with pytest.raises(InvalidValue, match=said):
            function(*args)


def test_sharing_weights_saves_no_activations():
    shared, own = (counting.activations_held(models.named(n), 2, 32) for n in ("mgnet", "mgnet-a"))
    assert shared == own and count_weights(models.named("mgnet")) < count_weights(
        models.named("mgnet-a")
    )


def test_held_grows_with_the_batch_but_for_the_norms_statistics():
    one, two, three = (
        counting.activations_held(models.named("mgnet-20"), n, 32).elements for n in (2, 4, 6)
    )
    assert three - two == two - one
    statistics = counting.weights_by_part(models.named("mgnet-20"))
    norms = sum(n for part, n in statistics.items() if part.role == "norms")
    assert one - (two - one) == norms  # a mean and a deviation for a weight and a bias each


@pytest.mark.parametrize("n", [1, 0, 2.0])
def test_a_batch_without_statistics_is_refused(n):
    with pytest.raises(InvalidValue, match="batch_size"):
        counting.activations_held(models.named("mgnet-20"), n, 32)


@pytest.mark.parametrize(
    ("name", "carried", "given"),
    [("mgnet", 610, 694), ("poly-mgnet-g4", 726, 810), ("poly-mgnet-q2", 668, 580)],
)
def test_what_a_carried_residual_does_to_the_memory(name, carried, given):
    """MiB for a batch of 128, against levels that are given f': as the chapters have it."""
    with torch.device("meta"):
        net = models.named(name).build()

    def with_data(f):
        levels = [replace(m.level(), linear=False) for m in net.levels]
        return multigrid.backslash(levels, multigrid.start(f))

    assert round(counting.activations_held(net, 128, 32).bytes / 2**20) == carried
    net.descend = with_data
    assert round(counting.activations_held(net, 128, 32).bytes / 2**20) == given
