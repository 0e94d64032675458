"""The built book's links, to its pages, Colab and Binder; and what others show of its pages."""

import json
import os
import re
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml

from .built import HTML, NOT_WRITTEN, ROOT, Figures, Page, files, join, written

pytestmark = pytest.mark.book

REPOSITORY = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
ICON = re.compile(r'<i class="[^"]*?\bfa-(?!(?:solid|brands|regular|lg)\b)([a-z0-9-]+)')
ADDRESS, BRANCH = REPOSITORY["url"], REPOSITORY["branch"]


@pytest.fixture(scope="module")
def pages():
    return {page: Page(HTML / page) for page in files()}


def test_every_internal_link_and_anchor_resolves(pages):
    findings, checked = [], 0
    for page, found in pages.items():
        for link in found.links:
            parts = urlsplit(link)
            # the page for what is not there is shown at any depth: test_book.py follows its links
            if parts.scheme or parts.netloc or link.startswith("data:") or page == "404.html":
                continue
            checked += 1
            path = ((HTML / page).parent / unquote(parts.path)).resolve() if parts.path else None
            target = page if path is None else os.path.relpath(path, HTML)
            if path is not None and not path.is_file():
                findings.append((page, f"no such file: {link}"))
            elif parts.fragment and unquote(parts.fragment) not in pages[target].ids | {"top"}:
                findings.append((page, f"no such anchor: {link}"))
    findings += [(page, f"id twice: {i}") for page in written() for i in pages[page].twice]
    assert not findings, join(findings)
    assert checked > 0


def test_launch_buttons_open_the_notebook_of_their_page(pages):
    path = urlsplit(ADDRESS).path.strip("/")
    for page, found in pages.items():
        name = page.replace(".html", ".ipynb")
        launch = [link for link in found.links if re.search(r"colab\.research|mybinder", link)]
        if not (ROOT / name).exists():
            assert not launch, f"{page} has no notebook to launch"
            continue
        colab, binder = sorted({*launch})
        assert colab == f"https://colab.research.google.com/github/{path}/blob/{BRANCH}/{name}"
        assert urlsplit(binder).path == f"/v2/gh/{path}/{BRANCH}"
        assert parse_qs(urlsplit(binder).query)["urlpath"][0].endswith(name)


def test_a_notebook_says_under_its_title_where_it_opens_and_how_long_it_runs(pages):
    for page, found in pages.items():
        if not (ROOT / page.replace(".html", ".ipynb")).exists():
            assert 'class="mg-openers"' not in found.text, page
            continue
        (line,) = re.findall(r'<p class="mg-openers">.*?</p>', found.text)
        (file,) = re.findall(r'href="([^"]*\.ipynb)" download', line)
        kept = ((HTML / page).parent / file).resolve().read_text(encoding="utf-8")
        own = (ROOT / page.replace(".html", ".ipynb")).read_text(encoding="utf-8")
        assert json.loads(kept)["cells"][0]["source"] == json.loads(own)["cells"][0]["source"]
        assert re.search(r"Runs in about \d+ (seconds|minutes)\.", line), page


def test_every_icon_of_a_page_is_among_those_that_the_build_kept(pages):
    kept = (HTML / "_static/scripts/fontawesome.js").read_text(encoding="utf-8")
    used = {name for page in pages.values() for name in ICON.findall(page.text)}
    lost = {n for n in used if not re.search(rf'[{{,"]{n}"?:\[\d|\["[^\]]*\b{n}"|"{n}"[,\]]', kept)}
    assert len(used) >= 10 and not lost
    assert len(kept) < 200_000


def test_every_page_says_its_version_and_leads_to_what_changed_and_to_the_print(pages):
    for page in written():
        text = pages[page].text
        assert re.search(r"Version \d+\.\d+\.\d+\S* of 20\d\d-\d\d-\d\d", text), page
        assert f'href="{ADDRESS}/releases"' in text, page
        assert f'href="{ADDRESS}/blob/{BRANCH}/CHANGELOG.md"' in text, page


def test_other_links_to_the_repository_name_what_is_there(pages):
    for page, found in pages.items():
        for link in found.links:
            if link.startswith(f"{ADDRESS}/blob/"):
                branch, _, name = link.removeprefix(f"{ADDRESS}/blob/").partition("/")
                assert branch == BRANCH and (ROOT / name).exists(), f"{page}: {link}"


def test_every_page_says_what_a_link_to_it_should_look_like(pages):
    owner, name = urlsplit(ADDRESS).path.strip("/").split("/")
    home = f"https://{owner}.github.io/{name}/"
    for page, found in pages.items():
        if page in NOT_WRITTEN:
            continue
        meta = found.meta
        assert meta["og:url"] == home + page
        assert meta["og:title"] and "<" not in meta["og:title"], page
        assert 15 < len(meta["og:description"]) <= 205, f"{page}: {meta['og:description']}"
        assert not re.search(r"[\\$]|\{\w", meta["og:description"]), meta["og:description"]
        assert (HTML / meta["og:image"].removeprefix(home)).is_file()


def test_card_is_a_picture_of_the_size_that_it_says():
    from PIL import Image

    with Image.open(HTML / "_static" / "card.png") as card:
        assert card.size == (1200, 630)
        assert len(card.convert("RGB").getcolors(1_000_000)) > 100


def test_index_of_figures_lists_every_figure_with_a_number(pages):
    listed = {link.partition("#")[2] for link in pages["book/figure_index.html"].links}
    for page in written():
        assert {figure["id"] for figure in Figures(page).numbered} <= listed, page
    told = pages["book/figure_index.html"].text.count("<em>can be moved</em>")
    assert told > 20


def test_map_of_the_book_has_every_chapter(pages):
    text = pages["book/teaching.html"].text
    drawn = re.search(r'<nav class="mg-map".*?</nav>', text, re.DOTALL)[0]
    leads = set(re.findall(r'<a href="([^"]*)"', drawn))
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [c for part in toc["parts"] if part.get("numbered") for c in part["chapters"]]
    stems = {c["file"].removeprefix("book/"): c.get("sections", ()) for c in chapters}
    pairs = [stem for stem, under in stems.items() if {"file": f"notebooks/{stem}"} in under]
    assert len(pairs) > 10 and leads == {f"{stem}.html" for stem in pairs}
