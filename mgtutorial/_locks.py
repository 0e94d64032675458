"""A lock between programs, freed when its holder dies; a readable error where there are no locks.

The kernel keeps it, by way of filelock. Some file systems (Lustre without the option for it, some
FUSE ones) have no such locks; there filelock would wait for itself, or for ever, so this is checked
first.
"""

import contextlib
import os
import sys

from .errors import LockUnavailable

_ASK_AGAIN = 1.0  # seconds


@contextlib.contextmanager
def hold(path, waiting=None, say=True):
    """Hold the lock at `path`; meanwhile anyone else who wants it waits.

    Parameters
    ----------
    path : str or path
        Of the lock itself: an empty file, which is not removed.
    waiting : callable, optional
        Called each second of waiting; what it raises ends the wait.
    say : bool
        Whether a line on the error stream says that the program is waiting.

    Raises
    ------
    LockUnavailable
        If the file system has no locks, or the file cannot be made.
    """
    from filelock import FileLock, Timeout

    _probe(path)
    lock, said = FileLock(path), False
    while True:
        try:
            lock.acquire(timeout=_ASK_AGAIN)
            break
        except Timeout:
            _probe(path)
            if say and not said:
                print(f"waiting for another program, which holds {path}", file=sys.stderr)
                said = True
            if waiting is not None:
                waiting()
    try:
        yield
    finally:
        lock.release()


def _probe(path):
    """Raise unless the file system answers for `path`, if only that somebody holds the lock."""
    try:
        import fcntl
    except ImportError:  # Windows, where filelock works differently
        return
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(file)  # and the lock with it
    except BlockingIOError:
        pass
    except OSError as error:
        raise LockUnavailable(
            f"cannot lock {path} ({error.strerror}), so two programs could spoil each other's "
            "work: give a folder that can be written, on a file system with locks, such as a local "
            "disk."
        ) from error
