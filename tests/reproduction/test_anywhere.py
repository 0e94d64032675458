"""Tables in other people's folders, with other people's kernels, parameters and records."""

import json
import os
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest

from mgtutorial import _paths
from mgtutorial.errors import InvalidValue, MgtutorialError, RecordsUnwritable
from mgtutorial.reproduction import (
    command,
    comparison,
    expected_counts,
    notebooks,
    planning,
    rendering,
    status_page,
)
from mgtutorial.training import records
from mgtutorial.training.workspace import Workspace

ROW = "mgnet-20"


@pytest.fixture
def tiny_notebook(tmp_path, monkeypatch):
    """A notebook of two cells in place of a table's, in a folder that the test names."""

    def put(folder, code="import sys; print(sys.executable, budget)"):
        folder.mkdir(parents=True, exist_ok=True)
        made = nbformat.v4.new_notebook()
        parameters = nbformat.v4.new_code_cell("budget = None", metadata={"tags": ["parameters"]})
        made.cells = [parameters, nbformat.v4.new_code_cell(code)]
        made.metadata["kernelspec"] = {"name": "python3", "display_name": "x", "language": "python"}
        path = folder / "mgic_table1.ipynb"
        nbformat.write(made, path)
        monkeypatch.setattr(notebooks, "notebook_of", lambda table: path)
        return path

    return put


def printed(path):
    return nbformat.read(path, 4).cells[-1].outputs[0].text


@pytest.mark.parametrize("name", ["course{2025}", "{budget}", "a{b", "}{", "with space ü"])
def test_braces_in_a_path_are_part_of_its_name(tmp_path, tiny_notebook, name):
    tiny_notebook(tmp_path / name)
    path = notebooks.run("mgic-table1", {"budget": "smoke"}, tmp_path / name / "out")
    assert path == tmp_path / name / "out" / "mgic_table1.ipynb" and "smoke" in printed(path)


@pytest.mark.parametrize("argv", [["/bin/false"], ["/no/such/python"], []])
def test_a_kernel_of_somebody_else_is_not_ours(tmp_path, tiny_notebook, monkeypatch, argv):
    import sys

    spec = tmp_path / "share" / "kernels" / "python3"
    spec.mkdir(parents=True)
    described = {"argv": [*argv, "{connection_file}"], "display_name": "x", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(described))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    tiny_notebook(tmp_path / "there")
    path = notebooks.run("mgic-table1", {"budget": "smoke"}, tmp_path / "out")
    assert sys.executable in printed(path)
    assert os.environ["JUPYTER_PATH"] == str(tmp_path / "share")


def test_a_kernel_that_dies_is_a_sentence(tmp_path, tiny_notebook):
    tiny_notebook(tmp_path / "there", "import os; os._exit(1)")
    with pytest.raises(InvalidValue, match="mgic-table1"):
        notebooks.run("mgic-table1", {"budget": "smoke"}, tmp_path / "out")


@pytest.mark.parametrize("damage", ["", "{", '{"cells": []}'])
def test_an_executed_notebook_that_was_damaged_is_made_again(tmp_path, tiny_notebook, damage):
    tiny_notebook(tmp_path / "there")
    given = ("mgic-table1", {"budget": "smoke"}, [], tmp_path / "out")
    path, now = notebooks.run_if_changed(*given)
    assert now and notebooks.run_if_changed(*given) == (path, False)
    path.write_text(damage)
    assert notebooks.run_if_changed(*given) == (path, True) and "smoke" in printed(path)


def test_folders_of_results_have_notebooks_of_their_own(tmp_path):
    folders = {notebooks.folder(Workspace(tmp_path / n)) for n in ("a", "b", "runs", "c/runs")}
    assert len(folders) == 4
    assert notebooks.folder(Workspace()) == _paths.checkout() / "_build" / "reproduce"


def test_a_folder_that_cannot_be_written_is_said_before_a_run(tmp_path, monkeypatch):
    (tmp_path / "notebooks").write_text("a file in its place")
    monkeypatch.setattr(command, "run", lambda *a, **k: pytest.fail("it trained"))
    request = command.Request(
        ("mgiad-table2",), rows=(ROW,), workspace=Workspace(tmp_path / "runs", progress=False)
    )
    with pytest.raises(RecordsUnwritable, match="executed notebooks"):
        command.reproduce(request, say=lambda text: None)


def test_without_any_notebook_all_of_them_are_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(_paths, "checkout", lambda: None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidValue, match="Clone the project"):
        command.reproduce(command.Request(("all",)), say=lambda text: None)


# --- parameters as papermill's -p gives them


@pytest.mark.parametrize(
    ("seeds", "wanted"),
    [(0, [0]), ("0", [0]), ("0,1, 1", [0, 1]), ([2], [2]), (np.arange(2), [0, 1]), ((3,), [3])],
)
def test_seeds_are_numbers_words_and_lists(seeds, wanted):
    made = planning.plan("mgiad-table2", "smoke", rows=ROW, seeds=seeds)
    assert [c.seed for c in made.configs] == wanted and set(made.rows) == {ROW}


@pytest.mark.parametrize("seeds", ["", "a", "0,,1", [], -1, 0.5, "1e3", 10**30, "9" * 40, True])
def test_what_are_no_seeds_is_a_sentence(seeds):
    with pytest.raises(InvalidValue, match="seed"):
        planning.plan("mgiad-table2", "smoke", rows=ROW, seeds=seeds)


@pytest.mark.parametrize("rows", [ROW, f" {ROW}", [ROW], (ROW,), f"{ROW},mgiad-20-g4"])
def test_rows_are_words_and_lists_everywhere(rows):
    wanted = len(rows.split(",")) if isinstance(rows, str) else 1
    assert len(planning.plan("mgiad-table2", "smoke", rows=rows).rows) == wanted
    assert len(comparison.compare("mgiad-table2", [], rows)) == wanted
    assert len(expected_counts.check("mgiad-table2", rows)) == wanted


@pytest.mark.parametrize("rows", ["", ",", f"{ROW},"])
def test_an_empty_row_is_not_all_rows(rows):
    with pytest.raises(MgtutorialError, match="rows"):
        planning.plan("mgiad-table2", "smoke", rows=rows)


# --- mark-up from records

NASTY = "<script>alert(1)</script> | [x](javascript:1) `{{x}}` $y$ {{raw}}\n# a"


@pytest.fixture
def nasty():
    """A record of a published row, all of whose free words are hostile."""
    kept = next(r for r in records.all_runs() if r.tests_accuracy and r.budget == "short")
    return replace(
        kept,
        data=replace(kept.data, source=NASTY),
        device=replace(kept.device, type="cuda", name=NASTY),
    )


def test_words_of_a_record_are_no_mark_up_anywhere(nasty):
    table = next(t for t in planning.tables.TABLES if any(
        line.runs for line in comparison.compare(t, [nasty])))  # fmt: skip
    lines = comparison.compare(table, [nasty])
    texts = {
        "notebook": rendering.style(lines, NASTY).data,
        "page": rendering.markdown(lines),
        "runs": rendering.runs_markdown([nasty]),
        "status": status_page.page([nasty]),
    }
    for name, text in texts.items():
        assert "<script" not in text and "alert(1)" in text, name
    for name in ("page", "runs", "status"):
        (line,) = (x for x in texts[name].splitlines() if "alert(1)" in x)
        body = line.replace("\\|", "").replace("\\[", "").replace("\\$", "").replace("\\{", "")
        assert "[x](" not in body and "$y" not in body and "{{" not in body, name
        rows = [x for x in texts[name].splitlines() if x.startswith("|")]
        head = rows[next(i for i, x in enumerate(rows) if "alert(1)" in x) - 2]
        assert body.count("|") == head.count("|"), name  # no cell more than there are columns


@pytest.mark.parametrize("digest", ["<b>", "a|b", "`", "../x", "", "a" * 65, "$x$"])
def test_a_name_of_a_run_has_letters_and_digits_only(tmp_path, digest):
    plain = {**records.all_runs()[0].to_json(), "digest": digest}
    (tmp_path / "a.jsonl").write_text(json.dumps(plain) + "\n")
    with pytest.raises(InvalidValue, match="digest"):
        records.read(tmp_path)


# --- pages that are not there, or broken


@pytest.mark.parametrize(
    "spoil, said",
    [
        ("no book", "the pages are not here"),
        ("broken notebook", r"x\.ipynb cannot be read as a page \(JSONDecodeError"),
        ("no README", r"README\.md cannot be read as a page \(FileNotFoundError"),
        ("list", r"x\.ipynb cannot be read as a page \(TypeError"),
    ],
)
def test_a_checkout_that_is_not_whole_is_a_sentence(tmp_path, spoil, said):
    (tmp_path / "_toc.yml").write_text("")
    (tmp_path / "notebooks").mkdir()
    if spoil != "no book":
        (tmp_path / "book").mkdir()
    if spoil != "no README":
        (tmp_path / "README.md").write_text("")
    if spoil in ("broken notebook", "list"):
        (tmp_path / "notebooks" / "x.ipynb").write_text("[]" if spoil == "list" else "{")
    with pytest.raises(InvalidValue, match=said):
        status_page.contradictions(tmp_path)
    if spoil == "no book":
        with pytest.raises(InvalidValue, match=said):
            status_page.write(tmp_path)


def test_a_page_that_cannot_be_written_whole_stays_as_it_was(tmp_path, monkeypatch):
    (tmp_path / "_toc.yml").write_text("")
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "status.md").write_text("before")

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        status_page.write(tmp_path)
    assert (tmp_path / "book" / "status.md").read_text() == "before"
    assert [p.name for p in Path(tmp_path / "book").iterdir()] == ["status.md"]
