"""The built book, as a reader meets it: every page in a browser, from disk and served.

`make check-book` builds the book and runs these. What was counted and measured is left in
_build/check-book.json; with ARGS=--screenshots also pictures of each visited page, 1280 and 360
pixels wide, light and dark, in _build/screenshots for a person to look at.
"""

import json
import re
from io import BytesIO
from urllib.parse import urldefrag

import pytest
from PIL import Image

from mgtutorial.figures import dark
from tools.browser import served

from .built import HTML, ROOT, Page, files, join, lacking, written

# The first test waits for the visits of all pages.
pytestmark = [pytest.mark.book, pytest.mark.timeout(1800)]

# From disk, until the page is loaded and its sliders move; its formulas may come a little later.
SECONDS = 2
MEGABYTES = 40
SLIDER_BYTES = 1_500_000


# ----------------------------------------------------------------- what a page loads


def test_pages_load_from_disk_without_faults_or_requests_away(visits):
    findings = [(page, f) for page, facts in visits.items() for f in facts["faults"]]
    assert not findings, join(findings)
    assert visits


def test_pages_load_from_a_server_without_faults_or_requests_away(visits):
    findings = [(page, f) for page, facts in visits.items() for f in facts["served faults"]]
    assert not findings, join(findings)


def test_every_page_is_there_in_two_seconds(browser, visits):
    """From disk; what was slow beside others gets more tries."""
    slow = []
    for page, facts in visits.items():
        for _ in range(4):
            if facts["loaded"] < SECONDS:
                break
            loaded, ready = browser.open((HTML / page).as_uri())
            facts["loaded"] = min(loaded, facts["loaded"])
            facts["ready"] = min(ready, facts["ready"])
        if facts["loaded"] >= SECONDS:
            slow.append((page, f"{facts['loaded']:.1f} s"))
    assert not slow, join(slow)


def test_build_is_small():
    size = sum(f.stat().st_size for f in HTML.rglob("*") if f.is_file()) / 1e6
    assert size < MEGABYTES, f"{size:.1f} MB"


@pytest.mark.parametrize("how", ["from disk", "served"])
def test_words_typed_into_the_search_field_find_a_page(browser, how):
    from selenium.webdriver.common.keys import Keys

    with served(HTML) as home:
        base = home if how == "served" else HTML.as_uri() + "/"
        browser.open(f"{base}book/index.html")
        browser.js("document.querySelector('.search-button__button').click()")
        browser.until("return document.activeElement.matches('input[type=search]')")
        browser.press("smoothing factor", Keys.ENTER)
        links = browser.until(
            "const a = [...document.querySelectorAll('#search-results li a')];"
            "const told = document.querySelector('.search-summary');"
            "return a.length && told && told.textContent.includes('found') && a.map(e => e.href)"
        )
        assert links, "no results"
        found = {urldefrag(link.split("?")[0])[0].removeprefix(base) for link in links}
        assert found <= set(files()) and "book/smoothing.html" in found
        if how == "served":  # a page from disk may not fetch what it would quote from
            quoted = browser.until(
                "const p = [...document.querySelectorAll('#search-results p.context')];"
                "return p.length && p.map(e => e.textContent)"
            )
            assert not [text for text in quoted if "\\(" in text or "\\[" in text]
        result = browser.driver.find_element("css selector", "#search-results li a")
        browser.click(result, 0.1)
        assert browser.until("return /factor/.test(document.querySelector('article').textContent)")
        assert browser.log(base) == []


@pytest.mark.parametrize("place", ["no.html", "book/no.html", "notebooks/a/b/no.html", "a/b/c/"])
@pytest.mark.parametrize("prefix", ["/", "/mgtutorial/"])
def test_page_for_what_is_not_there_leads_home_from_any_depth(browser, prefix, place):
    with served(HTML, prefix) as home:
        browser.open(home + place)
        links = browser.js("return [...document.links].map(a => a.href)")
        assert [link.split("?")[0] for link in links] == [
            f"{home}{name}" for name in ("book/index.html", "search.html")
        ]
        # the browser reports the page itself, which is not there, and nothing else
        faults = [fault for fault in browser.log(home) if place not in fault]
        assert faults == []


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


def test_no_markup_is_left_in_the_text(visits):
    findings = []
    for page in visits.keys() & written():
        shown = visits[page]["text"]
        for what, pattern in RAW.items():
            for match in re.finditer(pattern, shown, re.MULTILINE):
                text = shown[max(0, match.start() - 20) : match.end() + 40]
                findings.append((page, f"{what} in {text!r}"))
    assert not findings, join(findings)


def test_every_formula_is_typeset(visits):
    findings = [(p, f"not typeset: {m}") for p, f in visits.items() for m in f["untypeset"]]
    findings += [(p, f"error: {m}") for p, f in visits.items() for m in f["faulty"]]
    assert not findings, join(findings)
    assert sum(facts["formulas"] for facts in visits.values()) > 0
    # a reader with a keyboard need not step through all of them
    assert sum(facts["idle"] for facts in visits.values()) == 0


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


@pytest.mark.parametrize("page", ["book/mgnet.html", "notebooks/fas.html"])
def test_figures_have_the_ground_of_the_page_and_that_of_paper_in_print(browser, page):
    """A file, and a figure that a cell drew; a reader of dark pages prints light ones."""
    browser.size(1280)
    browser.open((HTML / page).as_uri())
    for what, ground in (
        ("light", "#ffffff"),
        ("dark", dark.GROUND),
        ("beforeprint", "#ffffff"),
        ("afterprint", dark.GROUND),
    ):
        if what.endswith("print"):
            browser.js("dispatchEvent(new Event(arguments[0]))", what)
        else:
            browser.mode(what)
        x, y = browser.js(
            "const figure = document.querySelector('article :is(figure, .cell_output) img');"
            "figure.scrollIntoView({block: 'center', behavior: 'instant'});"
            "const box = figure.getBoundingClientRect(); return [box.x + box.width / 2, box.y + 7]"
        )
        shot = Image.open(BytesIO(browser.driver.get_screenshot_as_png())).convert("RGB")
        found = "#{:02x}{:02x}{:02x}".format(*shot.getpixel((round(x), round(y))))
        assert found == ground, what


def test_headings_are_in_order(visits):
    findings = []
    for page, facts in visits.items():
        levels = [level for level, _ in facts["headings"]]
        if levels[:1] != [1] or levels.count(1) != 1:
            findings.append((page, f"h1 must come once, and first: {levels}"))
        for (before, _), (level, text) in zip(
            facts["headings"], facts["headings"][1:], strict=False
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


def test_axe_finds_no_serious_violation(visits, checker):
    if checker[0] is None:
        lacking(checker[1])
    # of a hundred pages with the same fault of the theme, one says enough
    findings = {}
    for page, facts in visits.items():
        for impact, rule, target, says, html, where in facts["axe"]:
            if impact in ("serious", "critical"):
                findings.setdefault((rule, target), (page, f"{rule} ({where}): {says}: {html}"))
    assert not findings, join(findings.values())


@pytest.mark.parametrize("page", ["book/index", "book/smoothing", "notebooks/smoothing"])
def test_tab_key_goes_through_the_page_and_shows_where_it_is(browser, page):
    from selenium.webdriver.common.keys import Keys

    browser.open((HTML / f"{page}.html").as_uri())
    browser.js("window.stops = []")
    for _ in range(600):
        browser.press(Keys.TAB)
        again, hidden = browser.js(
            "const e = document.activeElement;"
            "if (e === document.body || stops.includes(e)) return [true, ''];"
            "stops.push(e);"
            # the ring may be drawn around a part of what is focused, or around its card
            "const parts = [e, ...e.querySelectorAll('*'), e.closest('.sd-card') || e];"
            "const ring = getComputedStyle(e).boxShadow !== 'none' || parts.some(x => {"
            " const s = getComputedStyle(x);"
            " return parseFloat(s.outlineWidth) >= 1 && s.outlineStyle !== 'none'});"
            "return [false, ring ? '' : e.outerHTML.slice(0, 150)]"
        )
        assert not hidden, f"the focus is not to be seen on {hidden}"
        if again:
            break
    missed = browser.js(
        "return [...document.querySelectorAll('.bd-article :is(a[href], button, input, summary)')]"
        ".filter(e => e.checkVisibility({visibilityProperty: true}) && e.tabIndex >= 0"
        " && !stops.includes(e)).map(e => e.outerHTML.slice(0, 150))"
    )
    assert not missed, "the Tab key does not come to\n" + "\n".join(missed)


# ----------------------------------------------------------------------- the sliders


def test_every_slider_moves_by_mouse_keyboard_and_button_and_prints_one_frame(visits):
    findings = [(page, f) for page, facts in visits.items() for f in facts["slider faults"]]
    assert not findings, join(findings)


def test_sliders_are_light(visits):
    sizes = [(page, *slider) for page, facts in visits.items() for slider in facts["sliders"]]
    heavy = [(page, f"{ident}: {n} bytes") for page, ident, n in sizes if n > SLIDER_BYTES]
    assert not heavy, join(heavy)


def test_every_chapter_has_a_slider(visits):
    # a chapter is a page of prose and a notebook of the same name
    pages = set(written())
    chapters = {page for page in pages if page.replace("notebooks/", "book/") in pages - {page}}
    assert chapters and chapters <= {page for page, facts in visits.items() if facts["sliders"]}


def test_no_page_holds_a_widget_that_needs_a_kernel():
    dead = [p for p in written() if "vnd.jupyter.widget" in Page(HTML / p).text]
    assert not dead


# ----------------------------------------------------------------- what was measured


def test_what_was_measured_is_written_down(visits):
    """Not a check: the numbers that a note or a changelog may quote."""
    pages = [Page(HTML / page) for page in visits]
    told = {
        "pages visited": len(visits),
        "figures": sum(image["figure"] for f in visits.values() for image in f["images"]),
        "sliders": sum(len(f["sliders"]) for f in visits.values()),
        "formulas": sum(f["formulas"] for f in visits.values()),
        "links": sum(len(page.links) for page in pages),
        "internal links": sum(":" not in link for page in pages for link in page.links),
        "largest slider, kB": max(n for f in visits.values() for _, n in f["sliders"]) // 1000,
        "build, MB": round(sum(f.stat().st_size for f in HTML.rglob("*") if f.is_file()) / 1e6, 1),
        "slowest page loaded, s": round(max(f["loaded"] for f in visits.values()), 2),
        "slowest page typeset, s": round(max(f["ready"] for f in visits.values()), 2),
        "axe": sorted({f"{a[0]} {a[1]}" for f in visits.values() for a in f["axe"]}),
    }
    file = ROOT / "_build" / "check-book.json"
    file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
