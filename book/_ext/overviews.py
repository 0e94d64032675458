"""Two directives that read the book when it is built: its map, and the index of its figures.

- ``{book-map}``: the chapters, and which needs which, as a picture whose boxes are links,
  and in words (``book/figures/map.py`` draws it).
- ``{figure-index}``: every figure of every page, in the order of the book: those that can
  be moved are marked.
"""

import runpy
from html import escape
from pathlib import Path

from docutils import nodes
from from_notebook import from_notebook, sentence_end, source
from sphinx.util.docutils import SphinxDirective

_MAP = Path(__file__).parents[1] / "figures" / "map.py"


class book_map(nodes.General, nodes.Element):
    """Where the map goes."""


class figure_index(nodes.General, nodes.Element):
    """Where the index of figures goes."""


class BookMap(SphinxDirective):
    def run(self):
        return [book_map()]


class FigureIndex(SphinxDirective):
    def run(self):
        return [figure_index()]


# ------------------------------------------------------------------------- the map


def map_html(app, docname):
    """The map as HTML: the drawing, and the same in words."""
    drawing = runpy.run_path(str(_MAP))
    captions, chapters = drawing["read"](Path(app.srcdir))
    folder = docname.rpartition("/")[0]
    pages = {name: f"{folder}/{name}".lstrip("/") for name in chapters}
    titles = {name: chapter.title for name, chapter in chapters.items()}

    def address(name):
        return app.builder.get_relative_uri(docname, pages[name])

    def link(name):
        return f'<a href="{escape(address(name))}">{escape(titles[name])}</a>'

    def item(name):
        links = [link(need) for need in chapters[name].needs]
        words = " and ".join(filter(None, [", ".join(links[:-1]), *links[-1:]]))
        return f"<li>{link(name)} needs {words or 'no other chapter'}.</li>"

    words = "".join(map(item, chapters))
    return (
        f'<nav class="mg-map" aria-label="Map of the book">'
        f"{drawing['draw'](captions, chapters, address)}</nav>"
        f"<details><summary>The map in words</summary><ul>{words}</ul></details>"
    )


# ----------------------------------------------------------------- the index of figures

_SLIDER = '<figure class="mg-slider"'


def figures(env, docname, numbered):
    """Yield (anchor, text nodes, movable) of the figures on a page, as they come."""
    doctree = env.get_doctree(docname)
    numbers = env.toc_fignumbers.get(docname, {}).get("figure", {}) if numbered else {}
    for node in doctree.findall(nodes.figure):
        caption = next(iter(node.findall(nodes.caption)), None)
        if caption is None or not node["ids"]:  # in a notebook: a figure of the chapter
            continue
        anchor, text = node["ids"][0], first_sentence(caption)
        number = numbers.get(anchor)
        if number:
            text.insert(0, nodes.Text(f"Figure {'.'.join(map(str, number))}. "))
        yield anchor, text, movable(env, node)


def movable(env, figure):
    """Whether a figure can be moved: live, or with a slider, its own or one from a notebook."""
    if "mg_live" in figure:
        return True
    raws = list(figure.findall(nodes.raw))
    raws += [source(env, node["place"]) for node in figure.findall(from_notebook)]
    return any(_SLIDER in raw.astext() for raw in raws)


def first_sentence(caption):
    """The first sentence of a caption, formulas included, links left as words."""
    kept, length = [], 0
    for child in caption.children:
        if isinstance(child, nodes.math):
            kept.append(child.deepcopy())
            length += 10
            continue
        words = " ".join(child.astext().split("\n"))
        end = sentence_end(words, 30 - length if length < 30 else 0)
        kept.append(nodes.Text(words[:end]))
        length += end
        if end < len(words):
            break
    return kept


def pages_in_order(env):
    """The pages, as a reader meets them."""
    seen = []

    def visit(name):
        if name not in seen:
            seen.append(name)
            for other in env.toctree_includes.get(name, ()):
                visit(other)

    visit(env.config.root_doc)
    return seen


def index_nodes(app, docname):
    """The index: a paragraph a page, and a list of its figures."""
    env = app.env
    result = []
    for page in pages_in_order(env):
        found = list(figures(env, page, app.config.numfig)) if page != docname else []
        if not found:
            continue
        uri = app.builder.get_relative_uri(docname, page)
        title = nodes.reference("", env.titles[page].astext(), refuri=uri, internal=True)
        result.append(nodes.paragraph("", "", nodes.strong("", "", title)))
        items = nodes.bullet_list(bullet="*")
        for anchor, text, movable in found:
            link = nodes.reference("", "", *text, refuri=f"{uri}#{anchor}", internal=True)
            line = nodes.paragraph("", "", link)
            if movable:
                line += [nodes.Text(" "), nodes.emphasis("", "can be moved")]
            items += nodes.list_item("", line)
        result.append(items)
    return result


def resolve(app, doctree, docname):
    for node in list(doctree.findall(book_map)):
        html = app.builder.format == "html"
        node.replace_self(nodes.raw("", map_html(app, docname), format="html") if html else [])
    for node in list(doctree.findall(figure_index)):
        node.replace_self(index_nodes(app, docname))
        # the captions may hold formulas: their page needs MathJax, though its source has none
        app.env.get_domain("math").data["has_equations"][docname] = True


def outdated(app, env, added, changed, removed):
    """A page with an overview is read again when any page has changed."""
    return sorted(getattr(env, "mg_overviews", ())) if added | changed | removed else []


def remember(app, doctree):
    if any(isinstance(n, book_map | figure_index) for n in doctree.findall()):
        app.env.mg_overviews = {*getattr(app.env, "mg_overviews", ()), app.env.docname}


def setup(app):
    app.add_node(book_map)
    app.add_node(figure_index)
    app.add_directive("book-map", BookMap)
    app.add_directive("figure-index", FigureIndex)
    app.connect("doctree-read", remember)
    app.connect("doctree-resolved", resolve)
    app.connect("env-get-outdated", outdated)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
