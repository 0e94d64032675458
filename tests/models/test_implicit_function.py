"""MGIC's network of Table 2: its rows, its couplings, and runs on the function of the plane."""

import contextlib
import itertools
import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mgtutorial import _paths
from mgtutorial.data import plane_functions
from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.models import blocks
from mgtutorial.models.counting import count_weights
from mgtutorial.models.implicit_function import (
    BLOCKS,
    ENDS,
    OWN_BLOCKS,
    PRINTED_BLOCKS,
    ImplicitConfig,
    Pointwise,
)
from mgtutorial.models.mgic import group_numbers
from mgtutorial.reproduction.papers import printed_table
from mgtutorial.training import implicit_function, plane, records

from .literal import hold_against
from .literal_mobile import implicit

ALPHAS = (0.6, 0.8, 1.2)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A budget of seconds, with results of its own."""
    monkeypatch.setenv("MGTUTORIAL_RESULTS", str(tmp_path))
    budgets = {**plane.BUDGETS, "demo": (640, 3)}
    for module in (plane, implicit_function):
        monkeypatch.setattr(module, "BUDGETS", budgets)
    return tmp_path


def written(folder):
    return records.read(folder / "implicit_function.jsonl")


def losses(record):
    return [row.loss for row in record.curve]


def test_the_network_has_the_rows_of_table_2():
    rows = printed_table.read_table("mgic_table2_implicit_function_network.csv")
    for alpha in ALPHAS:
        config = ImplicitConfig(alpha, "dense", end="printed")
        widths = [round(160 * alpha) if r["c_out"] == "alpha*160" else int(r["c_out"])
                  for r in rows]  # fmt: skip
        net, seen = config.build(), []
        x = torch.rand(7, 2, 1, 1)
        for layer in net.layers:
            x = layer(x)
            seen.append(x.shape[1])
        # convolution, norm, ReLU; connector, norm, block; block; and the two last rows
        assert [seen[k] for k in (2, 5, 6, 9, 12)] == widths
        for block in (net.layers[5], net.layers[6]):
            assert block.branch[0].out_channels == int(rows[1]["expansion"]) * config.width


@pytest.mark.parametrize("alpha", ALPHAS)
def test_weights_follow_from_the_widths(alpha):
    c = ImplicitConfig(alpha).width
    around = (2 * 16 + 32) + (16 * c + 2 * c) + (64 * c + 128)
    end = {"printed": 64 * 2 + 4, "linear": 64 + 1}

    def block(c, groups):  # K1, K3; K2 and the norms on 2c, 2c and c channels
        return 4 * c * c // groups + 2 * c + 4 * c + 4 * c + 2 * c

    widths = ImplicitConfig(alpha).widths
    groups = group_numbers(widths, 16)
    mgic = sum(block(w, g) for w, g in zip(widths, groups, strict=True))
    mgic += sum(2 * fine * coarse // g + 2 * fine
                for fine, coarse, g in zip(widths, widths[1:], groups, strict=False))  # fmt: skip
    wanted = {"dense": block(c, 1), "grouped": block(c, c // 16), "mgic": mgic}
    for name, last in itertools.product(OWN_BLOCKS, ENDS):
        config = ImplicitConfig(alpha, name, end=last)
        assert count_weights(config) == around + 2 * wanted[name] + end[last]


def couplings(module, c):
    """Which outputs of a module in evaluation mode depend on which inputs."""
    module = module.double().eval()
    x = torch.rand(c, dtype=torch.float64) + 1
    jacobian = torch.func.jacrev(lambda v: module(v[None, :, None, None]).flatten())(x)
    return jacobian != 0


@pytest.mark.parametrize("alpha", ALPHAS)
def test_weights_of_the_printed_blocks_follow_from_the_widths(alpha):
    c = round(160 * alpha)
    around = (2 * 16 + 32) + (64 * c + 128) + (64 + 1)

    def bottleneck(a, b, groups=1):  # from a to b by way of 2 a, with a norm after each of three
        return (2 * a * a + 2 * a * b) // groups + 2 * a + 4 * a + 4 * a + 2 * b

    def ghost(a, b):  # half by weights, half by one weight each; norms
        return a * (b // 2) + b // 2 + 2 * b

    shortcut = 16 + 32 + 16 * c + 2 * c
    wanted = {
        "mobilenetv3": bottleneck(16, c) + bottleneck(c, c),
        "ghostnet": ghost(16, 32) + ghost(32, c) + shortcut + ghost(c, 2 * c) + ghost(2 * c, c),
    }
    widths = [c]
    while widths[-1] > 8:
        widths.append(widths[-1] // 2)
    sizes = {96: 8, 48: 8, 24: 8, 12: 6, 128: 8, 64: 8, 32: 8, 16: 8, 192: 8}  # divisors up to 8
    cycle = bottleneck(widths[-1], widths[-1])
    for w in widths[:-1]:
        cycle += bottleneck(w, w, w // sizes[w]) + sizes[w] * w + 2 * w
    wanted["mgic-bneck"] = c + 2 * c + 2 * cycle
    counted = {b: count_weights(ImplicitConfig(alpha, b, 8, 8)) for b in PRINTED_BLOCKS}
    assert counted == {name: around + own for name, own in wanted.items()}
    assert counted["mgic-bneck"] < counted["ghostnet"] < counted["mobilenetv3"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("block", PRINTED_BLOCKS)
def test_the_printed_blocks_equal_the_literal_ones(block, training, end):
    torch.manual_seed(1)
    config = ImplicitConfig(0.6, block, 8, 8, end)
    x = torch.rand(9, 2, dtype=torch.float64)

    def literal(x, state, training):
        return implicit(x, state, config, training)

    # without neighbours a constant in the features is a constant in all that follows, and the next
    # norm takes it away: in training, the biases at the ends of branches have no influence
    idle = {
        "mobilenetv3": r"branch\.7\.bias",
        "ghostnet": r"branch\.1\.(primary|cheap)\.1\.bias|shortcut\.\d\.bias",
        "mgic-bneck": r"layers\.4\.bias|P\.1\.bias|branch\.7\.bias",
    }[block]
    hold_against(config.build(), literal, x, training, idle if training else None)


@pytest.mark.parametrize("block", BLOCKS)
def test_products_of_matrices_are_the_convolutions_of_points_that_are_images(block):
    torch.manual_seed(0)
    net, at = ImplicitConfig(0.8, block).build().double(), plane.points(40, 0).double()
    ours = net(at)
    layers = [m for m in net.modules() if isinstance(m, Pointwise)]
    theirs = net.last(net.layers(at[:, :, None, None]).flatten(1))[:, 0]
    assert len(layers) > 6
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("block", BLOCKS)
def test_torch_counts_the_multiplications_of_a_point(block):
    net = ImplicitConfig(0.6, block).build().eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.rand(10, 2))
    filters = [
        m for m in net.modules()
        if isinstance(m, Pointwise) and m.groups == m.in_channels == m.out_channels
    ]  # these multiply numbers, and torch counts products of matrices  # fmt: skip
    multiplied = net.macs - sum(m.weight.numel() for m in filters)
    assert counter.get_total_flops() == 2 * 10 * multiplied


@pytest.mark.parametrize("name", OWN_BLOCKS)
def test_groups_never_meet_in_a_grouped_block_and_all_channels_meet_in_the_others(name):
    torch.manual_seed(0)
    config = ImplicitConfig(0.6, name)
    net = config.build()
    with torch.no_grad():  # positive weights: no ReLU closes, and nothing cancels
        for p in net.parameters():
            p.abs_().add_(0.1)
    full = couplings(net.layers[5], config.width)
    if name == "grouped":
        part = torch.arange(config.width) // config.s_g
        assert torch.equal(full, part[:, None] == part[None, :])
    else:
        assert full.all()


def test_the_printed_end_has_two_outputs_of_one_sign_and_a_difference_of_both():
    torch.manual_seed(0)
    net, at = ImplicitConfig(0.6, end="printed").build(), plane.points(500, seed=1)
    with torch.no_grad():
        net.eval()  # the same norms in both calls
        two, value = net.layers(at.T[None, :, None])[0, :, 0].T, net(at)
        assert two.min() >= 0
        assert torch.equal(value, two[:, 0] - two[:, 1])
    # one ReLU alone could do no better than 0 where the function is negative
    f = plane_functions.flower(plane.grid())
    assert f.clamp(max=0).square().mean() > 0.01


def test_the_flower_vanishes_on_its_curve_and_is_positive_inside():
    theta = torch.linspace(0, 2 * math.pi, 300, dtype=torch.float64)
    r = 0.3 + 0.1 * torch.cos(5 * theta)
    for scale, sign in ((1.0, 0), (0.99, 1), (1.01, -1)):
        curve = 0.5 + scale * torch.stack([r * theta.cos(), r * theta.sin()], dim=1)
        f = plane_functions.flower(curve)
        assert f.abs().max() < 1e-14 if sign == 0 else (f.sign() == sign).all()


def test_training_held_out_and_test_points_differ():
    train, held = plane.points(1000, 0), plane.points(1000, 1_000_000)
    together = torch.cat([train, held, plane.grid(20)])
    assert len(torch.unique(together, dim=0)) == 2400
    assert plane.grid(20).mean(0).allclose(torch.tensor([0.5, 0.5]))


def test_a_run_is_recorded_once_and_not_repeated(small):
    first = implicit_function.fit(ImplicitConfig(), "demo")
    again = implicit_function.fit(ImplicitConfig(), "demo")
    assert again == first and written(small) == [first]
    assert implicit_function.fit(ImplicitConfig(), "demo", seed=1).metric != first.metric


def test_smoke_leaves_nothing_behind(small):
    implicit_function.fit(ImplicitConfig(0.6, "grouped"))
    assert not (small / "implicit_function.jsonl").exists() and not (small / "checkpoints").exists()


def test_a_run_that_was_interrupted_goes_on_bit_for_bit(small, monkeypatch):
    class Interrupting:
        left = 8  # batches: five an epoch

        def update(self, n):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt

        def say(self, text):
            pass

        def epoch(self, number, line):
            pass

    @contextlib.contextmanager
    def bar(total, initial):
        yield Interrupting()

    with pytest.raises(KeyboardInterrupt):
        implicit_function.fit(ImplicitConfig(), "demo", progress=bar)
    assert not written(small)
    resumed = implicit_function.fit(ImplicitConfig(), "demo")
    monkeypatch.setenv("MGTUTORIAL_RESULTS", str(small / "undisturbed"))
    whole = implicit_function.fit(ImplicitConfig(), "demo")
    assert (losses(resumed), resumed.metric) == (losses(whole), whole.metric)


def test_a_rate_that_is_too_large_is_reported(small):
    with pytest.raises(InvalidValue, match=r"diverged.*lr=1e"):
        implicit_function.fit(ImplicitConfig(), "demo", lr=1e30)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"alpha": 0.001}, "alpha=0.001: 160 alpha"),
        ({"alpha": -1.0}, "alpha=-1.0"),
        ({"block": "grouped", "s_g": 7}, "group_size=7 does not divide the 96"),
        ({"s_g": 7}, "group_size=7"),
    ],
)
def test_bad_configs_are_refused_in_one_sentence(arguments, message):
    with pytest.raises(InvalidValue, match=message):
        ImplicitConfig(**arguments)


def test_unknown_names_get_the_nearest():
    with pytest.raises(UnknownName, match="mgic"):
        ImplicitConfig(block="mgci")
    with pytest.raises(UnknownName, match="demo"):
        implicit_function.fit(ImplicitConfig(), "dmeo")


def test_recorded_runs_are_of_the_networks_as_they_are():
    places = ("implicit_function.jsonl", plane.PlaneConfig.printed)
    found = [r for place in places for r in records.read(_paths.packaged_results() / place)]
    assert any(r.budget == "paper" for r in found)
    nets = {(r.config.model.alpha, r.config.model.block, r.config.model.end) for r in found
            if (r.budget, r.metric.split) == ("short", "test")}  # fmt: skip
    wanted = {(a, b, "linear") for a in ALPHAS for b in OWN_BLOCKS}
    assert nets >= wanted | {(0.6, b, "printed") for b in OWN_BLOCKS}
    for r in found:
        assert r.weights == count_weights(r.config.model)
        assert len(r.curve) == r.epochs


def test_the_rate_was_chosen_on_held_out_points():
    tried = {r.config.lr: r.metric.value
             for r in records.read(_paths.packaged_results() / "implicit_function.jsonl")
             if (r.config.function, r.config.on) == ("flower", "held-out points")}  # fmt: skip
    assert len(tried) == 6
    assert plane.RATES["flower"] == min(tried, key=tried.get)


def test_pointwise_blocks_are_convolutions_of_one_pixel():
    kernels = {m.kernel_size for b in BLOCKS for m in ImplicitConfig(1.2, b).build().modules()
               if isinstance(m, torch.nn.Conv2d)}  # fmt: skip
    assert kernels == {(1, 1)} == {blocks.conv(2, 3, kernel=1).kernel_size}


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (torch.rand(5, 3), r"points of shape \(n, 2\), .* \(5, 3\)"),
        (torch.rand(0, 2), r"at least one, but was given \(0, 2\)"),
        (torch.rand(2), r"was given \(2,\)"),
        (torch.rand(5, 2).double(), "points are of type torch.float64"),
        (torch.rand(5, 2).numpy(), "takes tensors, but was given a ndarray"),
    ],
)
def test_what_are_no_points_of_the_plane_is_a_sentence(points, said):
    with pytest.raises(InvalidValue, match=said):
        ImplicitConfig(0.6).build()(points)


def test_points_may_be_whole_numbers():
    net, points = ImplicitConfig(0.6).build().eval(), torch.arange(6).view(3, 2)
    assert torch.equal(net(points), net(points.float()))
