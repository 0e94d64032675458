"""Where things are: the published numbers, the records of runs, and paths that somebody typed."""

import os
import tomllib
from functools import cache
from pathlib import Path


def given(path):
    """Return a path that somebody typed, with ``~`` as the home folder, as in a shell.

    A shell itself leaves ``~`` alone after ``=`` and in quotes.

    Examples
    --------
    >>> given("~/runs") == Path.home() / "runs"
    True
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:  # ~nobody: there is no such home, so it is a name like any other
        return Path(path)


def results_dir():
    """Return the folder that holds ``published/`` and ``runs/``.

    It is ``MGTUTORIAL_RESULTS`` if that is set and not empty, else ``results`` in a checkout of
    the project, else ``results`` in the working folder.
    """
    if place := os.environ.get("MGTUTORIAL_RESULTS"):
        return given(place)
    return (checkout() or Path.cwd()) / "results"


def packaged_results():
    """Return the ``results`` folder that came with the package: published numbers and records.

    In a checkout it is the one that new records go to; in a wheel it lies inside the package.
    """
    root = checkout() or Path(__file__).resolve().parent
    return root / "results"


def checkout():
    """Return the root of the checkout that this package is in, or None if it came from a wheel."""
    return _checkout(Path(__file__).resolve().parent.parent)


@cache
def _checkout(root):
    """Return `root` if it is this project that is described there, and not another one."""
    try:
        described = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    ours = Path(__file__).resolve().parent.name
    return root if described.get("project", {}).get("name") == ours else None
