"""Seeing where one reads: figures, statements and words on the built pages, and folded code."""

import re
from urllib.parse import urldefrag

import pytest

from .built import HTML, Figures, join, written

pytestmark = [pytest.mark.book, pytest.mark.timeout(1800)]
LEAST = 4  # figures of a chapter
FIRST = 900  # pixels from the top of a notebook's page within which its first picture begins


def chapters():
    """The names of the chapters: pages of prose with a notebook of the same name."""
    pages = set(written())
    names = [p[5:-5] for p in pages if p.startswith("book/")]
    return sorted(n for n in names if f"notebooks/{n}.html" in pages and n != "performance")


def test_every_chapter_has_its_figures():
    counts = {name: len(Figures(f"book/{name}.html").numbered) for name in chapters()}
    assert counts and not {n: c for n, c in counts.items() if c < LEAST}


def test_every_picture_has_a_number_and_a_caption():
    findings, numbers = [], {}
    for page in written():
        found = Figures(page)
        findings += [(page, f"without a caption: {alt[:60]}") for alt in found.lonely]
        for figure in found.numbered:
            number = re.search(r"Fig\. [\d.]+", figure["text"])
            if not figure["id"] or not number or len(figure["text"].split()) < 5:
                findings.append((page, f"no number or no words: {figure['text'][:60]!r}"))
            elif numbers.setdefault(number[0], (page, figure["id"])) != (page, figure["id"]):
                findings.append((page, f"{number[0]} is on {numbers[number[0]]}, too"))
    assert not findings, join(findings)


def test_chapter_and_notebook_lead_to_each_others_figures():
    findings = []
    for name in chapters():
        chapter, notebook = Figures(f"book/{name}.html"), Figures(f"notebooks/{name}.html")
        there = [x for f in chapter.numbered for x in f["links"] if f"notebooks/{name}" in x]
        back = {urldefrag(f["links"][0])[1] for f in notebook.taken}
        ids = (HTML / "notebooks" / f"{name}.html").read_text(encoding="utf-8")
        findings += [(name, x) for x in there if f'id="{urldefrag(x)[1]}"' not in ids]
        if len(there) != len(notebook.taken) or not back <= {f["id"] for f in chapter.numbered}:
            findings.append((name, f"{len(there)} there, {len(notebook.taken)} back"))
        if not there:
            findings.append((name, "takes no figure from its notebook"))
    assert not findings, join(findings)


def test_statements_are_boxes_with_an_address():
    boxes, links, bold = 0, 0, []
    kinds = "Proposition|Lemma|Theorem|Corollary"
    for page in written():
        html = (HTML / page).read_text(encoding="utf-8")
        boxes += len(re.findall(r'<div class="mg-statement docutils container" id="', html))
        links += len(re.findall(rf'href="[^"]*#(?:{kinds.lower()})-\d+"', html))
        # a paragraph that begins like one, and is none
        for found in re.finditer(rf"(.{{60}})<p><strong>(?:{kinds}) \d+", html, re.DOTALL):
            if "mg-statement" not in found[1]:
                bold.append((page, found[0][-40:]))
    assert not bold, join(bold)
    assert boxes > 50 and links > 40


def test_words_of_the_glossary_are_links_once_a_page():
    for name in chapters():
        html = (HTML / "book" / f"{name}.html").read_text(encoding="utf-8")
        terms = re.findall(r'<a class="mg-term[^"]*" href="glossary.html#([^"]*)"', html)
        assert terms and len(terms) == len(set(terms)), name


def test_no_code_scrolls_and_the_first_picture_is_near_the_top(visits):
    findings, cells = [], 0
    for page, facts in visits.items():
        if page.startswith("notebooks/"):
            cells += facts["cells"]
            lines = (max(text.split("\n"), key=len) for text in facts["wide code"])
            findings += [(page, f"scrolls: {line}") for line in lines]
            top = facts["first picture"]
            if page[10:-5] in chapters() and not (top is not None and top < FIRST):
                findings.append((page, f"first picture at {top}"))
    assert not findings, join(findings)
    assert cells > 300


def test_in_print_no_table_and_no_figure_leaves_the_paper(visits):
    findings = []
    for page, facts in visits.items():
        wide = facts["leaves the paper"]
        findings += [(page, f"{len(wide)} leave it: {wide[0]}")] if wide else []
    assert not findings, join(findings)


def test_on_a_phone_the_caption_of_a_table_is_read_without_scrolling(visits):
    ends = [(page, *end) for page, facts in visits.items() for end in facts["captions"]]
    cut = [(page, f"{text}: {right}") for page, text, right in ends if right > 360]
    assert not cut, join(cut)
    assert len(ends) > 20


def test_on_a_phone_the_track_of_a_slider_has_the_width_of_the_text(visits):
    tracks = [(page, *track) for page, facts in visits.items() for track in facts["tracks"]]
    short = [(page, f"{a} of {b}") for page, a, b in tracks if a < 0.95 * b or a < 250]
    assert not short, join(short)
    assert len(tracks) > 60


def test_a_proof_is_folded_until_a_reader_a_link_or_a_printer_opens_it(browser):
    page = next(p for p in written() if 'class="mg-proof"' in (HTML / p).read_text("utf-8"))
    browser.open((HTML / page).as_uri())
    state = "return [...document.querySelectorAll('details.mg-proof')].map(d => d.open)"
    summary = browser.driver.find_element("css selector", "details.mg-proof > summary")
    assert not any(browser.js(state)) and summary.text.startswith("Proof of ")
    browser.js("document.querySelector('details.mg-proof > summary').focus()")
    browser.press(" ")
    assert browser.js(state)[0]
    browser.js("dispatchEvent(new Event('beforeprint'))")
    assert all(browser.js(state))
    browser.js("dispatchEvent(new Event('afterprint'))")
    assert sum(browser.js(state)) == 1
    inside = browser.js(
        "const e = document.querySelectorAll('details.mg-proof')[1].querySelector('p');"
        "e.id = 'inside'; location.hash = '#inside'; return true"
    )
    assert inside and browser.until(f"return ({state.removeprefix('return ')})[1]")
