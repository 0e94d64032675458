"""Make the runs of MGIC's Figure 4: results/implicit_function.jsonl.

    python experiments/implicit_functions.py figure4    # 27 runs: 3 blocks, 3 widths, 3 seeds
    python experiments/implicit_functions.py rates      # on held-out points, to choose a rate
    python experiments/implicit_functions.py ends       # the printed last row, smallest width
    python experiments/implicit_functions.py others     # the other functions, smallest width
    python experiments/implicit_functions.py figure4 --budget paper     # as printed: 1,000 epochs
    python experiments/implicit_functions.py figure4 --budget paper --alphas 0.6 --blocks ghostnet
    python experiments/implicit_functions.py surfaces   # what the networks at hand have learned

Runs are made one after the other, on one thread. What is recorded is not repeated, and an
interrupted run continues where it stopped, so the same command continues the list.
"""

import argparse
import itertools

import numpy as np
import torch

from mgtutorial import _paths
from mgtutorial.errors import program
from mgtutorial.models import ImplicitConfig
from mgtutorial.models.implicit_function import PRINTED_BLOCKS
from mgtutorial.training import implicit_function, loop
from mgtutorial.training.workspace import load_checkpoint

ALPHAS = (0.6, 0.8, 1.2)
RATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
GROUPS = {"s_g": 8, "s_c": 8}  # "typically, we choose s_c = s_g", section 3.4; 8 is Table 1's s_c


def runs(what, seeds, blocks=PRINTED_BLOCKS, alphas=ALPHAS):
    """Yield the arguments of each run of a list, the first seed first."""
    for seed, block in itertools.product(seeds, blocks):
        if what == "figure4":
            for alpha in alphas:
                yield ImplicitConfig(alpha, block, **GROUPS), seed, {}
        elif what == "ends":
            yield ImplicitConfig(0.6, block, **GROUPS, end="printed"), seed, {}
        elif what == "others":
            for name in ("flower", "signed-distance", "photograph"):
                yield ImplicitConfig(0.6, block, **GROUPS), seed, {"function": name}
        else:
            for rate in RATES:
                changes = {"lr": rate, "epochs": 5, "held_out": True}
                yield ImplicitConfig(0.6, block, **GROUPS), seed, changes


def surfaces(n=100):
    """Pack what the networks whose checkpoints are here have learned.

    The values of the least wide ones, seed 0, at a grid; and for all of the printed blocks the
    error at the test points with the norms of all training points. What is packed already stays.
    """
    ticks = (torch.arange(n) + 0.5) / n
    values, settled = implicit_function.surfaces(), implicit_function.settled()
    for record in implicit_function.recorded():
        config = record.config
        checkpoint = _paths.results_dir() / "checkpoints" / f"{record.digest}.pt"
        if config.model.block not in PRINTED_BLOCKS or not checkpoint.exists():
            continue
        network = config.model.build().eval()
        network.load_state_dict(load_checkpoint(checkpoint)["model"])
        if (config.model.alpha, config.seed, config.on) == (0.6, 0, "test points"):
            with torch.no_grad():
                at = network(torch.cartesian_prod(ticks, ticks)).reshape(n, n)
            values[record.digest] = at.numpy()
        task = config.task()
        network = implicit_function.settle(network, task.training().at)
        error = loop.evaluate(network, task, task.evaluation("test"))
        settled[record.digest] = error
    folder = _paths.results_dir()
    packed = {digest: at.astype(np.float16) for digest, at in values.items()}
    np.savez_compressed(folder / "implicit_function_surfaces.npz", **packed)
    lines = [f"{digest},{error:.4e}" for digest, error in settled.items()]
    (folder / "implicit_function_settled.csv").write_text("\n".join(["digest,mse", *lines, ""]))
    print(f"{len(values)} surfaces, {len(settled)} errors")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["figure4", "rates", "ends", "others", "surfaces"])
    parser.add_argument("--budget", default="short", choices=["demo", "short", "paper"])
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--blocks", choices=PRINTED_BLOCKS, nargs="+", default=PRINTED_BLOCKS)
    parser.add_argument("--alphas", type=float, choices=ALPHAS, nargs="+", default=ALPHAS)
    options = parser.parse_args()
    if options.what == "surfaces":
        return surfaces()
    seeds = options.seeds or ([0, 1, 2] if options.what in ("figure4", "ends") else [0])
    for model, seed, changes in runs(options.what, seeds, options.blocks, options.alphas):
        record = implicit_function.fit(model, options.budget, seed, progress=False, **changes)
        net = record.config.model
        print(
            f"{record.config.function}, {net.block}, alpha {net.alpha}, {net.end} end, "
            f"rate {record.config.lr:g}, seed {seed}: {record.metric}, {record.seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    program(main)
