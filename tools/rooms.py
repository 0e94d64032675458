#!/usr/bin/env python3
"""Count the rooms of a walk: the files of the package whose functions run.

    .venv/bin/python tools/rooms.py            # all walks
    .venv/bin/python tools/rooms.py training   # one of them

Everything is imported before the count starts, so that what counts is the code that runs and
not the modules that are loaded. The fewer rooms a walk has, the fewer files one has to read
in order to follow it.
"""

import contextlib
import io
import sys
import tempfile
from pathlib import Path

import mgtutorial

PACKAGE = Path(mgtutorial.__file__).resolve().parent


def rooms(walk):
    """Return the files of the package, by name, whose functions run while `walk` does."""
    entered = set()

    def note(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_name != "<module>":
            entered.add(code.co_filename)

    sys.setprofile(note)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            walk()
    finally:
        sys.setprofile(None)
    inside = (Path(file) for file in entered if file.startswith(str(PACKAGE)))
    return sorted(str(file.relative_to(PACKAGE)) for file in inside)


def forward(name, side=32):
    """A forward pass of a named network, and back."""
    import torch

    from mgtutorial import models

    network = models.named(name).build()
    x = torch.zeros(2, network.config.in_channels, side, side)

    def walk():
        network(x).sum().backward()

    return walk


def training():
    """One epoch of ``mgtutorial train`` on the embedded digits."""
    from mgtutorial import cli

    def walk():
        # A new one: a run that has a record, or a checkpoint, is not repeated.
        folder = f"{tempfile.mkdtemp()}/runs"
        arguments = ["train", "--model", "mgnet-20", "--epochs", "1", "--runs", folder]
        assert cli.main(arguments) == 0

    return walk


def number():
    """One published number, from its file to a line of Markdown; counts are remembered."""
    from mgtutorial.reproduction import compare, markdown

    def walk():
        markdown(compare("mgiad-table1", [], ["mgnet"]))

    return walk


def dry_run():
    """``mgtutorial reproduce --dry-run`` of one row."""
    from mgtutorial import cli

    folder = f"{tempfile.mkdtemp()}/runs"
    arguments = ["reproduce", "mgiad-table2", "--rows", "mgnet-20", "--budget", "smoke"]

    def walk():
        assert cli.main([*arguments, "--dry-run", "--runs", folder]) == 0

    return walk


WALKS = {
    "MgNet forward and back": lambda: forward("mgnet"),
    "MGiaD forward and back": lambda: forward("mgiad-lam1-c64-g8"),
    "Poly-MgNet forward and back": lambda: forward("poly-mgnet-g6"),
    "MGIC-ResNet-56 forward and back": lambda: forward("mgic-resnet56-c16-g8"),
    "training": training,
    "number": number,
    "dry-run": dry_run,
}


def main(asked):
    for word in asked:
        if not any(word in name for name in WALKS):
            raise SystemExit(f"unknown walk {word!r}: choose of {', '.join(WALKS)}.")
    for name, make in WALKS.items():
        if not asked or any(word in name for word in asked):
            walk = make()
            with contextlib.suppress(Exception):
                walk()  # once before: what is imported late, and what is remembered
            found = rooms(walk)
            print(f"{name}: {len(found)} rooms: {', '.join(found)}")


if __name__ == "__main__":
    main(sys.argv[1:])
