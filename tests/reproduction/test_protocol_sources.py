"""Where each line of a paper's protocol comes from, and whether the package has what it says."""

import json
import re
from collections import Counter
from dataclasses import fields, replace

import pytest
import torch

from mgtutorial import models
from mgtutorial.data import augmentation, autoaugment, catalogue
from mgtutorial.errors import InvalidValue
from mgtutorial.reproduction.papers.printed_table import read_table
from mgtutorial.training import departures, plane, protocols
from mgtutorial.training.recipe import Recipe

LINES = read_table("protocols.csv")
KNOWN = {  # name in the file: (protocol, data set)
    f"{protocol}-{images}": (protocol, images)
    for protocol, sets in protocols.PROTOCOLS.items()
    for images in sets
}
NOT_OF_A_PROTOCOL = {"model", "data", "budget", "protocol", *protocols.FREE}
# What the lines say beyond the fields of a config. The loop, the data sets, the reading of
# AutoAugment and the networks have them; tests of their own hold them to it.
IN_THE_CODE = {
    "optimiser", "nesterov", "loss", "image size", "runs", "epoch that is printed", "stem",
    "fill of the crop", "fill of shear, translate and rotate", "sign of rotate",
    "interpolation of shear", "pixels of translate", "thresholds of solarize",
    "batch_size at lambda = 3", "initial weights of the transfers",
}  # fmt: skip


def of(name):
    return {line["field"]: line for line in LINES if line["protocol"] == name}


def says_a_difference(line):
    return line["remark"].startswith("differs: ")


def settings(name, network="mgnet"):
    """What a run of the budget `paper` has, field by field."""
    protocol, images = KNOWN[name]
    config = protocols.configure(network, images, "paper", root="nowhere", protocol=protocol)
    names = {f.name for f in fields(config)} - NOT_OF_A_PROTOCOL - {"recipe"}
    assert config.recipe is None  # no paper has more than its fields say
    if config.schedule != "step":
        names.remove("step_epochs")
    return {f: getattr(config, f) for f in names} | {
        "initial_weights": config.model.initial_weights
    }


def written(value):
    return str(value)[1:-1] if isinstance(value, tuple) else str(value)


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
def test_every_field_of_a_run_has_the_value_of_its_line(name):
    for field, ours in settings(name).items():
        assert of(name)[field]["value"] == written(ours), (name, field)


@pytest.mark.parametrize("name", KNOWN)
def test_every_line_is_a_field_of_a_run_or_known_to_be_none(name):
    beyond = of(name).keys() - settings(name).keys()
    assert beyond <= IN_THE_CODE


def test_one_difference_is_left_and_says_so():
    """The stem of the code that is not MGiaD's own; the networks have ResNet's."""
    left = [(line["protocol"], line["field"]) for line in LINES if says_a_difference(line)]
    assert left == [("mgiad-imagenet", "stem")]
    convolution = models.named("mgnet", stem="7x7").build().stem[0]
    assert (convolution.stride, convolution.padding) == ((2, 2), (3, 3))


@pytest.mark.parametrize("name", KNOWN)
def test_images_have_the_size_of_the_line(name):
    assert of(name)["image size"]["value"] == str(catalogue.info(KNOWN[name][1]).size)


@pytest.mark.parametrize("name", ["mgiad-cifar10", "poly-mgnet-cifar10"])
def test_the_codes_autoaugment_is_that_of_the_lines(name):
    said = {field: line["value"] for field, line in of(name).items()}
    reads = autoaugment.READINGS["code"]
    assert said["fill of shear, translate and rotate"] == str(reads.fill)
    assert (said["sign of rotate"] == "+") == (not reads.turns_both_ways)
    assert (said["interpolation of shear"] == "bicubic") == reads.cubic
    assert (said["pixels of translate"] == "rounded") == reads.rounded
    assert said["thresholds of solarize"] == f"{reads.solarize} to 0"
    white = torch.full((60, 3, 8, 8), 255, dtype=torch.uint8)
    cropped = augmentation.crop_and_flip(white, torch.Generator().manual_seed(0), fill=128)
    assert said["fill of the crop"] == str(int(cropped.min()))


def test_the_widest_networks_on_imagenet_have_the_batch_of_their_line():
    widest = settings("mgiad-imagenet", "mgiad-lam3-c64-g8")["batch_size"]
    assert of("mgiad-imagenet")["batch_size at lambda = 3"]["value"] == str(widest)


def test_every_protocol_that_the_package_knows_is_listed():
    assert protocols.PROTOCOLS.keys() == {"mgiad", "mgic", "mgic-first", "poly-mgnet"}
    assert set(protocols.PROTOCOLS["mgiad"]) == set(catalogue.PUBLISHED)
    listed = {line["protocol"] for line in LINES}
    assert KNOWN.keys() <= listed
    not_of_images = ("mgic-function", "cityscapes", "modelnet10")
    assert all(name.endswith(not_of_images) for name in listed - KNOWN.keys())


OTHER = {  # a value that no protocol has
    "data": "synthetic", "budget": "short", "epochs": 7, "batch_size": 96, "lr": 0.3,
    "schedule": "one-cycle", "step_epochs": 7, "momentum": 0.8, "weight_decay": 5e-3,
    "augmentation": "cifar10", "n_train": 100, "split": "fit", "precision": "float16",
    "norm_parts": 8, "recipe": Recipe(average=0.9),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_a_run_under_the_protocol_departs_in_nothing_and_each_change_is_named(name):
    protocol, images = KNOWN[name]
    config = protocols.configure("mgnet", images, "paper", root="nowhere", protocol=protocol)
    assert departures.deviation(config) == ()
    assert protocols.TrainConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config
    mean, deviation = config.normalisation
    other = OTHER | {"normalisation": (tuple(2 * m for m in mean), deviation)}
    names = {f.name for f in fields(config)} - {"model", "protocol", *protocols.FREE}
    assert names == other.keys()
    for field, value in other.items():
        if field == "data":  # compared with what the paper has nowhere
            value, changes = "synthetic", {"normalisation": ((0.5,) * 3, (0.5,) * 3)}
        else:
            changes = {}
        changed = replace(config, **{field: value, **changes})
        if field == "step_epochs" and config.schedule != "step":
            assert departures.deviation(changed) == ()  # nothing reads it
        else:
            assert field in departures.deviation(changed), field
            assert field == "data" or departures.deviation(changed) == (field,)
    other = replace(config.model, initial_weights="he-fan-in-grouped")
    assert departures.deviation(replace(config, model=other)) == ("initial_weights",)
    free = replace(config, seed=17, memory="lean")
    assert departures.deviation(free) == ()


def test_a_protocol_is_no_other_papers():
    config = protocols.configure("resnet18", "cifar10", "paper", root="nowhere")
    assert set(departures.deviation(replace(config, protocol="poly-mgnet"))) == {"lr"}
    first = protocols.configure(
        "resnet18", "cifar10", "paper", root="nowhere", protocol="mgic-first"
    )
    assert departures.deviation(replace(first, protocol="mgic")) == ("epochs",)


def test_the_shorter_budgets_depart_in_the_budget_at_least():
    for budget in ("smoke", "demo", "short"):
        config = protocols.configure("mgnet", "cifar10", budget, root="nowhere")
        assert {"budget", "epochs", "initial_weights"} <= set(departures.deviation(config))


def test_the_widest_networks_are_held_to_their_own_batch():
    wide, narrow = (
        protocols.configure(f"mgiad-lam{lam}-c64-g8", "imagenet", "paper", root="nowhere")
        for lam in (3, 1)
    )
    assert departures.deviation(wide) == departures.deviation(narrow) == ()
    assert departures.deviation(replace(wide, batch_size=512)) == ("batch_size",)
    assert departures.deviation(replace(narrow, batch_size=256)) == ("batch_size",)


@pytest.mark.parametrize(
    "constants", [((0.5,), (0.5,)), ((0.5,) * 3, (0.5, 0.5, 0.0)), ((0.5,) * 3,)]
)
def test_a_normalisation_that_does_not_fit_is_one_sentence(constants):
    with pytest.raises(InvalidValue, match="each of the 3 channels of cifar10"):
        protocols.configure("mgnet", "cifar10", "paper", root="nowhere", normalisation=constants)


@pytest.mark.parametrize("protocol", protocols.PROTOCOLS)
def test_a_network_given_as_a_config_gets_the_start_of_the_protocol(protocol):
    for network in ("mgnet", models.named("mgnet")):
        config = protocols.configure(network, "cifar10", "paper", root="nowhere", protocol=protocol)
        assert config.model.initial_weights == of(f"{protocol}-cifar10")["initial_weights"]["value"]
    short = protocols.configure("mgnet", "cifar10", "short", root="nowhere", protocol=protocol)
    assert short.model.initial_weights == "he-fan-out" and short.normalisation is None


def test_the_function_of_the_plane_is_trained_as_its_lines_say():
    said = of("mgic-function")
    n, epochs = plane.BUDGETS["paper"]
    ours = {
        "n_train": n,
        "epochs": epochs,
        "batch_size": plane.PlaneConfig.batch_size,
        "momentum": 0.9,
    }
    assert {field: said[field]["value"] for field in ours} == {f: str(v) for f, v in ours.items()}
    assert float(said["lr"]["value"]) == plane.PAPER_RATE and plane.PlaneConfig.momentum == 0.9
