"""What the MGiaD paper prints, and its poster."""

from functools import partial

from ...models import registry
from ...models.mgiad import MGiaDConfig
from ...models.mgnet import MgNetConfig
from ...models.resnet import ResNetConfig
from .paper import Family, Figure, Paper
from .printed_table import Printed, read_table

# Section 4: means and standard deviations of three runs.
_printed = partial(Printed, runs=3)

_MGNETS = {"mgnet_ab": "mgnet", "mgnet_a": "mgnet-a", "mgnet_ab_20": "mgnet-20"}


def _network(line):
    name = _MGNETS.get(line["model"], line["model"])
    g_s = line.get("g_s_inferred") or line["g_s"]  # three labels of Table 2 do not fit
    if name == "mgiad":
        name = f"mgiad-lam{line.get('lambda') or 1}-c{line['c_k']}-g{g_s}"
    elif name == "mgiad_3_levels":
        name = f"mgiad-20-g{g_s}"
    return name, registry.CONFIGS[name]


def _table3(data, spelt):
    return _printed(
        f"MGiaD, Table 3: {spelt}", "mgiad_table3_cifar100_tiny_imagenet.csv", data, _network,
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
        claims = read_table(file)
        return next((c["value"] for c in claims if about.items() <= c.items()), "")

    title, file = f"MGiaD, {title}: {data}", "mgiad_text_claims.csv"
    return _printed(title, file, data, _network, count="value", accuracy=accuracy, only=only)


_FIGURE_7 = (
    *("resnet18", "resnet20", "mgnet", "mgnet-20"),
    *(f"mgnet-g{g}" for g in (4, 8, 16, 32, 64)),
    *(f"mgic-resnet56-c{s_c}-g{s_g}" for s_c, s_g in ((64, 16), (16, 8))),
    *(f"mgiad-lam{lam}-c64-g{g}" for lam in (3, 2) for g in (4, 8)),
    *(f"mgiad-lam1-c{c}-g{g}" for c in (64, 32, 16) for g in (4, 8)),
    *(f"mgiad-lam1-c64-g{g}-post{eta}" for g in (4, 8) for eta in (2, 3)),
)

PAPER = Paper(
    title="Multigrid-in-all-dimensions (ICCVW 2023)",
    protocol="mgiad",
    printed={
        "mgiad-table1": _printed(
            "MGiaD, Table 1: CIFAR-10", "mgiad_table1_cifar10.csv", "cifar10", _network
        ),
        "mgiad-table2": _printed(
            "MGiaD, Table 2: FashionMNIST", "mgiad_table2_fashionmnist.csv", "fashion-mnist",
            _network,
        ),
        "mgiad-table3-cifar100": _table3("cifar100", "CIFAR-100"),
        "mgiad-table3-tiny-imagenet": _table3("tiny-imagenet", "Tiny ImageNet"),
        "mgiad-table3-imagenet": _table3("imagenet", "ImageNet"),
        "mgiad-text": _claims("section 4", "section 4", "cifar10"),
        **{
            f"mgiad-poster-{data}": _claims("poster", "poster", data)
            for data in ("cifar10", "cifar100", "imagenet")
        },
    },
    trained=(
        "mgiad-table1",
        "mgiad-table2",
        "mgiad-table3-cifar100",
        "mgiad-table3-tiny-imagenet",
        "mgiad-table3-imagenet",
    ),
    figures={
        # The numbers that are printed stand elsewhere, MGIC's in its own paper.
        "mgiad-figure7": Figure(
            "MGiaD, Figure 7: CIFAR-10, accuracy over weights", "cifar10", _FIGURE_7,
            printed=("mgic-table3", "mgic-table12", "mgiad-text", "mgiad-table1"),
        )
    },
    families=(
        Family("ResNet", "black", "s", ResNetConfig),
        Family("MgNet", "blue", "o", MgNetConfig, lambda config: config.group_size is None),
        Family("MgNet, grouped", "sky", "v", MgNetConfig, lambda config: bool(config.group_size)),
        Family("MGiaD", "vermillion", "^", MGiaDConfig),
    ),
)  # fmt: skip
