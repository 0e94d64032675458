"""What makes the outputs of a notebook stale: all that they depend on, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools import freshness

ROOT = Path(__file__).resolve().parents[2]

FILES = {
    "__init__.py": "import importlib\n",
    "_paths.py": "",
    "errors.py": "",
    "a/__init__.py": "from .one import f\n",
    "a/one.py": "from ..errors import Wrong\n\ndef f():\n    from .late import g\n",
    "a/late.py": "",
    "a/registry.py": "from importlib import import_module\n\nimport_module(__package__ + '.x')\n",
    "a/named.py": "",
    "b/__init__.py": "import mgtutorial.a.named\n",
    "b/reads.py": "from .. import _paths\n",
    "b/plain.py": "",
    "c/page.js": "a part of pages",
}


@pytest.fixture
def tree(tmp_path):
    """A package of three wings, and a function that gives the key of a notebook's code."""
    for name, text in FILES.items():
        file = tmp_path / "mgtutorial" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "results/runs").mkdir(parents=True)
    (tmp_path / "results/runs/short.jsonl").write_text("a run")

    def key(*cells, common="", markdown=""):
        notebook = tmp_path / "a.ipynb"
        cells = [{"cell_type": "code", "source": [cell]} for cell in cells]
        cells += [{"cell_type": "markdown", "source": [markdown]}]
        notebook.write_text(json.dumps({"cells": cells}))
        return freshness.key(notebook, common, tmp_path)

    return tmp_path, key


def loaded(root, code):
    found = freshness.behind(code, root)
    return {f.relative_to(root / "mgtutorial").as_posix() for f in found}


ALWAYS = {"__init__.py", "c/page.js"}
A = {"a/__init__.py", "a/one.py", "a/late.py", "errors.py"}


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("import json", {"c/page.js"}),
        ("from mgtutorial.a import f", ALWAYS | A),
        ("def later():\n    from mgtutorial import a", ALWAYS | A),
        ("import mgtutorial.b.plain", ALWAYS | A | {"b/__init__.py", "b/plain.py", "a/named.py"}),
        ("from mgtutorial.a import registry", ALWAYS | {f for f in FILES if f.startswith("a/")}
         | {"errors.py"}),  # found while it runs: its whole wing
        ("import mgtutorial", set(FILES)),  # all is an attribute of it
        ("if x:\n    %pip install y\n!ls\nfrom mgtutorial import errors", ALWAYS | {"errors.py"}),
    ],
)  # fmt: skip
def test_what_is_imported_now_or_later_counts(tree, code, files):
    assert loaded(tree[0], code) == files


@pytest.mark.parametrize(
    ("name", "stale"),
    [("a/late.py", True), ("errors.py", True), ("c/page.js", True), ("b/plain.py", False)],
)
def test_only_what_is_loaded_makes_outputs_stale(tree, name, stale):
    root, key = tree
    before = key("from mgtutorial.a import f")
    (root / "mgtutorial" / name).write_text("'changed'")
    assert (key("from mgtutorial.a import f") != before) == stale


@pytest.mark.parametrize(("code", "reads"), [("b.reads", True), ("a.one", False)])
def test_results_count_where_the_code_knows_where_they_lie(tree, code, reads):
    root, key = tree
    code = f"import mgtutorial.{code}"
    before = key(code)
    (root / "results/runs/smoke.jsonl").write_text("a run that no page shows")
    assert key(code) == before
    (root / "results/runs/short.jsonl").write_text("another run")
    assert (key(code) != before) == reads


def test_cells_and_surroundings_count_and_words_do_not(tree):
    _, key = tree
    keys = [key("x = 1"), key("x = 2"), key("x = 1", common="data"), key("x = 1", "")]
    assert len(set(keys)) == 4
    assert key("x = 1", markdown="other words") == keys[0]


def test_a_package_that_is_loaded_is_among_what_was_read():
    """Against the interpreter: whatever the imports of a notebook load was foreseen."""
    source = "\n".join(freshness.code(ROOT / "notebooks/reproduce/mgiad_table2.ipynb"))
    lines = source.splitlines()
    start = lines.index("from mgtutorial.figures import show, use_style")
    end = lines.index("use_style()")
    code = "\n".join(lines[start:end]) + (
        "\nimport sys\nprint(*(m.__file__ for n, m in sys.modules.items()"
        " if n.split('.')[0] == 'mgtutorial'), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    files = {Path(line) for line in done.stdout.splitlines()}
    assert len(files) > 20, done.stderr
    assert files <= freshness.behind(source)


def test_a_chapter_of_linear_algebra_waits_for_no_network_and_no_run():
    files = freshness.behind("\n".join(freshness.code(ROOT / "notebooks/smoothing.ipynb")))
    wings = {f.relative_to(ROOT / "mgtutorial").parts[0] for f in files if f.suffix == ".py"}
    assert wings == {"__init__.py", "errors.py", "multigrid.py", "linalg", "figures"}
