"""What the pages on claims and on costs say in numbers."""

import json

import numpy as np
import pytest
from scipy.special import stdtrit

from mgtutorial.models import count_weights, named
from mgtutorial.reproduction import claims

from .prose import ROOT, says

FAMILY = len(claims.claims())


def table(name):
    return json.loads((ROOT / f"results/{name}.json").read_text(encoding="utf-8"))


def factor(n, together):
    """Half-width of an interval of n values, in units of their deviation."""
    return stdtrit(n - 1, 1 - 0.05 / 2 / together) / n**0.5


def test_claims_table_of_half_widths():
    seeds = (2, 3, 5, 10, 20)
    for name, together in (("one claim alone", 1), ("one of fifteen", FAMILY)):
        row = " | ".join(f"{factor(n, together):.2f}" for n in seeds)
        says("claims", f"| {name} | {row} |")
    assert FAMILY == 15
    says("claims", "$K = 15$ counts all claims of this page", "Whoever tries fifteen claims")
    assert 9.5 < factor(3, FAMILY) < 10.5 and factor(5, FAMILY) < 3
    # each of fifteen intervals of 95 per cent may fail by itself
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
         f"{factor(3, 1):.2f}. As one of fifteen: seven "
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
    assert 100 / 10 == 10 and best / count_weights(named("mgnet-20", in_channels=1)) < 1e-3
    says("frontier", "has an accuracy of 10 % per weight; MgNet-20 has less than a thousandth of")


def test_the_pages_show_what_the_tables_have():
    assert {row["claim"] for row in table("claims")["effects"]}
    assert {row["network"] for row in table("frontier")}
