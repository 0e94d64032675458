"""Each entry of book/errata.md on MGIC is shown by one test here."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from mgtutorial import _paths, models
from mgtutorial.errors import InvalidValue
from mgtutorial.models import MGICMobileNetV3Config, MGICResNetConfig, blocks, counting
from mgtutorial.models.counting import count_macs, count_weights
from mgtutorial.models.implicit_function import OWN_BLOCKS
from mgtutorial.models.mgic import MGIC, TransferChain, group_numbers, halvings
from mgtutorial.models.resnet import Bottleneck
from mgtutorial.reproduction import expected_counts, published
from mgtutorial.reproduction.papers.printed_table import read_table
from mgtutorial.reproduction.published import rounds_to
from mgtutorial.training import protocols, records

from . import mgic_readings


def test_mgic_loop_restricts_once_too_often():
    widths = halvings(64, coarsest=8)
    assert widths == (64, 32, 16, 8)  # n = 3 coarser levels
    for line in read_table("mgic_table1_coarse_channels.csv"):
        s_g = int(line["s_g"])
        chain = count_weights(TransferChain(widths, group_numbers(widths, s_g)))
        assert rounds_to(chain, line["params_k"], "k")
        once_more = chain + count_weights(blocks.conv(8, 4, kernel=1, groups=max(8 // s_g, 1)))
        if s_g == 32:
            assert (chain, once_more) == (3328, 3360)
            assert not rounds_to(once_more, line["params_k"], "k")
        if s_g == 4:
            assert (once_more, line["params_k"]) == (464, "0.4")


def test_mgic_cost_of_transfers_and_of_the_coarsest_level():
    c, s_g, s_c, d = 128, 8, 16, 3
    widths = halvings(c, s_c)
    net = MGIC(
        lambda c, groups: blocks.conv(c, c, kernel=d, groups=groups),
        widths,
        group_numbers(widths, s_g),
    )
    parts = counting.weights_by_part(net)
    by_role = {
        role: sum(n for p, n in parts.items() if p.role == role) for role in ("blocks", "R", "P")
    }
    fine = widths[:-1]
    assert by_role["blocks"] == sum(s_g * w * d**2 for w in fine) + s_c**2 * d**2
    assert by_role["R"] + by_role["P"] == sum(s_g * w for w in fine)
    assert sum(by_role.values()) < 2 * s_g * c * (d**2 + 1) + s_c**2 * d**2


def test_mgic_equation_2_2_has_a_parenthesis_too_few():
    printed = "x + K3 s(N(K2(s(N(K1 s(N(x))))))"  # in the journal's version
    assert (printed.count("("), printed.count(")")) == (7, 6)

    def own(order):  # the weights of a bottleneck do not depend on where its norms stand
        widths = {"before": (64, 16, 16), "after": (16, 16, 64)}[order]
        convs = (blocks.conv(64, 16, 1), blocks.conv(16, 16), blocks.conv(16, 64, 1))
        return sum(map(count_weights, convs)), sum(2 * w for w in widths)

    assert own("before") == own("after")
    assert sum(own("after")) == count_weights(Bottleneck(64, 16))


LABELS = ((64, 16), (32, 16), (16, 16), (16, 32), (16, 8), (16, 4))  # (s_c, s_g) of Table 12


def printed_of_resnet56():
    """(s_c, s_g) -> the printed millions: of one label two."""
    found = {}
    for line in read_table("mgic_table12_ablation.csv"):
        if line["paper_version"] == "sisc":
            found.setdefault((int(line["s_c"]), int(line["s_g"])), []).append(line["params_m"])
    return found


def test_mgic_halving_as_printed_meets_no_count():
    printed = printed_of_resnet56()
    assert tuple(printed) == LABELS

    def met(counts):
        return {at for at, n in counts.items() if any(rounds_to(n, p, "M") for p in printed[at])}

    literal = {at: count_weights(mgic_readings.resnet56(at[1], at[0])) for at in LABELS}
    assert (literal[64, 16], literal[32, 16]) == (877_114, 556_858) and met(literal) == set()
    assert mgic_readings.widths(16, 16) == (16,)
    below = {(s_c, s_g): count_weights(MGICResNetConfig(s_g=s_g, s_c=s_c)) for s_c, s_g in LABELS}
    assert (below[64, 16], below[32, 16]) == (534_394, 498_682)
    assert met(below) == {(64, 16), (32, 16), (16, 16)}
    for g, at_most, strictly in ((16, True, False), (32, False, True), (64, False, False)):
        row = published.row("mgic-table5", f"mgic-resnet50-g{g}")
        counts = [count_weights(replace(row.config, until=rule)) for rule in ("<=", "<")]
        assert [rounds_to(n, row.printed, "M") for n in counts] == [at_most, strictly]


def test_mgic_how_often_s_c_is_s_g():
    own = [*LABELS, (16, 16), (16, 8)]  # Table 12 has one label twice; Table 3
    own += [
        (int(r["s_c"]), int(r["s_g"]))
        for r in read_table("mgic_table5_resnet50_imagenet.csv")
        if r["s_g"] and r["paper_version"] == "sisc"
    ]
    assert (len(own), sum(s_c == s_g for s_c, s_g in own)) == (11, 3)
    light = [r for r in published.rows("mgic-table7") if not r.arxiv and "mgic" in r.name]
    assert (len(own) + len(light), 3 + len(light)) == (17, 9)  # 64 and 64, in the first version
    c, s_g, s_c, d = 128, 16, 64, 3  # Equation 3.5, with one coarser level
    assert (s_c**2 * d**2, s_g * c * (d**2 + 1)) == (36_864, 20_480)


def own_operations():
    """(printed, unit, ours) of the 17 rows of MGIC's own networks."""
    tables = {
        "mgic-table3": ("mgic_table3_resnet56_cifar10.csv", "flops_m", 1e6),
        "mgic-table12": ("mgic_table12_ablation.csv", "flops_m", 1e6),
        "mgic-table5": ("mgic_table5_resnet50_imagenet.csv", "flops_b", 1e9),
        "mgic-table7": ("mgic_table7_lightweight_imagenet.csv", "flops_m", 1e6),
    }
    for table, (file, column, unit) in tables.items():
        printed = {r["source"]: r[column] for r in read_table(file)}
        for r in published.rows(table):
            if r.config is not None and r.own and not r.arxiv:
                yield r.name, printed[r.source], unit, expected_counts.counts(table, r.name)[1]


def test_mgic_operations_of_its_own_networks_are_not_met():
    found = list(own_operations())
    assert len(found) == 17
    off = [abs(n / unit / float(printed) - 1) for _, printed, unit, n in found]
    assert (round(100 * min(off), 1), round(100 * max(off))) == (5.9, 129)
    small = {name: (printed, round(n / 1e6)) for name, printed, _, n in found if "0.6" in name}
    assert small == {
        "mgic-mobilenetv3-0.6": ("48", 103),
        "mgic-mobilenetv3-0.6-relu": ("45", 103),  # the same convolutions
    }


def test_mgic_stages_see_other_sizes_with_strides_than_with_pools():
    def sizes(network):
        seen = []
        hooks = [
            m.register_forward_hook(lambda m, x, y: seen.append(x[0].shape[-1]))
            for m in network.modules()
            if isinstance(m, MGIC)
        ]
        with torch.device("meta"):
            network.to("meta")(torch.zeros(1, 3, 224, 224))
        for hook in hooks:
            hook.remove()
        return sorted(set(seen), reverse=True)

    pools, strides = mgic_readings.resnet50(16), models.named("mgic-resnet50-g16")
    assert sizes(pools) == [112, 56, 28, 14] and sizes(strides.build()) == [56, 28, 14, 7]
    rows = read_table("mgic_table4_resnet50_architecture.csv")[2:6]
    assert [int(r["input"].split("x")[0]) for r in rows] == [112, 56, 28, 14]
    macs = count_macs(mgic_readings.resnet50(16), 224, 3), count_macs(strides, 224)
    assert macs[0] > macs[1] > 1.0e9  # printed 1.0B


# GhostNet's blocks in its authors' code: hidden channels, channels, squeeze, stride.
GHOSTNET = (
    (16, 16, 0, 1), (48, 24, 0, 2), (72, 24, 0, 1), (72, 40, 1, 2), (120, 40, 1, 1),
    (240, 80, 0, 2), (200, 80, 0, 1), (184, 80, 0, 1), (184, 80, 0, 1), (480, 112, 1, 1),
    (672, 112, 1, 1), (672, 160, 1, 2), (960, 160, 0, 1), (960, 160, 1, 1), (960, 160, 0, 1),
    (960, 160, 1, 1),
)  # fmt: skip


def test_mgic_table_6_is_ghostnets():
    printed = [r for r in read_table("mgic_table6_mobilenetv3_architecture.csv")
               if r["operation"] == "mgic_bneck"]  # fmt: skip
    rows = tuple(
        (int(r["exp"]), int(r["c_out"]), int(r["se"]), 1 + int(r["pool"])) for r in printed
    )
    assert rows == GHOSTNET
    assert (len(rows), len(MGICMobileNetV3Config().bottlenecks)) == (16, 15)
    table6 = models.named("mgic-mobilenetv3-1.0-table6")
    even = {"grouping": "number", "squeeze_bias": False}
    counts = [
        count_weights(replace(table6, **changes))
        for changes in ({"connector": "depthwise"}, {}, even)
    ]
    counts.append(count_weights(mgic_readings.mobilenetv3(1.0)))
    assert counts == [5_384_104, 5_411_784, 5_513_032, 5_832_788]
    assert not any(rounds_to(n, "5.2", "M") for n in counts)


def test_mgic_table_7_counts_need_departures():
    printed = {w: published.row("mgic-table7", f"mgic-mobilenetv3-{w}").printed
               for w in ("0.6", "1.0", "1.2")}  # fmt: skip
    assert list(printed.values()) == ["2.3", "5.2", "7.1"]
    literal = [count_weights(mgic_readings.mobilenetv3(float(w))) for w in printed]
    assert [f"{n / 1e6:.1f}" for n in literal] == ["2.6", "5.8", "8.0"]

    def counts(**changes):
        return [
            count_weights(models.named(f"mgic-mobilenetv3-{w}-even", **changes)) for w in printed
        ]

    def met(found):
        return [rounds_to(n, p, "M") for n, p in zip(found, printed.values(), strict=True)]

    assert counts() == [2_349_508, 5_152_564, 7_088_716] and all(met(counts()))
    depthwise = counts(connector="depthwise")
    assert depthwise == [2_340_732, 5_124_884, 7_047_172]
    assert met(depthwise) == [True, False, False]


def test_mgic_similar_accuracy_on_cityscapes():
    rows = {(r["backbone"], r["s_g"]): r for r in read_table("mgic_table9_cityscapes.csv")
            if r["paper_version"] == "sisc"}  # fmt: skip
    small, large = rows["mgic_large", "32"], rows["mobilenetv3_large", ""]
    assert round(float(large["miou"]) - float(small["miou"]), 2) == 1.62
    less = [round(100 - 100 * float(small[k]) / float(large[k])) for k in ("params_m", "flops_b")]
    assert less == [13, 9]


def test_mgic_flops_are_multiplications():
    (resnet56,) = {r["flops_m"] for r in read_table("mgic_table3_resnet56_cifar10.csv")
                   if r["model"] == "resnet56"}  # fmt: skip
    (resnet50,) = {r["flops_b"] for r in read_table("mgic_table5_resnet50_imagenet.csv")
                   if r["model"] == "resnet50"}  # fmt: skip
    macs = count_macs(models.named("resnet56"), 32), count_macs(models.named("resnet50"), 224)
    assert macs == (125_485_696, 4_089_184_256)
    assert (resnet56, resnet50) == (f"{macs[0] / 1e6:.0f}", f"{macs[1] / 1e9:.1f}")


def test_mgic_identity_needs_norms_that_keep_zero():
    torch.manual_seed(0)
    x = torch.randn(4, 8, 5, 5, dtype=torch.float64)
    net = MGIC(lambda c, groups: nn.Identity(), (8, 4), (2, 1)).double()
    (norm,) = (m for m in net.modules() if isinstance(m, nn.BatchNorm2d))

    def moved(training, bias=0.0, mean=0.0):
        nn.init.constant_(norm.bias, bias)
        norm.reset_running_stats()
        norm.running_mean.fill_(mean)
        with torch.no_grad():
            moves = net.train(training)(x) - x
            assert moves.max() - moves.min() < 1e-12  # all by the same
            return float(moves.mean())

    assert moved(True) == moved(False) == 0
    assert moved(True, bias=0.3) == pytest.approx(0.3)  # N(0) = bias
    assert moved(True, mean=0.3) == 0  # the batch's own mean is zero
    shift = 0.3 / (1 + norm.eps) ** 0.5
    assert moved(False, mean=0.3) == pytest.approx(-shift)  # although the bias is zero
    assert abs(moved(False, mean=0.3, bias=shift)) < 1e-15  # N(0) = 0 again


def test_mgic_versions_differ():
    rows = {r["paper_version"]: r for r in read_table("mgic_table7_lightweight_imagenet.csv")
            if r["model"] == "mgic_mobilenetv3_0.6x"}  # fmt: skip
    assert [(rows[v]["top1_acc"], rows[v]["top5_acc"]) for v in ("sisc", "arxiv")] == [
        ("67.0", "87.3"),
        ("66.3", "86.8"),
    ]
    rows = {r["paper_version"]: r["miou"] for r in read_table("mgic_table9_cityscapes.csv")
            if r["params_m"] == "1.67"}  # fmt: skip
    assert rows == {"sisc": "72.69", "arxiv": "72.6"}
    said = {
        r["protocol"]: r["value"] for r in read_table("protocols.csv") if r["field"] == "epochs"
    }
    assert (said["mgic-cifar10"], said["mgic-first-cifar10"]) == ("100", "180")
    assert protocols.settings("paper", "cifar10", "mgic")["epochs"] == 100
    differ = []
    for name in ("mgic-table3", "mgic-table5", "mgic-table7", "mgic-table12"):
        first = {r.name.removesuffix("-arxiv"): r for r in published.rows(name) if r.arxiv}
        for r in published.rows(name):
            if not r.arxiv and r.name in first and r.accuracy != first[r.name].accuracy:
                differ.append(r.name)
    assert differ == ["mgic-mobilenetv3-0.6"]


def test_mgic_table_2_ends_in_a_relu_with_two_outputs():
    last = read_table("mgic_table2_implicit_function_network.csv")[-1]
    assert (last["operation"], last["c_out"]) == ("conv1x1_bn_relu", "2")
    torch.manual_seed(0)
    layer = nn.Sequential(blocks.conv(64, 2, kernel=1), nn.BatchNorm2d(2), nn.ReLU())
    assert layer(torch.randn(1000, 64, 1, 1)).min() >= 0
    # the difference of both channels, as recorded, against a linear last row
    error = {(r.config.model.end, r.config.model.block): r.metric.value
             for r in records.read(_paths.packaged_results() / "implicit_function.jsonl")
             if (r.config.function, r.metric.split) == ("flower", "test")
             and r.config.model.alpha == 0.6 and r.config.model.block in OWN_BLOCKS}  # fmt: skip
    assert len(error) == 6
    for block in ("dense", "grouped", "mgic"):
        assert error["printed", block] > 2 * error["linear", block]


def test_mgic_table_3_and_12_rows_at_s_c_16():
    printed = {}
    for line in read_table("mgic_table12_ablation.csv"):
        if line["paper_version"] == "sisc" and line["s_c"] == "16":
            printed.setdefault(int(line["s_g"]), []).append(line["params_m"])
    assert printed == {4: ["0.29"], 8: ["0.41"], 16: ["0.47", "0.53"], 32: ["0.79"]}
    (own,) = {r["params_m"] for r in read_table("mgic_table3_resnet56_cifar10.csv")
              if r["model"] == "mgic_resnet56"}  # fmt: skip
    assert own == "0.41"
    counts = {
        s_g: {count_weights(MGICResNetConfig(s_g=s_g, s_c=16, until=rule)) for rule in ("<", "<=")}
        | {count_weights(mgic_readings.resnet56(s_g, 16))}
        for s_g in printed
    }
    assert counts == {
        4: {222_778, 164_026, 203_194},
        8: {310_330, 284_410, 301_690},
        16: {485_434, 525_178, 498_682},
        32: {835_642, 875_386, 848_890},
    }
    fits = {p for s_g, ps in printed.items() for p in ps for n in counts[s_g]
            if rounds_to(n, p, "M")}  # fmt: skip
    assert fits == {"0.53"}


def test_mgic_table_4_halves_elsewhere():
    found = read_table("mgic_table4_resnet50_architecture.csv")
    sizes = [int(r["input"].split("x")[0]) for r in found[:7]]
    assert sizes == [224, 112, 112, 56, 28, 14, 7]
    assert "maxpool after every convolution" in found[0]["note"]
    assert sizes[1] == sizes[2]  # nothing is pooled after the second convolution


def test_mgic_table_5_has_one_s_c():
    own = [r for r in read_table("mgic_table5_resnet50_imagenet.csv") if r["s_g"]]
    assert {r["s_g"] for r in own} == {"16", "32", "64"} and {r["s_c"] for r in own} == {"64"}
    row = published.row("mgic-table5", "mgic-resnet50-g32")
    counts = [count_weights(replace(row.config, s_c=s_c)) for s_c in (64, 32)]
    assert counts == [9_198_248, 9_409_576]
    assert [rounds_to(n, row.printed, "M") for n in counts] == [False, True]


def test_mgic_table_6_group_sizes_do_not_divide():
    # group size 64 or less that divides both widths of the eighth block, 80 and 184 channels
    size = max(s for s in range(1, 65) if 80 % s == 0 and 184 % s == 0)
    assert size == 8 and 80 // size != 184 // size
    with pytest.raises(InvalidValue, match="does not divide"):
        blocks.conv(80, 184, kernel=1, groups=80 // size)
    number = max(80 // 64, 1)  # as the public code has it
    while 80 % number or 184 % number:
        number -= 1
    assert number == 1


def test_mgic_table_12_has_one_label_twice():
    found = [
        (r["params_m"], r["test_acc"])
        for r in read_table("mgic_table12_ablation.csv")
        if (r["paper_version"], r["s_c"], r["s_g"]) == ("sisc", "16", "16")
    ]
    assert found == [("0.47", "94.3"), ("0.53", "94.7")]
    counts = [count_weights(MGICResNetConfig(s_g=16, s_c=16, until=rule)) for rule in ("<", "<=")]
    assert counts == [525_178, 498_682]
    assert count_weights(mgic_readings.resnet56(16, 16)) == 485_434


def test_mgic_a_coarse_channel_comes_from_one_group():
    widths = (16, 8)
    chain = TransferChain(widths, (4, 1))
    R = chain.channel_levels[0].R
    x = torch.randn(1, 16, 1, 1)
    reads = torch.autograd.functional.jacobian(R, x).reshape(8, 16) != 0
    own = torch.arange(8)[:, None] // 2 == torch.arange(16)[None] // 4
    assert torch.equal(reads, own)


def test_mgic_table_11_has_too_few_operations_for_its_weights():
    """A weight in front of the maximum over the points multiplies at each of 1,024 points."""
    after = 3 * (64 * 64 + 2 * 64) + 64 * 10 + 10  # Table 10: three layers with norms, a classifier
    norms, rounding = 5_000, 5_000  # more than those of three channel levels, and of two digits
    printed = [r for r in read_table("mgic_table11_modelnet10.csv") if r["params_m"]]
    least = [float(r["params_m"]) * 1e6 - after - norms - rounding for r in printed]
    least = [1024 * weights / 1e6 for weights in least]
    assert [round(n) for n in least] == [140, 560, 89]
    factors = [n / float(r["flops_m"]) for n, r in zip(least, printed, strict=True)]
    assert factors[0] > 1.1 and factors[1] > 8 and factors[2] > 6
    assert round(after, -3) == 13_000


def test_mgic_abstract_and_the_tables_of_segmentation():
    rows = {
        (r["paper_version"], r["params_m"]): float(r["miou"])
        for r in read_table("mgic_table9_cityscapes.csv")
    }
    large, small = rows["sisc", "1.51"], rows["sisc", "0.47"]
    assert rows["sisc", "1.67"] > large and rows["sisc", "0.48"] > small
    assert large - rows["sisc", "1.32"] == pytest.approx(1.62)
    light = {
        r["model"]: float(r["params_m"])
        for r in read_table("mgic_table7_lightweight_imagenet.csv")
        if r["paper_version"] == "arxiv"
    }
    (ours,) = (n for name, n in light.items() if name.startswith("mgic_mobilenetv3_1.2x"))
    (theirs,) = (n for name, n in light.items() if name == "mobilenetv3_large_1.0x")
    assert (ours, theirs) == (7.1, 5.4)
