"""Tables to look at: Markdown, and a styled table for notebooks."""

from . import verdicts
from .tables import TABLES, network_name

_HEAD = {
    "network": "left",
    "accuracy, published": "right",
    "accuracy, measured": "right",
    "difference": "right",
    "verdict": "left",
    "measured on": "left",
    "weights, published": "right",
    "weights, counted": "right",
    "runs": "left",
}


def cells(line):
    """Return the texts of a line, by column.

    Examples
    --------
    >>> from mgtutorial.reproduction import compare
    >>> line, = compare("mgiad-table1", [], rows=["mgnet"])
    >>> cells(line)["weights, published"], cells(line)["accuracy, published"]
    ('2751k', '96.00 ± 0.27 %')
    """
    p, accuracy = line.printed, ""
    if p is not None and p.accuracy is not None:
        spread = "" if p.std is None else f" ± {p.std:.2f}"
        accuracy = f"{p.accuracy:.2f}{spread} %"
    digests = [r.digest for r in line.runs]
    return {
        "network": line.row,
        "accuracy, published": accuracy,
        "accuracy, measured": f"{line.interval} %" if line.runs else "",
        "difference": "" if line.difference is None else f"{line.difference:+.2f}",
        "verdict": line.verdict,
        "measured on": line.circumstances,
        "weights, published": "" if p is None else p.printed + p.unit,
        "weights, counted": f"{line.weights:,}",
        "runs": " ".join(f"`{d}`" for d in digests),
    }


def markdown(made):
    """Return lines as a Markdown table.

    Examples
    --------
    >>> from mgtutorial.reproduction import compare
    >>> print(markdown(compare("mgiad-table1", [], rows=["mgnet"])).splitlines()[0][:42])
    | network | accuracy, published | accuracy
    """
    rules = {"left": "---", "right": "---:"}
    out = [f"| {' | '.join(_HEAD)} |", f"|{'|'.join(rules[a] for a in _HEAD.values())}|"]
    out += [f"| {' | '.join(cells(line).values())} |" for line in made]
    return "\n".join(out)


def counts(table, counted):
    """Return what is printed of a table's networks beside their counts, as a Markdown table.

    Parameters
    ----------
    table : str
        A name of :data:`mgtutorial.reproduction.TABLES`.
    counted : dict
        Row -> (weights, multiplications), as :func:`.expected_counts.check` returns them.

    Examples
    --------
    >>> print(counts("mgiad-table2", {"mgnet-20": (100_954, 34_603_264)}).splitlines()[-1])
    | mgnet-20 | 101k | 100,954 | matched | 34,603,264 | 93.29 % |
    """
    out = [
        "| row | weights, printed | weights, counted | | multiplications | accuracy, printed |",
        "|---|---:|---:|---|---:|---:|",
    ]
    for row, (weights, macs) in counted.items():
        p = TABLES[table].entry(row).printed
        weight, verdict = (p.printed + p.unit, p.verdict) if p else ("", "")
        accuracy = f"{p.accuracy} %" if p and p.accuracy else ""
        out.append(f"| {row} | {weight} | {weights:,} | {verdict} | {macs:,} | {accuracy} |")
    return "\n".join(out)


def reasons(table, rows):
    """Return why counts do not agree with the print, as a Markdown list.

    Parameters
    ----------
    table : str
    rows : iterable of str

    Examples
    --------
    >>> reasons("mgiad-table2", ["mgnet-20"])
    'Every count that is printed is matched.'
    """
    printed = [TABLES[table].entry(row).printed for row in rows]
    found = [f"- **{p.name}** ({p.printed}{p.unit}): {p.reason}" for p in printed if p and p.reason]
    return "\n".join(found) or "Every count that is printed is matched."


_SHADE = {
    verdicts.REPRODUCED: "background-color: #d7f0e3; color: #000",
    verdicts.DIFFERS: "background-color: #fbdcc8; color: #000",
}


def style(made, caption):
    """Return lines as a pandas Styler, for notebooks.

    Parameters
    ----------
    made : list of Line
    caption : str
        What the table shows, for readers and screen readers alike.
    """
    import pandas

    rows = [{k: v.replace("`", "") for k, v in cells(line).items()} for line in made]
    frame = pandas.DataFrame(rows, columns=list(_HEAD))
    aligned = {k: [{"selector": "td, th", "props": f"text-align: {v}"}] for k, v in _HEAD.items()}
    return (
        frame.style.hide(axis="index")
        .map(lambda text: _SHADE.get(text, ""), subset=["verdict"])
        .set_table_styles(aligned)
        .set_table_attributes('class="dataframe"')  # the pages' looks for tables of data
        .set_caption(caption)
    )


def legend():
    """Return the meaning of the verdicts as a Markdown list.

    Examples
    --------
    >>> legend().splitlines()[-2]
    '- **not run**: no run is recorded'
    """
    return "\n".join(f"- **{name}**: {text}" for name, text in verdicts.MEANING.items())


def runs_markdown(runs):
    """Return records as a Markdown table: what was trained, how, and what came out.

    Examples
    --------
    >>> print(runs_markdown([]))
    No such run is recorded.
    """
    if not runs:
        return "No such run is recorded."
    lines = [
        "| network | data | budget | epochs | rate | seed | accuracy | on | weights | time "
        "| device | run |",
        "|---|---|---|---:|---:|---:|---:|---|---:|---:|---|---|",
    ]
    for r in runs:
        c, metric = r.config, r.metric
        budget = r.budget + (", partial" if r.partial else "")
        n = "" if c.n_train is None else f", {r.data.n:,} images"
        lines.append(
            f"| {network_name(r.choices['model'])} | {c.data} ({r.data.source}{n}) | {budget} "
            f"| {r.epochs} | {c.lr} | {r.seed} | {metric.value:.2%} | {metric.split} "
            f"| {r.weights:,} | {r.seconds / 60:.0f} min | {r.device} | `{r.digest}` |"
        )
    return "\n".join(lines)
