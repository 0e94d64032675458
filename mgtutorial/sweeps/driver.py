"""Many runs on many workers, through dask.distributed.

A worker takes one run at a time. What a run has reached lies in the shared folder of the
results, and nowhere else: its checkpoint, its lock, its record. So a worker that dies
is replaced, and its run goes on from the checkpoint; and if the driver dies, the same
command goes on as well.

dask, in the extra ``cluster``, is imported inside the functions.
"""

import contextlib
import threading
import time
import uuid
from dataclasses import replace
from pathlib import Path

from .. import __version__
from .._paths import given
from ..errors import InvalidValue, MgtutorialError, RecordsUnwritable, Unfinished
from ..training import loop, records, time_limits
from ..training.workspace import Workspace, epochs_done
from . import workers as cluster

# How often a run may lose its worker without an epoch done in between.
_TRIES = 5
_ONE_RUN = threading.Lock()  # in a worker: torch's number of threads belongs to the process


def run(configs, workspace=None, *, scheduler=None, workers=None, board=None):
    """Train every config on the workers of a cluster; return the records.

    Parameters
    ----------
    configs : list of TrainConfig
    workspace : Workspace, optional
        Its folders are those that driver and workers share.
    scheduler : str, optional
        Address of a dask scheduler. None: a cluster on this machine, for this call, with
        one worker for each GPU, or with CPU workers of one thread each.
    workers : int, optional
        Of the cluster on this machine; default: one for each GPU, or for each CPU.
    board : Board, optional
        What shows the progress.

    Raises
    ------
    Unfinished
        If the time limit, or a SIGTERM, stopped runs before their end.
    InvalidValue
        If dask is not installed or the scheduler does not answer; and, when all other
        runs are done, if a run failed.
    """
    workspace = _shared(workspace or Workspace())
    limit = workspace.limit
    wanted = {}  # so that a run that two tables share is trained once
    for config in configs:
        task = config.task(workspace.root)
        task.progress = workspace.progress
        samples = task.training()
        wanted.setdefault(records.run_digest(config, samples), config)
    if scheduler is None and workers is not None:
        workers = min(workers, max(1, len(wanted)))  # one that has no run would only take memory
    with cluster.connect(scheduler, workers, workspace.device) as client, limit.listening():
        stopped, failed = _Driver(client, wanted, workspace, limit, board).run()
    found = {run: records.find(run, workspace.results_of(c)) for run, c in wanted.items()}
    if failed:
        raise InvalidValue(f"{len(failed)} of {len(wanted)} runs failed: {'; '.join(failed)}")
    if stopped:
        done = sum(r is not None for r in found.values())
        raise Unfinished(f"{done} of {len(wanted)} runs are done; the others: {stopped[0]}")
    return list(found.values())


def _shared(workspace):
    """Return a workspace as other processes, in other working folders, can use it."""
    root = workspace.root and str(given(workspace.root).absolute())
    return replace(workspace, runs=str(workspace.folder.absolute()), root=root)


class _Driver:
    """Hands out the runs, and hands them out again when their worker dies."""

    def __init__(self, client, wanted, workspace, limit, board):
        from distributed import Event

        self.client, self.wanted, self.limit, self.board = client, wanted, limit, board
        self.sweep = uuid.uuid4().hex[:8]
        self.end = Event(f"mgtutorial-end-{self.sweep}", client=client)
        self.workspace = replace(workspace, progress=None, time_limit=None)
        self.order = {"workspace": self.workspace, "sweep": self.sweep,
                      "folder": identity(workspace.folder), "version": __version__}  # fmt: skip
        if limit.end is not None:
            self.order["end"] = time.time() + limit.left
        self.tries = {}  # run -> (epochs that were done, times it was handed out since)

    def run(self):
        """Return what the runs that stopped, and those that failed, said."""
        from distributed import wait

        if self.board is not None:
            self.client.subscribe_topic(_topic(self.sweep), self._hear)
        waiting, open_runs = list(self.wanted), {}
        stopped, failed = [], []
        told = False
        while open_runs or (waiting and not told):
            # One run per thread: dask would hand out all at once, and those behind a long run
            # would wait for it while other workers have nothing to do.
            while waiting and not told and len(open_runs) < max(1, self._threads()):
                run = waiting.pop(0)
                open_runs[self._hand_out(run)] = run
            with contextlib.suppress(TimeoutError):
                self._alive(lambda: wait(list(open_runs), 1, return_when="FIRST_COMPLETED"))
            if self.limit.asked and not told:
                self._alive(self.end.set)
                told = True
            for future in [f for f in open_runs if f.done()]:
                run = open_runs.pop(future)
                said = self._outcome(future, run)
                if said == "again":
                    open_runs[self._hand_out(run)] = run
                elif said["state"] == "stopped":
                    stopped.append(said["text"])
                elif said["state"] == "failed":
                    failed.append(f"{self._name(run)}: {said['text']}")
                elif self.board is not None:
                    self.board.set(run, 1.0)
        return stopped + ["not begun"] * len(waiting), failed

    def _threads(self):
        """Return how many runs the workers that are there now can take at once."""
        return sum(self._alive(self.client.nthreads).values())

    def _hand_out(self, run):
        # A new key each time: dask remembers the fate of an old one.
        key = f"{run}-{self.sweep}-{uuid.uuid4().hex[:8]}"
        return self._alive(
            lambda: self.client.submit(_task, self.wanted[run], run, self.order, key=key)
        )

    def _outcome(self, future, run):
        from distributed import CancelledError, KilledWorker

        try:
            return future.result()
        except KilledWorker:
            done = epochs_done(self.workspace.checkpoint_of(run))
            before, times = self.tries.get(run, (-1, 0))
            self.tries[run] = (done, times + 1 if done == before else 1)
            if self.tries[run][1] <= _TRIES:
                return "again"
            return {"state": "failed", "text": "it kills its worker each time (out of memory?)"}
        except CancelledError:
            raise _lost() from None
        except Exception as error:  # what nobody foresaw costs this run, not the others
            return {"state": "failed", "text": f"{type(error).__name__}: {error}"}

    def _alive(self, f):
        """Call `f`; what a lost scheduler raises becomes a sentence."""
        from distributed import CancelledError
        from distributed.comm import CommClosedError

        try:
            return f()
        except TimeoutError:
            raise
        except (CancelledError, CommClosedError, OSError, RuntimeError) as error:
            if isinstance(error, MgtutorialError):
                raise
            raise _lost() from error

    def _name(self, run):
        return self.board.names[run] if self.board is not None else run

    def _hear(self, event):
        _, (run, fraction, epoch) = event
        if run in self.wanted:
            self.board.set(run, fraction)
            if epoch:
                self.board.epoch(run, *epoch)


def _lost():
    return InvalidValue(
        "the connection to the scheduler was lost: what the runs have reached is kept, and the "
        "same command goes on from there."
    )


def _topic(sweep):
    return f"mgtutorial-{sweep}"


# ------------------------------------------------------------------- on a worker


def _task(config, run, order):
    """Train one run on a worker; return how it ended, as plain data."""
    if __version__ != order["version"]:
        return _failed(
            f"a worker has version {__version__} of mgtutorial, and this is {order['version']}"
        )
    folder = order["workspace"].folder
    if not folder.is_dir() or identity(folder, make=False) != order["folder"]:
        return _failed(f"a worker does not see the folder {folder}: it has to be a shared one")
    left = order["end"] - time.time() if "end" in order else None
    limit = time_limits.TimeLimit(left, asked=_asked(order["sweep"]))
    limit.epochs = 1  # the driver knew that one epoch fits into the limit
    with _ONE_RUN:
        try:
            teller = _teller(run, order["sweep"])
            record = loop.train(
                config, replace(order["workspace"], progress=teller, time_limit=limit)
            )
        except Unfinished as error:
            return {"state": "stopped", "text": str(error)}
        except MgtutorialError as error:
            return _failed(str(error))
    if record.digest != run:
        return _failed("a worker has other training images than the driver")
    return {"state": "done"}


def _failed(text):
    return {"state": "failed", "text": text}


def _asked(sweep):
    """Return a function that says whether the driver wants the runs to stop."""
    from distributed import Event

    def asked():
        try:
            return Event(f"mgtutorial-end-{sweep}").is_set()
        except Exception:  # no driver to ask any more: the run goes on, its record counts
            return False

    return asked


def _teller(run, sweep):
    """Return the ``bar`` of :mod:`mgtutorial.training.progress` that tells the driver."""
    from distributed import get_worker

    worker = get_worker()

    def tell(fraction, epoch=None):
        worker.log_event(_topic(sweep), (run, fraction, epoch))

    class Teller:
        def __init__(self, total, initial):
            self.total, self.n, self.told = total, initial, time.monotonic()
            tell(initial / total)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def update(self, samples):
            self.n += samples
            if time.monotonic() - self.told > 1:
                self.told = time.monotonic()
                tell(min(self.n / self.total, 0.999))

        def say(self, text):
            pass

        def epoch(self, number, line):
            tell(min(self.n / self.total, 0.999), (number, line))

    return Teller


def identity(folder, make=True):
    """Return the text that tells a folder from another of the same path on another machine.

    Parameters
    ----------
    folder : path
    make : bool
        Whether to give it one if it has none.

    Returns
    -------
    str or None
    """
    path = Path(folder) / "identity.lock"
    if make:
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError), open(path, "x") as file:
                file.write(uuid.uuid4().hex)
        except OSError as error:
            raise RecordsUnwritable(
                f"cannot write to the folder {folder} ({error.strerror}): make it writable, or "
                "give another one."
            ) from error
    try:
        return path.read_text()
    except OSError:
        return None
