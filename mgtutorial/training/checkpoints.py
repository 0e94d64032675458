"""A run's state on disk: never half a file, never another run's."""

import os
from pathlib import Path

import torch

from ..errors import CheckpointMismatch, RecordsUnwritable
from . import records


def save(path, state):
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


def load(path, run=None, config=None):
    """Return the state that :func:`save` wrote, or None if there is no such file.

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
