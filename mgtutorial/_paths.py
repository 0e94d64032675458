"""Where results lie: the published numbers, and the records of runs."""

import os
from pathlib import Path


def results_dir():
    """Return the folder that holds ``published/`` and ``runs/``.

    It is ``MGTUTORIAL_RESULTS`` if that is set, else ``results`` in a checkout of the
    project, else ``results`` in the working folder.
    """
    if "MGTUTORIAL_RESULTS" in os.environ:
        return Path(os.environ["MGTUTORIAL_RESULTS"]).expanduser()
    return (checkout() or Path.cwd()) / "results"


def packaged_results():
    """Return the ``results`` folder that came with the package: published numbers and records.

    In a checkout it is the one that new records go to; in a wheel it lies inside the package.
    """
    root = checkout() or Path(__file__).resolve().parent
    return root / "results"


def checkout():
    """Return the root of the checkout that this package is in, or None: installed from a wheel."""
    root = Path(__file__).resolve().parent.parent
    return root if (root / "pyproject.toml").exists() else None
