"""Accuracy against cost: the networks that have runs of equal budget.

Weights and multiplications are counted; time and memory are those of ``results/benchmarks.json``.
Time was measured once on one machine: it shows ratios between networks, not anyone's seconds.
"""

import json
from functools import cache

from .. import _paths
from ..data import catalogue
from ..models import counting
from . import budgets, verdicts

#: Networks for phones, the narrowest printed one of each kind: wider and deeper than the others.
PHONES = ("ghostnet-0.5x", "mgic-mobilenetv3-0.6")
#: The networks with three levels of 16, 32 and 64 channels, as plans of runs write them; then those
#: for phones.
NETWORKS = (
    "resnet20",
    "mgnet-20",
    "mgnet-20 fas=False",
    "mgnet-20 group_size=16",
    "constrained-20 bounded=True",
    "galerkin-20",
    "mgiad-20-g16",
    "mgiad-20-g8",
    "mgiad-20-g8 coarsest=8",
    "mgiad-20-g4",
    "mgiad-20-g4 correction=fas",
    "mgiad-20-g4 eta_post=2",
    "mgiad-20-g4 eta_post=0 eta_pre=2",
    "mgiad-20-g4 coarsest=4",
    "mgiad-20-g4 coarsest=4 eta_post=0 gamma=2",
    "poly-mgiad-20-g4",
    "poly-mgnet-q2 channels=(16,32,64)",
    "poly-mgnet-g4 channels=(16,32,64)",
    "poly-mgnet-g4 channels=(16,32,64) placement=outside",
    "poly-mgnet-g6 channels=(16,32,64)",
    "poly-mgnet-g6-pair channels=(16,32,64)",
    "mgic-resnet56-c16-g8 blocks=(1,1,1)",
    "mgic-resnet56-c16-g8 blocks=(3,3,3)",
    "mgic-resnet56-c16-g16 blocks=(3,3,3)",
    "mgic-resnet56-c32-g16 blocks=(3,3,3)",
    *PHONES,
)
#: Time and memory are measured on images of this data set; rows of other data sets have none.
DATA = "fashion-mnist"
#: What a network costs, as named in a row.
COSTS = ("weights", "macs", "step", "memory")


def rows(runs, costs=None):
    """Return what each network reaches and costs, for each budget with at least two networks.

    Parameters
    ----------
    runs : list of Record
    costs : dict, optional
        Network -> its measured costs; default: those of :func:`measured_costs`.

    Returns
    -------
    list of dict
        The longest budget first, and within it the network with the most weights. ``on_front``
        names the costs for which no other network of the budget is both as cheap and, on average,
        as accurate.

    Book: frontier, frontier-table
    """
    costs = measured_costs() if costs is None else costs
    found = []
    for budget, own in budgets.by_budget(runs):
        info = catalogue.info(budget.data)
        fitted = {text: budgets.bare(budgets.written_network(text, info)) for text in NETWORKS}
        made = [
            _row(text, budget, own[config], costs.get(text, {}) if budget.data == DATA else {})
            for text, config in fitted.items()
            if config in own
        ]
        if len(made) > 1:
            for row in made:
                row["on_front"] = [cost for cost in COSTS if on_front(row, made, cost)]
            found += sorted(made, key=lambda row: -row["weights"])
    return found


def _row(text, budget, by_seed, costs):
    runs = list(by_seed.values())
    accuracy = verdicts.interval([100 * r.metric.value for r in runs])
    low, high = accuracy.low, accuracy.high
    return {
        "network": text,
        "data": budget.data,
        "budget": budget.name,
        "epochs": budget.epochs,
        "images": budget.images,
        "seeds": accuracy.n,
        "accuracy": round(accuracy.mean, 3),
        "half_width": None if low is None else round(accuracy.half_width, 3),
        "interval": "" if low is None else f"{low:.2f} to {high:.2f}",
        "weights": runs[0].weights,
        "macs": _macs(text, budget.data),
        **costs,
    }  # fmt: skip


@cache
def _macs(text, data):
    """Count them as today's program executes them; a record has those of the program of its day."""
    info = catalogue.info(data)
    return counting.count_macs(budgets.written_network(text, info), info.size, info.channels)


def measured_costs():
    """Return the milliseconds per image of a pass and a training step, and the step's memory in MB.

    Examples
    --------
    >>> sorted(measured_costs()["mgnet-20"])
    ['forward', 'memory', 'step']
    """
    path = _paths.packaged_results() / "benchmarks.json"
    subject = json.loads(path.read_text(encoding="utf-8"))["subjects"]["frontier"]
    found = {}
    for row in subject["rows"]:
        work, images = row["case"].removesuffix(" images").split(", ")
        own = found.setdefault(row["side"].removeprefix("mgtutorial "), {})
        own["forward" if work == "forward" else "step"] = round(
            1e3 * row["median"] / int(images), 3
        )
        own["memory"] = round(row["facts"]["memory"] / 1e6, 1)
    return found


def on_front(row, rows, cost):
    """Return whether no other row is both as cheap and as accurate; False if the cost is not known.

    Examples
    --------
    >>> small, large = {"weights": 1, "accuracy": 90}, {"weights": 2, "accuracy": 89}
    >>> on_front(small, [small, large], "weights"), on_front(large, [small, large], "weights")
    (True, False)
    """
    if cost not in row:
        return False
    others = [other for other in rows if other is not row and cost in other]
    return not any(
        other[cost] <= row[cost] and other["accuracy"] >= row["accuracy"] for other in others
    )


def written(runs):
    """Return ``results/frontier.json`` as text, one row per line."""
    lines = ",\n ".join(json.dumps(row) for row in rows(runs))
    return f"[\n {lines}\n]\n"
