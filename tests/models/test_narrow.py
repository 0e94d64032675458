"""The small relatives of all networks are smaller, of the same kind, and as deep."""

import pytest

from mgtutorial import models
from mgtutorial.models.counting import count_weights
from mgtutorial.models.narrow import narrowed


def kinds(config):
    """The classes of all modules behind the stem: what a network is made of, but for the widths."""
    import torch

    with torch.device("meta"):
        net = config.build()
        return [type(m) for m in getattr(net, "levels", net).modules()]


@pytest.mark.parametrize("name", models.CONFIGS)
def test_a_small_relative_differs_in_its_widths_alone(name):
    config = models.named(name)
    small = narrowed(config)
    # For phones: most weights of the smallest are in a head of fixed width.
    mobile = "mobilenet" in name or "ghostnet" in name
    assert count_weights(small) < (0.7 if mobile else 0.5) * count_weights(config)
    # A rounded width may make a convolution superfluous.
    if not mobile:
        assert kinds(small) == kinds(config)


def test_no_number_fits_no_change():
    config = models.MgNetConfig(channels=(1, 2))
    assert narrowed(config) == config
