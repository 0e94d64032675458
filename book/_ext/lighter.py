"""What a page does not need is not sent: icons that no page shows, MathJax if there is no formula.

The theme brings 2,000 icons of Font Awesome: in one script of 1.5 MB, in a style rule for each, and
in fonts of 300 kB, which are loaded before the formulas. The book shows about sixteen of them.
"""

import re
from pathlib import Path

from sphinx.errors import ExtensionError

# An icon in the script: its name, width, height, other names, code, and one or two paths.
_ICON = re.compile(
    r'(?:"([a-z0-9-]+)"|([a-z0-9]+)):\[\d+,\d+,\[([^\]]*)\],"[0-9a-f]+",(?:"[^"]*"|\[[^\]]*\])\],?'
)
# A rule that shows an icon from the font, and the address of a font that is packed twice.
_RULE = re.compile(r'((?:\.fa-[a-z0-9-]+::?before,?)+)\{content:"[^"]*"\}')
_WOFF2 = re.compile(r'url\([^)]*webfonts/[^)]*\.woff2\) ?format\("woff2"\),')
_CODE = re.compile(r'"\\([0-9a-f]{4})"')
_USED = re.compile(r"\bfa-([a-z0-9-]+)")
_ICONS = re.compile(r'<script src="([^"]*scripts/fontawesome\.js[^"]*)">')
_MATHJAX = re.compile(
    r"<script>window\.MathJax = .*?</script>|<script[^>]*/(?:mathjax/|formulas\.js)[^>]*></script>"
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


def with_rules(css, names):
    """Return the style sheet without the rules of icons that have none of these names.

    Examples
    --------
    >>> sheet = '.fa-up:before{content:"1"}.fa-x:before,.fa-close:before{content:"0"}'
    >>> with_rules(sheet, {"x"})
    '.fa-x:before,.fa-close:before{content:"0"}'
    """

    def kept(m):
        return m[0] if names & set(re.findall(r"\.fa-([a-z0-9-]+)", m[1])) else ""

    return _RULE.sub(kept, css)


def lighten_fonts(static, names):
    """Leave the icons in the fonts that some rule of style still shows."""
    from fontTools import subset

    sheet = static / "styles" / "pydata-sphinx-theme.css"
    css = _WOFF2.sub("", with_rules(sheet.read_text(encoding="utf-8"), names))
    sheet.write_text(css, encoding="utf-8")
    if len(css) > 350_000:
        raise ExtensionError("the theme's rules for icons are written otherwise: see lighter.py.")
    sheets = (file.read_text(encoding="utf-8") for file in static.rglob("*.css"))
    codes = {int(code, 16) for text in sheets for code in _CODE.findall(text)}
    options = subset.Options(layout_features=[])
    for file in (static / "vendor" / "fontawesome" / "webfonts").glob("fa-*"):
        if file.suffix == ".woff2":  # what is left is small as it is
            file.unlink()
            continue
        font = subset.load_font(file, options)
        some = subset.Subsetter(options)
        some.populate(unicodes=codes)
        some.subset(font)
        subset.save_font(font, file, options)


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
    lighten_fonts(out / "_static", names)
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
