"""To add a data set is to write its record, and a reader if the format of its files is new."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mgtutorial

from .made_files import photographs

PACKAGE = Path(mgtutorial.__file__).parent

# What a reader of the package does with a data set that she has just added.
PROGRAM = """
import sys
from pathlib import Path
import mgtutorial
from mgtutorial import models
from mgtutorial.data import catalogue, images, sources
from mgtutorial.training import loop, protocols
from mgtutorial.training.workspace import Workspace

assert Path(mgtutorial.__file__).parent == Path(sys.argv[1]) / "mgtutorial"
info = catalogue.info("toy")
(row,) = [r for r in sources.available() if r.name == "toy"]
assert (row.state, row.how) == ("ready", ""), row
train, test = (images.load("toy", split) for split in ("train", "test"))
assert (train.channels, train.size, train.num_classes) == (info.channels, info.size, info.classes)
assert train.source == info.official
assert (train.n, test.n) == (24, 8)
small = models.named("mgnet-20", channels=(4, 4), steps=1)
config = protocols.configure(small, "toy", "smoke", epochs=1, n_train=None)
record = loop.train(config, Workspace(Path(sys.argv[1]) / "runs", progress=False))
assert record.data.source == info.official and record.config.data == "toy"
assert 0 <= record.metric.value <= 1 and len(record.curve) == 1
print(protocols.configure("mgiad-lam1-c16-g4", "toy", "short").model.num_classes)
"""

FOLDERS = """    DataSet(
        "toy", 3, 2, 16, mean=(0.5,) * 3, std=(0.25,) * 3, readers=(ImageFolders("toy"),),
        by_hand="the folders toy/train/CLASS and toy/val/CLASS",
    ),
"""

READER = '''"""Data sets as npz files with the arrays x and y of each part."""

from dataclasses import dataclass

import numpy as np

from .in_memory import Part
from .readers import Found, Reader, first_place


@dataclass(frozen=True)
class Arrays(Reader):
    """The reader of one npz file."""

    pattern: str
    source = "official files"

    def locate(self, info, root):
        path = first_place(self.pattern, root)
        return path and Found("ready", str(path))

    def read(self, info, train, root, progress):
        with np.load(first_place(self.pattern, root), allow_pickle=False) as z:
            part = "train" if train else "test"
            names = tuple(str(k) for k in range(info.classes))
            return Part(z[f"x_{part}"], z[f"y_{part}"], names, self.source)
'''
ARRAYS = """    DataSet(
        "toy", 1, 2, 16, mean=(0.5,), std=(0.25,), readers=(Arrays("toy.npz"),), by_hand="toy.npz",
    ),
"""


def _windows():
    """24 + 8 windows of 20 x 20 pixels of two photographs, which are the classes."""
    random = np.random.RandomState(0)
    for part, n in (("train", 12), ("val", 4)):
        for k, photo in enumerate(photographs()):
            for i in range(n):
                top, left = random.randint(100, 400, 2)
                yield part, k, i, photo[top : top + 20, left : left + 20]


def in_folders(root):
    from PIL import Image

    for part, k, i, pixels in _windows():
        folder = root / "toy" / part / f"class{k}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{i}.JPEG", quality=95)


def as_arrays(root):
    found = list(_windows())
    arrays = {}
    for part, name in (("train", "train"), ("val", "test")):
        chosen = [w for w in found if w[0] == part]
        arrays[f"x_{name}"] = np.stack([w[3][None, :16, :16, 0] for w in chosen])
        arrays[f"y_{name}"] = np.array([w[1] for w in chosen])
    np.savez(root / "toy.npz", **arrays)


def _add_record(package, text, reader=""):
    path = package / "data" / "catalogue.py"
    source = path.read_text(encoding="utf-8")
    last, module = '    DataSet(\n        "synthetic"', "from .image_folders"
    assert source.count(last) == source.count(module) == 1
    path.write_text(source.replace(last, text + last).replace(module, reader + module), "utf-8")


@pytest.mark.parametrize("format", ["known", "new"])
def test_a_data_set_is_added_in_one_file_or_two(format, tmp_path):
    package, root = tmp_path / "mgtutorial", tmp_path / "root"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    before = {p: p.read_bytes() for p in package.rglob("*.py")}
    root.mkdir()
    if format == "known":
        in_folders(root)
        _add_record(package, FOLDERS)
    else:
        as_arrays(root)
        (package / "data" / "arrays.py").write_text(READER, encoding="utf-8")
        _add_record(package, ARRAYS, "from .arrays import Arrays\n")
    touched = [p for p in package.rglob("*.py") if p.read_bytes() != before.get(p)]
    assert len(touched) == (1 if format == "known" else 2)

    places = {"MGTUTORIAL_DATA": str(root), "MGTUTORIAL_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        cwd=tmp_path, env={**os.environ, **places, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "2"
