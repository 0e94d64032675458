"""Sweeps lose nothing: not with killed workers, not with a killed driver, not with a late stop."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mgtutorial import models
from mgtutorial.cli import main
from mgtutorial.errors import InvalidValue, Unfinished
from mgtutorial.sweeps import driver, workers
from mgtutorial.training import loop, protocols, records, time_limits
from mgtutorial.training.progress import Board
from mgtutorial.training.workspace import Workspace

SMALL = models.MgNetConfig(channels=(4, 8), steps=1)
ROOT = Path(__file__).resolve().parents[2]


def configs(*seeds, **changes):
    changes = {"epochs": 2, "n_train": 320, **changes}
    return [protocols.configure(SMALL, "digits", "smoke", seed=s, **changes) for s in seeds]


@pytest.fixture(scope="module")
def scheduler():
    """The address of a cluster whose two workers are threads of this process."""
    distributed = pytest.importorskip("distributed", reason="dask is in the extra 'cluster'")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0",
        host="127.0.0.1", protocol="tcp://", silence_logs=50,
    ) as cluster:  # fmt: skip
        yield cluster.scheduler_address


def test_every_run_is_recorded_once_as_a_loop_would(tmp_path, scheduler):
    workspace = Workspace(tmp_path / "a" / "runs", device="cpu")
    found = driver.run([*configs(0, 1, 2), *configs(1)], workspace, scheduler=scheduler)
    assert len(records.read(tmp_path / "a" / "runs")) == 3
    alone = [loop.train(c, Workspace(tmp_path / "b" / "runs")) for c in configs(0, 1, 2)]
    for ours, theirs in zip(found, alone, strict=True):
        assert ours.digest == theirs.digest
        assert [r.loss for r in ours.curve] == [r.loss for r in theirs.curve]
    again = driver.run(configs(0, 1, 2), Workspace(tmp_path / "a" / "runs"), scheduler=scheduler)
    assert again == found


def test_runs_wait_with_the_driver_and_not_behind_others(tmp_path, scheduler, monkeypatch):
    done, hand_out = [], driver._Driver._hand_out

    def noting(self, run):
        done.append(len(records.read(tmp_path / "runs")))
        return hand_out(self, run)

    monkeypatch.setattr(driver._Driver, "_hand_out", noting)
    driver.run(
        configs(0, 1, 2, 3, 4), Workspace(tmp_path / "runs", device="cpu"), scheduler=scheduler
    )
    # two workers: of n runs that were handed out, all but two are recorded
    assert len(done) == 5 and all(n >= i - 1 for i, n in enumerate(done))


def test_the_board_hears_of_every_epoch(tmp_path, scheduler):
    said = []

    class Listening(Board):
        def epoch(self, run, number, line):
            said.append((run, number))

    runs = [records.run_digest(c, c.task().training()) for c in configs(3, 4)]
    with Listening({run: (run, 1.0, 0.0) for run in runs}, progress=False) as board:
        driver.run(configs(3, 4), Workspace(tmp_path / "runs"), scheduler=scheduler, board=board)
        assert board.done == dict.fromkeys(runs, 1.0)
    assert sorted(said) == sorted((run, epoch) for run in runs for epoch in (1, 2))


def test_a_stop_reaches_the_workers_and_the_same_call_goes_on(tmp_path, scheduler):
    limit = time_limits.TimeLimit()
    limit.signal = "SIGTERM"  # before it began: at most one epoch of each run is trained
    with pytest.raises(Unfinished, match="0 of 2 runs are done") as said:
        driver.run(configs(5, 6, epochs=30), Workspace(tmp_path / "runs", time_limit=limit),
                   scheduler=scheduler)  # fmt: skip
    assert str(said.value).count("stopped") <= 1  # a reason, and not twice
    assert records.read(tmp_path / "runs") == []
    found = driver.run(configs(5, 6, epochs=30), Workspace(tmp_path / "runs"), scheduler=scheduler)
    assert [len(r.curve) for r in found] == [30, 30]


def test_a_time_limit_reaches_the_workers(tmp_path, scheduler):
    with pytest.raises(Unfinished, match="of the time limit are left"):
        driver.run(configs(7, epochs=4), Workspace(tmp_path / "runs", time_limit=1e-3),
                   scheduler=scheduler)  # fmt: skip


def test_a_run_that_fails_costs_no_other(tmp_path, scheduler):
    bare = models.MgNetConfig(channels=(4, 8), norm="none")
    bad = protocols.configure(bare, "digits", "smoke", lr=1e6, schedule="constant", n_train=320)
    with pytest.raises(InvalidValue, match=r"1 of 2 runs failed.*diverged"):
        driver.run([bad, *configs(8)], Workspace(tmp_path / "runs"), scheduler=scheduler)
    assert len(records.read(tmp_path / "runs")) == 1


def test_a_folder_that_workers_do_not_share_is_a_sentence(tmp_path, scheduler, monkeypatch):
    inner = driver.identity
    monkeypatch.setattr(
        driver, "identity", lambda folder, make=True: inner(folder) if make else "another"
    )
    with pytest.raises(InvalidValue, match="it has to be a shared one"):
        driver.run(configs(9), Workspace(tmp_path / "runs"), scheduler=scheduler)


def test_the_identity_of_a_folder_is_given_once(tmp_path):
    assert driver.identity(tmp_path / "none", make=False) is None
    first = driver.identity(tmp_path)
    assert first and driver.identity(tmp_path) == first == driver.identity(tmp_path, make=False)


def test_a_run_that_always_kills_its_worker_is_given_up(tmp_path, scheduler, monkeypatch):
    distributed = pytest.importorskip("distributed")
    handed_out = []

    class Deadly:
        """A future of a run that lost its worker again, without an epoch done."""

        def done(self):
            return True

        def result(self):
            raise distributed.KilledWorker.__new__(distributed.KilledWorker)

    def submit(self, *args, key):
        handed_out.append(key)
        return Deadly()

    monkeypatch.setattr(distributed.Client, "submit", submit)
    monkeypatch.setattr(distributed, "wait", lambda *a, **k: None)
    with pytest.raises(InvalidValue, match="kills its worker each time"):
        driver.run(configs(10), Workspace(tmp_path / "runs"), scheduler=scheduler)
    assert len(handed_out) == len(set(handed_out)) == driver._TRIES + 1


def test_a_scheduler_that_does_not_answer_is_one_sentence(tmp_path, monkeypatch, capsys):
    pytest.importorskip("distributed", reason="dask is in the extra 'cluster'")
    monkeypatch.setattr(workers, "_PATIENCE", 1)
    for address in ("tcp://127.0.0.1:1", "nonsense://here"):
        with pytest.raises(InvalidValue, match="does not answer"):
            driver.run(configs(0), Workspace(tmp_path / "runs"), scheduler=address)


def test_without_dask_it_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(InvalidValue, match=r"pip install -e '\.\[cluster\]'"):
        driver.run(configs(0), Workspace(tmp_path / "runs"), workers=2)


def test_the_command_trains_on_workers(tmp_path, capsys, monkeypatch, scheduler):
    from mgtutorial.reproduction import command as jobs

    monkeypatch.setattr(jobs, "_execute", lambda job, name, found: (f"{len(found)} found", True))
    monkeypatch.setattr(jobs, "_show", lambda *all: None)
    arguments = ["reproduce", "mgiad-table2", "--rows", "mgiad-20-g4,mgnet-20", "--seeds", "0,1",
                 "--runs", str(tmp_path / "runs"), "--scheduler", scheduler, "--quiet"]  # fmt: skip
    pytest.importorskip("papermill", reason="papermill is in the extra 'book'")
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "4 runs, 4 to do" in said and "executed notebook: 4 found" in said
    assert len(records.read(tmp_path / "runs")) == 4


def test_kill_9_of_workers_and_driver_costs_no_run(tmp_path):
    """The full measure, 12 runs and 20 kills, is this program with its own defaults."""
    pytest.importorskip("distributed", reason="dask is in the extra 'cluster'")
    command = [sys.executable, str(ROOT / "benchmarks" / "kill_sweep.py"), "--runs", "4"]
    command += ["--kills", "4", "--epochs", "8", "--pause", "1.5", "--seed", "1"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=290, env={**os.environ, "COLUMNS": "80"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 workers in the midst of a run, 1 drivers" in done.stdout
    assert "every run is recorded once" in done.stdout
