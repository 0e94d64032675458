r"""The directive ``{protocols}``: where each field of each paper's protocol comes from.

It reads ``results/published/protocols.csv``, which tests keep equal to what a run of the budget
``paper`` does: a fold for each protocol, with a table of fields, values, sources and places in it.
"""

import csv
from itertools import groupby
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

FILE = "results/published/protocols.csv"
COLUMNS = ("field", "value", "source", "place")


def lines(root):
    """Return the lines of the file as dictionaries."""
    with open(Path(root) / FILE, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def cells(line):
    r"""Return a line's four cells as Markdown; a remark stands below the place.

    Examples
    --------
    >>> line = {"field": "lr", "value": "0.1", "source": "code", "place": "a/b@1234567 c_d.py"}
    >>> cells({**line, "remark": ""})
    ['`lr`', '0.1', 'code', 'a/b@1234567 c\\_d.py']
    >>> cells({**line, "field": "image size", "value": "", "remark": "Not printed."})
    ['image size', '', 'code', 'a/b@1234567 c\\_d.py. *Not printed.*']
    """
    name, remark = line["field"], escaped(line["remark"]).rstrip(".")
    field = f"`{name}`" if name.isidentifier() else name
    place = escaped(line["place"]) + (f". *{remark}.*" if remark else "")
    return [field, escaped(line["value"]), line["source"], place]


def escaped(text):
    r"""Return a text in which no character is a mark of Markdown.

    Examples
    --------
    >>> print(escaped("+"), escaped("a_b"))
    \+ a\_b
    """
    for mark in "\\`*_[]<$|":
        text = text.replace(mark, "\\" + mark)
    return "\\" + text if text[:1] in ("+", "-", "#") else text


def counted(found):
    """Return how many lines have which source, in words.

    Examples
    --------
    >>> counted([{"source": "printed", "value": v} for v in ("400", "128", "")])
    '2 printed, 1 left open'
    """
    sources = [line["source"] if line["value"] else "" for line in found]
    words = {"printed": "printed", "code": "from code", "chosen": "chosen", "": "left open"}
    return ", ".join(f"{n} {word}" for kind, word in words.items() if (n := sources.count(kind)))


def markdown(found):
    """Return the folds of all protocols, in the order of the file."""
    parts = []
    for protocol, group in groupby(found, key=lambda line: line["protocol"]):
        group = list(group)
        rows = [COLUMNS, *map(cells, group)]
        items = [("* - " if not i else "  - ") + c for row in rows for i, c in enumerate(row)]
        parts += [
            f"````{{dropdown}} {protocol}: {counted(group)}",
            "```{list-table}",
            ":header-rows: 1",
            ":class: mg-protocol",
            "",
            *(item.rstrip() for item in items),
            "```",
            "````",
            "",
        ]
    return "\n".join(parts)


class Protocols(SphinxDirective):
    def run(self):
        root = Path(self.env.srcdir)
        self.env.note_dependency(str(root / FILE))
        text = StringList(markdown(lines(root)).splitlines(), FILE)
        node = nodes.Element()
        self.state.nested_parse(text, self.content_offset, node)
        return node.children


def setup(app):
    app.add_directive("protocols", Protocols)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
