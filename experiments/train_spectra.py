"""Make the trained weights of the chapter on spectra: results/spectra/*.npz.

    python experiments/train_spectra.py             # all, about ten minutes per network on one core
    python experiments/train_spectra.py mgnet-20    # some
    python experiments/train_spectra.py --data digits --to _build/mine   # other images, elsewhere

Each network is trained by mgtutorial.training with the budget "demo", except for a few more
epochs and smaller batches, so that there are more steps to look at. Its record goes to results/runs
like every other. An interrupted run continues where it stopped; a finished one is only packed
again.
"""

import argparse
import shutil
from contextlib import contextmanager
from pathlib import Path

import torch

from mgtutorial import _paths, models
from mgtutorial.data import catalogue
from mgtutorial.errors import choose, program
from mgtutorial.models import PolyMgNetConfig
from mgtutorial.training import loop, progress, protocols, records, snapshots
from mgtutorial.training.workspace import Workspace, load_checkpoint

WIDTHS = (16, 32, 64)
SKELETON = PolyMgNetConfig(  # no norm between the factors: here roots mean what they say
    WIDTHS,
    steps=("linear", "linear", "pair"),
    placement=("plain", "plain", "outside"),
    residual="plain",
    parametrisation="coefficients",
    roots="spectrum",
    unused_transfers=True,
)
#: Name -> the network, and the epochs of which its operators are kept besides the last.
NETWORKS = {
    "poly-mgnet-skeleton": (SKELETON, (1, 2)),
    "mgnet-20": (models.named("mgnet-20"), (1, 2)),
    "mgiad-20-g4": (models.named("mgiad-20-g4"), (1, 2)),
    "poly-mgnet-20-q2": (models.named("poly-mgnet-q2", channels=WIDTHS), ()),
    "poly-mgnet-20-g4": (models.named("poly-mgnet-g4", channels=WIDTHS), ()),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=list(NETWORKS), metavar="NETWORK")
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--to", type=Path, default=_paths.results_dir() / "spectra")
    parser.add_argument("--scratch", type=Path, default=Path("_build/spectra"))
    options = parser.parse_args()
    for name in options.names:
        choose("network", name, NETWORKS)
    choose("data set", options.data, catalogue.NAMES)
    options.to.mkdir(parents=True, exist_ok=True)
    for name in options.names:
        make(name, options)


def make(name, options):
    """Train one network, and keep what the chapter needs of it."""
    model, kept = NETWORKS[name]
    few = {"n_train": None} if options.data == "digits" else {}
    config = protocols.configure(
        model, options.data, "demo",
        epochs=options.epochs, batch_size=options.batch_size, seed=options.seed, **few,
    )  # fmt: skip
    folder = options.scratch / f"{name}-{records.digest(config.as_dict())}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "checkpoint.pt"
    shown = progress.one()

    @contextmanager
    def bar(**options):
        with shown(**options) as inner:
            inner_epoch = inner.epoch

            def epoch(number, line):  # called when the checkpoint of the epoch is on the disk
                shutil.copy(path, folder / f"epoch-{number}.pt")
                print(f"{name}, {line}", flush=True)
                inner_epoch(number, line)

            inner.epoch = epoch
            yield inner

    # a record in the scratch folder: one in results/runs would not bring the epochs back
    workspace = Workspace(folder, device="cpu", progress=bar)
    record = loop.train(config, workspace, checkpoint_path=path)
    if options.to == _paths.results_dir() / "spectra":
        records.append(record, Workspace().results_of(config))

    epochs = [*kept, config.epochs]
    states = {e: load_checkpoint(folder / f"epoch-{e}.pt")["model"] for e in epochs}
    for e in kept:
        states[e] = {n: v for n, v in states[e].items() if wanted(n)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        start = config.model.build().state_dict()
    about = {
        "name": name,
        "config": config.as_dict(),
        "record": record.digest,
        "test_accuracy": record.metric.value,
        "seconds": record.seconds,
        "start": {
            n: float((v.double() ** 2).sum()) for n, v in start.items() if snapshots.is_operator(n)
        },
    }
    target = options.to / f"{name}.npz"
    snapshots.save(target, about, states)
    print(f"{target}: {target.stat().st_size / 1e3:.0f} kB, {record.metric}")


def wanted(name):
    """Whether an entry of the state is kept at every epoch: the operators and the roots."""
    return snapshots.is_operator(name) or name.endswith(".numbers")


if __name__ == "__main__":
    program(main)
