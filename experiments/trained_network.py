"""Make results/trained/NAME.safetensors, a trained network that comes with the package.

    python experiments/trained_network.py NAME CHECKPOINT

The checkpoint is one left by `mgtutorial train`; its run must be recorded. The file holds
the weights, the config, and the record.
"""

import argparse
import json
from pathlib import Path

from mgtutorial import models
from mgtutorial.data import catalogue
from mgtutorial.errors import InvalidValue, program
from mgtutorial.training import records, shipped, weights


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name")
    parser.add_argument("checkpoint", type=Path)
    options = parser.parse_args()
    network = weights.trained(options.checkpoint)
    found = [r for r in records.all_runs() if r.digest == options.checkpoint.stem]
    data = catalogue.info(found[0].config.data) if found else None
    if not found or models.named(options.name, data=data) != network.config:
        raise InvalidValue(
            f"{options.checkpoint} is of no recorded run of {options.name}: give the checkpoint "
            "of one that has ended."
        )
    path = shipped.folder() / f"{options.name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    models.save(path, network, record=json.dumps(found[0].to_json()))
    print(f"{path.name}: {path.stat().st_size:,} bytes, {found[0].metric}")


if __name__ == "__main__":
    program(main)
