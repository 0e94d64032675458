"""The transfers alone as a task: its features, its errors, what its start decides, its records."""

import json

import pytest
import torch

from mgtutorial._torchvision import torchvision
from mgtutorial.data import images as data
from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.spectra.convolutions import Convolution
from mgtutorial.spectra.moments import error_of, principal_components, second_moments
from mgtutorial.training import coarse_channels, loop, transfers_alone
from mgtutorial.training.coarse_channels import CoarseConfig, Features, remember
from mgtutorial.training.record import Record
from mgtutorial.training.workspace import Workspace

SMALL = {"data": "synthetic", "n": 24, "n_test": 20}


def run(s_g, folder, **changes):
    config = transfers_alone.configure(s_g, **SMALL | {"epochs": 4} | changes)
    return loop.train(config, Workspace(folder / "runs", device="cpu"))


def test_features_are_the_convolution_of_normalised_images_in_units_of_their_size():
    convolution = coarse_channels.packaged_convolution()
    images = data.load("synthetic", "train").take(6)
    features = Features(images, convolution)
    (x, _) = next(data.batches(images, 6, shuffle=False))
    layer = torch.nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
    layer.weight.data = convolution.kernel
    maps = layer(x).detach()
    torch.testing.assert_close(features.maps * features.scale, maps, rtol=0, atol=1e-5)
    assert features.maps.shape == (6, 64, 16, 16)
    assert features.maps.square().mean().item() == pytest.approx(1, abs=1e-6)


def test_test_features_have_the_units_of_the_training_features():
    task = transfers_alone.configure(32, **SMALL).task()
    training, test = task.training(), task.evaluation("test")
    assert test.scale == training.scale and (training.n, test.n) == (24, 20)
    alone = transfers_alone.configure(32, **SMALL).task().evaluation("test")
    assert torch.equal(alone.maps, test.maps)


def test_a_filter_of_27_numbers_gives_27_independent_channels_at_most():
    """A 3x3 kernel on colours: 64 channels have no more than 27 directions, so 7x7 it is."""
    images = data.load("synthetic", "train").take(20)
    small = Convolution(torch.randn(64, 3, 3, 3, generator=torch.Generator().manual_seed(0)))
    for convolution, most in ((small, 27), (coarse_channels.packaged_convolution(), 64)):
        values = torch.linalg.eigvalsh(second_moments(Features(images, convolution).maps))
        assert (values > 1e-6).sum() <= most
    assert (values > 1e-6).sum() > 27


def test_the_recorded_error_is_that_of_the_matrix(tmp_path):
    record = run(16, tmp_path)
    task = record.config.task()
    task.training()
    (path,) = (tmp_path / "checkpoints").glob("*.pt")
    chain = record.config.model.build()
    chain.load_state_dict(torch.load(path, weights_only=True)["model"])
    moments = second_moments(task.evaluation("test").maps)
    assert record.metric.value == pytest.approx(error_of(chain.matrix(), moments), rel=1e-5)
    assert record.metric.name == "mse" and record.weights == 1792
    assert error_of(principal_components(moments, 8), moments) < record.metric.value


@pytest.mark.parametrize("s_g, rank", [(32, 1), (16, 1), (8, 2), (4, 4)])
def test_from_equal_rows_a_chain_keeps_one_channel_of_each_coarsest_group(s_g, rank, tmp_path):
    """Equal rows have equal gradients: each group passes a single channel on, and 16 are left."""
    matrices = {}
    for start in ("means", "random rows"):
        record = run(s_g, tmp_path / start, start=start)
        (path,) = (tmp_path / start / "checkpoints").glob("*.pt")
        chain = record.config.model.build()
        before = chain.matrix()
        chain.load_state_dict(torch.load(path, weights_only=True)["model"])
        matrices[start] = chain.double().matrix()
        if start == "means":
            assert (matrices[start] - before).abs().max() > 1e-2  # it did learn
    values = torch.linalg.svdvals(matrices["means"])
    assert (values > 1e-5 * values[0]).sum() == rank == max(1, 16 // s_g)
    values = torch.linalg.svdvals(matrices["random rows"])
    assert (values > 1e-12 * values[0]).sum() == 8


def test_a_record_comes_back_with_its_config(tmp_path):
    record = run(8, tmp_path)
    again = Record.from_json(json.loads(json.dumps(record.to_json())))
    assert again == record and again.config == record.config
    assert isinstance(again.config, CoarseConfig) and again.config.model.start == "random rows"
    found = (tmp_path / "coarse_channels.jsonl").read_text().splitlines()
    assert len(found) == 1 and json.loads(found[0])["digest"] == record.digest


def test_a_file_of_torchvision_gives_its_first_convolution(tmp_path):
    """A stand-in for trained weights, which need a network to be fetched: the same path."""
    net = torchvision().models.squeezenet1_1()
    torch.save(net.state_dict(), tmp_path / "weights.pth")
    found = transfers_alone.first_convolution(
        tmp_path / "weights.pth", "torchvision.models:squeezenet1_1"
    )
    assert torch.equal(found.kernel, net.features[0].weight) and found.stride == (2, 2)
    config = transfers_alone.configure(16, convolution=found, **SMALL, epochs=1)
    record = loop.train(config, Workspace(tmp_path / "runs", device="cpu"))
    assert record.choices["filters"] == remember(found) and record.metric.value > 0
    with pytest.raises(InvalidValue, match="does not fit"):
        transfers_alone.first_convolution(
            tmp_path / "weights.pth", "torchvision.models:mobilenet_v2"
        )


def test_the_papers_own_network_has_the_convolution_that_ours_is_shaped_after():
    theirs = transfers_alone.first_convolution("torchvision.models:resnet50")
    ours = transfers_alone.first_convolution()
    assert theirs.kernel.shape == ours.kernel.shape == (64, 3, 7, 7)
    assert (theirs.stride, theirs.padding) == (ours.stride, ours.padding)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"n": 0}, "n=0: it must be a whole number, at least 1"),
        ({"n_test": 0}, "n_test=0"),
        ({"epochs": 0}, "epochs=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"lr": 0.0}, "lr=0.0: it must be a positive"),
        ({"lr": float("inf")}, "lr=inf"),
        ({"momentum": 2.0}, "momentum=2.0"),
        ({"seed": -1}, "seed=-1"),
        ({"lr": float("nan")}, "lr=nan"),
        ({"lr": 1e39}, r"lr=1e\+39: .* at most 3e\+38"),
        ({"zork": 1}, "unknown training option 'zork'"),
    ],
)
def test_bad_numbers_are_one_sentence(changes, message):
    with pytest.raises((InvalidValue, UnknownName), match=message):
        transfers_alone.configure(16, **changes)


def test_bad_names_and_groups_are_one_sentence():
    with pytest.raises(UnknownName, match="random rows"):
        transfers_alone.configure(16, start="random row")
    with pytest.raises(UnknownName, match="test images"):
        transfers_alone.configure(16, on="tests")
    with pytest.raises(UnknownName, match="cifar10"):
        transfers_alone.configure(16, data="cifar")
    with pytest.raises(InvalidValue, match="group_size=7"):
        transfers_alone.configure(7)


def test_filters_that_are_not_at_hand_and_grey_images_are_one_sentence():
    config = transfers_alone.configure(16, filters="0123456789abcdef")
    with pytest.raises(InvalidValue, match="no convolution with this digest"):
        config.task()
    with pytest.raises(InvalidValue, match="reads 3 channels and the images of digits have 1"):
        transfers_alone.configure(16, data="digits").task().training()


def test_a_rate_that_is_too_large_is_reported(tmp_path):
    with pytest.raises(InvalidValue, match=r"diverged.*lr=30"):
        run(32, tmp_path, lr=30.0)
