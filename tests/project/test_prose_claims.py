"""What the pages on claims and on costs say in numbers."""

import json

import numpy as np
import pytest
from scipy.special import stdtrit

from mgtutorial.models import count_weights, named
from mgtutorial.reproduction import claims
from mgtutorial.training import records

from .prose import ROOT, says

FAMILY = len(claims.claims())


def table(name):
    return json.loads((ROOT / f"results/{name}.json").read_text(encoding="utf-8"))


def factor(n, together):
    """Half-width of an interval of n values, in units of their deviation."""
    return stdtrit(n - 1, 1 - 0.05 / 2 / together) / n**0.5


def test_claims_table_of_half_widths():
    seeds = (2, 3, 5, 10, 20)
    for name, together in (("one claim alone", 1), ("one of seventeen", FAMILY)):
        row = " | ".join(f"{factor(n, together):.2f}" for n in seeds)
        says("claims", f"| {name} | {row} |")
    assert FAMILY == 17
    says("claims", "$K = 17$ counts all claims of this page", "Whoever tries seventeen claims")
    assert 10 < factor(3, FAMILY) < 11 and factor(5, FAMILY) < 3
    # each of seventeen intervals of 95 per cent may fail by itself
    assert 1 - 0.95**FAMILY > 0.5
    says("claims", 'is "shown" by luck more often than not')


def test_claims_exercises():
    three, six = stdtrit(2, 0.975), stdtrit(4, 0.975)
    says("claims", f"For $n = 3$ it is {three:.2f} against {six:.2f}")
    assert three / six == pytest.approx(1.5, abs=0.06)
    alone = next(n for n in range(2, 30) if factor(n, 1) < 2)
    family = next(n for n in range(2, 30) if factor(n, FAMILY) < 2)
    assert (alone, family) == (4, 7)
    says("claims",
         f"Alone: four seeds ($t_3/\\sqrt 4 = {factor(4, 1):.2f}$), three are not enough with "
         f"{factor(3, 1):.2f}. As one of seventeen: seven "
         f"($t_6 = {stdtrit(6, 1 - 0.025 / FAMILY):.2f}$ at this confidence, over $\\sqrt 7$: "
         f"{factor(7, FAMILY):.2f}), as six have {factor(6, FAMILY):.2f}")  # fmt: skip


def test_frontier_exercise_on_luck():
    harmonic = sum(1 / k for k in range(1, 11))
    says("frontier", f"= {harmonic:.2f}$. So a front of three among ten")
    rng = np.random.default_rng(0)
    accuracies = rng.standard_normal((20_000, 10))
    on_front = accuracies == np.maximum.accumulate(accuracies, axis=1)
    assert on_front.sum(1).mean() == pytest.approx(harmonic, abs=0.05)


def test_frontier_exercise_on_quotients():
    best = max(row["accuracy"] for row in table("frontier") if row["network"] == "mgnet-20")
    assert best / count_weights(named("mgnet-20", in_channels=1)) < 1e-3
    says("frontier", "has an accuracy of 10 % per weight; MgNet-20 has less than a thousandth of")


def test_the_pages_show_what_the_tables_have():
    assert {row["claim"] for row in table("claims")["effects"]}
    assert {row["network"] for row in table("frontier")}


def of_demo(name):
    """The rows of the budget that the pages' words are about."""
    rows = table(name) if name == "frontier" else table(name)["effects"]
    return [r for r in rows if (r["budget"], r["epochs"]) == ("demo", 3)]


def test_claims_what_came_out():
    found = {r["claim"]: r for r in of_demo("claims")}
    assert {r["seeds"] for r in found.values()} == {5}
    decided = {k for k, r in found.items() if r["verdict"] != claims.UNDECIDED}
    assert decided == {"polynomial"} and len(found) == 4
    lost = found["polynomial"]
    assert lost["verdict"] == claims.NOT_SUPPORTED
    says(
        "claims",
        f"has cost MGiaD {-lost['effect']:.1f} points",
        "Of the four claims with five seeds, one",
    )
    says("mgiad", f"it ends {-lost['effect']:.1f} points below MGiaD")
    for name, row in found.items():
        if name == "polynomial":
            continue
        reached = max(abs(row["effect"] - row["half_width"]), row["effect"] + row["half_width"])
        assert abs(row["effect"]) < 0.25 and 0.5 < reached < 1.25
        half = row["half_width"] * factor(10, FAMILY) / factor(5, FAMILY)
        low, high = (row["claimed"][end] for end in ("low", "high"))
        inside = (low is None or low <= row["effect"] - half) and (
            high is None or row["effect"] + half <= high
        )
        assert inside == (name == "sharing")  # and none lies outside
        assert abs(row["effect"]) < half
    assert found["sharing"]["effect"] > 0 > found["first guess"]["effect"]
    means = [m for r in found.values() for m in r["means"]]
    assert round(max(means)) == 84
    short = [r for r in table("frontier") if r["budget"] == "short"]
    assert (
        round(min(r["accuracy"] for r in short)) == round(max(r["accuracy"] for r in short)) == 93
    )
    says("claims", "84 per cent and not 93")


def test_claims_that_were_run_again_fall_inside_their_intervals():
    """Other seeds, recorded apart from the runs of the tables."""
    again = claims.effects(records.read(ROOT / "results/runs_again"))
    first = {r["claim"]: r for r in of_demo("claims")}
    for effect in again:
        row = first[effect.claim.name]
        assert len(effect.seeds) == 3 and min(effect.seeds) >= row["seeds"]
        assert abs(effect.interval.mean - row["effect"]) < row["half_width"]
    means = {e.claim.name: e.interval.mean for e in again}
    assert means.keys() == {"polynomial", "sharing"}
    says("claims", f"three other seeds: ${means['polynomial']:.1f}$, inside the interval")
    says("claims", f"in the same way, has ${means['sharing']:.1f}$, inside its own")


def test_frontier_what_the_figure_shows_and_what_to_take():
    rows = {r["network"]: r for r in of_demo("frontier")}
    assert len(rows) == 6 and {r["seeds"] for r in rows.values()} == {5}
    others = [r for n, r in rows.items() if n != "poly-mgiad-20-g4"]
    accuracies = [r["accuracy"] for r in others]
    assert max(accuracies) - min(accuracies) < 0.5
    low = max(r["accuracy"] - r["half_width"] for r in others)
    assert all(r["accuracy"] + r["half_width"] > low for r in others)
    assert round(min(r["weights"] for r in others), -3) == 28_000
    says("frontier", "the front between 28 and 270 thousand weights is flat here")
    small, mgnet, resnet = (rows[n] for n in ("mgiad-20-g4", "mgnet-20", "resnet20"))
    assert small["weights"] / mgnet["weights"] == pytest.approx(0.27, abs=0.01)
    assert small["macs"] / mgnet["macs"] == pytest.approx(0.36, abs=0.01)
    assert small["step"] / mgnet["step"] == pytest.approx(0.73, abs=0.02)
    assert min(rows.values(), key=lambda r: r["memory"]) is resnet
    fast = {r["network"]: r for r in table("frontier") if r["budget"] == "fast"}
    gain = fast["mgnet-20"]["accuracy"] - fast["mgiad-20-g4"]["accuracy"]
    assert {fast[n]["seeds"] for n in ("mgnet-20", "mgiad-20-g4")} == {3}
    says("frontier", f"{gain:.1f} points in favour of MgNet-20, three runs each")
