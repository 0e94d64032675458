"""What the MGiaD paper prints, and its poster."""

from functools import partial

from ...models import registry
from ...models.constrained import ConstrainedConfig
from ...models.mgiad import MGiaDConfig
from ...models.mgnet import MgNetConfig
from ...models.resnet import ResNetConfig
from .paper import Family, Figure, Paper
from .printed_table import Printed, read_table

# Section 4: means and standard deviations of three runs.
_printed = partial(Printed, runs=3)

_MGNETS = {"mgnet_ab": "mgnet", "mgnet_a": "mgnet-a", "mgnet_ab_20": "mgnet-20"}

_SPELT = {
    "cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet": "ImageNet",
    "tiny-imagenet": "Tiny ImageNet",
}  # fmt: skip


def _network(line):
    name = _MGNETS.get(line["model"], line["model"])
    g_s = line.get("g_s_inferred") or line["g_s"]  # three labels of Table 2 do not fit
    if name == "mgiad":
        name = f"mgiad-lam{line.get('lambda') or 1}-c{line['c_k']}-g{g_s}"
    elif name == "mgiad_3_levels":
        name = f"mgiad-20-g{g_s}"
    return name, registry.CONFIGS[name]


def _table3(data):
    return _printed(
        f"MGiaD, Table 3: {_SPELT[data]}", "mgiad_table3_cifar100_tiny_imagenet.csv", data,
        _network, only=lambda line: line["dataset"] == data.replace("-", "_"),
    )  # fmt: skip


def _claims(title, place, data, of="weights"):
    """What the text says of `data` at a place: of weights, with accuracies, or of those alone."""

    def only(line):
        here = place in line["source"] and line["dataset"] == data.replace("-", "_")
        return here and line["quantity"] == of

    def accuracy(line):
        """The claim of an accuracy that belongs to a claim of weights."""
        about = {k: v for k, v in line.items() if k not in ("value", "unit", "note")}
        about["quantity"] = "test_acc"
        claims = read_table(file)
        return next((c["value"] for c in claims if about.items() <= c.items()), "")

    title, file = f"MGiaD, {title}: {_SPELT[data]}", "mgiad_text_claims.csv"
    count = "value" if of == "weights" else None
    return _printed(title, file, data, _network, count=count, accuracy=accuracy, only=only)


_FIGURE_7 = (
    *("resnet18", "resnet20", "mgnet", "mgnet-20"),
    *(f"mgnet-g{g}" for g in (4, 8, 16, 32, 64)),
    *(f"mgic-resnet56-c{s_c}-g{s_g}" for s_c, s_g in ((64, 16), (16, 8))),
    *(f"mgiad-lam{lam}-c64-g{g}" for lam in (3, 2) for g in (4, 8)),
    *(f"mgiad-lam1-c{c}-g{g}" for c in (64, 32, 16) for g in (4, 8)),
    *(f"mgiad-lam1-c64-g{g}-post{eta}" for g in (4, 8) for eta in (2, 3)),
)

_TINY_IMAGENET = (
    *("resnet18", "mgnet", "mgiad-lam1-c64-g8", "mgiad-lam1-c64-g32", "mgiad-lam1-c64-g64"),
    *(f"mgiad-lam{lam}-c64-g{g}" for lam in (2, 3) for g in (8, 64)),
)

PAPER = Paper(
    title="Multigrid-in-all-dimensions (ICCVW 2023)",
    protocol="mgiad",
    printed={
        "mgiad-table1": _printed(
            "MGiaD, Table 1: CIFAR-10", "mgiad_table1_cifar10.csv", "cifar10", _network,
            operations="gflops", for_product=2,
        ),
        "mgiad-table2": _printed(
            "MGiaD, Table 2: FashionMNIST", "mgiad_table2_fashionmnist.csv", "fashion-mnist",
            _network,
        ),
        "mgiad-table3-cifar100": _table3("cifar100"),
        "mgiad-table3-tiny-imagenet": _table3("tiny-imagenet"),
        "mgiad-table3-imagenet": _table3("imagenet"),
        "mgiad-text": _claims("section 4", "section 4", "cifar10"),
        "mgiad-text-tiny-imagenet": _claims("section 4", "section 4", "tiny-imagenet", "test_acc"),
        "mgiad-poster-cifar10": _claims("poster, first table", "poster", "cifar10"),
        "mgiad-poster-cifar100": _claims("poster, second table", "poster", "cifar100"),
        "mgiad-poster-imagenet": _claims("poster, second table", "poster", "imagenet"),
    },
    trained=(
        "mgiad-table1",
        "mgiad-table2",
        "mgiad-table3-cifar100",
        "mgiad-table3-imagenet",
        "mgiad-poster-cifar10",  # MgNet^A stands there and nowhere else
    ),
    figures={
        # With a ninth network, which is in the text alone.
        "mgiad-table3-tiny-imagenet": Figure(
            "MGiaD, Table 3 and text: Tiny ImageNet", "tiny-imagenet", _TINY_IMAGENET,
            printed=("mgiad-table3-tiny-imagenet", "mgiad-text-tiny-imagenet"),
        ),
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
        Family("constrained model", "orange", "p", ConstrainedConfig),
    ),
)  # fmt: skip
