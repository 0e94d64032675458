"""The small relatives of all networks are smaller, of the same kind, and as deep."""

import pytest
import torch

from mgtutorial import models
from mgtutorial.models.config import narrowed
from mgtutorial.models.counting import built, count_weights
from mgtutorial.models.strided import NarrowStrided


def kinds(net):
    """The classes of all modules behind the stem: what a network is made of, but for the widths."""
    found = (type(m) for m in getattr(net, "levels", net).modules())
    # the same function by another way: few channels decide for it
    return [torch.nn.Conv2d if kind is NarrowStrided else kind for kind in found]


def before_the_head(net):
    """Weights of all but the head, whose width is not the network's."""
    return sum(p.numel() for name, p in net.named_parameters() if not name.startswith("head"))


# More than half of their weights are in a head of 1280 features, which narrowing leaves alone.
HEAVY_HEADS = ("ghostnet-0.5x", "mgic-mobilenetv3-0.6-code")


@pytest.mark.parametrize("name", models.CONFIGS)
def test_a_small_relative_differs_in_its_widths_alone(name):
    config = models.named(name)
    # on meta, and each once: that is what takes time
    net, small = built(config), built(narrowed(config))
    assert before_the_head(small) < 0.5 * before_the_head(net)
    if name not in HEAVY_HEADS:
        assert count_weights(small) < 0.5 * count_weights(net)
    # A rounded width may make a convolution superfluous.
    if "mobilenet" not in name and "ghostnet" not in name:
        assert kinds(small) == kinds(net)


def test_no_number_fits_no_change():
    config = models.MgNetConfig(channels=(1, 2))
    assert narrowed(config) == config
