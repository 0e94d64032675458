"""The ladder of the budget ``fast``: one change at a time, judged on validation images.

    python experiments/recipe.py mgiad-20-g4 [--seeds 0,1,2] [--images 20000] [--only base,coarse]
    python experiments/recipe.py --summary    # results/recipe*.json, from the records

Each rung is a run of the split "fit", recorded in results/runs/fast.jsonl; those that have a
record are not repeated. Runs of the recipe itself, on all images, are ``mgtutorial train --budget
fast``; the summary has their times.
"""

import argparse
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

from mgtutorial._text import listed, seeds_of
from mgtutorial.errors import choose, program
from mgtutorial.models import count_macs, name_of
from mgtutorial.reproduction.verdicts import interval
from mgtutorial.sweeps import runs
from mgtutorial.sweeps.plan import read_plan
from mgtutorial.training import Workspace, all_runs, configure
from mgtutorial.training.recipe import Recipe

RESULTS = Path(__file__).resolve().parents[1] / "results"
NETWORKS = ("mgnet-20", "mgiad-20-g4")
SMALL = ("mgiad-20-g4", "mgiad-20-g8", "mgiad-20-g16")  # under 60,000 weights, with a recipe
IMAGES = 20_000
SIDE = 28

EPOCHS = 8
# What each rung changes, of the base or of the rungs that it is built on. Of the coarse grids, one
# rung has the epochs of the base and one about its multiplications: 4 of 14^2, 3 of 20^2 and 6 of
# 28^2 pixels cost as much as 8.5 epochs of 28^2.
RUNGS = {
    "base": {},
    "coarse": {"sides": ((0, 14), (3, 20), (5, 28))},
    "coarse at equal work": {"epochs": 13, "sides": ((0, 14), (4, 20), (7, 28))},
    "orthogonal 0.03": {"orthogonal_lr": 0.03},
    "rate 0.4": {"lr": 0.4},
    "rate 0.1": {"lr": 0.1},
    "smoothed labels": {"label_smoothing": 0.1},
    "averaged": {"average": 0.99},
    "batches that grow": {"batches": ((0, 64), (4, 128), (6, 256))},
    "orthogonal 0.1": {"orthogonal_lr": 0.1},
    "norms without decay": {"decay_norms": False},
    "short warm-up": {"warm_up": 0.1},
    "bfloat16": {"precision": "bfloat16"},
}


RECIPE = "orthogonal 0.03"  # the rung that the budget has taken


def ladder(network, seeds=(0,), images=None, only=None):
    """Return (rung, config) for each run."""
    base = configure(
        network, "fashion-mnist", "fast", split="fit", n_train=images, epochs=EPOCHS, lr=0.2,
        recipe=None,
    )  # fmt: skip
    return [
        (rung, changed(replace(base, seed=seed), **changes))
        for seed in seeds
        for rung, changes in RUNGS.items()
        if only is None or rung in only
    ]


def changed(config, epochs=EPOCHS, lr=None, precision="float32", **ideas):
    """Return a config with other epochs, rate or precision, and the ideas of a recipe."""
    recipe = Recipe(**ideas) if ideas else None
    lr = lr or config.lr
    return replace(config, epochs=epochs, lr=lr, precision=precision, recipe=recipe)


def work(config):
    """Return the multiplications of a run, in epochs of whole images."""
    sides = [config.recipe.side(e) if config.recipe else None for e in range(config.epochs)]
    macs = {side: count_macs(config.model, side or SIDE) for side in {None, *sides}}
    return sum(macs[side] for side in sides) / macs[None]


def summary(records):
    """Return a row for each network and rung that has records: accuracies of its seeds.

    The gain is paired: over the seeds that the base has as well. From three pairs on it has its
    interval of 95 per cent; two would give one of some nine deviations to each side.
    """
    found = {}
    for r in records:
        if r.budget == "fast" and r.metric.split == "val":
            found[r.config] = 100 * r.metric.value
    rows = []
    for network in NETWORKS:
        base = {c.seed: found.get(c) for _, c in ladder(network, range(9), IMAGES, ["base"])}
        for rung in RUNGS:
            configs = [c for _, c in ladder(network, range(9), IMAGES, [rung]) if c in found]
            if not configs:
                continue
            gains = [found[c] - base[c.seed] for c in configs if base[c.seed] is not None]
            rows.append({
                "network": network,
                "rung": rung,
                "seeds": len(configs),
                "epochs": configs[0].epochs,
                "work": round(work(configs[0]), 3),
                "accuracies": [round(found[c], 2) for c in configs],
                "accuracy": round(mean(found[c] for c in configs), 3),
                "gain": round(mean(gains), 3) if gains else None,
                "interval": _interval(gains) if rung != "base" else "",
            })  # fmt: skip
    return rows


def _interval(gains):
    if len(gains) < 3:
        return ""
    found = interval(gains)
    return f"{found.low:+.2f} to {found.high:+.2f}".replace("-", "−").replace(" ", "\u00a0")


def small(records):
    """Return a row for each small network: what the recipe reaches on validation images.

    By these one of them is chosen; the test images of the runs on all images are in `times`.
    """
    found = {r.config: r for r in records if r.budget == "fast" and r.metric.split == "val"}
    rows = []
    for network in SMALL:
        configs = (c for _, c in ladder(network, range(9), IMAGES, [RECIPE]))
        own = [found[c] for c in configs if c in found]
        if own:
            accuracies = [100 * r.metric.value for r in own]
            rows.append({
                "network": network,
                "weights": own[0].weights,
                "seeds": len(own),
                "accuracies": [round(a, 2) for a in accuracies],
                "accuracy": round(mean(accuracies), 3),
            })  # fmt: skip
    return sorted(rows, key=lambda row: -row["accuracy"])


def times(records, data="fashion-mnist"):
    """Return a row for each network that was trained by the recipe on all images of a data set.

    A run on a thread lasts as long as it lasts beside others; the undisturbed time is that of its
    quickest epoch, for all epochs.
    """
    found = defaultdict(list)
    for r in records:
        whole = r.config.split == "train" and not r.partial
        if r.budget == "fast" and r.config.data == data and whole:
            found[replace(r.config, seed=0)].append(r)
    plan = read_plan(Path(__file__).with_name("plan.csv"), root="nowhere")
    planned = [(p.name, p.config.model) for p in plan]  # a data set may change a field of a network
    rows = []
    for config, runs_ in found.items():
        accuracies = [100 * r.metric.value for r in sorted(runs_, key=lambda r: r.config.seed)]
        quickest = min(epoch.seconds for r in runs_ for epoch in r.curve)
        rows.append({
            "network": name_of(config.model, also=planned),
            "weights": runs_[0].weights,
            "seeds": len(runs_),
            "epochs": config.epochs,
            "accuracies": [round(a, 2) for a in accuracies],
            "accuracy": round(mean(accuracies), 3),
            "spread": f" ± {stdev(accuracies):.2f}" if len(accuracies) > 1 else "",
            "minutes": round(mean(r.seconds for r in runs_) / 60, 1),
            "undisturbed": round(config.epochs * quickest / 60, 1),
        })  # fmt: skip
    return sorted(rows, key=lambda row: -row["weights"])


def write(name, rows):
    lines = ",\n ".join(json.dumps(row) for row in rows)
    (RESULTS / name).write_text(f"[\n {lines}\n]\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("network", nargs="?")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--only")
    parser.add_argument("--summary", action="store_true")
    a = parser.parse_args()
    if a.summary:
        write("recipe.json", summary(all_runs()))
        write("recipe_times.json", times(all_runs()))
        write("recipe_cifar10.json", times(all_runs(), "cifar10"))
        write("recipe_small.json", small(all_runs()))
        return
    if a.network is None:
        parser.error("give a network, or --summary")
    only = listed(a.only, "rungs")
    for rung in only or ():
        choose("rung", rung, RUNGS)
    planned = ladder(a.network, seeds_of(a.seeds), a.images, only)
    for rung, config in planned:
        (record,) = runs.run([config], Workspace(progress=False))
        print(f"{rung}, seed {config.seed}: {record.metric}, {record.seconds:.0f} s", flush=True)


if __name__ == "__main__":
    program(main)
