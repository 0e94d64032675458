"""Networks for pixels: counts, a literal transcription, torchvision's network, torch's habits."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from mgtutorial import models
from mgtutorial._torchvision import torchvision
from mgtutorial.data import catalogue, masks
from mgtutorial.errors import InvalidValue
from mgtutorial.models import LRASPPConfig, count_macs, count_weights, lraspp, take_encoder
from mgtutorial.reproduction.papers.printed_table import read_table

from .literal import hold_against
from .literal_lraspp import lraspp as literal
from .test_habits import WAYS, cases

ROWS = (
    (3, 1, 16, True, 1),
    (3, 3, 24, False, 2),
    (3, 2, 24, False, 1),
    (5, 4, 40, True, 2),
    (5, 3, 48, True, 2),
    (5, 4, 48, True, 1),
)
SMALL = {
    block: LRASPPConfig(
        block=block, bottlenecks=ROWS, coarsest=24, group_size=16, features=64, hidden=32,
        output_stride=8, num_classes=5,
    )
    for block in ("mgic", "mobilenetv3")
}  # fmt: skip


def small(block):
    torch.manual_seed(0)
    net = SMALL[block].build()
    net(torch.randn(8, 3, 16, 24))
    return net.eval()


# Exact weights, and billions of multiplications for 1024 x 2048 pixels.
COUNTS = {
    "mobilenetv3-large": (1_505_550, 9.32),
    "mobilenetv3-small": (467_486, 2.69),
    "mgic-large-g64": (1_485_874, 9.40),
    "mgic-large-g32": (1_304_850, 7.55),
    "mgic-small-g64": (557_026, 3.40),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts_of_table_9_as_built(name):
    config = lraspp.NAMED[name]
    weights, billions = COUNTS[name]
    assert count_weights(config) == weights
    assert round(count_macs(config, (1024, 2048)) / 1e9, 2) == billions


def test_what_of_table_9_is_met_and_by_which_reading():
    printed = {
        "-".join(filter(None, (r["backbone"].replace("_", "-"), r["s_g"] and f"g{r['s_g']}"))):
        float(r["params_m"])
        for r in read_table("mgic_table9_cityscapes.csv") if r["paper_version"] == "sisc"
    }  # fmt: skip
    assert printed.keys() == COUNTS.keys()
    counted = {name: count_weights(c) / 1e6 for name, c in lraspp.NAMED.items()}
    # MobileNetV3's two rows: with hidden channels halved as the channels are
    matched = [name for name in counted if round(counted[name], 2) == printed[name]]
    assert matched == ["mobilenetv3-large", "mobilenetv3-small"]
    assert abs(counted["mgic-large-g32"] / printed["mgic-large-g32"] - 1) < 0.02
    # MGIC-Small without the last convolution; MGIC-Large with whole hidden channels
    lean = count_weights(replace(lraspp.NAMED["mgic-small-g64"], features=0))
    assert lean == 481_186 and round(lean / 1e6, 2) == printed["mgic-small-g64"]
    wide = replace(
        lraspp.NAMED["mgic-large-g64"],
        bottlenecks=(*lraspp.LARGE[:-3], (5, 6, 80, True, 2), *lraspp.LARGE[-2:]),
    )
    assert count_weights(wide) == 1_707_882
    assert abs(count_weights(wide) / 1e6 / printed["mgic-large-g64"] - 1) < 0.03


# In training the next norm takes a constant away, if nothing but full convolutions lies before it.
IDLE = {
    "mgic": r"levels\.0\.0\.block\.channel_levels\.(0\.block\.branch\.5|1\.block\.branch\.4)\.bias"
    r"|levels\.[1-3]\.\d\.block\.channel_levels\.(0\.R\.1|1\.block\.branch\.7)\.bias"
    r"|levels\.[23]\.\d\.(Pi\.1|block\.channel_levels\.0\.(P\.1|block\.branch\.8))\.bias",
    "mobilenetv3": r"levels\.(0\.0\.branch\.5|[23]\.\d\.branch\.8)\.bias",
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("block", SMALL)
def test_the_network_equals_the_literal_one(block, training):
    torch.manual_seed(0)
    config = SMALL[block]
    x = torch.randn(3, 3, 16, 24, dtype=torch.float64)

    def transcription(x, state, training):
        return literal(x, state, config, training)

    hold_against(config.build(), transcription, x, training, IDLE[block] if training else None)


@pytest.mark.parametrize("name", ["mgic-small-g64", "mobilenetv3-small"])
def test_the_networks_of_table_9_equal_the_literal_ones(name):
    torch.manual_seed(0)
    config = lraspp.NAMED[name]
    net, x = config.build().double().eval(), torch.randn(1, 3, 48, 64, dtype=torch.float64)
    with torch.no_grad():
        theirs = literal(x, net.state_dict(), config, training=False)
        assert (net(x) - theirs).abs().max() < 1e-12 * max(1, theirs.abs().max())


def test_mobilenetv3_with_this_head_is_torchvisions():
    """Their encoder with the halved rows, their head, our weights: the same scores."""
    torchvision()
    from torchvision.models import mobilenetv3 as theirs
    from torchvision.models.segmentation.lraspp import LRASPPHead

    conf, last = theirs._mobilenet_v3_conf("mobilenet_v3_small", reduced_tail=True, dilated=True)
    first = next(c for c in conf if c.dilation > 1)
    first.expanded_channels //= 2
    encoder = theirs.MobileNetV3(conf, last).features
    head = LRASPPHead(24, 288, 11, 128)
    ours = LRASPPConfig(block="mobilenetv3").build().double().eval()
    both = nn.ModuleList([encoder, head]).double().eval()
    values = dict(zip([*both.state_dict()], _in_their_order(ours), strict=True))
    both.load_state_dict(values)
    for m in encoder.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.eps = 1e-5  # theirs is 1e-3
    x = torch.randn(2, 3, 64, 80, dtype=torch.float64)
    with torch.no_grad():
        low = encoder[:4](x)
        y = head({"low": low, "high": encoder[4:](low)})
        y = nn.functional.interpolate(y, size=(64, 80), mode="bilinear", align_corners=False)
        torch.testing.assert_close(ours(x), y, rtol=0, atol=1e-12)


def _in_their_order(net):
    parts = [net.stem, net.levels, net.last, net.head.project, net.head.scale]
    for part in (*parts, net.head.low, net.head.high):
        yield from part.state_dict().values()


@pytest.mark.parametrize(("block", "way"), cases(SMALL, ["mobilenetv3"]))
def test_every_network_goes_every_way(block, way):
    net = small(block)
    X = torch.randn(3, 3, 16, 24, generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.models.test_habits.X", X)
        other = WAYS[way](net)
        for x in (X, torch.randn(5, 3, 16, 24)):
            expected = net(x)
            scale = expected.abs().max()
            torch.testing.assert_close(other(x) / scale, expected / scale, rtol=0, atol=1e-4)


@pytest.mark.parametrize("block", SMALL)
def test_every_weight_gets_a_gradient_and_a_new_head_has_its_classes(block):
    net, x = small(block).train(), torch.randn(4, 3, 16, 24)
    net(x).square().sum().backward()
    assert not [n for n, p in net.named_parameters() if p.grad is None]
    assert net.reset_classifier(7) is net and net(x).shape == (4, 7, 16, 24)
    assert net.config.num_classes == 7
    assert torch.equal(net.eval().forward_features(x), net.forward_levels(x)[-1])


def test_atrous_levels_see_what_levels_with_strides_see():
    """On every second point, the atrous level has the values of the one with the stride."""
    torch.manual_seed(0)
    row = ((3, 1, 16, False, 1), (5, 3, 24, False, 2), (5, 3, 24, False, 1))
    config = LRASPPConfig(block="mobilenetv3", bottlenecks=row, coarsest=8, output_stride=4)
    level = config.build().levels[1].eval()
    x = torch.randn(1, 16, 20, 20)
    whole = level(x)
    dense = lraspp.atrous(level, 2)
    with torch.no_grad():
        # of the kernel that had the stride the pixels would stay together
        level[0].branch[3].dilation, level[0].branch[3].padding = (1, 1), (2, 2)
        torch.testing.assert_close(dense(x)[:, :, ::2, ::2], whole, rtol=0, atol=1e-5)


def test_a_saved_network_comes_back_and_gives_its_encoder(tmp_path):
    net, path = small("mgic"), tmp_path / "net.safetensors"
    models.save(path, net)
    again = models.load(path)
    assert again.config == net.config
    other = replace(SMALL["mgic"], num_classes=9).build()
    assert take_encoder(other, again) is other
    x = torch.randn(1, 3, 16, 24)
    assert torch.equal(other.eval().forward_features(x), net.forward_features(x))


@pytest.mark.parametrize("theirs", ["another block", "another network"])
def test_an_encoder_of_another_network_is_one_sentence(theirs, tmp_path):
    path = tmp_path / "net.safetensors"
    other = small("mobilenetv3") if theirs == "another block" else models.named("mgnet-20").build()
    models.save(path, other)
    net = small("mgic")
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(InvalidValue, match=r"belong to another network, \w+ with"):
        take_encoder(net, models.load(path))
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_bad_input_is_one_sentence():
    net = small("mgic")
    with pytest.raises(InvalidValue, match=r"20 x 24: .* multiples of it: pad them to 24 x 24"):
        net(torch.zeros(1, 3, 20, 24))
    with pytest.raises(InvalidValue, match="in_channels"):
        net(torch.zeros(1, 1, 16, 24))
    with pytest.raises(InvalidValue, match="a class to each pixel"):
        SMALL["mgic"].for_data_set(catalogue.info("digits"))
    fitted = SMALL["mgic"].for_data_set(masks.info("cityscapes"))
    assert (fitted.num_classes, fitted.stem) == (19, 16)
    with pytest.raises(InvalidValue, match="one of them whose half"):
        LRASPPConfig(output_stride=4)
    with pytest.raises(InvalidValue, match="num_classes=0"):
        LRASPPConfig(num_classes=0)
