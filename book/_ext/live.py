r"""The directive ``{live}``: a figure that the page computes while a reader moves it.

    ```{live} smoothing
    :name: fig-live-smoothing
    :alt: What one sees, in a sentence or two.

    The caption.
    ```

It is a figure like any other, whose picture ``book/figures/live_smoothing.svg`` is shown in print
and where no script runs. On the screen ``book/_static/live/smoothing.js`` takes its place; the
scripts are loaded by the pages that need them. Both have the same text alternative.
"""

from html import escape
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

SCRIPTS = Path(__file__).parents[1] / "_static" / "live"


class Live(SphinxDirective):
    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {
        "name": directives.unchanged_required,
        "alt": directives.unchanged_required,
    }

    def run(self):
        name = self.arguments[0]
        if not (SCRIPTS / f"{name}.js").is_file():
            known = ", ".join(sorted(f.stem for f in SCRIPTS.glob("*.js") if f.stem != "live"))
            raise self.error(f"there is no live figure {name!r}: there are {known}.")
        for needed in ("name", "alt"):
            if needed not in self.options:
                raise self.error(f"the live figure {name!r} needs the option {needed}.")
        alt = self.options["alt"]
        picture = nodes.image("", uri=f"/book/figures/live_{name}.svg", alt=alt)
        picture["classes"] = ["mg-still"]
        stage = (
            f'<div class="mg-stage" data-live="{name}" role="group" aria-label="{escape(alt)}" '
            "hidden></div>"
        )
        figure = nodes.figure("", picture, nodes.raw("", stage, format="html"))
        figure["mg_live"] = name
        words = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, words)
        paragraphs = list(words.children)
        figure += nodes.caption("", "", *paragraphs[0].children)
        if paragraphs[1:]:
            figure += nodes.legend("", *paragraphs[1:])
        self.set_source_info(figure)
        self.add_name(figure)
        return [figure]


def load(app, page, template, context, doctree):
    """Have a page load the scripts of its live figures, and no other page."""
    figures = doctree.findall(nodes.figure) if doctree else ()
    names = [figure["mg_live"] for figure in figures if "mg_live" in figure]
    for name in ("live", *dict.fromkeys(names)) if names else ():
        app.add_js_file(f"live/{name}.js", loading_method="defer")


def setup(app):
    app.add_directive("live", Live)
    app.connect("html-page-context", load)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
