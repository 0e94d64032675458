"""Execute the notebooks whose outputs are not in the book's cache, several at a time.

    .venv/bin/python -m tools.execute COMMON [--workers N]

COMMON names what all outputs depend on beside a notebook's own (tools/freshness.py). Sphinx then
finds all outputs in the cache and executes nothing. Each notebook runs in its own folder and
kernel, with one thread; what ended well is kept, whatever becomes of the others.
"""

import argparse
import os
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path

from tools import freshness
from tools.running import ROOT, read, write

CACHE = ROOT / "_build" / ".jupyter_cache"
KEYS = CACHE / "keys.json"  # notebook -> the key its outputs were made under
TIMEOUT = 600  # seconds for a cell


def execute(path):
    """Return an executed notebook, or the error of its cell as text, and the seconds it took."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    notebook, start = nbformat.read(path, nbformat.NO_CONVERT), time.monotonic()
    try:
        NotebookClient(
            notebook, timeout=TIMEOUT, resources={"metadata": {"path": str(path.parent)}}
        ).execute(env={**os.environ})
    except (CellExecutionError, CellTimeoutError) as error:
        return None, str(error), time.monotonic() - start
    except Exception:  # the kernel died, or never started
        return None, traceback.format_exc(), time.monotonic() - start
    return notebook, "", time.monotonic() - start


def stale(cache, notebooks, wanted):
    """Return the notebooks to execute; their old outputs leave the cache."""
    import nbformat

    known, todo = read(KEYS), []
    for path in notebooks:
        name, record = path.relative_to(ROOT).as_posix(), None
        with suppress(KeyError):
            record = cache.match_cache_notebook(nbformat.read(path, nbformat.NO_CONVERT))
        if record and known.get(name) == wanted[name]:
            continue
        if record:
            cache.remove_cache(record.pk)
        todo.append(path)
    return todo


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("common")
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn

    cache = get_cache(str(CACHE))
    notebooks = [f for f in sorted((ROOT / "notebooks").rglob("*.ipynb"))
                 if ".ipynb_checkpoints" not in f.parts]  # fmt: skip
    wanted = {f.relative_to(ROOT).as_posix(): freshness.key(f, asked.common) for f in notebooks}
    todo = stale(cache, notebooks, wanted)
    print(f"{len(todo)} of {len(notebooks)} notebooks to execute", flush=True)
    failed = []
    with ProcessPoolExecutor(asked.workers) as pool:
        running = {pool.submit(execute, path): path for path in todo}
        for future in as_completed(running):
            path, (notebook, error, seconds) = running[future], future.result()
            name = path.relative_to(ROOT).as_posix()
            if error:
                failed.append(name)
                print(f"{name} failed after {seconds:.0f} s:\n{error}", flush=True)
                continue
            data = {"execution_seconds": seconds}
            cache.cache_notebook_bundle(
                CacheBundleIn(notebook, str(path), data=data), check_validity=False, overwrite=True
            )
            write(KEYS, {**read(KEYS), name: wanted[name]})
            print(f"{name} executed in {seconds:.0f} s", flush=True)
    for name in failed:
        print(f"ERROR: {name} does not run: its cell and what it raised stand above.")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
