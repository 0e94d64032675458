"""MGIC: exact counts, and what the published ones would need."""

import pytest
import torch
from torch import nn

from mgtutorial import models
from mgtutorial.errors import InvalidValue
from mgtutorial.models import MGICMobileNetV3Config, TransferChain, blocks
from mgtutorial.models.counting import count_macs, count_weights
from mgtutorial.models.mgic import group_numbers, halvings
from mgtutorial.models.mobile_blocks import UnevenPointwise, group_number

# Integers that follow from the paper's text, by name (Tables 5, 7 and 12).
WEIGHTS = {
    "mgic-resnet56-c64-g16": 534_394,
    "mgic-resnet56-c32-g16": 498_682,
    "mgic-resnet56-c16-g32": 875_386,
    "mgic-resnet56-c16-g16": 525_178,
    "mgic-resnet56-c16-g8": 284_410,
    "mgic-resnet56-c16-g4": 164_026,
    "mgic-resnet50-g16": 6_190_760,
    "mgic-resnet50-g32": 9_198_248,
    "mgic-resnet50-g64": 15_213_224,
    "mgic-mobilenetv3-0.6": 2_309_836,
    "mgic-mobilenetv3-1.0": 5_049_516,
    "mgic-mobilenetv3-1.2": 6_988_924,
    "mgic-mobilenetv3-0.6-depthwise": 2_301_060,
    "mgic-mobilenetv3-1.0-depthwise": 5_021_836,
    "mgic-mobilenetv3-1.2-depthwise": 6_947_380,
    "mgic-mobilenetv3-0.6-even": 2_349_508,
    "mgic-mobilenetv3-1.0-even": 5_152_564,
    "mgic-mobilenetv3-1.2-even": 7_088_716,
    "mgic-mobilenetv3-0.6-table6": 2_523_528,
    "mgic-mobilenetv3-1.0-table6": 5_411_784,
    "mgic-mobilenetv3-1.2-table6": 7_559_064,
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_are_the_exact_integers(name):
    assert count_weights(models.named(name)) == WEIGHTS[name]


@pytest.mark.parametrize(
    ("s_c", "until", "weights"),
    [
        (64, "<=", 534_394),
        (32, "<=", 534_394),
        (16, "<=", 498_682),
        (64, "<", 534_394),
        (32, "<", 498_682),
        (16, "<", 525_178),
    ],
)
def test_both_halving_rules_of_resnet56(s_c, until, weights):
    assert count_weights(models.named("mgic-resnet56-c16-g16", s_c=s_c, until=until)) == weights


@pytest.mark.parametrize(("s_g", "weights"), [(32, 3328), (16, 1792), (8, 896), (4, 448)])
def test_transfers_alone_have_the_weights_of_table_1(s_g, weights):
    widths = halvings(64, coarsest=8)
    assert count_weights(TransferChain(widths, group_numbers(widths, s_g))) == weights


def test_only_groups_that_divide_reach_all_three_published_counts_of_mobilenetv3():
    printed = {"0.6": 2.3, "1.0": 5.2, "1.2": 7.1}  # millions, Table 7

    def matches(suffix):
        count = {w: count_weights(models.named(f"mgic-mobilenetv3-{w}{suffix}")) for w in printed}
        return [round(count[w] / 1e6, 1) == printed[w] for w in printed]

    assert matches("") == matches("-depthwise") == [True, False, False]
    assert matches("-even") == [True, True, True]
    assert matches("-table6") == [False, False, False]


def test_the_greatest_common_group_size_does_not_divide_all_hidden_widths():
    c, m = 80, 184  # the eighth and ninth block of MobileNetV3-Large
    groups = group_number(c, m, 64)
    assert groups == 10 and m % groups
    with pytest.raises(InvalidValue, match="groups=10 does not divide"):
        blocks.conv(c, m, kernel=1, groups=groups)
    conv = UnevenPointwise(c, m, groups)
    assert count_weights(conv) == c * m // groups
    # every hidden channel is coupled with c/groups = 8 others, and each group with 18 or 19
    reads = torch.autograd.functional.jacobian(conv, torch.zeros(1, c, 1, 1)).view(m, c) != 0
    assert set(reads.sum(1).tolist()) == {8}
    assert set(reads.sum(0).tolist()) == {18, 19}


def test_the_blocks_of_resnet56_count_as_the_formula_says():
    def block(c, coarsest, s_g=16):
        fine = [c // 2**k for k in range(c.bit_length()) if c // 2**k > coarsest]
        grouped = sum(19 * min(s_g, width) * width + 6 * width for width in fine)
        return grouped + 18 * coarsest**2 + 4 * coarsest

    counts = [block(16, 8), block(32, 16), block(64, 32)]
    assert counts == [6_144, 14_592, 38_400]
    net = models.named("mgic-resnet56-c64-g16").build()
    assert [count_weights(level.blocks[0]) for level in net.levels] == counts
    between = sum(count_weights(level.Pi) for level in net.levels[1:])
    assert [count_weights(net.stem), between, count_weights(net.head)] == [464, 1_056, 650]
    assert count_weights(net) == 9 * sum(counts) + 464 + 1_056 + 650


def test_a_further_convolution_in_the_stem_of_resnet50_does_not_help():
    extra = 9 * 64 * 64 + 2 * 64
    assert extra == 36_992
    off = [(WEIGHTS[f"mgic-resnet50-g{g}"] + extra) / p for g, p in ((32, 9.4e6), (64, 15.1e6))]
    assert round(off[0], 3) == 0.982 and off[1] > WEIGHTS["mgic-resnet50-g64"] / 15.1e6


@pytest.mark.parametrize(
    ("name", "size", "macs", "printed"),
    [
        ("mgic-resnet56-c64-g16", 32, 110_850_688, 91e6),
        ("mgic-resnet56-c16-g8", 32, 63_517_312, 60e6),
        ("mgic-resnet50-g32", 224, 2_283_550_720, 1.6e9),
        ("mgic-mobilenetv3-1.0", 224, 168_570_152, 145e6),
    ],
)
def test_the_published_operations_do_not_follow_from_the_text(name, size, macs, printed):
    assert count_macs(models.named(name), size) == macs
    assert macs > 1.05 * printed


def test_relu_in_place_of_hard_swish_changes_no_weight():
    smooth, plain = (MGICMobileNetV3Config(hard_swish=h) for h in (True, False))
    assert count_weights(smooth) == count_weights(plain)
    kinds = [{type(m) for m in config.build().modules()} for config in (smooth, plain)]
    assert nn.Hardswish in kinds[0] and nn.ReLU in kinds[0]
    assert nn.Hardswish not in kinds[1]
