"""What others see of the book: a title, a sentence and a picture when somebody shares a page.

- The address of the pages follows from that of the repository (``_config.yml``).
- Each page has Open Graph metadata; the picture is drawn by the book's own code.
- ``404.html`` finds the root of the book from any depth, without a request.

Two extensions do nearly this. sphinxext-opengraph 0.13 leaves TeX in the sentence that it takes
from a page (``A quote:\\alpha_1 \\le 2``), and takes the first words, not a page's question.
sphinx-notfound-page 1.1 writes one fixed prefix before every address of ``404.html``, which leads
nowhere where the book is read from disk or under another address.
"""

import json
import re
import runpy
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from docutils import nodes
from sphinx.util import logging

_DRAWS = Path(__file__).parents[1] / "figures" / "card.py"
_CARD = "_static/card.png"
_CARD_ALT = (
    "An error on its way down three grids: rough at first, at the end only two smooth hills."
)

# Self-contained: it may be shown at any address, where no relative link would lead home.
_NOT_FOUND = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>No such page · {title}</title>
<link rel="icon" href="{icon}">
<style>
:root{{color-scheme:light dark}}
body{{margin:12vh auto 3rem;max-width:34rem;padding:0 1.25rem;font:1.1rem/1.6 sans-serif}}
a{{color:#0b5a8a}}a:focus-visible{{outline:3px solid;outline-offset:2px}}
@media(prefers-color-scheme:dark){{a{{color:#7cc0ee}}}}
</style>
</head>
<body>
<main>
<h1>There is no such page</h1>
<p>File names in this book are kept, so perhaps the address has a slip of the pen.
The page may also be newer, or older, than what is served here.</p>
<p><a data-to="{first}" href="{base}{first}">{title}: the first page</a></p>
<p><a data-to="search.html" href="{base}search.html">Search the book</a></p>
</main>
<script>
(function(){{
var path=location.pathname,base={base_json};
var inside=/^(.*?\\/)(?:{folders})\\//.exec(path);
var root=inside?inside[1]:path.indexOf(base)===0?base:"/";
// two slashes at its beginning would be the name of another server
root=root.replace(/^[\\/\\\\]+/,"/");
var word="";
try{{word=decodeURIComponent(path.slice(root.length)).split("/").pop();}}
catch(error){{}}  // a percent sign that stands for nothing
word=word.replace(/\\.\\w+$/,"").replace(/[^\\p{{L}}\\p{{N}}]+/gu," ").trim();
document.querySelectorAll("a[data-to]").forEach(function(a){{
a.href=root+a.dataset.to;
if(word&&a.dataset.to==="search.html"){{a.href+="?q="+encodeURIComponent(word);
a.textContent="Search the book for “"+word+"”"}}}});
}})();
</script>
</body>
</html>
"""


def set_address(app, config):
    """Derive the address of the pages from the repository's, unless one is set."""
    options = config.html_theme_options
    if not config.html_baseurl and options.get("repository_url"):
        _, _, owner, name = options["repository_url"].rstrip("/").rsplit("/", 3)
        config.html_baseurl = f"https://{owner}.github.io/{name}/"


def add_metadata(app, page, template, context, doctree):
    """Say in the head of a page what a link to it should look like."""
    title = re.sub(r"<[^>]*>", "", context.get("title") or "") or app.config.project
    properties = {
        "og:type": "website" if page == app.config.root_doc else "article",
        "og:site_name": app.config.html_title,
        "og:title": title,
        "og:description": summary(doctree) or app.config.html_title,
        "og:url": context.get("pageurl"),
        "og:image": app.config.html_baseurl + _CARD if app.config.html_baseurl else None,
        "og:image:width": "1200",
        "og:image:height": "630",
        "og:image:alt": _CARD_ALT,
    }
    tags = [
        f'<meta property="{name}" content="{escape(_unescaped(value))}">'
        for name, value in properties.items()
        if value
    ]
    tags.append('<meta name="twitter:card" content="summary_large_image">')
    tags.append(f'<meta name="description" content="{escape(properties["og:description"])}">')
    context["metatags"] = context.get("metatags", "") + "\n".join(tags)


def _unescaped(text):
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text


def summary(doctree, length=200):
    """The first paragraph of a page as plain text, cut at a word.

    A page's question, its first block quote, says best what it is about.
    """
    if doctree is None:
        return ""
    for kind in (nodes.block_quote, nodes.paragraph):
        for node in doctree.findall(kind):
            node = node.deepcopy()
            for formula in [*node.findall(nodes.math), *node.findall(nodes.math_block)]:
                formula.parent.replace(formula, nodes.Text(_plain(formula.astext())))
            text = " ".join(node.astext().split())
            if len(text) > length:
                text = text[:length].rsplit(" ", 1)[0].rstrip(",;:") + " …"
            if text:
                return text
    return ""


def _plain(formula):
    """TeX as one would say it in a sentence without formulas."""
    return re.sub(r"\s+", " ", re.sub(r"\\(?:[a-zA-Z]+|.)|[{}$]", " ", formula)).strip()


def write_files(app, exception):
    """Draw the card and write the page for addresses that lead nowhere."""
    if exception or app.builder.name != "html":
        return
    out = Path(app.outdir)
    logging.getLogger(__name__).info("drawing the social card")
    runpy.run_path(str(_DRAWS))["write"](out / _CARD)
    folders = {name.split("/")[0] for name in app.env.found_docs if "/" in name}
    icon = (out / "_static" / Path(app.config.html_favicon).name).read_text(encoding="utf-8")
    page = not_found(app.config, folders, icon)
    (out / "404.html").write_text(page, encoding="utf-8")


def not_found(config, folders, icon):
    """The page for addresses that lead nowhere; `folders` are those at the root of the book."""
    base = urlsplit(config.html_baseurl).path or "/"
    return _NOT_FOUND.format(
        language=config.language,
        title=escape(config.html_title),
        icon="data:image/svg+xml," + escape(icon.replace("#", "%23").replace("\n", "")),
        base=escape(base),
        base_json=json.dumps(base),
        first=f"{config.root_doc}.html",
        folders="|".join(map(re.escape, [*sorted(folders), "_static", "_images", "_sources"])),
    )


def setup(app):
    app.connect("config-inited", set_address)
    app.connect("html-page-context", add_metadata)
    app.connect("build-finished", write_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
