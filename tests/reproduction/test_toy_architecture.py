"""What a new architecture with its published table needs: four files, and nothing else.

In a copy of the project a toy is added as CONTRIBUTING.md says: its model, its name in the
registry, its paper, and what the paper prints. Then all that is done with tables does it.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

MODEL = '''"""Toy: one convolution, and the mean of what it gives."""

from dataclasses import dataclass

from torch import nn

from . import blocks
from .config import NetworkConfig


@dataclass(frozen=True)
class ToyConfig(NetworkConfig):
    """One width."""

    channels: tuple = (8,)
    in_channels: int = 3
    num_classes: int = 10

    def build(self):
        return Toy(self)


class Toy(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.stem = blocks.stem("3x3", config.in_channels, config.channels[0])
        self.head = blocks.Head(config.channels[0], config.num_classes)

    def forward(self, x):
        return self.head(self.stem(x))


NAMED = {f"toy-{c}": ToyConfig((c,)) for c in (8, 16)}
'''

PAPER = '''"""What the paper about Toy prints."""

from ...models import registry
from ...models.toy import ToyConfig
from .paper import Family, Paper
from .printed_table import Printed


def _network(line):
    name = f"toy-{line['width']}"
    return name, registry.CONFIGS[name]


PAPER = Paper(
    title="Toy",
    protocol="poly-mgnet",
    printed={
        "toy-table1": Printed("Toy, Table 1: CIFAR-10", "toy_table1.csv", "cifar10", _network)
    },
    trained=("toy-table1",),
    families=(Family("Toy", "yellow", "*", ToyConfig),),
)
'''

# 27 c for the convolution, 2 c for its norm, 11 c' with the classes' biases.
PRINTED = """\
width,weights_k,test_acc,source
8,0.32,41.5,Toy paper Table 1 row 1
16,0.7,45.25,Toy paper Table 1 row 2
"""


def digests(folder):
    files = (f for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
    return {
        f.relative_to(folder).as_posix(): hashlib.sha256(f.read_bytes()).digest() for f in files
    }


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the project with the toy, and which files it took."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("mgtutorial", "results", "notebooks", "book"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "_toc.yml", "README.md"):
        shutil.copy(ROOT / name, root / name)
    before = digests(root)
    (root / "mgtutorial/models/toy.py").write_text(MODEL)
    registry = root / "mgtutorial/models/registry.py"
    text = registry.read_text()
    assert text.count('    "resnet",\n') == 1
    registry.write_text(text.replace('    "resnet",\n', '    "resnet",\n    "toy",\n'))
    (root / "mgtutorial/reproduction/papers/toy.py").write_text(PAPER)
    (root / "results/published/toy_table1.csv").write_text(PRINTED)
    after = digests(root)
    return root, {name for name in after if before.get(name) != after[name]}


def python(checkout, *arguments):
    root, _ = checkout
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MGTUTORIAL_")}
    env = kept | {"PYTHONPATH": str(root), "MGTUTORIAL_CACHE": str(root / "cache")}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=root, env=env, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_takes_four_files(checkout):
    assert checkout[1] == {
        "mgtutorial/models/toy.py",
        "mgtutorial/models/registry.py",
        "mgtutorial/reproduction/papers/toy.py",
        "results/published/toy_table1.csv",
    }


def test_the_command_lists_the_table_and_counts_it(checkout):
    listed = python(checkout, "-m", "mgtutorial", "reproduce")
    assert "toy-table1                   Toy, Table 1: CIFAR-10\n" in listed
    said = python(checkout, "-m", "mgtutorial", "count", "--table", "toy-table1")
    assert "Toy, Table 1: CIFAR-10" in said
    lines = [line.split() for line in said.splitlines() if line.startswith("toy-")]
    assert lines[1:] == [
        ["toy-8", "0.32k", "322", "+2", "matched"],
        ["toy-16", "0.7k", "634", "-66", "not", "reproducible"],
    ]


ASKED = """
import json
from mgtutorial.errors import MgtutorialError
from mgtutorial.models import as_dict, from_dict
from mgtutorial.reproduction import (
    comparison, expected_counts, figures, planning, rendering, status_page, tables
)

smoke = planning.plan("toy-table1", "smoke", seeds=[0, 1])
paper = planning.plan("toy-table1", "paper", data="digits", rows=["toy-8"])
try:
    expected_counts.check("toy-table1")
except MgtutorialError as error:
    unknown = str(error)
expected_counts.write()
counted = expected_counts.check("toy-table1")
model = as_dict(smoke.configs[0].model)
print(json.dumps({
    "rows": smoke.rows,
    "data": [c.data for c in smoke.configs],
    "protocol": [tables.TABLES["toy-table1"].protocol, paper.configs[0].protocol],
    "lr": paper.configs[0].lr,
    "same": from_dict(model) == smoke.configs[0].model,
    "name": tables.network_name(model | {"channels": [8]}),
    "family": figures.kind("toy-16")[0],
    "unknown": unknown,
    "counts": rendering.counts("toy-table1", counted),
    "table": rendering.markdown(comparison.compare("toy-table1", [])),
    "page": "| Toy, Table 1: CIFAR-10 | 2 | 1 of 2 | 0 | 0 | 0 | 2 |" in status_page.page([]),
}))
"""


def test_all_that_is_done_with_tables_does_it(checkout):
    found = json.loads(python(checkout, "-c", ASKED))
    assert found["rows"] == ["toy-8", "toy-8", "toy-16", "toy-16"]
    assert set(found["data"]) == {"digits"}
    assert found["protocol"] == ["poly-mgnet", "poly-mgnet"] and found["lr"] == 0.1
    assert found["same"] and found["name"] == "toy-8" and found["family"] == "Toy"
    assert "mgtutorial count --write" in found["unknown"]
    assert "| toy-8 | 0.32k | 322 | matched | 221,264 | 41.5 |" in found["counts"]
    assert "| toy-16 | 45.25 |" in found["table"] and found["page"]
