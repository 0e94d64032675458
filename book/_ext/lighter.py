"""What a page does not need is not sent: icons that no page shows, MathJax where no formula is.

The theme brings 2,000 drawings of Font Awesome in one script of 1.5 MB, which stands before the
page; the book shows some sixteen of them.
"""

import re
from pathlib import Path

from sphinx.errors import ExtensionError

# An icon in the script: its name, width, height, other names, code, and one or two paths.
_ICON = re.compile(
    r'(?:"([a-z0-9-]+)"|([a-z0-9]+)):\[\d+,\d+,\[([^\]]*)\],"[0-9a-f]+",(?:"[^"]*"|\[[^\]]*\])\],?'
)
_USED = re.compile(r"\bfa-([a-z0-9-]+)")
_ICONS = re.compile(r'<script src="([^"]*scripts/fontawesome\.js[^"]*)">')
_MATHJAX = re.compile(
    r"<script>window\.MathJax = .*?</script>|<script[^>]*/mathjax/[^>]*></script>"
)


def with_icons(script, names):
    """Return the script with those of its icons that have one of these names.

    Examples
    --------
    >>> script = 'p={"x-mark":[1,1,["close"],"f0","M0 0"],up:[1,1,[],"f1",["M0 0","M1 1"]]};'
    >>> with_icons(script, {"close"})
    'p={"x-mark":[1,1,["close"],"f0","M0 0"],};'
    >>> with_icons(script, {"up", "down"})
    'p={up:[1,1,[],"f1",["M0 0","M1 1"]]};'
    """

    def kept(m):
        also = re.findall(r'"([^"]*)"', m[3])
        return m[0] if names & {m[1] or m[2], *also} else ""

    return _ICON.sub(kept, script)


def lighten(app, exception):
    """Take from the pages that were written what they do not use."""
    if exception or app.builder.name != "html":
        return
    out, names = Path(app.outdir), set()
    for file in out.rglob("*.html"):
        html = file.read_text(encoding="utf-8")
        names.update(_USED.findall(html))
        # It draws over what is there already, so the page need not wait for it.
        lighter = _ICONS.sub(r'<script defer src="\1">', html)
        if 'class="math' not in html:
            lighter = _MATHJAX.sub("", lighter)
        if lighter != html:
            file.write_text(lighter, encoding="utf-8")
    scripts = out / "_static" / "scripts"
    for file in [*scripts.glob("*.js"), *(out / "_static").glob("*.js")]:
        if file.name != "fontawesome.js":
            names.update(_USED.findall(file.read_text(encoding="utf-8")))
    file = scripts / "fontawesome.js"
    script = file.read_text(encoding="utf-8")
    small = with_icons(script, names)
    if len(small) > 200_000:
        raise ExtensionError("Font Awesome's script is written otherwise now: see lighter.py.")
    file.write_text(small, encoding="utf-8")
    for needless in scripts.glob("*.map"):
        needless.unlink()


def setup(app):
    app.connect("build-finished", lighten)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
