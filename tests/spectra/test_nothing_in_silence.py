"""Weights in other units, under other names or beside others: told, never taken in silence."""

import argparse
import sys

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from mgtutorial.errors import InvalidValue
from mgtutorial.training.weights import convolutions_of

from .test_anybodys_files import prefixed

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated:FutureWarning")


@pytest.fixture
def plain(monkeypatch):
    """A network of one convolution; ``anybodys:Net`` makes such ones."""

    def net():
        return nn.Sequential(nn.Conv2d(2, 2, 3))

    monkeypatch.setitem(sys.modules, "anybodys", argparse.Namespace(Net=net))
    return net()


def stored(state, kind, scale="0.weight_scale"):
    """The weight in a type of one byte, and by what it has to be multiplied."""
    step = state["0.weight"].abs().max() / 127
    units = state["0.weight"] / step
    units = units if kind.is_floating_point else units.round()
    return {**state, "0.weight": units.to(kind), scale: step}


@pytest.mark.parametrize("kind", [torch.int8, torch.float8_e4m3fn])
@pytest.mark.parametrize("scale", ["0.weight_scale", "0.SCB", "0.weight.absmax", "0.scale"])
def test_a_weight_in_units_of_its_own_is_refused_with_a_network_and_without(
    kind, scale, plain, tmp_path
):
    torch.save(stored(plain.state_dict(), kind, scale), tmp_path / "w.pt")
    with pytest.raises(InvalidValue, match=r"whole numbers|scales 0\.weight there, and not here"):
        convolutions_of(tmp_path / "w.pt", "anybodys:Net")
    with pytest.raises(InvalidValue, match=f"{scale} scales it"):
        convolutions_of(tmp_path / "w.pt")


def test_a_weight_of_one_byte_is_taken_where_the_network_has_its_scale(tmp_path, monkeypatch):
    class Scaled(nn.Conv2d):
        def __init__(self, *how):
            super().__init__(*how)
            self.weight_scale = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return self._conv_forward(x, self.weight * self.weight_scale, self.bias)

    net = nn.Sequential(Scaled(2, 2, 3))
    made = argparse.Namespace(Net=lambda: nn.Sequential(Scaled(2, 2, 3)))
    monkeypatch.setitem(sys.modules, "anybodys", made)
    torch.save(stored(net.state_dict(), torch.float8_e4m3fn), tmp_path / "w.pt")
    found = convolutions_of(tmp_path / "w.pt", "anybodys:Net")
    torch.testing.assert_close(found["0"].kernel, net[0].weight.detach(), rtol=0.1, atol=0.01)


def test_a_mask_of_pruning_may_be_of_one_byte(tmp_path, monkeypatch):
    def net():
        return nn.Sequential(prune.l1_unstructured(nn.Conv2d(2, 2, 3), "weight", 0.5))

    monkeypatch.setitem(sys.modules, "anybodys", argparse.Namespace(Net=net))
    state = net().state_dict()
    torch.save({**state, "0.weight_mask": state["0.weight_mask"].bool()}, tmp_path / "w.pt")
    found = convolutions_of(tmp_path / "w.pt", "anybodys:Net")
    assert torch.equal(found["0"].kernel, state["0.weight_orig"] * state["0.weight_mask"])


@pytest.mark.parametrize(
    "first, second",
    [("student", "teacher"), ("model", "ema_model"), ("encoder_q", "encoder_k"), ("0", "1")],
)
def test_weights_under_another_prefix_are_named(first, second, plain, tmp_path):
    state = plain.state_dict()
    both = prefixed(f"{first}.")(state) | prefixed(f"{second}.")(
        {k: 2 * v for k, v in state.items()}
    )
    torch.save({**both, "queue": torch.ones(4, 4)}, tmp_path / "w.pt")
    found = convolutions_of(tmp_path / "w.pt", "anybodys:Net")
    assert torch.equal(found["0"].kernel, state["0.weight"])
    assert found.passed_over == {
        second: f"the file has these weights too; those of {first} were read.",
        "queue": "anybodys:Net has no such weights (1).",
    }


def test_part_of_the_weights_under_another_prefix_is_named_too(plain, tmp_path):
    state = prefixed("student.")(plain.state_dict()) | {"teacher.0.weight": torch.ones(2, 2, 3, 3)}
    torch.save(state, tmp_path / "w.pt")
    found = convolutions_of(tmp_path / "w.pt", "anybodys:Net")
    assert list(found.passed_over) == ["teacher.0.weight"]
    torch.save(plain.state_dict() | prefixed("ema.")(plain.state_dict()), tmp_path / "w.pt")
    found = convolutions_of(tmp_path / "w.pt", "anybodys:Net")
    assert "those of no prefix were read" in found.passed_over["ema"]


@pytest.mark.parametrize("key", ["state_dict", "model", "critic"])
@pytest.mark.parametrize("loose", ["example_input", "confusion"])
@pytest.mark.parametrize("network", [None, "anybodys:Net"])
def test_a_tensor_beside_a_state_does_not_hide_it(key, loose, network, plain, tmp_path):
    value = torch.rand(1, 3, 8, 8) if loose == "example_input" else torch.rand(10, 10)
    torch.save({loose: value, key: plain.state_dict(), "loss": torch.ones(3)}, tmp_path / "w.pt")
    found = convolutions_of(tmp_path / "w.pt", network)
    assert [name.removeprefix("critic.") for name in found] == ["0"]
    assert found.passed_over == {loose: "it lies beside the weights that were read."}


def test_weights_beside_those_of_an_average_are_still_the_first(plain, tmp_path):
    torch.save({**plain.state_dict(), "ema": {"0.weight": torch.ones(2, 2, 3, 3)}},
               tmp_path / "w.pt")  # fmt: skip
    found = convolutions_of(tmp_path / "w.pt")
    assert torch.equal(torch.as_tensor(found["0"].kernel), plain[0].weight.detach())
    assert list(found) == ["0"] and list(found.passed_over) == ["ema"]


def test_what_an_optimiser_keeps_is_no_convolution_whatever_its_key(plain, tmp_path):
    optimiser = torch.optim.Adam(plain.parameters())
    plain(torch.ones(1, 2, 4, 4)).sum().backward()
    optimiser.step()
    state, moments = plain.state_dict(), optimiser.state_dict()
    named = {"x": moments, "netG_optimizer": moments["state"], "optimizerG": moments["state"],
             "my_optimiser": moments["state"], "states": [moments]}  # fmt: skip
    torch.save({"g": state, "d": state, **named}, tmp_path / "w.pt")
    found = convolutions_of(tmp_path / "w.pt")
    assert list(found) == ["g.0", "d.0"] and found.passed_over.keys() == named.keys()
    assert convolutions_of(tmp_path / "w.pt", "anybodys:Net").passed_over.keys() >= named.keys()
    torch.save(moments, tmp_path / "w.pt")
    with pytest.raises(InvalidValue, match="contains no weights"):
        convolutions_of(tmp_path / "w.pt")


@pytest.mark.parametrize("key", ["optical_flow", "amplifier", "optimal", "callback"])
def test_a_network_is_no_part_of_a_training_because_its_name_begins_like_one(key, plain, tmp_path):
    torch.save({"other": plain.state_dict(), key: plain.state_dict()}, tmp_path / "w.pt")
    assert f"{key}.0" in convolutions_of(tmp_path / "w.pt")


def test_a_network_under_the_name_of_a_part_of_a_training_is_named(plain, tmp_path):
    torch.save({"net": plain.state_dict(), "amp": plain.state_dict()}, tmp_path / "w.pt")
    found = convolutions_of(tmp_path / "w.pt")
    assert list(found) == ["0"] and list(found.passed_over) == ["amp"]


def test_plain_data_that_contains_itself_is_read(plain, tmp_path):
    log = [torch.ones(2)]
    log.append(log)
    torch.save({"net": plain.state_dict(), "log": log}, tmp_path / "w.pt")
    assert list(convolutions_of(tmp_path / "w.pt")) == ["0"]


def test_extra_state_of_the_file_is_that_of_the_network(tmp_path, monkeypatch):
    class Gain(nn.Conv2d):
        gain = 1.0

        def get_extra_state(self):
            return {"gain": self.gain}

        def set_extra_state(self, state):
            self.gain = state["gain"]

        def forward(self, x):
            return self._conv_forward(x, self.weight * self.gain, self.bias)

    net = nn.Sequential(Gain(2, 2, 3))
    net[0].gain = 5.0
    made = argparse.Namespace(Net=lambda: nn.Sequential(Gain(2, 2, 3)))
    monkeypatch.setitem(sys.modules, "anybodys", made)
    state = net.state_dict()
    for whole in (state, {"model": prefixed("module.")(state)}):
        torch.save(whole, tmp_path / "w.pt")
        found = convolutions_of(tmp_path / "w.pt", "anybodys:Net")
        torch.testing.assert_close(found["0"].kernel, 5 * net[0].weight.detach())
        assert not found.passed_over
    key = "0._extra_state"
    torch.save({k: v for k, v in state.items() if k != key}, tmp_path / "w.pt")
    found = convolutions_of(tmp_path / "w.pt", "anybodys:Net")
    assert "that of a new network" in found.passed_over[key]
    torch.save({**state, key: {"other": 1}}, tmp_path / "w.pt")
    with pytest.raises(InvalidValue, match=r"does not fit .*KeyError: 'gain'"):
        convolutions_of(tmp_path / "w.pt", "anybodys:Net")


@pytest.mark.parametrize("config", [{"lr": 0.1}, {"model": "resnet"}, {"model": {"depth": 3}}, []])
def test_a_file_of_another_program_may_have_a_run_and_a_config(config, plain, tmp_path):
    torch.save({"run": "x", "config": config, "model": plain.state_dict()}, tmp_path / "w.pt")
    assert list(convolutions_of(tmp_path / "w.pt")) == ["0"]
