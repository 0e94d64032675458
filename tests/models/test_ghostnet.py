"""GhostNet: the published counts, the rows that MGIC's Table 6 repeats, a literal transcription."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mgtutorial import models
from mgtutorial.errors import InvalidValue
from mgtutorial.models.counting import count_macs, count_weights
from mgtutorial.models.ghostnet import BOTTLENECKS, GhostBottleneck, GhostModule, GhostNetConfig
from mgtutorial.models.mgic_mobilenetv3 import TABLE_6
from mgtutorial.models.mobile_blocks import round_width
from mgtutorial.reproduction.papers.printed_table import read_table

from .literal import hold_against
from .literal_mobile import divisible, ghostnet

# exact weights and multiplications for 224 x 224 pixels; millions as MGIC's Table 7 quotes them
COUNTS = {
    0.5: (2_587_292, 42_328_152, "2.6", "42"),
    1.0: (5_182_508, 141_150_512, "5.2", "141"),
    1.3: (7_358_820, 227_003_256, "7.3", "226"),
}


@pytest.mark.parametrize("width", COUNTS)
def test_weights_and_multiplications_are_the_published_ones(width):
    weights, macs, millions, flops = COUNTS[width]
    config = models.named(f"ghostnet-{width}x")
    assert (count_weights(config), count_macs(config, 224)) == (weights, macs)
    (row,) = [r for r in read_table("mgic_table7_lightweight_imagenet.csv")
              if (r["paper_version"], r["model"]) == ("sisc", f"ghostnet_{width}x")]  # fmt: skip
    assert (row["params_m"], row["flops_m"]) == (millions, flops)
    # to the digits that are printed; the widest is printed a little low in both
    assert weights / 1e6 == pytest.approx(float(millions), abs=0.06)
    assert macs / 1e6 == pytest.approx(float(flops), abs=1.01)
    if width < 1.3:
        assert (f"{weights / 1e6:.1f}", f"{macs / 1e6:.0f}") == (millions, flops)


def test_torch_counts_the_same_multiplications():
    net = GhostNetConfig(0.5).build().eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, 3, 64, 64))
    assert counter.get_total_flops() == 2 * count_macs(net, 64)


def test_the_rows_are_those_that_mgic_prints_in_its_table_6():
    hidden = [(round(t * c_in), c, squeeze, stride)
              for (_, t, c, squeeze, stride), c_in
              in zip(TABLE_6, [16, *(row[2] for row in TABLE_6)], strict=False)]  # fmt: skip
    assert hidden == [row[1:] for row in BOTTLENECKS]


@pytest.mark.parametrize("training", [True, False])
def test_the_network_equals_the_literal_one(training):
    torch.manual_seed(0)
    rows = ((3, 24, 12, False, 1), (5, 30, 20, True, 2), (3, 40, 20, False, 1))
    config = GhostNetConfig(0.7, rows, hidden=40, num_classes=5)
    x = torch.randn(3, 3, 16, 16, dtype=torch.float64)

    def literal(x, state, training):
        return ghostnet(x, state, config, training)

    # in training the next norm takes a constant away, if nothing but full convolutions lies before
    # it: filters with a zero border would see the constant
    idle = (
        r"shortcut\.1\.bias|1\.0\.shortcut\.3\.bias"
        r"|(1\.0\.branch\.4|1\.1\.branch\.1)\.cheap\.1\.bias"
    )
    hold_against(config.build(), literal, x, training, idle if training else None)


def test_the_published_network_equals_the_literal_one():
    torch.manual_seed(0)
    config = models.named("ghostnet-1.0x", num_classes=3)
    net = config.build().double().eval()
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        theirs = ghostnet(x, net.state_dict(), config, training=False)
        torch.testing.assert_close(net(x), theirs, rtol=0, atol=1e-12)


def test_half_of_a_ghost_module_is_filters_of_the_other_half():
    torch.manual_seed(0)
    ghost = GhostModule(6, 7, 3, torch.nn.Identity).eval()
    x = torch.randn(1, 6, 5, 5)
    with torch.no_grad():
        y = ghost(x)
        assert y.shape[1] == 7 and torch.equal(y[:, :4], ghost.primary(x))
        for k in range(3):  # the last filter's result is dropped
            one = torch.nn.functional.conv2d(y[:, [k]], ghost.cheap[0].weight[[k]], padding=1)
            scale = ghost.cheap[1].eps
            torch.testing.assert_close(y[:, [4 + k]], one / (1 + scale) ** 0.5)


@pytest.mark.parametrize("c", [18.0, 7.5, 22.4, 49.9, 100.0, 5.0, 240.0])
def test_widths_are_rounded_to_multiples_of_four(c):
    assert round_width(c, 4) == divisible(c, 4) and round_width(c, 4) % 4 == 0
    assert round_width(c, 4) >= 0.9 * c


def test_the_shortcut_is_there_where_the_shape_changes():
    assert GhostBottleneck(16, 32, 16, 3, False, 1).shortcut is None
    assert GhostBottleneck(16, 32, 24, 3, False, 1).shortcut is not None
    assert GhostBottleneck(16, 32, 16, 3, False, 2).shortcut is not None


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"width": 0.0}, "width=0.0: it must be above 0"),
        ({"bottlenecks": ()}, "give rows"),
        ({"bottlenecks": ((4, 16, 16, False, 1),)}, "odd kernel"),
        ({"bottlenecks": ((3, 16, 16, False),)}, "give rows"),
        ({"hidden": 0}, "hidden=0"),
    ],
)
def test_bad_configs_are_one_sentence(changes, message):
    with pytest.raises(InvalidValue, match=message):
        GhostNetConfig(**changes)


def test_images_of_the_wrong_kind_are_one_sentence():
    net = GhostNetConfig(0.5).build()
    with pytest.raises(InvalidValue, match="3"):
        net(torch.zeros(1, 1, 32, 32))
    with pytest.raises(InvalidValue, match="levels"):
        net(torch.zeros(1, 3, 4, 4))
