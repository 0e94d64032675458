r"""The directive ``{from-notebook}``: a figure from the chapter's notebook, where one reads.

    ```{from-notebook} the-smoothing-factor
    :name: fig-smoothing-omega

    The caption.
    ```

It names the section of the notebook by its anchor, and takes the first figure there, or the one
given by a second argument: ``the-smoothing-factor 2``. Sliders come along and can be moved. Number
and caption are the chapter's: in the notebook the same figure shows them as well, with a link to
the chapter, and the chapter's caption has one to the section of the notebook. A figure that no
chapter takes has a number of its own, and as its caption the first sentence of its text
alternative.
"""

import re
from html import unescape
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

_TAG = re.compile(r'<img class="mg-figure"[^>]*? alt="([^"]*)"')


class from_notebook(nodes.General, nodes.Element):
    """Where the figure goes."""


class FromNotebook(SphinxDirective):
    required_arguments = 1
    optional_arguments = 1
    has_content = True
    option_spec: ClassVar = {"name": directives.unchanged_required}

    def run(self):
        if "name" not in self.options or not self.content:
            raise self.error("a figure from a notebook needs the option name, and a caption.")
        notebook = "notebooks/" + self.env.docname.rpartition("/")[2]
        section = self.arguments[0]
        number = int(self.arguments[1]) if len(self.arguments) > 1 else 1
        place = (notebook, section, number)
        words = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, words)
        caption = nodes.caption("", "", *words.children[0].children)
        remember(self.env)[place] = (self.env.docname, self.options["name"], caption.deepcopy())
        link = nodes.reference("", "In the notebook.", internal=True, mg_place=place)
        caption += [nodes.Text(" "), link]
        figure = nodes.figure("", from_notebook(place=place), caption, *words.children[1:])
        self.set_source_info(figure)
        self.add_name(figure)
        return [figure]


def remember(env):
    """Return what the chapters take: (notebook, section, number) -> (chapter, label, caption)."""
    if not hasattr(env, "mg_taken"):
        env.mg_taken = {}
    return env.mg_taken


def figures(doctree):
    """Yield ((section, number), raw node) of the figures that a notebook shows."""
    seen = {}
    for raw in doctree.findall(nodes.raw):
        if raw.get("format") == "html" and _TAG.search(raw.astext()):
            node = raw.parent
            while not isinstance(node, nodes.section):
                node = node.parent
            section = node["ids"][0]
            seen[section] = seen.get(section, 0) + 1
            yield (section, seen[section]), raw


def sentence_end(words, after=30):
    """Where the first sentence ends that says something: "Left." does not."""
    end = re.compile(r"[.;?!](?=\s|$)").search(words, min(after, len(words)))
    return end.end() if end else len(words)


def first_sentence(alt):
    """Return the first sentence of a text alternative, without the values of a slider.

    Examples
    --------
    >>> first_sentence("A curve that falls from one to zero. It is blue (omega = 1).")
    'A curve that falls from one to zero.'
    """
    alt = re.sub(r" ?\([^()]* = [^()]*\)\.?$", "", alt)
    return alt[: sentence_end(alt)].rstrip(".;:") + "."


def number(app, doctree):
    """Make the outputs of a notebook's cells figures with a caption, when it was read."""
    name = app.env.docname
    if not name.startswith("notebooks/"):
        return
    taken = remember(app.env)
    for (section, n), raw in list(figures(doctree)):
        bundle = raw.parent
        while bundle.get("nb_element") != "mime_bundle":
            bundle = bundle.parent
        if (name, section, n) in taken:  # its number is in the chapter
            _, label, caption = taken[name, section, n]
            link = addnodes.pending_xref(
                "", nodes.inline("", "%s"), refdomain="std", reftype="numref", refdoc=name,
                reftarget=label, refexplicit=False, refwarn=True,
            )  # fmt: skip
            words = [link, nodes.Text(", in the chapter. "), *caption.deepcopy().children]
            figure = nodes.container(classes=["mg-taken"])
            caption = nodes.paragraph("", "", *words, classes=["mg-caption"])
        else:
            figure = nodes.figure(ids=[f"figure-{section}-{n}"])
            caption = nodes.caption("", first_sentence(unescape(_TAG.search(raw.astext())[1])))
        bundle.replace_self(figure)
        figure += [bundle, caption]


def take(app, doctree, docname):
    """Put the figures into the chapters, and lead their links to the section."""
    for node in list(doctree.findall(from_notebook)):
        html = app.builder.format == "html"
        node.replace_self(source(app.env, node["place"]) if html else [])
    for link in doctree.findall(lambda n: isinstance(n, nodes.reference) and "mg_place" in n):
        notebook, section, _ = link["mg_place"]
        link["refuri"] = f"{app.builder.get_relative_uri(docname, notebook)}#{section}"


def source(env, place):
    """Return the raw node of a figure of a notebook, of a doctree that is read for it alone."""
    notebook, section, n = place
    found = dict(figures(env.get_doctree(notebook)))
    if (section, n) not in found:
        known = ", ".join(f"{s} {k}" for s, k in found)
        raise ExtensionError(f"{notebook} has no figure {section} {n}: it has {known}.")
    return found[section, n]


def pair(name):
    """Return the notebook of a chapter, or the chapter of a notebook.

    Examples
    --------
    >>> pair("book/fas"), pair("notebooks/fas")
    ('notebooks/fas', 'book/fas')
    """
    folder, _, page = name.partition("/")
    return f"{'notebooks' if folder == 'book' else 'book'}/{page}"


def outdated(app, env, added, changed, removed):
    """A chapter and its notebook are read together, the chapter first, by its name."""
    return sorted({pair(name) for name in added | changed} & env.found_docs)


def forget(app, env, docname):
    for place, (chapter, _, _) in list(remember(env).items()):
        if chapter == docname:
            del remember(env)[place]


def setup(app):
    app.add_node(from_notebook)
    app.add_directive("from-notebook", FromNotebook)
    app.connect("env-get-outdated", outdated)
    app.connect("env-purge-doc", forget)
    app.connect("doctree-read", number)
    app.connect("doctree-resolved", take)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
