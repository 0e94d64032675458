"""Sweeps from a plain script, and where few files may be open."""

import subprocess
import sys

import pytest

from mgtutorial.errors import InvalidValue
from mgtutorial.sweeps import workers
from mgtutorial.training import records

_PLAIN = """
from mgtutorial import models
from mgtutorial.sweeps import run
from mgtutorial.training import Workspace, configure

print("the script runs")
small = models.MgNetConfig(channels=(4, 8), steps=1)
configs = [configure(small, "digits", "smoke", epochs=1, n_train=64, seed=s) for s in (0, 1)]
run(configs, Workspace({runs!r}, device="cpu", progress=False), workers=2)
"""


def _as_a_file(folder, text):
    (folder / "plain.py").write_text(text)
    return [str(folder / "plain.py")]


def _as_a_module(folder, text):
    _as_a_file(folder, text)
    return ["-m", "plain"]


@pytest.mark.parametrize("started", [_as_a_file, _as_a_module])
def test_a_script_without_a_guard_of_main_sweeps_once(tmp_path, started):
    arguments = started(tmp_path, _PLAIN.format(runs=str(tmp_path / "runs")))
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.count("the script runs") == 1
    assert len(records.read(tmp_path / "runs")) == 2


def test_the_script_is_what_it_was_after_a_sweep():
    main = sys.modules["__main__"]
    before = {k: v for k, v in vars(main).items() if k in ("__file__", "__spec__")}
    with workers._unimported_script():
        assert main.__spec__ is None and not hasattr(main, "__file__")
    assert {k: v for k, v in vars(main).items() if k in before} == before


@pytest.mark.parametrize(("most", "number"), [(40, 2), (100, 8), (1024, 100)])
def test_too_few_open_files_are_said_before_a_worker_starts(monkeypatch, most, number):
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda which: (most, most))
    with pytest.raises(InvalidValue, match=f"{number} workers .* ulimit -n"):
        workers._check_files([{}] * number)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY,) * 2)
    workers._check_files([{}] * number)


@pytest.mark.parametrize("number", [0, -1, 1.5, True, 10**20])
def test_no_worker_is_no_number_of_workers(number):
    with pytest.raises(InvalidValue, match="workers="):
        workers.environments(number, "cpu")
