"""The build program: what it installs from, when it begins anew, what it refuses."""

import importlib.util
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def make(tmp_path, monkeypatch):
    """make.py as a module, its root an empty folder."""
    spec = importlib.util.spec_from_file_location("make", ROOT / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "BUILD", tmp_path / "_build")
    monkeypatch.setattr(module, "INDEX", tmp_path / "_build/html/index.html")
    monkeypatch.setattr(module, "BUILT", tmp_path / "_build/book.json")
    monkeypatch.setattr(module, "CACHE", tmp_path / "_build/.jupyter_cache")
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "MADE", tmp_path / ".venv/mgtutorial.json")
    return module


def test_makefile_has_the_tasks_of_the_program(make):
    listed = re.search(r"^TASKS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert {*listed.split(), "help"} == set(make.TASKS)


def test_unknown_task_ends_with_the_list_and_code_2():
    command = [sys.executable, ROOT / "make.py", "bok"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no task 'bok'" in done.stdout and "check-book" in done.stdout


def test_uv_gets_the_indexes_that_pip_is_told(make, monkeypatch):
    listing = (
        "global.index-url='https://a.example/simple'\n"
        "global.extra-index-url='https://b.example/simple\\nhttps://c.example/simple'\n"
        "global.find-links='wheels'\n"
        "install.trusted-host='c.example'\n"
        ":env:.index-url='https://d.example/simple'\n"
    )
    monkeypatch.setattr(make, "ask", lambda *command: (True, listing))
    options = make.uv_options(make.pip_settings())
    pairs = set(pairwise(options))
    assert ("--default-index", "https://d.example/simple") in pairs, "a variable wins over a file"
    assert ("--index", "https://b.example/simple") in pairs
    assert ("--index", "https://c.example/simple") in pairs
    assert ("--find-links", "wheels") in pairs
    assert ("--allow-insecure-host", "c.example") in pairs
    assert "https://a.example/simple" not in options and "--no-index" not in options


def test_next_installer_is_tried_and_the_last_failure_stops(make, monkeypatch, capsys):
    monkeypatch.setattr(
        make, "installers", lambda python: iter([("one", ["one"]), ("two", ["two"])])
    )
    tried = []
    monkeypatch.setattr(make, "run", lambda *c: tried.append(c[0]) or int(c[0] == "one"))
    make.install("it", "1 s", ("first",), ("second",))
    assert tried == ["one", "two", "two"], "a failed batch must not be followed by the next"
    monkeypatch.setattr(make, "run", lambda *c: 1)
    with pytest.raises(make.Stop, match="network"):
        make.install("it", "1 s", ("first",))


def test_pip_installs_into_another_environment_where_one_is_named(make, monkeypatch):
    monkeypatch.setattr(make, "find_uv", lambda: None)
    monkeypatch.setattr(make, "pip_settings", dict)
    (_, own), (_, other) = (*make.installers(make.PYTHON), *make.installers("else"))
    assert own[:4] == [make.PYTHON, "-m", "pip", "install"]
    assert other[:6] == [make.PYTHON, "-m", "pip", "--python", "else", "install"]


WANT = {"root": "here", "python": "3.12", "packages": "abc"}


@pytest.mark.parametrize(
    ("made", "python", "complete", "reason"),
    [
        ({**WANT, "ready": True}, "3.12", True, None),
        ({**WANT, "packages": "old", "ready": True}, "3.12", True, None),  # is updated
        ({}, "3.12", True, None),  # made by hand: is completed, not thrown away
        ({**WANT, "ready": False}, "3.12", True, "interrupted"),
        ({**WANT, "root": "there", "ready": True}, "3.12", True, "another folder"),
        ({**WANT, "ready": True}, "3.11", True, "Python 3.11"),
        ({**WANT, "ready": True}, None, True, "not start"),
        ({**WANT, "ready": True}, "3.12", False, "missing"),
    ],
)
def test_environment_is_made_anew_only_for_a_reason(
    make, monkeypatch, made, python, complete, reason
):
    monkeypatch.setattr(make, "ask", lambda *command: (python is not None, f"{python}\n"))
    monkeypatch.setattr(make, "have", lambda *modules: complete)
    said = make.why_anew(made, WANT)
    assert said is None if reason is None else reason in said


@pytest.fixture
def book(make, tmp_path, monkeypatch):
    """A tree with a stand-in for Jupyter Book; returns a function that builds it.

    The function returns what the build found in the cache of executed
    notebooks, or None if nothing was built.
    """
    sources = ("book/a.md", "notebooks/a.ipynb", "mgtutorial/a.py", "results/published/a.csv")
    for name in (*sources, "results/runs/short.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("first")
    for name in ("_config.yml", "_toc.yml"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(make, "setup", lambda: None)
    monkeypatch.setattr(make, "wanted", dict)
    make.test_state = {"builds": [], "code": 0, "data": []}
    monkeypatch.setattr(make, "surroundings", lambda: make.test_state["data"])

    def jupyter_book(*command):
        kept = (make.CACHE / "outputs").exists()
        make.test_state["builds"].append("kept" if kept else "executed")
        (make.CACHE / "outputs").touch()
        make.INDEX.parent.mkdir(parents=True)  # fails if stale pages are still there
        make.INDEX.touch()
        return make.test_state["code"]

    monkeypatch.setattr(make, "run", jupyter_book)

    def build(*args):
        before = len(make.test_state["builds"])
        make.book(args)
        return make.test_state["builds"][before:] or None

    return build


def test_book_is_built_once_and_then_up_to_date(book):
    assert book() == ["executed"]
    assert book() is None
    assert book("--fresh") == ["executed"]


@pytest.mark.parametrize("name", ["book/a.md", "notebooks/a.ipynb", "_toc.yml"])
def test_changed_page_keeps_the_outputs(book, tmp_path, name):
    book()
    (tmp_path / name).write_text("second")
    assert book() == ["kept"]


CODE = ["mgtutorial/a.py", "mgtutorial/new.py"]
RESULTS = [
    "results/published/a.csv",
    "results/runs/short.jsonl",
    "results/runs/paper.jsonl",
    "results/expected_counts.csv",
]


@pytest.mark.parametrize("name", CODE + RESULTS)
def test_changed_code_or_results_execute_all(book, tmp_path, name):
    book()
    (tmp_path / name).write_text("second")
    assert book() == ["executed"]


def test_what_the_build_itself_appends_does_not_count(book, tmp_path):
    book()
    (tmp_path / "results/runs/smoke.jsonl").write_text("a run")
    (tmp_path / "results/runs/smoke.jsonl.lock").touch()
    assert book() is None


def test_other_data_execute_all(book, make):
    book()
    make.test_state["data"] = ["FashionMNIST"]
    assert book() == ["executed"]


def test_failed_book_is_not_up_to_date(book, make):
    make.test_state["code"] = 1
    for _ in range(2):
        with pytest.raises(make.Stop, match="faults"):
            book()
    assert len(make.test_state["builds"]) == 2


def test_killed_task_leaves_no_lock(make):
    with make.one_at_a_time("test"):
        pass
    with make.one_at_a_time("test"):  # would wait for ever if the first still held it
        pass
