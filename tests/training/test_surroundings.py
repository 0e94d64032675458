"""Where a run lies, whose commit it names, and which processes share it."""

import os
import subprocess
import sys

import pytest

from mgtutorial import _paths, models
from mgtutorial.errors import (
    CheckpointMismatch,
    InvalidValue,
    MgtutorialError,
)
from mgtutorial.sweeps import driver
from mgtutorial.training import devices, distributed, loop, protocols, records
from mgtutorial.training.plane import PlaneConfig
from mgtutorial.training.workspace import Workspace

SMALL = models.MgNetConfig(channels=(4, 8), steps=1)


def configure(**changes):
    return protocols.configure(SMALL, "digits", "smoke", **{"epochs": 1, "n_train": 64} | changes)


def train(folder, **changes):
    return loop.train(configure(**changes), Workspace(folder / "runs", device="cpu"))


# --- places


def test_results_side_by_side_share_no_checkpoint(tmp_path):
    folders = ["a", "b", "runs", "c/runs", "a/b"]
    places = {Workspace(tmp_path / f).checkpoint_of("0123") for f in folders}
    files = {PlaneConfig(models.ImplicitConfig()).results_in(tmp_path / f) for f in folders}
    assert len(places) == len(files) == len(folders)


@pytest.mark.parametrize("place", [".", "..", "../runs", "sub/.."])
def test_a_folder_is_the_same_however_it_is_said(tmp_path, monkeypatch, place):
    here = tmp_path / "runs" if place != ".." else tmp_path / "runs" / "sub"
    (tmp_path / "runs" / "sub").mkdir(parents=True)
    monkeypatch.chdir(here)
    said, plain = Workspace(place), Workspace(tmp_path / "runs")
    shared = driver._shared(said)
    config = PlaneConfig(models.ImplicitConfig())
    for at in (said, shared):
        for found in (Workspace.results_of, lambda w, _: w.checkpoint_of("0123")):
            assert found(at, config).resolve() == found(plain, config).resolve()


def test_a_folder_of_records_is_read_once_however_it_is_said(monkeypatch):
    before = len(records.all_runs())
    monkeypatch.chdir(_paths.checkout())
    monkeypatch.setenv("MGTUTORIAL_RESULTS", "results")
    assert len(records.all_runs()) == before


@pytest.mark.parametrize("name", ["runs", "root"])
def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch, name):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    loop.train(
        configure(), Workspace(**{"runs": "~/runs", name: f"~/{name}"}, device="cpu"),
        checkpoint_path="~/kept.pt",
    )  # fmt: skip
    assert (tmp_path / "runs" / "smoke.jsonl").exists() and (tmp_path / "kept.pt").exists()
    assert not (tmp_path / "~").exists()
    assert _paths.given("~nobody-of-this-name/x").name == "x"


def test_an_empty_variable_is_none_at_all(monkeypatch):
    monkeypatch.setenv("MGTUTORIAL_RESULTS", "")
    assert _paths.results_dir() == _paths.checkout() / "results"


@pytest.mark.parametrize("name", ["x" * 250, "a\0b", "no/such\0/x.pt"])
def test_a_path_that_cannot_be_is_a_sentence(tmp_path, name):
    with pytest.raises(MgtutorialError):
        loop.train(
            configure(), Workspace(tmp_path / "runs", device="cpu"),
            checkpoint_path=str(tmp_path / name),
        )  # fmt: skip


def test_nothing_is_put_beside_a_file_that_is_not_ours(tmp_path):
    (tmp_path / "thesis.txt").write_text("not a checkpoint")
    with pytest.raises(CheckpointMismatch):
        loop.train(
            configure(), Workspace(tmp_path / "runs", device="cpu"),
            checkpoint_path=tmp_path / "thesis.txt",
        )  # fmt: skip
    assert not (tmp_path / "thesis.txt.lock").exists()


def test_a_link_stays_and_the_file_it_leads_to_is_written(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "kept.pt").symlink_to(tmp_path / "disk" / "kept.pt")
    loop.train(
        configure(), Workspace(tmp_path / "runs", device="cpu"),
        checkpoint_path=tmp_path / "kept.pt",
    )  # fmt: skip
    assert (tmp_path / "kept.pt").is_symlink() and (tmp_path / "disk" / "kept.pt").exists()


# --- whose commit


def _repository(folder, message):
    folder.mkdir(parents=True, exist_ok=True)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", message], check=True)
    return folder


@pytest.mark.parametrize("described", [None, "[project]\nname = 'another'", "no toml ["])
def test_a_stray_pyproject_makes_no_checkout(tmp_path, described):
    if described is not None:
        (tmp_path / "pyproject.toml").write_text(described)
    assert _paths._checkout(tmp_path) is None


def test_a_repository_around_the_package_is_somebody_elses(tmp_path, monkeypatch):
    inner = _repository(tmp_path, "theirs") / "unpacked"
    inner.mkdir()
    monkeypatch.setattr(records, "checkout", lambda: inner)
    assert records.commit.__wrapped__() is None
    ours = _repository(tmp_path / "ours", "ours")
    monkeypatch.setattr(records, "checkout", lambda: ours)
    assert len(records.commit.__wrapped__()) == 12
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))  # as git's hooks have it
    theirs = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert records.commit.__wrapped__() != theirs


# --- several processes


@pytest.mark.parametrize("name", ["WORLD_SIZE", "LOCAL_WORLD_SIZE"])
@pytest.mark.parametrize("value", ["abc", "2.0", "-1", "9" * 30])
def test_a_variable_that_is_no_number_is_a_sentence(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidValue, match=f"{name} is"):
        if devices.shared() or name == "LOCAL_WORLD_SIZE":
            distributed.train(configure(), Workspace(device="cpu"))


def test_numbers_of_torchrun_that_do_not_fit_are_a_sentence(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(InvalidValue, match="no multiple"):
        distributed.train(configure(), Workspace(device="cpu"))


_SLURM = {
    "SLURM_JOB_NAME": "train", "SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0", "SLURM_NODELIST": "localhost",
}  # fmt: skip


@pytest.mark.parametrize(
    "surroundings",
    [
        {**_SLURM, "SLURM_NTASKS": "1", "SLURM_NTASKS_PER_NODE": "1"},
        {**_SLURM, "SLURM_NTASKS": "1"},
        {**_SLURM, "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "3"},
        {**_SLURM, "SLURM_NTASKS": "2"},
        {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1"},
    ],
    ids=["one task", "one task, not by node", "other nodes", "tasks not by node", "left over"],
)
def test_processes_that_nobody_started_are_a_sentence_and_no_wait(tmp_path, surroundings):
    command = ["train", "--model", "mgnet-20", "--epochs", "1", "--devices", "2", "--device", "cpu",
               "--quiet", "--runs", str(tmp_path / "runs")]  # fmt: skip
    known = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "WORLD", "RANK"))}
    places = {"MGTUTORIAL_PATIENCE": "5", "OMP_NUM_THREADS": "1", "MASTER_PORT": "29617"}
    done = subprocess.run(
        [sys.executable, "-m", "mgtutorial", *command],
        capture_output=True, text=True, env={**known, **places, **surroundings},
    )  # fmt: skip
    said = done.stderr.strip().splitlines()
    assert done.returncode == 2 and said[-1].startswith("mgtutorial: "), said[-5:]
    assert "Traceback" not in done.stderr and not records.read(tmp_path / "runs")


@pytest.mark.parametrize(
    "text",
    [
        "[third_party/gloo/gloo/transport/tcp/pair.cc:547] Connection closed by peer",
        "NCCL error: remote process exited or there was a network error",
        "Connection reset by peer",
    ],
)
def test_a_process_that_is_gone_is_a_sentence(text):
    with pytest.raises(InvalidValue, match="same command goes on"), distributed._parting():
        raise RuntimeError(text)
    with pytest.raises(RuntimeError, match="a bug"), distributed._parting():
        raise RuntimeError("a bug")
