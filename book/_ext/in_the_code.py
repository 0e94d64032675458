r"""The directive ``{in-the-code}``: the functions of the package that name this page.

The last line of a public docstring says where the book states what the function does,

    Book: fas, eq-fas

by the name of a page and a label on it. A chapter ends with the list of those that name it, one
line each and sorted by file: the way from an equation to the code. The list is read from the
source, without importing any of it, so it needs no torch and cannot be forgotten.
"""

import ast
import re
from collections import defaultdict
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

_BOOK = re.compile(r"Book: ([\w-]+), ([\w-]+)")

# What reStructuredText marks in the first line of a docstring, and what Markdown would take
# for marks in the rest of it.
_MARKED = re.compile(
    r":math:`(?P<math>[^`]+)`|:\w+:`~?(?P<name>[^`]+)`|``(?P<code>[^`]+)``|`(?P<word>[^`]+)`"
    r"|(?P<note> \[\d+\]_)|(?P<mark>[*_\[\]<$~])"
)


class Entry(NamedTuple):
    """A function, class or method that names a page; `file` as seen from the root."""

    page: str
    label: str
    file: str
    name: str
    summary: str


def place(docstring):
    """Return (page, label) that a docstring ends with, or None.

    Examples
    --------
    >>> place("Do it.\\n\\nBook: fas, eq-fas")
    ('fas', 'eq-fas')
    >>> place("Book: fas, eq-fas\\n\\nAnd more.") is place("") is None
    True
    """
    lines = (docstring or "").rstrip().splitlines()
    found = _BOOK.fullmatch(lines[-1].strip()) if lines else None
    return found and found.groups()


def documented(body, inside=""):
    """Yield (qualified name, docstring or "") of functions, classes and their methods.

    Examples
    --------
    >>> source = "class A:\\n    def f(self):\\n        'Go.'\\ndef g(): pass"
    >>> list(documented(ast.parse(source).body))
    [('A', ''), ('A.f', 'Go.'), ('g', '')]
    """
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield inside + node.name, ast.get_docstring(node) or ""
            if isinstance(node, ast.ClassDef):
                yield from documented(node.body, f"{inside}{node.name}.")


def collect(root, package="mgtutorial"):
    """Return the entries of each page, as {page: [Entry]}, by file and in its order."""
    pages = defaultdict(list)
    for path in sorted((root / package).rglob("*.py")):
        file = path.relative_to(root).as_posix()
        for name, docstring in documented(ast.parse(path.read_text(encoding="utf-8")).body):
            if found := place(docstring):
                summary = " ".join(docstring.split("\n\n")[0].split())
                pages[found[0]].append(Entry(*found, file, name, summary))
    return dict(pages)


def to_markdown(summary):
    r"""Return a docstring's first line as Markdown.

    Examples
    --------
    >>> print(to_markdown(r"Return :math:`B = \omega I` of an :class:`~a.b.C`, as ``x_1.T`` [2]_."))
    Return $B = \omega I$ of an `C`, as `x_1.T`.
    >>> print(to_markdown("Keep on_A [a, b]."))
    Keep on\_A \[a, b\].
    """

    def write(found):
        kind, text = found.lastgroup, found[found.lastgroup]
        if kind == "math":
            return f"${text}$"
        if kind == "note":
            return ""
        if kind == "mark":
            return f"\\{text}"
        return f"`{text.rpartition('.')[2] if kind == 'name' else text}`"

    return _MARKED.sub(write, summary)


def link(label):
    """Return the role that shows a label: an equation's number, a figure's, or a title.

    Examples
    --------
    >>> link("eq-fas"), link("fas-tau")
    ('{eq}`eq-fas`', '({ref}`fas-tau`)')
    """
    if label.startswith("eq-"):
        return f"{{eq}}`{label}`"
    return f"({{{'numref' if label.startswith(('tab-', 'fig-')) else 'ref'}}}`{label}`)"


def markdown(entries, address=""):
    """Return the list of a page; files are links into the repository at `address`, if any."""
    lines = []
    for file, group in groupby(entries, key=lambda entry: entry.file):
        title = f"[`{file}`]({address}/{file})" if address else f"`{file}`"
        items = [f"- `{e.name}`: {to_markdown(e.summary)} {link(e.label)}" for e in group]
        lines += [title, "", *items, ""]
    return "\n".join(lines)


class InTheCode(SphinxDirective):
    def run(self):
        text = self.env.app.in_the_code.get(self.env.docname)
        if text is None:
            raise self.error(f"no docstring ends with 'Book: {Path(self.env.docname).name}, ...'.")
        if not hasattr(self.env, "mg_in_the_code"):
            self.env.mg_in_the_code = {}
        self.env.mg_in_the_code[self.env.docname] = text
        node = nodes.Element()
        source = self.get_source_info()[0]
        self.state.nested_parse(StringList(text.splitlines(), source), self.content_offset, node)
        return node.children


def read(app):
    """Read the package once for each build."""
    options = app.config.html_theme_options
    repository = options.get("repository_url", "").rstrip("/")
    branch = options.get("repository_branch") or "main"
    address = f"{repository}/blob/{branch}" if repository else ""
    pages = collect(Path(app.srcdir))
    app.in_the_code = {f"book/{page}": markdown(pages[page], address) for page in pages}


def outdated(app, env, added, changed, removed):
    """A page is read again when its list has changed."""
    listed = getattr(env, "mg_in_the_code", {})
    return [page for page in listed if app.in_the_code.get(page) != listed[page]]


def setup(app):
    app.add_directive("in-the-code", InTheCode)
    app.connect("builder-inited", read)
    app.connect("env-get-outdated", outdated)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
