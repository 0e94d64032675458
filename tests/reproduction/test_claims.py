"""Claims: effects are the paired ones, intervals hold together, and a verdict says no more."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mgtutorial import _paths
from mgtutorial.errors import InvalidValue
from mgtutorial.models import count_weights, named
from mgtutorial.reproduction import claims, verdicts
from mgtutorial.sweeps.plan import read_plan
from mgtutorial.training import configure, records
from mgtutorial.training.record import Metric

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENTS = ROOT / "experiments"
RUNS = records.read(_paths.packaged_results() / "runs")
SAMPLE = next(r for r in RUNS if r.budget == "short" and r.tests_accuracy and not r.partial)


def run(network, accuracy, seed=0, data="fashion-mnist", budget="demo", **changes):
    """A record as a run would leave it, of a named network."""
    config = configure(network, data, budget, seed=seed)
    config = replace(config, model=replace(config.model, **changes))
    return replace(
        SAMPLE, choices=config.as_dict(), metric=Metric("accuracy", accuracy / 100, "test"),
        digest=records.digest([network, changes, seed, data, budget]),
    )  # fmt: skip


def of(contrast, low=-math.inf, high=math.inf):
    return claims.Claim("a claim", "MGiaD", "here", "so", claims._contrast(contrast), low, high, "")


def test_the_effect_is_the_mean_of_paired_differences_and_its_interval_is_scipys():
    rng = np.random.default_rng(0)
    ours, theirs = 88 + rng.standard_normal((2, 5))
    runs = [run("mgnet-20", a, s) for s, a in enumerate(ours)]
    runs += [run("resnet20", a, s) for s, a in enumerate(theirs)]
    both = [of("mgnet-20 - resnet20"), of("resnet20 - mgnet-20")]
    effect, opposite = claims.effects(runs, both)
    test = stats.ttest_rel(ours, theirs)
    wanted = test.confidence_interval(1 - 0.05 / 2)  # two claims share five per cent
    assert effect.seeds == tuple(range(5))
    assert effect.interval.mean == pytest.approx((ours - theirs).mean())
    assert effect.interval.low == pytest.approx(wanted.low)
    assert effect.interval.high == pytest.approx(wanted.high)
    assert opposite.interval.low == pytest.approx(-wanted.high)


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=8), st.floats(-1, 1), st.floats(0, 2))
def test_the_seeds_that_would_decide_are_the_first_that_do(values, low, width):
    found = verdicts.interval(values, 0.99)
    n = claims.deciding_seeds(found, low, low + width, 0.99, most=60)
    decided = [
        claims.verdict(
            verdicts.Interval(found.mean, stats.t.ppf(0.995, m - 1) * found.std / m**0.5, m), low,
            low + width,
        ) != claims.UNDECIDED
        for m in range(verdicts.LEAST_SEEDS, 61)
    ]  # fmt: skip
    assert n == (verdicts.LEAST_SEEDS + decided.index(True) if any(decided) else None)


def test_what_a_seed_shares_does_not_widen_the_interval():
    shared = [0.0, 5.0, -3.0]  # a lucky and an unlucky order of the images
    runs = [run("mgnet-20", 80 + luck, s) for s, luck in enumerate(shared)]
    runs += [run("resnet20", 79 + luck, s) for s, luck in enumerate(shared)]
    (effect,) = claims.effects(runs, [of("mgnet-20 - resnet20", low=0)])
    assert effect.interval.half_width == pytest.approx(0, abs=1e-9)
    assert effect.verdict == claims.SUPPORTED


def test_only_seeds_that_all_networks_have_count_and_of_a_run_the_first_record():
    runs = [run("mgnet-20", 80 + s, s) for s in range(4)] + [run("mgnet-20", 10, 0)]
    runs += [run("resnet20", 79, s) for s in (0, 2, 3, 7)]
    (effect,) = claims.effects(runs, [of("mgnet-20 - resnet20")])
    assert effect.seeds == (0, 2, 3) and effect.values == pytest.approx([1, 3, 4])


def test_other_budgets_data_and_networks_are_other_lines_or_none():
    runs = [run("mgnet-20", 80, budget=b, data=d) for b, d in BUDGETS]
    runs += [run("resnet20", 79, budget=b, data=d) for b, d in BUDGETS]
    runs += [run("mgnet-20", 50, group_size=16), run("resnet20", 0, budget="smoke")]
    found = claims.effects(runs, [of("mgnet-20 - resnet20"), of("mgnet-20 - constrained-20")])
    assert len(found) == len(BUDGETS) and {(e.budget.name, e.budget.data) for e in found} == set(
        BUDGETS
    )
    assert found[0].budget.name == "short"  # the longest first
    assert {e.claim.contrast for e in found} == {((1, "mgnet-20"), (-1, "resnet20"))}


BUDGETS = [("demo", "fashion-mnist"), ("short", "fashion-mnist"), ("demo", "cifar10")]


def test_runs_for_a_choice_are_left_out():
    runs = [run("mgnet-20", 80), run("resnet20", 79)]
    chosen = [replace(r, metric=Metric("accuracy", r.metric.value, "val")) for r in runs]
    contrast = [of("mgnet-20 - resnet20")]
    assert claims.effects(runs, contrast) and not claims.effects(chosen, contrast)


def test_a_contrast_may_have_four_networks():
    a, b, c, d = "mgiad-20-g8", "mgiad-20-g4", "mgiad-20-g16", "mgnet-20"
    runs = [run(n, x) for n, x in zip((a, b, c, d), (90, 85, 70, 69), strict=True)]
    (effect,) = claims.effects(runs, [of(f"{a} - {b} - {c} + {d}")])
    assert effect.values == pytest.approx([90 - 85 - 70 + 69])


@given(
    st.lists(st.floats(-3, 3), min_size=1, max_size=6),
    st.floats(-2, 2), st.floats(0, 2),
)  # fmt: skip
def test_a_verdict_is_what_its_interval_says(values, low, width):
    interval = verdicts.interval(values, 0.99)
    said = claims.verdict(interval, low, low + width)
    if len(values) < verdicts.LEAST_SEEDS:
        assert said == claims.UNDECIDED
        return
    inside = low <= interval.low and interval.high <= low + width
    apart = interval.high < low or interval.low > low + width
    assert (said == claims.SUPPORTED) == inside
    assert (said == claims.NOT_SUPPORTED) == (apart and not inside)


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=6), st.floats(0.1, 2))
def test_a_claim_of_a_difference_is_the_opposite_of_one_of_equality(values, margin):
    interval = verdicts.interval(values, 0.99)
    differs = claims.verdict(interval, low=margin, high=-margin)
    equal = claims.verdict(interval, low=-margin, high=margin)
    if margin not in (interval.low, -interval.high):  # both claims own the margin itself
        opposite = {claims.SUPPORTED: claims.NOT_SUPPORTED, claims.NOT_SUPPORTED: claims.SUPPORTED}
        assert equal == opposite.get(differs, claims.UNDECIDED)


def test_together_the_intervals_miss_an_effect_in_at_most_one_family_of_twenty():
    rng, missed, families, several = np.random.default_rng(1), 0, 2000, 8
    for values in rng.standard_normal((families, several, 4)):
        own = [verdicts.interval(v, 1 - 0.05 / several) for v in values]
        missed += any(not i.low <= 0 <= i.high for i in own)
    # independent effects: 1 - (1 - 0.05/8)^8 = 4.9 %, and its standard error is 0.5 %
    assert 0.03 < missed / families < 0.065


def test_each_claim_is_whole_and_its_networks_exist():
    for claim in claims.claims():
        assert claim.says and claim.place and claim.name
        assert claim.low != claim.high and min(abs(claim.low), abs(claim.high)) < 5
        assert sum(sign for sign, _ in claim.contrast) == 0
        for data in ("fashion-mnist", "cifar10"):
            configs = claim.networks(data)
            assert len(set(configs)) == len(configs)
    names = [claim.name for claim in claims.claims()]
    assert len(set(names)) == len(names)


def test_the_places_of_this_book_are_sections_of_it():
    book = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "book").glob("*.md"))
    own = [c for c in claims.claims() if c.paper == "this book"]
    assert own and all(f"({c.place})=\n" in book for c in own)


def test_the_weights_that_remarks_name_are_those_of_the_networks():
    checked = 0
    for claim in claims.claims():
        if "weights" in claim.remark and "FashionMNIST" in claim.remark:
            weights = [f"{count_weights(c):,}" for c in claim.networks("fashion-mnist")]
            places = [claim.remark.index(w) for w in weights]
            assert places == sorted(places), claim.name
            checked += 1
    assert checked == 6
    linear, double = (
        named(f"poly-mgnet-{n}", channels=(16, 32, 64), in_channels=1) for n in ("q2", "g4")
    )
    assert count_weights(linear) == count_weights(double)  # "as many weights"


def test_a_plan_has_seeds_enough_for_each_claim():
    """On its paper's data or on FashionMNIST there are at least three seeds to come."""
    planned = [p for name in ("plan", "claims") for p in read_plan(EXPERIMENTS / f"{name}.csv")]
    half = Metric("accuracy", 0.5, "test")
    runs = [replace(SAMPLE, choices=p.config.as_dict(), metric=half) for p in planned]
    made = {e.claim.name for e in claims.effects(runs) if len(e.seeds) >= verdicts.LEAST_SEEDS}
    assert made == {claim.name for claim in claims.claims()}


def test_the_table_of_the_page_has_each_claim_once_and_says_which_have_runs():
    found = json.loads((ROOT / "results/claims.json").read_text(encoding="utf-8"))
    with open(ROOT / "results/claims.csv", newline="", encoding="utf-8") as file:
        lines = [line["claim"] for line in csv.DictReader(file)]
    assert [row["claim"] for row in found["claims"]] == lines
    made = {row["claim"] for row in found["effects"]}
    assert made == {row["claim"] for row in found["claims"] if row["runs"] != "none yet"}


@pytest.mark.parametrize("wrong", ["mean", "half_width", "low", "high"])
@pytest.mark.parametrize("n", [2, 3])
def test_no_verdict_is_drawn_from_what_is_no_number(n, wrong):
    given = {"mean": 0.5, "half_width": 0.1, "low": 0.0, "high": 1.0} | {wrong: math.nan}
    made = verdicts.Interval(given["mean"], given["half_width"], n)
    with pytest.raises(InvalidValue, match=r"claimed .*: give numbers"):
        claims.verdict(made, given["low"], given["high"])
