"""What a forward pass has to hold at a time: by hand for small networks, and for MGIC's block."""

import pytest
from torch import nn

from mgtutorial import models
from mgtutorial.models import MGIC
from mgtutorial.models.alive import activations_alive, activations_in_training
from mgtutorial.models.counting import activations_held
from mgtutorial.models.mgic import group_numbers, halvings
from mgtutorial.models.mobile_blocks import InvertedBottleneck
from mgtutorial.models.resnet import BasicBlock

C, SIZE, BATCH = 64, 8, 2


def basic(c, groups):
    return BasicBlock(c, c, groups=groups)


def inverted(c, groups):
    """MobileNet's block with a six-fold expansion."""
    return InvertedBottleneck(c, 6 * c, 3, groups, None, nn.ReLU)


def alive(network):
    """In units of the features on the finest level."""
    most = activations_alive(network, BATCH, SIZE, in_channels=C).elements
    return round(most / (BATCH * SIZE**2 * C), 1)  # statistics of norms: some numbers a channel


class Branches(nn.Module):
    """x, two results of it, and their sum: all four are there at the end."""

    def forward(self, x):
        a, b = 2 * x, 3 * x
        return a + b


def test_results_count_while_somebody_can_read_them():
    layers = [nn.Conv2d(C, C, 1, bias=False) for _ in range(4)]
    assert alive(nn.Sequential(*layers[:1])) == 2
    assert alive(nn.Sequential(*layers)) == 3  # the images, one argument, one result
    assert alive(nn.Sequential(layers[0], nn.ReLU(inplace=True))) == 2
    assert alive(nn.Sequential(layers[0], nn.Flatten(), nn.Unflatten(1, (C, SIZE, SIZE)))) == 2
    assert alive(nn.Sequential(layers[0], Branches())) == 5


def test_nothing_is_left_and_the_mode_stays():
    net = models.named("mgnet-20").build().train()
    one, two = (activations_alive(net, 1, 32) for _ in range(2))
    assert one == two and net.training
    assert activations_alive(net, 3, 32).elements > 2.9 * one.elements
    # without numbers, too, but for what torch reserves there for the statistics of a norm
    meta = activations_alive(models.named("mgnet-20"), 1, 32)
    assert 0 <= meta.elements - one.elements <= 2 * 64


@pytest.mark.parametrize("coarsest", [32, 16, 8])
def test_an_mgic_block_holds_seven_quarters_of_its_block_at_inference(coarsest):
    """Four tensors for the basic block; three more wait in the cycle, on however many levels."""
    widths = halvings(C, coarsest)
    assert alive(basic(C, 1)) == 4
    assert alive(MGIC(basic, widths, group_numbers(widths, 8))) == 7


@pytest.mark.parametrize("coarsest", [32, 16])
def test_around_a_six_fold_expansion_the_hierarchy_costs_a_quarter(coarsest):
    widths = halvings(C, coarsest)
    block, cycle = alive(inverted(C, 1)), alive(MGIC(inverted, widths, group_numbers(widths, 8)))
    assert (block, cycle) == (13.0, 16.0)


def test_training_keeps_more_than_inference_holds():
    config = models.named("mgic-resnet56-c16-g8")
    held = activations_held(config, 2, 32).elements
    assert activations_alive(config, 2, 32).elements < held / 20


def test_a_frozen_network_keeps_nothing_but_what_it_was_given_and_its_result():
    net = nn.Sequential(nn.Conv2d(C, C, 1), nn.ReLU()).requires_grad_(False)
    step = activations_in_training(net, BATCH, SIZE, C)
    assert step.kept == 2 * BATCH * SIZE**2 * C * 4
    assert step.peak == 3 * BATCH * SIZE**2 * C * 4
