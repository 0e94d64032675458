"""The list of what the papers contain: every entry leads somewhere and says what is missing."""

import ast
import csv
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from mgtutorial.reproduction.papers.printed_table import read_table

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = read_table("inventory.csv")
PAPERS = ("mgiad", "poster", "mgic", "mgic-first", "poly-mgnet")


def places(entry):
    return [place for place in entry["where"].split("; ") if place]


@cache
def anchors(name):
    """What a link into a page may end in: labels, names of figures and tables."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE))
    found |= set(re.findall(r"^ *:(?:label|name): *([\w-]+)$", text, re.MULTILINE))
    return found


@cache
def functions_of(name):
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_columns_kinds_and_states_are_those_that_are_allowed():
    columns = ["paper", "place", "kind", "what", "where", "state", "reason"]
    for entry in ENTRIES:
        assert list(entry) == columns and None not in entry.values(), entry
        assert entry["paper"] in PAPERS and entry["place"] and entry["what"], entry
        assert entry["kind"] in ("table", "figure", "algorithm", "equation", "claim"), entry
        assert entry["state"] in ("made", "partly", "not made"), entry


def test_every_place_that_an_entry_names_exists():
    for entry in ENTRIES:
        for place in places(entry):
            name, _, test = place.partition("::")
            name, _, label = name.partition("#")
            assert (ROOT / name).is_file(), (place, entry)
            if name.startswith("tests/"):
                assert test in functions_of(name) and test.startswith("test_"), (place, entry)
            elif name.startswith("book/"):
                assert label in anchors(name), (place, entry)
            else:
                assert name.startswith(("notebooks/", "results/")) and not test + label, place


def test_what_is_made_is_shown_and_what_is_not_has_a_sentence():
    for entry in ENTRIES:
        if entry["state"] == "made":
            assert places(entry) and not entry["reason"], entry
        else:
            assert re.fullmatch(r"[A-Z`].{15,}\.", entry["reason"]), entry
        if entry["state"] == "partly":
            assert places(entry), entry


def test_no_entry_stands_twice():
    keys = Counter((e["paper"], e["place"], e["what"]) for e in ENTRIES)
    assert [key for key, n in keys.items() if n > 1] == []


NUMBERED = {  # paper: figures, tables, algorithms, equations of the text
    "mgiad": (range(1, 8), range(1, 4), range(1, 4), range(1, 14)),
    "mgic": (range(1, 6), range(1, 13), range(1, 2),
             ("2.1", "2.2", "2.3", "3.1", "3.2", "3.3", "3.4", "3.5")),
    "mgic-first": (range(1, 4), range(1, 9), range(1, 2), range(1, 9)),
    "poly-mgnet": (range(1, 6), (), (), ()),
}  # fmt: skip


@pytest.mark.parametrize("paper", NUMBERED)
def test_everything_that_a_text_numbers_is_listed(paper):
    listed = {e["place"] for e in ENTRIES if e["paper"] == paper}
    for word, numbers in zip(("Figure", "Table", "Algorithm", "Eq."), NUMBERED[paper], strict=True):
        assert {f"{word} {n}" for n in numbers} <= listed, word


def test_every_published_file_is_named_by_an_entry():
    named = {place for entry in ENTRIES for place in places(entry)}
    for path in (ROOT / "results" / "published").glob("*.csv"):
        with open(path, newline="", encoding="utf-8") as file:
            if "source" in next(csv.reader(file)):
                assert f"results/published/{path.name}" in named, path.name


def test_nothing_is_called_missing_for_now():
    """A page or an entry that says "not yet" of a thing goes stale on the day it is built."""
    pages = [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").rglob("*.ipynb")]
    for path in (*pages, ROOT / "results/published/inventory.csv"):
        text = " ".join(path.read_text(encoding="utf-8").split())
        found = re.search(
            r".{0,60}(not built yet|no counterpart yet|recorded yet)", text, re.IGNORECASE
        )
        assert not found, (path.name, found[0])
