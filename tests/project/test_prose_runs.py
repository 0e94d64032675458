"""What the pages say about runs: computed from the records."""

from dataclasses import replace
from statistics import mean

import pytest
import torch

from mgtutorial import models
from mgtutorial.models.counting import count_weights
from mgtutorial.reproduction import comparison, verdicts
from mgtutorial.reproduction.tables import TABLES
from mgtutorial.training import records, snapshots

from .prose import ROOT, says


@pytest.fixture(scope="module")
def runs():
    return records.read(ROOT / "results/runs")


def test_reproduction_what_the_best_of_twenty_epochs_gains():
    x = torch.linspace(-8, 8, 20_001, dtype=torch.float64)
    below = torch.special.ndtr(x) ** 20  # the distribution of the greatest of twenty
    mean = torch.trapezoid(torch.where(x > 0, 1 - below, -below), x).item()
    assert f"{mean:.2f}" == "1.87" and f"{0.15 * mean:.2f}" == "0.28"
    says("reproduction", "1.87 standard deviations above their mean: about 0.28 percentage points")


def test_no_published_accuracy_is_reproduced_or_refuted_yet(runs):
    said = {line.verdict for name in TABLES for line in comparison.compare(name, runs)}
    assert "other protocol" in said and not said & {"reproduced", "differs"}
    says("index", "No published accuracy has been reproduced or refuted here yet")


def test_runs_of_the_chapter_on_spectra_are_demo_but_for_epochs_and_batches(runs):
    digests = {snapshots.load(name).about["record"] for name in snapshots.available()}
    made = [r for r in runs if r.digest in digests]
    assert len(made) == len(digests)
    assert {(r.budget, r.epochs, r.config.batch_size) for r in made} == {("demo", 5, 64)}
    says("reproduction", "which are `demo` with 5 epochs and batches of 64")


def test_the_three_level_rows_have_three_seeds_and_what_the_first_page_says_of_them(runs):
    lines = comparison.compare("mgiad-table2", [r for r in runs if r.budget == "short"])
    three = {line.row: [100 * r.metric.value for r in sorted(line.runs, key=seed)]
             for line in lines if len(line.runs) == 3}  # fmt: skip
    assert three.keys() == {
        "resnet20", "mgnet-20", "mgiad-20-g4", "mgiad-20-g8", "mgiad-20-g16"
    }  # fmt: skip
    says("reproduction", "the MGiaDs with three levels and $g_s = 8$ or $g_s = 16$")
    says("reproduction", "(By now all five three-level rows have three.)")
    ours, plain = three["mgiad-20-g4"], three["resnet20"]
    says(
        "index",
        f"classifies {mean(ours):.2f} per cent of",
        f"with 269,434 weights {mean(plain):.2f} per cent",
    )
    apart = verdicts.interval([b - a for a, b in zip(ours, plain, strict=True)])
    says(
        "index",
        f"costs {apart.mean:.2f} points here (before rounding); the 95 per cent interval of that "
        f"difference, paired by seeds, is {apart.low:.2f} to {apart.high:.2f}",
    )
    assert apart.low > 0


def seed(run):
    return run.config.seed


def test_the_rate_of_the_short_budget_was_chosen_for_mgnet20_between_two(runs):
    mgnet = replace(models.named("mgnet-20"), in_channels=1)
    tried = [r for r in runs if r.metric.split == "val" and r.budget == "short"]
    first = [r for r in tried if r.config.model == mgnet]
    assert {r.config.lr for r in first} == {0.1, 0.2}
    assert {r.evaluated_on.n for r in first} == {5_000}
    says(
        "mgnet",
        "chosen between two, 0.1 and 0.2, for MgNet-20 alone, on 5,000 validation images",
    )


def test_reproduction_says_the_margin_of_the_verdicts():
    assert verdicts.MARGIN == 0.5
    says("reproduction", "lies within 0.5 percentage points of zero",
         "reaches beyond those 0.5 points")  # fmt: skip


def test_mgiad_says_what_grouping_b_alone_leaves():
    config = models.named("mgnet", group_size=4, grouped="B")
    assert count_weights(config) == 1_412_042
    says("mgiad", "1,412,042")
