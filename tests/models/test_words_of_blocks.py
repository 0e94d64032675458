"""Blocks that are taken by themselves refuse words that they do not know, as configs do."""

import pytest
import torch

from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.models import BasicBlock
from mgtutorial.models.poly_steps import KINDS, PolyStep, factor


@pytest.mark.parametrize(
    "choices",
    [
        ("pears", "plain", "plain", "root"),
        ("pair", "plane", "plain", "root"),
        ("pair", "plain", "Norm", "root"),
        ("pair", "plain", "plain", "Root"),
    ],
)
def test_a_step_takes_no_word_that_it_does_not_know(choices):
    kind, *rest = choices
    with pytest.raises(UnknownName):
        PolyStep(kind, 4, *rest)
    with pytest.raises(UnknownName):
        factor("pair", "Reciprocal", torch.tensor([1.0, 2.0]))


def test_a_step_of_its_own_begins_with_defined_numbers_and_the_public_places():
    for kind, n in KINDS.items():
        step = PolyStep(kind, 4, "public", "public", "root")
        assert torch.equal(step.numbers.data, torch.ones(n))
    assert len(PolyStep("linear", 4, "public", "public", "root").residual) == 1  # N r


def test_a_shortcut_knows_its_word_and_takes_no_channels_away():
    with pytest.raises(UnknownName, match="unknown shortcut 'paddin'"):
        BasicBlock(16, 32, 2, shortcut="paddin")
    with pytest.raises(InvalidValue, match="cannot make 16 of 32"):
        BasicBlock(32, 16, shortcut="padding")
