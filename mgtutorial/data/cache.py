"""Where data files live, how their digests are checked, and how the results of work are kept.

There are two places. The *root* holds data sets as they were published: it is the argument,
else the environment variable ``MGTUTORIAL_DATA``, else ``data`` in the cache
folder. Loading only ever reads it. The *cache folder* (``MGTUTORIAL_CACHE``,
else the platform's cache folder) holds what was unpacked or decoded.
"""

import hashlib
import os
import pickle
import shutil
import struct
import tempfile
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .._atomic import replace
from .._locks import hold
from .._paths import given
from ..errors import DataDamaged, MgtutorialError

_checked = {}  # path, size, times and algorithm -> digest, for this process

#: What reading a file that is not what it should be may raise, besides this package's own errors.
BROKEN = (
    OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, MemoryError,
    RecursionError, zlib.error, struct.error, pickle.UnpicklingError,
)  # fmt: skip


class CacheUnwritable(MgtutorialError, OSError):
    """The cache folder cannot be created or written to."""


def cache_folder():
    """The folder for unpacked and decoded copies (not created here).

    Returns
    -------
    pathlib.Path
    """
    if place := os.environ.get("MGTUTORIAL_CACHE"):
        return given(place)
    from platformdirs import user_cache_path

    return user_cache_path("mgtutorial", appauthor=False)


def data_root(root=None):
    """The folder in which data sets are looked for first.

    Parameters
    ----------
    root : str or path, optional
        Takes precedence over ``MGTUTORIAL_DATA``, which takes precedence over the cache folder.

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> data_root("here").name
    'here'
    """
    place = root or os.environ.get("MGTUTORIAL_DATA")
    return given(place) if place else cache_folder() / "data"


def places(root=None):
    """Every folder a data set may be in: the root, then the cache folder's ``data``."""
    return list(dict.fromkeys([data_root(root), cache_folder() / "data"]))


def download_folder(root=None):
    """Where a download goes: the root if it can be written to, else the cache folder.

    The mode bits are read too, because to the superuser every folder that is
    marked read-only looks writable.
    """
    folder = data_root(root)
    # os.path and not Path, which raises where a folder may not be entered
    existing = next(p for p in [folder, *folder.absolute().parents] if os.path.exists(p))
    writable = os.access(existing, os.W_OK) and os.stat(existing).st_mode & 0o222
    return folder if writable and os.path.isdir(existing) else cache_folder() / "data"


def writable(folder):
    """Create `folder` and return it, or say in one sentence why that failed.

    Raises
    ------
    CacheUnwritable
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CacheUnwritable(
            f"cannot write to the folder {folder} ({error.strerror}): set MGTUTORIAL_CACHE to a "
            "folder that can be written; decoded and unpacked data are kept there."
        ) from error
    return folder


@contextmanager
def keeping(folder):
    """Say in one sentence that `folder` does not take what is written there, because it is full.

    Raises
    ------
    CacheUnwritable
    """
    try:
        yield
    except MgtutorialError:
        raise
    except OSError as error:
        raise CacheUnwritable(
            f"cannot keep data in the folder {folder} ({error.strerror or error}): free space, or "
            "set MGTUTORIAL_CACHE to a folder with more."
        ) from error


@contextmanager
def fresh_folder(parent):
    """A temporary folder inside `parent` that is gone afterwards, whatever happens.

    What is ready is moved out of it with ``os.replace``, so that nobody ever
    sees a half-written data set.
    """
    path = Path(tempfile.mkdtemp(prefix=".partial-", dir=writable(parent)))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def lock(name):
    """A lock between processes, so that two of them do not decode the same set."""
    return hold(writable(cache_folder()) / f"{name}.lock")


def digest_of(path, algorithm="sha256"):
    """Digest of a file; the process remembers it as long as size and times stay the same.

    Parameters
    ----------
    path : path
    algorithm : {"sha256", "md5"}

    Returns
    -------
    str
        Hexadecimal.
    """
    path = Path(path).absolute()
    stat = path.stat()
    key = f"{algorithm} {state_of(stat)} {path}"
    if key not in _checked:

        def new():
            # against damage, not against an attacker: md5 is allowed even where otherwise forbidden
            return hashlib.new(algorithm, usedforsecurity=False)

        with open(path, "rb") as file:
            _checked[key] = hashlib.file_digest(file, new).hexdigest()
    return _checked[key]


def state_of(stat):
    """Return what changes with a file's content: only the kernel sets the last of the times."""
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"


def check_digest(path, expected, algorithm="sha256"):
    """Raise :class:`~mgtutorial.errors.DataDamaged` if a file is not what it should be."""
    found = digest_of(path, algorithm)
    if found != expected:
        raise DataDamaged(
            f"the data file {path} is damaged: its {algorithm} should be {expected} and is "
            f"{found}; delete it and fetch it again."
        )


def check_sums(path):
    """Check a file against the ``SHA256SUMS`` in its folder or the one above, if it is listed.

    Returns
    -------
    bool
        Whether a digest was there to check.
    """
    path = Path(path)
    for folder in (path.parent, path.parent.parent):
        sums = folder / "SHA256SUMS"
        if sums.is_file():
            for line in sums.read_text(encoding="utf-8").splitlines():
                digest, _, name = line.strip().partition(" ")
                if folder / name.strip(" *") == path:
                    check_digest(path, digest)
                    return True
    return False


def remembered_arrays(name, make):
    """The arrays ``make()`` returns, kept in the cache folder under `name`.

    Parameters
    ----------
    name : str
        Has to change with whatever `make` depends on: it carries the digest of the source.
    make : callable
        Returns a tuple of arrays (no objects); may take a long time.

    Returns
    -------
    tuple of numpy.ndarray

    Notes
    -----
    The digest of the file lies beside it. A copy that does not match it is made
    again: it was derived here, so nothing is lost. A copy that does match is read without a lock,
    even from a folder that others own and that cannot be written to.
    """
    path = cache_folder() / "decoded" / f"{name}.npz"
    side = path.with_suffix(".digest")
    if (arrays := _read_remembered(path, side)) is not None:
        return arrays
    with lock(f"decoded-{name}"):
        arrays = _read_remembered(path, side)
        if arrays is None:
            arrays = make()
            writable(path.parent)
            with keeping(path.parent):
                replace(path, lambda file: np.savez(file, *arrays))
                replace(side, digest_of(path))
    return arrays


def _read_remembered(path, side):
    try:
        if digest_of(path) != side.read_text():
            return None
        # opened here, because np.load does not close a file that is no archive
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as z:
            return tuple(z[f"arr_{i}"] for i in range(len(z.files)))
    except Exception:  # absent, torn, not an archive: in each case it is made again
        return None
