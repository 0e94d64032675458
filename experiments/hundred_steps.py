"""Does every published network take a hundred steps at its published learning rate?

    python experiments/hundred_steps.py [--only NAME ...]

Full widths, the published rate, momentum and weight decay, batches of 8 images: the question is
whether the loss stays finite and falls, not what accuracy comes out. Poly-MgNet is also run with
every placement of norms and activations; that one of them diverges is a result. Each network has
one line in ``results/hundred_steps.jsonl``; what has a line there is not run again.
"""

import argparse
import json
import time
from dataclasses import replace
from statistics import fmean

import torch
import torch.nn.functional as F

from mgtutorial import _paths, models
from mgtutorial.data import catalogue, images
from mgtutorial.errors import InvalidValue, choose, program
from mgtutorial.models.counting import count_weights
from mgtutorial.models.poly_steps import PLACEMENTS, RESIDUALS
from mgtutorial.reproduction import tables
from mgtutorial.training import protocols, records

STEPS, BATCH = 100, 8


def _shape(data):
    info = catalogue.info(data)
    return info.channels, info.classes


def networks():
    """Yield (name, config, protocol, data set) of every network with a published weight count."""
    for name, config in models.CONFIGS.items():
        shape = config.in_channels, config.num_classes
        data = next(d for d in catalogue.PUBLISHED if _shape(d) == shape)
        yield name, config, tables.protocol_of(name), data
    for kind in ("q2", "g6-pair"):
        base = models.named(f"poly-mgnet-{kind}")
        for placement in PLACEMENTS:
            for residual in RESIDUALS:
                try:
                    config = replace(base, placement=placement, residual=residual)
                except InvalidValue:  # a linear step has no A-term to normalise
                    continue
                name = f"poly-mgnet-{kind}, placement {placement}, residual {residual}"
                yield name, config, tables.protocol_of(f"poly-mgnet-{kind}"), "cifar10"


def run(name, config, protocol, data_name):
    """Take the steps and return what there is to record."""
    rates = protocols.settings("paper", data_name, protocol)
    # ImageNet's networks get Tiny ImageNet's images: 64 x 64 pixels, and fewer classes.
    source = images.load("tiny-imagenet" if data_name == "imagenet" else data_name, "train")
    config = config.for_data_set(catalogue.info(data_name))
    config = replace(config, in_channels=source.channels)
    torch.manual_seed(0)
    net = config.build().train()
    optimiser = torch.optim.SGD(net.parameters(), rates["lr"], momentum=0.9, weight_decay=1e-4)
    batches = images.batches(source, BATCH, "none", generator=torch.Generator().manual_seed(0))
    losses, begun = [], time.perf_counter()
    for _, (x, y) in zip(range(STEPS), batches, strict=False):
        loss = F.cross_entropy(net(x), y)
        losses.append(loss.item())
        if not torch.isfinite(loss):
            break
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    finite = len(losses) == STEPS and losses[-1] == losses[-1]
    return {
        "network": name,
        "weights": count_weights(config),
        "data": f"{source.name} ({source.source})",
        "lr": rates["lr"],
        "batch_size": BATCH,
        "steps": len(losses) - (not finite),
        "finite": finite,
        "loss_first_10": round(fmean(losses[:10]), 4) if finite else None,
        "loss_last_10": round(fmean(losses[-10:]), 4) if finite else None,
        "seconds": round(time.perf_counter() - begun, 1),
        **records.circumstances(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", help="names of networks; default: all")
    only = parser.parse_args().only
    path = _paths.results_dir() / "hundred_steps.jsonl"
    done = {json.loads(line)["network"] for line in path.read_text().splitlines()} \
        if path.exists() else set()  # fmt: skip
    torch.set_num_threads(1)
    known = {name: rest for name, *rest in networks()}
    for name in [choose("network", name, known) for name in only or known]:
        if name in done:
            continue
        record = run(name, *known[name])
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
        shown = (
            f"loss {record['loss_first_10']} -> {record['loss_last_10']}"
            if record["finite"]
            else f"diverged after {record['steps']} steps"
        )
        print(f"{name:60} {shown}, {record['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    program(main)
