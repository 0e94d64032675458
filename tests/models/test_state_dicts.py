"""Weights go into files and back: each number once, and into no network that would misuse them."""

import copy
import json
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import nn

from mgtutorial import models
from mgtutorial.errors import InvalidValue
from mgtutorial.models import count_weights
from mgtutorial.models.blocks import exchange_norms
from mgtutorial.models.saving import with_weights

from . import kinds
from .kinds import KINDS, X

# each kind is built once and handed out in copies, which share nothing and cost far less
_first = cache(kinds.small)


def small(name, **changes):
    return copy.deepcopy(_first(name, **changes))


@pytest.mark.parametrize("name", KINDS)
def test_a_state_dict_has_each_number_once(name):
    net = _first(name)  # no copy
    state = net.state_dict()
    places = [v.untyped_storage().data_ptr() for v in state.values()]
    assert len(places) == len(set(places))
    weights = sum(state[n].numel() for n, _ in net.named_parameters())
    assert weights == count_weights(net)


@pytest.mark.parametrize("part", [lambda net: net, lambda net: net.levels[0]])
@pytest.mark.parametrize("name", ["mgnet", "mgiad", "mgiad-fas"])
def test_a_file_that_has_a_shared_weight_under_all_names_loads_as_well(name, part):
    theirs, ours = part(small(name)), part(small(name, initial_weights="torch"))
    old = {
        **dict(theirs.named_parameters(remove_duplicate=False)),
        **dict(theirs.named_buffers()),
    }
    assert len(old) > len(theirs.state_dict())
    for state in (old, theirs.state_dict()):
        ours.load_state_dict({k: v.clone() for k, v in state.items()})
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(p, q)
    assert len({id(s.B) for s in _smoothers(ours)}) < len(_smoothers(ours))  # still shared


def test_a_shared_weight_that_is_no_number_is_one_weight_still():
    ours = small("mgnet")
    old = {k: v.detach().clone() for k, v in ours.named_parameters(remove_duplicate=False)}
    old |= ours.named_buffers()
    for i in (0, 1):
        old[f"levels.0.smoothers.{i}.B.weight"][0, 0] = torch.nan
    ours.load_state_dict(old)
    assert ours.levels[0].smoothers[1].B.weight[0, 0].isnan().all()
    old["levels.0.smoothers.1.B.weight"][0, 1] = torch.nan
    with pytest.raises(InvalidValue, match="are one weight here, and two in what is to be loaded"):
        ours.load_state_dict(old)


def _smoothers(module):
    return [m for m in module.modules() if hasattr(m, "norm_in")]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: net.double().float()])
def test_sharing_outlives_a_copy(copied):
    assert count_weights(copied(small("mgiad"))) == count_weights(small("mgiad"))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("mgiad", {"correction": "fas"}),
        ("mgiad", {"eta_pre": 2, "eta_post": 0}),
        ("mgnet", {"activation": "none"}),
        ("poly-mgnet-q2", {"end": "none"}),
        ("poly-mgnet-q2", {"parametrisation": "reciprocal"}),
    ],
)
@pytest.mark.parametrize("through_a_file", [False, True])
def test_weights_of_a_network_that_does_something_else_are_refused(
    name, changes, through_a_file, tmp_path
):
    state = small(name).state_dict()
    if through_a_file:
        torch.save(state, tmp_path / "w.pt")
        state = torch.load(tmp_path / "w.pt", weights_only=True)
    small(name, initial_weights="torch").load_state_dict(state)
    other = small(name, **changes)
    with pytest.raises(InvalidValue, match=min(changes)):
        other.load_state_dict(state)
    other.load_state_dict(dict(state))  # who means it, says so


def test_what_does_not_fit_in_its_shapes_is_said_by_torch():
    with pytest.raises(RuntimeError, match=r"size mismatch for head\.linear"):
        small("mgnet", num_classes=7).load_state_dict(small("mgnet").state_dict())


@pytest.mark.parametrize("name", KINDS)
def test_saved_networks_come_back_with_their_config(name, tmp_path):
    net, path = small(name), tmp_path / "net.safetensors"
    models.save(path, net.to(memory_format=torch.channels_last))
    again = models.load(path)
    assert again.config == net.config and not again.training
    for name, v in net.state_dict().items():  # bit for bit; channels_last sums in another order
        assert torch.equal(again.state_dict()[name], v)
    torch.testing.assert_close(again(X), net(X))
    better = {k: v + 1 if v.is_floating_point() else v for k, v in net.state_dict().items()}
    models.save(path, net.config, better)  # an average of weights, say
    assert torch.equal(models.load(path).head.linear.bias, net.head.linear.bias + 1)


@pytest.mark.parametrize("name", KINDS)
def test_weights_of_another_network_are_not_written(name, tmp_path):
    net, path = small(name), tmp_path / "net.safetensors"
    others = (
        (replace(net.config, num_classes=3), net.state_dict(), "is needed"),
        (net.config, {f"module.{k}": v for k, v in net.state_dict().items()}, "is needed"),
        (net.config, dict(list(net.state_dict().items())[1:]), "is needed"),
    )
    for config, weights, words in others:
        with pytest.raises(InvalidValue, match=words):
            models.save(path, config, weights)
    assert not path.exists()


def test_weights_that_fit_but_were_learnt_for_something_else_are_not_written(tmp_path):
    net = small("mgiad")
    other = replace(net.config, correction="fas")
    with pytest.raises(InvalidValue, match="correction"):
        models.save(tmp_path / "x.safetensors", other, net.state_dict())


@pytest.mark.parametrize("name", KINDS)
def test_a_shared_weight_under_all_its_names_is_one_and_two_weights_are_not(name):
    """Older versions wrote it once a step. Weights of steps that share nothing have these names."""
    net = small(name)
    names = {n: p for n, p in net.named_parameters(remove_duplicate=False)}
    again = [n for n in names if n not in net.state_dict()]
    assert again or name not in ("mgnet", "mgiad"), "whose steps share A and B"
    older = {**net.state_dict(), **{n: names[n].detach().clone() for n in again}}
    with_weights(net.config, older)
    for n in again:
        with pytest.raises(InvalidValue, match="are one weight here"):
            small(name).load_state_dict({**older, n: older[n] + 1})


def test_a_tilde_is_the_home_folder_and_what_cannot_be_written_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    net = small("mgnet")
    models.save("~/nets/x.safetensors", net)
    assert (tmp_path / "home" / "nets" / "x.safetensors").exists() and not (tmp_path / "~").exists()
    assert models.load("~/nets/x.safetensors").config == net.config
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "file" / "x.safetensors", "~"):
        with pytest.raises(InvalidValue, match="cannot write"):
            models.save(place, net)


def test_other_files_are_sentences(tmp_path):
    from safetensors.torch import save_file

    net, path = small("mgnet"), tmp_path / "x.safetensors"
    with pytest.raises(InvalidValue, match="there is no file"):
        models.load(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InvalidValue, match="a file that save"):
        models.load(path)
    save_file(net.state_dict(), path)
    with pytest.raises(InvalidValue, match="no config"):
        models.load(path)
    config = json.dumps(models.as_dict(replace(net.config, num_classes=3)))
    save_file(net.state_dict(), path, {"config": config})
    with pytest.raises(InvalidValue, match="do not fit its config"):
        models.load(path)
    save_file(net.state_dict(), path, {"config": '{"kind": "Other"}'})
    with pytest.raises(InvalidValue, match="kind of network"):
        models.load(path)
    with pytest.raises(InvalidValue, match="a config and its weights"):
        models.save(path, net.config)
    with pytest.raises(InvalidValue, match="Linear"):
        models.save(path, nn.Linear(2, 2))


@pytest.mark.parametrize("change", [{"channels": (60000, 60000)}, {"steps": 40}], ids=str)
def test_a_config_that_claims_more_than_its_file_holds_asks_for_no_memory(change, tmp_path):
    """The first would take 130 GB: the weights of the file are held against shapes alone."""
    from safetensors.torch import save_file

    net, path = small("mgnet"), tmp_path / "x.safetensors"
    config = json.dumps(models.as_dict(replace(net.config, **change)))
    save_file(net.state_dict(), path, {"config": config})
    with pytest.raises(InvalidValue, match=r"do not fit its config: .* is needed"):
        models.load(path)
    save_file(net.state_dict(), path, {"config": "[" * 10**5})
    with pytest.raises(InvalidValue, match="no network that this version reads"):
        models.load(path)


def test_a_few_numbers_repeated_are_no_weights():
    """A file of a kilobyte can hold a tensor of any size whose entries are one number."""
    config = replace(small("mgnet").config, channels=(40000, 40000))
    with torch.device("meta"):
        shapes = {name: v.shape for name, v in config.build().state_dict().items()}
    state = {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}
    with pytest.raises(InvalidValue, match="repeats fewer numbers"):
        with_weights(config, state)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: {"model": state}, "model is of kind OrderedDict"),
        (lambda state: {k: v.numpy() for k, v in state.items()}, "kind ndarray"),
        (lambda state: {k: v.to_sparse() for k, v in state.items()}, "kind torch.sparse"),
        (lambda state: {**state, "more": nn.UninitializedParameter()}, "kind Uninitialized"),
        (lambda state: {k: v + 0j for k, v in state.items()}, "complex64, and real numbers"),
        (lambda state: {k: v.to(torch.int8) for k, v in state.items()}, "int8, and real numbers"),
        (lambda state: list(state.values()), "a list: give a state_dict"),
    ],
)
def test_what_are_no_weights_is_a_sentence_and_no_file(change, words, tmp_path):
    net, path = small("mgnet"), tmp_path / "x.safetensors"
    with pytest.raises(InvalidValue, match=words):
        models.save(path, net.config, change(net.state_dict()))
    assert not path.exists()


@pytest.mark.parametrize("about", [{"epochs": 3}, {"config": "mine"}, {"format": "np"}], ids=str)
def test_what_a_file_says_besides_is_a_text_under_a_name_of_its_own(about, tmp_path):
    with pytest.raises(InvalidValue, match=f"{min(about)}=.*is a text"):
        models.save(tmp_path / "x.safetensors", small("mgnet"), **about)


@pytest.mark.parametrize("name", ["mgnet", "mgiad"])
def test_a_shared_weight_that_is_given_under_all_its_names_is_written_once(name, tmp_path):
    from safetensors.torch import load_file

    net = small(name)
    older = {**net.state_dict(), **dict(net.named_parameters(remove_duplicate=False))}
    assert len(older) > len(net.state_dict())
    models.save(tmp_path / "one", net)
    models.save(tmp_path / "all", net.config, older)
    one, both = (load_file(tmp_path / file) for file in ("one", "all"))
    assert one.keys() == both.keys() and all(torch.equal(one[k], both[k]) for k in one)


def _atrous(net):
    for level in net.levels:
        models.atrous(level, 2)
    return net


def _other_activation(net):
    net.levels[0] = nn.Sequential(nn.Identity(), net.levels[0])
    return net


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda net: exchange_norms(net, "group"), "kind GroupNorm, .* builds BatchNorm"),
        (_atrous, r"has (stride|dilation|padding) \(\d, \d\)"),
        (_other_activation, "levels.0 has kind Sequential"),
    ],
)
def test_a_network_that_its_config_does_not_build_is_not_written(change, words, tmp_path):
    """It would be refused when it is loaded, or, which is worse, compute something else."""
    net, path = small("resnet"), tmp_path / "x.safetensors"
    with pytest.raises(InvalidValue, match=words):
        models.save(path, change(net))
    assert not path.exists()


def test_a_norm_that_processes_share_is_a_norm(tmp_path):
    net = nn.SyncBatchNorm.convert_sync_batchnorm(small("mgnet"))
    models.save(tmp_path / "x", net)
    assert models.load(tmp_path / "x").config == net.config


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["mgnet", "constrained", "poly-mgnet-q2"])
def test_weights_come_back_in_the_precision_in_which_they_were_saved(name, kind, tmp_path):
    net = small(name).to(kind)
    with torch.no_grad():
        net.head.linear.bias += 1e-3  # no number of single precision, in double
    models.save(tmp_path / "x", net)
    state = models.load(tmp_path / "x").state_dict()
    for key, v in net.state_dict().items():
        assert state[key].dtype == v.dtype and torch.equal(state[key], v)


def test_each_number_of_a_file_keeps_its_own_type(tmp_path):
    net = small("mgnet")
    net.head.double()
    models.save(tmp_path / "x", net)
    again = models.load(tmp_path / "x")
    kinds = {again.head.linear.bias.dtype, next(again.stem.parameters()).dtype}
    assert kinds == {torch.float64, torch.float32}
