"""The words of the glossary become links, with their meaning, where a chapter first uses them.

Only plain words of paragraphs and lists count: not headings, captions, links, code or formulas. The
entry's first sentence is shown when a pointer rests on the word.
"""

import re

from docutils import nodes
from from_notebook import pair, sentence_end

GLOSSARY = "book/glossary"
_NOT_INSIDE = (
    nodes.reference, nodes.title, nodes.literal, nodes.literal_block, nodes.math, nodes.raw,
    nodes.caption, nodes.table, nodes.strong, nodes.block_quote,
)  # fmt: skip


def entries(env):
    """Return the words: word in small letters -> (anchor, first sentence, if without a formula)."""
    found = {}
    for item in env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
        meaning = " ".join(item[-1].astext().split())
        said = "" if any(item.findall(nodes.math)) else meaning[: sentence_end(meaning)]
        for term in item.findall(nodes.term):
            words = term.astext().split(" (")[0].lower()
            found[words] = term["ids"][0], said
    return found


def pattern(words):
    """Return what finds a word of a list, the longest of those that fit, also in the plural.

    Examples
    --------
    >>> pattern(["error", "error propagation"]).search("The error propagation of it.")[1]
    'error propagation'
    """
    longest = sorted(words, key=len, reverse=True)
    return re.compile(rf"\b({'|'.join(map(re.escape, longest))})s?\b(?!-)", re.IGNORECASE)


def link(app, doctree, docname):
    if pair(docname) not in app.env.found_docs or not docname.startswith("book/"):
        return
    left = entries(app.env)
    uri = app.builder.get_relative_uri(docname, GLOSSARY)
    for text in list(doctree.findall(nodes.Text)):
        node, plain = text, False
        while node.parent is not None and not isinstance(node, _NOT_INSIDE):
            node, plain = node.parent, plain or isinstance(node, nodes.paragraph)
        if not plain or isinstance(node, _NOT_INSIDE) or not left:
            continue
        parts, at = [], 0
        for found in pattern(left).finditer(text):
            if (entry := left.pop(found[1].lower(), None)) is None:  # twice in one text
                continue
            anchor, meaning = entry
            term = nodes.reference(
                "", found[0], internal=True, refuri=f"{uri}#{anchor}", classes=["mg-term"]
            )
            if meaning:
                term["reftitle"] = meaning
            parts += [nodes.Text(text[at : found.start()]), term]
            at = found.end()
        if parts:
            parent = text.parent
            parent[parent.index(text) : parent.index(text) + 1] = [*parts, nodes.Text(text[at:])]


def setup(app):
    app.connect("doctree-resolved", link)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
