"""The task of classifying clouds: it learns, it goes on, its records come back."""

import contextlib
import json

import pytest
import torch

from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.models.point_clouds import PointCloudConfig
from mgtutorial.training import loop, point_clouds, time_limits
from mgtutorial.training.clouds import CloudsConfig
from mgtutorial.training.record import Record
from mgtutorial.training.workspace import Workspace

SMALL = PointCloudConfig(width=16, k=6)


def run(folder, progress=False, **changes):
    chosen = {"epochs": 2, "n_train": 96} | changes
    config = point_clouds.configure(SMALL, "smoke", **chosen)
    return loop.train(config, Workspace(folder / "runs", device="cpu", progress=progress))


def weights(folder):
    (path,) = (folder / "checkpoints").glob("*.pt")
    return torch.load(path, weights_only=True)["model"]


def test_it_learns_and_its_record_comes_back(tmp_path):
    record = run(tmp_path, epochs=8, n_train=None)
    assert record.curve[-1].loss < record.curve[0].loss - 0.2
    assert record.metric.name == "accuracy" and record.metric.value > 0.4  # by chance: 0.17
    again = Record.from_json(json.loads(json.dumps(record.to_json())))
    assert again == record and again.config == record.config
    assert isinstance(again.config, CloudsConfig) and again.config.model.num_classes == 6
    assert record.macs == record.config.model.build().macs(128)
    (line,) = (tmp_path / "point_clouds.jsonl").read_text().splitlines()
    assert json.loads(line)["digest"] == record.digest


def test_it_goes_on_bit_for_bit_where_it_was_stopped(tmp_path):
    class Stopping:
        update = say = staticmethod(lambda *a: None)

        def epoch(self, number, line):
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def bar(total, initial):
        yield Stopping()

    whole = run(tmp_path / "a")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "b", progress=bar)
    resumed = run(tmp_path / "b")
    ours, theirs = weights(tmp_path / "a"), weights(tmp_path / "b")
    assert all(torch.equal(ours[k], theirs[k]) for k in ours)
    assert resumed.metric == whole.metric
    assert [r.loss for r in resumed.curve] == [r.loss for r in whole.curve]


def test_under_a_time_limit_an_epoch_is_estimated(tmp_path):
    config = point_clouds.configure(SMALL, "smoke", epochs=1)
    with pytest.raises(time_limits.TooShort, match="too short for one epoch"):
        loop.train(config, Workspace(tmp_path / "runs", device="cpu", time_limit=1e-6))


def test_choices_are_made_on_validation_clouds(tmp_path):
    record = run(tmp_path, on="validation clouds", n_train=None, epochs=1)
    assert (record.metric.split, record.data.n, record.evaluated_on.n) == ("val", 192, 48)
    assert record.curve[0].val == record.metric.value


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"lr": 0.0}, InvalidValue, "lr=0.0: it must be a positive"),
        ({"smoothing": 1.5}, InvalidValue, "smoothing=1.5"),
        ({"smoothing": 1.0}, InvalidValue, "smoothing=1.0: .* at least 0, below 1"),
        ({"lr": 1e39}, InvalidValue, r"lr=1e\+39: .* at most 3e\+38"),
        ({"weight_decay": 1e39}, InvalidValue, r"weight_decay=1e\+39"),
        ({"weight_decay": -1.0}, InvalidValue, "weight_decay=-1"),
        ({"n_train": 0}, InvalidValue, "n_train=0"),
        ({"batch_size": 0}, InvalidValue, "batch_size=0"),
        ({"data": "shape"}, UnknownName, "did you mean 'shapes'"),
        ({"augmentation": "jitter"}, UnknownName, "stretch-and-move"),
        ({"rate": 0.1}, UnknownName, "training option"),
        ({"on": "tests"}, UnknownName, "test clouds"),
    ],
)
def test_bad_options_are_one_sentence(changes, error, message):
    with pytest.raises(error, match=message):
        point_clouds.configure(SMALL, "smoke", **changes)


def test_a_network_for_other_classes_is_one_sentence():
    config = CloudsConfig(PointCloudConfig(num_classes=4))
    with pytest.raises(InvalidValue, match="for 4 classes and shapes has 6"):
        config.task().training()


def test_names_of_networks_and_budgets():
    assert point_clouds.configure("mgic-diffgcn").model.layer == "mgic-diff-gcn"
    assert point_clouds.configure("dgcnn").data == "modelnet10"
    with pytest.raises(UnknownName, match="did you mean 'dgcnn"):
        point_clouds.configure("dgcn")
    with pytest.raises(UnknownName, match="did you mean 'short'"):
        point_clouds.configure("dgcnn", "shrot")
    assert point_clouds.configure("dgcnn", "demo", epochs=1).partial
    assert not point_clouds.configure("dgcnn", "demo").partial
