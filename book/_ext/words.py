r"""The role ``{set}``: words of a sentence that set the figure beside it.

    with {set}`ω = 2/3 <fig-live-smoothing: damping ω = 0.67; sweeps = 10>` the rough half ...

The words are a button. It moves the sliders of the figure with this name, each known by its label,
to these values, or presses one of the figure's buttons, ``The error at the start = noise``. In
print, and without a script, they are words like any others.
"""

import json
import re
from html import escape

from docutils import nodes
from sphinx.util.docutils import SphinxRole

_FORM = re.compile(r"(?P<words>.+?)\s*<(?P<figure>fig-[\w-]+):\s*(?P<values>[^<>]+)>", re.DOTALL)


def parse(text):
    """Return the words, the name of the figure, and its values by label; or None.

    Examples
    --------
    >>> parse("ten sweeps <fig-live-smoothing: damping ω = 0.67; sweeps = 10>")
    ('ten sweeps', 'fig-live-smoothing', {'damping ω': '0.67', 'sweeps': '10'})
    >>> parse("ten sweeps") is None
    True
    """
    found = _FORM.fullmatch(text)
    if not found:
        return None
    pairs = [pair.rpartition("=") for pair in found["values"].split(";")]
    values = {label.strip(): value.strip() for label, _, value in pairs}
    return (found["words"], found["figure"], values) if "" not in values else None


class setting(nodes.General, nodes.Inline, nodes.TextElement):
    """Words that set a figure."""


class Set(SphinxRole):
    def run(self):
        if (found := parse(self.text)) is None:
            form = "words <fig-name: label = value; label = value>"
            message = self.inliner.reporter.error(f"{{set}} needs {form}.", line=self.lineno)
            return [nodes.problematic(self.rawtext, self.rawtext)], [message]
        words, figure, values = found
        return [setting(words, words, figure=figure, values=values)], []


def begin(writer, node):
    values = escape(json.dumps(node["values"], ensure_ascii=False))
    writer.body.append(
        f'<button type="button" class="mg-set" data-figure="{node["figure"]}" '
        f'data-values="{values}" title="Sets the figure.">'
    )


def setup(app):
    end = (lambda writer, node: writer.body.append("</button>"),)
    app.add_node(setting, html=(begin, *end))
    app.add_role("set", Set())
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
