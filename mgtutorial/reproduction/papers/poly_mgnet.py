"""What the public summary of the Poly-MgNet paper prints, and what its authors' code counts."""

from ...models import poly_mgnet, registry
from ...models.poly_mgnet import PolyMgNetConfig
from .paper import Family, Figure, Paper
from .printed_table import Printed


def _network(line):
    kind, name = line["item"].split("_", 1)
    if kind == "params":
        name = f"poly-mgnet-{name}"
        return name, registry.CONFIGS[name]
    name = name.removesuffix("_cifar10").replace("_", "-")
    return f"{name}-summary", registry.CONFIGS[name]


def _counts(line):
    return line["item"].split("_", 1)[0] in ("weights", "params")


_TITLE = "Poly-MgNet: CIFAR-10 (two counts of a summary, four of public code)"
_WIDTHS = (  # factors 8 and 2 in the weights; the caption of Figure 5 has ResNets below 1 only
    *("resnet18-x0.35", "resnet18-x0.71"),
    *("mgnet-x0.35", "mgnet-x0.71", "mgnet-x1.41", "mgnet-x2.83"),
)

PAPER = Paper(
    title="Poly-MgNet (ICPRAM 2025)",
    protocol="poly-mgnet",
    printed={
        "poly-mgnet": Printed(
            _TITLE, "poly_mgnet_claims.csv", "cifar10", _network, count="value", accuracy=None,
            only=_counts,
        )
    },
    figures={
        # The trade-off of accuracy and weights: its accuracies are not in the text at hand.
        "poly-mgnet": Figure(
            _TITLE, "cifar10", (*poly_mgnet.NAMED, "resnet18", "mgnet", *_WIDTHS),
            printed=("poly-mgnet",), called={"resnet18": "resnet18-summary"},
        )
    },
    families=(Family("Poly-MgNet", "purple", "P", PolyMgNetConfig),),
)  # fmt: skip
