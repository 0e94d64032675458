"""Formulas are typeset when they come into view, and all of them in the end."""

import re

import pytest

from .built import HTML, written

pytestmark = [pytest.mark.book, pytest.mark.timeout(600)]
PAGE = HTML / "book" / "smoothing.html"
# Keep a page from having nothing to do, so that only what is in view is typeset.
NEVER_IDLE = "window.requestIdleCallback = () => 0;"
SEEN = "return mgtutorial.formulas && mgtutorial.formulas.inView > 0"
IN_VIEW = """
return [...document.querySelectorAll('.bd-article .math')].filter(e => {
  const b = e.getBoundingClientRect();
  return e.checkVisibility() && b.bottom > 0 && b.top < innerHeight;  // not in a fold
}).map(e => e.querySelector('mjx-container') !== null)
"""
LEFT = "return [...document.querySelectorAll('.math:not(:has(mjx-container))')]"


@pytest.fixture
def busy(browser):
    """The browser, on whose pages no time is left for what nobody looks at."""
    given = browser.cdp("Page.addScriptToEvaluateOnNewDocument", {"source": NEVER_IDLE})
    yield browser
    browser.cdp("Page.removeScriptToEvaluateOnNewDocument", given)


def test_what_is_in_view_comes_first_and_the_rest_when_it_is_scrolled_to(busy):
    busy.size(1280, 4000)  # the first formulas are below the first picture
    busy.driver.get(PAGE.as_uri())
    assert busy.until(SEEN, seconds=20)
    seen = busy.js(IN_VIEW)
    assert seen and all(seen) and len(busy.js(LEFT)) > 300
    last = "const e = [...document.querySelectorAll('.bd-article section > p > .math')].at(-1);"
    typeset = f"{last} return e.querySelector('mjx-container') !== null"
    assert not busy.js(typeset)
    busy.js(f"{last} e.scrollIntoView({{block: 'center', behavior: 'instant'}})")
    assert busy.until(typeset)
    assert len(busy.js(LEFT)) > 200


def test_who_prints_has_all_formulas(busy):
    busy.driver.get(PAGE.as_uri())
    assert busy.until(SEEN, seconds=20) and busy.js(LEFT)
    busy.js("dispatchEvent(new Event('beforeprint'))")
    assert not busy.js(LEFT)


def test_who_waits_has_all_formulas_and_the_page_says_so(browser):
    browser.open(PAGE.as_uri())
    assert not browser.js(LEFT)
    assert browser.js("const f = mgtutorial.formulas; return f.all >= f.inView && f.inView > 0")


def test_a_link_to_an_equation_leads_there_and_stays(browser):
    """What is typeset above it later does not push it out of view."""
    browser.open(PAGE.as_uri())
    anchors = browser.js(
        "return [...document.querySelectorAll('div.math[id^=equation-]')].map(e => e.id)"
    )
    assert len(anchors) > 5
    for anchor in (anchors[0], anchors[len(anchors) // 2], anchors[-1]):
        browser.open(f"{PAGE.as_uri()}#{anchor}")
        top = browser.js(
            "return document.getElementById(arguments[0]).getBoundingClientRect().top", anchor
        )
        assert -20 < top < 600, anchor


def test_only_pages_with_formulas_load_what_typesets_them():
    without = 0
    for page in written():
        text = (HTML / page).read_text(encoding="utf-8")
        loaded = [name in text for name in ('class="math', "/mathjax/", "formulas.js")]
        assert len(set(loaded)) == 1, page
        without += not loaded[0]
    assert without >= 3 and "/mathjax/" not in (HTML / "book/index.html").read_text("utf-8")


def test_fonts_and_style_of_icons_are_cut_down_and_still_know_what_pages_show():
    fonts = list((HTML / "_static/vendor/fontawesome/webfonts").iterdir())
    assert {font.suffix for font in fonts} == {".ttf"} and len(fonts) == 3
    assert sum(font.stat().st_size for font in fonts) < 20_000
    sheet = (HTML / "_static/styles/pydata-sphinx-theme.css").read_text(encoding="utf-8")
    assert ".woff2" not in sheet and sheet.count(".fa-") < 400
    known = set(re.findall(r"\.fa-([a-z0-9-]+)::?before", sheet))
    pages = ((HTML / page).read_text(encoding="utf-8") for page in written())
    kinds = re.compile(r'class="fa(?:-solid|-regular|-brands|[srb]) fa-([a-z0-9-]+)')
    used = {name for page in pages for name in kinds.findall(page)}
    assert used and used <= known, used - known
