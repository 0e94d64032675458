"""The small relatives of all networks are smaller, of the same kind, and as deep."""

import pytest

from mgtutorial import models
from mgtutorial.models.counting import count_weights
from mgtutorial.models.narrow import narrowed


def kinds(config):
    """The classes of all modules behind the stem: what a network is made of, but for the widths."""
    import torch

    with torch.device("meta"):
        return [type(m) for m in config.build().levels.modules()]


@pytest.mark.parametrize("name", models.CONFIGS)
def test_a_small_relative_differs_in_its_widths_alone(name):
    config = models.named(name)
    small = narrowed(config)
    assert count_weights(small) < 0.5 * count_weights(config)
    # A rounded width may make a convolution superfluous.
    if "mobilenet" not in name:
        assert kinds(small) == kinds(config)


def test_no_number_fits_no_change():
    config = models.MgNetConfig(channels=(1, 2))
    assert narrowed(config) == config
