"""Write results/spectra/summary.json: the numbers of the chapter on spectra.

    python experiments/spectra_summary.py

They are computed in one place, the notebook of the chapter. This program runs those of its cells
that are tagged ``measured`` and keeps what they have put into `measured`; the tables of
``book/spectra.md`` are made from the file when the book is built. The gains of the steps need the
test images of FashionMNIST.
"""

import argparse
import contextlib
import io
import json
from pathlib import Path

import matplotlib
import numpy as np

from mgtutorial.errors import program

matplotlib.use("Agg")
ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "spectra.ipynb"
SUMMARY = ROOT / "results" / "spectra" / "summary.json"


def summary(data_name="fashion-mnist", **parameters):
    """Return what the tagged cells measure: {name: [row, ...]}, numbers to six digits.

    Parameters of the notebook may be others than it has.
    """
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    space = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in cells:
            tags = cell["metadata"].get("tags", ())
            if "measured" in tags:
                exec(compile("".join(cell["source"]), cell["id"], "exec"), space)
            if "parameters" in tags:
                space |= {"data_name": data_name, **parameters}
    found = {
        name: [{k: plain(v) for k, v in row.items()} for row in rows]
        for name, rows in space["measured"].items()
    }
    return {"data": data_name, **found}


def plain(value):
    """A number of numpy as one of Python, to six digits."""
    if isinstance(value, np.generic):
        value = value.item()
    return float(f"{value:.6g}") if isinstance(value, float) else value


def text(found):
    """The summary as JSON, a row a line."""
    parts = [f'"data": {json.dumps(found["data"])}']
    for name, rows in found.items():
        if name != "data":
            lines = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in rows)
            parts.append(f'"{name}": [\n  {lines}\n ]')
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def main():
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    SUMMARY.write_text(text(summary()), encoding="utf-8")
    print(f"written: {SUMMARY.relative_to(ROOT)}")


if __name__ == "__main__":
    program(main)
