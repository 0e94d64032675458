"""What the papers print, line by line: the network of each line, and whether its count agrees.

The lines are in ``results/published``. Here each line about a network becomes a
:class:`Row`: its place, its numbers as printed, and the config of the network that it counts, on
its data set. Why a count does not agree is said beside the row, in ``results/reasons.csv``.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, cached_property

from ..data import catalogue
from ..errors import Names
from ..models.counting import count_weights
from . import remembered_counts, verdicts
from .papers.catalogue import PRINTED
from .papers.printed_table import FOLDER, read, read_table

_UNITS = {"": 1, "k": 1_000, "M": 1_000_000}


@dataclass(frozen=True)
class Row:
    """A published row that counts weights, or says how accurate a network is.

    Attributes
    ----------
    table, name : str
        The table's key, and the row's name in it: the network's, if we have it.
    source : str
        Its place in the paper.
    data : str or None
        Name of the data set.
    printed, unit : str
        The count as printed, and its unit: "", "k" or "M"; both "" if none is printed.
    accuracy, std : float or None
        As printed, in percent.
    runs : int
        The number of runs behind the printed mean: 1 where the paper does not say.
    train_accuracy, top5 : float or None
        In percent: on the training images, and how often the class is among the top five.
    operations : str
        Those for one image, as printed, such as "1.12 G"; "" if none are printed.
    products : float or None
        The same as multiplications, each with its addition, which is what is counted here.
    arxiv : bool
        Whether this is MGIC's earlier version, where it has one.
    network : config, or None
        The network as it is named; None if it is not built here.
    own : bool
        Whether it is the paper's own network.
    reason : str
        What there is to say about a count or a label that does not agree.
    """

    table: str
    name: str
    source: str
    data: str | None
    printed: str
    unit: str
    accuracy: float | None
    std: float | None
    runs: int
    train_accuracy: float | None
    top5: float | None
    operations: str
    products: float | None
    arxiv: bool
    network: object
    own: bool
    reason: str

    @cached_property
    def config(self):
        """The config of the network as it is counted, on `data`; None for one not built here."""
        if self.network is None or self.data is None:
            return self.network
        return self.network.for_data_set(catalogue.info(self.data))

    @property
    def weights(self):
        """The printed count, as a number of weights, or None."""
        if not self.printed:
            return None
        return float(Decimal(self.printed) * _UNITS[self.unit])

    @property
    def counted(self):
        """The count of our network, or None."""
        return None if self.network is None else weights(self.network, self.data)

    @property
    def difference(self):
        """Our count minus the printed one, in weights, or None."""
        if self.network is None or not self.printed:
            return None
        return round(self.counted - self.weights)

    @property
    def verdict(self):
        """A key of :data:`mgtutorial.reproduction.verdicts.COUNT`."""
        if self.network is None:
            return verdicts.NO_NETWORK if self.own else verdicts.NOT_OURS
        if not self.printed:
            return verdicts.NO_COUNT
        if rounds_to(self.counted, self.printed, self.unit):
            return verdicts.MATCHED
        near = abs(self.difference) <= verdicts.NEAR_TO * self.weights
        return verdicts.NEAR if near else verdicts.NOT_REPRODUCIBLE


def rounds_to(n, printed, unit=""):
    """Return whether a count, rounded to the places of a printed number, is that number.

    Examples
    --------
    >>> rounds_to(2_750_666, "2751", "k"), rounds_to(498_682, "0.5", "M")
    (True, True)
    >>> rounds_to(11_173_962, "11170", "k")
    False
    """
    printed = Decimal(printed)
    ours = (Decimal(n) / _UNITS[unit]).quantize(printed, rounding=ROUND_HALF_UP)
    return ours == printed


def weights(network, data=None):
    """Return the number of weights of a named network, on a data set if one is given.

    It is counted once for each state of the package's code (:mod:`.remembered_counts`).

    Examples
    --------
    >>> from mgtutorial import models
    >>> weights(models.named("mgnet-20")), weights(models.named("mgnet-20"), "fashion-mnist")
    (101242, 100954)
    """

    def counted():
        return count_weights(network.for_data_set(catalogue.info(data)) if data else network)

    return remembered_counts.count(network, data, counted)


@cache
def _reasons():
    found = {}
    for line in read(FOLDER.parent / "reasons.csv"):
        found[line["table"], line["row"]] = line["reason"]
    return found


@cache
def rows(table=None):
    """Return the published rows that count weights, of one table or of all.

    Parameters
    ----------
    table : str, optional
        A name of :data:`~.papers.catalogue.PRINTED`.

    Returns
    -------
    tuple of Row
        In the order in which they are printed.

    Raises
    ------
    UnknownName
        If there is no such table.

    Examples
    --------
    >>> row = rows("mgiad-table1")[1]
    >>> row.name, row.printed + row.unit, row.counted, row.verdict
    ('mgnet', '2751k', 2750666, 'matched')
    """
    if table is None:
        return tuple(row for name in PRINTED for row in rows(name))
    described = PRINTED[table]
    found = {}
    for line in filter(described.only, read_table(described.csv)):
        if described.count and not line[described.count]:
            continue  # quoted without a count
        name, network = described.network(line)
        arxiv = line.get("paper_version") == "arxiv"
        name += "-arxiv" * arxiv
        if name in found:  # MGIC's Table 12 has one label twice
            name += f"-row{line['source'].split()[-1]}"
        column = described.accuracy
        accuracy = column(line) if callable(column) else line.get(column)
        operations, products = _operations(described, line)
        found[name] = Row(
            table=table,
            name=name,
            source=line["source"],
            data=described.data,
            printed=line[described.count] if described.count else "",
            unit=_unit(described.count, line) if described.count else "",
            accuracy=_number(accuracy),
            std=_number(line.get("test_acc_std")),
            runs=described.runs,
            train_accuracy=_number(line.get(described.train_accuracy)),
            top5=_number(line.get(described.top5)),
            operations=operations,
            products=products,
            arxiv=arxiv,
            network=network,
            own=described.own(line),
            reason=_reasons().get((table, name.replace("-arxiv", "")), ""),
        )
    return tuple(found.values())


def _number(text):
    return float(text) if text else None


_OPERATIONS = {"gflops": ("G", 10**9), "flops_b": ("G", 10**9), "flops_m": ("M", 10**6)}


def _operations(described, line):
    """The operations of a line as printed, and as multiplications."""
    text = line[described.operations] if described.operations else ""
    if not text:
        return "", None
    unit, factor = _OPERATIONS[described.operations]
    return f"{text} {unit}", float(Decimal(text) * factor / described.for_product)


def _unit(column, line):
    suffix = column.rpartition("_")[2]
    unit = {"k": "k", "m": "M"}.get(suffix) or line["unit"]
    return "" if unit == "count" else unit


def row(table, name):
    """Return one published row.

    Raises
    ------
    UnknownName
        If there is no such table or no such row in it.

    Examples
    --------
    >>> row("mgic-table12", "mgic-resnet56-c16-g8").verdict
    'not reproducible'
    """
    return Names(f"row of {table}", ((r.name, r) for r in rows(table)))[name]
