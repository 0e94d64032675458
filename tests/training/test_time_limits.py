"""A training that is told to stop, or has too little time, keeps its epochs and says so."""

import subprocess
import sys
import time

import pytest
import torch

from mgtutorial import _text, cli, models
from mgtutorial.errors import InvalidValue, Unfinished
from mgtutorial.training import records, time_limits
from mgtutorial.training.loop import train
from mgtutorial.training.workspace import Workspace

from .test_loop import SMALL, configure, only_checkpoint

_STOPPABLE = """
import sys, torch
torch.set_num_threads(1)
from mgtutorial import cli, models
models.CONFIGS["small"] = models.MgNetConfig(channels=(4, 8), steps=1)
sys.exit(cli.main(sys.argv[1:]))
"""


def test_sigterm_stops_after_the_epoch_with_code_75_and_the_same_command_goes_on(
    tmp_path, one_thread, monkeypatch
):
    def command(folder):
        return ["train", "--model", "small", "--epochs", "15", "--runs", str(folder / "runs")]

    broken, whole = tmp_path / "broken", tmp_path / "whole"
    process = [sys.executable, "-c", _STOPPABLE, *command(broken)]
    with subprocess.Popen(process, stderr=subprocess.PIPE, text=True) as victim:
        while not list((broken / "checkpoints").glob("*.pt")):
            assert victim.poll() is None
            time.sleep(0.01)
        victim.terminate()
        said = victim.communicate(timeout=60)[1]
    assert victim.returncode == 75
    assert "SIGTERM was received" in said and "the same command goes on" in said
    assert "Traceback" not in said and records.read(broken / "runs") == []
    done = len(torch.load(only_checkpoint(broken / "checkpoints"), weights_only=True)["curve"])
    assert 1 <= done < 15
    monkeypatch.setitem(models.CONFIGS, "small", SMALL)
    for folder in (broken, whole):
        assert cli.main(command(folder)) == 0
    (a,), (b,) = records.read(broken / "runs"), records.read(whole / "runs")
    assert [row.loss for row in a.curve] == [row.loss for row in b.curve]


class Clock(time_limits.TimeLimit):
    """A limit whose time passes only when an epoch is done, ten seconds each."""

    @property
    def left(self):
        return self.seconds - 10 * self.epochs


def ten_seconds_an_epoch(monkeypatch):
    monkeypatch.setattr("mgtutorial.training.loop._expected", lambda *a: 10)


def test_a_time_limit_stops_before_an_epoch_that_would_not_fit(tmp_path, monkeypatch):
    ten_seconds_an_epoch(monkeypatch)
    with pytest.raises(Unfinished, match="10 s and 5 s of the time limit are left") as caught:
        train(configure(epochs=4), Workspace(tmp_path / "runs", time_limit=Clock(25)))
    assert caught.value.code == 75
    state = torch.load(only_checkpoint(tmp_path / "checkpoints"), weights_only=True)
    assert len(state["curve"]) == 2 and records.read(tmp_path / "runs") == []
    record = train(configure(epochs=4), Workspace(tmp_path / "runs", time_limit=Clock(25)))
    assert [row.epoch for row in record.curve] == [1, 2, 3, 4]


def test_a_time_limit_too_short_for_one_epoch_is_refused_before_it(tmp_path):
    with pytest.raises(InvalidValue, match="too short for one epoch"):
        train(configure(), Workspace(tmp_path / "runs", time_limit=1e-6))
    assert not list(tmp_path.rglob("*.pt"))


def test_a_run_with_time_enough_says_nothing_of_it(tmp_path):
    record = train(configure(epochs=1), Workspace(tmp_path / "runs", time_limit=3600))
    assert "time_limit" not in record.choices and record.epochs == 1


@pytest.mark.parametrize("text", ["", "0", "-5m", "9x", "m", "1h-3m", "nan"])
def test_a_time_that_is_none_is_a_sentence(text):
    with pytest.raises(InvalidValue, match="such as 9m"):
        _text.seconds(text)
