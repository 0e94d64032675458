"""Tables to look at: Markdown, and a styled table for notebooks."""

from . import verdicts
from .tables import network_name

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
    >>> from mgtutorial.reproduction.comparison import lines
    >>> line, = lines("mgiad-table1", [], rows=["mgnet"])
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
    >>> from mgtutorial.reproduction.comparison import lines
    >>> print(markdown(lines("mgiad-table1", [], rows=["mgnet"])).splitlines()[0][:42])
    | network | accuracy, published | accuracy
    """
    rules = {"left": "---", "right": "---:"}
    out = [f"| {' | '.join(_HEAD)} |", f"|{'|'.join(rules[a] for a in _HEAD.values())}|"]
    out += [f"| {' | '.join(cells(line).values())} |" for line in made]
    return "\n".join(out)


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
