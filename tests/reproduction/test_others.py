"""Networks of others that MGIC's tables quote: torchvision's agree with the print, but for two."""

import pytest
import torch

from mgtutorial._torchvision import torchvision
from mgtutorial.models import count_weights
from mgtutorial.reproduction import others, published

COUNTS = {
    "resnet50": (25_557_032, 4_089_184_256),
    "resnext50": (25_028_904, 4_230_479_872),
    "mobilenetv2-0.35x": (1_677_128, 59_285_808),
    "shufflenetv2-0.5x": (1_366_792, 40_476_448),
    "mobilenetv3-small-0.75x": (1_653_920, 39_115_576),
    "mobilenetv2-0.6x": (2_217_000, 150_958_928),
    "shufflenetv2-1.0x": (2_278_604, 144_907_992),
    "mobilenetv3-large-0.75x": (3_377_576, 140_033_816),
    "mobilenetv2-1.0x": (3_504_872, 300_774_272),
    "shufflenetv2-1.5x": (3_503_624, 295_759_392),
    "mobilenetv3-large-1.0x": (5_483_032, 216_589_760),
}
NARROW = {"mobilenetv3-small-0.75x", "mobilenetv3-large-0.75x"}


@pytest.fixture(scope="module")
def found():
    return {row.name: row for table in others.BUILT for row in others.others(table)}


def test_all_rows_are_built_and_counted(found):
    assert {name: (row.weights, row.macs) for name, row in found.items()} == COUNTS
    for table, names in others.BUILT.items():
        printed = {row.name for row in published.rows(table) if "mgic" not in row.name}
        assert set(names) <= printed


def test_all_but_the_narrowed_mobilenetv3_agree_with_the_print(found):
    for name, row in found.items():
        weights = abs(row.weights / 1e6 / row.printed - 1)
        assert (weights < 0.03) == (name not in NARROW), name
        if name not in NARROW:
            assert abs(row.macs / row.products - 1) < 0.08


@pytest.mark.parametrize(
    ("arch", "weights", "millions"),
    [("mobilenet_v3_small", 2_387_616, 2.4), ("mobilenet_v3_large", 3_928_296, 4.0)],
)
def test_torchvision_narrows_their_layer_before_the_last_too(arch, weights, millions):
    """With 1280 features there, as at full width, they come near the printed counts."""
    torchvision()
    from torchvision.models import mobilenetv3

    conf, _ = mobilenetv3._mobilenet_v3_conf(arch, width_mult=0.75)
    with torch.device("meta"):
        net = mobilenetv3.MobileNetV3(conf, last_channel=1280)
    assert count_weights(net) == weights
    assert abs(weights / 1e6 / millions - 1) < 0.02
