"""The build program: what it refuses, and when it builds the book anew."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import environment, running

from .. import weekly

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
    """A tree with stand-ins for the two programs of the build; returns a function that builds it.

    The function returns which programs ran, or None if nothing was built.
    """
    sources = ("book/a.md", "notebooks/a.ipynb", "mgtutorial/a.py", "results/published/a.csv")
    for name in (*sources, "results/runs/short.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("first")
    for name in ("_config.yml", "_toc.yml"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(environment, "setup", lambda: None)
    monkeypatch.setattr(environment, "wanted", dict)
    make.test_state = {"programs": [], "code": {}, "data": []}
    monkeypatch.setattr(make, "surroundings", lambda: make.test_state["data"])

    def run(*command, **variables):
        name = "execute" if "tools.execute" in command else "build"
        make.test_state["programs"].append(name)
        if name == "build":
            make.INDEX.parent.mkdir(parents=True)  # fails if stale pages are still there
            make.INDEX.touch()
        else:
            assert variables["OMP_NUM_THREADS"] == variables["MGTUTORIAL_STATIC"] == "1"
            make.CACHE.mkdir(parents=True, exist_ok=True)
        return make.test_state["code"].get(name, 0)

    monkeypatch.setattr(make, "run", run)

    def build(*args):
        before = len(make.test_state["programs"])
        make.book(args)
        return make.test_state["programs"][before:] or None

    return build


BOTH = ["execute", "build"]


def test_book_is_built_once_and_then_up_to_date(book):
    assert book() == BOTH
    assert book() is None
    assert book("--fresh") == BOTH


def test_only_fresh_removes_the_outputs(book, make, tmp_path):
    book()
    (make.CACHE / "outputs").touch()
    (tmp_path / "book/a.md").write_text("second")
    book()
    assert (make.CACHE / "outputs").exists()
    book("--fresh")
    assert not (make.CACHE / "outputs").exists()


SOURCES = [
    "book/a.md",
    "notebooks/a.ipynb",
    "_toc.yml",
    "mgtutorial/a.py",
    "mgtutorial/new.py",
    "results/published/a.csv",
    "results/runs/short.jsonl",
    "results/runs/paper.jsonl",
    "results/expected_counts.csv",
]


@pytest.mark.parametrize("name", SOURCES)
def test_whatever_a_page_is_made_of_builds_the_book_anew(book, tmp_path, name):
    book()
    (tmp_path / name).write_text("second")
    assert book() == BOTH
    assert book() is None


def test_runs_that_no_page_shows_do_not_count(book, tmp_path):
    book()
    (tmp_path / "results/runs/smoke.jsonl").write_text("a run")
    (tmp_path / "results/runs/smoke.jsonl.lock").touch()
    assert book() is None


def test_other_data_build_the_book_anew(book, make):
    book()
    make.test_state["data"] = ["FashionMNIST"]
    assert book() == BOTH


@pytest.mark.parametrize(
    ("where", "said", "ran"), [("execute", "no page was built", 1), ("build", "faults", 2)]
)
def test_failed_book_is_not_up_to_date(book, make, where, said, ran):
    make.test_state["code"] = {where: 1}
    for _ in range(2):
        with pytest.raises(make.Stop, match=said):
            book()
    assert len(make.test_state["programs"]) == 2 * ran


# ------------------------------------------------------- each change, and each week


@pytest.mark.parametrize(
    "args, which, rest",
    [
        ((), "not book and not weekly", ()),
        (("--weekly",), "not book", ()),
        (("tests/linalg", "--weekly"), "not book", ("tests/linalg",)),
    ],
)
def test_long_tests_run_when_asked_for(make, monkeypatch, args, which, rest):
    ran = []
    monkeypatch.setattr(environment, "setup", lambda: None)
    monkeypatch.setattr(make, "run", lambda *command, **_: ran.append(command))
    make.test(args)
    (command,) = ran
    options = command[3:]
    assert options[options.index("-m") + 1] == which
    assert options[options.index("--durations") + 2 :] == rest


def test_a_sample_has_few_tables_and_each_kind_of_network_in_them(make, monkeypatch):
    from mgtutorial.reproduction.papers.catalogue import MADE_BY_NOTEBOOK
    from mgtutorial.reproduction.tables import TABLES

    monkeypatch.setattr(make, "PYTHON", sys.executable)
    monkeypatch.setattr(running, "ROOT", ROOT)
    (*tables, option, rows), made = make.sample()
    assert (option, set(made)) == ("--rows", set(MADE_BY_NOTEBOOK))
    missed, rows = {type(t.config(row)) for t in TABLES.values() for row in t.rows}, rows.split(",")
    for table in map(TABLES.get, tables):
        kinds = {type(table.config(row)) for row in rows if row in table.rows}
        assert kinds == {type(table.config(row)) for row in table.rows}
        assert missed & kinds  # no table in vain
        missed -= kinds
    assert not missed and len(tables) <= 4 and len(rows) <= 12


def test_a_sample_that_fails_at_one_call_fails(make, monkeypatch):
    ran = []
    monkeypatch.setattr(environment, "setup", lambda: None)
    monkeypatch.setattr(environment, "wanted", dict)
    monkeypatch.setattr(make, "sample", lambda: (("first",), ("second",)))

    def run(*command, **_):
        ran.append(command[4])
        return {"first": 75, "second": 0}[command[4]]

    monkeypatch.setattr(make, "run", run)
    with pytest.raises(make.Stop) as stopped:
        make.reproduce(["--sample"])
    assert ran == ["first", "second"] and stopped.value.code == 75


def test_weekly_tests_are_told_by_their_names():
    head = "tests/models/test_habits.py::test_every_network_goes_every_way"
    assert weekly.is_weekly(f"{head}[mgiad-ONNX Runtime]")
    assert not weekly.is_weekly(f"{head}[mgnet-ONNX Runtime]")
    assert not weekly.is_weekly(f"{head}[mgiad-w-torch.fx]")
    assert not weekly.is_weekly("tests/linalg/test_lines.py::test_anything")


def test_pages_that_wait_for_the_week_have_the_cells_of_one_template():
    found = {f.stem for f in (ROOT / "notebooks/reproduce").glob("*.ipynb")
             if re.match(weekly.WEEKLY_PAGES, f"notebooks/reproduce/{f.stem}.html")}  # fmt: skip
    own = {}
    for stem in found | {"mgiad_table1"}:
        notebook = json.loads((ROOT / f"notebooks/reproduce/{stem}.ipynb").read_text("utf-8"))
        own[stem] = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    assert len(found) == 10
    differing = [set(cells) for cells in zip(*own.values(), strict=True) if len(set(cells)) > 1]
    assert len(differing) == 1  # the parameters: which table
    assert not re.match(weekly.WEEKLY_PAGES, "notebooks/reproduce/mgiad_table1.html")


@pytest.mark.parametrize("pattern", weekly.WEEKLY)
def test_a_weekly_test_is_there(pattern):
    file, name = re.match(r"(?:\w+/)?(\w+)\\\.py::(\w+)", pattern).groups()
    (path,) = (p for p in (ROOT / "tests").rglob(f"{file}.py") if name in p.read_text("utf-8"))
    assert re.search(rf"^def {name}", path.read_text("utf-8"), re.MULTILINE)
