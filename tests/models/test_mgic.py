"""MGIC: equality with the literal algorithm, and its structure as mathematics."""

import json
import re
from itertools import pairwise

import pytest
import torch
from torch import nn

from mgtutorial import models, multigrid
from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.models import MGIC, MGICMobileNetV3Config, MGICResNetConfig, TransferChain, blocks
from mgtutorial.models.counting import activations_held, count_weights
from mgtutorial.models.mgic import group_numbers, halvings
from mgtutorial.models.mgic_mobilenetv3 import LARGE, TABLE_6
from mgtutorial.models.resnet import BasicBlock
from mgtutorial.training import protocols
from mgtutorial.training.loop import train
from mgtutorial.training.workspace import Workspace

from .literal import hold_against
from .literal_mgic import mgic_block, mgic_resnet, mobilenet
from .test_mgic_counts import WEIGHTS

F64 = torch.float64


def dense(c, groups):
    """The smallest block: a single convolution."""
    return blocks.conv(c, c, groups=groups)


def basic(c, groups):
    return BasicBlock(c, c, groups=groups)


def around(block, c, s_g, s_c, until="<="):
    widths = halvings(c, s_c, until)
    return MGIC(block, widths, group_numbers(widths, s_g))


# ------------------------------------------------------------- equality with the algorithm

RESNETS = [
    MGICResNetConfig((2, 1, 1), (8, 16, 32), s_g=4, s_c=8),
    MGICResNetConfig((1, 2), (16, 32), s_g=8, s_c=8, until="<=", num_classes=4),
    MGICResNetConfig((1, 1), (4, 8), s_g=16, s_c=4, in_channels=1),
    MGICResNetConfig(
        (1, 1, 1), (4, 8, 16), s_g=4, s_c=4, until="<=", block="bottleneck", stem="7x7"
    ),
]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("config", RESNETS)
def test_the_residual_networks_equal_the_literal_algorithm(config, training):
    torch.manual_seed(0)
    size = 40 if config.stem == "7x7" else 16
    x = torch.randn(6, config.in_channels, size, size, dtype=F64)
    hold_against(config.build(), lambda *a: mgic_resnet(a[0], a[1], config, a[2]), x, training)


# c = m; squeeze and stride; a hidden width that no number of groups divides; three channel levels
ROWS = ((3, 1, 16, False, 1), (3, 3, 24, True, 2), (5, 2.3, 40, True, 1), (3, 2.3, 80, False, 2))
SMALL = {"s_g": 32, "s_c": 20, "bottlenecks": ROWS, "features": 48, "hidden": 32}
# Where everything between two batch norms is linear and 1x1, the first one's bias is a constant
# that the second one removes in training. Zero padding keeps it from being constant.
LINEAR = r"^levels\.([12]\..*(Pi\.1|R\.1|P\.1|branch\.[78])|0\..*branch\.4)\.bias"
COARSE = (
    r"^levels\.([12]\..*(R\.1|channel_levels\.[12]\.block\.branch\.7)"
    r"|0\..*channel_levels\.1\.block\.branch\.4|2\..*(Pi\.1|P\.1|branch\.7))\.bias"
)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("changes", "idle"),
    [
        ({}, LINEAR),
        ({"connector": "depthwise", "hard_swish": False}, COARSE),
        ({"grouping": "number", "squeeze_bias": False}, LINEAR),
    ],
)
def test_mobilenetv3_equals_the_literal_algorithm(changes, idle, training):
    torch.manual_seed(0)
    config = MGICMobileNetV3Config(1.0, num_classes=5, **SMALL, **changes)
    x = torch.randn(6, 3, 24, 24, dtype=F64)
    hold_against(
        config.build(),
        lambda *a: mobilenet(a[0], a[1], config, a[2]),
        x,
        training,
        idle if training else None,
    )


@pytest.mark.parametrize("training", [True, False])
def test_a_block_around_a_constructor_of_our_own_equals_the_literal_algorithm(training):
    def block(c, groups):
        return nn.Sequential(blocks.conv(c, c, groups=groups), nn.BatchNorm2d(c), nn.Tanh())

    torch.manual_seed(0)
    net, groups = around(block, 32, s_g=8, s_c=4), (4, 2, 1, 1)

    def transcription(x, state, training):
        from .literal import batch_norm

        def cnn_block(v, at, j, g):
            v = nn.functional.conv2d(v, state[f"{at}.0.weight"], padding=1, groups=g)
            return torch.tanh(batch_norm(v, state, f"{at}.1", training))

        return mgic_block(x, {f"it.{k}": v for k, v in state.items()}, "it", groups, *[
            lambda v, at, j, g: cnn_block(v, at.removeprefix("it."), j, g), training
        ])  # fmt: skip

    # The statistics of the dictionary with longer names are the same tensors.
    hold_against(net, transcription, torch.randn(5, 32, 6, 7, dtype=F64), training)


def test_the_forward_pass_is_the_multigrid_cycle_and_restricts_no_residual(monkeypatch):
    calls = []
    cycle = multigrid.cycle
    monkeypatch.setattr(multigrid, "cycle", lambda *a: calls.append(a[1]) or cycle(*a))
    net = around(dense, 16, s_g=4, s_c=4)
    net(torch.zeros(1, 16, 4, 4))
    assert len(calls) == 3  # one call a level
    assert all(s.f == 0 and s.r == 0 for s in calls)


def test_the_chain_of_transfers_is_the_product_of_its_matrices():
    torch.manual_seed(0)
    widths = halvings(16, coarsest=4)
    chain = TransferChain(widths, group_numbers(widths, group_size=8)).double()
    for p in chain.parameters():
        nn.init.normal_(p)
    matrix = torch.eye(16, dtype=F64)
    *transfers, _ = chain.channel_levels
    for conv in [m.R for m in transfers] + [m.P for m in reversed(transfers)]:
        c = conv.in_channels
        unit = torch.eye(c, dtype=F64)[:, :, None, None]
        matrix = conv(unit)[:, :, 0, 0].T @ matrix
    x = torch.randn(3, 16, 5, 4, dtype=F64)
    torch.testing.assert_close(chain(x), torch.einsum("oi,nihw->nohw", matrix, x))
    assert [v.shape[1] for v in chain.restrict(x)] == [16, 8, 4]
    torch.testing.assert_close(chain.matrix(), matrix)
    assert TransferChain(widths, group_numbers(widths, 8)).to("meta").matrix().is_meta
    for wrong in (((64,), (1,)), ((64, 32), (8,))):
        with pytest.raises(InvalidValue, match="at least two levels"):
            TransferChain(*wrong)


# --------------------------------------------------------------------------- weights and cost


def conv_weights(c, s_g, coarsest, d=3):
    """A convolution on each level, R and P, by the sum of the chapter."""
    total, width = 0, c
    while width > coarsest:
        total += s_g * width * (d**2 + 1)
        width //= 2
    return total + coarsest**2 * d**2


@pytest.mark.parametrize("s_g", [4, 8, 16])
def test_weights_of_a_block_are_exactly_affine_in_the_width(s_g):
    coarsest = 16
    widths = [coarsest * 2**n for n in range(1, 7)]

    def weights(c, block):
        net = around(block, c, s_g, s_c=coarsest)
        assert net.channel_levels[-1].block.state_dict()  # the coarsest level has its block
        return count_weights(net)

    # one convolution a level: 2 s_g (d^2 + 1) a channel, and 2 for the norm after P, doubled
    slope = 2 * (s_g * 10 + 2)
    counts = [weights(c, dense) for c in widths]
    for (c, a), (d, b) in pairwise(zip(widths, counts, strict=True)):
        assert b - a == slope * (d - c)
    assert counts[0] == conv_weights(2 * coarsest, s_g, coarsest) + 2 * 2 * coarsest
    # two convolutions and their norms: 2 (19 s_g + 6)
    counts = [weights(c, basic) for c in widths]
    for (c, a), (d, b) in pairwise(zip(widths, counts, strict=True)):
        assert b - a == 2 * (19 * s_g + 6) * (d - c)
    # a dense block has a second difference that is not zero
    third, second, first = (count_weights(dense(c, 1)) for c in (48, 32, 16))
    assert third - 2 * second + first != 0


@pytest.mark.parametrize("c", [32, 64, 128, 512])
@pytest.mark.parametrize("s_g", [4, 16])
@pytest.mark.parametrize("d", [1, 3, 5])
def test_the_cost_stays_below_its_geometric_bound(c, s_g, d):
    s_c = 16
    net = around(lambda c, g: blocks.conv(c, c, kernel=d, groups=g), c, s_g, s_c)
    weights = count_weights(net) - sum(m.weight.numel() * 2 for m in norms(net))
    assert weights == conv_weights(c, s_g, s_c, d)
    assert weights < 2 * s_g * c * (d**2 + 1) + s_c**2 * d**2


def norms(net):
    return [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]


@pytest.mark.parametrize(
    ("c", "coarsest"), [(64, 32), (64, 16), (64, 8), (128, 16), (256, 8), (512, 16)]
)
def test_a_block_keeps_three_times_the_activations_of_its_kind_not_twice(c, coarsest):
    """Five tensors for each basic block, and two and a half for the transfers of a level.

    The paper says about twice; so it is with one coarser level only.
    """
    size, batch = 8, 2
    own = activations_held(basic(c, 1), batch, size, in_channels=c).elements
    cycle = around(basic, c, 8, s_c=coarsest)
    held = activations_held(cycle, batch, size, in_channels=c).elements
    # what the norms keep of their statistics is no feature: two numbers a channel
    own -= 2 * sum(m.num_features for m in norms(basic(c, 1)))
    held -= 2 * sum(m.num_features for m in norms(cycle))
    assert own == 5 * batch * size**2 * c
    assert held / own == 3 - 2 * coarsest / c


# ------------------------------------------------------------------------ who meets whom


def matrix(conv, c):
    """The matrix of a map on single pixels, which is linear."""
    with torch.no_grad():
        return conv(torch.eye(c, dtype=F64)[:, :, None, None])[:, :, 0, 0].T


@pytest.mark.parametrize(("s_g", "coarsest"), [(4, 16), (8, 8), (8, 32), (16, 16)])
def test_channels_meet_on_the_level_where_their_blocks_merge(s_g, coarsest):
    c, k = 64, 0
    net = around(lambda c, g: blocks.conv(c, c, kernel=1, groups=g), c, s_g, coarsest).double()
    down = up = torch.eye(c, dtype=F64)
    place = torch.arange(c)
    for k, level in enumerate(net.channel_levels, 1):
        width = c // 2 ** (k - 1)
        reach = (up @ matrix(level.block, width).abs() @ down) > 0
        if level.R is None:
            assert reach.all()
        else:
            home = place // (2 ** (k - 1) * s_g)
            assert torch.equal(reach, home[:, None] == home[None, :])
            down, up = matrix(level.R, width) @ down, up @ matrix(level.P[0], width // 2)


def test_half_of_the_channels_knows_of_the_other_half_what_fits_through_the_coarsest_level():
    torch.manual_seed(0)
    c, s_g, coarsest = 64, 8, 16
    net = around(lambda c, g: blocks.conv(c, c, kernel=1, groups=g), c, s_g, coarsest)
    net = net.double().eval()  # the norms of the start are the identity but for eps
    for level in net.channel_levels[:-1]:
        for conv in (level.R, level.P[0]):
            nn.init.normal_(conv.weight)  # means are of rank one
    whole = matrix(net, c)
    half = c // 2
    assert torch.linalg.matrix_rank(whole[:half, half:]) == coarsest // 2
    assert torch.linalg.matrix_rank(whole[:s_g, s_g:]) == s_g // 2  # a group and the rest
    # so it is with any blocks: what the transfers do not see of one half, the other never sees
    net = around(basic, c, s_g, coarsest).double().eval()
    R1, R2 = (matrix(m.R, m.R.in_channels) for m in net.channel_levels[:-1])
    unseen = torch.linalg.svd((R2 @ R1)[:, :half]).Vh[coarsest:]
    x = torch.randn(2, c, 5, 5, dtype=F64)
    y = x.clone()
    y[:, :half] += torch.einsum(
        "ic,nihw->nchw", unseen, torch.randn(2, half - coarsest, 5, 5).double()
    )
    with torch.no_grad():
        change = (net(y) - net(x)).abs().amax((0, 2, 3))
    assert change[half:].max() < 1e-12 and change[:half].min() > 0.01


# ------------------------------------------------------------------- sizes, training, bad input


@pytest.mark.parametrize(
    ("name", "size"),
    [("mgic-resnet56-c16-g8", 28), ("mgic-resnet56-c16-g8", 32), ("mgic-resnet56-c16-g8", 8)]
    + [("mgic-resnet50-g16", size) for size in (32, 64, 224)]
    + [(f"mgic-mobilenetv3-0.6{v}", s) for v in ("", "-depthwise") for s in (28, 32, 64, 224)],
)
def test_the_networks_take_the_image_sizes_of_the_data_sets(name, size):
    with torch.device("meta"):
        net = models.named(name, in_channels=1, num_classes=7).build()
        assert net.eval()(torch.zeros(2, 1, size, size)).shape == (2, 7)


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_config_survives_its_record(name):
    config = models.named(name)
    assert models.from_dict(json.loads(json.dumps(models.as_dict(config)))) == config


SMALL_ROWS = ((3, 1, 16, False, 1), (3, 3, 32, True, 2), (3, 3, 64, True, 1))


@pytest.mark.parametrize(
    "model",
    [
        MGICResNetConfig((1, 1, 1), (16, 32, 64), s_g=8, s_c=16),
        MGICResNetConfig((1, 1, 1), (16, 32, 64), s_g=8, s_c=16, until="<=", block="bottleneck"),
        MGICMobileNetV3Config(
            s_g=16, s_c=16, bottlenecks=SMALL_ROWS, features=128, hidden=128, swish_from=64
        ),
    ],
    ids=["basic", "bottleneck", "mobilenetv3"],
)
def test_it_learns_the_digits(model, tmp_path):
    config = protocols.configure(model, "digits", "smoke", n_train=None, lr=0.1)
    assert train(config, Workspace(tmp_path, device="cpu")).metric.value >= 0.95


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MGICResNetConfig(s_g=12), "group_size=12 does not divide the 16 channels"),
        (lambda: MGICResNetConfig(channels=(15, 30, 60)), "15 channels cannot be halved"),
        (lambda: MGICResNetConfig(channels=(18, 36), blocks=(1, 1), s_g=3), "even group size"),
        (lambda: MGICResNetConfig(s_g=0), "group_size=0"),
        (lambda: MGICResNetConfig(s_c=128), "coarsest=128: .* give at most 64"),
        (lambda: MGICResNetConfig(s_c=1), "coarsest=1: .* give at least 2"),
        (lambda: MGICResNetConfig(s_c=0, until="<="), "coarsest=0: .* give at least 1"),
        (lambda: MGICResNetConfig(blocks=(9, 9)), "one number for each level"),
        (lambda: MGICResNetConfig(channels=()), "channels=()"),
        (lambda: MGICResNetConfig(channels=(16, 24, 48)), "24 is no multiple of 16"),
        (lambda: MGICResNetConfig(num_classes=-1), "num_classes=-1"),
        (lambda: MGIC(dense, (16,), (1,)), "at least two levels"),
        (lambda: MGIC(dense, (16, 8), (4, 2, 1)), "one number of each"),
        (lambda: MGIC(dense, (16, 8), (3, 1)), "groups=3 does not divide"),
        (lambda: MGICMobileNetV3Config(width=0), "width=0"),
        (lambda: MGICMobileNetV3Config(s_c=500), "coarsest=500: .* give at most 160"),
        (lambda: MGICMobileNetV3Config(bottlenecks=()), "bottlenecks=()"),
        (lambda: MGICMobileNetV3Config(bottlenecks=((2, 1, 16, 0, 1),)), "odd kernel"),
        (lambda: MGICMobileNetV3Config(s_g=1), "cannot be halved"),
        (lambda: MGICMobileNetV3Config(s_g=4, grouping="number"), "no number of groups"),
        (lambda: MGICMobileNetV3Config(s_c=1), "cannot be halved"),
        (
            lambda: models.named("mgic-mobilenetv3-0.6").build()(torch.zeros(1, 3, 16, 16)),
            "8 x 8: .* at most 4 levels",
        ),
        (
            lambda: models.named("mgic-resnet56-c16-g8").build()(torch.zeros(1, 3, 2, 2)),
            "3 levels on a finest grid of 2 x 2",
        ),
    ],
)
def test_bad_input_is_a_sentence(make, words):
    with pytest.raises(InvalidValue, match=words.replace("(", r"\(").replace(")", r"\)")) as e:
        make()
    assert re.fullmatch(r"[^\n]+\.", str(e.value))


def test_unknown_kinds_are_named():
    with pytest.raises(UnknownName, match="until"):
        MGICResNetConfig(until="==")
    with pytest.raises(UnknownName, match="block"):
        MGICResNetConfig(block="deep")
    with pytest.raises(UnknownName, match="connector"):
        MGICMobileNetV3Config(connector="pool")
    with pytest.raises(UnknownName, match="mgic-resnet56-c16-g8"):
        models.named("mgic-resnet56-c16-g9")


def test_table_6_has_a_bottleneck_more_than_mobilenetv3():
    assert (len(LARGE), len(TABLE_6)) == (15, 16)


@pytest.mark.parametrize("c", [0, -4, 8.0, True])
def test_widths_are_positive_whole_numbers(c):
    with pytest.raises(InvalidValue, match=f"channels={c}"):
        halvings(c, 4)
    with pytest.raises(InvalidValue, match=f"channels={c}"):
        group_numbers((c, c), 4)
