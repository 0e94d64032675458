"""Notebooks are executed side by side into the cache that Sphinx reads, and strictly."""

import nbformat
import pytest

from tools import execute

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

    def __init__(self, workers):
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
