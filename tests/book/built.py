"""The built book, for the tests that look at it."""

import os
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


class Figures(HTMLParser):
    """Figures of a page: anchor, caption with its links; and pictures without any."""

    def __init__(self, page):
        super().__init__()
        self.numbered, self.taken, self.lonely, self.open = [], [], [], []
        self.feed((HTML / page).read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        kind = attrs.get("class") or ""
        if tag == "div" or (tag == "figure" and "mg-slider" not in kind):
            found = None
            if tag == "figure":
                found = {"id": attrs.get("id"), "text": "", "links": []}
                self.numbered.append(found)
            elif "mg-taken" in kind.split():
                found = {"text": "", "links": []}
                self.taken.append(found)
            self.open.append((tag, found))
        inside = [found for _, found in self.open if found is not None]
        if tag == "img" and "mg-figure" in kind and not inside:
            self.lonely.append(attrs["alt"])
        if tag == "a" and inside:
            inside[-1]["links"].append(attrs.get("href", ""))

    def handle_endtag(self, tag):
        if self.open and tag == self.open[-1][0]:
            self.open.pop()

    def handle_data(self, data):
        for _, found in self.open:
            if found is not None:
                found["text"] += data
