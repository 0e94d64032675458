"""The exact counts that every table is held to: ``results/exact.csv``.

They were computed once and checked against what the papers print and against the formulas of the
chapters. A network that is built in any other way, with one batch norm more, say, does not get
past :func:`check`.
"""

import csv
from functools import cache

from .. import _paths
from ..data import catalogue
from ..errors import InvalidValue, choose
from ..models import counting, registry
from .tables import TABLES


class WrongNetwork(InvalidValue):
    """A network whose counts are not the recorded ones."""


@cache
def _file():
    with open(_paths.shipped() / "exact.csv", newline="", encoding="utf-8") as file:
        return {
            (line["table"], line["row"]): (int(line["weights"]), int(line["macs"]))
            for line in csv.DictReader(file)
        }


def counts(table, row):
    """Return (weights, multiplications of one image) of a row's network, as recorded.

    Examples
    --------
    >>> counts("mgiad-table1", "mgiad-lam3-c64-g4")
    (1020106, 425372160)
    """
    described = TABLES[choose("table", table, TABLES)]
    return _file()[table, choose(f"row of {table}", row, described.rows)]


def check(table, rows=None, network=None):
    """Build and count the networks of a table; raise unless both counts are the recorded ones.

    Parameters
    ----------
    table : str
    rows : list of str, optional
        Default: all.
    network : callable, optional
        From a config to what is counted; default: the config itself.

    Returns
    -------
    dict
        Row -> (weights, multiplications).

    Raises
    ------
    WrongNetwork
        With the first row that differs.

    Examples
    --------
    >>> check("mgiad-table2", rows=["mgnet-20"])
    {'mgnet-20': (100954, 30990592)}
    """
    described = TABLES[choose("table", table, TABLES)]
    found = {}
    for row in rows or described.rows:
        config = described.config(row)
        built = registry.built(config if network is None else network(config))
        info = catalogue.info(described.data)
        ours = counting.count_weights(built), counting.count_macs(built, info.size, info.channels)
        if ours != counts(table, row):
            weights, macs = counts(table, row)
            raise WrongNetwork(
                f"{row} of {table} has {ours[0]:,} weights and {ours[1]:,} multiplications, but "
                f"{weights:,} and {macs:,} are recorded: this is another network."
            )
        found[row] = ours
    return found
