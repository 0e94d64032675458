"""Accuracies that may be stated, each for a network and a data set; and what a sentence names."""

import re
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from .. import _paths
from ..models import registry
from ..training import implicit_function
from . import published
from .budgets import bare
from .papers.printed_table import FOLDER, read

# What a network is called in a text. The first that matches at a place counts.
_FAMILIES = {
    "mgic-resnet56": r"MGIC-ResNet-?56",
    "mgic-resnet50": r"MGIC-ResNet-?50",
    "mgic-mobilenetv3": r"MGIC-MobileNetV3",
    "mgic-large": r"MGIC-Large",
    "mgic-small": r"MGIC-Small",
    "mobilenetv3-large": r"MobileNetV3-Large",
    "mobilenetv3-small": r"MobileNetV3-Small",
    "mobilenetv3": r"MobileNetV3",
    "mobilenetv2": r"MobileNetV2",
    "mobilenetv1": r"MobileNetV1",
    "ghostnet": r"GhostNet",
    "poly-mgnet": r"Poly-MgNet",
    "skeleton": r"[Ss]keleton",
    "mgiad-20": r"(?:three-level MGiaD|MGiaD-20|mgiad-20)",
    "mgiad": r"(?:MGiaDs?\b|mgiad(?=-lam))",
    "mgnet-20": r"(?:MgNet-20|mgnet-20)",
    "mgnet-a": r"MgNet\$\^A\$",
    "mgnet": r"(?:MgNet|mgnet)\b",
    **{f"resnet{n}": rf"ResNet-?{n}\b|resnet{n}\b" for n in (18, 20, 34, 50, 56)},
}
FAMILY = re.compile("|".join(f"(?P<f{i}>{p})" for i, p in enumerate(_FAMILIES.values())))

_DATA = {
    "cifar100": r"CIFAR-100\b",
    "cifar10": r"CIFAR-10\b",
    "tiny-imagenet": r"Tiny ImageNet",
    "imagenet": r"ImageNet",
    "fashion-mnist": r"Fashion-?MNIST|fashion-mnist",
    "cityscapes": r"Cityscapes",
    "modelnet10": r"ModelNet10",
}
DATA = re.compile("|".join(f"(?P<d{i}>{p})" for i, p in enumerate(_DATA.values())))

_WORDS = {"four": "4", "eight": "8", "sixteen": "16", "one": "1"}
_VALUE = r"\s*=\s*(?P<v>\d+)"
_PARAMETERS = {
    "lam": rf"(?:\\lambda|λ|lambda){_VALUE}|-lam(?P<w>\d)",
    "c_K": rf"c_K{_VALUE}|-c(?P<w>\d+)",
    "g_s": rf"(?:g_s|s_g){_VALUE}|(?:groups of|-g)\s?(?P<w>\d+|four|eight|sixteen)",
    "s_c": rf"s_c{_VALUE}",
    "scale": r"(?P<v>[01]\.\d+)x",
}
# What a file of results/published is about, where no column says it.
_FILES = {
    "mgiad_table1_cifar10": ("cifar10", None),
    "mgiad_table2_fashionmnist": ("fashion-mnist", None),
    "mgic_table3_resnet56_cifar10": ("cifar10", None),
    "mgic_table12_ablation": ("cifar10", "mgic-resnet56"),
    "mgic_table5_resnet50_imagenet": ("imagenet", None),
    "mgic_table7_lightweight_imagenet": ("imagenet", None),
    "mgic_table8_inference_times": ("imagenet", None),
    "mgic_table9_cityscapes": ("cityscapes", None),
    "mgic_table11_modelnet10": ("modelnet10", None),
    "mgiad_table3_cifar100_tiny_imagenet": (None, None),
    "mgiad_text_claims": (None, None),
}
_COLUMNS = {"test_acc": "test", "top1_acc": "test", "miou": "test", "train_acc": "training"}
_COLUMNS["top5_acc"] = "top-5"


@dataclass(frozen=True)
class Named:
    """What a sentence names for a number, and how it narrows down the number's source."""

    family: str | None
    data: str | None
    parameters: tuple = ()
    kind: str = "test"
    source: str | None = None
    first_version: bool = False

    def __str__(self):
        chosen = "".join(f", {k} = {v}" for k, v in self.parameters)
        return f"{self.family}{chosen} on {self.data}"


@dataclass(frozen=True)
class Fact:
    """An accuracy in percent: of a network, on images, printed or recorded."""

    family: str
    data: str
    parameters: tuple
    kind: str
    source: str
    value: Decimal
    std: float | None = None
    first_version: bool = False

    def fits(self, named):
        """Whether this is what a sentence names."""
        own = dict(self.parameters)
        return (
            (self.family, self.data, self.kind) == (named.family, named.data, named.kind)
            and named.source in (None, self.source)
            and (self.source == "recorded" or self.first_version == named.first_version)
            and all(own.get(k, v) == v for k, v in named.parameters)
        )


def named(sentence, at):
    """Return what a number at a place in a sentence belongs to.

    Examples
    --------
    >>> text = "On CIFAR-10 MgNet has 96.00 % and ResNet18 96.26 %."
    >>> named(text, text.index("96.26"))
    Named(family='resnet18', data='cifar10', ...)
    >>> str(named("It is 59.36 % on Tiny ImageNet for MGiaD.", 6))
    'mgiad on tiny-imagenet'
    """
    after = re.match(r"[\d.,± ]*(?:%|per cent|mIoU)? (?:on|for) (?=[CTIFM])", sentence[at:])
    direct = DATA.match(sentence, at + after.end()) if after else None
    near = direct or _nearest(DATA, sentence, at)
    family = _nearest(FAMILY, sentence, at)
    before, parameters = sentence[:at], []
    for name, pattern in _PARAMETERS.items():
        found = list(re.finditer(pattern, before)) or list(re.finditer(pattern, sentence))[:1]
        if found:
            value = found[-1].groupdict()
            value = value.get("v") or value.get("w")
            parameters.append((name, _WORDS.get(value, value)))
    kind = next((k for k in ("top-5", "validation", "training") if k in sentence), "test")
    said = re.findall(r"\b(print|record|measure)", before)
    source = said and {"print": "printed"}.get(said[-1], "recorded")
    return Named(
        _key(_FAMILIES, family),
        _key(_DATA, near),
        tuple(parameters),
        kind,
        source or None,
        "first version" in sentence,
    )


def _nearest(pattern, sentence, at):
    found = list(pattern.finditer(sentence))
    before = [m for m in found if m.end() <= at]
    return before[-1] if before else next(iter(found), None)


def _key(names, match):
    return None if match is None else list(names)[int(match.lastgroup[1:])]


def facts(runs):
    """Return all accuracies that are printed or recorded."""
    return [*_printed(), *_recorded(runs)]


def _printed():
    names = {"fashionmnist": "fashion-mnist", "tiny_imagenet": "tiny-imagenet"}
    for name, (data, family) in _FILES.items():
        for line in read(FOLDER / f"{name}.csv"):
            if line.get("quantity", "test_acc") not in ("test_acc", "train_acc"):
                continue
            own = line.get("model") or line.get("backbone") or ""
            key = _family(own) or family
            if key is None:
                continue
            columns = _COLUMNS
            if "quantity" in line:
                columns = {"value": _COLUMNS[line["quantity"]]}
            for column, kind in columns.items():
                if line.get(column):
                    yield Fact(
                        key,
                        data or names.get(line["dataset"], line["dataset"]),
                        _parameters(line, own),
                        kind,
                        "printed",
                        Decimal(line[column]),
                        float(line["test_acc_std"]) if line.get("test_acc_std") else None,
                        line.get("paper_version") == "arxiv",
                    )


def _family(model):
    """The family of a model as a file calls it: "mgnet_ab_20" is MgNet-20."""
    known = {"mgnet_ab": "mgnet", "mgnet_ab_20": "mgnet-20", "mgnet_a": "mgnet-a"}
    known["mgiad_3_levels"] = "mgiad-20"
    bare = re.sub(r"_[\d.]+x.*", "", model)
    key = known.get(bare, bare.replace("_", "-"))
    return key if key in _FAMILIES else None


def _parameters(line, model):
    columns = {"lam": "lambda", "c_K": "c_k", "g_s": "g_s", "s_c": "s_c"}
    found = {k: line[c] for k, c in columns.items() if line.get(c)}
    if line.get("s_g"):
        found["g_s"] = line["s_g"]
    if scale := re.search(r"_([\d.]+)x", model):
        found["scale"] = scale[1]
    return tuple(found.items())


def _recorded(runs):
    """The last epoch of each run, and the mean of runs that differ in their seeds alone."""
    names = {bare(config): name for name, config in registry.CONFIGS.items()}
    groups = defaultdict(list)
    for run in runs:
        if run.metric.name != "accuracy" or run.budget == "smoke":
            continue
        if name := names.get(bare(run.config.model)):  # others have no row in any table
            kind = {"test": "test", "val": "validation"}[run.metric.split]
            same = (name, run.config.data, kind, run.budget, run.epochs, run.config.lr)
            groups[same].append(run.metric.value)
    for (name, data, kind, *_), values in groups.items():
        parts = re.fullmatch(r"(mgiad-20|mgiad|[\w.-]+?)((?:-(?:lam|c|g)\d+)*)", name)
        found = re.findall(r"-(lam|c|g)(\d+)", parts[2])
        parameters = tuple(({"lam": "lam", "c": "c_K", "g": "g_s"}[k], v) for k, v in found)
        for value in {*values, sum(values) / len(values)}:
            percent = Decimal(str(round(100 * value, 6)))
            yield Fact(parts[1], data, parameters, kind, "recorded", percent)


def counts(runs):
    """Return the counts that are printed, expected or recorded."""
    others = implicit_function.recorded()
    found = {float(n) for r in (*runs, *others) for n in (r.weights, r.macs) if n}
    expected = read(_paths.packaged_results() / "expected_counts.csv")
    found |= {float(line[k]) for line in expected for k in ("weights", "macs")}
    return found | {float(row.weights) for row in published.rows() if row.printed}
