"""What was measured: one JSON line per run, under ``results/runs/``.

Files of :class:`mgtutorial.training.Record` are append-only. Several processes may
append at once. A line torn by a crash is reported and skipped; no other line is lost.
"""

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import platform
import subprocess
import warnings
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from .._locks import hold
from .._paths import checkout, packaged_results, results_dir
from ..errors import InvalidValue, MgtutorialError, MgtutorialWarning, RecordsUnwritable
from .record import Record


class TornRecord(MgtutorialWarning):
    """A line of a results file that is no record, such as a crash or another program leaves."""


def all_runs(place="runs"):
    """Return the records that came with the package, then those that were made since.

    Parameters
    ----------
    place : str
        A folder or file of the results; the runs of other tasks are in files of their own.

    Examples
    --------
    >>> {record.metric.name for record in all_runs()}
    {'accuracy'}
    """
    folders = packaged_results(), results_dir()
    places = dict.fromkeys((folder / place).resolve() for folder in folders)
    return [record for one in places for record in read(one)]


def digest(value):
    """Return 16 hexadecimal digits that name a value made of plain data.

    Dictionaries with the same content have the same digest, whatever their order.

    Examples
    --------
    >>> digest({"a": 1, "b": (2, 3)}) == digest({"b": [2, 3], "a": 1})
    True
    """
    if dataclasses.is_dataclass(value):
        value = dataclasses.asdict(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value):
    """Return what a NumPy scalar holds, for JSON.

    Raises
    ------
    TypeError
        If `value` is something else, as :func:`json.dumps` expects.
    """
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    raise TypeError(f"a {type(value).__name__} has no place in JSON")


def run_digest(config, samples):
    """Return the name of a run: one digest of its config and of its training samples."""
    return digest(config.identity(samples))


def check_writable(path):
    """Stop now rather than after hours, if records could not be appended to `path`.

    Raises
    ------
    RecordsUnwritable
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab"):
            pass  # an empty file may stay: deleting it could race with another process
    except (OSError, ValueError) as error:  # ValueError: no path at all, with a null character
        raise RecordsUnwritable(
            f"cannot write the results file {path} ({getattr(error, 'strerror', error)}): "
            "make it writable, or give another folder: --runs, or MGTUTORIAL_RESULTS."
        ) from error


def append(record, path):
    """Append one record as one line, which is seen whole or not at all.

    A lock beside the file keeps processes apart; the line is on the disk when this
    returns. If the file ends in a torn line, the record starts a new one. A record whose
    digest is already in the file is not written a second time, whoever wrote the first.

    Parameters
    ----------
    record : Record
        NaN and infinity are refused.
    path : path

    Returns
    -------
    Record
        The record of this digest that the file now holds: `record`, or an older one.

    Raises
    ------
    RecordsUnwritable
        If the file or its lock cannot be written (a read-only folder, a full disk).
    InvalidValue
        If the record cannot be written as JSON.
    """
    path = Path(path)
    if not isinstance(record, Record):
        raise InvalidValue(f"a {type(record).__name__} is no Record of a run: make one of it.")
    try:
        text = json.dumps(record.to_json(), allow_nan=False, ensure_ascii=False, default=_plain)
        line = text.encode() + b"\n"
    except (TypeError, ValueError) as error:  # a lone surrogate is a ValueError, too
        raise InvalidValue(f"the record cannot be written as JSON: {error}.") from error
    check_writable(path)
    try:
        # Nothing is buffered: what a full disk refused must not come again when the file is closed.
        with hold(f"{path}.lock"), open(path, "rb+", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(0)
            written = file.read(end)
            if (first := _find(record.digest, written, path)) is not None:
                return first
            try:
                torn = bool(written) and not written.endswith(b"\n")
                left = memoryview(b"\n" * torn + line)
                while left:
                    left = left[file.write(left) :]
                os.fsync(file.fileno())
            except OSError:
                with contextlib.suppress(OSError):  # of a device, which holds nothing
                    os.ftruncate(file.fileno(), end)  # leave no half line behind
                raise
    except MgtutorialError:
        raise
    except OSError as error:
        raise RecordsUnwritable(
            f"cannot append to the results file {path} ({error.strerror}): "
            "free space or make it writable; the run's checkpoint is kept, "
            "and the same command then writes the record without training again."
        ) from error
    return record


def _find(run, written, path):
    """Return the record with this digest among the bytes of a file, or None."""
    # Most digests are new, and bytes are searched a thousand times as fast as they are parsed.
    if json.dumps(run).encode() not in written:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TornRecord)  # every reader says so
        return next((r for r in _parsed(written, path) if r.digest == run), None)


def read(path):
    """Return the records of a file, or of every ``*.jsonl`` file in a folder.

    Of several records of one run, as merging two folders leaves them, the first one counts, here
    and therefore everywhere.

    Returns
    -------
    list of Record
        In the order of writing; empty if there is no such file.

    Raises
    ------
    InvalidValue
        If a record was written by a newer version of the project, a line that names a run is not a
        record of one or has the choices of another, or the file cannot be read.

    Warns
    -----
    TornRecord
        If a file has lines that are torn or from another program; they are skipped.
    """
    path = Path(path)
    files = sorted(path.glob("*.jsonl")) if os.path.isdir(path) else [path]
    found = {}
    for file in files:
        for record in _parsed(_content(file), file):
            found.setdefault(record.digest, record)
    return list(found.values())


def _content(file):
    """Return the bytes of a results file; none for a folder or for what is not there."""
    if not os.path.lexists(file) or os.path.isdir(file):
        return b""
    try:
        if not os.path.isfile(file):  # a pipe would be waited for; a link may lead nowhere
            raise OSError(errno.EINVAL, "no regular file")
        return file.read_bytes()
    except OSError as error:
        raise InvalidValue(
            f"cannot read the results file {file} ({error.strerror}): make it readable, or move it "
            "out of its folder."
        ) from error


def _check_name(record):
    """Raise if a classifier's choices are not those that its digest names: edited, or mixed up."""
    if "model" in record.choices and record.data.digest is not None:
        name = digest({"config": record.choices, "data": record.data.digest})
        if name != record.digest:
            raise InvalidValue(
                f"its choices and its images are those of run {name}, and it says that it is "
                f"{record.digest}: restore the line, or delete it."
            )


def _parsed(written, file):
    """Return the records among the bytes of a file."""
    found, others = [], []
    for number, line in enumerate(written.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            plain = json.loads(line)
        except (ValueError, RecursionError):
            plain = None
        if not isinstance(plain, dict) or "digest" not in plain:  # torn, or another program's
            others.append((number, line[:60]))
            continue
        try:
            found.append(Record.from_json(plain))
            _check_name(found[-1])
        except InvalidValue as error:
            raise InvalidValue(f"{file}, line {number}: {error}") from error
    if others:
        number, line = others[0]
        more = f", and so are {len(others) - 1} more" if others[1:] else ""
        warnings.warn(
            f"{file}: line {number} is torn, or no record, and was skipped{more}: {line!r}...",
            TornRecord,
            stacklevel=3,
        )
    return found


def find(run_digest, path):
    """Return the record of the run with this digest, or None."""
    return next((r for r in read(path) if r.digest == run_digest), None)


def circumstances():
    """Return when and with what a run is made: the part of a record that is not a choice."""
    import numpy
    import torch

    from .. import __version__

    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "mgtutorial": __version__,
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "numpy": numpy.__version__,
        },
        "commit": commit(),
    }


@cache
def commit():
    """Return the commit of the checkout, with ``+`` if the code differs from it, or None.

    It is the commit at the first record of this process, whose code has been in memory since. A
    repository that only surrounds the package, or that the environment names, is somebody else's.
    """
    root = checkout()
    if root is None:
        return None
    # In a hook, git itself says which repository it means: not necessarily this one.
    variables = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}

    def git(*args):
        return subprocess.run(
            ["git", *args],
            cwd=root,
            env=variables,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root.resolve():
            return None
        # Only this package's code counts as a change, not a new record or a page.
        return git("rev-parse", "--short=12", "HEAD") + (
            "+" if git("status", "--porcelain", "--", "mgtutorial") else ""
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
