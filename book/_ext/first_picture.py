"""The notebook of a chapter opens with a picture of what it makes, before its first line of code.

It is the first of the notebook's figures that can be moved, in its initial state, or else the first
of all; a link leads to the place where it is made.
"""

import re

from docutils import nodes
from from_notebook import figures, pair

_IMG = re.compile(r'<img class="mg-figure"[^>]*>')


def picture(doctree):
    """Return the anchor and the ``<img>`` tag of the figure to open with, or None.

    The tag has another class, so that nobody takes it for the figure.
    """
    found = [(section, raw.astext()) for (section, _), raw in figures(doctree)]
    movable = [figure for figure in found if '<figure class="mg-slider"' in figure[1]]
    for section, html in (movable or found)[:1]:
        return section, _IMG.search(html)[0].replace("mg-figure", "mg-opening", 1)
    return None


def open_with(app, doctree):
    """Put the picture before the first cell of code of a chapter's notebook."""
    name = app.env.docname
    if not name.startswith("notebooks/") or pair(name) not in app.env.found_docs:
        return
    cells = (c for c in doctree.findall(nodes.container) if c.get("nb_element") == "cell_code")
    first, found = next(cells, None), picture(doctree)
    if first is not None and found is not None:
        html = f'<p class="mg-opening"><a href="#{found[0]}">{found[1]}</a></p>'
        at = first.parent.index(first)
        first.parent.insert(at, nodes.raw("", html, format="html"))


def setup(app):
    app.connect("doctree-read", open_with)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
