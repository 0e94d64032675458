"""What the page on clouds of points says in numbers."""

import pytest
import torch
from scipy.stats import ttest_ind

from mgtutorial.models import count_weights
from mgtutorial.models.point_clouds import NAMED
from mgtutorial.reproduction import difference, interval
from mgtutorial.reproduction.papers.printed_table import read_table
from mgtutorial.training import point_clouds

from .prose import ROOT, says

PAGE = (ROOT / "book/point_clouds.md").read_text(encoding="utf-8")
#: Weights, and multiplications for 1,024 points.
COUNTS = {
    "dgcnn": (63_882, 50_737_792),
    "diffgcn": (167_242, 156_578_432),
    "mgic-diffgcn": (95_722, 81_867_392),
}


def test_clouds_table_of_counts():
    body = PAGE.split(":name: tab-clouds-counts\n")[1].split("```")[0]
    rows = [[c.strip() for c in r.split("\n  - ")] for r in body.strip().split("* - ")[2:]]
    printed = {r["backbone"]: r for r in read_table("mgic_table11_modelnet10.csv")}
    assert [row[0].lower() for row in rows] == [*COUNTS]
    for row, (name, (weights, macs)) in zip(rows, COUNTS.items(), strict=True):
        assert (count_weights(NAMED[name]), NAMED[name].build().macs(1024)) == (weights, macs)
        line = printed[name.replace("-", "_")]
        theirs = f"{line['params_m']} M", f"{line['flops_m']} M"
        assert row[1:] == [f"{weights:,}", theirs[0], f"{macs:,}", theirs[1]]


def test_clouds_counts_of_other_readings():
    assert count_weights(NAMED["dgcnn-hidden"]) == 155_914 and "155,914 weights" in PAGE
    assert count_weights(NAMED["diffgcn-gradient"]) == 84_554 and "84,554 weights in all" in PAGE
    literal = NAMED["dgcnn"].build().macs(1024, literal=True)
    assert literal == 431_764_096 and "takes 431,764,096 multiplications" in PAGE
    # five wide layers of what is printed, less the rest of the network
    around = count_weights(NAMED["diffgcn"]) - 5 * 7 * 64 * 64
    each = (570_000 - around) / 5
    assert round(each, -4) == 110_000 and round(each / 64**2) == 27
    # the six graph convolutions of the gradient alone, in millions
    six = 1024 * (9 * 64 + 5 * 3 * 64 * 64) / 1e6
    assert f"{six:.1f}" == "63.5" and "have 63.5 million multiplications, and 64 are" in PAGE
    assert 570_000 / count_weights(NAMED["diffgcn-gradient"]) == pytest.approx(6.7, abs=0.05)


def test_clouds_share_of_mgic():
    weights, macs = (a / b for a, b in zip(COUNTS["mgic-diffgcn"], COUNTS["diffgcn"], strict=True))
    says("point_clouds", f"groups of 16 in a cycle have {100 * weights:.0f} % of the weights and "
         f"{100 * macs:.0f} % of the multiplications")  # fmt: skip
    below = 100 * (1 - 95_722 / 110_000)
    says("point_clouds", f"16 comes nearest, {below:.0f} % below the print")
    # the coarsest level, of 16 channels in one group, in all five blocks
    coarsest = 5 * (7 * 16 * 16 + 2 * 16)
    assert coarsest / COUNTS["mgic-diffgcn"][0] == pytest.approx(1 / 10, abs=0.01)


def test_clouds_exercise_on_a_flat_grid():
    """Half a mesh size times the gradient in the plane, and nothing of what is across it."""
    h, slope = 0.3, torch.tensor([1.0, -2.0, 5.0], dtype=torch.float64)
    edges = h * torch.tensor([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], dtype=torch.float64)
    first = (edges * (edges @ slope)[:, None]).mean(0) / h
    moments = edges.T @ edges / 4
    torch.testing.assert_close(first, moments @ slope / h)
    torch.testing.assert_close(first, h / 2 * slope * torch.tensor([1, 1, 0]))


def test_clouds_accuracies_of_the_recorded_runs():
    runs = {}
    for r in point_clouds.recorded():
        if (r.budget, r.metric.split, r.partial) == ("short", "test", False):
            runs.setdefault(r.config.model.layer, {})[r.seed] = 100 * r.metric.value
    assert all(len(own) == 3 for own in runs.values())
    a, b, c = (f"{runs['edge-conv'][seed]:.2f}" for seed in (0, 1, 2))
    says("point_clouds", f"DGCNN is right on {a}, {b} and {c} % of the test clouds")
    a, b, c = (f"{runs['diff-gcn'][seed]:.2f}" for seed in (0, 1, 2))
    says("point_clouds", f"of the test clouds, diffGCN on {a}, {b} and {c} %")
    a, b, c = (f"{runs['mgic-diff-gcn'][seed]:.2f}" for seed in (0, 1, 2))
    says("point_clouds", f"and MGIC's network on {a}, {b} and {c} %")
    ours = {name: interval(own.values()) for name, own in runs.items()}

    def gap(a, b):
        return difference(ours[a], ours[b].mean, ours[b].std, ours[b].n)

    assert gap("edge-conv", "diff-gcn").low < 0 < gap("edge-conv", "diff-gcn").high
    one, two = (gap("mgic-diff-gcn", name) for name in ("diff-gcn", "edge-conv"))
    says("point_clouds", f"MGIC's is {-one.mean:.1f} points below diffGCN and {-two.mean:.1f} "
         f"below DGCNN, by Welch's intervals (95 per cent) {-one.high:.1f} to {-one.low:.1f} and "
         f"{-two.high:.1f} to {-two.low:.1f}, if either pair is looked at alone")  # fmt: skip
    # as one of three pairs, each with a third of the five per cent
    highs = []
    for other in ("diff-gcn", "edge-conv"):
        several = ttest_ind(*(list(runs[n].values()) for n in ("mgic-diff-gcn", other)),
                            equal_var=False).confidence_interval(1 - 0.05 / 3)  # fmt: skip
        assert several.low < 0 < several.high
        highs.append(several.high)
    assert highs[0] < 0.1 < highs[1]
    says(
        "point_clouds", "as two of three pairs both have intervals that contain zero, the first by"
    )
    rates = {r.config.lr for r in point_clouds.recorded() if r.metric.split == "test"}
    assert len(rates) == 1
