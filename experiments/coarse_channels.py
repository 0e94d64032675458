"""Make what MGIC's Table 1 needs: a first convolution, and results/coarse_channels.jsonl.

    python experiments/coarse_channels.py convolution   # trains it; needs CIFAR-10
    python experiments/coarse_channels.py rates         # on validation images, to choose a rate
    python experiments/coarse_channels.py table1        # 4 group sizes, 3 seeds, and equal rows

The convolution is that of a small residual network with the stem of ResNet-50, 7x7 with stride 2
from 3 to 64 channels. What is recorded is not repeated, and an interrupted run is continued.
"""

import argparse

import numpy as np
import torch

from mgtutorial import _paths
from mgtutorial.errors import program
from mgtutorial.models import ResNetConfig
from mgtutorial.spectra import Convolution, second_moments
from mgtutorial.training import loop, protocols, transfers_alone
from mgtutorial.training.weights import trained
from mgtutorial.training.workspace import Workspace

SIZES = (32, 16, 8, 4)
RATES = (0.03, 0.1)  # at 0.3 it diverges


def convolution():
    """Train the network, and keep its first kernel."""
    model = ResNetConfig((1, 1), (64, 128), stem="7x7")
    config = protocols.configure(model, "cifar10", "demo", n_train=20_000, epochs=5)
    checkpoint = _paths.results_dir() / "checkpoints" / "first_convolution.pt"
    record = loop.train(config, Workspace(device="cpu"), checkpoint_path=checkpoint)
    print(f"{record.digest}: {record.metric}, {record.seconds:.0f} s, {record.data.source}")
    kernel = trained(checkpoint).stem[0].weight.detach()
    config = transfers_alone.configure(32, convolution=Convolution(kernel, stride=2, padding=3))
    task = config.task()
    moments = {
        "training": second_moments(task.training().maps).numpy(),
        "test": second_moments(task.evaluation("test").maps).numpy(),
    }
    np.savez_compressed(
        _paths.results_dir() / "first_convolution.npz",
        kernel=kernel.numpy(), stride=2, run=record.digest, **moments,
    )  # fmt: skip


def runs(what):
    """Yield the configs of a list."""
    if what == "rates":
        for s_g in (32, 4):
            for lr in RATES:
                yield transfers_alone.configure(s_g, lr=lr, epochs=10, on="validation images")
        return
    for seed in range(3):
        for s_g in SIZES:
            yield transfers_alone.configure(s_g, seed)
    for s_g in SIZES:  # equal rows: the averages that the networks start from
        yield transfers_alone.configure(s_g, start="means")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["convolution", "rates", "table1"])
    what = parser.parse_args().what
    torch.set_num_threads(1)
    if what == "convolution":
        return convolution()
    for config in runs(what):
        record = loop.train(config, Workspace(device="cpu", progress=False))
        print(
            f"s_g {config.model.group_size}, {config.model.start}, rate {config.lr:g}, "
            f"seed {config.seed}: {record.metric}, {record.seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    program(main)
