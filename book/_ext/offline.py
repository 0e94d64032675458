"""The book can be read without a network, a server or a kernel.

- MathJax is served from the build, out of the PyPI package ``sphinx-mathjax-offline``.
- Notebooks executed by the build draw static sliders (``MGTUTORIAL_STATIC``).
- Search makes no request that a page opened from disk may not make.
- The first page is also found at ``index.html``.
"""

import os
from html import escape
from importlib.util import find_spec
from pathlib import Path
from shutil import copy2

from sphinx.errors import ExtensionError

_PACKAGE = "sphinx-mathjax-offline"

# What tex-chtml.js loads later: fonts at once, TeX extensions when a formula needs one,
# the rest when a reader asks for speech in MathJax's menu.
_MATHJAX = [
    "tex-chtml.js",
    "output/chtml/fonts/**/*.woff",
    "input/tex/extensions/*.js",
    "a11y/*.js",
    "sre/mathmaps/base.json",
    "sre/mathmaps/en.json",
]

# A page opened from disk cannot fetch() the pages that search would quote from.
_SEARCH = 'if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;'


# sphinx-external-toc would write a bare redirect, for which browsers ask favicon.ico.
_INDEX = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={first}">
<link rel="icon" href="_static/{icon}">
<title>{title}</title>
</head>
<body><p><a href="{first}">{title}</a></p></body>
</html>
"""


def static_sliders(app, config):
    """Have the kernels that this build starts draw their sliders beforehand."""
    os.environ["MGTUTORIAL_STATIC"] = "1"


def copy_mathjax(app):
    """Copy the part of MathJax that the pages use into ``_static/mathjax``."""
    if app.builder.format != "html":
        return
    spec = find_spec(_PACKAGE)
    if spec is None:
        raise ExtensionError(
            f"the book needs {_PACKAGE} for its formulas: install the extra 'book' of mgtutorial."
        )
    source = Path(spec.origin).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for pattern in _MATHJAX:
        files = sorted(source.glob(pattern))
        if not files:
            raise ExtensionError(f"{_PACKAGE} has no {pattern}: is it version 0.0.2?")
        for file in files:
            copy = target / file.relative_to(source)
            if not copy.exists() or copy.stat().st_size != file.stat().st_size:
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy2(file, copy)


def write_index(app):
    """Write an ``index.html`` that leads to the first page."""
    if app.builder.name != "html" or app.config.root_doc == "index":
        return
    page = _INDEX.format(
        language=app.config.language,
        first=f"{app.config.root_doc}.html",
        icon=Path(app.config.html_favicon).name,
        title=escape(app.config.html_title),
    )
    (Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")


def setup(app):
    app.connect("config-inited", static_sliders)
    app.connect("builder-inited", copy_mathjax)
    app.connect("builder-inited", write_index)
    app.add_js_file(None, body=_SEARCH, priority=300)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
