"""Part 4, reproduction: the papers' tables beside what was measured.

>>> from mgtutorial.reproduction import TABLES, published_row
>>> len(TABLES["mgiad-table2"].rows), published_row("mgiad-table2", "mgnet-20").accuracy
(13, 93.29)
"""

from .._paths import packaged_results
from .comparison import Line, Trial, compare, trains
from .count_report import of_network, of_tables
from .expected_counts import WrongNetwork
from .expected_counts import check as check_counts
from .expected_counts import counts as expected
from .figures import accuracy_over, curves
from .papers.catalogue import PAPERS
from .papers.printed_table import read_table
from .planning import Plan, plan
from .published import Row
from .published import row as published_row
from .published import rows as published_rows
from .rendering import cells, markdown, reasons, runs_markdown, style, trials
from .rendering import counts as counts_table
from .tables import TABLES, Table, family, network_name
from .verdicts import Interval, difference, interval, legend, verdict

__all__ = [
    "PAPERS",
    "TABLES",
    "Interval",
    "Line",
    "Plan",
    "Row",
    "Table",
    "Trial",
    "WrongNetwork",
    "accuracy_over",
    "cells",
    "check_counts",
    "compare",
    "counts_table",
    "curves",
    "difference",
    "expected",
    "family",
    "interval",
    "legend",
    "markdown",
    "network_name",
    "of_network",
    "of_tables",
    "packaged_results",
    "plan",
    "published_row",
    "published_rows",
    "read_table",
    "reasons",
    "runs_markdown",
    "style",
    "trains",
    "trials",
    "verdict",
]
