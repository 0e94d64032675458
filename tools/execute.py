"""Execute the notebooks whose outputs are not in the book's cache, several at a time.

    .venv/bin/python -m tools.execute COMMON [--workers N]

COMMON stands for what the outputs of all notebooks depend on; tools/freshness.py knows what else
those of one notebook depend on. Sphinx then finds all outputs in the cache and executes nothing.
"""

import argparse
import multiprocessing
import os
import sys
import threading
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress

from tools import freshness
from tools.running import ROOT, read, write

TIMEOUT = 600  # seconds for a cell


def execute(path):
    """Execute a notebook in its folder; return it, or the reason why not, and the seconds."""
    import nbformat
    from jupyter_cache.executors.utils import single_nb_execution

    notebook, start = nbformat.read(path, nbformat.NO_CONVERT), time.monotonic()
    quiet = ["--log-level=ERROR"]  # no advice on how to run a kernel
    try:
        done = single_nb_execution(
            notebook, str(path.parent), TIMEOUT, allow_errors=False, extra_arguments=quiet
        )
    except Exception:  # the kernel died, or never started
        return None, traceback.format_exc(), time.monotonic() - start
    return notebook, done.err and str(done.err), done.time  # the cell, and its traceback


def _end_with_parent():
    """End this worker with the process that it works for, and its kernel, which watches it.

    SIGTERM to all of them is not enough: in a worker, nbclient takes it to end a kernel only.
    """

    def watch():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def fill(common, workers, root=ROOT, say=print):
    """Fill the cache with the outputs of all notebooks; return the names of those that failed.

    What ended well is kept at once, whatever becomes of the others.
    """
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn

    folder = root / "_build" / ".jupyter_cache"
    cache, keys = get_cache(str(folder)), folder / "keys.json"
    notebooks = {f.relative_to(root).as_posix(): f for f in freshness.notebooks(root)}
    wanted = {name: freshness.key(file, common, root) for name, file in notebooks.items()}
    stale = [n for n, file in notebooks.items() if not _kept(cache, file, read(keys), n, wanted)]
    say(f"{len(stale)} of {len(notebooks)} notebooks are to be executed.")
    failed = []
    with ProcessPoolExecutor(workers, initializer=_end_with_parent) as pool:
        running = {pool.submit(execute, notebooks[name]): name for name in stale}
        for future in as_completed(running):
            name, (notebook, reason, seconds) = running[future], future.result()
            if reason:
                failed.append(name)
                say(f"{name} failed after {seconds:.0f} s:\n{reason}")
                continue
            bundle = CacheBundleIn(
                notebook, str(notebooks[name]), data={"execution_seconds": seconds}
            )
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            write(keys, {**read(keys), name: wanted[name]})
            say(f"{name}: {seconds:.0f} s")
    return sorted(failed)


def _kept(cache, file, known, name, wanted):
    """Return whether a notebook's outputs are in the cache; those that are stale leave it."""
    import nbformat

    with suppress(KeyError):  # not there
        record = cache.match_cache_notebook(nbformat.read(file, nbformat.NO_CONVERT))
        if known.get(name) == wanted[name]:
            return True
        cache.remove_cache(record.pk)
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("common")
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    failed = fill(asked.common, asked.workers, say=lambda text: print(text, flush=True))
    for name in failed:
        print(f"ERROR: {name} does not run: its cell and what it raised stand above.")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
