"""What has been run, table by table: the page ``book/status.md``, and whether pages say the truth.

The page is written by :func:`page` from the published files and the records, never by hand.
:func:`contradictions` reads all pages and notebooks for what they say that the records do not.
"""

from collections import Counter
from pathlib import Path

from .. import _paths
from ..errors import InvalidValue
from ..training import records
from . import comparison, prose_check, rendering, verdicts
from .papers.catalogue import MADE_BY_NOTEBOOK, MISSING, PRINTED
from .published import rows as published_rows
from .tables import TABLES

_START = """(status)=
# What has been run

> **Which numbers of the papers have been reproduced, and which have not been tried?**

This page is made by `mgtutorial tables --write` from `results/published` and `results/runs`; nobody
types into it. [How the comparison is made, and what the verdicts mean](reproduction.md) stands on a
page of its own.

"""


def page(runs=None):
    """Return the text of the status page.

    Parameters
    ----------
    runs : list of Record, optional
        Default: those that came with the package.

    Examples
    --------
    >>> page([]).splitlines()[1]
    '# What has been run'
    """
    runs = records.read(_paths.packaged_results() / "runs") if runs is None else runs
    runs = [r for r in runs if r.budget != "smoke"]
    made = {name: comparison.compare(name, runs) for name in TABLES}
    parts = [_START, _overview(made), "\n\n## Runs by table\n\n"]
    waiting = []
    for name, lines in made.items():
        if run := [line for line in lines if line.runs]:
            parts.append(f"### {TABLES[name].title}\n\n{rendering.markdown(run)}\n\n")
        else:
            waiting.append(f"* {TABLES[name].title}\n")
    if waiting:
        parts.append(f"### No run is recorded\n\n{''.join(waiting)}\n")
    parts.append(
        "## Made in their notebooks\n\nThese are counted, timed or learned without a data set.\n\n"
        + "".join(
            f"* [{title}](../notebooks/reproduce/{name.replace('-', '_')}.ipynb)\n"
            for name, title in MADE_BY_NOTEBOOK.items()
        )
        + "\n## Not built yet\n\n| table or figure | why |\n|---|---|\n"
        + "\n".join(f"| {name} | {why} |" for name, why in MISSING.items())
        + "\n"
    )
    return "".join(parts)


def _overview(made):
    out = ["| table | rows | weights matched | accuracies |", "|---|---:|---:|---|"]
    for name, lines in made.items():
        rows = {line.row for line in lines}
        counted = [r for r in published_rows(name) if not r.arxiv] if name in PRINTED else []
        counted = [r for r in counted if r.network is not None]
        matched = sum(r.verdict == "matched" for r in counted)
        of = f"{matched} of {len(counted)}" if counted else ""
        tally = Counter(line.verdict for line in lines)
        found = ", ".join(f"{tally[v]} {v}" for v in verdicts.MEANING if tally[v])
        cells = [TABLES[name].title, str(len(rows)), of, found]
        out.append(f"| {' | '.join(cells)} |")
    return "\n".join(out)


def write(root=None):
    """Write the status page of a checkout and return its path.

    Raises
    ------
    InvalidValue
        If this is no checkout of the project.
    """
    path = _book(root) / "status.md"
    path.write_text(page(), encoding="utf-8")
    return path


def contradictions(root=None):
    """Return what the pages say that the records do not, one sentence each.

    - the status page differs from what the records say now;
    - a page names a run that is not recorded;
    - a page states a number that it cannot state (:mod:`.prose_check`).

    Parameters
    ----------
    root : path, optional
        A checkout; default: this one.

    Raises
    ------
    InvalidValue
        If this is no checkout of the project.
    """
    book = _book(root)
    runs = records.read(_paths.packaged_results() / "runs")
    found = []
    status = book / "status.md"
    if not status.exists() or status.read_text(encoding="utf-8") != page():
        found.append("book/status.md is not what the records say: run mgtutorial tables --write.")
    return found + prose_check.contradictions(book.parent, runs)


def _book(root):
    root = Path(root or _paths.checkout() or Path())
    if not (root / "_toc.yml").exists():
        raise InvalidValue(
            "the pages are not here: they are part of a checkout of the project, not of the "
            "installed package. Clone the project and run the command there."
        )
    return root / "book"
