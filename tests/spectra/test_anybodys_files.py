"""How other people's files wrap their weights, and of what type the tensors may be."""

import argparse
import csv
import sys
import warnings

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from mgtutorial.cli import main
from mgtutorial.errors import InvalidValue
from mgtutorial.training.weights import convolutions_of

from .test_anybodys_checkpoint import Small

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated:FutureWarning")


# ------------------------------------------------------------------ how files wrap weights
def lightning(state):
    return {"epoch": 3, "state_dict": {f"model.{k}": v for k, v in state.items()},
            "optimizer_states": [{"state": {}}], "hyper_parameters": {"lr": 0.1}}  # fmt: skip


def prefixed(*prefixes):
    def wrap(state):
        return {"".join(prefixes) + k: v for k, v in state.items()}

    return wrap


def under(key):
    return lambda state: {key: state, "epoch": 3, "loss": torch.tensor(0.1)}


KEYS = (
    "net",
    "model_state_dict",
    "params",
    "model",
    "network",
    "state_dict",
    "weights",
    "generator",
)
WRAPPED = {
    **{key: under(key) for key in (*KEYS, "ema", "generator")},
    "two levels": lambda state: {"checkpoint": {"model": state, "step": 1}},
    "optimizer first": lambda state: {"optimizer": {"m": torch.ones(4, 4, 3, 3)}, "net": state},
    "Namespace": lambda state: {"model": state, "args": argparse.Namespace(lr=0.1)},
    "numpy accuracy": lambda state: {"net": state, "acc": np.float64(91.2), "best": np.float32(1)},
    "DataParallel": prefixed("module."),
    "compiled": prefixed("_orig_mod."),
    "both": prefixed("module.", "_orig_mod."),
    "inside": lambda state: {k.replace("first", "first._orig_mod"): v for k, v in state.items()},
    "averaged": lambda state: {"n_averaged": torch.tensor(3)} | prefixed("module.")(state),
    "wrapped and prefixed": lambda state: {"net": prefixed("module.")(state), "acc": 0.9},
}  # fmt: skip


@pytest.mark.parametrize("how", WRAPPED)
def test_wrappers_and_prefixes(how, tmp_path, monkeypatch):
    net = Small()
    path = tmp_path / "w.pth"
    torch.save(WRAPPED[how](net.state_dict()), path)
    alone = convolutions_of(path)
    assert list(alone) == ["first", "second", "last"]
    monkeypatch.setitem(sys.modules, "anybodys", argparse.Namespace(Net=Small))
    filled = convolutions_of(path, "anybodys:Net")
    for name in alone:
        assert torch.equal(filled[name].kernel, net.get_submodule(name).weight.detach())
    assert str(path) in alone.weights


def test_a_prefix_that_the_network_does_not_have(tmp_path, monkeypatch):
    net = Small()
    torch.save(lightning(net.state_dict()), tmp_path / "l.ckpt")
    monkeypatch.setitem(sys.modules, "anybodys", argparse.Namespace(Net=Small))
    found = convolutions_of(tmp_path / "l.ckpt", "anybodys:Net")
    assert torch.equal(found["second"].kernel, net.second.weight.detach())
    assert "model.second" in convolutions_of(tmp_path / "l.ckpt")
    compiled = argparse.Namespace(net=nn.DataParallel(Small()))
    monkeypatch.setitem(sys.modules, "anybodys", compiled)
    found = convolutions_of(tmp_path / "l.ckpt", "anybodys:net")
    assert list(found) == ["first", "second", "last"]


def test_two_networks_in_one_file(tmp_path):
    one, other = Small(), nn.Sequential(nn.Conv2d(3, 5, 3))
    torch.save({"G": one.state_dict(), "D": other.state_dict()}, tmp_path / "gan.pt")
    assert list(convolutions_of(tmp_path / "gan.pt")) == [
        "G.first", "G.second", "G.last", "D.0",
    ]  # fmt: skip
    torch.save({"ema": other.state_dict(), "model": one.state_dict()}, tmp_path / "ema.pt")
    found = convolutions_of(tmp_path / "ema.pt")
    assert list(found) == ["first", "second", "last"] and "ema" in found.passed_over


# ------------------------------------------------------------------ what tensors may be
def tensors(w):
    with warnings.catch_warnings():  # a kind of file that torch no longer likes to make
        warnings.simplefilter("ignore")
        quantised = torch.quantize_per_tensor(w, 0.05, 0, torch.qint8)
    few = w.clone()
    few[few.abs() < 0.1] = 0
    return {
        "parameter": (nn.Parameter(w), w),
        "half": (w.half(), w.half()),
        "bfloat16": (w.bfloat16(), w.bfloat16()),
        "double": (w.double(), w),
        "float8": (w.to(torch.float8_e4m3fn), w.to(torch.float8_e4m3fn).float()),
        "float8 e5m2": (w.to(torch.float8_e5m2), w.to(torch.float8_e5m2).float()),
        "complex": (w + 1j * w.flip(0), w + 1j * w.flip(0)),
        "sparse": (few.to_sparse(), few),
        "quantised": (quantised, quantised.dequantize()),
        "strided": (w.permute(1, 0, 2, 3), w.permute(1, 0, 2, 3)),
        "expanded": (w[:1].expand(4, 4, 3, 3), w[:1].expand(4, 4, 3, 3)),
        "channels last": (w.contiguous(memory_format=torch.channels_last), w),
    }


TENSORS = list(tensors(torch.ones(4, 4, 3, 3)))


@pytest.mark.parametrize("kind", TENSORS)
@pytest.mark.filterwarnings("ignore::UserWarning")  # of torch, on sparse and quantised files
def test_tensors_of_every_kind(kind, tmp_path):
    value, same = tensors(torch.randn(4, 4, 3, 3, generator=torch.Generator().manual_seed(0)))[kind]
    torch.save({"a.weight": value}, tmp_path / "w.pt")
    kernel = torch.as_tensor(convolutions_of(tmp_path / "w.pt")["a"].kernel)
    torch.testing.assert_close(kernel.to(torch.complex128), same.to(torch.complex128))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (torch.ones(4, 4, 3, 3, device="meta"), "meta"),
        (torch.ones(4, 4, 3, 3, dtype=torch.int8), "whole numbers"),
        (torch.ones(4, 4, 3, 3, dtype=torch.bool), "whole numbers"),
        (nn.UninitializedParameter(), "initialised"),
        (torch.ones(()).expand(40000, 40000, 3, 3), "entries"),
        (torch.full((4, 4, 3, 3), float("nan")), "NaN"),
    ],
    ids=["meta", "int8", "bool", "lazy", "expanded", "nan"],
)
def test_tensors_that_are_no_weights_are_named(value, why, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"a.weight": value, "b.weight": torch.ones(2, 2, 3, 3)}, "w.pt")
    assert main(["spectrum", "w.pt", "--size", "4"]) == 0
    said = capsys.readouterr()
    assert "left out: a" in said.err and why in said.err and "b" in said.out
    torch.save({"a.weight": value}, "alone.pt")
    assert main(["spectrum", "alone.pt", "--size", "4"]) == 2


def test_what_is_no_convolution_is_not_listed(tmp_path):
    net = nn.ModuleDict({
        "conv": nn.Conv2d(2, 2, 3), "line": nn.Conv1d(2, 2, 3), "solid": nn.Conv3d(1, 1, 3),
        "norm": nn.LayerNorm((2, 4, 4)), "attention": nn.MultiheadAttention(4, 2),
    })  # fmt: skip
    state = net.state_dict() | {
        "attn_mask": torch.full((1, 1, 4, 4), float("-inf")),
        "pos_embed": torch.randn(1, 5, 4),
        "grid": torch.zeros(1, 2, 2, 2),
        "total_ops": torch.zeros(1),
        "net._extra_state": {"anything": 1},
    }
    torch.save(state, tmp_path / "w.pt")
    found = convolutions_of(tmp_path / "w.pt")
    assert list(found) == ["conv", "line", "solid"]
    assert list(found.passed_over) == ["attn_mask", "grid"]


@pytest.mark.parametrize("key", [0, ("c2", "weight"), 3.5, None, b"weight"])
def test_keys_that_are_no_words(key, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({key: torch.ones(2, 2, 3, 3), str(key): torch.ones(2, 2, 3, 3)}, "x.pth")
    assert main(["spectrum", "x.pth", "--size", "4"]) == 0, capsys.readouterr().err


def test_a_complex_file_is_not_cut_to_a_real_network(tmp_path, monkeypatch):
    state = {k: v + 1j if v.is_floating_point() else v for k, v in Small().state_dict().items()}
    torch.save(state, tmp_path / "c.pt")
    monkeypatch.setitem(sys.modules, "anybodys", argparse.Namespace(Net=Small))
    with pytest.raises(InvalidValue, match="complex there, real here"):
        convolutions_of(tmp_path / "c.pt", "anybodys:Net")


def test_extra_state_and_extra_weights_are_no_reason_to_refuse(tmp_path, monkeypatch):
    class Extra(Small):
        def get_extra_state(self):
            return {"steps": 3}

        def set_extra_state(self, state):
            self.steps = state["steps"]

    state = Extra().state_dict() | {"total_ops": torch.zeros(1), "aux.weight": torch.ones(2, 2)}
    torch.save(state, tmp_path / "e.pt")
    monkeypatch.setitem(sys.modules, "anybodys", argparse.Namespace(Net=Extra))
    found = convolutions_of(tmp_path / "e.pt", "anybodys:Net")
    assert list(found) == ["first", "second", "last"]
    assert any("aux.weight" in name for name in found.passed_over)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "no suffix"])
def test_safetensors(name, tmp_path, monkeypatch):
    net = Small()
    safetensors.torch.save_file(prefixed("module.")(net.state_dict()), tmp_path / name)
    found = convolutions_of(tmp_path / name)
    assert torch.equal(torch.as_tensor(found["second"].kernel), net.second.weight.detach())
    monkeypatch.setitem(sys.modules, "anybodys", argparse.Namespace(Net=Small))
    assert list(convolutions_of(tmp_path / name, "anybodys:Net")) == ["first", "second", "last"]
    whole = (tmp_path / name).read_bytes()
    for damaged in (whole[:40], whole[:-7], b"\xff" * 8 + whole[8:]):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(InvalidValue, match="no file of weights"):
            convolutions_of(tmp_path / name)


def test_a_file_that_would_run_something_is_named(tmp_path):
    torch.save({"model": Small()}, tmp_path / "whole.pt")
    with pytest.raises(InvalidValue, match=r"it holds .*Small"):
        convolutions_of(tmp_path / "whole.pt")


def test_every_value_of_the_csv_says_where_its_weights_are_from(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    numbers = []
    for _ in range(2):
        assert main(["spectrum", "mgnet-20", "--layer", "stem.0", "--size", "4"]) == 0
        out = capsys.readouterr().out
        assert "untrained, seed 0" in out
        numbers.append(out.split("weights")[1].split("written")[0])
    assert numbers[0] == numbers[1]
    for path in ("mgnet-20-spectrum.csv", "mgnet-20-2-spectrum.csv"):
        rows = list(csv.DictReader((tmp_path / path).read_text().splitlines()))
        assert rows and {row["weights"] for row in rows} == {"untrained, seed 0"}
    before = torch.random.get_rng_state()
    convolutions_of("mgnet-20")
    assert torch.equal(torch.random.get_rng_state(), before)
