"""The exact counts that every table is held to: ``results/expected_counts.csv``.

They were computed once and checked against what the papers print and against the formulas of the
chapters. A network that is built in any other way, say with one more batch norm, does not get
past :func:`check`. The lines of a new table are added by :func:`write`.
"""

from functools import cache

from .. import _atomic, _paths
from .._text import as_csv, listed
from ..data import catalogue
from ..errors import InvalidValue
from ..models import counting
from .papers.printed_table import read
from .tables import TABLES


class WrongNetwork(InvalidValue):
    """A network whose counts are not the recorded ones."""


def _path():
    return _paths.packaged_results() / "expected_counts.csv"


@cache
def _file(path):
    return {
        (line["table"], line["row"]): (int(line["weights"]), int(line["macs"]))
        for line in read(path)
    }


def counts(table, row):
    """Return (weights, multiplications per image) of a row's network, as recorded.

    Raises
    ------
    UnknownName
        If there is no such table, or no such row in it.
    InvalidValue
        If no count is recorded yet for the row.

    Examples
    --------
    >>> counts("mgiad-table1", "mgiad-lam3-c64-g4")
    (1020106, 425372160)
    """
    entry = TABLES[table].entry(row)
    recorded = _file(_path()).get((table, row))
    if recorded is None:
        raise InvalidValue(
            f"no counts of {row} in {table} are recorded in results/expected_counts.csv"
            f"{'' if entry.printed is None else ', though the paper prints some'}: "
            "if its network is right, type: mgtutorial count --write."
        )
    return recorded


def count(table, row, network=None):
    """Build the network of a row and return its (weights, multiplications per image).

    Parameters
    ----------
    table, row : str
    network : callable, optional
        Maps a config to what is counted; default: the config itself.

    Examples
    --------
    >>> count("mgiad-table2", "mgnet-20")
    (100954, 30990592)
    """
    described = TABLES[table]
    config, data = described.config(row), catalogue.info(described.data)
    built = counting.built(config if network is None else network(config))
    return counting.count_weights(built), counting.count_macs(built, data.size, data.channels)


def check(table, rows=None, network=None):
    """Build and count the networks of a table; raise unless both counts are as recorded.

    Parameters
    ----------
    table : str
    rows : list of str, optional
        Default: all.
    network : callable, optional
        As for :func:`count`.

    Returns
    -------
    dict
        Row -> (weights, multiplications).

    Raises
    ------
    UnknownName, InvalidValue
        As :func:`counts`.
    WrongNetwork
        For the first row that differs.

    Examples
    --------
    >>> check("mgiad-table2", rows=["mgnet-20"])
    {'mgnet-20': (100954, 30990592)}
    """
    found = {}
    for row in dict.fromkeys(listed(rows, "rows") or TABLES[table].rows):
        ours, (weights, macs) = count(table, row, network), counts(table, row)
        if ours != (weights, macs):
            raise WrongNetwork(
                f"{row} of {table} has {ours[0]:,} weights and {ours[1]:,} multiplications, but "
                f"{weights:,} and {macs:,} are recorded: this is a different network."
            )
        found[row] = ours
    return found


def write():
    """Build and count the networks of all tables, record the counts, and return the file's path.

    What was recorded for a network that has changed since is lost; the file's history shows it.

    Raises
    ------
    InvalidValue
        If this is not a checkout of the project.
    """
    if _paths.checkout() is None:
        raise InvalidValue(
            "the expected counts are written in a checkout of the project only: they are the "
            "same for all. Clone the project and run the command there."
        )
    lines = []
    for table, described in TABLES.items():
        for row in described.rows:
            weights, macs = count(table, row)
            lines.append({"table": table, "row": row, "weights": weights, "macs": macs})
    path = _path()
    _atomic.replace(path, as_csv(lines) + "\n")
    _file.cache_clear()
    return path
