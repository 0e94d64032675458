"""Counts of weights, kept from one process to the next.

A count is a pure function of a frozen config and of the code that builds and counts its network.
So it is kept under both: the name of the file is a digest of the whole package and of torch's
version, and each line of it has the config, the data set and the count. Different code has a
different file. What the digest does not cover (a class from elsewhere, or one whose ``build`` was
replaced while Python was running) is counted every time.
"""

import contextlib
import hashlib
import json
from functools import cache
from pathlib import Path

import torch

from ..data.cache import cache_folder

PACKAGE = Path(__file__).resolve().parent.parent
FOLDER = cache_folder() / "counts"
KEPT = 20  # files: those of other versions and checkouts, the newest of them


def digest_of_code(package=PACKAGE):
    """Return a digest of the files of a package, and of torch's version.

    Parameters
    ----------
    package : path
    """
    whole = hashlib.sha256(torch.__version__.encode())
    for file in sorted(package.rglob("*.py")):
        whole.update(f"\0{file.relative_to(package).as_posix()}\0".encode())
        whole.update(file.read_bytes())
    return whole.hexdigest()[:16]


#: Of the code that runs: taken when it is imported, since files may change later.
CODE = digest_of_code()


def count(network, data, make):
    """Return ``make()``, the count of a network on a data set, which is a pure function of both.

    Parameters
    ----------
    network : config of a network
    data : str or None
    make : callable
        Called only if the count is not known yet.

    Returns
    -------
    int
    """
    if not _of_this_code(type(network)):
        return make()
    key, known = f"{network!r} on {data}", _known(FOLDER, CODE)
    if key not in known:
        known[key] = make()
        with contextlib.suppress(OSError):  # a folder that cannot be written costs time only
            _keep(key, known[key])
    return known[key]


def _of_this_code(kind):
    module = kind.__module__
    ours = module.split(".")[0] == __name__.split(".")[0]
    return ours and kind.build.__module__ == module


@cache
def _known(folder, code):
    """What the file of one state of the code holds, and what this process adds to it."""
    try:
        text = (folder / f"{code}.jsonl").read_text(encoding="utf-8")
    except OSError:
        return {}
    found = {}
    for line in text.splitlines():
        with contextlib.suppress(ValueError):  # the end of a line that was not finished
            key, number = json.loads(line)
            found[key] = number
    return found


def _keep(key, number):
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{CODE}.jsonl"
    if not path.exists():
        files = sorted(FOLDER.glob("*.jsonl"), key=lambda file: file.stat().st_mtime)
        for old in files[:-KEPT]:
            old.unlink(missing_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps([key, number]) + "\n")
