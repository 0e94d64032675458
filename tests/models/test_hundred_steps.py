"""The record of a hundred steps has every network once, and each is still the network it was."""

import json
import re
import runpy
from pathlib import Path

import pytest

from mgtutorial import _paths
from mgtutorial.models import counting
from mgtutorial.training import protocols

from ..project.prose import says

BENCHMARK = Path(__file__).resolve().parents[2] / "experiments" / "hundred_steps.py"


@pytest.fixture(scope="module")
def lines():
    text = (_paths.packaged_results() / "hundred_steps.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_every_named_network_and_every_placement_took_its_steps_once(lines):
    wanted = [name for name, *_ in runpy.run_path(str(BENCHMARK))["networks"]()]
    assert sorted(line["network"] for line in lines) == sorted(wanted)


def test_the_networks_have_the_weights_that_they_had(lines):
    configs = {name: config for name, config, *_ in runpy.run_path(str(BENCHMARK))["networks"]()}
    recorded = {line["network"]: line["weights"] for line in lines}
    assert recorded == {name: counting.count_weights(config) for name, config in configs.items()}


def test_each_network_took_them_at_the_rate_of_its_own_paper(lines):
    wanted = {
        name: protocols.settings("paper", data, protocol)["lr"]
        for name, _, protocol, data in runpy.run_path(str(BENCHMARK))["networks"]()
    }
    assert {line["network"]: line["lr"] for line in lines} == wanted


def test_a_run_that_stopped_early_says_that_it_diverged(lines):
    assert all(line["finite"] == (line["steps"] == 100) for line in lines)
    assert all((line["loss_last_10"] is not None) == line["finite"] for line in lines)


def test_without_a_norm_around_u_about_half_and_nearly_all_placements_diverge(lines):
    told = []
    for network in ("poly-mgnet-q2", "poly-mgnet-g6-pair"):
        own = [line for line in lines if line["network"].startswith(f"{network}, placement")]
        bare = [e for e in own if not re.search("placement (outside|norm-only),", e["network"])]
        told.append(f"{sum(not e['finite'] for e in bare)} of {len(bare)}")
    says("poly_mgnet", f"no norm around $u$, {told[0]} and {told[1]} diverge")
