"""How many files one has to read to follow a walk through the package: it must not creep up."""

import os
import re
import subprocess
import sys

import pytest

from mgtutorial import _paths

# What the walks of tools/rooms.py have now. The bars are 5 for a forward pass, 12 for a training,
# 14 for a dry run, 8 for a published number; a walk that gets shorter is written down here.
ROOMS = {
    "MgNet forward and back": 4,
    "MGiaD forward and back": 5,
    "Poly-MgNet forward and back": 5,
    "MGIC-ResNet-56 forward and back": 5,
    "training": 24,
    "number": 7,
    "dry-run": 14,
}


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    places = {"MGTUTORIAL_CACHE": str(tmp_path_factory.mktemp("cache"))}
    done = subprocess.run(
        [sys.executable, "tools/rooms.py"],
        cwd=_paths.checkout(), env={**os.environ, **places},
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {
        name: (int(n), files)
        for name, n, files in re.findall(r"^(.+): (\d+) rooms: (.*)$", done.stdout, re.M)
    }


@pytest.mark.parametrize("walk", ROOMS)
def test_a_walk_enters_no_more_rooms_than_it_did(walk, walked):
    n, files = walked[walk]
    assert n == ROOMS[walk], files


def test_every_walk_is_held(walked):
    assert walked.keys() == ROOMS.keys()
