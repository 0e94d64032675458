"""Numbers that the chapters state in prose: computed here, and found on the page as computed."""

import json
import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from mgtutorial import models, multigrid
from mgtutorial.models import MGIC, blocks
from mgtutorial.models.applications import literal_macs
from mgtutorial.models.counting import activations_held, count_macs, count_weights
from mgtutorial.models.mgic import group_numbers, halvings
from mgtutorial.models.resnet import BasicBlock
from mgtutorial.reproduction import expected_counts, published
from mgtutorial.reproduction.papers.printed_table import read_table

from ..models.test_mgiad import macs_by_hand
from .prose import ROOT, says


def single_convolution(c):
    """The weights of MGIC around one 3x3 convolution, without norms: g_s = 8, c_K = 16."""
    widths = halvings(c, 16)
    net = MGIC(lambda c, groups: blocks.conv(c, c, groups=groups), widths, group_numbers(widths, 8))
    return count_weights(net) - sum(2 * w for w in widths[:-1])


def test_mgic_and_separable_convolutions_cross_at_149_channels():
    assert all(single_convolution(c) == 160 * c - 256 for c in (32, 64, 128, 256))
    fewer = [c for c in range(16, 400) if c**2 + 9 * c < 160 * c - 256]
    assert fewer[-1] == 149
    says("mgic", "$160 c - 256$", "have fewer weights up to 149 channels")


def around_a_basic_block(c, coarsest, g_s=8):
    widths = halvings(c, coarsest)
    groups = group_numbers(widths, g_s)
    return MGIC(lambda c, groups: BasicBlock(c, c, groups=groups), widths, groups)


def test_mgic_exponents_of_growth():
    counts = {
        c_K: [count_weights(around_a_basic_block(128 * 2**i, c_K)) for i in range(n)]
        for c_K, n in ((16, 4), (64, 6))
    }
    fine, coarse = ([math.log2(b / a) for a, b in pairwise(w)] for w in counts.values())
    assert fine[0] > fine[1] > fine[2] > 1
    shown = ", ".join(f"{e:.2f}" for e in coarse)
    says("mgic", f"it is {fine[0]:.3f} from 128 to 256 channels and falls towards 1 from there")
    says("mgic", f"for $c_K = 64$ it is {shown}: it comes from below, and slowly")


def test_mgic_keeps_between_twice_and_three_times_what_a_basic_block_keeps():
    def kept(net):
        return activations_held(net, 2, 16, in_channels=64).elements

    one = kept(BasicBlock(64, 64))
    times = [f"{kept(around_a_basic_block(64, c_K)) / one:.3f}" for c_K in (32, 16, 8)]
    assert times == ["2.000", "2.500", "2.750"]
    says("mgic", "it is 2.000, 2.500 and 2.750 for 64 channels and $c_K = 32, 16, 8$")


def test_mgic_grouped_levels_reach_the_coarsest_at_297_channels():
    dense = 18 * 64**2
    assert dense == 73_728 and round(64 + dense / 316) == 297
    says("mgic", "reach it at 297 channels")


def test_mgiad_two_parts_of_a_level_are_equal_at_44_and_501_channels():
    g_s, eta = 4, 2
    s = 18 * g_s + 4 * eta + 5
    equal = [c_K + (9 * c_K**2 + 2 * eta * c_K) / s for c_K in (16, 64)]
    for c, c_K in zip(equal, (16, 64), strict=True):
        assert 2 * s * (c - c_K) == pytest.approx(18 * c_K**2 + 4 * eta * c_K)
    assert [round(c) for c in equal] == [44, 501]
    says("mgiad", "44 channels with $c_K = 16$ and 501 with $c_K = 64$")


def test_mgiad_grouping_B_alone_saves_at_most_half():
    weights = count_weights(models.named("mgnet", group_size=4, grouped="B"))
    says("mgiad", f"at $g_s = 4$ the large MgNet has {weights:,} (`MgNetConfig(group_size=4, ")


def test_mgiad_width_costs_multiplications_and_memory():
    def growth(count):
        return [
            round(100 * count(models.named(f"mgiad-lam2-c64-g{g}"))
                  / count(models.named(f"mgiad-lam1-c64-g{g}")) - 100)
            for g in (4, 8)
        ]  # fmt: skip

    assert growth(count_weights) == [36, 53]
    assert growth(lambda config: count_macs(config, 32)) == [3, 22]
    held = [
        activations_held(models.named(f"mgiad-lam{lam}-c64-g4"), 128, 32).bytes / 128 / 2**20
        for lam in (1, 2)
    ]
    says("mgiad", "by 36 per cent for $g_s = 4$ and by 53 for $g_s = 8$", "by 3 and 22")
    says("mgiad", f"from {held[0]:.0f} to {held[1]:.0f} MiB an image")


def test_mgnet_what_sharing_costs_by_the_print():
    def lost(table, shared, separate):
        a, b = (published.row(table, name).accuracy for name in (separate, shared))
        return f"{a - b:.2f}"

    assert lost("mgiad-table1", "mgnet", "resnet18") == "0.26"
    assert lost("mgiad-table3-imagenet", "mgnet", "resnet18") == "4.06"
    assert lost("mgiad-text", "mgnet-20", "resnet20") == "1.86"
    says("mgnet", "0.26 points below ResNet18 on CIFAR-10 and 4.06 on ImageNet")
    says("mgnet", "is printed 1.86 points below ResNet20 on CIFAR-10")


def test_mgiad_multiplications_at_the_accuracy_of_resnet18():
    def ratio(data, name):
        table = f"mgiad-table3-{data}"
        ours, theirs = (expected_counts.counts(table, row)[1] for row in (name, "resnet18"))
        return f"{ours / theirs:.1f}"

    found = ratio("cifar100", "mgiad-lam3-c64-g64"), ratio("imagenet", "mgiad-lam2-c64-g64")
    assert found == ("2.9", "1.8")
    says("mgiad", "takes 2.9 and 1.8 times its multiplications")


def test_mgiad_observations_of_the_poster_by_the_printed_numbers():
    cifar = {r.name: r for r in published.rows("mgiad-table1")}
    text = {r.name: r for r in published.rows("mgiad-text")}
    poster = {r.name: r for r in published.rows("mgiad-poster-cifar10")}
    hundred = {r.name: r for r in published.rows("mgiad-table3-cifar100")}
    fashion = {r.name: r for r in published.rows("mgiad-table2")}
    resnet, mgnet = text["resnet18"], text["mgnet"]

    def less(a, b):
        return f"{b.accuracy - a.accuracy:.2f} points"

    def fewer(a, b):
        return f"{b.weights / a.weights:.1f}"

    assert (resnet.printed, text["resnet20"].printed) == ("11174", "270")
    says("mgiad", f"{resnet.accuracy} % with 11,174k", f"{text['resnet20'].accuracy} % with 270k")
    says("mgiad", f"{less(mgnet, resnet)} less with {fewer(mgnet, resnet)} times fewer weights")
    more = int(poster["mgnet-a"].printed) - int(poster["mgnet"].printed)
    kept = poster["mgnet-a"].accuracy - mgnet.accuracy
    says("mgiad", f"wins {kept:.2f} of them back, for {more}k weights more")

    mgnets = [r for r in published.rows() if isinstance(r.network, models.MgNetConfig)]
    assert mgnets and not [r for r in mgnets if r.network.group_size]

    mgic = {(r.name, r.printed): r for r in published.rows("mgic-table12")}
    middle = mgic["mgic-resnet56-c64-g16", "0.53"].accuracy
    assert middle == 94.7 and (mgnet.printed, text["mgnet-20"].printed) == ("2751", "101")
    says("mgiad", f"MGIC's own paper has {middle} % with 0.53M weights")
    above, below = mgnet.accuracy - middle, middle - text["mgnet-20"].accuracy
    says("mgiad", f"{above:.1f} points above it and {below:.1f} below")

    wide = cifar["mgiad-lam3-c64-g8"]
    below = [round(r.accuracy - wide.accuracy, 2) for r in (resnet, mgnet)]
    says("mgiad", f"{below[0]} points below ResNet18 and {below[1]} below MgNet")
    says("mgiad", f"with {fewer(wide, resnet)} and {fewer(wide, mgnet)} times fewer weights")
    lost = float(claim("accuracy_loss_vs_resnet18", c_k="64", g_s="4"))
    narrow = mgic["mgic-resnet56-c16-g8", "0.41"].accuracy
    assert round(count_weights(models.named("mgiad-lam1-c64-g4")), -3) == 393_000
    says("mgiad", f"$g_s = 4$, $c_K = 64$ is {lost} points below ResNet18")
    says("mgiad", f"With 393k weights ($\\lambda = 1$, $g_s = 4$) {lost} points below ResNet18",
         f"{resnet.accuracy - lost - narrow:.2f} above MGIC's 0.41M")  # fmt: skip

    small, large = (hundred[f"mgiad-lam1-c64-g{g}"] for g in (8, 64))
    says("mgiad", f"{small.printed}k with $g_s = 8$ and {large.printed}k with $g_s = 64$, "
         f"and {less(small, large)} less")  # fmt: skip
    assert claim("accuracy_vs_resnet20", c_k="16", g_s="4") == "on par"
    says("mgiad", f"which is {resnet.accuracy - text['resnet20'].accuracy:.2f} below")
    spread = [fashion[f"mgiad-lam1-c{c}-g4"].accuracy for c in (64, 32, 16)]
    says("mgiad", f"lie within {max(spread) - min(spread):.2f} points")


def claim(quantity, **about):
    """The value of a claim in the text of the MGiaD paper on CIFAR-10."""
    about |= {"dataset": "cifar10", "model": "mgiad", "quantity": quantity}
    (found,) = (c for c in read_table("mgiad_text_claims.csv") if about.items() <= c.items())
    return found["value"]


def test_poly_mgnet_weights_by_coefficients_and_by_roots():
    one, four = (
        count_weights(models.named("poly-mgnet-q2", steps=steps))
        for steps in (("p3",), ("linear",) * 4)
    )
    says("poly_mgnet", f"`p3` has {one:,} weights and four linear steps {four:,}; the difference")
    says("poly_mgnet", f"the difference of {four - one} is due to norms")


def test_poly_mgnet_weights_at_the_widths_of_figure_5():
    def line(title, name, scales):
        counts = [count_weights(models.named(name + scale)) for scale in scales]
        return " | ".join([f"| {title}", *(f"{n:,}" for n in counts)])

    down, up = ("-x0.35", "-x0.71", ""), ("-x1.41", "-x2.83")
    says("poly_mgnet", line("ResNet18", "resnet18", down))
    says("poly_mgnet", line("Poly-MgNet q2", "poly-mgnet-q2", down + up))
    says("poly_mgnet", line("MgNet$^{A,B}$", "mgnet", down + up))


def test_mgnet_weights_of_the_convolutions_that_two_steps_share():
    """What the figure writes under its columns, in units of the square of the width."""
    c = 16

    def convolutions(network):
        level = network.build().levels[0]
        return sum(m.weight.numel() for m in level.modules() if hasattr(m, "kernel_size"))

    mgnet = models.MgNetConfig((c,), 2)
    found = [models.ResNetConfig((2,), (c,)), models.MgNetConfig((c,), 2, share_B=False), mgnet]
    assert [convolutions(n) for n in found] == [36 * c**2, 27 * c**2, 18 * c**2]
    poly = models.PolyMgNetConfig((c,), "q2", norm="none")
    assert sum(p.numel() for p in poly.build().levels.parameters()) == 9 * c**2 + 2


def test_versions_of_mgic_differ_as_the_table_says():
    """Every number that one version of the paper prints otherwise, and every row it lacks."""
    light = read_table("mgic_table7_lightweight_imagenet.csv")
    epochs = {
        line["protocol"]: line["value"]
        for line in read_table("protocols.csv")
        if line["field"] == "epochs"
    }
    for data in ("cifar10", "imagenet"):
        assert (epochs[f"mgic-first-{data}"], epochs[f"mgic-{data}"]) == ("180", "100")
    by = {v: {r["model"]: r for r in light if r["paper_version"] == v} for v in ("arxiv", "sisc")}
    assert {v: len(rows) for v, rows in by.items()} == {"arxiv": 22, "sisc": 28}
    columns = ("params_m", "flops_m", "top1_acc", "top5_acc")
    other = [m for m, r in by["arxiv"].items() if any(r[c] != by["sisc"][m][c] for c in columns)]
    assert other == ["mgic_mobilenetv3_0.6x"]
    new = by["sisc"].keys() - by["arxiv"]
    assert len(new) == 6 and all("mobilenext" in m or "no_hswish" in m for m in new)
    scenes = {
        (r["paper_version"], r["s_g"]): r["miou"]
        for r in read_table("mgic_table9_cityscapes.csv")
        if r["backbone"] == "mgic_large"
    }
    assert ("arxiv", "32") not in scenes

    def row(what, first, later):
        says("errata", f"* - {what} - {first} - {later}")

    row("epochs of the image classifiers", "180", "100")
    first, later = (
        f"{by[v][other[0]]['top1_acc']} and {by[v][other[0]]['top5_acc']} %" for v in by
    )
    row("0.6x MobileNetV3 on ImageNet, top-1 and top-5", first, later)
    first, later = (f"{scenes[v, '64']} mIoU" for v in by)
    row("Cityscapes, MGIC-Large with 1.67M weights ($s_g = 64$)", first, later)
    row("Cityscapes, MGIC-Large with $s_g = 32$", "not there", f"{scenes['sisc', '32']} mIoU")
    row("rows of the light networks", "22", "28: with MobileNeXt, and without h-swish")


def test_poly_mgnet_roots_on_the_spectrum_and_away_from_zero():
    """The cells of the notebook up to the two discs, without their pictures, give the numbers."""
    cells = json.loads((ROOT / "notebooks/poly_mgnet.ipynb").read_text(encoding="utf-8"))["cells"]
    source = {c["id"]: "".join(c["source"]) for c in cells if c["cell_type"] == "code"}
    space = {}
    for name in ("02", "03"):
        exec(source[f"poly-mgnet-{name}"], space)
    exec(source["poly-mgnet-17"].split("fig, ax")[0], space)
    space["few"] = space["spectrum"](space["weight"], samples=4)
    exec(source["poly-mgnet-21"], space)
    rim, away = (space["over_the_spectrum"](shift, 1) for shift in (0, 1.5))
    says(
        "poly_mgnet",
        f"mean of $|q|$ over the eigenvalues is {rim.mean():.2f} and the maximum {rim.max():.1f}",
        f"with its roots, $|q|$ is at most {away.max():.2f} on it",
    )


# ------------------------------------------------------------------ tables of counts


def test_mgiad_table_of_multiplications():
    lines = []
    for g, less, printed in ((4, "37", "1.12"), (8, "36", "1.32")):
        config = models.named(f"mgiad-lam3-c64-g{g}")
        written, executed = literal_macs(config, 32), count_macs(config, 32)
        between = macs_by_hand(config, 32, "channels")
        lines.append(f"| $g_s = {g}$ | {written:,} | {between:,} | {executed:,} |")
        assert f"{100 * (1 - executed / written):.0f}" == less
        assert f"{2 * between / 1e9:.2f}" == printed
    says("mgiad", *lines, "What we execute is 37 and 36 per cent less than what is written")
    says("mgiad", "the column in the middle: 1.12 and 1.32")


def test_mgnet_multiplications_that_the_carried_residual_saves():
    config = models.named("mgnet")
    written, executed = literal_macs(config, 32), count_macs(config, 32)
    assert (written, executed) == (701_082_112, 484_026_880)
    assert round(100 * (1 - executed / written)) == 31
    says("mgnet", "Executed, it takes 484,026,880: the same function for 31 per cent less")
    says("mgnet", "for 31 per cent fewer multiplications than its algorithm spells out")
    with_data = executed + 84_934_656  # tests/models/test_counting.py executes both programs
    assert with_data == 568_961_536 and round(100 * 84_934_656 / with_data) == 15
    says("fas", "$84{,}934{,}656$ of $568{,}961{,}536$ multiplications, 15 per cent")


def test_poly_mgnet_tables_of_weights_and_multiplications():
    widths = "0.35", "0.71", "", "1.41", "2.83"
    for title, name in (("Poly-MgNet q2", "poly-mgnet-q2"), ("MgNet$^{A,B}$", "mgnet")):
        names = [f"{name}-x{w}" if w else name for w in widths]
        counts = " | ".join(f"{count_weights(models.named(n)):,}" for n in names)
        says("poly_mgnet", f"| {title} | {counts} |")
    macs = {n: count_macs(models.named(f"poly-mgnet-{n}"), 32) for n in ("q2", "g4", "g6", "g8")}
    macs["MgNet$^{A,B}$, two steps"] = count_macs(models.named("mgnet"), 32)
    says("poly_mgnet", *(f"| {name} | {n / 1e6:.1f} |" for name, n in macs.items()))
    assert macs["g4"] == macs["MgNet$^{A,B}$, two steps"] == 484_026_880
    says("poly_mgnet", "agree to the last digit (484,026,880)")


def test_poly_mgnet_memory_of_the_carried_residual():
    def held(name, linear):
        with torch.device("meta"):
            net = models.named(name).build()
        if not linear:
            levels = [replace(m.level(), linear=False) for m in net.levels]
            net.descend = lambda f: multigrid.backslash(levels, multigrid.start(f))
        return activations_held(net, 128, 32).bytes / 2**20

    assert [round(held("poly-mgnet-q2", linear)) for linear in (True, False)] == [668, 580]
    says("poly_mgnet", "668 MiB instead of 580 for a batch of 128")
    others = ("poly-mgnet-g4", "poly-mgnet-g6", "poly-mgnet-g8")
    less = [100 * (1 - held(n, True) / held(n, False)) for n in others]
    assert (round(min(less)), round(max(less))) == (8, 10)
    says("poly_mgnet", "For the other three it saves 8 to 10 per cent")


def test_counts_in_exercises():
    sizes = sum(c**2 for c in (64, 128, 256, 256))
    assert sizes == 151_552 and 9 * sizes == 1_363_968
    says("mgnet", "$64^2 + 128^2 + 2 \\cdot 256^2 = 151{,}552$", "1{,}363{,}968 = 4{,}114{,}634$")
    assert 2 * 48 * 8 * 10 + 9 * 16**2 + 2 * (64 + 32) == 10_176
    says("mgic", "Together 10,176, against")
    both = [models.named("mgnet-20", fas=fas) for fas in (True, False)]
    fewer = [a - b for a, b in ([f(c, 32) for c in both] for f in (literal_macs, count_macs))]
    assert fewer == [4_829_184, 110_592]
    says("notebooks/mgnet.ipynb", "(4,829,184 for 32 × 32 pixels)", "By `count_macs` it is 110,592")


def test_counts_in_the_exercises_on_mgiad():
    config = models.named("mgiad-lam3-c64-g4", correction="fas")
    net = config.build()
    for module in net.modules():
        if getattr(module, "Pi", None) is not None and hasattr(module, "P"):
            module.Pi = None
    assert (count_macs(net, 32), count_macs(config, 32)) == (424_920_576, 425_372_160)
    says("notebooks/mgiad.ipynb", "424,920,576 instead of 425,372,160")
    one, two = (count_weights(models.named("mgiad-lam1-c64-g4", lam=lam)) for lam in (1, 2))
    assert 2 * two - one == 672_202
    says("notebooks/mgiad.ipynb", "gives 1,020,106 at $\\lambda = 3$. The line through")
    says("notebooks/mgiad.ipynb", "would have 672,202 there")
    row = next(r for r in published.rows() if r.counted == 1_338_148)
    assert row.counted - 4 * 96 == 1_337_764
    says("notebooks/weights.ipynb", "1,338,148 becomes 1,337,764, which rounds to 1338k, too")


def test_counts_in_the_exercises_on_mgic():
    def weights(c, g_s, c_K):
        widths = halvings(c, c_K)
        with torch.device("meta"):
            groups = group_numbers(widths, g_s)
            return count_weights(MGIC(lambda c, g: BasicBlock(c, c, groups=g), widths, groups))

    cases = [(64, 16, 16), (64, 16, 8), (64, 8, 16), (64, 8, 8)]
    assert [weights(*case) for case in cases] == [34_432, 35_904, 19_840, 18_880]
    says(
        "notebooks/mgic.ipynb", "`formula(64, 16, 16)` is 34,432 and `formula(64, 16, 8)` is 35,904"
    )
    says("notebooks/mgic.ipynb", "is 19,840 and `formula(64, 8, 8)` is 18,880")


def test_counts_and_percentages_beside_tables():
    c = models.named("mgiad-lam3-c64-g4")
    ours = count_weights(c)
    assert (1_034_500 - ours, 1_035_499 - ours) == (14_394, 15_393)
    says("mgiad", "14,394 to 15,393 weights more")
    assert 54 * 16**2 + 49.5 * (32**2 + 64**2) == 267_264
    assert 18 * (16**2 + 32**2 + 64**2) == 96_768
    says("mgnet", "= 267{,}264$ against $18 \\cdot 5376 = 96{,}768$")
    assert 9 * 256 * 256 == 589_824 and 64 * 32**2 == 65_536
    says("polynomial_smoothers", "256 channels, 589,824 weights become one")
    says("symbols", "for 64 channels and $32 \\times 32$ points that is 65,536")


def test_mgic_resnet50_distance_from_the_print():
    ours = (r for r in published.rows("mgic-table5") if r.network and r.own and not r.arxiv)
    rows = {r.config.s_g: r for r in ours}
    off = {g: 100 * r.difference / r.weights for g, r in rows.items()}
    extra = 100 * (rows[32].difference + 36_992) / rows[32].weights
    assert rows[32].counted == 9_198_248
    assert [f"{x:.1f}" for x in (-off[32], off[64], -extra)] == ["2.1", "0.7", "1.8"]
    says("mgic", "2.1 per cent below the print, and $g_s = 64$ is 0.7 per cent above")
    says("mgic", "with it $g_s = 32$ is still 1.8 per cent below")
