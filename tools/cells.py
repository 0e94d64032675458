"""The cells that notebooks share, written from one template: tools/shared_cells.txt.

    python tools/cells.py             write them into every notebook; say which changed
    python tools/cells.py TABLE ...   and first begin the notebooks of these tables

Every notebook begins with the set-up cell, made from _config.yml. A notebook in
notebooks/reproduce about a table that training fills also has the cells called "table-...", in
the template's order; what it says for itself is in cells of its own, between them. This program
needs nothing but Python.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = Path(__file__).with_name("shared_cells.txt")
SETUP, OF_TABLES = "setup", "table-"


def template():
    """Return the template's cells: name -> (kind, tags, text)."""
    parts = re.split(r"^# %% \[(\w+)\] (.+)\n", TEMPLATE.read_text(encoding="utf-8"), flags=re.M)
    found = {}
    for kind, head, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        name, *tags = head.split()
        found[name] = kind, tags, text.rstrip("\n")
    return found


def setup_cell(root=ROOT):
    """Return the text of the first cell of code of every notebook."""
    lines = (root / "_config.yml").read_text(encoding="utf-8").splitlines()
    repository = lines[lines.index("repository:") + 1 :]
    values = [next(x for x in repository if x.startswith(f"  {k}:")) for k in ("url", "branch")]
    url, branch = (line.split(":", 1)[1].split("#")[0].strip() for line in values)
    _, _, text = template()[SETUP]
    return text.replace("{url}", url).replace("{branch}", branch)


def made(kind, tags, text, name):
    """Return a cell as the notebook format has it."""
    cell = {"cell_type": kind}
    if kind == "code":
        cell["execution_count"] = None
    cell |= {"id": name, "metadata": {"tags": tags} if tags else {}}
    if kind == "code":
        cell["outputs"] = []
    return cell | {"source": text.splitlines(keepends=True)}


def shared(notebook, table, setup):
    """Return a notebook with its shared cells as they should be.

    Raises
    ------
    ValueError
        If it has some of the cells of a table and not all of them, in the template's order.
    """
    own = {name: cell for name, cell in template().items() if name.startswith(OF_TABLES)}
    there = [c["id"] for c in notebook["cells"] if c["id"].startswith(OF_TABLES)]
    if there and there != list(own):
        wrong = ", ".join(sorted(set(there) ^ set(own))) or "their order"
        raise ValueError(f"{table} does not have the cells of the template: see {wrong}")
    cells = []
    first = next(i for i, c in enumerate(notebook["cells"]) if c["cell_type"] == "code")
    for i, cell in enumerate(notebook["cells"]):
        if i == first:
            cell = {**cell, "source": setup.splitlines(keepends=True)}
        elif cell["id"] in own:
            kind, tags, text = own[cell["id"]]
            cell = made(kind, tags, text.replace("{table}", table), cell["id"])
        cells.append(cell)
    return {**notebook, "cells": cells}


def written(text, table, setup):
    """Return the text of a notebook's file with its shared cells as they should be."""
    notebook = json.loads(text)
    changed = shared(notebook, table, setup)
    if changed == notebook:
        return text
    indent = 1 if text.startswith('{\n "') else 2
    return json.dumps(changed, indent=indent, ensure_ascii=False) + "\n"


def write(root=ROOT, say=print):
    """Write the shared cells into every notebook below a folder; say which files changed."""
    setup = setup_cell(root)
    for file in sorted((root / "notebooks").rglob("*.ipynb")):
        before = file.read_text(encoding="utf-8")
        after = written(before, file.stem.replace("_", "-"), setup)
        if after != before:
            file.write_text(after, encoding="utf-8")
            say(f"{file.relative_to(root)} has the shared cells.")


def begin(table, root=ROOT):
    """Begin the notebook of a table that has none; its first cell is for its author to write."""
    papers = ROOT / "mgtutorial" / "reproduction" / "papers"
    if not any(f'"{table}"' in file.read_text(encoding="utf-8") for file in papers.glob("*.py")):
        raise SystemExit(f"unknown table {table!r}: no file of reproduction/papers names it.")
    file = root / "notebooks" / "reproduce" / f"{table.replace('-', '_')}.ipynb"
    if file.exists():
        raise SystemExit(f"{file.relative_to(root)} is there already.")
    title = f"# {table}\n\n**Goal.** ...\n\n**What it needs.** ...\n\n"
    title += f"    mgtutorial reproduce {table} --budget smoke"
    of_table = {n: c for n, c in template().items() if n.startswith(OF_TABLES)}
    cells = [made("markdown", [], title, "title")]
    cells += [made("code", template()[SETUP][1], "", SETUP)]
    cells += [made(*cell, name) for name, cell in of_table.items()]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    file.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        begin(name)
    write()
