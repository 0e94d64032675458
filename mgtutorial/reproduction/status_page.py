"""What has been run, table by table: the page ``book/status.md``, and whether pages tell the truth.

The page is written by :func:`page` from the published files and the records, never by hand.
:func:`contradictions` searches all pages and notebooks for what they say that the records do not.
"""

import os
from collections import Counter
from pathlib import Path
from statistics import median

from .. import _atomic, _paths, _text
from ..data import catalogue
from ..errors import InvalidValue
from ..training import protocols, records
from . import claims, comparison, frontier, mgic_figure4, prose_check, rendering, verdicts
from .papers.catalogue import MADE_BY_NOTEBOOK, PRINTED
from .papers.printed_table import read_table
from .published import rows as published_rows
from .tables import TABLES

_START = """(status)=
# What has been run

> **Which numbers of the papers have been reproduced, and which have not been tried?**

"""
_MADE = """This page is made by `mgtutorial tables --write` from `results/published`,
`results/runs` and `results/implicit_function_paper`; it is not edited by hand.
[The page on reproduction](reproduction.md) says how the
comparison is made, and [the inventory](inventory.md) lists what we found in print. Runs of the
budget `fast` are counted here but shown on [a page of their own](recipe.md), since their recipe
was looked for on two of these rows. What runs of one budget say about each other is on the pages on
[claims](claims.md) and on [costs](frontier.md).

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
    shown = [run for run in runs if run.budget != "fast"]  # as _MADE says
    made = {name: comparison.compare(name, shown) for name in TABLES}
    fast = {name: _fast_alone(name, lines, runs) for name, lines in made.items()}
    parts = [_START, _summary(made, fast, runs), _MADE, _overview(made, fast)]
    parts.append("\n\n## Runs by table\n\n")
    waiting = []
    for name, lines in made.items():
        if any(line.runs for line in lines):
            parts.append(f"### {TABLES[name].title}\n\n{_runs(lines)}")
        else:
            but = f" (but {len(fast[name])} of its rows by the budget `fast`)" * bool(fast[name])
            waiting.append(f"* {TABLES[name].title}{but}\n")
    if waiting:
        parts.append(f"### No run is recorded\n\n{''.join(waiting)}\n")
    parts.append(
        "## Made in their notebooks\n\nWhat these print is not an accuracy of an image classifier, "
        "so each has a notebook of its own.\n\n"
        + "".join(
            f"* [{title}](../notebooks/reproduce/{name.replace('-', '_')}.ipynb)\n"
            for name, title in MADE_BY_NOTEBOOK.items()
        )
        + _functions()
        + f"\n## Not made\n\n{_not_made()}\n"
    )
    return "".join(parts)


def _fast_alone(name, lines, runs):
    """The rows of a table that have runs by the recipe of the budget ``fast``, and no others."""
    return {line.row for line in comparison.compare(name, runs) if line.runs} - {
        line.row for line in lines if line.runs
    }


def _summary(made, fast, runs):
    """Say in a few sentences what there is, before any table."""
    rows = [(name, line.row) for name, lines in made.items() for line in lines]
    rows = list(dict.fromkeys(rows))
    held = {(n, x.row) for n, lines in made.items() for x in lines if x.comparable}
    other = {(n, x.row) for n, lines in made.items() for x in lines if x.runs} - held
    recipe = sum(map(len, fast.values()))
    tally = Counter(x.verdict for lines in made.values() for x in lines if x.comparable)
    said = ", ".join(f"{tally[v]} {v}" for v in verdicts.ACCURACY if tally[v])
    fields = Counter(
        line["source"] if line["value"] else "open" for line in read_table("protocols.csv")
    )
    begin = (
        "No published accuracy has been reproduced or refuted yet."
        if not held
        else f"Of the rows compared with the print: {said}."
    )
    return (
        f"**{begin}** Of {len(rows)} rows in {len(made)} tables and figures, {len(held)} have runs "
        f"under the paper's protocol, {len(other)} have runs under another one, {recipe} by the "
        f"recipe of the budget `fast` alone, and {len(rows) - len(held) - len(other) - recipe} "
        "have none. *Std* is the standard "
        "deviation over runs that differ in their seeds alone, printed and measured alike; an "
        "interval is a 95 % t-interval. A protocol is seldom printed whole: of the fields of all "
        f"protocols {fields['printed']} are printed, {fields['code']} are from public code, "
        f"{fields['chosen']} are chosen here and {fields['open']} left open "
        f"([each with its source](reproduction-sources)).{_cost(made, runs)}\n\n"
    )


def _cost(made, runs):
    """Estimate what three seeds of each row without a comparable run would cost."""
    speeds = [
        r.macs * len(r.curve) * r.data.n / r.seconds
        for r in runs
        if r.macs and r.device.type == "cpu" and r.device.threads == 1
    ]
    if not speeds:
        return ""
    missing, left = set(), {}  # a network counts once, in however many tables it stands
    for name, lines in made.items():
        table = TABLES[name]
        info = catalogue.info(table.data)
        epochs = protocols.settings("paper", table.data, table.protocol)["epochs"]
        for line in lines:
            if not line.comparable:
                missing.add((name, line.row))
                key = table.data, table.protocol, table.entry(line.row).network
                left[key] = 3 * line.macs * epochs * info.n_train
    seconds = sum(left.values()) / median(speeds)
    return (
        f" These {len(missing)} rows without a run under the protocol are {len(left)} networks, as "
        "some stand in several tables. Three seeds of each would take some "
        f"{_text.duration(seconds)} on one thread, at the median speed of the recorded runs "
        f"({median(speeds) / 1e9:.1f} billion multiplications forward a second): a rough guess, as "
        "these runs had company, and wide dense networks get more done in a second."
    )


def _runs(lines):
    """The lines that are compared, and the others folded away."""
    held = [line for line in lines if line.comparable]
    other = [line for line in lines if line.runs and not line.comparable]
    text = f"{rendering.markdown(held)}\n\n" if held else ""
    if other:
        text += (
            f"```{{dropdown}} Runs under another protocol: {len(other)} lines, not compared\n"
            f"{rendering.markdown(other)}\n```\n\n"
        )
    return text


def _functions():
    """What runs with the printed training say about MGIC's Figure 4; nothing if there are none."""
    rows = mgic_figure4.summary()["contrasts"]
    if not rows:
        return ""
    told = [("α", "MGIC's error against that of", "seeds", "ratio", "interval", "lower")]
    names = ("alpha", "other", "seeds", "ratio", "interval", "verdict")
    told += [tuple(row[name] for name in names) for row in rows]
    return (
        "\nMGIC's Figure 4 has runs with all the numbers that its text prints for the training: "
        "50,000 points, 1,000 epochs, batches of 128, the rate $10^{-4}$. The figure's own "
        "numbers are not in the text; its sentence is: a lower error with fewer weights. "
        "[The chapter](worlds-printed) says how that is tried.\n\n"
        + _text.in_markdown(told, left=(1, 5))
        + "\n"
    )


def _overview(made, fast):
    head = ("table", "rows", "weights matched", "compared", "other runs", "only `fast`", "not run")
    told = [head]
    for name, lines in made.items():
        rows = list(dict.fromkeys(line.row for line in lines))
        held = {line.row for line in lines if line.comparable}
        other = {line.row for line in lines if line.runs} - held
        counted = [r for r in published_rows(name) if not r.arxiv] if name in PRINTED else []
        counted = [r for r in counted if r.network is not None]
        matched = sum(r.verdict == verdicts.MATCHED for r in counted)
        of = f"{matched} of {len(counted)}" if counted else ""
        left = len(rows) - len(held) - len(other) - len(fast[name])
        numbers = len(held), len(other), len(fast[name]), left
        told.append((TABLES[name].title, len(rows), of, *numbers))
    return _text.in_markdown(told, left=(0,))


def _not_made():
    """What the papers print and nothing here makes, and why."""
    lines = [r for r in read_table("inventory.csv") if r["state"] == "not made"]
    told = [(r["paper"], r["place"], r["what"], r["reason"]) for r in lines]
    return _text.in_markdown([("paper", "place", "what", "why"), *told], left=range(4))


def write(root=None):
    """Write what a checkout's pages take from its records; return the paths.

    These are the status page, and the tables ``claims.json``, ``frontier.json`` and
    ``mgic_figure4.json`` in ``results``.

    Raises
    ------
    InvalidValue
        If this is not a checkout of the project.
    """
    book = _book(root)
    runs = records.read(_paths.packaged_results() / "runs")
    made = _made(book, runs)
    for path, text in made.items():
        _atomic.replace(path, text)
    return list(made)


def _made(book, runs):
    """Return what is made from records: path -> text."""
    results = book.parent / "results"
    return {
        book / "status.md": page(runs),
        results / "claims.json": claims.written(runs),
        results / "frontier.json": frontier.written(runs),
        results / "mgic_figure4.json": mgic_figure4.written(),
    }


def contradictions(root=None):
    """Return what the pages say that the records do not, one sentence each.

    - the status page, or a table of claims and costs, differs from what the records say now;
    - a page names a run that is not recorded;
    - a page states a number that it cannot state (:mod:`.prose_check`).

    Parameters
    ----------
    root : path, optional
        A checkout; default: this one.

    Raises
    ------
    InvalidValue
        If this is not a checkout of the project.
    """
    book = _book(root)
    runs = records.read(_paths.packaged_results() / "runs")
    found = [
        f"{path.relative_to(book.parent).as_posix()} is not what the records say: run mgtutorial "
        "tables --write."
        for path, text in _made(book, runs).items()
        if path.parent.is_dir()  # pages may be checked without the results
        and (not path.exists() or path.read_text(encoding="utf-8") != text)
    ]
    return found + prose_check.contradictions(book.parent, runs)


def _book(root):
    root = _paths.given(root or _paths.checkout() or Path())
    if not os.path.isfile(root / "_toc.yml") or not os.path.isdir(root / "book"):
        raise InvalidValue(
            "the pages are not here: they are part of a checkout of the project, not of the "
            "installed package. Clone the project and run the command there."
        )
    return root / "book"
