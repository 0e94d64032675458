"""Published rows beside what was measured: the tables of the pages, the notebooks, the terminal.

A line of such a table holds what was printed, what was counted, and a group of runs that differ in
their seeds alone: their mean with its interval, and the verdict. Runs of different budgets stand in
different lines; a row without runs has one line, which says so.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache

from ..data import catalogue
from ..errors import choose
from ..models import registry
from ..models.config import NetworkConfig
from ..models.counting import count_weights
from ..models.narrow import narrowed
from ..training import protocols, records
from . import expected_counts, verdicts
from .published import Row
from .tables import TABLES

#: Budgets in the order in which their lines stand below each other.
ORDER = ("paper", "short", "demo", "smoke")


@dataclass(frozen=True)
class Line:
    """One line of a table.

    Attributes
    ----------
    row : str
    printed : Row or None
        What the paper prints in this row.
    weights, macs : int
        Counted on the row's network; multiplications for one of the table's images. A record has
        those that its run executed, with the program of its day.
    runs : tuple of dict
        Records that differ in their seeds alone; empty where nothing was run.
    comparable : bool
        Whether they follow the paper's protocol on the paper's images.
    """

    row: str
    printed: Row | None
    weights: int
    macs: int
    runs: tuple = ()
    comparable: bool = False

    @property
    def interval(self):
        """Mean and t-interval of the test accuracies in percent, or None."""
        if not self.runs:
            return None
        return verdicts.interval([100 * r["test_accuracy"] for r in self.runs])

    @property
    def difference(self):
        """Our mean less the printed accuracy in percentage points, where they are compared."""
        if not (self.runs and self.comparable and self.printed and self.printed.accuracy):
            return None
        return self.interval.mean - self.printed.accuracy

    @property
    def verdict(self):
        """A key of :data:`mgtutorial.reproduction.verdicts.MEANING`."""
        accuracy, std = (self.printed.accuracy, self.printed.std) if self.printed else (None, None)
        return verdicts.verdict(self.interval, accuracy, std, self.comparable)

    @property
    def circumstances(self):
        """The runs' images, budget, epochs and seeds, for reading."""
        if not self.runs:
            return ""
        first = self.runs[0]
        c, seeds = first["config"], ", ".join(str(r["seed"]) for r in self.runs)
        images = "" if c["n_train"] is None else f", {first['data']['n']:,} images"
        cut = f"{first['epochs']} epochs" + (", partial" if first["partial"] else "")
        return (
            f"{c['data']} ({first['data']['source']}{images}), {first['budget']} ({cut}, "
            f"rate {c['lr']:g}), n = {len(self.runs)} (seed {seeds})"
        )


def lines(table, runs, rows=None):
    """Return the lines of a table.

    Parameters
    ----------
    table : str
        A name of :data:`mgtutorial.reproduction.tables.TABLES`.
    runs : list of dict
        Records. Those of other networks, and those that serve a choice on validation images,
        are left out.
    rows : list of str, optional
        Some of the table's rows; default all.

    Returns
    -------
    list of Line

    Raises
    ------
    UnknownName
        If there is no such table or row.

    Examples
    --------
    >>> line, = lines("mgiad-table1", [], rows=["mgnet"])
    >>> line.printed.accuracy, line.weights, line.verdict
    (96.0, 2750666, 'not run')
    """
    described = TABLES[choose("table", table, TABLES)]
    own = defaultdict(list)
    for run in runs:
        if "test_accuracy" in run:
            own[_network(run)].append(run)
    found = []
    for row in rows or described.rows:
        config, printed = described.config(row), described.rows[row].printed
        common = {"row": row, "printed": printed, "weights": _weights(config)}
        common["macs"] = expected_counts.counts(table, row)[1]
        groups = defaultdict(dict)
        for run in own[_bare(config)]:
            if run["config"]["data"] == described.data or run["budget"] == "smoke":
                _put(groups, run)
        for run in own[_bare(narrowed(config))]:
            if run["budget"] == "smoke":
                _put(groups, run)
        made = [
            Line(
                **common, runs=tuple(g[s] for s in sorted(g)), comparable=_comparable(g, described)
            )
            for g in groups.values()
        ]
        made.sort(key=lambda line: (ORDER.index(line.runs[0]["budget"]), -line.runs[0]["epochs"]))
        found += made or [Line(**common)]
    return found


_weights = cache(count_weights)  # of a config: the same in every line and every call


def _put(groups, run):
    # A run repeated elsewhere, on another device say, stands in for the earlier one.
    same = {k: v for k, v in run["config"].items() if k != "seed"}
    groups[records.digest([same, run["data"]["digest"]])][run["seed"]] = run


def _comparable(group, table):
    return all(_follows(run, table) for run in group.values())


def _follows(run, table):
    """Whether a run has the table's protocol in every field, and its images, all of them."""
    if run["budget"] != "paper" or run["config"]["data"] != table.data:
        return False
    config = protocols.TrainConfig.from_dict(run["config"])
    images = run["data"]["source"], run["data"]["n"], run["evaluated_on"]["n"]
    return (
        config.protocol == table.protocol
        and not protocols.deviation(config)
        and not run["partial"]
        and run["epochs"] == config.epochs
        and catalogue.info(table.data).is_whole(*images)
    )


def _network(run):
    return _bare(registry.from_dict(run["config"]["model"]))


def _bare(config):
    """A config without what the data set and the protocol decide."""
    law = NetworkConfig.initial_weights
    return replace(config, in_channels=1, num_classes=10, initial_weights=law)


# ------------------------------------------------------------------------------ to look at


def pixels(table):
    """Return the side of the images that a table's networks are for."""
    return catalogue.info(TABLES[table].data).size
