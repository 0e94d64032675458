"""A task that the loop does not know fits it: labels for pixels, and their mean IoU."""

import contextlib
import hashlib
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from mgtutorial.data import images as data
from mgtutorial.errors import InvalidValue
from mgtutorial.models.config import NetworkConfig
from mgtutorial.training import implicit_function, loop, plane, records, time_limits
from mgtutorial.training.protocols import TrainConfig
from mgtutorial.training.record import written
from mgtutorial.training.tasks import Task
from mgtutorial.training.workspace import Workspace

PAPER, PENCIL, INK = range(3)


@dataclass(frozen=True)
class PixelNet(NetworkConfig):
    """The config of a network from images to a class for each pixel."""

    width: int = 8

    def build(self):
        return nn.Sequential(
            nn.Conv2d(1, self.width, 3, padding=1), nn.BatchNorm2d(self.width), nn.ReLU(),
            nn.Conv2d(self.width, 3, 1),
        )  # fmt: skip


class Pixels:
    """Digits, and for each pixel whether it is paper, pencil or ink."""

    source, size = "embedded", 8

    def __init__(self, images):
        self.images, self.n = images.float() / 255, len(images)
        self.labels = (images[:, 0] > 40).long() + (images[:, 0] > 160)
        self.digest = hashlib.sha256(self.labels.numpy().tobytes()).hexdigest()[:16]


class Segmentation(Task):
    metric = "mIoU"
    memory_format = torch.channels_last

    def training(self):
        return Pixels(data.load("digits", "train").take(self.config.n_train).images)

    def evaluation(self, split):
        return Pixels(data.load("digits", split).images)

    def batches(self, samples, order=None, batch_size=None):
        which, flipped = torch.arange(samples.n), torch.zeros(samples.n, dtype=torch.bool)
        if order is not None:
            which = torch.randperm(samples.n, generator=order)
            flipped = torch.rand(samples.n, generator=order) < 0.5
        for batch in which.split(batch_size or self.config.batch_size):
            x, y = samples.images[batch], samples.labels[batch]
            turned = flipped[batch]
            x[turned], y[turned] = x[turned].flip(3), y[turned].flip(2)  # labels go along
            yield self.ready(x), y

    def example(self, n, size=None):
        return self.ready(torch.rand(n, 1, size, size)), torch.zeros(n, size, size).long()

    def loss(self, outputs, targets):
        return nn.functional.cross_entropy(outputs, targets)

    def tally(self, outputs, targets):
        """Counts of (label, answer), (3, 3)."""
        pairs = (3 * targets + outputs.argmax(1)).flatten()
        return torch.bincount(pairs, minlength=9).view(3, 3)

    def score(self, total, n):
        right = total.diagonal()
        return float((right / (total.sum(0) + total.sum(1) - right)).mean())


class PixelConfig(TrainConfig):
    def task(self, root=None, device="cpu"):
        return Segmentation(self, root, device)


CONFIG = PixelConfig(PixelNet(), epochs=2, batch_size=32, lr=0.1, n_train=330, schedule="one-cycle")


def weights(folder):
    (path,) = (folder / "checkpoints").glob("*.pt")
    return torch.load(path, weights_only=True)["model"]


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return folder, loop.train(CONFIG, Workspace(folder / "runs", device="cpu"))


def test_labels_for_pixels_are_learned_and_recorded(whole):
    folder, record = whole
    assert (record.metric.name, record.metric.split) == ("mIoU", "test")
    assert (
        record.curve[1].train > record.curve[0].train and record.metric.value > 0.4
    )  # paper alone: 0.2
    assert records.read(folder / "runs") == [record]
    assert record.macs is None and record.data.n == 330
    assert str(record.metric) == f"test mIoU {record.metric.value:.2%}"


def test_the_mean_iou_is_that_of_its_definition(whole):
    folder, record = whole
    model = CONFIG.model.build().eval()
    model.load_state_dict(weights(folder))
    test = Pixels(data.load("digits", "test").images)
    with torch.no_grad():
        answers = model(test.images).argmax(1)
    ious = [
        ((answers == c) & (test.labels == c)).sum() / ((answers == c) | (test.labels == c)).sum()
        for c in (PAPER, PENCIL, INK)
    ]
    assert record.metric.value == pytest.approx(float(sum(ious)) / 3, abs=1e-6)


def test_it_goes_on_bit_for_bit_where_it_was_stopped(whole, tmp_path):
    folder, record = whole

    class Stopping:
        update = say = staticmethod(lambda *a: None)

        def epoch(self, number, line):
            assert number == 1 and line.startswith("epoch 1: loss") and "training" in line
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def bar(total, initial):
        yield Stopping()

    with pytest.raises(KeyboardInterrupt):
        loop.train(CONFIG, Workspace(tmp_path / "runs", device="cpu", progress=bar))
    assert records.read(tmp_path / "runs") == [] and not same(weights(tmp_path), weights(folder))
    resumed = loop.train(CONFIG, Workspace(tmp_path / "runs", device="cpu"))
    assert same(weights(tmp_path), weights(folder))
    ours, theirs = ([(r.loss, r.train) for r in x.curve] for x in (resumed, record))
    assert ours == theirs and resumed.metric == record.metric


@pytest.mark.parametrize("split", ["val", "test"])
def test_the_error_on_the_plane_is_the_mean_over_all_points(split):
    config = plane.PlaneConfig(plane.ImplicitConfig(0.6, "grouped"), seed=3)
    task = config.task()
    samples = task.evaluation(split)
    torch.manual_seed(0)
    model = config.model.build().eval()
    with torch.no_grad():
        error = (model(samples.at) - samples.values).double().square().mean()
    assert loop.evaluate(model, task, samples) == pytest.approx(float(error), rel=1e-5)
    assert written("mse", float(error)).count("e") == 1


def test_evaluation_leaves_each_module_in_its_mode():
    task = CONFIG.task()
    model = CONFIG.model.build().train()
    model[1].eval()  # a norm that somebody has frozen
    modes = [m.training for m in model.modules()]
    loop.evaluate(model, task, task.evaluation("val"))
    assert [m.training for m in model.modules()] == modes and True in modes and False in modes


def test_a_settled_network_can_be_trained_on_as_before():
    network, at = plane.ImplicitConfig().build(), plane.points(500, 0)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    norms[0].momentum = 0.3
    before = [m.momentum for m in norms]
    assert not implicit_function.settle(network, at).training
    assert [m.momentum for m in norms] == before and None not in before
    with pytest.raises(InvalidValue, match="two columns"):
        implicit_function.settle(network, at[:, :1])
    assert [m.momentum for m in norms] == before


@pytest.mark.parametrize(
    "config",
    [CONFIG, plane.PlaneConfig(plane.ImplicitConfig(0.6, "grouped"), n=640, epochs=1)],
    ids=["pixels", "plane"],
)
def test_under_a_time_limit_an_epoch_of_each_task_is_estimated(config, tmp_path):
    with pytest.raises(time_limits.TooShort, match="too short for one epoch"):
        loop.train(config, Workspace(tmp_path / "a" / "runs", device="cpu", time_limit=1e-6))
    record = loop.train(config, Workspace(tmp_path / "b" / "runs", device="cpu", time_limit=3600))
    assert len(record.curve) == config.epochs
