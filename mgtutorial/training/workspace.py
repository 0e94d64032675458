"""Where runs work: folders, device, display, time; and what one run keeps there.

A run's checkpoint is never half a file, and never that of another run.
"""

import contextlib
import glob
import hashlib
import os
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from .. import _locks
from .._paths import given, results_dir
from ..errors import CheckpointMismatch, RecordsUnwritable
from . import records
from .record import Epoch, check_curve
from .time_limits import TimeLimit


@dataclass(frozen=True)
class Workspace:
    """Where runs work, and for how long: what has no bearing on their results.

    Attributes
    ----------
    runs : path, optional
        Folder of the results files; default ``results/runs``. Checkpoints lie in ``checkpoints``,
        beside a folder called ``runs`` but inside any other, so that several of these may stand
        side by side.
    root : path, optional
        Where the data are: see :func:`mgtutorial.data.load`.
    device : str
        ``"auto"`` takes a GPU where there is one.
    progress : bool or callable, optional
        Whether to show the progress; default: on a terminal and in a live notebook. A
        callable shows it itself, see :mod:`mgtutorial.training.progress`.
    time_limit : float or TimeLimit, optional
        Seconds after which to stop, at the end of an epoch; for all runs together.

    Examples
    --------
    >>> Workspace("here/runs").checkpoint_of("0123").as_posix()
    'here/checkpoints/0123.pt'
    >>> Workspace("here/there").checkpoint_of("0123").as_posix()
    'here/there/checkpoints/0123.pt'
    """

    runs: Path | str | None = None
    root: Path | str | None = None
    device: str = "auto"
    progress: object = None
    time_limit: object = None

    def at(self, runs):
        """Return the same with another folder of results files."""
        return replace(self, runs=runs)

    @property
    def folder(self):
        """The folder of the results files."""
        folder = given(self.runs) if self.runs else results_dir() / "runs"
        return folder if folder.name.strip(".") else folder.resolve()  # its name says what is where

    @property
    def own(self):
        """The folder of what belongs to these results alone, such as their checkpoints."""
        return self.folder.parent if self.folder.name == "runs" else self.folder

    @property
    def limit(self):
        """The time limit as a :class:`~mgtutorial.training.TimeLimit`."""
        limit = self.time_limit
        return limit if isinstance(limit, TimeLimit) else TimeLimit(limit)

    def results_of(self, config):
        """Return the file that the records of such runs are appended to."""
        return config.results_in(self.folder)

    def checkpoint_of(self, run):
        """Return where the checkpoint of a run lies, unless another place is asked for."""
        return self.own / "checkpoints" / f"{run}.pt"


class Kept:
    """What one run keeps: its lock, its checkpoint, its record.

    Of several processes only the first reads and writes; all learn what it found.

    Parameters
    ----------
    run : str
        The run's digest.
    config : TrainConfig or another
    results, checkpoint : path
    team : SingleProcess or Team
    """

    def __init__(self, run, config, results, checkpoint, team):
        self.run, self.team = run, team
        self.results, self.checkpoint = results, given(checkpoint)
        with contextlib.suppress(ValueError):  # no path at all, which is said when it is tried
            # of a link, the file that it leads to is written, and the link stays
            self.checkpoint = Path(os.path.realpath(self.checkpoint))
        self.owner = {"run": run, "config": config.as_dict()}

    def record(self):
        """Return the record of the run, or None."""
        return self.team.on_first(lambda: records.find(self.run, self.results))

    def lock(self, limit=None, say=True):
        """Return the context in which no other program works on this run.

        A second program that wants the same run waits and then finds the record; the lock of a
        program that was killed is free.

        Parameters
        ----------
        limit : TimeLimit, optional
            For the wait as well.
        say : bool
            Whether a line says that the program is waiting.

        Raises
        ------
        RecordsUnwritable, CheckpointMismatch, LockUnavailable
            Now rather than after hours, if there is nowhere to write to, if the checkpoint is that
            of another run, or if the file system has no locks.
        Unfinished
            If the time is up, or somebody asks for an end, while another program has the lock.
        """
        self.team.on_first(self._check)
        if self.team.rank:
            return contextlib.nullcontext()
        return _locks.hold(f"{self.checkpoint}.lock", limit and limit.check_wait, say)

    def _check(self):
        records.check_writable(self.results)
        # before anything is put beside a file that is perhaps not ours
        load_checkpoint(self.checkpoint, self.run, self.owner["config"], mmap=True)
        try:
            self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
            open(f"{self.checkpoint}.lock", "ab").close()
            tried = _temporary(self.checkpoint)  # a longer name, which has to fit, too
            tried.open("xb").close()
            tried.unlink()
        except (OSError, ValueError) as error:
            raise RecordsUnwritable(
                f"cannot write the checkpoint {self.checkpoint} "
                f"({getattr(error, 'strerror', error)}): make its folder writable, or give another "
                "path."
            ) from error

    def resume(self, parts, order):
        """Bring the parts of a run back to its last whole epoch; return the curve up to there.

        Parameters
        ----------
        parts : dict
            Name -> something with a ``state_dict``.
        order : torch.Generator
        """
        state = self.team.on_first(self._state)
        if state is None:
            return []
        if not {*parts, "order", "curve"} <= state.keys():
            raise CheckpointMismatch(
                f"checkpoint {self.checkpoint} is of an older version: delete it to start anew."
            )
        try:
            curve = [Epoch.from_json(row) for row in state["curve"]]
            check_curve(curve, self.owner["config"].get("epochs"))
            for name, part in parts.items():
                part.load_state_dict(state[name])
            order.set_state(state["order"])
            torch.set_num_threads(state.get("threads", torch.get_num_threads()))
        except Exception as error:  # each part raises another type for what does not fit it
            raise CheckpointMismatch(
                f"checkpoint {self.checkpoint} is damaged ({_first_line(error)}): delete it to "
                "start anew."
            ) from error
        return curve

    def _state(self):
        tidy(self.checkpoint)
        return load_checkpoint(self.checkpoint, self.run, self.owner["config"])

    def save(self, parts, order, curve):
        """Write the checkpoint of an epoch, from which :meth:`resume` goes on."""
        state = {name: part.state_dict() for name, part in parts.items()}
        state |= {"order": order.get_state(), "curve": [row.to_json() for row in curve]}
        state["threads"] = torch.get_num_threads()  # they decide the rounding, on a CPU
        self.team.on_first(lambda: save_checkpoint(self.checkpoint, {**self.owner, **state}))

    def append(self, record):
        """Append the record, unless somebody already has; return the one that is there now."""
        return self.team.on_first(lambda: records.append(record, self.results))


def save_checkpoint(path, state):
    """Write `state` beside its place, then move it there in one step.

    At any moment, and after any crash, a reader finds the old checkpoint or the new one.

    Parameters
    ----------
    path : path
    state : dict
        Tensors and plain data; ``run`` and ``config`` say whose they are. A digest is added.

    Raises
    ------
    RecordsUnwritable
        If the disk does not take it; the previous checkpoint stays.
    """
    path = Path(path)
    temporary = _temporary(path)
    try:
        with open(temporary, "wb") as file:
            torch.save({**state, _DIGEST: digest_of(state)}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        reason = getattr(error, "strerror", None) or "no space left, most likely"
        raise RecordsUnwritable(
            f"cannot write the checkpoint {path} ({reason}): free space or make it writable; "
            "the same command then goes on from the checkpoint before."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(path):
    # No process number: containers that share a folder have the same ones.
    return path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.tmp")


_DIGEST = "digest"  # its key in a checkpoint


def digest_of(state):
    """Return the SHA-256 of all that a state holds, whatever the layout of its tensors.

    Parameters
    ----------
    state : dict
        Tensors and plain data, in dictionaries, lists and tuples.

    Examples
    --------
    >>> x = torch.arange(6.0).view(2, 3)
    >>> digest_of({"x": x}) == digest_of({"x": x.t().contiguous().t()})
    True
    >>> digest_of({"x": x}) == digest_of({"x": -x})
    False
    """
    sha = hashlib.sha256()

    def add(value):
        if isinstance(value, torch.Tensor):
            sha.update(f"{value.dtype} {tuple(value.shape)}".encode())
            sha.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        elif isinstance(value, dict):
            sha.update(f"dict {len(value)}".encode())
            for key, held in value.items():
                sha.update(repr(key).encode())
                add(held)
        elif isinstance(value, list | tuple):
            sha.update(f"list {len(value)}".encode())
            for held in value:
                add(held)
        else:
            sha.update(repr(value).encode())

    add(state)
    return sha.hexdigest()


def load_checkpoint(path, run=None, config=None, mmap=False):
    """Return the state that :func:`save_checkpoint` wrote, or None if there is no such file.

    Parameters
    ----------
    path : path
    run : str, optional
        The digest of the run that is to go on; default: any.
    config : dict, optional
        Its config as plain data, to say where a mismatch lies.
    mmap : bool
        Read only whose it is: tensors are neither read nor checked against the digest.

    Raises
    ------
    CheckpointMismatch
        If the file is not a checkpoint, is that of another run, or is damaged.
    """
    path = given(path)
    if not os.path.exists(path):
        return None
    state = None
    try:
        # weights_only: a checkpoint from elsewhere can hold tensors, but run nothing.
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
        theirs, other = state["config"], state["run"]
        sound = mmap or _DIGEST not in state or digest_of(_without(state)) == state[_DIGEST]
        # by digests, as a file from elsewhere may hold anything in their place
        differ = [k for k, v in (config or {}).items() if not _same(v, theirs.get(k))]
    except Exception as error:  # torch raises many types for a file that is no checkpoint
        raise CheckpointMismatch(
            f"{path} is no checkpoint of this project ({type(error).__name__}): give another path"
            f"{_OR_DELETE if state is None and _may_be_torn(path) else ''}."
        ) from error
    if run is not None and other != run:
        raise CheckpointMismatch(
            f"checkpoint {path} is of another run, which differs in "
            f"{', '.join(differ) or 'the images of the data set'}: "
            "give its configuration, or another checkpoint."
        )
    if not sound:
        raise CheckpointMismatch(
            f"checkpoint {path} is damaged, as its content has another digest than was written: "
            "delete it to start anew."
        )
    return state


_OR_DELETE = ", or, if it is one that was damaged, delete it to start anew"


def _may_be_torn(path):
    """Whether a file that cannot be read begins as a checkpoint does, or with nothing."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return file.read(2) in (b"PK", b"", bytes(2))
    return False


def _same(one, other):
    return records.digest([one]) == records.digest([other])


def _without(state):
    return {name: value for name, value in state.items() if name != _DIGEST}


def _first_line(error):
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__


def tidy(path):
    """Remove what processes that were killed while saving have left beside a checkpoint.

    To be called only by the process that holds the run's lock.
    """
    path = Path(path)
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):  # a name may hold a [ or a *
        left.unlink(missing_ok=True)


def epochs_done(path):
    """Return how many epochs are in a checkpoint; 0 if there is none, or none that can be read.

    Examples
    --------
    >>> epochs_done("no-such-file.pt")
    0
    """
    try:
        # mmap: of a checkpoint of 200 MB only the part that is asked for is read.
        return len(torch.load(path, map_location="cpu", weights_only=True, mmap=True)["curve"])
    except Exception:  # absent, torn, another program's: training will say so
        return 0
