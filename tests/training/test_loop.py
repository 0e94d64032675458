"""Training: deterministic, resumable bit for bit, and honest about what it did."""

import math
import os
import signal
import subprocess
import sys

import pytest
import torch

from mgtutorial import models
from mgtutorial.data import catalogue
from mgtutorial.data import images as data
from mgtutorial.errors import (
    CheckpointMismatch,
    DeviceUnavailable,
    InvalidValue,
    RecordsUnwritable,
    UnknownName,
)
from mgtutorial.training import departures, protocols, records
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


# Trains slowly enough to be killed inside an epoch that the parent chooses.
_SLOW = """
import sys, time, torch
torch.set_num_threads(1)
from mgtutorial import models
from mgtutorial.data import images as data
from mgtutorial.training import departures, loop, protocols
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


def test_what_a_killed_process_left_beside_the_checkpoint_is_removed(tmp_path):
    train(configure(epochs=1), Workspace(tmp_path / "runs"))
    path = only_checkpoint(tmp_path / "checkpoints")
    # in a container the next process may well have the number of the one that was killed
    left = [path.with_name(f"{path.name}.{number}.tmp") for number in (123, os.getpid())]
    for each in left:
        each.write_bytes(b"half a checkpoint")
    (tmp_path / "runs" / "smoke.jsonl").unlink()
    train(configure(epochs=1), Workspace(tmp_path / "runs"))
    assert not any(map(os.path.exists, left)) and path.exists()


def test_a_training_whose_last_step_diverges_is_no_accuracy(tmp_path):
    """The losses are those before each step, so all of them are numbers."""
    workspace = Workspace(tmp_path / "runs")
    with pytest.raises(InvalidValue, match="no numbers: the training diverged"):
        train(configure(epochs=1, n_train=32, schedule="constant", lr=1e30), workspace)
    assert records.read(tmp_path / "runs") == []


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
    "papermill,jupyter_book,sphinx,dask,distributed,lightning_fabric,torchvision,matplotlib,"
    "PIL,pandas,IPython,ipywidgets,ipykernel,nbformat,nbclient,pyamg,joblib,sklearn"
)


def test_training_needs_torch_numpy_scipy_tqdm_filelock_and_platformdirs_only(tmp_path):
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


def test_a_run_is_trained_and_tested_with_the_normalisation_of_its_config(tmp_path):
    """Mean 0 and deviation 1/255 let the grey levels through as they are."""
    plain = configure(epochs=1, normalisation=((0.0,), (1 / 255,)))
    record = train(plain, Workspace(tmp_path / "runs"))
    assert record.choices["normalisation"] == [[0.0], [1 / 255]]
    net = record.config.model.build()
    net.load_state_dict(weights(only_checkpoint(tmp_path / "checkpoints")))
    test = data.load("digits", "test")
    with torch.no_grad():
        right = (net.eval()(test.images.float()).argmax(1) == test.labels).double().mean()
    assert record.metric.value == pytest.approx(right.item(), abs=0.006)  # 2 of 360 images
    usual = train(configure(epochs=1), Workspace(tmp_path / "runs"))
    assert usual.curve[0].loss != record.curve[0].loss
    assert usual.digest != record.digest and "normalisation" not in usual.choices


def test_a_run_of_the_budget_paper_says_its_protocol(tmp_path):
    config = protocols.configure(SMALL, "digits", "paper", epochs=1, n_train=64)
    record = train(config, Workspace(tmp_path / "runs"))
    assert record.choices["model"]["initial_weights"] == "torch" and record.partial
    assert record.choices["normalisation"] == [[0.5], [0.5]]
    assert record.config == config
    assert set(departures.deviation(config)) == {"data", "epochs", "n_train"}


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
from mgtutorial.training import departures, loop, protocols
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


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_a_run_is_configured_without_data(name, places):
    info = catalogue.info(name)
    config = protocols.configure("mgnet-20", name, "short")
    assert (config.model.in_channels, config.model.num_classes) == (info.channels, info.classes)
    assert (config.model.stem, config.augmentation) == (info.stem, info.augmentation)
    # a config of one's own keeps all but its two ends
    own = protocols.configure(SMALL, name, "short").model
    assert own == SMALL.with_ends(info)


def test_the_widest_networks_on_imagenet_have_smaller_batches(places):
    def batch(network, data="imagenet", budget="paper", **changes):
        return protocols.configure(network, data, budget, **changes).batch_size

    wide, narrow = "mgiad-lam3-c64-g8", "mgiad-lam2-c64-g8"
    assert (batch(wide), batch(narrow), batch("mgnet")) == (256, 512, 512)
    assert (batch(wide, "cifar10"), batch(wide, budget="short")) == (128, 128)
    assert batch(wide, batch_size=64) == 64


def test_unknown_budget_and_data_come_with_the_nearest_names():
    with pytest.raises(UnknownName, match="did you mean 'smoke'"):
        protocols.configure(SMALL, "digits", "smok")
    with pytest.raises(UnknownName, match="did you mean 'digits'"):
        protocols.configure(SMALL, "digit", "smoke")


def test_bfloat16_trains_too(tmp_path):
    record = train(configure(precision="bfloat16"), Workspace(tmp_path / "runs"))
    assert math.isfinite(record.curve[-1].loss)
