"""The ladder of the recipe: its file is what its records give; its page's small numbers hold."""

import importlib.util
import json

import numpy as np
import pytest
from scipy.stats import t

from mgtutorial import _paths
from mgtutorial.training import all_runs, configure, orthogonalised
from mgtutorial.training.recipe import Recipe

from ..project.prose import says

ROOT = _paths.checkout()


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


def test_each_rung_changes_one_thing(program):
    ground, *rungs = (config for _, config in program.ladder("mgnet-20", images=20_000))
    assert ground.recipe is None and ground.split == "fit"
    for config in rungs:
        ideas = {*config.recipe.as_dict()} if config.recipe else set()
        if config.lr != ground.lr:
            ideas.add("lr")
        assert len(ideas) == 1, config
        assert config.epochs == ground.epochs or ideas == {"sides"}


def test_a_recipe_has_the_ideas_that_gained_more_than_a_seed_can_tell(program):
    rows = json.loads((ROOT / "results/recipe.json").read_text(encoding="utf-8"))
    chosen = 0
    for network in program.NETWORKS:
        fast = configure(network, "fashion-mnist", "fast")
        gains = {r["rung"]: r["gain"] for r in rows if r["network"] == network}
        ideas = fast.recipe.as_dict()
        for name, value in ideas.items():
            (rung,) = (r for r, changes in program.RUNGS.items() if changes == {name: value})
            assert gains[rung] > 0.55, (network, rung)
            chosen += 1
        best = {r: g for r, g in gains.items() if g > 0.55}
        assert len(best) == len(ideas), (network, best)
    assert chosen
    says("recipe", r"$1.96 \cdot 0.28 = 0.55$ points")


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
        return t.ppf(0.975, n - 1) * np.sqrt(2) * 0.2 / np.sqrt(n)

    assert min(n for n in range(2, 40) if half(n) < 0.2) == 11
    says(
        "recipe",
        "The standard deviation over seeds is about 0.2 points",
        "How many seeds does a difference of 0.2 points need for its 95 per cent interval",
        "it is below 0.2 from $n = 11$ on",
    )


def test_the_noise_of_one_accuracy():
    says("recipe", "a network that is right on 91 per cent of 5,000 images")
    says("recipe", r"$\sqrt{0.91 \cdot 0.09 / 5000} = 0.4$ points")
    assert 100 * np.sqrt(0.91 * 0.09 / 5000) == pytest.approx(0.4, abs=0.01)
