"""A rate that falls below the resolution of the weights: the run ends, and nothing was lost."""

import pytest
import torch

from mgtutorial.training import protocols, records
from mgtutorial.training.loop import train
from mgtutorial.training.recipe import Recipe
from mgtutorial.training.workspace import Workspace

from .test_loop import SMALL, only_checkpoint


def configure(**changes):
    chosen = {"schedule": "step", "step_epochs": 1, "lr": 0.05, "epochs": 30, "n_train": 64}
    return protocols.configure(SMALL, "digits", "smoke", **{**chosen, **changes})


def state(folder):
    return torch.load(only_checkpoint(folder / "checkpoints"), weights_only=True)


def test_a_run_ends_when_an_epoch_left_every_weight_as_it_was(tmp_path):
    record = train(configure(), Workspace(tmp_path / "runs"))
    rest = record.at_rest
    assert rest == len(record.curve) < 30 == record.epochs
    assert record.curve[-1].at_rest and not any(row.at_rest for row in record.curve[:-1])
    (line,) = records.read(tmp_path / "runs")  # and it comes back from the file
    assert line == record and line.at_rest == rest
    assert line.epochs_text == f"30, weights at rest from {rest}"


def test_going_on_changes_no_weight(tmp_path, monkeypatch):
    ended = train(configure(), Workspace(tmp_path / "a" / "runs"))
    monkeypatch.setattr("mgtutorial.training.loop.falls", lambda config: False)
    whole = train(configure(), Workspace(tmp_path / "b" / "runs"))
    assert len(whole.curve) == 30 and whole.at_rest is None
    a, b = state(tmp_path / "a")["model"], state(tmp_path / "b")["model"]
    weights = [k for k, _ in SMALL.build().named_parameters()]
    assert weights and all(torch.equal(a[k], b[k]) for k in weights)
    assert [r.loss for r in ended.curve] == [r.loss for r in whole.curve[: len(ended.curve)]]


def test_a_run_that_was_killed_between_its_last_epoch_and_its_record_ends_there(
    tmp_path, monkeypatch
):
    whole = train(configure(), Workspace(tmp_path / "a" / "runs"))

    def killed(self, record):
        raise KeyboardInterrupt

    with monkeypatch.context() as m:
        m.setattr("mgtutorial.training.workspace.Kept.append", killed)
        with pytest.raises(KeyboardInterrupt):
            train(configure(), Workspace(tmp_path / "b" / "runs"))
    record = train(configure(), Workspace(tmp_path / "b" / "runs"))
    assert len(record.curve) == len(whole.curve) and record.metric == whole.metric


@pytest.mark.parametrize("schedule", ["one-cycle", "constant"])
def test_a_rate_that_rises_or_stays_ends_nothing(tmp_path, schedule):
    # One cycle begins at a rate of zero: an epoch of one step leaves the weights where they are.
    config = configure(schedule=schedule, epochs=3, batch_size=64, lr=1e-30)
    record = train(config, Workspace(tmp_path / "runs"))
    assert len(record.curve) == 3 and record.at_rest is None


@pytest.mark.parametrize(
    "recipe, least",
    [
        (Recipe(average=0.99), None),
        (Recipe(sides=((0, 4), (14, 8))), 15),
        (Recipe(batches=((0, 32), (14, 16))), 15),
    ],
)
def test_nothing_ends_while_an_average_lags_behind_or_a_stage_is_to_come(tmp_path, recipe, least):
    record = train(configure(recipe=recipe, epochs=16), Workspace(tmp_path / "runs"))
    assert record.at_rest == least and len(record.curve) == (least or 16)
