"""Where each line of a paper's protocol comes from, and whether the package has what it says."""

import re
from collections import Counter
from dataclasses import fields

import pytest
import torch

from mgtutorial import models
from mgtutorial.data import catalogue
from mgtutorial.reproduction.papers.printed_table import read_table
from mgtutorial.training import flower, protocols

LINES = read_table("protocols.csv")
KNOWN = {  # name in the file: (protocol, data set) of `protocols.settings`
    **{f"mgiad-{name}": ("mgiad", name) for name in catalogue.PUBLISHED},
    **{f"{p}-{name}": ("mgic", name) for p in ("mgic", "mgic-first")
       for name in ("cifar10", "imagenet")},
    "poly-mgnet-cifar10": ("poly-mgnet", "cifar10"),
}  # fmt: skip
NOT_OF_A_PROTOCOL = {"model", "data", "budget", "protocol", "seed", "compile"}
FIELDS = {f.name: f.default for f in fields(protocols.TrainConfig)}


def of(name):
    return {line["field"]: line for line in LINES if line["protocol"] == name}


def says_a_difference(line):
    return line["remark"].startswith("differs: ")


def settings(name):
    """What a run of the budget `paper` has: what the protocol sets, and the defaults."""
    protocol, images = KNOWN[name]
    chosen = FIELDS | protocols.settings("paper", images, protocol)
    wanted = FIELDS.keys() - NOT_OF_A_PROTOCOL
    return {f: chosen[f] for f in wanted if f != "step_epochs" or chosen["schedule"] == "step"}


def test_lines_have_a_source_a_place_and_no_double():
    assert [line for line, n in Counter((x["protocol"], x["field"]) for x in LINES).items()
            if n > 1] == []  # fmt: skip
    for line in LINES:
        assert line["source"] in ("printed", "code", "chosen") and line["place"], line
        if line["source"] == "code":  # repository@commit
            assert re.match(r"[\w-]+/[\w-]+@[0-9a-f]{7}\b", line["place"]), line
        if not line["value"]:
            assert line["remark"].startswith("Not printed"), line


@pytest.mark.parametrize("name", KNOWN)
def test_every_field_of_a_run_has_a_line(name):
    assert settings(name).keys() <= of(name).keys()


@pytest.mark.parametrize("name", KNOWN)
def test_the_package_has_the_values_or_the_line_says_that_it_differs(name):
    for field, ours in settings(name).items():
        line = of(name)[field]
        assert (str(ours) != line["value"]) == says_a_difference(line), (line, ours)


@pytest.mark.parametrize("name", KNOWN)
def test_images_are_those_of_the_line_or_it_says_that_they_differ(name):
    _, images = KNOWN[name]
    mean, deviation = catalogue.info(images).mean, catalogue.info(images).std
    line = of(name)["normalisation"]
    assert (f"{mean}, {deviation}" != line["value"]) == says_a_difference(line), line
    line = of(name)["image size"]
    assert (str(catalogue.info(images).size) != line["value"]) == says_a_difference(line), line


def test_every_protocol_that_the_package_knows_is_listed():
    known = {
        (protocol, images)
        for protocol, sets in (("mgiad", catalogue.PUBLISHED), ("mgic", ("cifar10", "imagenet")),
                               ("poly-mgnet", ("cifar10",)))
        for images in sets
    }  # fmt: skip
    assert known == set(KNOWN.values())
    assert KNOWN.keys() <= {line["protocol"] for line in LINES}
    for protocol in {p for p, _ in known}:
        protocols.settings("paper", "cifar10", protocol)


@pytest.mark.parametrize(
    ("name", "network", "weight"),
    [
        ("mgiad-cifar10", "mgnet", "levels.0.A.weight"),
        ("poly-mgnet-cifar10", "poly-mgnet-q2", "levels.0.A.weight"),
        ("mgic-cifar10", "resnet56", "stem.0.weight"),
    ],
)
def test_initial_weights_are_those_of_the_line_or_it_says_that_they_differ(name, network, weight):
    torch.manual_seed(0)
    drawn = dict(models.named(network).build().named_parameters())[weight].detach()
    out, c_in, *kernel = drawn.shape
    pixels = kernel[0] * kernel[1]
    deviation = {  # torch's default is uniform up to 1/sqrt(fan-in)
        "torch's default": (3 * c_in * pixels) ** -0.5,
        "He, normal, fan-out": (2 / (out * pixels)) ** 0.5,
    }
    line = of(name)["initial weights"]
    as_said = abs(float(drawn.std()) / deviation[line["value"]] - 1) < 0.1
    assert as_said != says_a_difference(line), line


def test_the_function_of_the_plane_is_trained_as_its_lines_say():
    said = of("mgic-function")
    n, epochs, lr = flower.BUDGETS["paper"]
    ours = {
        "n_train": n,
        "epochs": epochs,
        "batch_size": flower.FlowerConfig.batch_size,
        "momentum": 0.9,
    }
    assert {field: said[field]["value"] for field in ours} == {f: str(v) for f, v in ours.items()}
    assert float(said["lr"]["value"]) == lr and flower.FlowerConfig.momentum == 0.9
