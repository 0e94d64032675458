"""The ladder of the budget ``fast``: one change at a time, judged on validation images.

    python experiments/recipe.py mgiad-20-g4 [--seeds 0,1,2] [--images 20000] [--only base,coarse]

Each rung is a run of the split "fit", recorded in results/runs/fast.jsonl; those that have a
record are not repeated.
"""

import argparse
from dataclasses import replace

from mgtutorial._text import listed, seeds_of
from mgtutorial.errors import choose, program
from mgtutorial.sweeps import runs
from mgtutorial.training import Workspace, configure
from mgtutorial.training.recipe import Recipe

EPOCHS = 8
# What each rung changes, of the base or of the rungs that it is built on.
RUNGS = {
    "base": {},
    "coarse": {"sides": ((0, 14), (3, 20), (5, 28))},
    "orthogonal 0.03": {"orthogonal_lr": 0.03},
    "orthogonal 0.1": {"orthogonal_lr": 0.1},
    "smoothed labels": {"label_smoothing": 0.1},
    "norms without decay": {"decay_norms": False},
    "averaged": {"average": 0.99},
    "short warm-up": {"warm_up": 0.1},
    "batches that grow": {"batches": ((0, 64), (4, 128), (6, 256))},
    "coarse and orthogonal": {"sides": ((0, 14), (3, 20), (5, 28)), "orthogonal_lr": 0.03},
}


def ladder(network, seeds=(0,), images=None, only=None):
    """Return (rung, config) for each run."""
    base = configure(
        network, "fashion-mnist", "fast", split="fit", n_train=images, epochs=EPOCHS, lr=0.2,
        recipe=None,
    )  # fmt: skip
    return [
        (rung, replace(base, seed=seed, recipe=Recipe(**changes) if changes else None))
        for seed in seeds
        for rung, changes in RUNGS.items()
        if only is None or rung in only
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("network")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--images", type=int)
    parser.add_argument("--only")
    a = parser.parse_args()
    only = listed(a.only, "rungs")
    for rung in only or ():
        choose("rung", rung, RUNGS)
    planned = ladder(a.network, seeds_of(a.seeds), a.images, only)
    for rung, config in planned:
        (record,) = runs.run([config], Workspace(progress=False))
        print(f"{rung}, seed {config.seed}: {record.metric}, {record.seconds:.0f} s", flush=True)


if __name__ == "__main__":
    program(main)
