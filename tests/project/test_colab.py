"""The notebooks in Colab: outside the repository, with the package as its set-up cell installs it.

`make colab` runs those that changed and two others, `make colab ARGS=--all` all of them, in an
environment that has the package's own dependencies, ipywidgets 7.7, a stand-in for
`google.colab`, and one for pip, which takes the wheel for what it is told to fetch.
"""

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools import colab

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
SECONDS = 300  # for a notebook, on a machine that has other things to do


def load(name, file):
    """A program of the project as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = load("make_program", "make.py")
SETUP = load("cells_program", "tools/cells.py").setup_cell()


# -------------------------------------------------------------- what the cells say


def test_setup_cell_installs_the_version_of_the_page():
    """A page is of one branch or tag, and so is the package that its notebook installs."""
    ref = re.search(r"git\+https://\S+@(\S+)$", SETUP)[1]
    if re.match(r"v\d", ref):  # a release
        import mgtutorial

        assert ref == f"v{mgtutorial.__version__}"
    assert "--no-deps" in SETUP and len(SETUP.splitlines()) < 10


# What Colab has: small pure packages apart, nothing else may be asked for.
COLAB_HAS = set(
    "torch torchvision numpy scipy matplotlib pandas pillow scikit-learn ipywidgets platformdirs "
    "filelock tqdm safetensors".split()
)


def test_package_asks_for_nothing_that_colab_lacks():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {Requirement(line).name for line in project["dependencies"]} <= COLAB_HAS


# --------------------------------------------------------------------- the notebooks


def git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.split("\0") if done.returncode == 0 else []


def chosen(which, files=NOTEBOOKS):
    """The notebooks to run: all, or those that changed and two others."""
    if which == "all":
        return files
    since = os.environ.get("MGTUTORIAL_SINCE") or "HEAD~1"
    names = {*git("diff", "--name-only", "-z", since), *git("ls-files", "-zo", "notebooks")}
    changed = [f for f in files if f.relative_to(ROOT).as_posix() in names]
    # others at each commit, and the same for the same commit
    head = "".join(git("rev-parse", "HEAD"))

    def turn(file):
        return hashlib.sha256(f"{head}{file.name}".encode()).digest()

    return changed + sorted((f for f in files if f not in changed), key=turn)[:2]


def test_some_notebooks_are_those_that_changed_and_two_others(monkeypatch):
    files = NOTEBOOKS[:5]
    changed = files[1].relative_to(ROOT).as_posix()
    told = {"diff": [changed], "ls-files": [""], "rev-parse": ["abc"]}
    monkeypatch.setitem(globals(), "git", lambda command, *_: told[command])
    first, *others = chosen("some", files)
    assert first == files[1] and len(others) == 2 and first not in others
    assert chosen("all", files) == files


WHICH = os.environ.get("MGTUTORIAL_COLAB")

# Run before any cell, as Colab has its module loaded then.
SITE = "import google.colab\n"
# Stands for pip: unpacks the wheel for the one address that the set-up cell may name.
PIP = """\
import sys, zipfile
expected = {expected!r}
if sys.argv[1:] != expected:
    sys.exit(f"pip was called with {{sys.argv[1:]}}, and not with {{expected}}")
zipfile.ZipFile({wheel!r}).extractall({target!r})
"""
# What a notebook leaves behind, asked in its own kernel.
ASKED = """
import json as _json, sys as _sys, ipywidgets as _widgets, mgtutorial as _package
print(_json.dumps([_package.__file__, _widgets.__version__, sorted(
    {name.partition(".")[0] for name in _sys.modules} & {"papermill", "jupyter_book", "sphinx"})]))
"""


@pytest.fixture
def colab_kernel(tmp_path, monkeypatch):
    """Return a function that runs a notebook in a kernel of the environment like Colab's."""
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpec

    wheel = next(colab.WHEELS.glob("*.whl"))
    stubs, package, content = (tmp_path / name for name in ("stubs", "package", "content"))
    for folder in (stubs / "google" / "colab", stubs / "pip", package, content):
        folder.mkdir(parents=True)
    expected = ["install", "-q", "--no-deps", SETUP.split()[-1]]
    main = PIP.format(expected=expected, wheel=str(wheel), target=str(package))
    (stubs / "google" / "colab" / "__init__.py").touch()
    (stubs / "pip" / "__init__.py").touch()
    (stubs / "pip" / "__main__.py").write_text(main)
    (stubs / "sitecustomize.py").write_text(SITE)

    env = {k: v for k, v in os.environ.items() if not k.startswith(("MGTUTORIAL_", "JUPYTER_"))}
    env["PYTHONPATH"] = os.pathsep.join(map(str, (stubs, package)))
    env["VIRTUAL_ENV"], env["HOME"] = str(colab.FOLDER), str(tmp_path)
    env["PATH"] = str(colab.PYTHON.parent) + os.pathsep + env["PATH"]
    env |= {"IPYTHONDIR": str(tmp_path / "ipython"), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    class Manager(AsyncKernelManager):
        @property
        def kernel_spec(self):
            command = [str(colab.PYTHON), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=command, display_name="Colab", language="python")

    def run(file):
        notebook = nbformat.read(file, as_version=4)
        notebook.cells.append(nbformat.v4.new_code_cell(ASKED))
        client = nbclient.NotebookClient(
            notebook,
            timeout=SECONDS,
            kernel_manager_class=Manager,
            resources={"metadata": {"path": content}},
        )
        client.execute(env=env)
        return notebook, json.loads(notebook.cells[-1].outputs[-1].text)

    return run


@pytest.mark.skipif(WHICH is None, reason="runs as `make colab`, which makes its environment")
@pytest.mark.timeout(2 * SECONDS)
@pytest.mark.filterwarnings("default")  # of Jupyter's own tools
@pytest.mark.parametrize("file", chosen(WHICH) if WHICH else NOTEBOOKS[:1], ids=lambda f: f.stem)
def test_notebook_runs_in_colab(file, colab_kernel, tmp_path):
    notebook, (package, widgets, needless) = colab_kernel(file)
    assert Path(package).is_relative_to(tmp_path), "it used another package than its own wheel"
    assert widgets.startswith("7.7.") and needless == []
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    shown = [o.data for o in outputs if "data" in o]
    if any("slider(" in "".join(c.source) for c in notebook.cells):
        assert any("application/vnd.jupyter.widget-view+json" in data for data in shown)
    # an error in a figure's function stays in its widget
    faults = re.findall(r'"evalue": "[^"]*"', json.dumps(notebook.metadata.get("widgets", {})))
    assert faults == []
    noise = [o.text for o in outputs if o.get("name") == "stderr" and "Warning" in o.text]
    assert noise == [], "a reader should not have to read this"
