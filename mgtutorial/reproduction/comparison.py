"""Published rows beside what was measured: the tables for pages, notebooks and the terminal.

A line of such a table holds what was printed, what was counted, and a group of runs that differ in
their seeds alone: their mean with its interval, and the verdict. Runs of different budgets are on
different lines; a row without runs has one line, which says so. All are runs of the row's own
network on the table's data set; smoke runs, which have narrowed networks and other images, are left
to :func:`trains`.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

from .._text import listed
from ..data import catalogue
from ..training import departures, records
from . import expected_counts, verdicts
from .budgets import bare
from .published import Row
from .tables import TABLES

#: Budgets in the order of their lines, from top to bottom.
ORDER = ("paper", "short", "fast", "demo")


@dataclass(frozen=True)
class Line:
    """One line of a table.

    Attributes
    ----------
    row : str
    printed : Row or None
        What the paper prints in this row.
    weights, macs : int
        Counted on the row's network, as :mod:`.expected_counts` has them; multiplications are those
        for one of the table's images. A record has those that its run executed, with the program
        of its day.
    runs : tuple of Record
        Those that differ in their seeds alone; empty where nothing was run.
    deviations : tuple of str
        In what respects they depart from the paper's protocol on the paper's images; if empty, they
        are compared.
    """

    row: str
    printed: Row | None
    weights: int
    macs: int
    runs: tuple = ()
    deviations: tuple = ()

    @property
    def comparable(self):
        """Whether there are runs, following the paper's protocol in every field but the seed."""
        return bool(self.runs) and not self.deviations

    @property
    def interval(self):
        """Mean, deviation and t-interval of the test accuracies in percent, or None."""
        if not self.runs:
            return None
        return verdicts.interval([100 * r.metric.value for r in self.runs])

    @property
    def difference(self):
        """Our mean minus the printed accuracy, in percentage points, where they are compared.

        An :class:`~.verdicts.Interval`, or None.
        """
        p = self.printed
        if not self.comparable or p is None or p.accuracy is None:
            return None
        return verdicts.difference(self.interval, p.accuracy, p.std, p.runs)

    @property
    def verdict(self):
        """A key of :data:`mgtutorial.reproduction.verdicts.ACCURACY`."""
        p = self.printed
        given = (None, None, 1) if p is None else (p.accuracy, p.std, p.runs)
        return verdicts.verdict(self.interval, *given, self.comparable)

    @property
    def circumstances(self):
        """The runs' images, epochs and device, and what departs from the protocol, as text."""
        if not self.runs:
            return ""
        first = self.runs[0]
        c = first.config
        images = "" if c.n_train is None else f", {first.data.n:,} images"
        # a record may say anything; the tables use backticks for what they themselves call code
        source, device = (str(x).replace("`", "'") for x in (first.data.source, first.device))
        parts = [f"{c.data} ({source}{images})", f"{first.epochs} epochs"]
        parts += [f"weights at rest from epoch {first.at_rest}"] * bool(first.at_rest)
        parts += ["compiled"] * c.compile + ["lean"] * (c.memory == "lean") + [device]
        if self.comparable:
            return "; ".join([*parts, "the protocol"])

        def told(name):  # with its number, where that has not been said
            value = None if name in ("epochs", "n_train") else getattr(c, name, None)
            return f"{name} ({value:g})" if isinstance(value, int | float) else name

        others = [told(name) for name in self.deviations if name not in ("budget", "images")]
        return "; ".join([*parts, f"`{first.budget}`, not the protocol's {', '.join(others)}"])


def compare(table, runs, rows=None):
    """Return the lines of a table.

    Parameters
    ----------
    table : str
        A name of :data:`mgtutorial.reproduction.TABLES`.
    runs : list of Record
        Runs of other networks or on other data sets, runs of the budget ``smoke``, and runs for a
        choice on validation images are left out.
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
    >>> line, = compare("mgiad-table1", [], rows=["mgnet"])
    >>> line.printed.accuracy, line.weights, line.verdict
    (96.0, 2750666, 'not run')
    """
    described = TABLES[table]
    own = defaultdict(list)
    for run in runs:
        if run.tests_accuracy and run.budget in ORDER and run.config.data == described.data:
            own[bare(run.config.model)].append(run)
    found = []
    for row in described.rows if rows is None else dict.fromkeys(listed(rows, "rows")):
        weights, macs = expected_counts.counts(table, row)
        printed = described.entry(row).printed
        common = {"row": row, "printed": printed, "weights": weights, "macs": macs}
        groups = defaultdict(dict)
        for run in own[bare(described.config(row))] if own else ():
            _put(groups, run)
        made = [
            Line(**common, runs=tuple(g[s] for s in sorted(g)), deviations=_deviations(g, table))
            for g in groups.values()
        ]
        made.sort(key=lambda line: (ORDER.index(line.runs[0].budget), -line.runs[0].epochs))
        found += made or [Line(**common)]
    return found


def _put(groups, run):
    # If a run is recorded twice, the first record counts, here as everywhere.
    same = {k: v for k, v in run.choices.items() if k != "seed"}
    groups[records.digest([same, run.data.digest])].setdefault(run.seed, run)


def _deviations(group, table):
    """Return in what respects runs depart from a table's protocol on its images."""
    first = next(iter(group.values()))
    described, config = TABLES[table], first.config
    found = list(departures.deviation(config))
    if config.protocol != described.protocol and "protocol" not in found:
        found.append("protocol")
    if any(run.partial for run in group.values()) and "epochs" not in found:
        found.append("epochs")
    images = first.data.source, first.data.n, first.evaluated_on.n
    if not catalogue.info(described.data).is_whole(*images):
        found.append("images")
    return tuple(found)


class Trial(NamedTuple):
    """A smoke run: whether a small relative of a row's network trains, on embedded images."""

    row: str
    data: str
    first: float
    last: float
    digest: str

    @property
    def trains(self):
        """Whether its last loss is below its first one."""
        return self.last < self.first


def trains(rows, runs):
    """Return the :class:`Trial` of each smoke run.

    Parameters
    ----------
    rows : list of str
        The row of each run.
    runs : list of Record
        Of the budget ``smoke``.
    """
    return [
        Trial(row, r.config.data, r.curve[0].loss, r.curve[-1].loss, r.digest)
        for row, r in zip(rows, runs, strict=True)
    ]
