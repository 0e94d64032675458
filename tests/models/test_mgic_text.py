"""MGIC's networks by the word of the text: they are the readings that the errata count."""

from dataclasses import replace

import pytest
import torch

from mgtutorial import models
from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.models import MGICTextConfig, count_macs, count_weights, mgic_text
from mgtutorial.models.counting import built
from mgtutorial.reproduction.papers.printed_table import read_table
from tests.reproduction import mgic_readings
from tests.reproduction.test_mgic_readings import BY_THE_WORD

READINGS = {
    **{f"mgic-resnet50-text-g{g}": lambda g=g: mgic_readings.resnet50(g) for g in (16, 32, 64)},
    **{
        f"mgic-mobilenetv3-{w}-text{suffix}": lambda w=w, s=swish: mgic_readings.mobilenetv3(w, s)
        for w in (0.6, 1.0, 1.2)
        for suffix, swish in (("", True), ("-relu", False))
    },
}
SMALL = {
    "resnet50": MGICTextConfig("resnet50", 8, 16, stages=((1, 8), (2, 16)), num_classes=5),
    "mobilenetv3": MGICTextConfig(
        group_size=16, coarsest=16, num_classes=5,
        stages=((3, 16, 16, False, 2), (5, 48, 32, True, 2), (3, 184, 80, False, 1)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READINGS)
def test_the_networks_are_counted_as_the_readings(name):
    config = mgic_text.NAMED[name]
    net, resnet = built(config), config.architecture == "resnet50"
    choices = (config.group_size,) if resnet else (config.width, config.hard_swish)
    # the readings are counted once, where the table is held
    theirs = BY_THE_WORD[config.architecture, *choices]
    assert (count_weights(net), count_macs(net, 224, 3)) == theirs
    assert mgic_text.NAMED.keys() == READINGS.keys()


@pytest.mark.parametrize("name", ["mgic-mobilenetv3-0.6-text", "mgic-mobilenetv3-0.6-text-relu"])
def test_with_the_same_weights_they_compute_the_same(name):
    torch.manual_seed(0)
    theirs, ours = READINGS[name]().double(), mgic_text.NAMED[name].build().double()
    values = [v for v in ours.state_dict().values()]
    theirs.load_state_dict(dict(zip(theirs.state_dict(), values, strict=True)))
    x = torch.randn(8, 3, 64, 64, dtype=torch.float64)  # norms over two would enlarge rounding
    with torch.no_grad():
        # the linear layer's input is flattened there, averaged here
        torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-12)


def test_resnet50_computes_what_its_reading_does():
    torch.manual_seed(0)
    ours, theirs = mgic_text.NAMED["mgic-resnet50-text-g16"].build(), READINGS[
        "mgic-resnet50-text-g16"
    ]()  # fmt: skip
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_stages_have_the_sizes_of_the_tables():
    """An image of 224 pixels: what enters each row, without computing."""
    with torch.device("meta"):
        net, x = mgic_text.NAMED["mgic-resnet50-text-g64"].build(), torch.zeros(1, 3, 224, 224)
        sizes = [net.data(x).shape[-1], *(u.shape[-1] for u in net.forward_levels(x))]
    printed = [int(r["input"].split("x")[0]) for r in
               read_table("mgic_table4_resnet50_architecture.csv")]  # fmt: skip
    assert sizes == printed[2:7] == [112, 56, 28, 14, 7]
    with torch.device("meta"):
        net = mgic_text.NAMED["mgic-mobilenetv3-1.0-text"].build()
        sizes = [net.data(x).shape[-1], *(u.shape[-1] for u in net.forward_levels(x))]
    rows = [r for r in read_table("mgic_table6_mobilenetv3_architecture.csv")
            if r["operation"] == "mgic_bneck"]  # fmt: skip
    assert sizes[:5] == list(dict.fromkeys(int(r["input"].split("x")[0]) for r in rows))
    marks = [r[4] > 1 for r in mgic_text.TABLES["mobilenetv3"]]
    assert marks == [r["pool"] == "1" for r in rows]


@pytest.mark.parametrize("name", SMALL)
def test_small_ones_have_the_habits_of_networks(name):
    torch.manual_seed(0)
    net, x = SMALL[name].build(), torch.randn(4, 3, 30, 30)
    net(x).square().sum().backward()
    assert not [n for n, p in net.named_parameters() if p.grad is None]
    assert torch.equal(net.eval().head(net.forward_features(x)), net(x))
    assert models.from_dict(models.as_dict(SMALL[name])) == SMALL[name]
    assert net.reset_classifier(7)(x).shape == (4, 7)
    torch.fx.symbolic_trace(net)


def test_bad_values_are_one_sentence():
    with pytest.raises(UnknownName, match="architecture"):
        MGICTextConfig("resnet18")
    with pytest.raises(InvalidValue, match="width=0"):
        MGICTextConfig(width=0.0)
    with pytest.raises(InvalidValue, match="group_size=0"):
        replace(SMALL["resnet50"], group_size=0)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(
    "stages", [((3, 64, 1),), (3,), ((3,),), ((3, 0),), (("3", 64),), ((3, 16, 16, False),),
               ((4, 16, 16, False, 1),), ((3, 16.5, 16, False, 1),), ((3, 16, -16, True, 2),)],
)  # fmt: skip
def test_a_stage_of_another_form_is_refused_when_the_config_is_made(name, stages):
    with pytest.raises(InvalidValue, match=r"stages=.*give rows"):
        replace(SMALL[name], stages=stages)


@pytest.mark.filterwarnings("ignore:Initializing zero-element")
@pytest.mark.parametrize("group_size", [1, 2, 3, 6, 12, 64])
@pytest.mark.parametrize("coarsest", [1, 2, 5, 24])
@pytest.mark.parametrize("row", [(1, 8), (1, 3), (3, 6, 16, False, 1), (3, 40, 24, True, 2)])
def test_what_a_config_accepts_is_built_and_what_it_refuses_could_not_be(
    row, coarsest, group_size, monkeypatch
):
    name = "resnet50" if len(row) == 2 else "mobilenetv3"
    changes = {"stages": (row,), "coarsest": coarsest, "group_size": group_size}

    def run(config):
        with torch.device("meta"):
            return config.build().eval()(torch.zeros(1, 3, 16, 16))

    try:
        config = replace(SMALL[name], **changes)
    except InvalidValue as error:
        assert f"group_size={group_size}, coarsest={coarsest}" in str(error)
        monkeypatch.setattr(MGICTextConfig, "_check_levels", lambda *_: None)
        with pytest.raises((ValueError, RuntimeError, IndexError, TypeError)):
            run(replace(SMALL[name], **changes))
    else:
        assert run(config).shape == (1, 5)
