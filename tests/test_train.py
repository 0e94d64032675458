"""Training: deterministic, resumable bit for bit, and honest about what it did."""

import math
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise

import pytest
import torch

from mgtutorial import _text, cli, models
from mgtutorial.errors import (
    CheckpointMismatch,
    DeviceUnavailable,
    InvalidValue,
    RecordsUnwritable,
    Unfinished,
    UnknownName,
)
from mgtutorial.training import protocols, records, schedules, time_limits
from mgtutorial.training.devices import pick_device
from mgtutorial.training.loop import train
from mgtutorial.training.workspace import Workspace

SMALL = models.MgNetConfig(channels=(4, 8), steps=1)


def configure(**changes):
    return protocols.configure(SMALL, "digits", "smoke", **{"epochs": 2, **changes})


def weights(path):
    return torch.load(path, weights_only=True)["model"]


def only_checkpoint(folder):
    (path,) = folder.glob("*.pt")
    return path


def test_the_same_seed_gives_the_same_weights_and_another_seed_does_not(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(configure(seed=seed), Workspace(tmp_path / name / "runs"))
    a, b, c = (weights(only_checkpoint(tmp_path / n / "checkpoints")) for n in "abc")
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not all(torch.equal(a[k], c[k]) for k in a)


@pytest.fixture
def one_thread():
    """As many threads as the processes have that are compared with this one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# Trains slowly enough to be killed inside an epoch that the parent chooses.
_SLOW = """
import sys, time, torch
torch.set_num_threads(1)
from mgtutorial import models
from mgtutorial.data import images as data
from mgtutorial.training import loop, protocols
from mgtutorial.training.workspace import Workspace
inner = data.batches
def slow(*args, **kwargs):
    for i, batch in enumerate(inner(*args, **kwargs)):
        time.sleep(0.02)
        print("step", i, flush=True)
        yield batch
data.batches = slow
small = models.MgNetConfig(channels=(4, 8), steps=1)
config = protocols.configure(small, "digits", "smoke", epochs=3, augmentation="crop-flip")
loop.train(config, Workspace(sys.argv[1]))
"""


def test_kill_9_inside_an_epoch_then_resume_equals_an_uninterrupted_run_bit_for_bit(
    tmp_path, one_thread
):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    command = [sys.executable, "-c", _SLOW, str(broken / "runs")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        for line in victim.stdout:  # until the second epoch is in its midst
            if list((broken / "checkpoints").glob("*.pt")) and line.strip() == "step 5":
                break
        os.kill(victim.pid, signal.SIGKILL)
    path = only_checkpoint(broken / "checkpoints")
    epochs = len(torch.load(path, weights_only=True)["curve"])
    assert 1 <= epochs < 3, "it was to be killed after the first epoch and before the last"
    assert records.read(broken / "runs") == []
    for folder in (broken, whole):  # this process knows nothing of the other one
        train(configure(epochs=3, augmentation="crop-flip"), Workspace(folder / "runs"))
    ours, theirs = weights(path), weights(only_checkpoint(whole / "checkpoints"))
    assert all(torch.equal(ours[k], theirs[k]) for k in theirs)
    (a,), (b,) = records.read(whole / "runs"), records.read(broken / "runs")
    assert a.metric.value == b.metric.value and a.digest == b.digest
    assert [row.loss for row in a.curve] == [row.loss for row in b.curve]


def test_ctrl_c_keeps_the_finished_epochs(tmp_path, monkeypatch):
    from mgtutorial.data import images as data

    inner, seen = data.batches, []

    def interrupting(images, *args, **kwargs):
        seen.append(1)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return inner(images, *args, **kwargs)

    monkeypatch.setattr(data, "batches", interrupting)
    with pytest.raises(KeyboardInterrupt):
        train(configure(), Workspace(tmp_path / "runs"))
    state = torch.load(only_checkpoint(tmp_path / "checkpoints"), weights_only=True)
    assert len(state["curve"]) == 1


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


def test_what_a_killed_process_left_beside_the_checkpoint_is_removed(tmp_path):
    train(configure(epochs=1), Workspace(tmp_path / "runs"))
    path = only_checkpoint(tmp_path / "checkpoints")
    left = path.with_name(f"{path.name}.123.tmp")
    left.write_bytes(b"half a checkpoint")
    (tmp_path / "runs" / "smoke.jsonl").unlink()
    train(configure(epochs=1), Workspace(tmp_path / "runs"))
    assert not left.exists() and path.exists()


_BARE = """
import sys
blocked = dict.fromkeys(sys.argv[2].split(","))
sys.modules.update(blocked)  # importing what is None there fails as if it were not installed
from mgtutorial.cli import main
code = main(["train", "--model", "mgiad-20-g4", "--data", sys.argv[1], "--epochs", "1",
             "--runs", sys.argv[3], "--time-limit", "1h"])
assert not any(map(sys.modules.get, blocked))
sys.exit(code)
"""
# All that pyproject.toml names but torch, numpy, tqdm, filelock and platformdirs, and what that
# brings along; sklearn holds the digits, and CIFAR-10's files need torchvision.
_NOT_NEEDED = (
    "papermill,jupyter_book,sphinx,dask,distributed,lightning_fabric,torchvision,scipy,matplotlib,"
    "PIL,pandas,IPython,ipywidgets,ipykernel,nbformat,nbclient,pyamg,joblib,sklearn"
)


def test_training_needs_torch_numpy_tqdm_filelock_and_platformdirs_only(tmp_path):
    def bare(data, blocked):
        command = [sys.executable, "-c", _BARE, data, blocked, str(tmp_path / data)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    done = bare("synthetic", _NOT_NEEDED)
    assert done.returncode == 0, done.stderr
    assert "test accuracy" in done.stdout
    without_digits = bare("digits", _NOT_NEEDED)
    assert without_digits.returncode == 2 and "scikit-learn" in without_digits.stderr
    assert "Traceback" not in without_digits.stderr


def test_double_precision_is_double_throughout(tmp_path):
    record = train(configure(precision="float64"), Workspace(tmp_path / "runs"))
    state = weights(only_checkpoint(tmp_path / "checkpoints"))
    assert {v.dtype for v in state.values() if v.is_floating_point()} == {torch.float64}
    single = train(configure(), Workspace(tmp_path / "runs"))
    assert record.curve[0].loss == pytest.approx(single.curve[0].loss, rel=1e-2)


def test_a_config_for_several_processes_is_refused_by_one(tmp_path):
    with pytest.raises(InvalidValue, match="start them with torchrun"):
        train(configure(norm_parts=2), Workspace(tmp_path / "runs"))


def test_a_finished_run_is_found_and_not_repeated(tmp_path, monkeypatch):
    first = train(configure(epochs=1), Workspace(tmp_path / "runs"))
    monkeypatch.setattr(
        "mgtutorial.training.loop._train", lambda *a: pytest.fail("it trained again")
    )
    assert train(configure(epochs=1), Workspace(tmp_path / "runs")) == first
    assert len(records.read(tmp_path / "runs")) == 1


def test_a_record_says_how_the_number_was_made(tmp_path):
    record = train(configure(), Workspace(tmp_path / "runs"))
    assert record == records.read(tmp_path / "runs")[0]
    assert record.budget == "smoke" and record.partial and record.epochs == 2
    assert record.data.source == "embedded"
    assert (record.metric.name, record.metric.split) == ("accuracy", "test")
    assert len(record.curve) == 2 and record.seconds > 0
    assert record.weights == sum(p.numel() for p in record.config.model.build().parameters())
    assert {"torch", "numpy", "python", "mgtutorial"} <= set(record.versions)
    whole = configure(epochs=protocols.settings("smoke", "digits")["epochs"])
    assert not train(whole, Workspace(tmp_path / "runs")).partial


def test_a_run_for_choices_reads_the_validation_split_and_never_the_test_split(
    tmp_path, monkeypatch
):
    from mgtutorial.data import images as data

    inner, asked = data.load, []
    monkeypatch.setattr(
        data, "load", lambda name, split, **k: asked.append(split) or inner(name, split, **k)
    )
    config = configure(split="fit", epochs=1)
    asked.clear()
    record = train(config, Workspace(tmp_path / "runs"))
    assert asked == ["fit", "val"]
    assert record.metric.split == "val" and 0 < record.metric.value <= 1
    assert record.curve[-1].val == record.metric.value


def test_digits_are_learned(tmp_path):
    config = protocols.configure("mgnet-20", "digits", "smoke", n_train=None, lr=0.1)
    assert train(config, Workspace(tmp_path / "runs")).metric.value > 0.95


def test_a_checkpoint_of_another_run_is_refused_and_kept(tmp_path):
    train(configure(epochs=1), Workspace(tmp_path / "a" / "runs"))
    path = only_checkpoint(tmp_path / "a" / "checkpoints")
    before = path.read_bytes()
    with pytest.raises(CheckpointMismatch, match="differs in epochs, seed"):
        train(configure(seed=1), Workspace(tmp_path / "b" / "runs"), checkpoint_path=path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / "notes.pt"
    path.write_text("not a checkpoint")
    with pytest.raises(CheckpointMismatch, match="no checkpoint of this project"):
        train(configure(), Workspace(tmp_path / "runs"), checkpoint_path=path)


def test_a_second_process_waits_for_the_same_run_and_finds_its_record(tmp_path):
    code = f"""
from mgtutorial import models
from mgtutorial.training import loop, protocols
from mgtutorial.training.workspace import Workspace
small = models.MgNetConfig(channels=(4, 8), steps=1)
config = protocols.configure(small, "digits", "smoke", epochs=2)
loop.train(config, Workspace({str(tmp_path / "runs")!r}))
"""
    pair = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait(120) for process in pair] == [0, 0]
    assert len(records.read(tmp_path / "runs")) == 1


def test_an_unwritable_results_file_stops_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr("mgtutorial.training.loop._train", lambda *a: pytest.fail("it trained"))
    (tmp_path / "runs").write_text("a file where the folder should be")
    with pytest.raises(RecordsUnwritable):
        train(configure(), Workspace(tmp_path / "runs"))


def test_a_diverging_run_stops_with_the_reason(tmp_path):
    # Without a norm nothing holds this rate.
    bare = models.MgNetConfig(channels=(4, 8), norm="none")
    config = protocols.configure(bare, "digits", "smoke", lr=1e6, schedule="constant")
    with pytest.raises(InvalidValue, match="diverged"):
        train(config, Workspace(tmp_path / "runs"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_one_sentence():
    with pytest.raises(DeviceUnavailable, match="use 'cpu'"):
        pick_device("cuda")
    with pytest.raises(DeviceUnavailable):
        pick_device("no-such-device")


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"epochs": 0}, InvalidValue, "epochs=0"),
        ({"lr": -1.0}, InvalidValue, "positive"),
        ({"schedule": "cosin"}, UnknownName, "did you mean 'cosine'"),
        ({"learning_rate": 0.1}, UnknownName, "training option"),
        ({"n_train": 10**7}, InvalidValue, "choose 1 to"),
    ],
)
def test_bad_options_are_sentences(tmp_path, changes, error, words):
    with pytest.raises(error, match=words):
        train(configure(**changes), Workspace(tmp_path / "runs"))


def test_unknown_budget_and_data_come_with_the_nearest_names():
    with pytest.raises(UnknownName, match="did you mean 'smoke'"):
        protocols.configure(SMALL, "digits", "smok")
    with pytest.raises(UnknownName, match="did you mean 'digits'"):
        protocols.configure(SMALL, "digit", "smoke")


def rates(schedule, epochs, **changes):
    config = configure(schedule=schedule, epochs=epochs, lr=0.05, **changes)
    return [schedules.learning_rate(config, e, 0.0) for e in range(epochs)]


def test_cosine_annealing_goes_from_the_initial_rate_towards_zero_per_epoch():
    got = rates("cosine", 400)
    assert got[0] == 0.05 and got[200] == pytest.approx(0.025) and 0 < got[-1] < 1e-6
    assert all(a > b for a, b in pairwise(got))


def test_the_step_schedule_of_fashion_mnist_is_below_1e_7_after_150_epochs():
    got = rates("step", 151, step_epochs=25)
    assert got[24] == 0.05 and got[25] == pytest.approx(0.005) and got[150] < 1e-7 < got[149]


def test_one_cycle_rises_to_its_peak_and_falls_to_zero():
    config = configure(schedule="one-cycle", epochs=8, lr=0.05)
    times = [(e, i / 100) for e in range(8) for i in range(100)]
    got = [schedules.learning_rate(config, *t) for t in times]
    assert max(got) == pytest.approx(0.05) and times[got.index(max(got))] == (2, 0.0)
    assert got[0] == 0 and got[-1] < 1e-6
    # linear up, then half a cosine: its mean over the fall is half the peak
    assert math.fsum(got[200:]) / 600 == pytest.approx(0.025, rel=5e-3)


def test_the_paper_budget_is_the_printed_protocol():
    config = protocols.configure("mgnet", "synthetic", "paper")
    assert (config.batch_size, config.epochs, config.momentum) == (128, 400, 0.9)
    assert (config.lr, config.schedule, config.weight_decay) == (0.05, "cosine", 1e-4)
    chosen = protocols.settings("paper", "fashion-mnist")
    assert (chosen["schedule"], chosen["step_epochs"], chosen["lr"]) == ("step", 25, 0.05)
    assert protocols.settings("paper", "cifar10")["augmentation"] == "cifar10"


def test_bfloat16_trains_too(tmp_path):
    record = train(configure(precision="bfloat16"), Workspace(tmp_path / "runs"))
    assert math.isfinite(record.curve[-1].loss)
