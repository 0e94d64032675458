"""The small relatives of all networks are smaller, of the same kind, and as deep."""

import pytest

from mgtutorial import models
from mgtutorial.models.config import narrowed
from mgtutorial.models.counting import count_weights
from mgtutorial.models.strided import NarrowStrided


def kinds(config):
    """The classes of all modules behind the stem: what a network is made of, but for the widths."""
    import torch

    with torch.device("meta"):
        net = config.build()
        found = (type(m) for m in getattr(net, "levels", net).modules())
        # the same function by another way: few channels decide for it
        return [torch.nn.Conv2d if kind is NarrowStrided else kind for kind in found]


def before_the_head(config):
    """Weights of all but the head, whose width is not the network's."""
    import torch

    with torch.device("meta"):
        named = config.build().named_parameters()
        return sum(p.numel() for name, p in named if not name.startswith("head"))


# More than half of their weights are in a head of 1280 features, which narrowing leaves alone.
HEAVY_HEADS = ("ghostnet-0.5x", "mgic-mobilenetv3-0.6-code")


@pytest.mark.parametrize("name", models.CONFIGS)
def test_a_small_relative_differs_in_its_widths_alone(name):
    config = models.named(name)
    small = narrowed(config)
    assert before_the_head(small) < 0.5 * before_the_head(config)
    if name not in HEAVY_HEADS:
        assert count_weights(small) < 0.5 * count_weights(config)
    # A rounded width may make a convolution superfluous.
    if "mobilenet" not in name and "ghostnet" not in name:
        assert kinds(small) == kinds(config)


def test_no_number_fits_no_change():
    config = models.MgNetConfig(channels=(1, 2))
    assert narrowed(config) == config
