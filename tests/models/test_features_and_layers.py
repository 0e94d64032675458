"""What is before the head, states of levels, hooks, and blocks in one's own network."""

import pytest
import torch
from torch import nn

from mgtutorial import models
from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.models import SiC, blocks, count_weights, mgic

from .kinds import KINDS, X, small


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
    with pytest.raises(InvalidValue, match="was given 4: give one of 8, as f has"):
        layer(f, u[:, :4])
    for other in (f[0, :, 0, 0], f[0]):
        with pytest.raises(InvalidValue, match=r"f of shape \(8,.*\): SiC takes features"):
            layer(other)
    for broadcasts in (u[:, :, :1, :1], u[:1]):
        with pytest.raises(InvalidValue, match="give both the same shape"):
            layer(f, broadcasts)
    for name in ("channels", "lam", "etapre"):
        with pytest.raises(UnknownName, match=f"unknown argument of SiC '{name}'"):
            SiC(8, **{name: 2})


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
    if kind != "batch" and getattr(net.config, "bounded", False):
        net.eval()  # each pass of a training goes on with the power method
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


BATCH_NORMS = {
    "1d": (nn.BatchNorm1d(8), (4, 8, 5)),
    "3d": (nn.BatchNorm3d(8), (4, 8, 3, 3, 3)),
    "ours": (blocks.BatchNorm2d(8), (4, 8, 5, 5)),
    "several devices": (nn.SyncBatchNorm(8), (4, 8, 5, 5)),
    "double": (nn.BatchNorm2d(8).double(), (4, 8, 5, 5)),
    "double, without weights": (nn.BatchNorm2d(8, affine=False).double(), (4, 8, 5, 5)),
    "without anything": (nn.BatchNorm2d(8, affine=False, track_running_stats=False), (4, 8, 5)),
    "eps": (nn.BatchNorm2d(8, eps=0.25), (4, 8, 5, 5)),
}


@pytest.mark.parametrize("kind", ["group", "layer", "none"])
@pytest.mark.parametrize("name", BATCH_NORMS)
def test_every_batch_norm_of_torch_is_exchanged_for_one_of_its_precision(name, kind):
    norm, shape = BATCH_NORMS[name]
    net = blocks.exchange_norms(nn.Sequential(nn.Identity(), norm).eval(), kind)
    dtype = torch.float64 if "double" in name else torch.float32
    x = torch.randn(shape, dtype=dtype)
    expected = x
    if kind != "none":  # all 8 channels of an image are a group, or a layer
        variance, mean = torch.var_mean(x.flatten(1), 1, correction=0)
        mean, variance = (v.view(-1, *[1] * (x.ndim - 1)) for v in (mean, variance))
        expected = (x - mean) / (variance + norm.eps).sqrt()
        assert [*(p.dtype for p in net.parameters())] == [dtype] * 2 * norm.affine
    torch.testing.assert_close(net(x), expected)
    assert not any(m.training for m in net.modules())


def test_a_norm_of_two_names_stays_one_and_one_alone_is_exchanged():
    net = nn.Module()
    net.a = nn.BatchNorm2d(8)
    net.b = nn.Sequential(net.a)
    assert isinstance(blocks.exchange_norms(net, "group").a, nn.GroupNorm) and net.b[0] is net.a
    assert isinstance(blocks.exchange_norms(nn.BatchNorm2d(8), "none"), nn.Identity)


def test_a_norm_that_does_more_or_is_not_there_yet_is_refused_before_anything_changes():
    class Activated(nn.BatchNorm2d):
        def forward(self, x):
            return super().forward(x).relu()

    for last, said in [
        (Activated(8), "1 is a Activated, a batch norm that does something else"),
        (nn.LazyBatchNorm2d(), "1 is not initialised yet"),
    ]:
        net = nn.Sequential(nn.BatchNorm2d(8), last)
        with pytest.raises(InvalidValue, match=said):
            blocks.exchange_norms(net, "group")
        assert isinstance(net[0], nn.BatchNorm2d)
