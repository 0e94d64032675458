r"""Propositions and their proofs as boxes that have an address, and links wherever they are named.

A chapter writes what a reader of the source would expect: a paragraph that begins with
``**Proposition 4 (smoothing property).**``, a proof from ``*Proof.*`` to ``$\square$``, and "by
Proposition 4" or "Lemma 2 of Coarsening" elsewhere. The rest is made here. A proof is folded until
a reader asks for it, follows a link into it, or prints. sphinx-proof 0.2 makes such boxes from
directives, but numbers each kind separately; the book numbers all of them in one sequence.
"""

import re
from itertools import pairwise

from docutils import nodes

KIND = "Proposition|Lemma|Theorem|Corollary"
_TITLE = re.compile(rf"({KIND}) (\d+)\b.*\.")
_NAMED = re.compile(rf"\b({KIND})\s(\d+)\b(?:\sof\s?(\w[\w-]*)?)?")


class proof(nodes.General, nodes.Element):
    """A proof, with the words of what it proves in ``of``."""


def address(kind, number):
    """Return the anchor of a statement.

    Examples
    --------
    >>> address("Lemma", "2")
    'lemma-2'
    """
    return f"{kind.lower()}-{number}"


def begins(node, kind):
    """Return the text with which a paragraph begins, if that is a node of the kind; else ''."""
    if isinstance(node, nodes.paragraph):
        first = next((child for child in node if child.astext()), None)  # MyST puts an empty text
        return first.astext() if isinstance(first, kind) else ""
    return ""


def wrap(first, last, box):
    """Put the siblings from one to another, both included, into a box in their place."""
    parent = first.parent
    start, end = parent.index(first), parent.index(last) + 1
    box += parent.children[start:end]
    parent.children[start:end] = [box]
    parent.setup_child(box)


def ends(node):
    r"""Whether a proof ends with a paragraph: with the square."""
    return isinstance(node, nodes.paragraph) and node.astext().rstrip(" .").endswith("\\square")


def box(app, doctree):
    """Put statements and proofs of a page into boxes, when it was read."""
    for paragraph in list(doctree.findall(nodes.paragraph)):
        title = _TITLE.fullmatch(begins(paragraph, nodes.strong))
        if not title:
            continue
        after = paragraph.parent.children[paragraph.parent.index(paragraph) :]
        last, first = paragraph, None
        for before, node in pairwise(after):
            if begins(node, nodes.strong) or isinstance(node, nodes.section):
                break
            if begins(node, nodes.emphasis) == "Proof.":
                last, first = before, node
                break
        if first is not None:
            rest = after[after.index(first) :]
            end = next((node for node in rest if ends(node)), None)
            if end is not None:
                first.remove(next(child for child in first if child.astext()))  # it is in the fold
                wrap(first, end, proof(of=" ".join(title.groups())))
        ident = address(*title.groups())
        wrap(paragraph, last, nodes.container(classes=["mg-statement"], ids=[ident]))


def statements(env, docname):
    """Return the anchors of the statements of a page."""
    if docname not in env.mg_statements:
        boxes = env.get_doctree(docname).findall(nodes.container)
        env.mg_statements[docname] = {
            ident for box in boxes if "mg-statement" in box["classes"] for ident in box["ids"]
        }
    return env.mg_statements[docname]


def link(app, doctree, docname):
    """Make links of the names of statements, of this page and of others."""
    env = app.env
    if not docname.startswith("book/"):
        return
    env.mg_statements = getattr(env, "mg_statements", {})
    titles = {title.astext(): name for name, title in env.titles.items() if name[:5] == "book/"}
    for text in list(doctree.findall(nodes.Text)):
        inside = (nodes.reference, nodes.title, nodes.literal, nodes.math, nodes.raw, nodes.strong)
        if any(isinstance(node, inside) for node in parents(text)):
            continue
        parts, at = [], 0
        for found in _NAMED.finditer(text):
            page, ident, end = docname, address(found[1], found[2]), found.end(2)
            if found.end() > end:  # "of", and a title or a link
                page = titles.get(found[3]) or (leads(text) if found.end() == len(text) else None)
            if page is None or page not in env.found_docs or ident not in statements(env, page):
                continue
            name = text[found.start() : end]
            uri = "" if page == docname else app.builder.get_relative_uri(docname, page)
            reference = nodes.reference("", name, internal=True, refuri=f"{uri}#{ident}")
            parts += [nodes.Text(text[at : found.start()]), reference]
            at = end
        if parts:
            parent = text.parent
            parent[parent.index(text) : parent.index(text) + 1] = [*parts, nodes.Text(text[at:])]


def parents(node):
    """Yield what a node stands in, from near to far."""
    while node.parent is not None:
        node = node.parent
        yield node


def leads(text):
    """Return the page to which the link right after a text leads, or None."""
    siblings = text.parent.children
    after = siblings[siblings.index(text) + 1 :][:1]
    if after and isinstance(after[0], nodes.reference):
        page = after[0].get("refuri", "").partition("#")[0].rpartition("/")[2]
        return f"book/{page.removesuffix('.html')}" if page else None
    return None


def forget(app, env):
    env.mg_statements = {}


def unfold(writer, node):
    writer.body.append(f'<details class="mg-proof"><summary>Proof of {node["of"]}</summary>')


def setup(app):
    leave = (lambda writer, node: writer.body.append("</details>"),)
    app.add_node(proof, override=True, html=(unfold, *leave))
    app.connect("doctree-read", box)
    app.connect("env-check-consistency", forget)
    app.connect("doctree-resolved", link)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
