"""The operations that the papers print, beside the multiplications that are counted here.

The papers count differently: a multiplication with its addition is two operations for MGiaD, one
for MGIC. :attr:`mgtutorial.reproduction.published.Row.products` has both in the same unit.
"""

from .._text import in_markdown
from . import expected_counts, published
from .tables import TABLES


def ratio(row, macs):
    """Return the printed operations over ours, both as multiplications; None if none are printed.

    Parameters
    ----------
    row : published.Row or None
    macs : int
        Multiplications for one image, counted here.

    Examples
    --------
    >>> row = published.row("mgiad-table1", "resnet18")
    >>> f"{row.operations}: {ratio(row, 555_422_720):.3f}"
    '1.12 G: 1.008'
    """
    return None if row is None or row.products is None else row.products / macs


def markdown(table):
    """Return the operations of a table's own networks, printed and counted, as a Markdown table.

    Parameters
    ----------
    table : str
        A name of :data:`mgtutorial.reproduction.tables.TABLES`.

    Raises
    ------
    UnknownName
        If there is no such table.

    Examples
    --------
    >>> print(markdown("mgiad-table1").splitlines()[2])
    | resnet18 | 1.12 G | 560 M | 555,422,720 | 1.01 |
    """
    head = "row", "operations, printed", "as multiplications", "multiplications, counted"
    lines = [(*head, "printed / counted")]
    for name, entry in TABLES[table].rows.items():
        row, macs = entry.printed, expected_counts.counts(table, name)[1]
        factor = ratio(row, macs)
        if factor is not None:
            products = f"{row.products / 1e6:,.0f} M"
            lines.append((name, row.operations, products, f"{macs:,}", f"{factor:.2f}"))
    return in_markdown(lines, left=(0,))


def tables_with_operations():
    """Return the names of the tables that print operations of networks that are built here.

    Examples
    --------
    >>> tables_with_operations()
    ['mgiad-table1', 'mgic-table3', 'mgic-table12', 'mgic-table5', 'mgic-table7']
    """
    return [
        name
        for name, table in TABLES.items()
        if table.figure is None and any(r.operations and r.network for r in published.rows(name))
    ]
