"""Configs fit to data sets, know old names, and are wrong when they are made or never."""

import json
from dataclasses import fields, replace

import pytest
import torch

from mgtutorial import data, models
from mgtutorial.errors import InvalidValue, MgtutorialError, UnknownName

from .kinds import KINDS


def test_a_data_set_chooses_stem_norms_and_ends():
    config = models.named("mgiad-lam1-c64-g8", data=data.info("imagenet"), num_classes=100)
    assert (config.stem, config.transfer_norms, config.num_classes) == ("7x7", "all", 100)
    assert models.named("mgnet-20", data=data.info("digits")).in_channels == 1
    with pytest.raises(InvalidValue, match=r"does not say its name, channels.*data\.info"):
        models.named("mgnet-20", data="imagenet")


@pytest.mark.parametrize("name", ["mgiad-lam1-c64-g8", "resnet18"])
def test_large_images_with_the_small_stem_are_a_warning_that_says_the_memory(name):
    smaller = {"channels": (4, 8), "blocks": (1, 1)} if name == "resnet18" else {}
    net = models.named(name, num_classes=100, **smaller).build().eval()
    held = [
        models.activations_held(replace(net.config, stem=stem), 2, 224).bytes / 2**21
        for stem in ("3x3", "7x7")
    ]
    x = torch.zeros(1, 3, 224, 224)
    with torch.no_grad(), pytest.warns(UserWarning, match=r"224 x 224 .* MiB") as said:
        net(x)
    for number in held:
        assert f" {number:.0f} MiB" in str(said[0].message)
    assert held[0] > 4 * held[1]
    net(torch.zeros(1, 3, 32, 32))
    with torch.no_grad():
        net(x)  # said once


def test_old_names_of_group_size_and_coarsest_are_accepted():
    old = models.MGICResNetConfig(s_g=16, s_c=32)
    new = models.MGICResNetConfig(group_size=16, coarsest=32)
    assert old == new and (old.s_g, old.s_c) == (16, 32)
    assert replace(old, s_g=4) == replace(new, group_size=4)
    assert models.named("mgic-resnet56-c16-g8", s_g=4).group_size == 4
    assert models.TransfersConfig(s_g=8) == models.TransfersConfig(8)
    assert models.ImplicitConfig(0.8, s_c=16).coarsest == 16
    plain = models.as_dict(new)  # records keep the old names, and with them their digests
    assert plain["s_g"] == 16 and "group_size" not in plain
    renamed = {{"s_g": "group_size", "s_c": "coarsest"}.get(k, k): v for k, v in plain.items()}
    assert models.from_dict(plain) == models.from_dict(renamed) == new
    with pytest.raises(UnknownName, match="field of MGICResNetConfig"):
        models.named("mgic-resnet56-c16-g8", s_x=4)


WRONG = [None, "other", 2.5, -1, 0, (), (0,), ("a",), (None,), (16.0,), float("nan"), True, {}]


@pytest.mark.parametrize(
    "config",
    [*KINDS.values(), models.ImplicitConfig(0.8, "grouped"), models.TransfersConfig(16)],
    ids=lambda c: type(c).__name__,
)
def test_a_config_that_can_be_made_can_be_built(config):
    """Each field with each wrong value: a sentence at once, or a network."""
    for field in fields(config):
        for value in WRONG:
            try:
                made = replace(config, **{field.name: value})
            except MgtutorialError as error:
                assert str(error).endswith("."), (field.name, value)
                continue
            models.built(made)


def test_numpys_numbers_and_lists_are_taken():
    import numpy as np

    config = models.MgNetConfig([8, 16], np.int64(2))
    assert config == models.MgNetConfig((8, 16), 2)
    json.dumps(models.as_dict(config))


# ---------------------------------------------------------------------- names of public code


def test_placements_of_the_public_code():
    of_code = models.placements_of_code
    for name, linear_type in (("q2", "outside"), ("g4", "double"), ("g6", "double")):
        config = models.named(f"poly-mgnet-{name}")  # the code's defaults are its placements
        assert of_code(name, linear_type) == tuple(p for _, p, _ in config.each_step())
    assert of_code("g8", "double-outside", "norelu") == ("plain",) * 3 + ("norm-only",)
    assert of_code("g4", "relu-outside-nobn") == of_code("g4", "relu-outside")
    for name in ("q2", "g4", "g6", "g8"):
        for linear_type in ("regular", "outside", "relu-outside"):
            placement = of_code(name, linear_type)
            assert models.PolyMgNetConfig(steps=name, placement=placement).placement == placement
    # read in the code: q2's block has no branch for "double", and one for the two other names
    assert of_code("q2", "double-outside") == ("outside", "outside")
    assert of_code("q2", "double-relu-outside") == ("norm-update", "relu-outside")
    with pytest.raises(InvalidValue, match="leaves u as it is; give 'regular'"):
        of_code("q2", "double")
    with pytest.raises(InvalidValue, match="the public code stops"):
        of_code("g6", "double", "inside")
    with pytest.raises(UnknownName, match="linear_type"):
        of_code("q2", "inside")


@pytest.mark.parametrize("name", KINDS)
def test_a_size_that_no_network_has_is_refused_when_the_config_is_made(name):
    """In every whole number of every kind, also those inside rows; before anything is built."""
    config, tried = KINDS[name], 0
    for f in fields(config):
        value = getattr(config, f.name)
        if models.config.is_whole(value):
            huge = [2**20]
        elif isinstance(value, tuple) and models.config.is_whole(value[0]):
            huge = [(2**40, *value[1:]), value[:1] * 10**4]
        elif isinstance(value, tuple) and isinstance(value[0], tuple):
            huge = [((2**40, *value[0][1:]), *value[1:]), value[:1] * 10**4]
        else:
            continue
        for one in huge:
            tried += 1
            with pytest.raises(MgtutorialError, match=f.name):
                replace(config, **{f.name: one})
    assert tried >= 3
