"""The code of the notebooks: what is set up, drawn or checked is folded, and no line is long."""

import ast
import json
import re

import pytest

from tools.freshness import ROOT, notebooks

# One case a notebook, not one a cell: each of a thousand cases costs more than what it checks.
NOTEBOOKS = pytest.mark.parametrize("file", notebooks(), ids=lambda file: file.stem)
COLUMNS = 79  # as many as a page shows beside its sidebars without scrolling
LINES = 10  # of a figure that may stand open


def cells_of(file):
    return json.loads(file.read_text(encoding="utf-8"))["cells"]


def text(cell):
    return "".join(cell["source"])


def folded(cell):
    return "hide-input" in cell["metadata"].get("tags", ())


@NOTEBOOKS
def test_no_line_is_longer_than_a_page_shows(file):
    long = []
    for n, cell in enumerate(cells_of(file)):
        code = text(cell)
        if cell["cell_type"] == "markdown":  # the solutions of exercises
            code = "\n".join(re.findall(r"```python\n(.*?)```", code, flags=re.S))
        long += [f"cell {n}: {line}" for line in code.split("\n") if len(line) > COLUMNS]
    assert not long


@NOTEBOOKS
def test_imports_and_long_drawings_are_folded(file):
    for n, cell in enumerate(cells_of(file)):
        if cell["cell_type"] != "code":
            continue
        source = re.sub(r"^(\s*)[%!].*$", r"\1pass", text(cell), flags=re.M)
        body = ast.parse(source).body
        imports = sum(isinstance(node, ast.Import | ast.ImportFrom) for node in body)
        draws = re.search(r"^\s*(show|slider)\(", source, flags=re.M)
        if imports >= 3 or (draws and source.count("\n") >= LINES):
            assert folded(cell), f"cell {n} stands open"


def test_folding_hides_no_idea():
    """Of the cells of code of each chapter's notebook at least a third stand open."""
    for file in notebooks():
        if (ROOT / "book" / f"{file.stem}.md").exists():
            code = [cell for cell in cells_of(file) if cell["cell_type"] == "code"]
            assert sum(not folded(cell) for cell in code) >= len(code) / 3, file.stem
