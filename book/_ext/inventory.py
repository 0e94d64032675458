r"""The directive ``{inventory}``: all that the papers print, and where each piece is made here.

The list is ``results/published/inventory.csv``; a test checks that every entry names a place that
exists. First comes a table of how many entries are made, partly made and not made; then, folded, a
table for each paper. A place in a chapter shows as its number or title, a test as its words.
"""

import csv
from collections import Counter
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

FILE = "results/published/inventory.csv"

#: Name in the file -> what the page calls it.
PAPERS = {
    "mgiad": "MGiaD {cite}`vanbetteray2023mgiad`",
    "poster": "MGiaD, its poster",
    "mgic": "MGIC {cite}`eliasof2023mgic`",
    "mgic-first": "MGIC, its first version {cite}`eliasof2020mgic`",
    "poly-mgnet": "Poly-MgNet {cite}`vanbetteray2024polymgnet`",
}
STATES = ("made", "partly", "not made")


def link(place, address=""):
    """Return a place of the list as Markdown; files are links into the repository at `address`.

    Examples
    --------
    >>> link("book/mgnet.md#eq-mgnet-step"), link("book/mgic.md#tab-mgic-counts")
    ('{eq}`eq-mgnet-step`', '{numref}`tab-mgic-counts`')
    >>> link("book/mgic.md#mgic"), link("notebooks/reproduce/mgic_table5.ipynb")
    ('{ref}`mgic`', '{doc}`/notebooks/reproduce/mgic_table5`')
    >>> link("tests/test_x.py::test_it_does", "https://x.org/blob/main")
    '[test: it does](https://x.org/blob/main/tests/test_x.py)'
    >>> link("results/published/x.csv")
    '`x.csv`'
    """
    file, _, inside = place.partition("::")
    file, _, label = file.partition("#")
    if file.startswith("book/"):
        if label.startswith("eq-"):
            return f"{{eq}}`{label}`"
        return f"{{{'numref' if label.startswith(('fig-', 'tab-')) else 'ref'}}}`{label}`"
    if file.startswith("notebooks/"):
        return f"{{doc}}`/{file.removesuffix('.ipynb')}`"
    if inside:
        text = f"test: {inside.removeprefix('test_').replace('_', ' ')}"
    else:
        text = f"`{Path(file).name}`"
    return f"[{text}]({address}/{file})" if address else text


def plain(words):
    """Return words whose marks mean nothing to Markdown; code in backticks stays code.

    Examples
    --------
    >>> print(plain("`a_b` of MgNet^{A,B} | s_g < 3 * 4"))
    `a_b` of MgNet^{A,B} \\| s\\_g \\< 3 \\* 4
    """
    parts = words.split("`")
    for i in range(0, len(parts), 2):
        parts[i] = "".join(f"\\{c}" if c in "*_[]<$~|" else c for c in parts[i])
    return "`".join(parts)


def row(entry, address=""):
    """Return the line of the table that an entry of the list becomes."""
    places = [link(place, address) for place in entry["where"].split("; ") if place]
    state = f"**{entry['state']}**"
    if entry["reason"]:
        state += f": {plain(entry['reason'])}"
    cells = plain(entry["place"]), plain(entry["what"]), ", ".join(places), state
    return f"| {' | '.join(cells)} |"


def markdown(entries, address=""):
    """Return the page's tables: the counts, and the entries of each paper, folded."""
    lines = [f"| paper | {' | '.join(STATES)} | all |", "|---|---:|---:|---:|---:|"]
    counts = {paper: Counter() for paper in PAPERS}
    for entry in entries:
        counts[entry["paper"]][entry["state"]] += 1
    named = [(PAPERS[paper], count) for paper, count in counts.items()]
    for name, count in [*named, ("**together**", sum(counts.values(), Counter()))]:
        numbers = [*(count[state] for state in STATES), count.total()]
        lines.append(f"| {name} | {' | '.join(map(str, numbers))} |")
    for paper, count in counts.items():
        told = ", ".join(f"{count[state]} {state}" for state in STATES)
        lines += ["", f"::::{{dropdown}} {PAPERS[paper].partition(' {')[0]}: {told}"]
        lines += ["| place | what | where | state |", "|---|---|---|---|"]
        lines += [row(entry, address) for entry in entries if entry["paper"] == paper]
        lines += ["::::"]
    return "\n".join(lines)


def read(path):
    """Return the entries of the list as dictionaries of strings."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Inventory(SphinxDirective):
    def run(self):
        path = Path(self.env.srcdir) / FILE
        self.env.note_dependency(str(path))  # the page is read again when the list changes
        options = self.config.html_theme_options
        repository = options.get("repository_url", "").rstrip("/")
        branch = options.get("repository_branch") or "main"
        text = markdown(read(path), f"{repository}/blob/{branch}" if repository else "")
        node = nodes.Element()
        source = self.get_source_info()[0]
        self.state.nested_parse(StringList(text.splitlines(), source), self.content_offset, node)
        return node.children


def setup(app):
    app.add_directive("inventory", Inventory)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
