"""What was measured: one JSON line a run, under ``results/runs/``.

Files of :class:`mgtutorial.training.Record` are append-only. Several processes may
append at once. A line that a crash tore is reported and skipped, and costs no other line.
"""

import dataclasses
import hashlib
import json
import os
import platform
import subprocess
import warnings
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from .._paths import checkout, packaged_results, results_dir
from ..errors import InvalidValue, RecordsUnwritable
from .record import Record


class TornRecord(UserWarning):
    """A line of a results file that is no JSON, as a crash in mid-write leaves it."""


def all_runs():
    """Return the records that came with the package, then those that were made since.

    Examples
    --------
    >>> {record.metric.name for record in all_runs()}
    {'accuracy'}
    """
    folders = dict.fromkeys((packaged_results() / "runs", results_dir() / "runs"))
    return [record for folder in folders for record in read(folder)]


def digest(value):
    """Return 16 hexadecimal digits that name a value made of plain data.

    Dictionaries that hold the same have the same digest, whatever their order.

    Examples
    --------
    >>> digest({"a": 1, "b": (2, 3)}) == digest({"b": [2, 3], "a": 1})
    True
    """
    if dataclasses.is_dataclass(value):
        value = dataclasses.asdict(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
    except OSError as error:
        raise RecordsUnwritable(
            f"cannot write the results file {path} ({error.strerror}): "
            "make it writable, or set MGTUTORIAL_RESULTS to a folder that is."
        ) from error


def append(record, path):
    """Append one record as one line, whole or not at all visible as a line.

    A lock beside the file keeps processes apart; the line is on the disk when this
    returns. If the file ends in a torn line, the record starts a new one. A record whose
    digest is in the file already is not written a second time, whoever wrote the first.

    Parameters
    ----------
    record : Record
        Not-a-number and infinity are refused.
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
        If the record is not JSON.
    """
    from filelock import FileLock

    path = Path(path)
    try:
        line = json.dumps(record.to_json(), allow_nan=False, ensure_ascii=False) + "\n"
    except (TypeError, ValueError) as error:
        raise InvalidValue(f"the record cannot be written as JSON: {error}.") from error
    check_writable(path)
    try:
        # The kernel frees this lock when its holder dies, however that happens.
        with FileLock(f"{path}.lock"), open(path, "ab+") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(0)
            written = file.read(end)
            if (first := _find(record.digest, written, path)) is not None:
                return first
            try:
                torn = bool(written) and not written.endswith(b"\n")
                file.write(b"\n" * torn + line.encode())
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)  # a full disk: leave no half line behind
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

    Returns
    -------
    list of Record
        In the order of writing; empty if there is no such file.

    Raises
    ------
    InvalidValue
        If a record was written by a newer version of the project, or a line is none.

    Warns
    -----
    TornRecord
        For each line that is not whole; it is skipped.
    """
    path = Path(path)
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path] * path.exists()
    found = []
    for file in files:
        found += _parsed(file.read_bytes(), file)
    return found


def _parsed(written, file):
    """Return the records among the bytes of a file."""
    found = []
    for number, line in enumerate(written.splitlines(), 1):
        if not line.strip():
            continue
        try:
            plain = json.loads(line)
            if not isinstance(plain, dict):
                raise ValueError(line)
        except ValueError:
            warnings.warn(
                f"{file}: line {number} is torn and was skipped: {line[:60]!r}...",
                TornRecord,
                stacklevel=3,
            )
            continue
        try:
            found.append(Record.from_json(plain))
        except InvalidValue as error:
            raise InvalidValue(f"{file}, line {number}: {error}") from error
    return found


def find(run_digest, path):
    """Return the record of the run with this digest, or None."""
    return next((r for r in read(path) if r.digest == run_digest), None)


def circumstances():
    """Return when, where and with what a run is made: the part of a record that is no choice."""
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

    It is that of the first record of this process, whose code is in memory since then.
    """
    root = checkout()
    if root is None:  # installed from a wheel: a repository around it is somebody else's
        return None

    def git(*args):
        return subprocess.run(
            ["git", *args],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()

    try:
        # Only this package's code counts as a change, not a new record or a page.
        return git("rev-parse", "--short=12", "HEAD") + (
            "+" if git("status", "--porcelain", "--", "mgtutorial") else ""
        )
    except (OSError, subprocess.SubprocessError):
        return None
