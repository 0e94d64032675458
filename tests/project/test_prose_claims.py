"""What the pages on claims and on costs say in numbers."""

import json

import numpy as np
import pytest
from scipy.special import stdtrit

from mgtutorial import models
from mgtutorial.data import info
from mgtutorial.models import count_weights, named
from mgtutorial.reproduction import claims, frontier
from mgtutorial.reproduction.budgets import written_network
from mgtutorial.sweeps.plan import read_plan
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
    says("claims", "$K = 17$ counts all claims of this page", "Anyone who tests seventeen claims")
    assert 10 < factor(3, FAMILY) < 11 and factor(5, FAMILY) < 3
    # each of seventeen intervals of 95 per cent may fail by itself
    assert 1 - 0.95**FAMILY > 0.5
    says("claims", 'will more often than not find one that is "shown" by luck')


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
    assert {r["seeds"] for r in found.values()} == {5} and len(found) == FAMILY
    decided = {k: r for k, r in found.items() if r["verdict"] != claims.UNDECIDED}
    assert decided.keys() == {"polynomial", "constraint"}
    assert {r["verdict"] for r in decided.values()} == {claims.NOT_SUPPORTED}
    says("claims", "All seventeen claims have five seeds, and two are decided.")
    poly, bound = (f"{-decided[name]['effect']:.1f}" for name in ("polynomial", "constraint"))
    says("claims", f"ends {poly} points below MGiaD", f"ends {bound} points below MgNet. Both")
    says("mgiad", f"it ends {poly} points below MGiaD")
    says("transposes", f"the bounded network ends {bound} points below MgNet-20")


def test_claims_what_is_undecided():
    rows = {r["claim"]: r for r in of_demo("claims") if r["verdict"] == claims.UNDECIDED}
    large = {k: f"{r['effect']:+.1f}" for k, r in rows.items() if abs(r["effect"]) >= 0.5}
    assert large == {
        "MGIC": "+1.3", "saturation in the coarsest level": "-0.7", "quadratic factors": "+0.6",
        "placement": "+0.8", "second visit": "-1.5",
    }  # fmt: skip
    assert len(rows) == 15
    says("claims", "Ten of the fifteen means are within half a point of zero")
    says(
        "claims",
        "$+0.6$ and $+0.8$, of MGiaD against an MGIC with a fifth more weights and half the",
        "weights and half the multiplications, $+1.3$, of MGIC",
    )
    says("claims", "coarsest level, $-0.7$, and of the [W-cycle in channels](mgiad-cycles), $-1.5$")
    deviations = [np.std(r["values"], ddof=1) for r in rows.values()]
    assert (f"{min(deviations):.1f}", f"{max(deviations):.1f}") == ("0.3", "2.5")
    says("claims", "deviations of the paired differences range from 0.3 to 2.5 points")
    by_size = sorted(rows, key=lambda k: np.std(rows[k]["values"]))
    assert all(k.startswith("saturation") for k in by_size[-2:])
    enough = sorted(int(r["enough"]) for r in rows.values())
    assert enough[:5] == [7, 8, 9, 16, 20]  # of the claims that the page names
    named = ("sharing", "MGIC", "second visit", "correction", "quadratic factors")
    assert [int(rows[k]["enough"]) for k in named] == enough[:5]
    says(
        "claims",
        "7 for sharing, 8 for MGiaD against MGIC, 9 for the W-cycle, 16 for the two corrections",
        "16 for the two corrections, 20 for quadratic",
    )
    assert max(int(r["enough"]) for r in rows.values()) > 200
    back, again = (rows[k]["effect"] for k in ("way back", "second visit"))
    assert (f"{back:.1f}", f"{again:.1f}") == ("-0.2", "-1.5")
    says("mgiad", "the V-cycle ends 0.2 points below the backslash cycle")
    says("mgiad", "the W-cycle 1.5 points below the V-cycle, on average over five seeds")
    tied = rows["tied operator"]["effect"]
    says("transposes", f"{-tied:.1f} points below MgNet-20 on average, with an interval that")
    for row in rows.values():
        assert abs(row["effect"]) < row["half_width"]


def test_claims_groups_alone():
    rows = {r["network"]: r for r in of_demo("frontier")}
    one, groups = (rows[n]["accuracy"] for n in ("mgnet-20", "mgnet-20 group_size=16"))
    says("claims", f"MgNet-20 has {one:.2f} per cent on average over five seeds")
    says("claims", f"and {groups:.2f} in groups of 16")


def test_claims_how_far_three_epochs_lead():
    means = [m for r in of_demo("claims") for m in r["means"]]
    assert round(max(means)) == 84
    short = [round(r["accuracy"]) for r in table("frontier") if r["budget"] == "short"]
    assert set(short) == {93}
    says("claims", "84 per cent and not 93")
    (longer,) = (r for r in table("claims")["effects"] if (r["budget"], r["seeds"]) == ("short", 3))
    assert (longer["claim"], longer["verdict"]) == ("sharing", claims.UNDECIDED)
    says("claims", "(FashionMNIST, three epochs, five seeds.)")
    low, high = (longer["effect"] + s * longer["half_width"] for s in (-1, 1))
    says("claims", f"ends {-longer['effect']:.1f} points below ResNet20, with an interval")
    says("claims", f"an interval from ${low:.1f}$ to ${high:+.1f}$: again undecided")


def test_claims_on_cifar10():
    (row,) = (r for r in table("claims")["effects"] if (r["data"], r["seeds"]) == ("cifar10", 3))
    assert (row["claim"], row["budget"], row["epochs"]) == ("sharing", "fast", 8)
    assert (row["verdict"], row["enough"]) == (claims.UNDECIDED, "4")
    assert -0.5 < row["effect"] + row["half_width"] < 0
    says("claims", "the whole interval lies below zero", "A fourth seed would decide")
    says("claims", "a loss of 0.26 points for a larger pair", "and one of 1.86 for this pair")
    says("claims", "on FashionMNIST, where no loss is shown, the runs are shorter or longer")
    says(
        "mgnet", f"leave [{-row['effect']:.1f} points](recipe-cifar) between MgNet-20 and ResNet20"
    )
    (row,) = (r for r in table("claims")["effects"] if (r["data"], r["seeds"]) == ("cifar10", 2))
    first, second = row["values"]
    factor = row["half_width"] / np.std(row["values"], ddof=1)
    assert row["claim"] == "polynomial" and row["verdict"] == claims.UNDECIDED
    says("claims", f"with ${first:.2f}$ and ${second:.2f}$ points against MGiaD")
    says("claims", f"Two leave a factor of {factor:.0f} before the deviation")
    others = [r for r in table("claims")["effects"]
              if (r["claim"], r["data"]) == ("sharing", "fashion-mnist")]  # fmt: skip
    assert all(abs(r["effect"]) < min(0.5, r["half_width"]) for r in others)
    assert {(r["budget"], r["epochs"]) for r in others} == {("demo", 3), ("short", 15)}


def test_claims_that_were_run_again_fall_inside_their_intervals():
    """Other seeds, recorded apart from the runs of the tables: by the same hand, and another's."""
    again = claims.effects(records.read(ROOT / "results/runs_again"))
    first = {r["claim"]: r for r in of_demo("claims")}
    means = {}
    for effect in again:
        row, seeds = first[effect.claim.name], np.array(effect.seeds)
        for hand, own in (("same", seeds < 8), ("other", seeds >= 8)):
            if own.any():
                assert own.sum() == 3 and seeds.min() >= row["seeds"]
                mean = np.mean(np.array(effect.values)[own])
                assert abs(mean - row["effect"]) < row["half_width"]
                means[effect.claim.name, hand] = f"${mean:.1f}$"
    assert len(means) == 5
    for hand, end in (("same", "inside the intervals"), ("other", "inside as well")):
        both = f"{means['polynomial', hand]} and {means['constraint', hand]}, {end}"
        says("claims", both)
    says("claims", f"in the first way, gave {means['sharing', 'same']}, inside its own")


def test_claims_program_for_runs_of_ones_own(monkeypatch, tmp_path, capsys):
    """The page's plan is read, and its program finds what such runs say."""
    page = (ROOT / "book/claims.md").read_text(encoding="utf-8")
    plan, _, program = page.split("(claims-again)=")[1].split("```")[1:6:2]
    (tmp_path / "again.csv").write_text(plan.removeprefix("text\n"), encoding="utf-8")
    assert [p.config.seed for p in read_plan(tmp_path / "again.csv")] == [23, 23]
    (tmp_path / "again").symlink_to(ROOT / "results/runs_again")
    monkeypatch.chdir(tmp_path)
    exec(program.removeprefix("python\n"), {})
    said = capsys.readouterr().out
    assert said.count("\n") == 3 and "constraint (5, 6, 7, 23, 101, 4242)" in said


def test_frontier_what_the_figure_shows():
    rows = {r["network"]: r for r in of_demo("frontier")}
    assert len(rows) == 26 and {r["seeds"] for r in rows.values()} == {5}
    says("frontier", "the most networks, twenty-six of them, five seeds each")
    ghost, mobile = (rows.pop(name) for name in frontier.PHONES)
    assert ghost["accuracy"] > max(r["accuracy"] for r in rows.values())
    for cost in ("macs", "memory"):
        assert ghost[cost] < min(r[cost] for r in [mobile, *rows.values()])
    says("frontier", f"GhostNet has the highest mean of all, {ghost['accuracy']:.1f}, with")
    more = ghost["weights"] / rows["mgiad-20-g4"]["weights"]
    says("frontier", f"and {more:.0f} times the weights of MGiaD-20 with $g_s = 4$")
    says("frontier", f"MGIC-MobileNetV3 has {mobile['accuracy']:.1f}.")
    of_A = (models.PolyMgNetConfig, models.PolyMGiaDConfig, models.ConstrainedConfig)
    kinds = {n: written_network(n, info("fashion-mnist")) for n in rows}
    mgic = [r for n, r in rows.items() if isinstance(kinds[n], models.MGICResNetConfig)]
    apart = {r["network"] for r in mgic} | {"mgiad-20-g4 coarsest=4 eta_post=0 gamma=2"}
    flat = [r for n, r in rows.items() if not isinstance(kinds[n], of_A) and n not in apart]
    poly = [r for n, r in rows.items() if isinstance(kinds[n], models.PolyMgNetConfig)]
    for group, ends in (
        (flat, ("83.5", "84.2")), (poly, ("82.1", "83.5")), (mgic, ("81.5", "82.5")),
    ):  # fmt: skip
        accuracies = [r["accuracy"] for r in group]
        assert (f"{min(accuracies):.1f}", f"{max(accuracies):.1f}") == ends
        says("frontier", f"between {ends[0]} and {ends[1]}")
    low = max(r["accuracy"] - r["half_width"] for r in flat)
    assert all(r["accuracy"] + r["half_width"] > low for r in flat)
    weights = [r["weights"] for r in flat]
    assert (round(min(weights), -4), round(max(weights), -4)) == (20_000, 270_000)
    visited = rows["mgiad-20-g4 coarsest=4 eta_post=0 gamma=2"]
    says("frontier", f"and the W-cycle with {visited['accuracy']:.1f};")
    others = min(r["accuracy"] for r in rows.values() if r["accuracy"] > 80)
    far = [n for n, r in rows.items() if r["accuracy"] < 80]
    assert set(far) == {"poly-mgiad-20-g4", "constrained-20 bounded=True"} and others > 81
    longer = visited["step"] / rows["mgiad-20-g4 coarsest=4"]["step"]
    says("mgiad", f"a training step of it takes {longer:.2f} times as long as the V-cycle's")
    measured = json.loads((ROOT / "results/benchmarks.json").read_text(encoding="utf-8"))
    rows_of = measured["subjects"]["frontier"]["rows"]
    steps = [r for r in rows_of if r["case"].startswith("training step")]
    times = {r["side"].removeprefix("mgtutorial "): r["quartiles"] for r in steps}
    v_cycle = times["mgiad-20-g4 coarsest=4"]
    assert times[visited["network"]][0] < v_cycle[1]  # the quartiles overlap
    second = json.loads((ROOT / "results/benchmarks_second.json").read_text(encoding="utf-8"))
    (quick,) = (r["median"] for r in second["subjects"]["step"]["rows"]
                if r["side"] == "mgtutorial" and r["case"].startswith("mgnet-20,"))  # fmt: skip
    assert sum(times["mgnet-20"]) / 2 / quick == pytest.approx(2, abs=0.3)
    says("frontier", "about half as quick as [the second](performance-second)")


def test_frontier_what_to_take():
    rows = {r["network"]: r for r in of_demo("frontier")}
    ghost, _ = (rows.pop(name) for name in frontier.PHONES)
    small, mgnet, resnet = (rows[n] for n in ("mgiad-20-g4", "mgnet-20", "resnet20"))
    quick = rows["poly-mgnet-q2 channels=(16,32,64)"]
    assert small["weights"] / mgnet["weights"] == pytest.approx(0.27, abs=0.01)
    narrow = rows["mgiad-20-g4 coarsest=4"]
    assert narrow["weights"] / mgnet["weights"] == pytest.approx(0.2, abs=0.01)
    assert small["macs"] / mgnet["macs"] == pytest.approx(0.36, abs=0.01)
    assert ghost["macs"] / small["macs"] == pytest.approx(1 / 6, abs=0.01)
    assert ghost["macs"] < min(r["macs"] for r in rows.values())
    longer = narrow["step"] / small["step"]
    says("frontier", f"it has a fifth and a step takes {longer:.1f} times as long")
    few = rows["mgic-resnet56-c16-g8 blocks=(1,1,1)"]
    assert few["macs"] / small["macs"] == pytest.approx(0.5, abs=0.01)
    assert few["weights"] / small["weights"] == pytest.approx(1.2, abs=0.01)
    assert f"{small['accuracy'] - few['accuracy']:.1f}" == "1.3"
    says(
        "frontier", f"with one block a stage takes {few['step'] / quick['step']:.2f} times as long"
    )
    says("frontier", "half of MGiaD-20's, and is [1.3 points](claims.md) below it on average")
    assert min(rows.values(), key=lambda r: r["step"]) is quick
    assert quick["step"] / resnet["step"] == pytest.approx(0.5, abs=0.05)
    assert 1.5 < resnet["accuracy"] - quick["accuracy"] < 2
    assert min(rows.values(), key=lambda r: r["memory"]) is quick
    assert resnet["memory"] / quick["memory"] == pytest.approx(1.1, abs=0.02)
    says(
        "frontier", f"takes {small['forward'] / resnet['forward']:.1f} times as long as ResNet20's"
    )
    ratios = [small["step"] / mgnet["step"]]
    for file in ("benchmarks", "benchmarks_second"):
        measured = json.loads((ROOT / f"results/{file}.json").read_text(encoding="utf-8"))
        steps = [r for r in measured["subjects"]["step"]["rows"] if r["side"] == "mgtutorial"]
        other = {r["case"].split(",")[0]: r["median"] for r in steps}
        ratios.append(other["mgiad-20-g4"] / other["mgnet-20"])
    own, first, second = (f"{x:.2f}" for x in ratios)
    says("frontier", f"also takes {own} ({first} and {second} on the")
    flat = [n for n, r in rows.items() if r["accuracy"] > small["accuracy"]]
    best = min(flat, key=lambda n: rows[n]["step"])
    assert best == "mgnet-20 group_size=16"
    says("frontier", f"a step takes {rows[best]['step'] / mgnet['step']:.2f} of MgNet-20's time")
    passes, steps = (ghost[work] / mgnet[work] for work in ("forward", "step"))
    assert ghost["forward"] < min(r["forward"] for r in rows.values())
    says("frontier", f"a forward pass takes {passes:.2f} of MgNet-20's time, though a training")
    says("frontier", f"though a training step takes {steps:.2f}.")
    says("frontier", f"GhostNet holds the least, {ghost['memory']:.0f} MB")
    measured = json.loads((ROOT / "results/benchmarks.json").read_text(encoding="utf-8"))
    wide = {
        (r["case"].split(",")[0], r["side"]): 100 * np.ptp(r["quartiles"]) / r["median"]
        for r in measured["subjects"]["frontier"]["rows"]
    }
    step = max(v for (work, _), v in wide.items() if work == "training step")
    own = wide["forward", f"mgtutorial {frontier.PHONES[0]}"]
    says("frontier", f"of a step lie up to {step:.0f} per cent of its median apart")
    says("frontier", f"and those of GhostNet's pass {own:.0f}.")
    spread = {k: [r[k] for r in rows.values()] for k in ("weights", "step", "memory")}
    ratios = [max(v) / min(v) for v in spread.values()]
    assert [f"{x:.1f}" for x in ratios] == ["16.7", "3.1", "2.7"]
    says("frontier", "the time of a training step by 3.1, its memory by 2.7")
    fast = {
        r["network"]: r for r in table("frontier")
        if (r["data"], r["budget"]) == ("fashion-mnist", "fast")
    }  # fmt: skip
    gain = fast["mgnet-20"]["accuracy"] - fast["mgiad-20-g4"]["accuracy"]
    assert {fast[n]["seeds"] for n in ("mgnet-20", "mgiad-20-g4")} == {3}
    times = {row["network"]: row["accuracies"] for row in table("recipe_times")}
    says("frontier", f"MgNet-20 ends {gain:.1f} points above it on average")
    pairs = zip(*(times[n] for n in ("mgnet-20", "mgiad-20-g4")), strict=True)
    assert all(a > b for a, b in pairs)
    says("frontier", "and above it with each of three seeds")
