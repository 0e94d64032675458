"""The cells that notebooks share are those of the template, and nobody edits them in a notebook."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mgtutorial.reproduction.papers.catalogue import MADE_BY_NOTEBOOK
from mgtutorial.reproduction.tables import TABLES

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
OF_TABLES = sorted((ROOT / "notebooks" / "reproduce").glob("*.ipynb"))


@pytest.fixture(scope="module")
def cells():
    spec = importlib.util.spec_from_file_location("cells_program", ROOT / "tools" / "cells.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table(file):
    return file.stem.replace("_", "-")


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda f: f.stem)
def test_every_notebook_is_what_the_tool_writes(cells, file):
    text = file.read_text(encoding="utf-8")
    assert cells.written(text, table(file), cells.setup_cell()) == text, "type: make cells"
    first = next(c for c in json.loads(text)["cells"] if c["cell_type"] == "code")
    assert "".join(first["source"]) == cells.setup_cell()


@pytest.mark.parametrize("file", OF_TABLES, ids=lambda f: f.stem)
def test_every_table_that_training_fills_has_all_cells_of_the_template(cells, file):
    assert table(file) in {*TABLES, *MADE_BY_NOTEBOOK}
    ids = [c["id"] for c in json.loads(file.read_text(encoding="utf-8"))["cells"]]
    there = [name for name in ids if name.startswith(cells.OF_TABLES)]
    own = [name for name in cells.template() if name.startswith(cells.OF_TABLES)]
    assert there == (own if table(file) in TABLES else [])
    assert len(set(ids)) == len(ids) and len(own) == 16


@pytest.mark.parametrize("file", OF_TABLES, ids=lambda f: f.stem)
def test_a_page_of_a_table_trains_nothing(file):
    """What trains waits for a budget, and on the page there is none."""
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    (parameters,) = (
        "".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", [])
    )
    names = {}
    exec(parameters, names)
    training = [cell for cell in code if re.search(r"\b(run|fit|train)\(", cell)]
    assert all("if budget" in cell and names["budget"] is None for cell in training)
    assert table(file) not in TABLES or len(training) == 1


def test_every_table_has_its_notebook():
    assert {table(file) for file in OF_TABLES} == {*TABLES, *MADE_BY_NOTEBOOK}


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "notebooks").mkdir()
    config = "title: x\nrepository:\n  url: https://git.example/a/b  # here\n  branch: v2\n"
    (tmp_path / "_config.yml").write_text(config)
    file = tmp_path / "notebooks" / "mgiad_table1.ipynb"
    file.write_bytes((ROOT / "notebooks/reproduce/mgiad_table1.ipynb").read_bytes())
    return tmp_path, file


def test_cells_are_written_where_they_differ_and_nothing_else(cells, checkout):
    root, file = checkout
    before = json.loads(file.read_text(encoding="utf-8"))
    spoilt = json.loads(file.read_text(encoding="utf-8"))
    at = next(i for i, c in enumerate(before["cells"]) if c["id"] == "table-counts")
    spoilt["cells"][at]["source"] = ["counted = {}"]
    spoilt["cells"][0]["source"] = ["# A title of its own"]
    file.write_text(json.dumps(spoilt))
    said = []
    cells.write(root, said.append)
    after = json.loads(file.read_text(encoding="utf-8"))
    assert len(said) == 1 and after["cells"][at] == before["cells"][at]
    assert after["cells"][0]["source"] == ["# A title of its own"]
    changed = [i for i, c in enumerate(after["cells"]) if c != before["cells"][i]]
    assert changed == [0, 1] and len(before["cells"]) == len(after["cells"])
    assert "".join(after["cells"][1]["source"]).endswith("git+https://git.example/a/b@v2")
    written = file.stat().st_mtime_ns
    cells.write(root, said.append)
    assert file.stat().st_mtime_ns == written and len(said) == 1


def test_a_notebook_that_lacks_a_cell_of_the_template_is_named(cells, checkout):
    root, file = checkout
    notebook = json.loads(file.read_text(encoding="utf-8"))
    notebook["cells"] = [c for c in notebook["cells"] if c["id"] != "table-legend"]
    file.write_text(json.dumps(notebook))
    with pytest.raises(ValueError, match=r"mgiad-table1 .* table-legend"):
        cells.write(root)


def test_a_notebook_that_is_begun_has_the_cells_of_any_other(cells, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    (tmp_path / "notebooks" / "reproduce").mkdir(parents=True)
    (tmp_path / "_config.yml").write_bytes((ROOT / "_config.yml").read_bytes())
    cells.begin("mgiad-table1", tmp_path)
    cells.write(tmp_path, lambda said: None)
    begun, there = (
        json.loads((root / "notebooks/reproduce/mgiad_table1.ipynb").read_text(encoding="utf-8"))
        for root in (tmp_path, ROOT)
    )
    nbformat.validate(nbformat.from_dict(begun))
    assert [c["source"] for c in begun["cells"][1:]] == [c["source"] for c in there["cells"][1:]]
    assert begun["metadata"] == there["metadata"]
    with pytest.raises(SystemExit, match="there already"):
        cells.begin("mgiad-table1", tmp_path)


def test_the_program_needs_nothing_but_python():
    command = [sys.executable, "-I", "-S", str(ROOT / "tools" / "cells.py")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
