"""ResNets: counts on every data set, and the ImageNet networks against torchvision's."""

import pytest
import torch

from mgtutorial import models
from mgtutorial._torchvision import torchvision
from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.models import ResNetConfig
from mgtutorial.models.counting import count_macs, count_weights


@pytest.mark.parametrize(
    ("name", "changes", "weights"),
    [
        ("resnet18", {}, 11_173_962),
        ("resnet18", {"num_classes": 100}, 11_220_132),
        ("resnet18", {"num_classes": 200}, 11_271_432),
        ("resnet18", {"num_classes": 1000, "stem": "7x7"}, 11_689_512),
        ("resnet20", {}, 269_722),
        ("resnet56", {}, 853_018),
        ("resnet50", {}, 25_557_032),
    ],
)
def test_weights_are_the_published_integers(name, changes, weights):
    assert count_weights(models.named(name, **changes)) == weights


def test_resnet50_has_the_published_operations():
    assert round(count_macs(models.named("resnet50"), 224) / 1e9, 1) == 4.1


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_the_networks_are_torchvisions_on_imagenet(name):
    torch.manual_seed(0)
    config = models.named(name, num_classes=10, stem="7x7")
    net = config.build().double().eval()
    other = getattr(torchvision().models, name)(num_classes=10).double().eval()
    # Both list weights from the stem to the head, and in a block the shortcut last.
    values = net.state_dict().values()
    other.load_state_dict(dict(zip(other.state_dict(), values, strict=True)))
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        mine, theirs = net(x), other(x)
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12 * theirs.abs().max().item())


def test_a_shortcut_that_pads_adds_channels_of_zeros_on_both_sides():
    net = ResNetConfig(blocks=(1, 1), channels=(4, 8), shortcut="padding").build()
    x = torch.randn(1, 4, 6, 6)
    y = net.levels[1].blocks[0].shortcut(x)
    assert y.shape == (1, 8, 3, 3)
    assert torch.equal(y[:, 2:6], x[:, :, ::2, ::2])
    assert y[:, :2].abs().max() == y[:, 6:].abs().max() == 0


def test_levels_halve_the_resolution_and_know_their_blocks():
    net = models.named("resnet20", in_channels=1).build().eval()
    x, sides = net.stem(torch.zeros(1, 1, 28, 28)), []
    for level in net.levels:
        x = level(x)
        sides.append(x.shape[-1])
    assert sides == [28, 14, 7]
    assert [len(level.blocks) for level in net.levels] == [3, 3, 3]


@pytest.mark.parametrize("size", [28, 32, 64, 224])
def test_resnet50_takes_the_image_sizes_of_the_data_sets(size):
    with torch.device("meta"):
        net = models.named("resnet50", in_channels=1, num_classes=7).build().eval()
        assert net(torch.zeros(2, 1, size, size)).shape == (2, 7)


def test_records_of_basic_blocks_are_what_they_were():
    assert "block" not in models.as_dict(models.named("resnet20"))
    config = models.named("resnet50")
    assert models.from_dict(models.as_dict(config)) == config


def test_bad_configurations_are_sentences():
    with pytest.raises(UnknownName, match="unknown block 'deep'"):
        ResNetConfig(block="deep")
    with pytest.raises(InvalidValue, match="num_classes=-1"):
        ResNetConfig(num_classes=-1)
    with pytest.raises(InvalidValue, match="4 levels on a finest grid of 2 x 2"):
        ResNetConfig().build()(torch.zeros(1, 3, 2, 2))
