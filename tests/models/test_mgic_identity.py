"""When an MGIC block around identities is the identity, and when it is not."""

import pytest
import torch
from torch import nn

from mgtutorial import models
from mgtutorial.models import MGIC
from mgtutorial.models.mgic import ChannelLevel
from mgtutorial.models.resnet import BasicBlock

from .test_mgic import F64, around, basic, norms


def identity_cycle(channels=(16, 8, 4), groups=(2, 1, 1)):
    torch.manual_seed(0)
    return MGIC(lambda c, groups: nn.Identity(), channels, groups).double()


def moved(net, x):
    with torch.no_grad():
        return (net(x) - x).abs().max().item()


def at_zero(norm):
    """N(0) in evaluation mode."""
    return norm.bias - norm.weight * norm.running_mean / torch.sqrt(norm.running_var + norm.eps)


@pytest.mark.parametrize("training", [True, False])
def test_identity_blocks_give_the_identity_where_all_norms_map_zero_to_zero(training):
    net = identity_cycle().train(training)
    for m in norms(net):
        nn.init.uniform_(m.weight, 0.5, 1.5)
        m.running_mean.uniform_(-0.5, 0.5)
        m.running_var.uniform_(0.5, 1.5)
        nn.init.zeros_(m.bias)
        if not training:
            m.bias.data -= at_zero(m).data
            assert at_zero(m).abs().max() < 1e-15
    x = torch.randn(4, 16, 5, 5, dtype=F64)
    assert moved(net, x) < 1e-14  # N(0) is zero up to rounding


def test_with_one_coarser_level_the_condition_is_necessary():
    x = torch.randn(4, 8, 5, 5, dtype=F64)
    net = identity_cycle((8, 4), (2, 1))
    (norm,) = norms(net)
    nn.init.uniform_(norm.bias, -0.5, 0.5)
    for training in (True, False):  # mean 0 and bias b: N(0) = b in both modes
        with torch.no_grad():
            shift = net.train(training)(x) - x
        norm.reset_running_stats()
        expected = norm.bias.detach()[None, :, None, None].expand_as(x)
        torch.testing.assert_close(shift, expected, rtol=0, atol=1e-14)


def test_a_zero_bias_is_not_enough_in_evaluation_mode():
    net = identity_cycle((8, 4), (2, 1))
    x = torch.randn(4, 8, 5, 5, dtype=F64)
    (norm,) = norms(net)
    assert moved(net.train(), x) == 0
    norm.reset_running_stats()
    norm.running_mean.fill_(0.3)  # as training on blocks that were no identities would leave it
    assert moved(net.eval(), x) == pytest.approx(0.3 / (1 + 1e-5) ** 0.5)


def test_in_training_mode_only_the_finest_bias_matters():
    """What coarser levels add is constant over batch and pixels; the statistics remove it."""
    x = torch.randn(4, 16, 5, 5, dtype=F64)
    net = identity_cycle().train()
    finest, coarse = norms(net)
    nn.init.constant_(coarse.bias, 0.7)
    assert moved(net, x) < 1e-12  # though N(0) = 0.7 on the coarser level
    nn.init.constant_(finest.bias, 0.7)
    assert moved(net, x) == pytest.approx(0.7)


def test_in_evaluation_mode_two_wrong_levels_can_cancel():
    x = torch.randn(4, 16, 5, 5, dtype=F64)
    net = identity_cycle().eval()
    finest, coarse = norms(net)
    nn.init.constant_(coarse.bias, 0.7)
    assert moved(net, x) > 0.6
    with torch.no_grad():  # P takes means: e_0 = N_0(0.7) = 0.7/sqrt(1 + eps) + bias
        finest.bias.fill_(-0.7 / (1 + finest.eps) ** 0.5)
    assert at_zero(finest).abs().min() > 0.6 and at_zero(coarse).abs().min() > 0.6
    assert moved(net, x) < 1e-12


def test_blocks_that_end_in_relu_are_the_identity_as_long_as_restriction_keeps_the_sign():
    torch.manual_seed(0)
    net = around(basic, 16, s_g=8, s_c=4).double().eval()
    for m in net.modules():
        if isinstance(m, BasicBlock):
            nn.init.zeros_(m.norm2.weight)  # the branch is zero, the block max(x, 0)
    x = torch.rand(2, 16, 4, 4, dtype=F64)
    assert moved(net, x) < 1e-14
    net.channel_levels[0].R.weight.data.neg_()
    assert moved(net, x) > 0.1


def test_the_start_takes_means_and_keeps_constant_features():
    net = identity_cycle().eval()
    for m in net.modules():
        if isinstance(m, ChannelLevel) and m.R is not None:
            for conv in (m.R, m.P[0]):
                assert conv.weight.min() > 0
                sums = conv.weight.sum((1, 2, 3))
                torch.testing.assert_close(sums, torch.ones_like(sums))
    assert net.channel_levels[0].R.weight.unique().item() == 1 / 8  # groups of 8
    assert net.channel_levels[0].P[0].weight.unique().item() == 2 / 8
    network = models.named("mgic-resnet56-c16-g8").build()
    assert network.levels[2].blocks[0].channel_levels[0].R.weight.unique().item() == 1 / 8


def test_a_layer_whose_last_norms_have_the_scale_zero_learns_only_with_a_bias():
    """Exercise 2 of the page on use: behind these norms stands ReLU, idle at zero."""
    torch.manual_seed(0)
    layer = models.SiC(32, coarsest=8, group_size=4)
    finest = layer.level.channel_levels[0]
    last = [*(s.norm_out for s in finest.smoothers), finest.P[1]]
    for norm in last:
        nn.init.zeros_(norm.weight)
    f = torch.randn(4, 32, 8, 8)
    for bias, learning, moves in ((0.0, 0, 0.0), (1e-3, 2 * len(last), 5e-3)):
        for norm in last:
            nn.init.constant_(norm.bias, bias)
        layer.zero_grad()
        out = layer(f, f)
        (out * torch.randn_like(out)).sum().backward()
        own = [p for p in layer.parameters() if p.grad is not None and p.grad.abs().max() > 0]
        assert len(own) == learning
        assert (out - f).abs().max() <= moves


def test_restrictions_without_a_zero_weight_may_still_cancel():
    """After Proposition 2 of MGIC: groups of four, widths 16, 8 and 4."""
    first, second = (torch.zeros(c // 2, c) for c in (16, 8))
    for R, rows in ((first, [1.0, 1, 1, 1]), (second, [1.0, -1, 1, -1])):
        for group in range(R.shape[1] // 4):
            R[2 * group : 2 * group + 2, 4 * group : 4 * group + 4] = torch.tensor(rows)
    assert (second @ first == 0).all() and (first @ torch.ones(16) != 0).all()
    assert ((second.abs() @ first > 0).sum(1) == 8).all()  # positive ones reach their block
