"""Numbers that the chapters state in prose: computed here, and found on the page as computed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mgtutorial import models, multigrid
from mgtutorial.models import MGIC, blocks
from mgtutorial.models.counting import activations_held, count_macs, count_weights, literal_macs
from mgtutorial.models.mgic import group_numbers, halvings
from mgtutorial.reproduction import expected_counts, prose_check, published
from mgtutorial.training import records, snapshots

from ..models.test_mgiad import macs_by_hand

ROOT = Path(__file__).parents[2]


def says(page, *sentences):
    """Whether a page of the book, or a notebook, has the sentences, however its lines are broken.

    `mgtutorial tables --check` reads these calls, too: a percentage on a page stands in one of them
    or belongs to a network (:mod:`mgtutorial.reproduction.prose_check`).
    """
    path = ROOT / (page if "/" in page else f"book/{page}.md")
    text = " ".join(prose_check.prose(path).split())
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


# ------------------------------------------------------------------ the chapter on spectra


@pytest.fixture(scope="module")
def measured():
    """What the notebook on spectra measured; tests/spectra/test_summary.py computes it again."""
    return json.loads((ROOT / "results/spectra/summary.json").read_text(encoding="utf-8"))


def ends(rows, key, digits, factor=1):
    """The least and the greatest of a column, as a page writes them."""
    values = [factor * row[key] for row in rows]
    return f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"


def test_spectra_accuracies_are_those_of_the_records(measured):
    of_run = {
        name: snapshots.load(name).about
        for name in (row["network"] for row in measured["accuracies"])
    }
    recorded = {r.digest: r.metric.value for r in records.read(ROOT / "results/runs")}
    for row in measured["accuracies"]:
        assert row["accuracy"] == recorded[of_run[row["network"]]["record"]]
    assert ends(measured["accuracies"], "accuracy", 1, 100) == ("85.6", "88.1")
    says("spectra", "Test accuracies are between 85.6 and 88.1 per cent")
    least = min(measured["accuracies"], key=lambda row: row["accuracy"])
    assert least["network"] == "poly-mgnet-skeleton"
    says("spectra", "of the five networks the skeleton has the lowest accuracy")


def test_spectra_sizes_of_the_files():
    sizes = [f.stat().st_size / 1e3 for f in (ROOT / "results/spectra").glob("*.npz")]
    assert (round(min(sizes)), round(max(sizes))) == (125, 586)
    says("spectra", "as files of 125 to 586 kB")


def test_spectra_distance_from_normal(measured):
    large = [row for row in measured["normality"] if row["network"] != "MGiaD"]
    assert ends(large, "skew", 2) == ("0.69", "0.71")
    assert ends(large, "henrici", 2) == ("0.64", "0.72")
    says("spectra", "between 0.69 and 0.71 and the second between 0.64 and 0.72")
    small = [r for r in measured["normality"] if r["network"] == "MGiaD" and r["level"] > 1]
    assert {f"{r['henrici']:.2f}" for r in small if r["epoch"] == 0} == {"0.61"}
    assert [f"{r['henrici']:.2f}" for r in small if r["epoch"] > 0] == ["0.69", "0.66"]
    says("spectra", "start at 0.61, as small random matrices do, and end at 0.69 and 0.66")
    last = measured["norm"][-1]
    assert (f"{last['radius']:.1f}", f"{last['norm']:.1f}") == ("4.7", "5.8")
    says("spectra", "the spectral radius is 4.7 after training and the norm 5.8")


def test_spectra_roots_go_in_and_eigenvalues_out(measured):
    start = [row for row in measured["roots"] if row["epoch"] == 0]
    end = [row for row in measured["roots"] if row["epoch"] > 0]
    assert all(row["greatest"] <= 3 for row in start)
    says("spectra", "There $|q|$ is at most 3 on the spectrum")
    factors = [{"factor": row["norm"] / row["greatest"]} for row in end]
    assert ends(factors, "factor", 1) == ("1.1", "2.4")
    says("spectra", "it is too small by a factor of 1.1 to 2.4")
    assert f"{sum(row['radius'] for row in end) / 3:.1f}" == "4.5"
    distances = [abs(complex(row["real"], row["imag"])) for row in end]
    distances += [abs(float(x)) for row in end for x in row["reals"].split(", ")]
    assert f"{sum(distances) / len(distances):.1f}" == "1.2"
    says("spectra", "they would be at a distance of 4.5. They are at 1.2")
    assert [f"{row['mean']:.1f}" for row in measured["bulk"]] == ["1.4", "1.2", "1.3"]
    says("spectra", "is 1.4, 1.2 and 1.3 on the three levels")
    assert ends(measured["decay-g4"], "least", 2, -100) == ("3.85", "3.85")
    assert ends(measured["decay-g4"], "greatest", 2, -100) == ("3.85", "3.85")
    says("spectra", "all of g4's by the same 3.85 per cent of weight decay")


def test_spectra_smoothing_factors_and_gains(measured):
    end = [row for row in measured["steps"] if row["when"] == "end"]
    assert len(end) == 9 and ends(end, "mu", 1) == ("1.8", "27.8")
    says("spectra", "For the nine steps of the trained network it is between 1.8 and 27.8")
    growth = [100 * (row[k] - 1) for row in measured["steps"] for k in ("low", "high")]
    assert round(min(growth)) == 1 and 300 < max(growth) < 350
    says("spectra", "for all steps, trained or not, from 1 per cent to 300")
    says("notebooks/spectra.ipynb", "the growth of random errors from 1 per cent to 300")
    others = [100 * (row[k] - 1) for row in end[1:] for k in ("low", "high")]
    assert round(min(others)) == 1 and 25 < max(others) < 30
    says("notebooks/spectra.ipynb", "by 1 to 30 per cent in the others")


def test_spectra_min_max_roots_against_outermost(measured):
    start, end = (
        [row for row in measured["shifted"] if row["when"] == when] for when in ("start", "end")
    )
    assert ends(start, "minimax", 2) == ("0.40", "0.54")
    assert ends(start, "extremes", 1) == ("1.4", "2.1")
    says("spectra", "the best four roots reach 0.40 to 0.54")
    says("spectra", "The outermost eigenvalues as roots give 1.4 to 2.1")
    assert (ends(start, "left", 2), ends(end, "left", 2)) == (("0.34", "0.43"), ("0.05", "0.13"))
    says("spectra", "from between 0.34 and 0.43 to between 0.05 and 0.13")
    assert ends(end, "minimax", 2) == ("0.73", "0.92")
    says("spectra", "even the best four roots now leave 0.73 to 0.92")
    assert ends(end, "trained", 1) == ("2.2", "9.0")
    says("spectra", "their greatest $|q|$ is 2.2 to 9.0")


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
            net.features = lambda f: multigrid.backslash(
                [replace(m.level(), linear=False) for m in net.levels], multigrid.start(f)
            )
        return activations_held(net, 128, 32).bytes / 2**20

    assert [round(held("poly-mgnet-q2", linear)) for linear in (True, False)] == [668, 580]
    says("poly_mgnet", "668 MiB instead of 580 for a batch of 128")
    others = ("poly-mgnet-g4", "poly-mgnet-g6", "poly-mgnet-g8")
    less = [100 * (1 - held(n, True) / held(n, False)) for n in others]
    assert (round(min(less)), round(max(less))) == (8, 10)
    says("poly_mgnet", "need 8 to 10 per cent less")
