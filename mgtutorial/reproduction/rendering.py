"""Tables to look at: Markdown for pages and the terminal, HTML for notebooks."""

import re
from html import escape

from .._text import aligned, in_markdown
from . import verdicts
from .tables import TABLES, network_name

# Column -> its alignment. A column that is empty in every line is left out.
_HEAD = {
    "network": "left",
    "accuracy, printed (%)": "right",
    "measured on": "left",
    "accuracy, measured (%)": "right",
    "95 % interval": "right",
    "difference": "right",
    "its 95 % interval": "right",
    "verdict": "left",
    "weights, printed": "right",
    "weights, counted": "right",
    "runs": "left",
}


def cells(line):
    """Return the texts of a line, by column: on both sides mean, std and number of runs.

    Examples
    --------
    >>> from mgtutorial.reproduction import compare
    >>> line, = compare("mgiad-table1", [], rows=["mgnet"])
    >>> cells(line)["weights, printed"], cells(line)["accuracy, printed (%)"]
    ('2751k', '96.00 (std 0.27, n = 3)')
    """
    p, ours, gap, printed = line.printed, line.interval, line.difference, ""
    if p is not None and p.accuracy is not None:
        spread = "" if p.std is None else f" (std {p.std:.2f}, n = {p.runs})"
        printed = f"{p.accuracy:.2f}{spread}"
    seeds = ", ".join(f"seed {r.seed}: `{r.digest}`" for r in line.runs)
    return {
        "network": line.row,
        "accuracy, printed (%)": printed,
        "measured on": line.circumstances,
        "accuracy, measured (%)": "" if ours is None else str(ours),
        "95 % interval": _between(ours, ".2f"),
        "difference": "" if gap is None else f"{gap.mean:+.2f}",
        "its 95 % interval": _between(gap, "+.2f"),
        "verdict": line.verdict,
        "weights, printed": "" if p is None else p.printed + p.unit,
        "weights, counted": f"{line.weights:,}",
        "runs": seeds,
    }


def _between(interval, form):
    if interval is None or interval.half_width is None:
        return ""
    return f"{interval.low:{form}} to {interval.high:{form}}"


def _columns(rows):
    return [name for name in _HEAD if any(row[name] for row in rows)]


def safe(text):
    """Return a text from a record as a cell of a Markdown table: plain text, no mark-up.

    Records come from pull requests and shared folders, so they may say anything.

    Examples
    --------
    >>> safe("<b>a|b</b>")
    '&lt;b&gt;a\\\\|b&lt;/b&gt;'
    """
    text = escape(" ".join(str(text).split()), quote=False)
    return re.sub(r"([|\\\[\]{}$*])", r"\\\1", text)


def text(made):
    """Return lines as a table for the terminal: what is compared, and with what outcome.

    Examples
    --------
    >>> from mgtutorial.reproduction import compare
    >>> print(text(compare("mgiad-table1", [], rows=["mgnet"])).splitlines()[0])
    network  printed (%)              measured (%)  verdict
    """
    head = {"network": "network", "accuracy, printed (%)": "printed (%)",
            "accuracy, measured (%)": "measured (%)", "verdict": "verdict"}  # fmt: skip
    rows = [[str(cells(line)[name]) for name in head] for line in made]
    return "\n".join(aligned([list(head.values()), *rows], left=(0, 3)))


def markdown(made):
    """Return lines as a Markdown table; a column that is empty in all of them is left out.

    Examples
    --------
    >>> from mgtutorial.reproduction import compare
    >>> print(markdown(compare("mgiad-table1", [], rows=["mgnet"])).splitlines()[0])
    | network | accuracy, printed (%) | verdict | weights, printed | weights, counted |
    """
    rows = [{k: safe(v) for k, v in cells(line).items()} for line in made]
    names = _columns(rows)
    left = [i for i, name in enumerate(names) if _HEAD[name] == "left"]
    return in_markdown([names, *([row[n] for n in names] for row in rows)], left)


def trials(found):
    """Return the smoke runs of a table as Markdown: whether each network trains, not how well.

    Parameters
    ----------
    found : list of Trial
        Of :func:`.comparison.trains`.

    Examples
    --------
    >>> from mgtutorial.reproduction.comparison import Trial
    >>> print(trials([Trial("mgnet-20", "digits", 2.31, 1.2, "0" * 16)]).splitlines()[-1])
    | mgnet-20 | yes, on digits | 2.310 | 1.200 | `0000000000000000` |
    """
    lines = [("network, narrowed", "trains", "first loss", "last loss", "run")]
    for t in found:
        says = f"{'yes' if t.trains else 'no'}, on {t.data}"
        lines.append((t.row, says, f"{t.first:.3f}", f"{t.last:.3f}", f"`{t.digest}`"))
    return in_markdown(lines, left=(0, 1, 4))


def counts(table, counted):
    """Return what is printed about a table's networks beside their counts, as a Markdown table.

    Parameters
    ----------
    table : str
        A name of :data:`mgtutorial.reproduction.TABLES`.
    counted : dict
        Row -> (weights, multiplications), as :func:`.expected_counts.check` returns them.

    Examples
    --------
    >>> print(counts("mgiad-table2", {"mgnet-20": (100_954, 30_990_592)}).splitlines()[-1])
    | mgnet-20 | 101k | 100,954 | matched | 30,990,592 | 93.29 |
    """
    head = "row", "weights, printed", "weights, counted", "", "multiplications"
    lines = [(*head, "accuracy, printed (%)")]
    for row, (weights, macs) in counted.items():
        p = TABLES[table].entry(row).printed
        weight, verdict = (p.printed + p.unit, p.verdict) if p else ("", "")
        accuracy = f"{p.accuracy}" if p and p.accuracy else ""
        lines.append((row, weight, f"{weights:,}", verdict, f"{macs:,}", accuracy))
    return in_markdown(lines, left=(0, 3))


def reasons(table, rows):
    """Return why counts do not agree with the printed ones, as a Markdown list.

    Parameters
    ----------
    table : str
    rows : iterable of str

    Examples
    --------
    >>> reasons("mgiad-table2", ["mgnet-20"])
    'Every count with a printed counterpart matches it.'
    """
    printed = [TABLES[table].entry(row).printed for row in rows]
    found = [f"- **{p.name}** ({p.printed}{p.unit}): {p.reason}" for p in printed if p and p.reason]
    return "\n".join(found) or "Every count with a printed counterpart matches it."


_SHADE = {
    verdicts.REPRODUCED: "background-color: #d7f0e3; color: #000",
    verdicts.DIFFERS: "background-color: #fbdcc8; color: #000",
}


def style(made, caption):
    """Return lines as HTML for notebooks; runs under another protocol are folded away.

    Parameters
    ----------
    made : list of Line
    caption : str
        What the table shows, for readers and screen readers alike.

    Returns
    -------
    IPython.display.HTML
    """
    from IPython.display import HTML

    aside = [line for line in made if line.runs and not line.comparable]
    shown = [line for line in made if line not in aside] or aside
    text = _table(shown, caption)
    if aside and shown is not aside:
        folded = _table(aside, "Runs under another protocol: shorter ones, or other choices.")
        title = f"{len(aside)} lines of runs that are not compared: another protocol"
        text += f"<details><summary>{title}</summary>{folded}</details>"
    return HTML(text)


def _table(made, caption):
    import pandas

    rows = [{k: v.replace("`", "") for k, v in cells(line).items()} for line in made]
    names = _columns(rows)
    frame = pandas.DataFrame(rows, columns=names)
    aligned = {n: [{"selector": "td, th", "props": f"text-align: {_HEAD[n]}"}] for n in names}
    return (
        frame.style.hide(axis="index")
        .format(escape="html")
        .map(lambda text: _SHADE.get(text, ""), subset=["verdict"])
        .set_table_styles(aligned)
        .set_table_attributes('class="dataframe"')  # the pages' style for tables of data
        .set_caption(escape(caption))
        .to_html()
    )


def runs_markdown(runs):
    """Return records as a Markdown table: what was trained, how, and what came out.

    Examples
    --------
    >>> print(runs_markdown([]))
    No such run is recorded.
    """
    if not runs:
        return "No such run is recorded."
    head = "network data budget epochs rate seed accuracy on weights time device run"
    lines = [head.split()]
    for r in runs:
        c, metric = r.config, r.metric
        budget = r.budget + (", partial" if r.partial else "")
        n = "" if c.n_train is None else f", {r.data.n:,} images"
        how = f"{c.data} ({safe(r.data.source)}{n})", budget, r.epochs_text, c.lr, r.seed
        came_out = f"{metric.value:.2%}", metric.split, f"{r.weights:,}"
        where = f"{r.seconds / 60:.0f} min", safe(r.device), f"`{r.digest}`"
        lines.append((network_name(r.choices["model"]), *how, *came_out, *where))
    return in_markdown(lines, left=(0, 1, 2, 7, 10, 11))
