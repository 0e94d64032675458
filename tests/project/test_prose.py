"""Numbers that the chapters state in prose: computed here, and found on the page as computed."""

from pathlib import Path

import pytest

from mgtutorial import models
from mgtutorial.models import MGIC, blocks
from mgtutorial.models.counting import activations_held, count_macs, count_weights
from mgtutorial.models.mgic import group_numbers, halvings
from mgtutorial.reproduction import expected_counts, published
from mgtutorial.reproduction.papers.printed_table import read_table

BOOK = Path(__file__).parents[2] / "book"


def says(page, *sentences):
    """Whether the page has the sentences, however its lines are broken."""
    text = " ".join((BOOK / f"{page}.md").read_text(encoding="utf-8").split())
    for sentence in sentences:
        assert sentence in text, sentence


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
    says("mgnet", "0.26 points below ResNet18 on CIFAR-10 and 4.06 on ImageNet", "1.86 below")


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
    says("mgiad", f"keeps {kept:.2f} of them, for {more}k weights more")

    mgnets = [r for r in published.rows() if isinstance(r.network, models.MgNetConfig)]
    assert mgnets and not [r for r in mgnets if r.network.group_size]

    mgic = {(r.name, r.printed): r for r in published.rows("mgic-table12")}
    middle = mgic["mgic-resnet56-c64-g16", "0.53"].accuracy
    assert middle == 94.7 and (mgnet.printed, text["mgnet-20"].printed) == ("2751", "101")
    above, below = mgnet.accuracy - middle, middle - text["mgnet-20"].accuracy
    says("mgiad", f"{above:.1f} points above it and {below:.1f} below")

    wide = cifar["mgiad-lam3-c64-g8"]
    below = [round(r.accuracy - wide.accuracy, 2) for r in (resnet, mgnet)]
    says("mgiad", f"{below[0]} points below ResNet18 and {below[1]} below MgNet")
    says("mgiad", f"with {fewer(wide, resnet)} and {fewer(wide, mgnet)} times fewer weights")
    lost = float(claim("accuracy_loss_vs_resnet18", c_k="64", g_s="4"))
    narrow = mgic["mgic-resnet56-c16-g8", "0.41"].accuracy
    assert round(count_weights(models.named("mgiad-lam1-c64-g4")), -3) == 393_000
    says("mgiad", f"With 393k weights ($\\lambda = 1$, $g_s = 4$) {lost} points below ResNet18",
         f"{resnet.accuracy - lost - narrow:.2f} above MGIC's 0.41M")  # fmt: skip

    small, large = (hundred[f"mgiad-lam1-c64-g{g}"] for g in (8, 64))
    says("mgiad", f"{small.printed}k with $g_s = 8$ and {large.printed}k with $g_s = 64$, "
         f"and {less(small, large)} less")  # fmt: skip
    assert claim("accuracy_vs_resnet20", c_k="16", g_s="4") == "on par"
    says("mgiad", f"ResNet20, {resnet.accuracy - text['resnet20'].accuracy:.2f} below")
    spread = [fashion[f"mgiad-lam1-c{c}-g4"].accuracy for c in (64, 32, 16)]
    says("mgiad", f"lie within {max(spread) - min(spread):.2f} points")


def claim(quantity, **about):
    """The value of a claim in the text of the MGiaD paper on CIFAR-10."""
    about |= {"dataset": "cifar10", "model": "mgiad", "quantity": quantity}
    (found,) = (c for c in read_table("mgiad_text_claims.csv") if about.items() <= c.items())
    return found["value"]


def test_poly_mgnet_weights_by_coefficients_and_by_roots():
    one, four = (
        count_weights(models.PolyMgNetConfig(steps=steps)) for steps in (("p3",), ("linear",) * 4)
    )
    says("poly_mgnet", f"`p3` has {one:,} weights and four linear steps {four:,}, {four - one} for")


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
    row("Cityscapes, MGIC-Large with $s_g = 64$", first, later)
    row("Cityscapes, MGIC-Large with $s_g = 32$", "not there", f"{scenes['sisc', '32']} mIoU")
    row("rows of the light networks", "22", "28: with MobileNeXt, and without h-swish")
