"""What the outputs of a notebook depend on: its code, what it imports of the package, and results.

Imports are read, not run, including those inside functions: what a notebook could load counts.
Only the standard library is used, so that this is known before anything starts.
"""

import ast
import json
import re
from functools import cache

from tools.running import ROOT, digest

PACKAGE = "mgtutorial"
PLACES = "_paths.py"  # the one file that knows where results lie
KINDS = (".csv", ".json", ".jsonl", ".npz", ".safetensors")


def results(root=ROOT):
    """Return the files of results that pages show; runs of the budget smoke are on none."""
    found = sorted((root / "results").rglob("*"))
    return [f for f in found if f.suffix in KINDS and f.name != "smoke.jsonl"]


def notebooks(root=ROOT):
    """Return the files of the notebooks, those of the chapters first: they take longest."""
    found = sorted((root / "notebooks").rglob("*.ipynb"), key=lambda f: (len(f.parts), f))
    return [f for f in found if ".ipynb_checkpoints" not in f.parts]


def key(notebook, common, root=ROOT):
    """Return one short name for all that the outputs of a notebook depend on.

    `common` is plain data that all notebooks depend on: the environment, the data sets.
    """
    cells = code(notebook)
    files = behind("\n".join(cells), root)
    read = results(root) if root / PACKAGE / PLACES in files else []
    return digest(cells, *sorted(files), *read, common, root=root)


def code(notebook):
    """Return the text of each cell of code of a notebook's file."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def behind(source, root=ROOT):
    """Return the files of the package that a notebook's code loads, now or later."""
    package = root / PACKAGE
    # What is not Python, the magics and shell commands of a notebook, imports nothing of ours.
    source = re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE)
    todo, found = imported(source, package), set()
    while todo:
        file = todo.pop()
        if file not in found:
            found.add(file)
            todo |= imported_by(file, package, file.stat().st_mtime_ns)
    return found | {
        f for f in package.rglob("*") if f.is_file() and f.suffix not in (".py", ".pyc")
    }


@cache
def imported_by(file, package, changed):
    return frozenset(imported(file.read_text(encoding="utf-8"), package, file))


def imported(source, package, file=None):
    """Return the files of a package that some code imports, from the code of `file` if given."""
    inside = () if file is None else file.relative_to(package.parent).parent.parts
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
            if file is None and (package.name,) in names:  # all is an attribute of it
                return set(package.rglob("*.py"))
        elif isinstance(node, ast.ImportFrom):
            base = inside[: len(inside) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            names = [(*base, alias.name) for alias in node.names]
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "attr", getattr(node.func, "id", "")) == "import_module"
            and not all(isinstance(x, ast.Constant) for x in node.args)
            and len(inside) > 1  # the package itself loads what it is asked for, and that is seen
        ):  # one of its wing, found while it runs
            found |= set(file.parent.rglob("*.py"))
            continue
        else:
            continue
        for name in names:
            found |= files_of(name, package)
    return found


def files_of(name, package):
    """Return the files that importing a dotted name loads: its own, and its packages'."""
    found = set()
    if name[0] != package.name:
        return found
    for i in range(1, len(name) + 1):
        path = package.parent.joinpath(*name[:i])
        found |= {f for f in (path.with_suffix(".py"), path / "__init__.py") if f.is_file()}
    return found
