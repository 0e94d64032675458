"""The package's directions and faces: what holds the house together."""

import ast
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mgtutorial
from mgtutorial import _paths

PACKAGE = Path(mgtutorial.__file__).parent
WINGS = sorted(p.name for p in PACKAGE.iterdir() if (p / "__init__.py").exists())
NOTEBOOKS = sorted((PACKAGE.parent / "notebooks").rglob("*.ipynb"))


def test_imports_go_in_one_direction_and_papers_are_data():
    """The contracts of pyproject.toml; imports inside functions count."""
    lint = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert lint, "import-linter is part of the extra 'test'"
    root = _paths.checkout()
    done = subprocess.run([lint, "--no-cache"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert re.search(r"Contracts: 3 kept, 0 broken", done.stdout)


def test_no_import_is_excepted_from_the_contracts():
    text = (_paths.checkout() / "pyproject.toml").read_text(encoding="utf-8")
    assert "ignore_imports" not in text and "exhaustive_ignores" not in text


@pytest.mark.parametrize("wing", WINGS)
def test_a_face_is_explicit_complete_and_documented(wing):
    """`__all__` is what the face imports; all of it is there and says what it does."""
    face = importlib.import_module(f"mgtutorial.{wing}")
    tree = ast.parse(Path(face.__file__).read_text(encoding="utf-8"))
    froms = [n for n in tree.body if isinstance(n, ast.ImportFrom)]
    imported = [a.asname or a.name for node in froms for a in node.names]
    assert face.__doc__ and sorted(imported) == sorted(face.__all__)
    assert not [name for name in face.__all__ if name.startswith("_")]
    for name in face.__all__:
        value = getattr(face, name)
        if callable(value):
            assert (value.__doc__ or "").strip(), f"{wing}.{name} has no docstring"


@pytest.mark.parametrize("wing", WINGS)
def test_no_function_bears_the_name_of_a_file_of_its_wing(wing):
    """Else ``import mgtutorial.wing.name as m`` would find the function."""
    face = importlib.import_module(f"mgtutorial.{wing}")
    files = {p.stem for p in (PACKAGE / wing).glob("*.py")}
    named = {name for name in face.__all__ if not isinstance(getattr(face, name), type(ast))}
    assert not named & files


def test_code_inside_imports_from_files():
    """A face is for readers: a file of the package that used one would load its whole wing."""
    for file in PACKAGE.rglob("*.py"):
        inside = file.relative_to(PACKAGE.parent).with_suffix("").parts[:-1]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or file.name == "__init__.py":
                continue
            base = [*inside[: len(inside) - node.level + 1]] if node.level else []
            where = [*base, *(node.module or "").split(".")] if node.module else base
            if where[:1] == ["mgtutorial"] and len(where) == 2 and where[1] in WINGS:
                files = {p.stem for p in (PACKAGE / where[1]).iterdir()}
                assert {a.name for a in node.names} <= files, f"{file.name}, line {node.lineno}"
