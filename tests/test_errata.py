"""Each entry of book/errata.md is shown by one test here, and each test belongs to an entry.

What is printed comes from results/published, what holds from a count or from running the
algorithm.
"""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mgtutorial import _paths, models, multigrid
from mgtutorial.data import images as data
from mgtutorial.errors import DataNotFound, InvalidValue
from mgtutorial.models import (
    MGiaDConfig,
    MGICMobileNetV3Config,
    MGICResNetConfig,
    blocks,
    counting,
)
from mgtutorial.models.counting import Part, count_macs, count_weights
from mgtutorial.models.mgiad import ResolutionLevel
from mgtutorial.models.mgic import MGIC, TransferChain, group_numbers, halvings
from mgtutorial.reproduction import published
from mgtutorial.reproduction.papers import printed_table
from mgtutorial.reproduction.papers.printed_table import lines
from mgtutorial.reproduction.published import fitted, rounds_to
from mgtutorial.training import protocols, records, schedules

PAGE = Path(__file__).parents[1] / "book" / "errata.md"
META = "test_the_page"  # the tests of the page itself


def claim(quantity, value, **about):
    """Assert that the text or the poster makes a claim."""
    about |= {"quantity": quantity, "value": value}
    assert any(about.items() <= r.items() for r in lines("mgiad_text_claims.csv")), about


def accuracy(table, name):
    return published.row(table, name).accuracy


# ------------------------------------------------------------------------------ the page


def test_the_page_names_all_tests_and_no_others():
    named = re.findall(r"`(test_\w+)`", PAGE.read_text(encoding="utf-8"))
    here = [name for name in globals() if name.startswith("test_") and not name.startswith(META)]
    assert sorted(named) == sorted(here)


def test_the_page_gives_place_print_and_what_holds_for_each_entry():
    text = PAGE.read_text(encoding="utf-8")
    entries = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    for entry in entries:
        title = entry.splitlines()[0]
        for word in ("*Place.*", "*Printed.*", "*Holds.*", "*Shown by*"):
            assert entry.count(word) == 1, (title, word)
        assert len(re.findall(r"`test_\w+`", entry)) == 1, title


# ---------------------------------------------------------------------------------- MGiaD


def linear_sic(correction):
    torch.manual_seed(0)
    config = MGiaDConfig(
        channels=(8,), coarsest=4, group_size=2, correction=correction,
        norm="none", activation="none",
    )  # fmt: skip
    level = ResolutionLevel((8, 4), None, config).double().requires_grad_(False)
    u = torch.randn(2, 8, 6, 6, dtype=torch.float64)
    fine = level.channel_levels[0]
    return SimpleNamespace(
        u=u, A=fine.A, Pi=fine.Pi, run=lambda f, u: level.sic(multigrid.start(f, u)).u
    )


def test_mgiad_printed_correction_moves_a_solution():
    def moved(correction):
        sic = linear_sic(correction)
        after = sic.run(sic.A(sic.u), sic.u)  # starts at the solution of A u = f
        return float((after - sic.u).abs().max() / sic.u.abs().max())

    def depends_on_Pi(correction):
        sic = linear_sic(correction)
        f = torch.randn_like(sic.u)
        before = sic.run(f, sic.u)
        sic.Pi.weight.copy_(torch.randn_like(sic.Pi.weight))
        return float((sic.run(f, sic.u) - before).abs().max() / before.abs().max())

    assert moved("fas") < 1e-12 and depends_on_Pi("fas") < 1e-12
    assert moved("printed") > 0.1 and depends_on_Pi("printed") > 0.1


def test_mgiad_coarsest_channel_level_smooths_twice():
    for g_s in (4, 8):
        (line,) = (r for r in lines("mgiad_table1_cifar10.csv") if r["g_s"] == str(g_s))
        config = models.named(f"mgiad-lam3-c64-g{g_s}")
        macs = counting.macs_by_part(config, 32)
        coarsest = [(l, len(widths)) for l, widths in enumerate(config.channel_widths, 1)]
        # without its second step a coarsest level applies A and B once less; they cost the same
        less = sum(macs[Part(*at, "B")] for at in coarsest)
        twice, once = (2 * n / 1e9 for n in (sum(macs.values()), sum(macs.values()) - less))
        printed = float(line["gflops"])
        assert abs(twice - printed) < 0.08 < 0.4 < printed - once
    assert less == 2 * 9 * 96**2 * (1024 + 256 + 64 + 16)


def test_mgiad_last_resolution_level_is_smoothed():
    own = [
        r
        for t in printed_table.PRINTED
        if t.startswith("mgiad-table")
        for r in published.rows(t)
        if isinstance(r.config, MGiaDConfig) and r.verdict == "matched"
    ]
    assert len(own) == 27
    for row in own:
        parts = counting.weights_by_part(row.config)
        last = sum(n for p, n in parts.items() if p.level == len(row.config.channels))
        assert not rounds_to(row.exact - last, row.printed, row.unit)
    net = MGiaDConfig(channels=(4, 8), coarsest=4, group_size=2).build()
    net(torch.randn(2, 3, 8, 8)).sum().backward()
    assert net.levels[-1].channel_levels[0].A.weight.grad.abs().max() > 0


def test_mgiad_weights_do_not_grow_with_the_number_of_steps():
    def operators(steps):
        parts = counting.weights_by_part(models.named("mgnet", steps=steps))
        return {p: n for p, n in parts.items() if p.role in "AB"}

    assert operators(1) == operators(2) == operators(8)


def test_mgiad_grouping_divides_by_the_number_of_groups():
    c = 256
    for g_s in (4, 8, 64):
        grouped = count_weights(blocks.conv(c, c, groups=c // g_s))
        assert grouped == count_weights(blocks.conv(c, c)) // (c // g_s) == 9 * c * g_s


def test_mgiad_coarsest_width_at_lambda_3():
    config = models.named("mgiad-lam3-c64-g4")
    assert config.coarsest == 64
    assert {widths[-1] for widths in config.channel_widths} == {96}
    assert rounds_to(published.row("mgiad-table3-cifar100", "mgiad-lam3-c64-g8").exact, "1338", "k")


def test_mgiad_table_1_counts_need_two_structures():
    printed = {r["g_s"]: r["weights_k"] for r in lines("mgiad_table1_cifar10.csv")}
    own = {g: count_weights(models.named(f"mgiad-lam3-c64-g{g}")) for g in (4, 8)}
    assert int(printed["8"]) - int(printed["4"]) == 235 and own[8] - own[4] == 248_832
    post = {g: count_weights(models.named(f"mgiad-lam3-c64-g{g}", eta_post=2)) for g in (4, 8)}
    assert own == {4: 1_020_106, 8: 1_268_938} and post == {4: 1_035_466, 8: 1_284_298}
    assert rounds_to(post[4], printed["4"], "k") and not rounds_to(own[4], printed["4"], "k")
    assert round(own[8], -4) == 1_270_000 and round(post[8], -4) != 1_270_000


def test_mgiad_accuracy_on_cifar10_is_below_resnet18():
    best = max(accuracy("mgiad-table1", f"mgiad-lam3-c64-g{g}") for g in (4, 8))
    assert (best, accuracy("mgiad-table1", "resnet18")) == (95.95, 96.26)


def test_mgiad_table_2_three_group_sizes():
    wrong = {}
    for line in lines("mgiad_table2_fashionmnist.csv"):
        if line["model"] != "mgiad":
            continue

        def count(g_s, c_k=line["c_k"]):
            config = models.named("mgiad-lam1-c64-g4", coarsest=int(c_k), group_size=int(g_s))
            return count_weights(fitted(config, "fashion-mnist"))

        if not rounds_to(count(line["g_s"]), line["weights_k"], "k"):
            label = int(line["c_k"]), int(line["g_s"]), int(line["weights_k"])
            fits = [g for g in (4, 8, 16, 32) if rounds_to(count(g), line["weights_k"], "k")]
            wrong[label] = count(line["g_s"]), fits
    assert wrong == {
        (32, 32, 437): (769_226, [16]),
        (16, 4, 420): (143_690, [16]),
        (16, 16, 144): (420_170, [4]),
    }


def test_mgiad_table_2_count_of_resnet18():
    row = published.row("mgiad-table2", "resnet18")
    assert (row.printed, row.exact) == ("11003", 11_172_810)
    bare = replace(row.config, shortcut="padding")
    assert count_weights(bare) == 10_998_986
    assert not rounds_to(count_weights(bare), row.printed, "k")


def test_mgiad_table_2_count_of_mgnet():
    row = published.row("mgiad-table2", "mgnet")
    assert (row.printed, row.exact) == ("2747", 2_749_514)
    one_step = count_weights(replace(row.config, steps=1))
    assert one_step == 2_746_698 and rounds_to(one_step, row.printed, "k")


def test_mgiad_table_2_count_of_resnet20_is_for_colour():
    row = published.row("mgiad-table2", "resnet20")
    colour = count_weights(replace(row.config, in_channels=3))
    assert (row.printed, row.exact, colour) == ("270", 269_434, 269_722)
    assert rounds_to(colour, row.printed, "k") and not rounds_to(row.exact, row.printed, "k")


def test_mgiad_table_3_caption_names_other_group_sizes():
    found = [r for r in lines("mgiad_table3_cifar100_tiny_imagenet.csv") if r["g_s"]]
    assert {r["g_s"] for r in found} == {"8", "64"}
    assert any("caption names group sizes 4 and 8" in r["note"] for r in found)
    g4 = count_weights(fitted(models.named("mgiad-lam1-c64-g4"), "cifar100"))
    assert not any(rounds_to(g4, r["weights_k"], "k") for r in found)


def test_mgiad_ratios_on_tiny_imagenet():
    table = "mgiad-table3-tiny-imagenet"
    resnet, mgnet, ours = (
        published.row(table, name) for name in ("resnet18", "mgnet", "mgiad-lam1-c64-g64")
    )
    about = {"dataset": "tiny_imagenet", "g_s": "64"}
    claim("weight_reduction_vs_resnet18", "9", **about)
    claim("weight_reduction_vs_mgnet", "3", **about)
    claim("min_gain_over_both", "0.5", **about)
    assert round(resnet.weights / ours.weights, 1) == 8.0
    assert round(mgnet.weights / ours.weights, 1) == 2.0
    gains = [round(ours.accuracy - r.accuracy, 2) for r in (resnet, mgnet)]
    assert gains == [0.69, 0.24]
    claim("weight_reduction_vs_mgnet", "6", dataset="tiny_imagenet", g_s="32")
    claim("test_acc", "59.36", dataset="tiny_imagenet", g_s="32")
    exact = count_weights(fitted(models.named("mgiad-lam1-c64-g32"), "tiny-imagenet"))
    assert exact == 895_240 and round(mgnet.exact / exact, 1) == 3.1
    assert mgnet.accuracy == 60.12 > 59.36


def test_mgiad_gain_on_imagenet():
    claim("gain_over_mgnet", "0.54", dataset="imagenet", **{"lambda": "3"})
    table = "mgiad-table3-imagenet"
    gain = accuracy(table, "mgiad-lam3-c64-g8") - accuracy(table, "mgnet")
    assert round(gain, 2) == 0.40


def test_mgiad_factors_of_introduction_and_section_4():
    claim("weight_reduction_vs_resnet18", "28", source="MGiaD paper (ICCVW 2023) section 1")
    claim("accuracy_loss_at_28x", "1.0", source="MGiaD paper (ICCVW 2023) section 1")
    claim("weight_reduction_vs_resnet18", "30", source="MGiaD paper (ICCVW 2023) section 4")
    claim("accuracy_loss_vs_resnet18", "1.5", source="MGiaD paper (ICCVW 2023) section 4")
    small = count_weights(models.named("mgiad-lam1-c64-g4"))
    assert small == 393_034
    assert round(count_weights(models.named("resnet18")) / small, 1) == 28.4
    claim("weight_reduction_vs_resnet18", "10", source="MGiaD paper (ICCVW 2023) section 1")
    claim("accuracy_loss_at_10x", "0.5", source="MGiaD paper (ICCVW 2023) section 1")
    resnet, g4, g8 = (
        published.row("mgiad-table1", n)
        for n in ("resnet18", "mgiad-lam3-c64-g4", "mgiad-lam3-c64-g8")
    )
    found = [
        (round(resnet.weights / r.weights, 1), round(resnet.accuracy - r.accuracy, 2))
        for r in (g4, g8)
    ]
    assert found == [(10.8, 0.62), (8.8, 0.31)]


def test_mgiad_fashionmnist_has_28_pixels():
    try:
        images = data.load("fashion-mnist", "test")
    except DataNotFound:
        pytest.skip("FashionMNIST is not on this machine: set MGTUTORIAL_DATA")
    assert images.images.shape[1:] == (1, 28, 28)


def test_mgiad_step_schedule_stands_still_after_150_epochs():
    config = protocols.TrainConfig(
        models.named("mgnet"), **protocols.settings("paper", "fashion-mnist")
    )
    assert (config.epochs, config.lr, config.step_epochs) == (400, 0.05, 25)
    rates = [schedules.learning_rate(config, epoch, 0.0) for epoch in (149, 150, 399)]
    assert rates[0] > 1e-7 > rates[1] > rates[2] > 0


def test_mgiad_poster_and_paper_differ():
    pairs = {
        name: (accuracy("mgiad-poster-imagenet", name), accuracy("mgiad-table3-imagenet", name))
        for name in ("resnet18", "mgnet")
    }
    assert pairs == {"resnet18": (71.80, 71.89), "mgnet": (67.38, 67.83)}
    poster, text = (published.row(t, "resnet18") for t in ("mgiad-poster-cifar10", "mgiad-text"))
    assert (poster.printed, text.printed, text.exact) == ("11175", "11174", 11_173_962)


# ----------------------------------------------------------------------------------- MGIC


def test_mgic_loop_restricts_once_too_often():
    widths = halvings(64, s_c=8)
    assert widths == (64, 32, 16, 8)  # n = 3 coarser levels
    for line in lines("mgic_table1_coarse_channels.csv"):
        s_g = int(line["s_g"])
        chain = count_weights(TransferChain(widths, group_numbers(widths, s_g)))
        assert rounds_to(chain, line["params_k"], "k")
        once_more = chain + count_weights(blocks.conv(8, 4, kernel=1, groups=max(8 // s_g, 1)))
        if s_g == 32:
            assert (chain, once_more) == (3328, 3360)
            assert not rounds_to(once_more, line["params_k"], "k")


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


def test_mgic_flops_are_multiplications():
    (resnet56,) = {r["flops_m"] for r in lines("mgic_table3_resnet56_cifar10.csv")
                   if r["model"] == "resnet56"}  # fmt: skip
    (resnet50,) = {r["flops_b"] for r in lines("mgic_table5_resnet50_imagenet.csv")
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
            return float((net.train(training)(x) - x).abs().max())

    assert moved(True) == moved(False) == 0
    assert moved(True, bias=0.3) == pytest.approx(0.3)  # N(0) = bias
    assert moved(True, mean=0.3) == 0  # the batch's own mean is zero
    shift = 0.3 / (1 + norm.eps) ** 0.5
    assert moved(False, mean=0.3) == pytest.approx(shift)  # although the bias is zero
    assert moved(False, mean=0.3, bias=shift) < 1e-15  # N(0) = 0 again


def test_mgic_versions_differ():
    rows = {r["paper_version"]: r for r in lines("mgic_table7_lightweight_imagenet.csv")
            if r["model"] == "mgic_mobilenetv3_0.6x"}  # fmt: skip
    assert [(rows[v]["top1_acc"], rows[v]["top5_acc"]) for v in ("sisc", "arxiv")] == [
        ("67.0", "87.3"),
        ("66.3", "86.8"),
    ]
    rows = {r["paper_version"]: r["miou"] for r in lines("mgic_table9_cityscapes.csv")
            if r["params_m"] == "1.67"}  # fmt: skip
    assert rows == {"sisc": "72.69", "arxiv": "72.6"}


def test_mgic_table_2_ends_in_a_relu_with_two_outputs():
    last = lines("mgic_table2_implicit_function_network.csv")[-1]
    assert (last["operation"], last["c_out"]) == ("conv1x1_bn_relu", "2")
    torch.manual_seed(0)
    layer = nn.Sequential(blocks.conv(64, 2, kernel=1), nn.BatchNorm2d(2), nn.ReLU())
    assert layer(torch.randn(1000, 64, 1, 1)).min() >= 0
    # the difference of both channels, as recorded, against a linear last row
    error = {(r.config.model.end, r.config.model.block): r.metric.value
             for r in records.read(_paths.shipped() / "implicit_function.jsonl")
             if r.metric.split == "test" and r.config.model.alpha == 0.6}  # fmt: skip
    assert len(error) == 6
    for block in ("dense", "grouped", "mgic"):
        assert error["printed", block] > 2 * error["linear", block]


def test_mgic_table_3_and_12_rows_at_s_c_16():
    printed = {}
    for line in lines("mgic_table12_ablation.csv"):
        if line["paper_version"] == "sisc" and line["s_c"] == "16":
            printed.setdefault(int(line["s_g"]), []).append(line["params_m"])
    assert printed == {4: ["0.29"], 8: ["0.41"], 16: ["0.47", "0.53"], 32: ["0.79"]}
    (own,) = {r["params_m"] for r in lines("mgic_table3_resnet56_cifar10.csv")
              if r["model"] == "mgic_resnet56"}  # fmt: skip
    assert own == "0.41"
    counts = {
        s_g: {count_weights(MGICResNetConfig(s_g=s_g, s_c=16, until=rule)) for rule in ("<", "<=")}
        for s_g in printed
    }
    assert counts == {
        4: {164_026, 203_194},
        8: {284_410, 301_690},
        16: {525_178, 498_682},
        32: {875_386, 848_890},
    }
    fits = {p for s_g, ps in printed.items() for p in ps for n in counts[s_g]
            if rounds_to(n, p, "M")}  # fmt: skip
    assert fits == {"0.53"}


def test_mgic_table_4_halves_elsewhere():
    found = lines("mgic_table4_resnet50_architecture.csv")
    sizes = [int(r["input"].split("x")[0]) for r in found[:7]]
    assert sizes == [224, 112, 112, 56, 28, 14, 7]
    assert "maxpool after every convolution" in found[0]["note"]
    assert sizes[1] == sizes[2]  # nothing is pooled after the second convolution


def test_mgic_table_5_has_one_s_c():
    own = [r for r in lines("mgic_table5_resnet50_imagenet.csv") if r["s_g"]]
    assert {r["s_g"] for r in own} == {"16", "32", "64"} and {r["s_c"] for r in own} == {"64"}


def test_mgic_table_6_has_another_number_of_blocks():
    printed = [r for r in lines("mgic_table6_mobilenetv3_architecture.csv")
               if r["operation"] == "mgic_bneck"]  # fmt: skip
    large = MGICMobileNetV3Config().bottlenecks
    assert (len(printed), len(large)) == (16, 15)
    c, blocks_printed = 16, []
    for r in printed:
        out = int(r["c_out"])
        kernel = 5 if out in (40, 160) else 3  # not printed; MobileNetV3-Large's
        stride = 2 if r["pool"] == "1" else 1
        blocks_printed.append((kernel, int(r["exp"]) / c, out, r["se"] == "1", stride))
        c = out
    even = {"grouping": "number", "squeeze_bias": False}
    as_printed = [
        count_weights(MGICMobileNetV3Config(bottlenecks=tuple(blocks_printed), **changes))
        for changes in ({"connector": "depthwise"}, {}, even)
    ]
    assert as_printed == [5_384_104, 5_411_784, 5_513_032]
    row = published.row("mgic-table7", "mgic-mobilenetv3-1.0")
    assert row.printed == "5.2" and not any(rounds_to(n, "5.2", "M") for n in as_printed)
    assert rounds_to(count_weights(MGICMobileNetV3Config(**even)), "5.2", "M")


def test_mgic_table_6_group_sizes_do_not_divide():
    # group size 64 or less that divides both widths of the eighth block, 80 and 184 channels
    size = max(s for s in range(1, 65) if 80 % s == 0 and 184 % s == 0)
    assert size == 8 and 80 // size != 184 // size
    with pytest.raises(InvalidValue, match="does not divide"):
        blocks.conv(80, 184, kernel=1, groups=80 // size)


def test_mgic_table_12_has_one_label_twice():
    found = [
        (r["params_m"], r["test_acc"])
        for r in lines("mgic_table12_ablation.csv")
        if (r["paper_version"], r["s_c"], r["s_g"]) == ("sisc", "16", "16")
    ]
    assert found == [("0.47", "94.3"), ("0.53", "94.7")]


# ------------------------------------------------------------------------------ Poly-MgNet


def test_poly_mgnet_count_of_the_summary():
    row = published.row("poly-mgnet", "poly-mgnet-q2-summary")
    assert (row.printed, row.unit, row.exact) == ("1.3", "M", 1_386_706)
    assert row.verdict == "not reproducible"
    public = published.row("poly-mgnet", "poly-mgnet-q2")
    assert public.verdict == "matched"
