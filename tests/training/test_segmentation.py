"""The task of classes for pixels: loss and metric by their definitions, runs, records, doors."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mgtutorial.data import masks
from mgtutorial.data.mask_sets import IGNORED, in_memory
from mgtutorial.errors import DataDamaged, DataNotFound, InvalidValue, UnknownName
from mgtutorial.models import LRASPPConfig, lraspp
from mgtutorial.training import loop, records, segmentation, segmentations
from mgtutorial.training.record import Record
from mgtutorial.training.workspace import Workspace, load_checkpoint

ROWS = ((3, 1, 8, True, 1), (3, 3, 16, False, 2), (3, 2, 16, True, 2))
NET = LRASPPConfig(
    bottlenecks=ROWS, coarsest=8, stem=8, features=32, hidden=16, output_stride=8, num_classes=3
)
CONFIG = segmentation.configure(NET, "smoke", lr=0.2, epochs=6)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return folder, loop.train(CONFIG, Workspace(folder / "runs", device="cpu", progress=False))


def test_a_small_network_learns_and_its_record_has_every_class(run):
    folder, record = run
    assert (record.metric.name, record.metric.split) == ("mIoU", "test")
    assert record.curve[-1].loss < 0.5 * record.curve[0].loss
    assert record.metric.value > 0.4  # the ground alone: below 0.32
    assert list(record.details) == ["ground", "disc", "box", "pixels"]
    ious = [record.details[name] for name in ("ground", "disc", "box")]
    assert np.mean(ious) == pytest.approx(record.metric.value, abs=1e-4)
    assert record.config == CONFIG and record.macs > 0
    assert records.read(folder / "segmentation.jsonl") == [record]
    line = json.loads((folder / "segmentation.jsonl").read_text())
    assert Record.from_json(line) == record
    for wrong in ({"disc": float("nan")}, {"disc": "much"}):
        with pytest.raises(InvalidValue, match="no record of a run"):
            Record.from_json({**line, "details": wrong})


def test_the_metric_is_that_of_its_definition(run):
    folder, record = run
    task, network = CONFIG.task(), CONFIG.model.build().eval()
    (checkpoint,) = (folder / "checkpoints").glob("*.pt")
    network.load_state_dict(load_checkpoint(checkpoint)["model"])
    samples = task.evaluation("test")
    said, truth = segmentations.answers(network, task, samples, range(samples.n))
    known = truth != IGNORED
    for c, name in enumerate(samples.info.labels):
        a, t = (said == c) & known, (truth == c) & known
        assert record.details[name] == pytest.approx(float((a & t).sum() / (a | t).sum()), abs=1e-4)
    right = ((said == truth) & known).sum() / known.sum()
    assert record.details["pixels"] == pytest.approx(float(right), abs=1e-4)
    picture = segmentations.coloured(said[0], samples.info)
    assert picture.shape == (48, 64, 3) and len(picture.reshape(-1, 3).unique(dim=0)) <= 3


def test_pixels_without_a_label_count_nowhere():
    task = CONFIG.task()
    torch.manual_seed(0)
    z, y = torch.randn(2, 3, 8, 8), torch.randint(3, (2, 8, 8))
    y[:, :, :3] = IGNORED
    loss = torch.nn.functional.cross_entropy(z[:, :, :, 3:], y[:, :, 3:])
    torch.testing.assert_close(task.loss(z, y), loss)
    assert torch.equal(task.tally(z, y), task.tally(z[..., 3:], y[..., 3:]))
    assert int(task.tally(z, y).sum()) == 2 * 8 * 5
    other = z.clone()
    other[:, :, :, :3] += 5
    torch.testing.assert_close(task.loss(other, y), loss)
    assert float(task.loss(z, torch.full_like(y, IGNORED))) == 0.0


def test_a_class_that_nowhere_is_does_not_count_in_the_mean():
    total = torch.tensor([[6, 2, 0], [0, 2, 0], [0, 0, 0]])
    assert segmentation.ious(total).tolist() == [0.75, 0.5, 0.0]
    assert CONFIG.task().score(total, 1) == pytest.approx(0.625)
    total[2, 0] = 1  # it is there, and never found
    assert CONFIG.task().score(total, 1) == pytest.approx((6 / 9 + 0.5) / 3)


def test_it_goes_on_bit_for_bit_where_it_was_stopped(run, tmp_path):
    _, record = run
    runs = tmp_path / "runs"
    halted = Workspace(runs, device="cpu", progress=False)
    task = CONFIG.task()

    class Stop(Exception):
        pass

    seen = []

    def details(self, total, n):  # after the last epoch, before the record
        seen.append(n)
        raise Stop

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segmentation.Segmentation, "details", details)
        with pytest.raises(Stop):
            loop.train(CONFIG, halted)
    assert (
        seen == [task.evaluation("test").n] and records.read(tmp_path / "segmentation.jsonl") == []
    )
    again = loop.train(CONFIG, halted)
    assert again.metric == record.metric and again.details == record.details


@pytest.mark.parametrize("stopped", [{"n": 16}, {"epochs": 1}])
def test_a_run_below_its_budget_says_so(stopped, tmp_path):
    config = replace(CONFIG, **({"epochs": 1} | stopped))
    assert config.partial and not CONFIG.partial
    record = loop.train(config, Workspace(tmp_path / "runs", device="cpu", progress=False))
    assert record.partial and record.data.n == stopped.get("n", 96)


def test_a_run_for_a_choice_is_measured_on_validation_images(tmp_path):
    config = replace(CONFIG, epochs=1, on="validation images", augmentation="flip")
    record = loop.train(config, Workspace(tmp_path / "runs", device="cpu", progress=False))
    assert record.metric.split == "val" and record.curve[0].val == record.metric.value
    assert record.evaluated_on.digest == masks.load("shapes", "val").digest


@pytest.mark.parametrize("name", lraspp.NAMED)
@pytest.mark.parametrize("budget", segmentation.BUDGETS)
def test_every_budget_fits_every_network(name, budget):
    config = segmentation.configure(lraspp.NAMED[name], budget)
    assert config.model.num_classes == masks.info(config.data).classes
    assert segmentation.SegmentationConfig.from_dict(config.as_dict()) == config
    assert json.loads(json.dumps(config.as_dict())) == config.as_dict()


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"crop": (30, 48)}, InvalidValue, "strides divide a side by 8"),
        ({"crop": (32,)}, InvalidValue, "give height and width"),
        ({"crop": 5}, InvalidValue, "crop=5: give height and width"),
        ({"schedule": "step"}, UnknownName, "schedule"),
        ({"augmentation": "cifar10"}, UnknownName, "augmentation"),
        ({"data": "digits"}, UnknownName, "data set with masks"),
        ({"data": "camvid"}, InvalidValue, "3 classes, but camvid has 3 and 11"),
        ({"on": "train images"}, UnknownName, "set of images"),
        ({"n": 0}, InvalidValue, "n=0"),
        ({"lr": 0.0}, InvalidValue, "lr=0"),
        ({"lr": 1e39}, InvalidValue, r"lr=1e\+39: .* at most 3e\+38"),
        ({"weight_decay": 1e39}, InvalidValue, r"weight_decay=1e\+39"),
    ],
)
def test_bad_choices_are_one_sentence(changes, error, said):
    with pytest.raises(error, match=said):
        replace(CONFIG, **changes)


def test_a_field_that_is_none_is_one_sentence():
    with pytest.raises(UnknownName, match="unknown training option 'lrr': did you mean 'lr'"):
        segmentation.configure(NET, "smoke", lrr=1)


def test_absent_data_and_foreign_masks_are_one_sentence(tmp_path):
    with pytest.raises(DataNotFound, match="'camvid' is not in"):
        loop.train(segmentation.configure(NET, "demo"), Workspace(tmp_path / "r", tmp_path / "d"))
    info = masks.info("shapes")
    x, y = np.zeros((4, 3, 16, 16), np.uint8), np.full((4, 16, 16), 9, np.uint8)
    with pytest.raises(DataDamaged, match="the label 9"):
        in_memory(info, "train", x, y, "mine")
