"""MGiaD: every published count, equality with the literal algorithm, and its structure."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mgtutorial import models
from mgtutorial.data import catalogue
from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.models import MGiaDConfig, MgNetConfig
from mgtutorial.models.counting import count_macs, count_weights
from mgtutorial.models.mgiad import NAMED
from mgtutorial.training import protocols
from mgtutorial.training.loop import train
from mgtutorial.training.workspace import Workspace

from .literal import hold_against, tensors
from .literal_mgiad import mgiad as literal_mgiad

# --------------------------------------------------------------------- the published counts

# data set -> its channels and classes, and (lam, c_K, g_s) -> the exact number of weights
COUNTS = {
    "cifar10": (3, 10, {(3, 64, 4): 1_020_106, (3, 64, 8): 1_268_938}),
    "fashion-mnist": (
        1,
        10,
        {
            (1, 64, 4): 389_066,
            (1, 64, 64): 1_356_746,
            (1, 32, 4): 188_618,
            (1, 32, 16): 437_450,
            (1, 16, 4): 143_690,
            (1, 16, 16): 420_170,
        },
    ),
    "cifar100": (
        3,
        100,
        {
            (1, 64, 8): 480_676,
            (1, 64, 64): 1_383_844,
            (2, 64, 8): 744_676,
            (2, 64, 64): 3_067_108,
            (3, 64, 8): 1_338_148,
            (3, 64, 64): 4_821_796,
        },
    ),
    "tiny-imagenet": (
        3,
        200,
        {
            (1, 64, 8): 508_168,
            (1, 64, 64): 1_411_336,
            (2, 64, 8): 800_584,
            (2, 64, 64): 3_123_016,
            (3, 64, 8): 1_421_960,
            (3, 64, 64): 4_905_608,
        },
    ),
    "imagenet": (
        3,
        1000,
        {
            (1, 64, 8): 721_448,
            (1, 64, 64): 1_624_616,
            (2, 64, 8): 1_226_344,
            (2, 64, 64): 3_548_776,
            (3, 64, 8): 2_060_200,
            (3, 64, 64): 5_543_848,
        },
    ),
}
ROWS = [(data, *row) for data, (_, _, rows) in COUNTS.items() for row in rows]


@pytest.mark.parametrize(("data", "lam", "c_K", "g_s"), ROWS)
def test_weights_are_the_published_integers(data, lam, c_K, g_s):
    in_channels, num_classes, counts = COUNTS[data]
    config = models.named(f"mgiad-lam{lam}-c{c_K}-g{g_s}").for_data_set(catalogue.info(data))
    assert (config.in_channels, config.num_classes) == (in_channels, num_classes)
    assert count_weights(config) == counts[lam, c_K, g_s]


@pytest.mark.parametrize(("g_s", "weights"), [(4, 27_642), (8, 36_858), (16, 55_290)])
def test_weights_of_the_three_level_rows(g_s, weights):
    assert count_weights(models.named(f"mgiad-20-g{g_s}")) == weights


def test_what_the_three_counts_that_do_not_round_to_the_print_would_need():
    # 1035k: two norms more on every channel level, those of one step more; 1,020,106 without
    assert count_weights(models.named("mgiad-lam3-c64-g4", eta_post=2)) == 1_035_466
    # 1270k: nothing but to be rounded to 10k, as ResNet18's 11,173,962 = "11170k" beside it is
    assert round(count_weights(models.named("mgiad-lam3-c64-g8")), -4) == 1_270_000
    assert round(count_weights(models.named("resnet18")), -4) == 11_170_000
    # 2747k (MgNet, grey images): the norms of one step a level instead of two; 2,749,514 with two
    assert count_weights(models.named("mgnet", in_channels=1)) == 2_749_514
    assert count_weights(models.named("mgnet", in_channels=1, steps=1)) == 2_746_698


# -------------------------------------------------------------------------- multiplications


def macs_by_hand(config, size, how):
    """MACs of the convolutions and the head.

    `how`: as "written"; with the FAS identity in the "channels", where the first residual of a
    coarser level is known; as "executed", with A applied once to each correction whose residual
    somebody reads, and nowhere else: no level has data.
    """
    total = 9 * config.in_channels * config.widths[0] * size**2
    for l, widths in enumerate(config.channel_widths):
        side, last = -(-size // 2**l), l == len(config.widths) - 1
        steps = config.eta_pre + config.eta_post
        for k, c in enumerate(widths):
            coarsest = k == len(widths) - 1
            one = 9 * c * (c if coarsest else config.group_size) * side**2
            known = how == "executed" or (how == "channels" and k > 0)
            total += (steps + steps - known) * one  # B, and A for the residual of each step
            total += (how != "executed" and (k > 0 or l > 0)) * one  # A u in the data of this level
            if not coarsest:
                total += one + 3 * c * side**2  # the residual to be restricted; R, Pi, P
            if k == 0 and not (last and how == "executed"):
                total += one  # the residual to be restricted in resolution
        if not last:
            total += 2 * 9 * config.widths[l + 1] * (-(-side // 2)) ** 2
    return total + config.widths[-1] * config.num_classes


def literal_macs(config, size):
    """MACs of the transcription, counted by torch on tensors without content."""
    with torch.device("meta"):
        net, x = config.build(), torch.empty(1, config.in_channels, size, size)
    state = tensors(net)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        literal_mgiad(x, state, config, training=False)
    return counter.get_total_flops() // 2


@pytest.mark.parametrize(
    ("g_s", "literal", "executed"),
    [(4, 676_858_368, 425_372_160), (8, 780_151_296, 502_786_560)],
)
def test_macs_as_written_and_as_executed(g_s, literal, executed):
    config = models.named(f"mgiad-lam3-c64-g{g_s}")
    assert literal_macs(config, 32) == literal == macs_by_hand(config, 32, "written")
    assert count_macs(config, 32) == executed == macs_by_hand(config, 32, "executed")


def test_the_published_flops_skip_the_first_residuals_of_the_coarse_channel_levels():
    # 1.14 and 1.34 GFLOPs, with two operations for a multiplication and an addition

    def off(how):
        macs = [macs_by_hand(models.named(f"mgiad-lam3-c64-g{g}"), 32, how) for g in (4, 8)]
        return [abs(2 * m / 1e9 - p) for m, p in zip(macs, (1.14, 1.34), strict=True)], macs

    differences, macs = off("channels")
    assert macs == [560_626_176, 660_490_752]
    assert max(differences) < 0.02
    assert min(off("written")[0] + off("executed")[0]) > 0.04  # the other two are further away


# ------------------------------------------------------------------- the literal algorithm

# three, two and one channel level(s)
TINY = MGiaDConfig(channels=(4, 8, 16), coarsest=4, group_size=2)


def hold(config, x, training):
    """Hold a network against the transcription.

    With the correction of FAS the restriction of features in channels is without influence,
    nonlinear as the network is: every residual of a coarse level is free of it.
    """
    hold_against(
        config.build(),
        lambda x, state, training: literal_mgiad(x, state, config, training),
        x,
        training,
        idle=r"channel_levels\..*\.Pi\." if config.correction == "fas" else None,
    )


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("correction", ["printed", "fas"])
@pytest.mark.parametrize("etas", [(1, 1), (1, 2), (2, 1), (2, 2), (1, 0)])
@pytest.mark.parametrize("transfer_norms", ["none", "resolution", "all"])
def test_mgiad_equals_the_literal_algorithm(transfer_norms, etas, correction, training):
    torch.manual_seed(0)
    config = replace(TINY, transfer_norms=transfer_norms, correction=correction)
    config = replace(config, eta_pre=etas[0], eta_post=etas[1])
    hold(config, torch.randn(5, 3, 12, 10, dtype=torch.float64), training)


@pytest.mark.parametrize("correction", ["printed", "fas"])
def test_a_deep_cycle_in_channels_equals_the_literal_algorithm(correction):
    # four channel levels on the second resolution level; lam 3 ends at a width of 6
    torch.manual_seed(1)
    config = MGiaDConfig(channels=(8, 16), lam=3, coarsest=4, group_size=3, correction=correction)
    assert config.channel_widths == ((24, 12, 6), (48, 24, 12, 6))
    hold(config, torch.randn(4, 3, 9, 9, dtype=torch.float64), training=True)


def test_with_one_channel_level_it_is_mgnet():
    # c_K = c: the cycle is its own coarsest level, eta_pre + eta_post steps of MgNet
    torch.manual_seed(2)
    config = MGiaDConfig(channels=(6, 6), coarsest=6, transfer_norms="none", eta_post=2)
    ours, theirs = config.build().eval(), MgNetConfig(channels=(6, 6), steps=3).build().eval()
    state = {k.replace("channel_levels.0.", ""): v for k, v in ours.state_dict().items()}
    theirs.load_state_dict(dict(state))  # another network: without its metadata
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=0)


# ------------------------------------------------------------------------------- structure


def slope(config):
    """Weights for each unit of lam, at fixed group size and coarsest width."""
    kernel = 9 if config.stem == "3x3" else 49
    first, last, c = config.channels[0], config.channels[-1], sum(config.channels)
    etas = config.eta_pre + config.eta_post
    # A and B, norms of the steps, R Pi P with the norm of P, norms of R and Pi in channels:
    # for each channel of each channel level that is not the coarsest, 2 c - 2 c_K of them
    sic = 18 * config.group_size + 4 * etas + 5 + 2 * (config.transfer_norms == "all")
    down = 18 + 4 * (config.transfer_norms != "none")
    return (
        2 * sic * c
        + down * c
        + (kernel * config.in_channels + 2) * first
        + config.num_classes * last
    )


@pytest.mark.parametrize(
    ("c_K", "g_s", "data"),
    [(16, 4, data) for data in COUNTS]
    + [(c_K, g_s, "cifar10") for c_K, g_s in [(16, 8), (32, 16), (64, 4), (64, 64)]],
)
def test_the_weights_are_affine_in_the_width(c_K, g_s, data):
    config = MGiaDConfig(coarsest=c_K, group_size=g_s, unused_transfers=True).for_data_set(
        catalogue.info(data)
    )
    lams = (1, 2, 4, 8, 16)  # the widths that c_K divides a power of two times
    weights = [count_weights(replace(config, lam=lam)) for lam in lams]
    assert set(np.diff(weights) // np.diff(lams)) == {slope(config)}
    assert not np.any(np.diff(weights) % np.diff(lams))


def test_at_lam_3_the_coarsest_width_is_another_one():
    # 96 in place of 64, fully coupled: 4 x 18 x (96^2 - 64^2) weights off the line, and more
    config = models.named("mgiad-lam3-c64-g4")
    assert {w[-1] for w in config.channel_widths} == {96}
    line = count_weights(replace(config, lam=1)) + 2 * slope(config)
    above = 4 * 18 * (96**2 - 64**2) - 4 * (96 - 64) * (2 * (18 * 4 + 13) - 8)
    assert count_weights(config) - line == above > 300_000


def exponent(widths, weights):
    return np.polyfit(np.log(widths), np.log(weights), 1)[0]


def test_mgnet_grows_with_the_square_of_its_width_and_mgiad_towards_the_first_power():
    widths = np.array([64, 128, 256, 512, 1024])
    dense = [count_weights(MgNetConfig((w, 2 * w, 4 * w, 4 * w))) for w in widths]
    assert exponent(widths, dense) == pytest.approx(2.0, abs=0.05)
    config = MGiaDConfig(coarsest=64, group_size=4)
    ours = [count_weights(replace(config, lam=int(w) // 64)) for w in widths]
    local = np.diff(np.log(ours)) / np.diff(np.log(widths))
    assert np.all(np.diff(local) > 0)  # it grows from one width to the next ...
    far = [count_weights(replace(config, lam=lam)) for lam in (512, 1024)]
    assert local[0] < 0.5 and 0.99 < np.log2(far[1] / far[0]) < 1  # ... from far below 1, to 1


@pytest.mark.parametrize("g_s", [4, 8])
def test_grouped_mgnet_is_affine_too_but_its_groups_never_meet(g_s):
    lams = (1, 2, 3, 4)
    w = [
        count_weights(MgNetConfig((64 * m, 128 * m, 256 * m, 256 * m), group_size=g_s))
        for m in lams
    ]
    assert set(np.diff(w, 2)) == {0}


@pytest.mark.parametrize(("grouped", "met"), [("A and B", 4), ("B", 16)])
def test_channels_meet_through_a_dense_A_and_not_through_a_grouped_one(grouped, met):
    """How many of 16 channels of the data each of the features depends on, at g_s = 4."""
    torch.manual_seed(0)
    config = MgNetConfig((16, 32), 2, group_size=4, grouped=grouped, norm="none", activation="none")
    f = torch.randn(16, 1, 6, 6) * torch.eye(16)[:, :, None, None]  # one channel at a time
    with torch.no_grad():
        u = config.build().descend(f).u
    assert ((u.abs().amax((2, 3)) > 0).sum(0) == met).all()


@pytest.mark.parametrize("name", ["mgiad-lam1-c32-g4", "mgiad-20-g8"])
def test_post_smoothing_adds_norms_and_nothing_else(name):
    one, two = (models.named(name, eta_post=eta).build() for eta in (1, 2))
    before = {n for n, _ in one.named_parameters()}
    added = {n: p for n, p in two.named_parameters() if n not in before}
    assert all(re.search(r"smoothers\.2\.norm_(in|out)\.(weight|bias)$", n) for n in added)
    assert sum(p.numel() for p in added.values()) == 4 * sum(map(sum, one.config.channel_widths))
    shared = two.levels[0].channel_levels[0].smoothers
    assert len({id(s.B) for s in shared}) == 1


def test_operators_and_transfers_are_found_by_their_names():
    net = replace(TINY, transfer_norms="all", unused_transfers=True).build()
    roles = set()
    for name, _ in net.named_parameters():
        top, *rest = name.split(".")
        roles.add(
            top if top != "levels" else next(p for p in rest if p in {*"ABRP", "Pi"} or "norm" in p)
        )
    assert roles == {"stem", "head", "unused", "A", "B", "R", "Pi", "P", "norm_in", "norm_out"}
    names = {n for n, _ in net.named_modules()}
    assert "levels.2.channel_levels.2.smoothers.0.B" in names and "unused.1.0" in names


# --------------------------------------------------------------------- training, bad input


@pytest.mark.parametrize("correction", ["printed", "fas"])
def test_digits_are_learned(tmp_path, correction):
    config = MGiaDConfig(channels=(16, 32, 64), coarsest=16, group_size=4, correction=correction)
    config = protocols.configure(config, "digits", "smoke", n_train=None, lr=0.1)
    assert train(config, Workspace(tmp_path / "runs")).metric.value >= 0.95


@pytest.mark.parametrize(
    ("size", "changes"),
    [
        (8, {"in_channels": 1}),
        (28, {"in_channels": 1}),
        (64, {"transfer_norms": "all"}),
        (224, {"transfer_norms": "all", "stem": "7x7"}),
    ],
)
def test_the_image_sizes_of_the_data_sets(size, changes):
    config = MGiaDConfig(channels=(8, 16, 16, 16), coarsest=8, num_classes=7, **changes)
    net = config.build().eval()
    with torch.no_grad():
        assert net(torch.zeros(2, config.in_channels, size, size)).shape == (2, 7)


def test_a_config_survives_its_record():
    import json

    for config in NAMED.values():
        assert models.from_dict(json.loads(json.dumps(models.as_dict(config)))) == config


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"group_size": 48},
            "group_size=48 does not divide a level's 128 channels: choose among 1,",
        ),
        ({"group_size": 0}, "group_size=0: it must be a whole number, at least 1"),
        ({"coarsest": 65}, "coarsest=65 exceeds a level's 64 channels"),
        ({"channels": (36, 72), "coarsest": 4}, "the 9 channels on the way down cannot be halved"),
        ({"lam": 0}, "lam=0: it must be a whole number, at least 1"),
        ({"lam": 1.5}, "lam=1.5"),
        ({"eta_pre": 0}, "eta_pre=0"),
        ({"eta_post": -1}, "eta_post=-1: it must be a whole number, at least 0"),
        ({"channels": (16, 24), "coarsest": 8}, "24 is no multiple of 16"),
        ({"channels": ()}, "channels=()"),
    ],
)
def test_bad_configurations_are_sentences(changes, words):
    with pytest.raises(InvalidValue, match=re.escape(words)):
        MGiaDConfig(**changes)


def test_unknown_variants_come_with_the_allowed_ones():
    with pytest.raises(UnknownName, match="unknown correction 'FAS': did you mean 'fas'"):
        MGiaDConfig(correction="FAS")
    with pytest.raises(UnknownName, match="transfer_norms"):
        MGiaDConfig(transfer_norms="channels")


def test_more_levels_than_the_image_can_carry_are_a_sentence():
    net = MGiaDConfig(channels=(8, 8, 8, 8), coarsest=8).build()
    with pytest.raises(InvalidValue, match="4 levels on a finest grid of 3 x 4"):
        net(torch.zeros(1, 3, 3, 4))
