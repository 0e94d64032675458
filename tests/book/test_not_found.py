"""The page for addresses that lead nowhere, opened at addresses that somebody else has made."""

import importlib.util
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from tools.browser import served

from .built import ROOT


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A folder with nothing in it but that page."""
    spec = importlib.util.spec_from_file_location("sharing", ROOT / "book/_ext/sharing.py")
    sharing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sharing)
    config = SimpleNamespace(
        html_baseurl="https://somebody.example/", html_title="A book", language="en",
        root_doc="book/index",
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("site")
    text = sharing.not_found(config, {"book", "notebooks"}, "<svg></svg>")
    (folder / "404.html").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "address",
    [
        "/elsewhere.example/book/x",  # with the slash before it: the name of another server
        "//elsewhere.example/notebooks/x",
        "\\elsewhere.example/book/x",
        "/\\elsewhere.example\\book\\x",
        "/user@elsewhere.example:81/_static/x",
        "javascript:alert(1)/book/x",
        "%E0%A4%A",  # half a character
        "book/%E0%A4%A",
        "a%2F%2Felsewhere.example/book/%",
        "book/<img src=x onerror=alert(1)>",
        "book/x?q=//elsewhere.example#//elsewhere.example",
    ],
)
def test_links_stay_on_this_server_whatever_the_address(browser, page, address):
    with served(page) as home:
        browser.open(home + address)
        links = browser.js("return [...document.links].map(a => a.href)")
        assert len(links) == 2
        for link, name in zip(links, ("book/index.html", "search.html"), strict=True):
            assert urlsplit(link).netloc == urlsplit(home).netloc, link
            assert urlsplit(link).path.endswith(f"/{name}"), link
        assert browser.js("return document.querySelectorAll('img').length") == 0
        # the page itself is not there; its script ran to its end
        faults = [f for f in browser.log(home) if not f.startswith("404: ")]
        assert [f for f in faults if "Failed to load resource" not in f] == []
