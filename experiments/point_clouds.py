"""Make the runs behind MGIC's Table 11: results/point_clouds.jsonl.

    python experiments/point_clouds.py table11     # 3 networks, 3 seeds; needs ModelNet10's points
    python experiments/point_clouds.py rates       # on validation clouds, to choose a rate
    python experiments/point_clouds.py readings    # the gradient alone, as diffGCN's code runs it
    python experiments/point_clouds.py pictures    # clouds and predictions of the networks at hand
    python experiments/point_clouds.py time        # seconds per epoch, from a few steps

Runs are made one after the other, on one thread. What is recorded is not repeated, and an
interrupted run continues where it stopped, so the same command continues the list; --time-limit
says when to stop.
"""

import argparse

import numpy as np
import torch

from mgtutorial import _paths
from mgtutorial.data import catalogue, load_clouds
from mgtutorial.errors import program
from mgtutorial.training import loop, point_clouds, timing
from mgtutorial.training.workspace import Workspace, load_checkpoint

NETWORKS = ("dgcnn", "diffgcn", "mgic-diffgcn")
RATES = (0.03, 0.1, 0.3)


def runs(what, budget, seeds):
    """Yield the configs of a list, the first seed first."""
    if what == "rates":
        for name in NETWORKS:
            for lr in RATES:
                yield point_clouds.configure(name, "demo", lr=lr, on="validation clouds")
        return
    names = NETWORKS if what == "table11" else ("diffgcn-gradient", "mgic-diffgcn-gradient")
    for seed in seeds:
        for name in names:
            yield point_clouds.configure(name, budget, seed)


def pictures(budget, each=2):
    """Pack test clouds, 96 points of each, with what the networks say of them.

    What a network said that is not at hand any more is kept: a digest names one run for good.
    """
    test = load_clouds("modelnet10", "test")
    chosen = [i for c in range(10) for i in (test.labels == c).nonzero()[:each, 0].tolist()]
    # of points that were drawn apart from each other, any part is spread over the cloud
    part = torch.randperm(test.size, generator=torch.Generator().manual_seed(0))[:96]
    points = (test.points[chosen][:, part] * 127).round().to(torch.int8).numpy()
    packed = {"points": points, "labels": test.labels[chosen].numpy(), "classes": test.classes}
    file = _paths.results_dir() / "point_clouds.npz"
    said_before = dict(np.load(file)) if file.exists() else {}
    for record in point_clouds.recorded():
        if record.digest in said_before:
            packed[record.digest] = said_before[record.digest]
        path = _paths.results_dir() / "checkpoints" / f"{record.digest}.pt"
        if (record.budget, record.metric.split) == (budget, "test") and path.exists():
            network = record.config.model.build().eval()
            network.load_state_dict(load_checkpoint(path)["model"])
            with torch.no_grad():
                said = torch.cat([network(p) for p in test.points.split(32)])
            packed[record.digest] = said.argmax(1).numpy().astype(np.int8)
    packed["of"], packed["truth"] = np.array(chosen), test.labels.numpy().astype(np.int8)
    np.savez_compressed(file, **packed)
    print(f"{len(chosen)} clouds, {len(packed) - 5} networks")


def times():
    """Print what an epoch takes."""
    for name in NETWORKS:
        config = point_clouds.configure(name)
        each = timing.per_sample(config, 1024, torch.device("cpu"), least=5)
        minutes = each * catalogue.clouds(config.data).n_train / 60
        print(f"{name}: {minutes:.1f} min an epoch, {config.epochs * minutes:.0f} min a run")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["table11", "rates", "readings", "pictures", "time"])
    parser.add_argument("--budget", default="short", choices=["demo", "short"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--time-limit", type=float, help="seconds, of all runs together")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.what == "pictures":
        return pictures(options.budget)
    if options.what == "time":
        return times()
    workspace = Workspace(device="cpu", progress=False, time_limit=options.time_limit)
    for config in runs(options.what, options.budget, options.seeds):
        record = loop.train(config, workspace)
        print(
            f"{config.model.layer} ({config.model.operators}), rate {config.lr:g}, seed "
            f"{config.seed}: {record.metric}, {record.seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    program(main)
