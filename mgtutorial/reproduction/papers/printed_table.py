"""A table that prints weights: its file in ``results/published``, its columns, its networks."""

import csv
from collections.abc import Callable
from dataclasses import dataclass

from ... import _paths
from ...errors import choose

FOLDER = _paths.packaged_results() / "published"


def read_table(name):
    """Return the lines of a published file as dictionaries of strings, as printed.

    Parameters
    ----------
    name : str
        The file's name in ``results/published``.

    Raises
    ------
    UnknownName
        If there is no such file.

    Examples
    --------
    >>> rows = read_table("mgiad_table2_fashionmnist.csv")
    >>> next(r["test_acc"] for r in rows if r["model"] == "mgnet_ab_20")
    '93.29'
    """
    if not (FOLDER / name).is_file():
        choose("file of results/published", name, sorted(p.name for p in FOLDER.glob("*.csv")))
    return read(FOLDER / name)


def read(path):
    """Return the lines of a CSV file as dictionaries of strings."""
    with open(path, newline="", encoding="utf-8") as file:
        # strict: a quote that stays open would take all later lines into its own
        return list(csv.DictReader(file, strict=True))


@dataclass(frozen=True)
class Printed:
    """A table of weights: its file, its columns, and what its lines count.

    Attributes
    ----------
    title, csv : str
        ``csv`` is the file's name in ``results/published``.
    data : str or None
        Name of the data set.
    network : callable
        From a line to (name of the row, config), with None for a network that is not built here.
    count : str or None
        The column of weights; its suffix ``_k`` or ``_m`` is the unit. None where accuracies
        alone are printed.
    accuracy : str, callable or None
        The column of accuracies, or a function from the line to the number printed.
    train_accuracy, top5 : str
        The columns of accuracies on the training images and of the top five, if there are such.
    operations : str or None
        The column of operations; its name says the unit.
    for_product : int
        What the paper counts for a multiplication with its addition: 1 operation or 2.
    only : callable
        Chooses the lines of the file that belong to the table.
    own : callable
        Whether a line is about the paper's own network: if it is not built here, it is missing,
        and those of others, which a table quotes, are not.
    runs : int
        Of which a printed accuracy is the mean; 1 where the paper does not say.
    """

    title: str
    csv: str
    data: str | None
    network: Callable
    count: str | None = "weights_k"
    accuracy: str | Callable | None = "test_acc"
    train_accuracy: str = "train_acc"
    top5: str = "top5_acc"
    operations: str | None = None
    for_product: int = 1
    only: Callable = lambda line: True
    own: Callable = lambda line: True
    runs: int = 1
