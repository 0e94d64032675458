"""What the second half of the book says of runs and counts, beside the files for single pages."""

import re

import pytest

from benchmarks import rows
from mgtutorial import models
from mgtutorial.models import count_weights
from mgtutorial.reproduction import published
from mgtutorial.reproduction.papers.printed_table import read_table

from .prose import ROOT, says


def test_worlds_exercises():
    def convolution(c, groups):
        return models.blocks.conv(c, c, kernel=1, groups=groups)

    def cycle(c):
        widths = models.halvings(c, 8)
        net = models.MGIC(convolution, widths, models.group_numbers(widths, 8))
        return count_weights(net) - sum(2 * w for w in widths[:-1])  # without the norms

    ghost = {c: (c * c + c) // 2 for c in (16, 32, 64, 128, 256)}
    assert all(cycle(c) == 32 * c - 192 for c in ghost)
    assert [c for c in ghost if cycle(c) < ghost[c]] == [64, 128, 256]
    assert (cycle(32), ghost[32], cycle(64), ghost[64]) == (832, 528, 1_856, 2_080)
    assert (f"{128**-0.5:.3f}", f"{50_000**-0.5:.4f}") == ("0.088", "0.0045")


@pytest.mark.parametrize("case", ["64 to 64 channels", "256 to 256 channels"])
def test_singular_values_are_not_faster_for_want_of_a_loop(case):
    measured = rows.read(ROOT / "results" / "benchmarks.json")["spectra"]["rows"]
    found = {r["side"]: r["median"] for r in measured if r["case"] == case}
    loop = found["NumPy, loop over frequencies"]
    assert found["mgtutorial, one thread"] < loop / 2
    assert found["NumPy, fast transform, no loop"] > 0.9 * loop
    says("performance", "but not because it avoids the loop: without it NumPy takes as long")


def test_what_the_first_page_says_of_saved_weights():
    names = ("resnet20", "mgnet-20", "mgiad-20-g4")
    plain, shared, small = (count_weights(models.named(n, in_channels=1)) for n in names)
    says("index", f"by a factor of {plain / shared:.1f}", f"by another {shared / small:.1f}:")


def test_where_mgnet_multiplies_and_what_it_weighs_at_one_width():
    by_level = models.counting.macs_by_part(models.named("mgnet"), 32)
    first = sum(v for part, v in by_level.items() if part.level in (1, 2, 3))
    share = 100 * first / sum(by_level.values())
    says(
        "notebooks/weights.ipynb",
        f"of the multiplications {share:.0f} per cent are on the first three",
    )
    for c in (16, 64):
        weights = count_weights(models.MgNetConfig(channels=(c,) * 4))
        assert weights == 72 * c**2 + (32 + 54 + 29 + 10) * c + 10 == 72 * c**2 + 125 * c + 10
    says("notebooks/weights.ipynb", "it has $72c^2 + 125c + 10$ weights")


def test_the_large_network_of_the_first_version_on_cityscapes():
    large = {
        r["params_m"]: float(r["miou"])
        for r in read_table("mgic_table9_cityscapes.csv")
        if r["paper_version"] == "arxiv" and "large" in r["backbone"]
    }
    assert large == {"1.51": 72.64, "1.67": 72.60}
    says("errata", "the large one has more weights and 0.04 points less (72.60 against 72.64)")


def test_what_width_and_groups_bring_in_table_3():
    gains = {}
    for data in ("cifar100", "tiny-imagenet", "imagenet"):
        of = {r.name: r.accuracy for r in published.rows(f"mgiad-table3-{data}")}
        width = [of[f"mgiad-lam3-c64-g{g}"] - of[f"mgiad-lam1-c64-g{g}"] for g in (8, 64)]
        groups = [of[f"mgiad-lam{l}-c64-g64"] - of[f"mgiad-lam{l}-c64-g8"] for l in (1, 2, 3)]
        gains[data] = width, groups
    small = [gains[data] for data in ("cifar100", "tiny-imagenet")]
    assert all(2 < x < 4 for width, _ in small for x in width)
    assert all(2 < x < 4.5 for _, groups in small for x in groups)
    width, groups = gains["imagenet"]
    assert all(7.9 < x < 9 for x in width) and max(groups) < min(width)
    says("use", "2 to 4 points on CIFAR-100 and Tiny ImageNet and 8 to 9 on ImageNet, as much as")


def test_weights_on_tiny_imagenet_between_kinds_of_networks():
    of = {r.name: r for r in published.rows("mgiad-table3-tiny-imagenet")}
    large, small = of["resnet18"], of["mgiad-lam1-c64-g64"]
    assert round(float(large.printed) / float(small.printed)) == 8
    assert round(small.accuracy - large.accuracy, 1) == 0.7
    says("notebooks/weights.ipynb", "is printed 0.7 points below it")


@pytest.mark.parametrize("name", ["mgiad-lam1-c64-g4", "mgiad-lam3-c64-g8", "mgiad-20-g4"])
def test_norms_after_the_way_down_weigh_as_much_as_those_after_the_way_up(name):
    """Two on half of the channels, or one on all: counts cannot tell the two places apart."""
    net = models.named(name, transfer_norms="all").build()
    weights = dict.fromkeys(("R", "Pi", "P"), 0)
    for place, module in net.named_modules():
        if found := re.search(r"channel_levels\.\d+\.(R|Pi|P)\.1$", place):
            weights[found[1]] += sum(p.numel() for p in module.parameters())
    assert weights["R"] + weights["Pi"] == weights["P"] > 0
    says("mgiad", "in place of those after $\\hat P$ have as many weights")
