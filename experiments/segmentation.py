"""Make what MGIC's section 4.4 has on CamVid: results/segmentation.jsonl.

    python experiments/segmentation.py cost        # minutes per run, from a few measured steps
    python experiments/segmentation.py trial       # one short run of MGIC-Small
    python experiments/segmentation.py table9      # 2 networks, 2 seeds, at one budget
    python experiments/segmentation.py rates       # on validation images, to choose a rate
    python experiments/segmentation.py pictures    # what the networks at hand say about four images

CamVid is looked for in MGTUTORIAL_DATA. Runs are made one after the other, on one thread. What is
recorded is not repeated, and an interrupted run continues where it stopped: so the same command
continues the list, and --minutes stops it after an epoch.
"""

import argparse
import itertools

import numpy as np
import torch

from mgtutorial import _paths
from mgtutorial.errors import program
from mgtutorial.models.lraspp import NAMED
from mgtutorial.training import loop, segmentation, segmentations, timing
from mgtutorial.training.workspace import Workspace, load_checkpoint

NETWORKS = ("mgic-small-g64", "mobilenetv3-small")
RATES = (0.02, 0.05, 0.1)
IMAGES = (0, 60, 120, 180)  # of the test images


def runs(what):
    """Yield the configs of a list, the first seed first."""
    if what == "trial":
        yield segmentation.configure(NAMED[NETWORKS[0]], "demo")
    elif what == "rates":
        for rate, name in itertools.product(RATES, NETWORKS):
            changes = {"lr": rate, "epochs": 20, "on": "validation images"}
            yield segmentation.configure(NAMED[name], "short", **changes)
    else:
        for seed, name in itertools.product((0, 1), NETWORKS):
            yield segmentation.configure(NAMED[name], "short", seed)


def cost():
    """Print what a run of each network takes, from steps that are measured here."""
    for config in list(runs("table9"))[: len(NETWORKS)]:
        size = config.task().evaluation("val").size
        each = timing.per_sample(config, size, torch.device("cpu"), least=3)
        n = config.task().training().n
        print(
            f"{config.model.block}: {1000 * each:.0f} ms an image, {each * n:.0f} s an epoch, "
            f"{each * n * config.epochs / 60:.0f} min for {config.epochs} epochs"
        )


def pictures():
    """Pack the masks of four test images, and what the networks say there."""
    packed = {}
    for record in segmentations.recorded():
        checkpoint = _paths.results_dir() / "checkpoints" / f"{record.digest}.pt"
        if record.metric.split != "test" or record.seed or not checkpoint.exists():
            continue
        task = record.config.task()
        network = record.config.model.build().eval()
        network.load_state_dict(load_checkpoint(checkpoint)["model"])
        samples = task.evaluation("test")
        answers, truth = segmentations.answers(network, task, samples, IMAGES)
        packed[record.digest], packed["truth"] = answers.numpy(), truth.numpy()
    np.savez_compressed(_paths.results_dir() / "segmentation_pictures.npz", images=IMAGES, **packed)
    print(f"{len(packed) - 1} networks, {len(IMAGES)} images each")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["cost", "trial", "table9", "rates", "pictures"])
    parser.add_argument("--minutes", type=float, help="stop after an epoch when they are over")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.what in ("cost", "pictures"):
        return {"cost": cost, "pictures": pictures}[options.what]()
    limit = options.minutes and 60 * options.minutes
    workspace = Workspace(device="cpu", progress=False, time_limit=limit)
    for config in runs(options.what):
        record = loop.train(config, workspace)
        print(
            f"{config.model.block}, rate {config.lr:g}, seed {config.seed}: {record.metric}, "
            f"{record.seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    program(main)
