"""The build program: what it refuses, and when it builds the book anew."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import environment, running

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def make(tmp_path, monkeypatch):
    """make.py as a module, its root an empty folder."""
    spec = importlib.util.spec_from_file_location("make", ROOT / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(running, "ROOT", tmp_path)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "BUILD", tmp_path / "_build")
    monkeypatch.setattr(module, "INDEX", tmp_path / "_build/html/index.html")
    monkeypatch.setattr(module, "BUILT", tmp_path / "_build/book.json")
    monkeypatch.setattr(module, "CACHE", tmp_path / "_build/.jupyter_cache")
    return module


def test_makefile_has_the_tasks_of_the_program(make):
    listed = re.search(r"^TASKS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert {*listed.split(), "help"} == set(make.TASKS)


def test_what_runs_before_there_is_an_environment_needs_the_standard_library_alone():
    """-S and -I: no installed package, and nothing from the variables of the shell."""
    for code in ("import make", "from tools import colab"):
        code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"
        command = [sys.executable, "-S", "-I", "-c", code]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_unknown_task_ends_with_the_list_and_code_2():
    command = [sys.executable, ROOT / "make.py", "bok"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no task 'bok'" in done.stdout and "check-book" in done.stdout


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
    monkeypatch.setattr(environment, "setup", lambda: None)
    monkeypatch.setattr(environment, "wanted", dict)
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
