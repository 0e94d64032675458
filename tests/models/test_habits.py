"""Networks fit torch's habits: a table of network x way, and what a user of a library expects."""

import copy
import json
import multiprocessing
import os
import warnings
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from torch import nn

from mgtutorial import data, models
from mgtutorial.errors import InvalidValue, MgtutorialError, UnknownName
from mgtutorial.models import SiC, blocks, count_weights, mgic

#: One network of each kind, small, without what no forward pass uses.
KINDS = {
    "resnet": models.ResNetConfig((1, 1), (8, 16)),
    "resnet-padding": models.ResNetConfig((1, 1), (8, 16), shortcut="padding"),
    "mgnet": models.MgNetConfig((8, 16)),
    "mgnet-dense": models.MgNetConfig((8, 8), transfers="dense"),
    "mgiad": models.MGiaDConfig((8, 16), coarsest=4, group_size=2),
    "mgiad-fas": models.MGiaDConfig((8, 16), coarsest=4, group_size=2, correction="fas"),
    "poly-mgnet-q2": models.PolyMgNetConfig((8, 16)),
    "poly-mgnet-g6": models.PolyMgNetConfig((8, 16), "g6"),
    "poly-mgnet-p3": models.PolyMgNetConfig((8, 16), ("p3",)),
    "mgic-resnet": models.MGICResNetConfig((1, 1), (8, 16), group_size=4, coarsest=8),
    "mgic-mobilenetv3": models.MGICMobileNetV3Config(
        bottlenecks=((3, 1, 16, False, 1), (5, 2.3, 80, True, 2)), coarsest=32, num_classes=10
    ),
    "mgic-mobilenetv3-code": models.MGICMobileNetV3CodeConfig(
        bottlenecks=((3, 1, 16, False, 1), (5, 3, 40, True, 2)), coarsest=32, num_classes=10
    ),
}
ROOTS = {"roots": ("uniform", 0.5, 1.0), "parametrisation": "root"}  # of a size near 1


def small(name, **changes):
    """A network of a kind in evaluation mode, whose norms have seen images."""
    torch.manual_seed(0)
    config = KINDS[name]
    if isinstance(config, models.PolyMgNetConfig):
        changes = {**ROOTS, **changes}
    net = replace(config, **changes).build()
    net(torch.randn(8, 3, 16, 16))
    return net.eval()


X = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def exported(net):
    batch = torch.export.Dim("n", min=2)
    return torch.export.export(net, (X,), dynamic_shapes=({0: batch},)).module()


def compiled(net):
    torch._dynamo.reset()
    return torch.compile(net, fullgraph=True, backend="eager", dynamic=False)


def traced(net):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        return torch.jit.trace(net, X)


def onnx(net):
    pytest.importorskip("onnxscript", reason="comes with the extra onnx")
    session = pytest.importorskip("onnxruntime", reason="comes with the extra onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        batch = torch.export.Dim("n", min=2)
        program = torch.onnx.export(
            net, (X,), dynamo=True, dynamic_shapes=({0: batch},), verbose=False
        )
    run = session.InferenceSession(program.model_proto.SerializeToString())
    (entry,) = run.get_inputs()
    return lambda x: torch.from_numpy(run.run(None, {entry.name: x.numpy()})[0])


WAYS = {
    "torch.export": exported,
    "torch.compile(fullgraph=True)": compiled,
    "torch.jit.trace": traced,
    "torch.fx": torch.fx.symbolic_trace,
    "ONNX Runtime": onnx,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", KINDS)
def test_every_network_goes_every_way(name, way):
    """And the result is the network for other images, and for another number of them."""
    net = small(name)
    with torch.no_grad():
        other = WAYS[way](net)
        for x in (X, torch.randn(5, 3, 16, 16)):
            expected = net(x)
            scale = expected.abs().max()
            torch.testing.assert_close(other(x) / scale, expected / scale, rtol=0, atol=1e-4)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_what_is_not_on_the_table_is_scripting():
    """The page says: trace or export. Scripting reads the source, and NamedTuples stop it."""
    with pytest.raises(Exception, match=r".+"):  # torch has several types for it
        torch.jit.script(small("mgnet"))


def _two_steps(rank, folder, name):
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    os.environ.update(MASTER_ADDR="localhost", GLOO_SOCKET_IFNAME="lo")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    torch.manual_seed(0)
    net = DistributedDataParallel(KINDS[name].build())
    optimiser = torch.optim.SGD(net.parameters(), 0.01)
    for step in range(3):  # a parameter without gradient stops the second
        x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(2 * step + rank))
        optimiser.zero_grad()
        net(x).square().mean().backward()
        optimiser.step()
    (Path(folder) / f"{rank}").write_text(str(float(sum(p.sum() for p in net.parameters()))))
    dist.destroy_process_group()


@pytest.mark.parametrize("name", ["mgnet", "mgiad-fas", "poly-mgnet-g6", "mgic-resnet"])
def test_plain_distributed_data_parallel_trains(name, tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_two_steps, args=(r, tmp_path, name)) for r in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(240)
    assert [w.exitcode for w in workers] == [0, 0]
    assert (tmp_path / "0").read_text() == (tmp_path / "1").read_text()  # the same weights


@pytest.mark.parametrize("name", KINDS)
def test_every_weight_gets_a_gradient_unless_it_is_kept_for_a_count(name):
    if name == "mgiad-fas":
        pytest.skip("its Pi in channels cancels: see test_mgiad")
    net = small(name).train()
    net(X).square().sum().backward()
    assert not [n for n, p in net.named_parameters() if p.grad is None]


def test_named_networks_keep_the_unused_transfers_of_their_counts():
    never = {"mgiad-20-g4", "mgiad-20-g8", "mgiad-20-g16", "mgnet-hexu", "mgnet-hexu-a"}
    for name, config in models.CONFIGS.items():
        if hasattr(config, "unused_transfers"):
            assert config.unused_transfers == (name not in never), name
            assert type(config)().unused_transfers is False


# ------------------------------------------------------------------------------ state_dict


@pytest.mark.parametrize("name", KINDS)
def test_a_state_dict_has_each_number_once(name):
    net = small(name)
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


# ------------------------------------------------------------------------ features and heads


@pytest.mark.parametrize("name", KINDS)
def test_features_states_and_heads(name):
    net = small(name)
    features = net.forward_features(X)
    assert torch.equal(net.head(features), net(X))
    every = net.forward_levels(X)
    assert len(every) == len(net.levels) and torch.equal(every[-1], features)
    assert [u.shape[-1] for u in every] == sorted({u.shape[-1] for u in every}, reverse=True)
    pooled = small(name, num_classes=0)(X)
    assert pooled.shape == (3, net.head.width)
    assert net.reset_classifier(5) is net and net(X).shape == (3, 5)
    assert net.config.num_classes == 5
    assert torch.equal(net.forward_features(X), features)
    assert net.reset_classifier(0)(X).shape == pooled.shape
    with pytest.raises(InvalidValue, match="num_classes=-1"):
        net.reset_classifier(-1)


@pytest.mark.parametrize("name", ["mgnet", "mgiad", "poly-mgnet-q2"])
def test_states_carry_the_residual_of_their_data(name):
    net = small(name, norm="none", activation="none")
    states = net.states(X)
    assert [s.r is None for s in states] == [False, True]
    A = net.levels[0].level().A
    r = (net.data(X) - A(states[0].u)).detach()
    r_of_state = states[0].r.detach()
    torch.testing.assert_close(r_of_state, r, rtol=0, atol=1e-4 * float(r.abs().max()))


@pytest.mark.parametrize("name", ["mgnet", "mgiad", "poly-mgnet-g6", "mgic-resnet", "resnet"])
def test_hooks_on_every_level_fire(name):
    net, fired = small(name), []
    for i, level in enumerate(net.levels):
        level.register_forward_hook(lambda m, given, out, i=i: fired.append(i))
        for j, inner in enumerate(getattr(level, "channel_levels", ())):
            inner.register_forward_hook(lambda m, given, out, at=(i, j): fired.append(at))
    net(X)
    assert [f for f in fired if isinstance(f, int)] == [0, 1]
    if name == "mgiad":  # down, and up again: the coarsest runs both in a row
        assert fired.count((0, 0)) == 2 and fired.count((0, 1)) == 2


# --------------------------------------------------------------- layers for one's own network


@pytest.mark.parametrize("correction", ["printed", "fas"])
def test_sic_as_a_layer_is_the_cycle_of_mgiad(correction):
    torch.manual_seed(0)
    config = models.MGiaDConfig(
        (16,), coarsest=4, group_size=2, correction=correction, transfer_norms="all"
    )
    net, layer = config.build().eval(), SiC(16, coarsest=4, group_size=2, correction=correction)
    layer.level.load_state_dict(net.levels[0].state_dict())
    f = torch.randn(2, 16, 8, 8)
    assert torch.equal(layer.eval()(f), net.descend(f).u)


def test_sic_starts_where_it_is_told_and_says_what_it_takes():
    layer = SiC(8, coarsest=4, group_size=2, norm="none", activation="none").double()
    f = torch.randn(2, 8, 6, 6, dtype=torch.float64)
    u = torch.randn_like(f)
    A = layer.level.channel_levels[0].A
    # linear: the correction from u is that of its residual from zero
    torch.testing.assert_close(layer(f, u), u + layer(f - A(u)), rtol=0, atol=1e-12)
    with pytest.raises(InvalidValue, match=r"make it SiC\(4\)"):
        layer(torch.zeros(1, 4, 6, 6).double())


def test_a_layer_of_a_torchvision_network_is_replaced_and_trains():
    from mgtutorial._torchvision import torchvision

    torch.manual_seed(0)
    net = torchvision().models.resnet18(num_classes=10)
    before = count_weights(net)
    net.layer3[1] = SiC(256, coarsest=64, group_size=8)
    widths = mgic.halvings(512, 128)
    net.layer4[1] = mgic.MGIC(
        lambda c, groups: models.BasicBlock(c, c, groups=groups),
        widths, mgic.group_numbers(widths, 32),
    )  # fmt: skip
    assert count_weights(net) < 0.65 * before
    optimiser, losses = torch.optim.SGD(net.parameters(), 0.02, momentum=0.9), []
    x, y = torch.randn(16, 3, 32, 32), torch.arange(16) % 10
    for _ in range(8):
        loss = nn.functional.cross_entropy(net(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3
    torch.fx.symbolic_trace(net)


# ----------------------------------------------------------------------------------- norms


@pytest.mark.parametrize("kind", blocks.NORMS)
@pytest.mark.parametrize("name", [n for n, c in KINDS.items() if hasattr(c, "norm")])
def test_norms_of_every_kind(name, kind):
    net = small(name, norm=kind).train()
    batch = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    groups = [m for m in net.modules() if isinstance(m, nn.GroupNorm)]
    assert bool(batch) == (kind == "batch") and bool(groups) == (kind in ("group", "layer"))
    alone = torch.equal(net(X[:1]), net(X)[:1])
    close = (net(X[:1]) - net(X)[:1]).abs().max() < 1e-4 * net(X).abs().max()
    assert close == (kind != "batch") or alone  # no companions, no difference
    if kind in ("group", "layer"):
        roles = {part.role for part in models.weights_by_part(net)}
        assert "norms" in roles and "other" not in roles


def test_group_norm_takes_eight_channels_or_what_divides_both():
    assert [blocks.norm("group", c).num_groups for c in (8, 16, 20, 7)] == [1, 2, 5, 7]


def test_norms_are_exchanged_in_anybodys_network():
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Sequential(nn.BatchNorm2d(8), nn.ReLU()))
    assert blocks.exchange_norms(net, "batch")[1][0].num_features == 8
    assert isinstance(blocks.exchange_norms(net, "layer")[1][0], nn.GroupNorm)
    with pytest.raises(UnknownName, match="unknown norm 'instance'"):
        blocks.exchange_norms(net, "instance")


# ------------------------------------------------------------------------- configs and data


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
    with pytest.raises(InvalidValue, match="leaves u as it is; give 'regular'"):
        of_code("q2", "double")
    with pytest.raises(InvalidValue, match="the public code stops"):
        of_code("g6", "double", "inside")
    with pytest.raises(UnknownName, match="linear_type"):
        of_code("q2", "inside")
