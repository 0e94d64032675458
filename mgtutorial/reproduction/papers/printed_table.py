"""The tables that print weights: their files and columns, and what each line counts.

The files are in ``results/published``. For each table, :data:`PRINTED` has a function from a
line to the network that it counts; :mod:`mgtutorial.reproduction.published` makes rows of them.
"""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from ... import _paths
from ...models import registry
from ...models.mgic import TransfersConfig


def lines(name):
    """Return the rows of a published file as dictionaries of strings, as printed.

    Parameters
    ----------
    name : str
        The file's name in ``results/published``.

    Examples
    --------
    >>> rows = lines("mgiad_table2_fashionmnist.csv")
    >>> next(r["test_acc"] for r in rows if r["model"] == "mgnet_ab_20")
    '93.29'
    """
    return read(_paths.shipped() / "published" / name)


def read(path):
    """Return the lines of a CSV file as dictionaries of strings."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# Each function takes a line to (name of the row, config), with None for a network of others.

_MGNETS = {"mgnet_ab": "mgnet", "mgnet_a": "mgnet-a", "mgnet_ab_20": "mgnet-20"}


def _mgiad(line):
    name = _MGNETS.get(line["model"], line["model"])
    g_s = line.get("g_s_inferred") or line["g_s"]  # three labels of Table 2 do not fit
    if name == "mgiad":
        name = f"mgiad-lam{line.get('lambda') or 1}-c{line['c_k']}-g{g_s}"
    elif name == "mgiad_3_levels":
        name = f"mgiad-20-g{g_s}"
    return name, registry.CONFIGS[name]


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
    name = (line.get("model") or line["backbone"]).replace("_", "-")
    return name, registry.CONFIGS.get(name)


def _cityscapes(line):
    name = line["backbone"].replace("_", "-") + (f"-g{line['s_g']}" if line["s_g"] else "")
    return name, None


def _poly(line):
    kind, name = line["item"].split("_", 1)
    if kind == "params":
        name = f"poly-mgnet-{name}"
        return name, registry.CONFIGS[name]
    name = name.removesuffix("_cifar10").replace("_", "-")
    return f"{name}-summary", registry.CONFIGS[name]


@dataclass(frozen=True)
class Printed:
    """A table of weights: its file, its columns, and what its lines count.

    Attributes
    ----------
    title, csv : str
        ``csv`` is the file's name in ``results/published``.
    data : str or None
    network : callable
        From a line to (name of the row, config or None).
    count : str
        The column of weights; its suffix ``_k`` or ``_m`` is the unit.
    accuracy : str, callable or None
        The column of accuracies, or a function from the line to the number printed.
    only : callable
        Chooses the lines of the file that belong to the table.
    """

    title: str
    csv: str
    data: str | None
    network: Callable
    count: str = "weights_k"
    accuracy: str | Callable | None = "test_acc"
    only: Callable = lambda line: True


def _table3(data, spelt):
    return Printed(
        f"MGiaD, Table 3: {spelt}", "mgiad_table3_cifar100_tiny_imagenet.csv", data, _mgiad,
        only=lambda line: line["dataset"] == data.replace("-", "_"),
    )  # fmt: skip


def _claims(title, place, data):
    def only(line):
        here = place in line["source"] and line["dataset"] == data
        return here and line["quantity"] == "weights"

    def accuracy(line):
        """The claim of an accuracy that belongs to a claim of weights."""
        about = {k: v for k, v in line.items() if k not in ("value", "unit", "note")}
        about["quantity"] = "test_acc"
        claims = lines(file)
        return next((c["value"] for c in claims if about.items() <= c.items()), "")

    title, file = f"MGiaD, {title}: {data}", "mgiad_text_claims.csv"
    return Printed(title, file, data, _mgiad, count="value", accuracy=accuracy, only=only)


def _mgic_table(number, what, file, data, network, **columns):
    columns = {"count": "params_m", "accuracy": "test_acc"} | columns
    title, file = f"MGIC, Table {number}: {what}", f"mgic_table{number}_{file}.csv"
    return Printed(title, file, data, network, **columns)


PRINTED = {
    "mgiad-table1": Printed(
        "MGiaD, Table 1: CIFAR-10", "mgiad_table1_cifar10.csv", "cifar10", _mgiad
    ),
    "mgiad-table2": Printed(
        "MGiaD, Table 2: FashionMNIST", "mgiad_table2_fashionmnist.csv", "fashion-mnist", _mgiad
    ),
    **{
        f"mgiad-table3-{data}": _table3(data, spelt)
        for data, spelt in (
            ("cifar100", "CIFAR-100"), ("tiny-imagenet", "Tiny ImageNet"), ("imagenet", "ImageNet")
        )
    },
    "mgiad-text": _claims("section 4", "section 4", "cifar10"),
    **{
        f"mgiad-poster-{data}": _claims("poster", "poster", data)
        for data in ("cifar10", "cifar100", "imagenet")
    },
    "mgic-table1": _mgic_table(
        1, "transfers alone", "coarse_channels", None, _transfers, count="params_k", accuracy=None
    ),
    "mgic-table3": _mgic_table(3, "CIFAR-10", "resnet56_cifar10", "cifar10", _resnet56),
    "mgic-table5": _mgic_table(
        5, "ResNet-50 on ImageNet", "resnet50_imagenet", "imagenet", _resnet50, accuracy="top1_acc"
    ),
    "mgic-table7": _mgic_table(
        7, "light networks on ImageNet", "lightweight_imagenet", "imagenet", _mobilenetv3,
        accuracy="top1_acc",
    ),
    "mgic-table9": _mgic_table(
        9, "Cityscapes", "cityscapes", None, _cityscapes, accuracy="miou"
    ),
    "mgic-table11": _mgic_table(11, "ModelNet10", "modelnet10", None, _known),
    "mgic-table12": _mgic_table(12, "CIFAR-10, s_c and s_g", "ablation", "cifar10", _resnet56),
    "poly-mgnet": Printed(
        "Poly-MgNet: CIFAR-10 (two counts of a summary, four of public code)",
        "poly_mgnet_claims.csv", "cifar10", _poly, count="value",
        accuracy=None, only=lambda line: line["item"].startswith(("weights_", "params_")),
    ),
}  # fmt: skip
