"""The runs behind a published table: which they are, and which are done.

A run that has a record is never trained again. The command is in :mod:`.command`, the
notebooks are in :mod:`.notebooks`, and the runs are done by :mod:`mgtutorial.sweeps`.
"""

from dataclasses import replace
from functools import cache
from typing import NamedTuple

from .._text import listed, seeds_of
from ..data import catalogue
from ..errors import InvalidValue, choose
from ..models.config import narrowed
from ..models.counting import count_macs
from ..training import protocols
from . import tables


class Plan(NamedTuple):
    """The runs that a table needs.

    Attributes
    ----------
    rows, configs : list
        For each run, the row that it is for and its :class:`TrainConfig`.
    left_out : list of str
        A sentence for each row that cannot be trained on the images.
    """

    rows: list
    configs: list
    left_out: list


def plan(table, budget, *, rows=None, seeds=(0,), data=None, root=None):
    """Return the runs that a table needs at a budget.

    For ``smoke`` the networks are narrowed (:func:`mgtutorial.models.narrowed`): this
    shows that the whole path works. The other budgets train the networks that the table counts.

    Parameters
    ----------
    table : str
        A name of :data:`mgtutorial.reproduction.TABLES`.
    budget : str
    rows : sequence of str, optional
        Default: every row whose network can take the images. A string lists them, separated by
        commas, as papermill's ``-p`` passes it.
    seeds : sequence of int, int or str
    data : str, optional
        Default: the table's own data set; for ``smoke`` the embedded digits.
    root : path, optional
        Where the data are.

    Returns
    -------
    Plan

    Raises
    ------
    UnknownName, DataNotFound
    InvalidValue
        If a row in `rows` has a network with too many levels for the images.

    Examples
    --------
    >>> made = plan("mgiad-table2", "smoke", rows=["mgnet-20"], seeds=[0, 1])
    >>> made.rows, [c.data for c in made.configs]
    (['mgnet-20', 'mgnet-20'], ['digits', 'digits'])
    """
    described = tables.TABLES[table]
    choose("budget", budget, protocols.BUDGETS)
    rows, seeds = listed(rows, "rows"), seeds_of(seeds)
    for row in rows or ():
        described.entry(row)  # raises if there is no such row, before anything is loaded
    data = data or data_of(table, budget)
    made = Plan([], [], [])
    for row in dict.fromkeys(rows or described.rows):
        network = described.config(row)
        if budget == "smoke":
            network = narrowed(network)
        config = protocols.configure(network, data, budget, root=root, protocol=described.protocol)
        side = catalogue.info(data).size
        if data != described.data and (why := _unfit(config.model, side)):
            if rows:
                raise InvalidValue(f"{row} cannot be trained on {data}: {why}")
            made.left_out.append(f"{row} is counted, not trained, on {data}: {why}")
            continue
        for seed in seeds:
            made.rows.append(row)
            made.configs.append(replace(config, seed=seed))
    return made


@cache
def _unfit(network, size):
    """Return why a network cannot take images of a size, or None."""
    try:
        count_macs(network, size)
    except InvalidValue as error:
        return str(error)


@cache
def data_of(table, budget):
    """Return the data set of a budget: the paper's, or for ``smoke`` an embedded one.

    Networks that halve the resolution too often for the digits' 8 x 8 pixels get synthetic images
    of 32 x 32.
    """
    described = tables.TABLES[table]
    if budget != "smoke":
        return described.data
    first = narrowed(described.config(next(iter(described.rows))))
    return "synthetic" if _unfit(first, 8) else "digits"
