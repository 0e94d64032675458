"""The ladder of the recipe: its file is what its records give; its page's small numbers hold."""

import importlib.util
import json
from dataclasses import replace
from statistics import mean, stdev

import numpy as np
import pytest
from scipy.stats import t

from mgtutorial import _paths
from mgtutorial.models import MGiaDConfig, count_macs, named
from mgtutorial.reproduction.papers.printed_table import read_table
from mgtutorial.training import all_runs, configure, orthogonalised
from mgtutorial.training.recipe import Recipe, _dense_kernels

from ..project.prose import says

ROOT = _paths.checkout()
NETWORKS = ("mgnet-20", "mgiad-20-g4")


@pytest.fixture(scope="module")
def program():
    path = ROOT / "experiments/recipe.py"
    spec = importlib.util.spec_from_file_location("recipe_ladder", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_summary_is_what_the_records_give(program):
    kept = json.loads((ROOT / "results/recipe.json").read_text(encoding="utf-8"))
    computed = program.summary(all_runs())
    assert kept == computed, "write it anew: python experiments/recipe.py --summary"
    assert {r["network"] for r in kept} == {*program.NETWORKS}
    for row in kept:
        assert len(row["accuracies"]) == row["seeds"] >= 1
        assert row["rung"] != "base" or (row["gain"] == 0 and row["work"] == row["epochs"])


def test_times_are_those_of_the_records(program):
    kept = json.loads((ROOT / "results/recipe_times.json").read_text(encoding="utf-8"))
    assert kept == program.times(all_runs()), "python experiments/recipe.py --summary"
    for row in kept:
        assert len(row["accuracies"]) == row["seeds"]
        assert 0 < row["undisturbed"] <= row["minutes"]


def table_of_times():
    return json.loads((ROOT / "results/recipe_times.json").read_text(encoding="utf-8"))


def test_the_recipe_on_cifar10(program):
    kept = json.loads((ROOT / "results/recipe_cifar10.json").read_text(encoding="utf-8"))
    assert kept == program.times(all_runs(), "cifar10"), "python experiments/recipe.py --summary"
    of = {row["network"]: row["accuracies"] for row in kept}
    assert {row["network"] for row in kept if row["seeds"] == 3} == {
        "resnet20", "mgnet-20", "mgiad-20-g4", "mgiad-20-g16",
    }  # fmt: skip
    gaps = [a - b for a, b in zip(of["resnet20"], of["mgnet-20"], strict=True)]
    one, two, three = (f"{gap:.2f}" for gap in gaps)
    says("recipe", f"with each of them, by {one}, {two} and {three} points")
    most = max(max(of[name]) - min(of[name]) for name in ("resnet20", "mgnet-20"))
    says("recipe", f"the seeds of either network lie within {most:.1f} points of each other")
    says("recipe", f"MgNet-20 ends {mean(gaps):.1f} points below ResNet20 on average over three")
    grey = {r["network"]: r["accuracy"] for r in table_of_times()}
    whole, four, sixteen = (of[name] for name in ("mgnet-20", "mgiad-20-g4", "mgiad-20-g16"))
    below, less, apart = (
        [a - b for a, b in zip(one, other, strict=True)]
        for one, other in ((whole, four), (whole, sixteen), (sixteen, four))
    )
    for size, gaps_of in ((4, below), (16, less)):
        one, two, three = (f"{gap:.2f}" for gap in gaps_of)
        says("recipe", f"with $g_s = {size}$ by {one}, {two} and {three}")
    halves = (t.ppf(0.975, 2) * stdev(x) / 3**0.5 for x in (below, less, apart))
    first, second, third = (
        f"{mean(x) - half:.1f} to {mean(x) + half:.1f}"
        for x, half in zip((below, less, apart), halves, strict=True)
    )
    says(
        "recipe",
        f"the two pairs have the intervals {first} and {second}, and the pair of MGiaDs",
        f"which are {mean(apart):.1f} points apart on average",
        f"on average, has {third}.",
    )
    assert replace(named("mgiad-20-g16"), group_size=4) == named("mgiad-20-g4")  # else equal
    says("frontier", f"its three runs end {mean(below):.1f} points below MgNet-20's on average")
    poly = [a - b for a, b in zip(four, of["poly-mgiad-20-g4"], strict=False)]
    says("recipe", f"They end {poly[0]:.2f} and {poly[1]:.2f} points below those of MGiaD-20")
    assert len(of["poly-mgiad-20-g4"]) == 2
    small, large = (grey["mgnet-20"] - grey[n] for n in ("mgiad-20-g4", "mgiad-20-g16"))
    says("recipe", f"On FashionMNIST the two end {small:.1f} and {large:.1f} below it")
    lines = {r["model"]: r["value"] for r in read_table("mgiad_text_claims.csv")
             if (r["dataset"], r["quantity"]) == ("cifar10", "test_acc")}  # fmt: skip
    plain, shared = lines["resnet20"], lines["mgnet_ab_20"]
    gap = float(plain) - float(shared)
    says("recipe", f"prints {plain} per cent for ResNet20 and {shared} for MgNet-20")
    says("recipe", f"after 400 epochs, {gap:.2f} points apart")
    says("recipe", "Our gap has the same sign and is larger, with each seed.")
    assert min(gaps) > gap > 0


def test_the_small_network_is_chosen_on_validation_images(program):
    kept = json.loads((ROOT / "results/recipe_small.json").read_text(encoding="utf-8"))
    assert kept == program.small(all_runs()), "python experiments/recipe.py --summary"
    assert all(row["weights"] < 60_000 and row["seeds"] >= 2 for row in kept)
    (best, *others) = kept
    assert best["network"] == "mgiad-20-g16" and best["accuracy"] - others[-1]["accuracy"] < 1
    times = json.loads((ROOT / "results/recipe_times.json").read_text(encoding="utf-8"))
    (run,) = (row for row in times if row["network"] == best["network"])
    assert run["undisturbed"] < 20  # minutes
    says("recipe", f"takes {run['undisturbed']:.0f} minutes of one thread undisturbed")
    says("recipe", f"and took {run['minutes']:.1f} beside other work")
    says("recipe", f"is right on {run['accuracy']:.2f} per cent of the test images")


def test_which_runs_reached_the_mark():
    """The two networks that the recipe was looked for on; larger groups fall short."""
    kept = json.loads((ROOT / "results/recipe_times.json").read_text(encoding="utf-8"))
    printed = [
        r for r in read_table("mgiad_table2_fashionmnist.csv") if "3 resolution" in r["note"]
    ]
    marks, gaps = {}, {}
    for row in kept:
        own = "mgnet_ab_20" if row["network"] == "mgnet-20" else row["network"].rpartition("-g")[2]
        (line,) = [r for r in printed if own in (r["model"], r["g_s"])]
        marks[own] = f"{line['test_acc']} ± {line['test_acc_std']}"
        gaps[own] = [round(a - float(line["test_acc"]), 2) for a in row["accuracies"]]
        assert row["seeds"] == 3
    whole, four, eight, sixteen = (gaps[own] for own in ("mgnet_ab_20", "4", "8", "16"))
    assert min(whole) == 0 and sum(gap > 0 for gap in whole) == 2 and min(four) > 0
    says(
        "recipe",
        f"{marks['mgnet_ab_20']} for MgNet-20, and for the MGiaDs with three levels {marks['4']} "
        f"with $g_s = 4$, {marks['8']} with 8 and {marks['16']} with 16.",
        "one run of MgNet-20 is level with its mark to two decimals, and the other two and all "
        "three of $g_s = 4$ are past theirs.",
        "three seeds each",
        f"the mean falls short by {-mean(eight):.2f} and {-mean(sixteen):.2f} points",
    )
    fast = {r["network"]: r["undisturbed"] for r in kept}
    whole, four = (round(fast[name]) for name in NETWORKS)
    says("recipe", f"their quickest epochs it would be {whole} and {four} minutes on one thread")
    hours = [r["minutes"] / 60 for r in kept if r["network"] in NETWORKS]
    assert hours == pytest.approx([1, 1], abs=0.15)


def test_each_rung_changes_one_thing(program):
    ground, *rungs = (config for _, config in program.ladder("mgnet-20", images=20_000))
    assert ground.recipe is None and ground.split == "fit"
    for config in rungs:
        ideas = {*config.recipe.as_dict()} if config.recipe else set()
        ideas |= {f for f in ("lr", "precision") if getattr(config, f) != getattr(ground, f)}
        assert len(ideas) == 1, config
        assert config.epochs == ground.epochs or ideas == {"sides"}


def test_a_recipe_is_the_best_rung(program):
    rows = json.loads((ROOT / "results/recipe.json").read_text(encoding="utf-8"))
    for network in program.NETWORKS:
        fast = configure(network, "fashion-mnist", "fast")
        own = [r for r in rows if r["network"] == network]
        best = max(own, key=lambda r: r["accuracy"])
        assert program.RUNGS[best["rung"]] == fast.recipe.as_dict() == {"orthogonal_lr": 0.03}
        assert (fast.lr, fast.epochs) == (0.2, best["epochs"])
        assert {r["seeds"] for r in own} <= ({1} if network == "mgnet-20" else {3})
    says("recipe", "orthogonalised steps with a rate of 0.03, for both")


@pytest.fixture(scope="module")
def rungs():
    """(network, rung) -> its row, and its gains seed by seed."""
    rows = json.loads((ROOT / "results/recipe.json").read_text(encoding="utf-8"))
    found = {}
    for r in rows:
        (base,) = (b for b in rows if (b["network"], b["rung"]) == (r["network"], "base"))
        same = r["seeds"] == base["seeds"]
        pairs = zip(r["accuracies"], base["accuracies"], strict=same)
        found[r["network"], r["rung"]] = r | {"gains": [a - b for a, b in pairs] if same else None}
    return found


def ends(row):
    """The interval of a row's gain, by another way than the program's."""
    spread = stdev(row["gains"]) / np.sqrt(3)
    return row["gain"] - t.ppf(0.975, 2) * spread, row["gain"] + t.ppf(0.975, 2) * spread


def test_intervals_are_those_of_the_differences_seed_by_seed(rungs):
    says("recipe", "it has a 95 per cent interval, Student's for the differences seed by seed")
    for (_, rung), row in rungs.items():
        if row["seeds"] < 3 or rung == "base":
            assert row["interval"] == ""
        else:
            low, high = map(float, row["interval"].replace("−", "-").split("\u00a0to\u00a0"))
            assert (low, high) == pytest.approx(ends(row), abs=0.01)


def test_how_sure_the_best_rung_is(rungs):
    own = {rung: row for (network, rung), row in rungs.items() if network == "mgiad-20-g4"}
    best = own.pop("orthogonal 0.03")
    low, high = ends(best)
    later = best["gains"][1:]
    says("recipe", f"the rung as a whole gains {best['gain']:.2f} points")
    says(
        "recipe",
        f"with an interval from {low:.2f} to {high:.2f}. It was",
        "for what it did with seed 0",
    )
    says("recipe", f"they gain {later[0]:.2f} and {later[1]:.2f}.")
    says("recipe", f"MgNet-20 gains {rungs['mgnet-20', 'orthogonal 0.03']['gain']:.2f}, with one")
    faster = own["orthogonal 0.1"]
    low, high = ends(faster)
    says("recipe", f"gains {faster['gain']:.2f}, with an interval from {low:.2f} to {high:.2f}.")
    for row in (best, faster):
        several = t.ppf(1 - 0.05 / 2 / len(own), 2) * stdev(row["gains"]) / np.sqrt(3)
        assert len(own) == 12 and several > row["gain"]
    says("recipe", "at a confidence of 95 per cent for all of them together no interval here")


def test_no_other_idea_is_told_by_three_seeds(rungs):
    own = {rung: row for (network, rung), row in rungs.items() if network == "mgiad-20-g4"}
    ours = ("base", "orthogonal 0.03", "orthogonal 0.1")
    found = [ends(row) for rung, row in own.items() if rung not in ours]
    assert len(found) == 10 and all(low < 0 < high for low, high in found)
    (far, near), (least, most) = (
        (f"{min(side):.1f}", f"{max(side):.1f}") for side in zip(*found, strict=True)
    )
    says("recipe", f"reaches {least} to {most} points above and {near[1:]} to {far[1:]} below")
    lost = [own[r]["gains"] for r in ("averaged", "short warm-up", "norms without decay")]
    one, two, three = (f"{-gains[0]:.2f}" for gains in lost)
    says("recipe", f"averages lose {one} points, a shorter warm-up {two} and norms without decay")
    says("recipe", f"norms without decay {three};")
    assert min(gain for gains in lost for gain in gains[1:]) > -0.005
    ground = own["base"]["accuracies"]
    one, two, three = (f"{x:.2f}" for x in ground)
    says(
        "recipe",
        f"a lucky baseline run, with {one} per cent where the other two have {two} and {three}.",
    )
    deviations = [stdev(r["gains"]) for r in own.values() if r["gains"] and any(r["gains"])]
    said = f"differences of two runs range from {min(deviations):.2f} to {max(deviations):.2f}."
    says("recipe", said)


def test_what_the_page_says_of_coarse_grids_and_of_bfloat16(program, rungs):
    for network in program.NETWORKS:
        share = rungs[network, "coarse"]["work"] / rungs[network, "base"]["work"]
        assert share == pytest.approx(0.6, abs=0.02)
    (lost, alone), (gain, other) = (
        [f"{abs(rungs[n, rung]['gain']):.2f}" for n in ("mgiad-20-g4", "mgnet-20")]
        for rung in ("coarse", "coarse at equal work")
    )
    says("recipe", f"they lose {lost} points on average, and {alone} on MgNet-20 with one seed.")
    more = [f"{100 * (rungs[n, 'coarse at equal work']['work'] / 8 - 1):.0f}"
            for n in ("mgiad-20-g4", "mgnet-20")]  # fmt: skip
    says(
        "recipe", f"At nearly equal work ({more[0]} and {more[1]} per cent more) they gain {gain}, "
    )
    says("recipe", f"they gain {gain}, and {other} on MgNet-20 with one seed.")
    half = rungs["mgiad-20-g4", "bfloat16"]
    low, high = ends(half)
    says("recipe", f"It ends {half['gain']:.2f} points above the baseline")
    says("recipe", f"with an interval from −{-low:.2f} to +{high:.2f}: no cost is shown")
    says("recipe", f"the interval excludes one above {-low:.2f} points.")
    says("performance", f"show no cost, but do not exclude one below {-low:.1f} points")
    minutes = [r.seconds / 60 for r in all_runs() if r.budget == "fast" and r.metric.split == "val"]
    says("recipe", f"The rungs below took {min(minutes):.0f} to {max(minutes):.0f} minutes each")


def test_deviations_between_seeds():
    groups = {}
    for r in all_runs():
        if r.budget == "short" and r.config.split == "train" and not r.partial:
            groups.setdefault(replace(r.config, seed=0), []).append(100 * r.metric.value)
    of = {c.model: stdev(v) for c, v in groups.items() if len(v) == 3}
    found = {m.group_size: v for m, v in of.items() if isinstance(m, MGiaDConfig)}
    plain, shared = (of[named(n, in_channels=1)] for n in ("resnet20", "mgnet-20"))
    four, eight, sixteen = (f"{found[g]:.2f}" for g in (4, 8, 16))
    says("recipe", f"deviations of {four}, {eight} and {sixteen} points ($g_s = 4$, 8 and 16)")
    says("recipe", f"for ResNet20 and MgNet-20 they are {plain:.2f} and {shared:.2f}.")
    assert np.sqrt(2) * np.mean(list(found.values())) == pytest.approx(0.3, abs=0.05)


def test_hours_of_the_printed_training():
    whole = json.loads((ROOT / "results/benchmarks.json").read_text(encoding="utf-8"))
    (row,) = (
        r for r in whole["subjects"]["step"]["rows"]
        if r["side"] == "mgtutorial" and r["case"] == "mgnet-20, 28x28, batch 128"
    )  # fmt: skip
    hours = 400 * 60_000 / 128 * row["median"] / 3600
    says("recipe", f"takes some {hours:.0f} hours on one thread")


def test_orthogonalising_takes_half_a_per_cent_of_a_steps_multiplications(program):
    """Five iterations of two products with the wide matrix and one of squares, a group each."""
    shares = []
    for network in program.NETWORKS:
        config = configure(network, "fashion-mnist", "fast")
        total = 0
        for kernel, groups in _dense_kernels(config.model.build()).items():
            rows, columns = sorted((kernel.shape[0] // groups, kernel[0].numel()))
            total += groups * 5 * (2 * rows**2 * columns + rows**3)
        shares.append(total / (3 * config.batch_size * count_macs(config.model, 28)))
    assert max(shares) == pytest.approx(0.005, abs=0.001)
    says("recipe", "half a per cent of a step's multiplications, or less")


def test_the_work_of_coarse_grids(program):
    """Exercise 1: 8.53 by the number of points, and a little more with sizes rounded up."""
    says("recipe", "With 4, 3 and 6 it is 8.53")
    by_points = 4 * (14 / 28) ** 2 + 3 * (20 / 28) ** 2 + 6
    assert by_points == pytest.approx(8.53, abs=0.005)
    for network in program.NETWORKS:
        ((_, config),) = program.ladder(network, only=["coarse at equal work"])
        assert config.recipe == Recipe(sides=((0, 14), (4, 20), (7, 28)))
        assert by_points < program.work(config) < 1.02 * by_points


def test_the_polynomials_of_exercise_2():
    a, b, c = 15 / 8, -10 / 8, 3 / 8
    assert (a + b + c, a + 3 * b + 5 * c, 6 * b + 20 * c) == (1, 0, 0)
    ours = orthogonalised._A, orthogonalised._B, orthogonalised._C
    assert sum(ours) == pytest.approx(0.701)
    says("recipe", "(3.4445, -4.7750, 2.0315)", "$a + b + c = 0.701$")
    assert ours == (3.4445, -4.7750, 2.0315)
    sigma = np.linspace(0.01, 1, 2000)
    for _ in range(5):
        sigma = sum(k * sigma**n for k, n in zip(ours, (1, 3, 5), strict=True))
    assert 0.68 < sigma.min() and sigma.max() < 1.14


def test_the_seeds_of_exercise_3():
    def half(n):
        return t.ppf(0.975, n - 1) * np.sqrt(2) * 0.3 / np.sqrt(n)

    assert min(n for n in range(2, 40) if half(n) < 0.2) == 20
    says(
        "recipe",
        "Let the standard deviation over seeds be 0.3 points",
        "how many seeds does a difference of 0.2 points need for its 95 per cent interval",
        "its half-width is below 0.2 from $n = 20$ on",
    )


def test_the_noise_of_one_accuracy():
    says("recipe", "a network that is right on 91 per cent of 5,000 images")
    says("recipe", r"$\sqrt{0.91 \cdot 0.09 / 5000} = 0.4$ points")
    assert 100 * np.sqrt(0.91 * 0.09 / 5000) == pytest.approx(0.4, abs=0.01)
