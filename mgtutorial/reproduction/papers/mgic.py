"""What the MGIC paper prints, in the journal's version and in the earlier one on arXiv."""

import re
from dataclasses import replace

from ...models import lraspp, registry
from ...models.ghostnet import GhostNetConfig
from ...models.mgic import TransfersConfig
from ...models.mgic_mobilenetv3 import MGICMobileNetV3Config
from ...models.mgic_mobilenetv3_code import MGICMobileNetV3CodeConfig
from ...models.mgic_resnet import MGICResNetConfig
from ...models.point_clouds import NAMED as POINT_CLOUDS
from .paper import Family, Paper
from .printed_table import Printed


def _transfers(line):
    return f"mgic-transfers-g{line['s_g']}", TransfersConfig(int(line["s_g"]), int(line["s_c"]))


def _resnet56(line):
    if "model" not in line or line["model"] == "mgic_resnet56":
        name = f"mgic-resnet56-c{line.get('s_c', 16)}-g{line.get('s_g', 8)}"
        return name, registry.CONFIGS[name]
    return _known(line)


def _resnet50(line):
    if line["model"] == "mgic_resnet50":
        name = f"mgic-resnet50-g{line['s_g']}"
        return name, registry.CONFIGS[name]
    return _known(line)


def _mobilenetv3(line):
    match = re.fullmatch(r"mgic_(mobilenetv3_[\d.]+)x(_no_hswish)?", line["model"])
    if match is None:
        return _known(line)
    name = f"mgic-{match[1].replace('_', '-')}"
    config = registry.CONFIGS[name]
    return (f"{name}-relu", replace(config, hard_swish=False)) if match[2] else (name, config)


def _known(line):
    """A network by its own name, or one that is not built here."""
    name = _label(line).replace("_", "-")
    return name, registry.CONFIGS.get(name)


def _modelnet10(line):
    name = _label(line).replace("_", "-")
    return name, POINT_CLOUDS.get(name)


def _cityscapes(line):
    name = line["backbone"].replace("_", "-")
    if "mgic" in name:
        name += f"-g{line['s_g'] or 64}"  # the first version does not print it
    return name, lraspp.NAMED[name]


def _label(line):
    return line.get("model") or line.get("backbone") or ""


def _own(line):
    """Tables 3 to 11 call the paper's own networks "MGIC-..."; 1 and 12 have no others."""
    return not _label(line) or "mgic" in _label(line).split("_")


def _table(number, what, file, data, network, **columns):
    columns = {"count": "params_m", "accuracy": "test_acc", "operations": "flops_m"} | columns
    title, file = f"MGIC, Table {number}: {what}", f"mgic_table{number}_{file}.csv"
    return Printed(title, file, data, network, own=_own, **columns)


PAPER = Paper(
    title="MGIC: multigrid-in-channels (SISC 2023)",
    protocol="mgic",
    printed={
        "mgic-table1": _table(
            1, "transfers alone", "coarse_channels", None, _transfers, count="params_k",
            accuracy=None, operations=None,
        ),
        "mgic-table3": _table(3, "CIFAR-10", "resnet56_cifar10", "cifar10", _resnet56),
        "mgic-table5": _table(
            5, "ResNet-50 on ImageNet", "resnet50_imagenet", "imagenet", _resnet50,
            accuracy="top1_acc", operations="flops_b",
        ),
        "mgic-table7": _table(
            7, "light networks on ImageNet", "lightweight_imagenet", "imagenet", _mobilenetv3,
            accuracy="top1_acc",
        ),
        "mgic-table9": _table(
            9, "Cityscapes", "cityscapes", None, _cityscapes, accuracy="miou", operations="flops_b",
        ),
        "mgic-table11": _table(11, "ModelNet10", "modelnet10", None, _modelnet10),
        "mgic-table12": _table(12, "CIFAR-10, widths of groups", "ablation", "cifar10", _resnet56),
    },
    trained=("mgic-table3", "mgic-table12", "mgic-table5", "mgic-table7"),
    families=(
        Family("MGIC", "green", "D", MGICResNetConfig),
        Family("MGIC", "green", "D", MGICMobileNetV3Config),
        Family("MGIC", "green", "D", MGICMobileNetV3CodeConfig),
        Family("GhostNet", "blue", "s", GhostNetConfig),
    ),
    made_by_notebook={
        "mgic-table1": "MGIC, Table 1 and Figure 3: coarse channels",
        "mgic-table2": "MGIC, Table 2 and Figure 4: functions of the plane",
        "mgic-table8": "MGIC, Table 8: inference times",
        "mgic-table9": "MGIC, Table 9: a class for each pixel",
        "mgic-table11": "MGIC, Tables 10 and 11: clouds of points",
    },
)  # fmt: skip
