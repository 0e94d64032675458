"""The order of errors in MGIC's Figure 4: which runs count, and how they decide."""

import json
import math
from dataclasses import replace
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from mgtutorial import _paths
from mgtutorial.errors import InvalidValue
from mgtutorial.models import ImplicitConfig
from mgtutorial.reproduction import claims, mgic_figure4
from mgtutorial.training import implicit_function
from mgtutorial.training.record import Epoch, Metric, Record, Samples

ERRORS = st.floats(1e-6, 1e3)


def run(block, value, seed=0, alpha=0.6, curve=1000, **changes):
    """A record as a run under the printed protocol leaves it."""
    model = ImplicitConfig(alpha, block, s_g=8, s_c=8)
    config = replace(implicit_function.configure(model, "paper", seed), **changes)
    points = Samples(50_000, None, "computed")
    return Record(
        digest=f"{block}{alpha}{seed}", choices=config.as_dict(), data=points,
        evaluated_on=Samples(40_000, None, "computed"), metric=Metric("mse", value, "test"),
        curve=tuple(Epoch(k + 1, 1.0, 1e-4, 1.0, seconds=1.0) for k in range(curve)),
        weights=1, macs=1, seconds=1.0, device={"type": "cpu", "threads": 1},
        finished="2026-11-30T00:00:00+00:00", versions={}, commit="",
    )  # fmt: skip


@given(st.lists(st.tuples(ERRORS, ERRORS), min_size=2, max_size=6))
def test_the_interval_is_students_for_the_logarithm(pairs):
    middle, ends, _ = mgic_figure4.ratio(*zip(*pairs, strict=True))
    logs = [math.log(a) - math.log(b) for a, b in pairs]
    half = t.ppf(1 - 0.05 / 6 / 2, len(logs) - 1) * stdev(logs) / math.sqrt(len(logs))
    assert math.log(middle) == pytest.approx(mean(logs), abs=1e-9)
    for end, wanted in zip(ends, (mean(logs) - half, mean(logs) + half), strict=True):
        assert end == pytest.approx(math.exp(min(wanted, 709)), rel=1e-6) or wanted > 699


@given(st.lists(st.tuples(ERRORS, ERRORS), min_size=3, max_size=6), st.floats(0.1, 10.0))
def test_the_verdict_does_not_depend_on_the_unit_and_turns_round_with_the_pair(pairs, unit):
    ours, other = (list(v) for v in zip(*pairs, strict=True))
    middle, ends, _ = mgic_figure4.ratio(ours, other)
    scaled = mgic_figure4.ratio([unit * v for v in ours], [unit * v for v in other])
    assert scaled[0] == pytest.approx(middle, rel=1e-6)
    back = mgic_figure4.ratio(other, ours)
    assert back[0] == pytest.approx(1 / middle, rel=1e-6)
    if max(*ends, *back[1]) < 1e300 and min(ends) > 0:
        assert back[1] == pytest.approx((1 / ends[1], 1 / ends[0]), rel=1e-5)


def test_the_verdicts():
    below = mgic_figure4.ratio([1.0, 1.1, 0.9], [10.0, 12.0, 9.0])
    assert below[2] == claims.SUPPORTED and below[1][1] < 1
    above = mgic_figure4.ratio([10.0, 12.0, 9.0], [1.0, 1.1, 0.9])
    assert above[2] == claims.NOT_SUPPORTED and above[1][0] > 1
    assert mgic_figure4.ratio([1.0, 3.0, 2.0], [2.0, 1.0, 2.0])[2] == claims.UNDECIDED
    assert mgic_figure4.ratio([1.0, 1.0], [9.0, 9.0])[2] == claims.UNDECIDED  # two seeds
    assert mgic_figure4.ratio([1.0], [9.0])[1:] == (None, claims.UNDECIDED)
    with pytest.raises(InvalidValue):
        mgic_figure4.ratio([], [])


@pytest.mark.parametrize(
    "changes", [{"lr": 1e-3}, {"epochs": 999}, {"n": 49_999}, {"batch_size": 64},
                {"momentum": 0.0}, {"function": "flower"}, {"on": "held-out points"}]
)  # fmt: skip
def test_a_run_that_departs_in_one_field_does_not_count(changes):
    assert mgic_figure4.as_printed([run("ghostnet", 0.01)])
    assert mgic_figure4.as_printed([run("ghostnet", 0.01, **changes)]) == {}


def test_rows_are_paired_by_their_seeds_and_widths():
    made = [run("mgic-bneck", 0.01, 0), run("mgic-bneck", 0.04, 1), run("mgic-bneck", 1.0, 2)]
    made += [run("ghostnet", 0.02, 1), run("ghostnet", 0.02, 0)]
    made += [run("mobilenetv3", 0.02, 0, alpha=0.8)]
    found = mgic_figure4.summary(made)
    assert [(r["block"], r["alpha"], r["seeds"]) for r in found["errors"]] == [
        ("GhostNet", 0.6, 2), ("MGIC", 0.6, 3), ("MobileNetV3", 0.8, 1)
    ]  # fmt: skip
    (row,) = found["contrasts"]
    assert (row["other"], row["seeds"], row["values"]) == ("GhostNet", 2, [0.5, 2.0])
    assert row["ratio"] == 1.0 and row["verdict"] == claims.UNDECIDED


def test_what_is_written_is_what_the_records_say():
    path = _paths.packaged_results() / "mgic_figure4.json"
    assert json.loads(path.read_text(encoding="utf-8")) == mgic_figure4.summary()
    assert {row["seeds"] for row in mgic_figure4.summary()["errors"]} == {3}
