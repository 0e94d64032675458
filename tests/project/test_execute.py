"""Notebooks are executed side by side into the cache that Sphinx reads, and strictly."""

import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from tools import execute
from tools.running import ROOT

from .test_ends import lives

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def write(file, *cells):
    file.parent.mkdir(exist_ok=True)
    cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), file)


def cached(root, file):
    """What Sphinx will find: the notebook with its outputs, or None."""
    jupyter_cache = pytest.importorskip("jupyter_cache")
    cache = jupyter_cache.get_cache(str(root / "_build" / ".jupyter_cache"))
    try:
        return cache.merge_match_into_notebook(nbformat.read(file, nbformat.NO_CONVERT))[1]
    except KeyError:
        return None


@pytest.mark.parametrize("error", ["1 / 0", "import os; os._exit(3)"], ids=["raises", "dies"])
def test_what_runs_is_kept_and_what_fails_is_told_and_tried_again(tmp_path, monkeypatch, error):
    (tmp_path / "mgtutorial").mkdir()
    good, bad = tmp_path / "notebooks" / "good.ipynb", tmp_path / "notebooks" / "bad.ipynb"
    write(good, "6 * 7")
    write(bad, "x = 1", f"{error}  # in this cell")
    said = []

    def fill(common="a"):
        said.clear()
        return execute.fill(common, 2, tmp_path, said.append)

    assert fill() == ["notebooks/bad.ipynb"]
    told = "\n".join(said)
    if error == "1 / 0":
        assert "# in this cell" in told and "ZeroDivisionError" in told
    assert "bad.ipynb failed" in told
    assert cached(tmp_path, good).cells[0].outputs[0]["data"]["text/plain"] == "42"
    assert cached(tmp_path, bad) is None

    executed = []
    monkeypatch.setattr(execute, "execute", executed.append)
    monkeypatch.setattr(execute, "ProcessPoolExecutor", Here)
    with pytest.raises(TypeError):  # the stand-in executes nothing
        fill()
    assert executed == [bad]  # again, and the other is kept
    executed.clear()
    with pytest.raises(TypeError):
        fill("other surroundings")
    assert set(executed) == {good, bad}
    assert cached(tmp_path, good) is None  # nobody reads what is stale


class Here:
    """A pool without processes."""

    def __init__(self, workers, initializer):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def submit(self, f, path):
        import concurrent.futures

        future = concurrent.futures.Future()
        future.set_result(f(path))
        return future


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks into /proc")
def test_workers_and_kernels_end_with_the_program(tmp_path):
    """SIGTERM to all of them, as make.py passes it on, is taken by nbclient in the workers."""
    (tmp_path / "mgtutorial").mkdir()
    told = tmp_path / "told"
    write(
        tmp_path / "notebooks" / "long.ipynb",
        f"import os, time; print(os.getpid(), os.getppid(), file=open({str(told)!r}, 'w'))",
        "time.sleep(600)",
    )
    code = "import pathlib, sys, tools.execute as e; e.fill('a', 2, pathlib.Path(sys.argv[1]))"
    program = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, start_new_session=True
    )
    try:
        end = time.monotonic() + 200
        while not (told.exists() and told.read_text().endswith("\n")) and time.monotonic() < end:
            assert program.poll() is None
            time.sleep(0.1)
        pids = [int(pid) for pid in told.read_text().split()]
        assert all(map(lives, pids))
    finally:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGTERM)
    program.wait(100)
    end = time.monotonic() + 60
    while any(map(lives, pids)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(lives, pids))
