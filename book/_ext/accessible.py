"""Mends the faults of the theme's pages for readers with a keyboard or a screen reader.

axe-core finds these faults in sphinx-book-theme 1.2 (tests/book/test_in_browser.py runs it on every
page). They are in HTML that no template of ours writes, so they are mended in the text. The
same goes for a line that would begin with the comma after a formula.
"""

import re
from pathlib import Path

# A chapter in the sidebar, before the arrow that unfolds its sections.
_FOLDED = re.compile(
    r'(<a class="[^"]*\breference internal" href="[^"]*">)(.*?)(</a><details[^>]*>)<summary>'
)

# A formula in the text, and what may not begin a line.
_STOPPED = re.compile(
    r'(?<!<span class="mg-together">)(<span class="math notranslate nohighlight">[^<]*</span>)'
    r"([,.;:!?)\u2019\u201d]+)"
)

_MENDS = (
    # The arrow gets a name.
    (_FOLDED, lambda m: f'{m[1]}{m[2]}{m[3]}<summary aria-label="Sections of {_text(m[2])}">'),
    # The name of a button contains the words that it shows.
    (re.compile(r'(<button class="btn search-button-field[^>]*?) aria-label="Search"'), r"\1"),
    (
        re.compile(r'(<button [^>]*theme-switch-button[^>]*? aria-label=")[^"]*"'),
        r'\1Colours of the page: Light, Dark or System Settings"',
    ),
    # What unfolds code says so in words, which differ when it is open
    (re.compile(r'<summary aria-label="Toggle hidden content">'), "<summary>"),
    # An entry of the references is an item of their list; the role it has is deprecated.
    (re.compile(r'role="doc-biblioentry"'), 'role="listitem"'),
    # A stop after a formula stays on its line.
    (_STOPPED, r'<span class="mg-together">\1\2</span>'),
    # A card's picture waits until it is scrolled to.
    (
        re.compile(r"(<img(?=[^>]*\bsd-card-img-top\b)(?![^>]*\bloading=))"),
        r'\1 loading="lazy"',
    ),
    # The second of two equal tags
    (re.compile(r'(<meta name="viewport"[^>]*>)<meta name="viewport"[^>]*>'), r"\1"),
)


def _text(html):
    return re.sub(r"<[^>]*>", "", html).replace('"', "&quot;").strip()


def mend(html):
    """Return the page `html` with the theme's faults mended.

    Examples
    --------
    >>> mend('<div role="doc-biblioentry">')
    '<div role="listitem">'
    """
    for pattern, repl in _MENDS:
        html = pattern.sub(repl, html)
    return html


def mend_pages(app, exception):
    """Mend the pages that were written."""
    if exception or app.builder.name != "html":
        return
    for file in Path(app.outdir).rglob("*.html"):
        if "_static" not in file.relative_to(app.outdir).parts:
            html = file.read_text(encoding="utf-8")
            mended = mend(html)
            if mended != html:
                file.write_text(mended, encoding="utf-8")


def setup(app):
    app.connect("build-finished", mend_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
