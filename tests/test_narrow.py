"""The small relatives of all networks are smaller, of the same kind, and as deep."""

import pytest

from mgtutorial import models
from mgtutorial.counting import count_weights
from mgtutorial.models.narrow import narrowed


def kinds(config):
    """The classes of all modules in order: what a network is made of, but for the widths."""
    import torch

    with torch.device("meta"):
        return [type(m) for m in config.build().modules()]


@pytest.mark.parametrize("name", models.CONFIGS)
def test_a_small_relative_differs_in_its_widths_alone(name):
    config = models.named(name)
    small = narrowed(config)
    assert count_weights(small) < 0.5 * count_weights(config)
    if "mobilenet" not in name:  # whose widths are rounded, so that a convolution may fall away
        assert kinds(small) == kinds(config)


def test_no_number_fits_no_change():
    config = models.MgNetConfig(channels=(1, 2))
    assert narrowed(config) == config
