"""How long the notebooks of the book take, each in a kernel of its own, and their slowest cells.

The cache of outputs is not used: each notebook is executed.
"""

import os
import time

import nbformat

from tools import freshness
from tools.running import ROOT


def execute(path):
    """Execute a notebook; return its seconds, the kernel's start among them, and those of cells."""
    from nbclient import NotebookClient

    notebook = nbformat.read(path, nbformat.NO_CONVERT)
    cells, begun = {}, {}

    def begin(cell, cell_index):
        begun[cell_index] = time.perf_counter()

    def end(cell, cell_index, **_):
        cells[cell_index] = time.perf_counter() - begun[cell_index]

    client = NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}},
        on_cell_execute=begin, on_cell_complete=end,
    )  # fmt: skip
    start = time.perf_counter()
    client.execute()
    return time.perf_counter() - start, cells


def measure(repeat=1, notebooks=None):
    given = os.environ.get("MGTUTORIAL_STATIC")
    os.environ["MGTUTORIAL_STATIC"] = "1"  # as the build executes them
    try:
        for path in notebooks or freshness.notebooks():
            runs = [execute(path) for _ in range(repeat)]
            index, slowest = max(runs[-1][1].items(), key=lambda item: item[1])
            yield {
                "case": path.relative_to(ROOT).with_suffix("").as_posix(), "side": "mgtutorial",
                "unit": "s", "values": [seconds for seconds, _ in runs],
                "facts": {"slowest cell": index, "its seconds": round(slowest, 2)},
            }  # fmt: skip
    finally:
        if given is None:
            del os.environ["MGTUTORIAL_STATIC"]
        else:
            os.environ["MGTUTORIAL_STATIC"] = given
