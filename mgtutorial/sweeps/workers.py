"""The workers of a sweep: a scheduler's at some address, or one per GPU or CPU of this machine.

dask, in the extra ``cluster``, is imported inside the functions.
"""

import contextlib
import os
import sys

from .._installing import how_to_install
from ..errors import InvalidValue, whole

_PATIENCE = 10  # seconds for a scheduler to answer

# Ctrl-C reaches every process of a terminal: this one ends its workers, which say nothing then.
_DEAF = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"


@contextlib.contextmanager
def connect(scheduler, workers, device):
    """Yield a client of the scheduler at an address, or of a cluster of this machine.

    Parameters
    ----------
    scheduler : str or None
        None: a cluster on this machine, which ends with the context.
    workers : int or None
        Of that cluster; None: one for each GPU, or for each CPU.
    device : str
        "cpu" leaves GPUs alone.

    Raises
    ------
    InvalidValue
        If dask is not installed, or the scheduler does not answer.
    """
    try:
        import dask
        from distributed import Client
    except ImportError:
        raise InvalidValue(
            "a sweep over several workers needs dask, which is not installed: "
            f"{how_to_install('cluster')}; or leave --workers and --scheduler out."
        ) from None
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=_PATIENCE)
        except (OSError, ValueError, TimeoutError) as error:
            raise InvalidValue(
                f"the scheduler {scheduler} does not answer ({type(error).__name__}): give the "
                "address that `dask scheduler` prints, such as tcp://host:8786."
            ) from error
        with client:
            yield client
        return
    settings = {
        "distributed.scheduler.worker-saturation": 1.0,  # a death costs no waiting run a try
        "distributed.logging.distributed": "critical",  # deaths are expected; runs report errors
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.terminate": False,
        "distributed.comm.timeouts.connect": "60s",  # on a busy machine importing torch takes long
        "distributed.nanny.pre-spawn-environ": _keeping_memory(),
    }
    _check_files(environments(workers, device))
    with (
        dask.config.set(settings), _unimported_script(),
        _local(workers, device) as cluster, Client(cluster) as client,
    ):  # fmt: skip
        yield client


# Open files of the scheduler here, for itself and for each worker: with fewer it hangs.
_FILES, _FILES_EACH = 64, 16


def _check_files(wanted):
    """Raise if this process may not open as many files as this many workers need."""
    try:
        import resource
    except ImportError:  # Windows
        return
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = _FILES + _FILES_EACH * len(wanted)
    if most != resource.RLIM_INFINITY and most < needed:
        raise InvalidValue(
            f"{len(wanted)} workers need {needed} open files, and this process may have {most}: "
            f"type: ulimit -n {needed}; or ask for fewer --workers."
        )


@contextlib.contextmanager
def _unimported_script():
    """Keep workers of this machine from importing the script that starts them.

    Python's new processes import the main script, and one without ``if __name__ == "__main__"``
    would start a sweep in each of them. Workers need nothing from it: what they are to do, and the
    classes that a script itself defines, come to them by value.
    """
    main = sys.modules["__main__"]
    own = {name: vars(main).pop(name) for name in ("__file__", "__spec__") if name in vars(main)}
    main.__spec__ = None
    try:
        yield
    finally:
        vars(main).update(own)


def _keeping_memory():
    """Return dask's environment for workers, without the advice to give freed memory back at once.

    A training step frees its activations, and the next one takes as much again: with that advice,
    nearly half of a worker's time went into that.
    """
    import dask

    usual = dask.config.get("distributed.nanny.pre-spawn-environ", {})
    return {k: v for k, v in usual.items() if k != "MALLOC_TRIM_THRESHOLD_"}


def _local(workers, device):
    """Return a cluster on this machine: a scheduler here, each worker in its own process."""
    from distributed import Nanny, Scheduler, SpecCluster

    options = {"nthreads": 1, "memory_limit": 0, "dashboard": False, "silence_logs": 50}
    options["preload"] = [_DEAF]
    return SpecCluster(
        scheduler={
            "cls": Scheduler,
            # any free port, as another sweep may have dask's own
            "options": {
                "host": "127.0.0.1",
                "dashboard": False,
                "dashboard_address": "127.0.0.1:0",
            },
        },
        workers={
            i: {"cls": Nanny, "options": {**options, "host": "127.0.0.1", "env": env}}
            for i, env in enumerate(environments(workers, device))
        },
        silence_logs=50,
    )


def environments(workers=None, device="auto", gpus=None):
    """Return the environment variables of each worker of this machine.

    Parameters
    ----------
    workers : int, optional
        Default: one for each GPU, or for each CPU.
    device : str
        "cpu" leaves GPUs alone.
    gpus : list of str, optional
        What CUDA_VISIBLE_DEVICES may name; default: what this process sees.

    Raises
    ------
    InvalidValue

    Examples
    --------
    >>> [e["CUDA_VISIBLE_DEVICES"] for e in environments(gpus=["0", "3"])]
    ['0', '3']
    >>> environments(1, "cpu")[0]["OMP_NUM_THREADS"]
    '1'
    """
    if workers is not None:
        whole("workers", workers)  # at least one has to do the work
    gpus = visible_gpus() if gpus is None else gpus
    if device == "cpu" or not gpus:
        one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        return [dict(one) for _ in range(workers or os.cpu_count() or 1)]
    if (workers or 1) > len(gpus):
        raise InvalidValue(
            f"{workers} workers were asked for and {len(gpus)} GPUs are here: a worker has one of "
            "its own; ask for fewer, or for --device cpu."
        )
    return [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in gpus[:workers]]


def visible_gpus():
    """Return the names by which CUDA_VISIBLE_DEVICES can give one GPU to each worker."""
    import torch

    names = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    found = [name.strip() for name in names.split(",") if name.strip()]
    return (found or [str(i) for i in range(torch.cuda.device_count())]) \
        if torch.cuda.is_available() else []  # fmt: skip
