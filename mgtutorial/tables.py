"""Tables are views: published numbers joined with records, nothing typed.

A table of a paper is a CSV file in ``results/published``; its rows that a network exists
for are named here, beside the network. :func:`join` puts them together with the records
of the runs.
"""

import csv
from dataclasses import dataclass, replace
from statistics import fmean

from . import models, records
from .counting import count_weights
from .errors import InvalidValue, choose

NOT_RUN = "not run"


@dataclass(frozen=True)
class Table:
    """A published table: its file, its data set, and the networks of its rows.

    Attributes
    ----------
    title : str
    csv : str
        Name of the file in ``results/published``.
    data : str
        The data set of :func:`mgtutorial.data.load`.
    channels, classes : int
        Of that data set: what the published counts are for.
    rows : dict
        Row name -> (value of the CSV's ``model`` column, config of the network).
    """

    title: str
    csv: str
    data: str
    channels: int
    classes: int
    rows: dict

    def config(self, row):
        """Return the network that a published row counts."""
        _, config = self.rows[choose("row", row, self.rows)]
        return replace(config, in_channels=self.channels, num_classes=self.classes)


TABLES = {
    "mgiad-table2": Table(
        title="MGiaD, Table 2: FashionMNIST",
        csv="mgiad_table2_fashionmnist.csv",
        data="fashion-mnist",
        channels=1,
        classes=10,
        rows={
            "resnet20": ("resnet20", models.CONFIGS["resnet20"]),
            "mgnet-20": ("mgnet_ab_20", models.CONFIGS["mgnet-20"]),
        },
    ),
}


def published(name):
    """Return the rows of a published file as dictionaries of strings, as printed.

    Parameters
    ----------
    name : str
        The file's name in ``results/published``.

    Examples
    --------
    >>> rows = published("mgiad_table2_fashionmnist.csv")
    >>> next(r["test_acc"] for r in rows if r["model"] == "mgnet_ab_20")
    '93.29'
    """
    with open(records.shipped() / "published" / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def join(table, runs, rows=None):
    """Return a table's rows, each with what was printed, counted and measured.

    Parameters
    ----------
    table : str
        A name of :data:`TABLES`.
    runs : list of dict
        Records; those of one row must differ in their seeds alone.
    rows : list of str, optional
        Some of the table's rows; default all.

    Returns
    -------
    list of dict
        ``row``; ``published_weights_k``, ``published_accuracy`` and
        ``published_std`` (percent) as printed; ``weights`` as counted on the network of
        the published data set; ``data``, ``budget``, ``epochs``, ``n``, ``seeds`` and
        ``accuracy`` (mean, percent) of the runs, or None where there is none.

    Raises
    ------
    UnknownName
        If there is no such table or row.
    InvalidValue
        If the records of a row differ in more than their seeds.

    Examples
    --------
    >>> [(r["row"], r["weights"], r["n"]) for r in join("mgiad-table2", [])]
    [('resnet20', 269434, 0), ('mgnet-20', 100954, 0)]
    """
    described = TABLES[choose("table", table, TABLES)]
    printed = {r["model"]: r for r in published(described.csv)}
    joined = []
    for row in rows or described.rows:
        config = described.config(row)
        line = printed[described.rows[row][0]]
        own = [r for r in runs if _same_network(r["config"]["model"], config)]
        _check_mean(row, own)
        joined.append(
            {
                "row": row,
                "published_weights_k": float(line["weights_k"]),
                "published_accuracy": float(line["test_acc"]),
                "published_std": float(line["test_acc_std"]),
                "weights": count_weights(config),
                "n": len(own),
                "seeds": sorted(r["seed"] for r in own),
                "data": (own[0]["config"]["data"], own[0]["data"]["source"]) if own else None,
                "budget": own[0]["budget"] if own else None,
                "epochs": own[0]["epochs"] if own else None,
                "partial": any(r["partial"] for r in own),
                "accuracy": 100 * fmean(r["test_accuracy"] for r in own) if own else None,
            }
        )
    return joined


def _same_network(recorded, config):
    """Whether a run's network is the row's, but for the data set it was fitted to."""
    recorded = models.from_dict(recorded)
    fitted = {k: getattr(recorded, k) for k in ("in_channels", "num_classes")}
    return recorded == replace(config, **fitted)


def _check_mean(row, own):
    """Raise unless runs differ in their seeds alone: no other mean belongs in a table."""

    def but_for_the_seed(r):
        config = {k: v for k, v in r["config"].items() if k != "seed"}
        return records.digest([config, r["data"]["source"]])

    if len({but_for_the_seed(r) for r in own}) > 1 or len({r["seed"] for r in own}) < len(own):
        raise InvalidValue(
            f"the records given for {row} are no repetitions: they must have one configuration "
            "and different seeds; choose among them first."
        )


def markdown(rows, table):
    """Return joined rows as a Markdown table.

    Only runs of the paper's own protocol on its own data set share the column of the
    published accuracy; all others stand in a column that says what they are.
    """
    described = TABLES[choose("table", table, TABLES)]
    head = (
        "| network | weights, published | weights, counted | accuracy, published | "
        "accuracy, measured | measured on, budget, n |"
    )
    lines = [head, "|---|---:|---:|---:|---:|---|"]
    for r in rows:
        if r["n"]:
            name, source = r["data"]
            seeds = ", ".join(map(str, r["seeds"]))
            cut = f"{r['epochs']} epochs" + (", partial" if r["partial"] else "")
            on = f"{name} ({source}), {r['budget']} ({cut}), n = {r['n']} (seed {seeds})"
            measured = f"{r['accuracy']:.2f} %"
            if r["budget"] != "paper" or name != described.data or r["partial"]:
                on += "; not comparable"
        else:
            measured, on = NOT_RUN, ""
        lines.append(
            f"| {r['row']} | {r['published_weights_k']:.0f}k | {r['weights']:,} "
            f"| {r['published_accuracy']:.2f} ± {r['published_std']:.2f} % | {measured} | {on} |"
        )
    return "\n".join(lines)


def runs_markdown(runs):
    """Return records as a Markdown table: what was trained, how, and what came out.

    Examples
    --------
    >>> print(runs_markdown([]))
    No such run is recorded.
    """
    if not runs:
        return "No such run is recorded."
    lines = [
        "| network | data | budget | epochs | rate | seed | accuracy | on | weights | time "
        "| device | run |",
        "|---|---|---|---:|---:|---:|---:|---|---:|---:|---|---|",
    ]
    for r in runs:
        c, on = r["config"], r["evaluated_on"]["split"]
        budget = c["budget"] + (", partial" if r["partial"] else "")
        n = "" if c["n_train"] is None else f", {r['data']['n']:,} images"
        device = r["device"].get("name") or f"CPU, {r['device']['threads']} thread(s)"
        lines.append(
            f"| {network_name(c['model'])} | {c['data']} ({r['data']['source']}{n}) | {budget} "
            f"| {r['epochs']} | {c['lr']} | {r['seed']} | {r[f'{on}_accuracy']:.2%} | {on} "
            f"| {r['weights']:,} | {r['seconds'] / 60:.0f} min | {device} | `{r['digest']}` |"
        )
    return "\n".join(lines)


def network_name(recorded):
    """Return the name of a recorded network, or its kind and widths if it has none.

    Examples
    --------
    >>> network_name(models.as_dict(models.named("mgnet-20", in_channels=1)))
    'mgnet-20'
    """
    config = models.from_dict(recorded)
    for name, known in models.CONFIGS.items():
        if type(known) is type(config) and _same_network(recorded, known):
            return name
    return f"{type(config).__name__.removesuffix('Config')} {'-'.join(map(str, config.channels))}"
