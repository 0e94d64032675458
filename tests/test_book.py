"""The built book, as a reader meets it: every page in a browser, from disk and served.

`make check-book` builds the book and runs these. Screenshots of every page, 1280 and
360 pixels wide, light and dark, are left in _build/screenshots for a person to look at.
"""

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from browser import FACTS, OVERFLOW, Browser, missing, served

pytestmark = pytest.mark.book

ROOT = Path(__file__).parents[1]
HTML = ROOT / "_build" / "html"
SCREENSHOTS = ROOT / "_build" / "screenshots"
REDIRECT = "index.html"  # sends the reader to the first page
MADE_BY_SPHINX = {REDIRECT, "genindex.html", "search.html"}


def lacking(reason):
    """Skip, or fail where a browser is required (in CI)."""
    if os.environ.get("MGTUTORIAL_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def join(findings):
    return "\n".join(f"{page}: {finding}" for page, finding in findings)


@pytest.fixture(scope="module")
def files():
    """All pages of the build, as paths below it."""
    if not HTML.is_dir():
        lacking("the book is not built: run `make book` first")
    pages = [f.relative_to(HTML).as_posix() for f in HTML.rglob("*.html")]
    return sorted(p for p in pages if not p.startswith("_static/"))


@pytest.fixture(scope="module")
def pages(files):
    """The pages that were written: without the index and the search page."""
    return [p for p in files if p not in MADE_BY_SPHINX]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    reason, binary, driver = missing()
    if reason:
        lacking(reason)
    browser = Browser(binary, driver, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.driver.quit()


@pytest.fixture(scope="module")
def visits(browser, files):
    """One visit of each page from disk: its facts, its faults, what sticks out at 360 px."""
    SCREENSHOTS.mkdir(exist_ok=True)
    found = {}
    for page in files:
        if page == REDIRECT:
            continue
        browser.size(1280)
        browser.open((HTML / page).as_uri())
        facts = found[page] = browser.js(FACTS)
        name = page.removesuffix(".html").replace("/", "-")
        for width in (1280, 360):
            browser.size(width)
            facts[f"wide at {width}"] = browser.js(OVERFLOW)
            for mode in ("light", "dark"):
                browser.mode(mode)
                browser.picture(SCREENSHOTS / f"{name}-{width}-{mode}.png", width)
        facts["faults"] = browser.log(HTML.as_uri())
    return found


# ----------------------------------------------------------------- what a page loads


def test_pages_load_from_disk_without_faults_or_requests_away(visits):
    findings = [(page, f) for page, facts in visits.items() for f in facts["faults"]]
    assert not findings, join(findings)
    assert visits


def test_pages_load_from_a_server_without_faults_or_requests_away(browser, files):
    findings = []
    with served(HTML) as home:
        for page in files:
            browser.open(home + page)
            findings += [(page, fault) for fault in browser.log(home)]
    assert not findings, join(findings)


@pytest.mark.parametrize("how", ["from disk", "served"])
def test_search_finds_pages_that_are_there(browser, files, how):
    with served(HTML) as home:
        base = home if how == "served" else HTML.as_uri() + "/"
        browser.open(base + "search.html?q=smoothing")
        links = browser.until(
            "const a = [...document.querySelectorAll('#search-results li a')];"
            "return a.length && document.querySelector('.search-summary').textContent"
            ".includes('found') && a.map(e => e.href)"
        )
        assert browser.log(base) == []
    assert links, "no results"
    assert {urldefrag(link.split("?")[0])[0].removeprefix(base) for link in links} <= set(files)


# --------------------------------------------------------------- what a page says

# Markup that a reader should never see. Code, formulas and scripts are left out before.
RAW = {
    "a role": r"\{[\w:+-]+\}`",
    "a directive or fence": r"^\s*(?::::+|```+|\{[\w:-]+\})",
    "a target": r"^\s*\([\w-]+\)=",
    "a link": r"\]\((?!\d)",
    "dollars": r"\$[^$\n]+\$|\$\$",
    "a LaTeX command": r"\\[A-Za-z]{2,}|\\[()\[\]]",
    "a substitution": r"\{\{|\}\}",
    "a table": r"^\s*\|.*\|\s*$",
    "emphasis": r"(?<!\w)\*\*\w|(?<![\w`])__\w",
}


def test_no_markup_is_left_in_the_text(visits, pages):
    findings = []
    for page in pages:
        for what, pattern in RAW.items():
            for match in re.finditer(pattern, visits[page]["text"], re.MULTILINE):
                text = visits[page]["text"][max(0, match.start() - 20) : match.end() + 40]
                findings.append((page, f"{what} in {text!r}"))
    assert not findings, join(findings)


def test_every_formula_is_typeset(visits, pages):
    findings = [(p, f"not typeset: {m}") for p in pages for m in visits[p]["untypeset"]]
    findings += [(p, f"error: {m}") for p in pages for m in visits[p]["faulty"]]
    assert not findings, join(findings)
    assert sum(visits[p]["formulas"] for p in pages) > 0
    # a reader with a keyboard need not step through all of them
    assert sum(visits[p]["tabbed"] for p in pages) == 0


def test_every_image_is_drawn_and_has_alt_text(visits):
    findings = []
    for page, facts in visits.items():
        for image in facts["images"]:
            alt = image["alt"]
            if not image["drawn"]:
                findings.append((page, f"not drawn: {image['tag']}"))
            # Sphinx writes the file's name where the author wrote nothing
            if alt is None or (image["figure"] and (not alt.strip() or alt in image["src"])):
                findings.append((page, f"no alt text: {image['tag']}"))
    assert not findings, join(findings)


def test_headings_are_in_order(visits, pages):
    findings = []
    for page in pages:
        levels = [level for level, _ in visits[page]["headings"]]
        if levels[:1] != [1] or levels.count(1) != 1:
            findings.append((page, f"h1 must come once, and first: {levels}"))
        for (before, _), (level, text) in zip(
            visits[page]["headings"], visits[page]["headings"][1:], strict=False
        ):
            if level > before + 1:
                findings.append((page, f"h{level} after h{before}: {text}"))
    assert not findings, join(findings)


def test_tables_have_headers_and_controls_have_names(visits):
    findings = [(p, tag) for p, f in visits.items() for tag in f["headless"] + f["unnamed"]]
    assert not findings, join(findings)


@pytest.mark.parametrize("width", [1280, 360])
def test_no_page_scrolls_sideways(visits, width):
    findings = [(page, w) for page, facts in visits.items() for w in facts[f"wide at {width}"]]
    assert not findings, join(findings)


# ----------------------------------------------------------------------- the sliders


@pytest.fixture(scope="module")
def sliders(visits):
    return [(page, ident) for page, facts in visits.items() for ident in facts["sliders"]]


def test_every_chapter_has_a_slider(sliders, pages):
    chapters = {page for page in pages if re.fullmatch(r"notebooks/\w+\.html", page)}
    assert chapters and chapters <= {page for page, _ in sliders}


def test_no_page_holds_a_widget_that_needs_a_kernel(pages):
    dead = [p for p in pages if "vnd.jupyter.widget" in (HTML / p).read_text(encoding="utf-8")]
    assert not dead


@pytest.fixture
def each_slider(browser, sliders):
    """Go through the sliders: page, and a function that reads what a slider shows."""

    def go():
        for page, ident in sliders:
            browser.size(1280)
            browser.open((HTML / page).as_uri())

            def shown(ident=ident):
                return browser.js(
                    "const e = document.getElementById(arguments[0]), i = e.querySelector('img');"
                    "return [i.src, i.alt, [...e.querySelectorAll('output')].map(o => o.value),"
                    "i.complete && i.naturalWidth > 0]",
                    ident,
                )

            rows = browser.driver.find_elements("css selector", f"#{ident} .mg-row")
            inputs = [row.find_element("css selector", "input") for row in rows]
            buttons = [row.find_element("css selector", "button") for row in rows]
            yield f"{page}#{ident}", inputs, buttons, shown

    return go


def test_every_slider_moves_its_picture_by_mouse(browser, each_slider):
    for name, inputs, _, shown in each_slider():
        seen = [shown()]
        for element in inputs:
            for x in (0.98, 0.5, 0.02, 0.98):  # the last leaves it where the next may show more
                browser.click(element, x)
                seen.append(shown())
        assert len({src for src, *_ in seen}) > 1, f"{name}: the picture does not move"
        assert len({alt for _, alt, *_ in seen}) > 1, f"{name}: its alt text does not follow"


def test_every_parameter_of_every_slider_moves_the_picture_by_keyboard(browser, each_slider):
    from selenium.webdriver.common.keys import Keys

    for name, inputs, _, shown in each_slider():
        for k, element in enumerate(inputs):
            moved = False
            # where the others are at one end, this one may have nothing to change
            for others in (Keys.HOME, Keys.END):
                for other in inputs[:k] + inputs[k + 1 :]:
                    browser.js("arguments[0].focus()", other)
                    browser.press(others)
                browser.js("arguments[0].focus()", element)
                browser.press(Keys.HOME)
                before = shown()
                browser.press(Keys.ARROW_RIGHT)
                after = shown()
                assert after[2][k] != before[2][k], f"{name}: the key changes no value"
                assert element.get_attribute("aria-valuetext") == after[2][k]
                browser.press(Keys.END)
                moved |= len({before[0], after[0], shown()[0]}) > 1
            assert moved, f"{name}: parameter {k} changes nothing"
            outline = browser.js("return getComputedStyle(document.activeElement).outlineWidth")
            assert float(outline.removesuffix("px")) >= 2, f"{name}: focus is not to be seen"


def test_every_play_button_plays_and_pauses(browser, each_slider):
    for name, _, buttons, shown in each_slider():
        label = buttons[0].get_attribute("aria-label")
        before = shown()
        browser.click(buttons[0])
        moved = browser.until(
            "return arguments[0].value !== arguments[1]",
            buttons[0].find_element("xpath", "..").find_element("css selector", "output"),
            before[2][0],
            seconds=3,
        )
        if len(before[2]) and not moved:
            pytest.fail(f"{name}: the button plays nothing")
        if buttons[0].get_attribute("aria-label").startswith("Pause"):  # not at its end yet
            browser.click(buttons[0])
        assert buttons[0].get_attribute("aria-label") == label


def test_print_shows_one_frame_and_its_values(browser, sliders):
    for page, ident in sliders:
        browser.open((HTML / page).as_uri())
        browser.cdp("Emulation.setEmulatedMedia", {"media": "print"})
        visible = browser.js(
            "const e = document.getElementById(arguments[0]);"
            "return ['img', '.mg-values', '.mg-controls'].map("
            "s => e.querySelector(s).checkVisibility())",
            ident,
        )
        browser.cdp("Emulation.setEmulatedMedia", {"media": ""})
        assert visible == [True, True, False], f"{page}#{ident}"


# -------------------------------------------------------------------------- the links


class Page(HTMLParser):
    """The ids and the links of a page."""

    def __init__(self, file):
        super().__init__()
        self.ids, self.links, self.twice = set(), [], []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if "id" in attrs:
            (self.twice.append if attrs["id"] in self.ids else self.ids.add)(attrs["id"])
        for name in ("href", "src"):
            if attrs.get(name):
                self.links.append(attrs[name])


def test_every_internal_link_and_anchor_resolves(files, pages):
    parsed = {page: Page(HTML / page) for page in files}
    findings, checked = [], 0
    for page, found in parsed.items():
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link.startswith("data:"):
                continue
            checked += 1
            path = ((HTML / page).parent / unquote(parts.path)).resolve() if parts.path else None
            target = page if path is None else os.path.relpath(path, HTML)
            if path is not None and not path.is_file():
                findings.append((page, f"no such file: {link}"))
            elif parts.fragment and unquote(parts.fragment) not in parsed[target].ids | {"top"}:
                findings.append((page, f"no such anchor: {link}"))
    findings += [(page, f"id twice: {i}") for page in pages for i in parsed[page].twice]
    assert not findings, join(findings)
    assert checked > 0
