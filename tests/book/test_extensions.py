"""The book's own Sphinx extensions and drawings: what they make of small pages."""

import doctest
import importlib.util
import re
import shutil
import sys
import xml.etree.ElementTree as ET
from html import unescape

import pytest
import yaml

from . import small_books
from .built import ROOT


@pytest.fixture
def load(monkeypatch):
    """Return a function that imports a file of the book, which is not on the path."""

    def loaded(name):
        title = f"loaded_{name.replace('/', '_')}"
        spec = importlib.util.spec_from_file_location(title, ROOT / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, title, module)  # where dataclasses look it up
        # as Sphinx does, for what an extension has from another
        monkeypatch.setattr(sys, "path", [*sys.path, str((ROOT / name).parent)])
        spec.loader.exec_module(module)
        return module

    return loaded


@pytest.mark.parametrize(
    "name",
    [
        "book/_ext/accessible",
        "book/_ext/first_use",
        "book/_ext/from_notebook",
        "book/_ext/in_the_code",
        "book/_ext/lighter",
        "book/_ext/openers",
        "book/_ext/protocols",
        "book/_ext/inventory",
        "book/_ext/words",
        "tools/print_book",
        "book/figures/map",
    ],
)
def test_examples_in_the_docstrings_run(load, name):
    found = doctest.testmod(load(name))
    assert found.attempted and not found.failed


# ------------------------------------------------------------------------------ the map


def book_of(tmp_path, needs):
    """A book whose chapters need those named; the first two are one part, the rest another."""
    (tmp_path / "book").mkdir(exist_ok=True)
    for name, wanted in needs.items():
        links = " and ".join(f"[{w}]({w}.md#part)" for w in wanted)
        text = f"(label)=\n# Chapter {name} & co\n\n**What you need.** Courage; {links}.\n"
        text += "\nMore on [this](later.md)."
        (tmp_path / f"book/{name}.md").write_text(text)
    (tmp_path / "book/alone.md").write_text("# A page without a notebook")
    entries = [{"file": f"book/{n}", "sections": [{"file": f"notebooks/{n}"}]} for n in needs]
    rest = [*entries[2:], {"file": "notebooks/n"}, {"file": "book/alone"}]
    parts = [
        {"caption": "First", "numbered": 1, "chapters": entries[:2]},
        {"caption": "Second", "numbered": 1, "chapters": rest},
        {"caption": "Back matter", "chapters": [{"file": "book/glossary"}]},
    ]
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump({"root": "book/index", "parts": parts}))
    return tmp_path


def test_map_has_the_chapters_and_needs_of_the_pages(load, tmp_path):
    needs = {"a": [], "b": ["a"], "c": ["a", "b"], "d": ["c", "gone"], "e": ["a"]}
    captions, chapters = load("book/figures/map").read(book_of(tmp_path, needs))
    assert captions == ["First", "Second"]
    assert {name: c.needs for name, c in chapters.items()} == {**needs, "d": ["c"]}
    assert [c.part for c in chapters.values()] == [0, 0, 1, 1, 1]
    assert chapters["a"].title == "Chapter a & co"


def test_map_is_drawn_without_overlap_and_downwards(load, tmp_path):
    needs = {"a": [], "b": ["a"], "c": ["b"], "d": ["c", "a"], "e": ["a"], "f": ["e", "d"]}
    drawing = load("book/figures/map")
    captions, chapters = drawing.read(book_of(tmp_path, needs))
    svg = ET.fromstring(drawing.draw(captions, chapters, address=lambda name: f"{name}.html"))
    name = "{http://www.w3.org/2000/svg}"
    boxes = {
        link.get("href")[0]: tuple(float(link.find(f"{name}rect").get(k)) for k in ("x", "y"))
        for link in svg.iter(f"{name}a")
    }
    assert boxes.keys() == needs.keys()
    width, height = drawing._WIDTH, drawing._HEIGHT
    for one, (x, y) in boxes.items():
        assert 0 <= x <= float(svg.get("width")) - width
        for other, (u, v) in boxes.items():
            assert one == other or abs(x - u) >= width or abs(y - v) >= height
        assert all(boxes[need][1] < y for need in needs[one])
    # every arrow ends at the head of the box that needs, "d" needs "a" only by way of others
    ends = [p.get("d").split()[-2:] for p in svg.iter(f"{name}path") if p.get("marker-end")]
    heads = {(f"{x + width / 2:g}", f"{y:g}") for x, y in boxes.values()}
    assert len(ends) == 6 and {tuple(end) for end in ends} <= heads


def test_circle_of_needs_is_named(load, tmp_path):
    drawing = load("book/figures/map")
    _, chapters = drawing.read(book_of(tmp_path, {"a": ["c"], "b": ["a"], "c": ["b"]}))
    with pytest.raises(ValueError, match="in a circle: a, b, c"):
        drawing.layers({name: chapter.needs for name, chapter in chapters.items()})


def test_map_of_this_book_has_no_chapter_that_nothing_leads_to(load):
    """A chapter without the paragraph "What you need" would stand apart."""
    _, chapters = load("book/figures/map").read()
    alone = [c.name for c in chapters.values() if not c.needs]
    assert alone == ["smoothing"]


# ------------------------------------------------------------------- the words of a page


def test_summary_is_the_question_of_a_chapter_in_plain_words(load):
    docutils = pytest.importorskip("docutils.core")
    pytest.importorskip("sphinx")
    text = "Title\n=====\n\nA paragraph.\n\n    What does :math:`\\rho(E) < 1` say?\n\nMore."
    say = load("book/_ext/sharing").summary
    assert say(docutils.publish_doctree(text)) == "What does (E) < 1 say?"
    assert say(docutils.publish_doctree("Only a paragraph.")) == "Only a paragraph."
    long = say(docutils.publish_doctree("many words " * 60))
    assert len(long) <= 202 and long.endswith(" words …")
    assert say(None) == ""


def test_entry_of_the_index_of_figures_is_a_sentence_that_says_something(load):
    pytest.importorskip("sphinx")
    end = load("book/_ext/from_notebook").sentence_end
    words = "Left. The error before any sweep, at 0.5 of its size. The rest is more."
    assert words[: end(words)] == "Left. The error before any sweep, at 0.5 of its size."
    assert end("No stop at all") == len("No stop at all")


def test_mended_page_stays_as_it_is(load):
    mend = load("book/_ext/accessible").mend
    page = (
        '<a class="reference internal" href="a.html">1. <em>A</em> "b"</a><details><summary>'
        '<button class="btn search-button-field x" title="Search" aria-label="Search" data-x>'
        '<button class="theme-switch-button" aria-label="Color mode" data-x>'
        '<span class="math notranslate nohighlight">\\(A\\)</span>, and'
    )
    once = mend(page)
    assert '<summary aria-label="Sections of 1. A &quot;b&quot;">' in once
    assert 'title="Search" data-x' in once and 'aria-label="Colours of the page: Light' in once
    assert '<span class="mg-together"><span class="math' in once and "</span>,</span> and" in once
    assert mend(once) == once


# ------------------------------------------------------------------------- the inventory


def test_inventory_shows_every_entry_once_and_counts_them_by_state(load):
    made = load("book/_ext/inventory")
    entries = made.read(ROOT / made.FILE)
    lines = made.markdown(entries, "https://x.org/blob/main").split("\n")
    shown = [made.row(entry, "https://x.org/blob/main") for entry in entries]
    assert sorted(shown) == sorted(line for line in lines if line in set(shown))
    assert all(len(re.split(r"(?<!\\)\|", line)) == 6 for line in shown), "a cell broken in two"
    together = next(line for line in lines if line.startswith("| **together**"))
    counts = [sum(e["state"] == state for e in entries) for state in made.STATES]
    assert together == f"| **together** | {' | '.join(map(str, [*counts, len(entries)]))} |"
    assert {entry["paper"] for entry in entries} == made.PAPERS.keys()


def test_inventory_shows_an_entry_as_it_is_written(load):
    entry = {
        "paper": "mgic", "place": "Eq. 3.5", "what": "s_g < 4 | dense", "state": "partly",
        "where": "book/mgic.md#eq-mgic-up; results/published/x.csv", "reason": "Only `s_g` is.",
    }  # fmt: skip
    made = load("book/_ext/inventory")
    assert made.row(entry) == (
        r"| Eq. 3.5 | s\_g \< 4 \| dense | {eq}`eq-mgic-up`, `x.csv` | **partly**: Only `s_g` is. |"
    )
    text = made.markdown([entry])
    assert "| MGIC {cite}`eliasof2023mgic` | 0 | 1 | 0 | 1 |" in text
    assert "::::{dropdown} MGIC: 0 made, 1 partly, 0 not made" in text


# ----------------------------------------------------------------------------- citing


def test_bibtex_says_what_the_citation_file_says():
    page = (ROOT / "book/cite.md").read_text(encoding="utf-8")
    entry = dict(re.findall(r"^  (\w+)\s*= \{+(.*?)\}+,$", page, re.MULTILINE))
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert entry["title"] == citation["title"]
    assert entry["version"] == citation["version"]
    assert entry["url"] == citation["repository-code"] == config["repository"]["url"]
    assert entry["author"] == citation["authors"][0]["name"]
    assert entry["year"] == config["copyright"]


# --------------------------------------------------------------------- tools of the tests


def test_axe_that_is_not_the_known_one_is_not_run(tmp_path, monkeypatch):
    from tools import axe

    monkeypatch.setattr(axe, "CACHE", tmp_path / "axe.tgz")
    axe.CACHE.write_bytes(b"something else")
    with pytest.raises(axe.Unavailable, match="has the digest sha512-"):
        axe.source()
    axe.CACHE.unlink()
    monkeypatch.setattr(axe.shutil, "which", lambda name: None)
    with pytest.raises(axe.Unavailable, match="npm is not here"):
        axe.source()


# ------------------------------------------------------------------------------ the protocols


def test_page_shows_every_line_of_the_protocols_in_a_fold_of_its_protocol(load, tmp_path):
    pytest.importorskip("sphinx_design")
    found = load("book/_ext/protocols").lines(ROOT)
    (tmp_path / "results/published").mkdir(parents=True)
    shutil.copy(ROOT / "results/published/protocols.csv", tmp_path / "results/published")
    (tmp_path / "index.md").write_text("# One\n\n```{protocols}\n```\n")
    conf = small_books.conf("sphinx_design", "protocols", more="smartquotes = False")
    (tmp_path / "conf.py").write_text(conf)
    out, warnings = small_books.build(tmp_path)
    page = (out / "index.html").read_text(encoding="utf-8")
    assert warnings == ""
    folds = re.findall(r"<details.*?</details>", page, flags=re.DOTALL)
    names = list(dict.fromkeys(line["protocol"] for line in found))
    assert len(folds) == len(names)
    for name, fold in zip(names, folds, strict=True):
        own = [line for line in found if line["protocol"] == name]
        words = unescape(re.sub(r"<[^>]*>", "", fold))
        assert words.split(":")[0].strip() == name
        rows = re.findall(r"<tr.*?</tr>", fold, flags=re.DOTALL)
        assert len(rows) == len(own) + 1  # the head
        for line, row in zip(own, rows[1:], strict=True):
            cells = [
                unescape(re.sub(r"<[^>]*>", "", cell)).strip()
                for cell in re.findall(r"<td.*?</td>", row, flags=re.DOTALL)
            ]
            assert cells[:3] == [line["field"], line["value"], line["source"]]
            assert cells[3].startswith(line["place"]) and line["remark"].rstrip(".") in cells[3]


def test_a_statement_and_its_proof_become_boxes_and_no_more(load):
    publish = pytest.importorskip("docutils.core").publish_doctree
    text = (
        "**Lemma 2 (short).** Say it.\n\n   It goes on.\n\n*Proof.* Because.\n\n"
        "It is so. :math:`\\square`\n\nAfter.\n\n**Theorem 3.** No proof.\n\n**Bold.** Text.\n"
    )
    tree = publish(text)
    load("book/_ext/statements").box(None, tree)
    kinds = [(n.get("classes"), n.get("ids"), n.astext()) for n in tree.children]
    assert kinds[0] == (["mg-statement"], ["lemma-2"], "Lemma 2 (short). Say it.\n\nIt goes on.")
    assert tree.children[1]["of"] == "Lemma 2"
    words = kinds[1][2]  # "Proof." stands where it is unfolded
    assert words.strip().startswith("Because.") and words.endswith("\\square")
    assert [k[2] for k in kinds[2:]] == ["After.", "Theorem 3. No proof.", "Bold. Text."]
    assert kinds[3][1] == ["theorem-3"] and kinds[4][0] == []


def test_a_figure_that_no_chapter_takes_is_named_by_its_alternative_text(load):
    pytest.importorskip("sphinx")
    say = load("book/_ext/from_notebook").first_sentence
    assert say("The error over the interval, in grey (ω = 0.6667, sweeps = 5).") == (
        "The error over the interval, in grey."
    )


def test_a_chapter_that_wants_a_figure_that_is_not_there_is_told_what_there_is(load):
    publish = pytest.importorskip("docutils.core").publish_doctree
    sphinx = pytest.importorskip("sphinx.errors")
    raw = '.. raw:: html\n\n   <img class="mg-figure" src="" alt="A curve.">'
    tree = publish(f"Title\n=====\n\nOne\n---\n\n{raw}\n\nTwo\n---\n\nText.\n")
    env = type("Environment", (), {"get_doctree": lambda self, name: tree})()
    source = load("book/_ext/from_notebook").source
    assert "A curve" in source(env, ("notebooks/x", "one", 1)).astext()
    with pytest.raises(sphinx.ExtensionError, match="no figure two 1: it has one 1"):
        source(env, ("notebooks/x", "two", 1))


def test_what_unfolds_code_is_named_by_the_words_that_it_shows(load):
    mend = load("book/_ext/accessible").mend
    assert mend('<summary aria-label="Toggle hidden content">\n<p>Show') == "<summary>\n<p>Show"
