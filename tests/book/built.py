"""The built book, for the tests that look at it."""

import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"
SCREENSHOTS = ROOT / "_build" / "screenshots"
REDIRECT, NOT_FOUND = "index.html", "404.html"
NOT_WRITTEN = {REDIRECT, NOT_FOUND, "genindex.html", "search.html"}


def lacking(reason):
    """Skip, or fail where a browser is required (in CI)."""
    if os.environ.get("MGTUTORIAL_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def files():
    """All pages of the build, as paths below it."""
    if not HTML.is_dir():
        lacking("the book is not built: run `make book` first")
    pages = [f.relative_to(HTML).as_posix() for f in HTML.rglob("*.html")]
    return sorted(p for p in pages if not p.startswith("_static/"))


def written():
    """The pages that were written: without the index and the search page."""
    return [page for page in files() if page not in NOT_WRITTEN]


def join(findings):
    """Findings, pairs of a page and a fault, one a line."""
    return "\n".join(f"{page}: {finding}" for page, finding in findings)


class Page(HTMLParser):
    """The ids, the links and the named metadata of a page."""

    def __init__(self, file):
        super().__init__()
        self.ids, self.links, self.twice, self.meta = set(), [], [], {}
        self.text = file.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if "id" in attrs:
            (self.twice.append if attrs["id"] in self.ids else self.ids.add)(attrs["id"])
        if tag == "meta":
            self.meta[attrs.get("property") or attrs.get("name")] = attrs.get("content")
        for name in ("href", "src"):
            if attrs.get(name):
                self.links.append(attrs[name])

    def sliders(self):
        return re.findall(r'<figure class="mg-slider" id="([^"]*)"', self.text)
