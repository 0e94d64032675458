"""Where runs work: folders, device, display, time; and what one run keeps there.

A run's checkpoint is never half a file, and never that of another run.
"""

import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from .._paths import results_dir
from ..errors import CheckpointMismatch, RecordsUnwritable
from . import records
from .record import Epoch
from .time_limits import TimeLimit


@dataclass(frozen=True)
class Workspace:
    """Where runs work, and for how long: what says nothing about their results.

    Attributes
    ----------
    runs : path, optional
        Folder of the results files; default ``results/runs``. Checkpoints lie in
        ``checkpoints`` beside it.
    root : path, optional
        Where the data are, see :func:`mgtutorial.data.load`.
    device : str
        ``"auto"`` takes a GPU where there is one.
    progress : bool or callable, optional
        Whether to show the progress; default: on a terminal and in a live notebook. A
        callable shows it itself, see :mod:`mgtutorial.training.progress`.
    time_limit : float or TimeLimit, optional
        Seconds after which to stop, at the end of an epoch; of all runs together.

    Examples
    --------
    >>> Workspace("here/runs").checkpoint_of("0123").as_posix()
    'here/checkpoints/0123.pt'
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
        return Path(self.runs or results_dir() / "runs")

    @property
    def limit(self):
        """The time limit as a :class:`~mgtutorial.training.TimeLimit`."""
        given = self.time_limit
        return given if isinstance(given, TimeLimit) else TimeLimit(given)

    def results_of(self, config):
        """Return the file that the records of such runs are appended to."""
        return config.results_in(self.folder)

    def checkpoint_of(self, run):
        """Return where the checkpoint of a run lies, unless another place is asked for."""
        return self.folder.parent / "checkpoints" / f"{run}.pt"


class Kept:
    """What one run keeps: its lock, its checkpoint, its record.

    Of several processes the first one alone reads and writes; all learn what it found.

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
        self.results, self.checkpoint = results, Path(checkpoint)
        self.owner = {"run": run, "config": config.as_dict()}

    def record(self):
        """Return the record of the run, or None."""
        return self.team.on_first(lambda: records.find(self.run, self.results))

    def lock(self):
        """Return the context in which no other program works on this run.

        A second one that wants the same waits and then finds the record; the lock of a program
        that was killed is free.

        Raises
        ------
        RecordsUnwritable
            Now rather than after hours, if there is nowhere to write to.
        """
        self.team.on_first(self._check)
        if self.team.rank:
            return contextlib.nullcontext()
        from filelock import FileLock

        return FileLock(f"{self.checkpoint}.lock")

    def _check(self):
        records.check_writable(self.results)
        try:
            self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
            open(f"{self.checkpoint}.lock", "ab").close()
        except OSError as error:
            raise RecordsUnwritable(
                f"cannot write the checkpoint {self.checkpoint} ({error.strerror}): make its "
                "folder writable, or give another path."
            ) from error

    def resume(self, parts, order):
        """Bring the parts of a run back to its last whole epoch; return the curve up to there.

        Parameters
        ----------
        parts : dict
            Name -> what has a ``state_dict``.
        order : torch.Generator
        """
        state = self.team.on_first(self._state)
        if state is None:
            return []
        if not {*parts, "order", "curve"} <= state.keys():
            raise CheckpointMismatch(
                f"checkpoint {self.checkpoint} is of an older version: delete it to start anew."
            )
        for name, part in parts.items():
            part.load_state_dict(state[name])
        order.set_state(state["order"])
        return [Epoch.from_json(row) for row in state["curve"]]

    def _state(self):
        tidy(self.checkpoint)
        return load_checkpoint(self.checkpoint, self.run, self.owner["config"])

    def save(self, parts, order, curve):
        """Write the checkpoint of an epoch, from which :meth:`resume` goes on."""
        state = {name: part.state_dict() for name, part in parts.items()}
        state |= {"order": order.get_state(), "curve": [row.to_json() for row in curve]}
        self.team.on_first(lambda: save_checkpoint(self.checkpoint, {**self.owner, **state}))

    def append(self, record):
        """Append the record, unless somebody did; return the one that is there now."""
        return self.team.on_first(lambda: records.append(record, self.results))


def save_checkpoint(path, state):
    """Write `state` beside its place, then move it there in one step.

    A reader, or a crash at any moment, finds the old checkpoint or the new one.

    Parameters
    ----------
    path : path
    state : dict
        Tensors and plain data; ``run`` and ``config`` say whose they are.

    Raises
    ------
    RecordsUnwritable
        If the disk does not take it; the checkpoint before this one stays.
    """
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        raise RecordsUnwritable(
            f"cannot write the checkpoint {path} ({error}): free space or make it writable; "
            "the same command then goes on from the checkpoint before."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(path, run=None, config=None):
    """Return the state that :func:`save_checkpoint` wrote, or None if there is no such file.

    Parameters
    ----------
    path : path
    run : str, optional
        The digest of the run that is to go on; default: any.
    config : dict, optional
        Its config as plain data, to say where a mismatch lies.

    Raises
    ------
    CheckpointMismatch
        If the file is no checkpoint, or the checkpoint of another run.
    """
    path = Path(path)
    if not path.exists():
        return None
    try:
        # weights_only: a checkpoint from elsewhere can hold tensors, but run nothing.
        state = torch.load(path, map_location="cpu", weights_only=True)
        theirs, other = state["config"], state["run"]
    except Exception as error:  # torch raises many types for a file that is no checkpoint
        raise CheckpointMismatch(
            f"{path} is no checkpoint of this project ({type(error).__name__}): "
            "delete it to start anew, or give another one."
        ) from error
    if run is not None and other != run:
        names = [
            k for k in config if records.digest([config[k]]) != records.digest([theirs.get(k)])
        ]
        raise CheckpointMismatch(
            f"checkpoint {path} is of another run, which differs in "
            f"{', '.join(names) or 'the images of the data set'}: "
            "give its configuration, or another checkpoint."
        )
    return state


def tidy(path):
    """Remove what processes that were killed while saving have left beside a checkpoint.

    To be called only by the one that holds the run's lock.
    """
    path = Path(path)
    for left in path.parent.glob(f"{path.name}.*.tmp"):
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
    except Exception:  # absent, torn, another program's: whoever trains will say so
        return 0
