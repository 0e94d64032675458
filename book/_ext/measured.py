r"""The directive ``{measured}``: a table of numbers from a file of results, so that none is typed.

    ```{measured} results/spectra/summary.json outliers
    :where: level=1
    network | {network}
    spectral radius, end | {end:.2f}
    ```

The file holds a list of rows, or several under names, as JSON; or one row per line (``.jsonl``).
Nested names are joined by dots, and a value with spaces is put in quotation marks. Each line of
the directive is a column: its heading, and how a row is written in it. A percentage gets its
space, and a negative number its sign. The page is read again when the file has changed.
"""

import json
import re
import shlex
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective


def rows(path, name=None, where=""):
    """Return the rows of a file: of one list in it, and those only whose fields are as given."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        found = [json.loads(line) for line in text.splitlines()]
    else:
        found = json.loads(text)
        for key in name.split(".") if name else ():
            found = found[key]
    wanted = dict(pair.split("=", 1) for pair in shlex.split(where))
    return [row for row in found if all(str(row[k]) == v for k, v in wanted.items())]


def cell(form, row):
    """Return a row as a column writes it.

    Examples
    --------
    >>> cell("{a:.0%} of {b}", {"a": 0.256, "b": -1.5})
    '26 % of −1.5'
    """
    written = re.sub(r"(?<=\d)%", " %", form.format(**row))
    return re.sub(r"(?<![\w-])-(?=\d)", "−", written)


def markdown(columns, found):
    """Return the table; `columns` are lines "heading | format"."""
    pairs = [line.rsplit(" | ", 1) for line in columns if line.strip()]
    lines = [[heading for heading, _ in pairs], ["---"] * len(pairs)]
    lines += [[cell(form, row) for _, form in pairs] for row in found]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


class Measured(SphinxDirective):
    required_arguments = 1
    optional_arguments = 1
    has_content = True
    option_spec: ClassVar = {"where": directives.unchanged}

    def run(self):
        path = Path(self.env.srcdir) / self.arguments[0]
        self.env.note_dependency(str(path))
        name = self.arguments[1] if len(self.arguments) > 1 else None
        try:
            found = rows(path, name, self.options.get("where", ""))
            text = markdown(list(self.content), found)
        except (OSError, KeyError, ValueError, IndexError) as error:
            raise self.error(f"no table of {path.name}: {error!r}") from error
        if not found:
            raise self.error(f"no row of {path.name} is as asked: {self.options.get('where')}")
        node = nodes.Element()
        self.state.nested_parse(StringList(text.splitlines(), str(path)), self.content_offset, node)
        return node.children


def setup(app):
    app.add_directive("measured", Measured)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
