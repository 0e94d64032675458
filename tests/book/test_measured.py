"""The directive for measured tables, on a page of its own."""

import doctest
import importlib.util
import json

import pytest

from . import small_books
from .built import ROOT

pytest.importorskip("myst_parser")

PAGE = """# Page

```{measured} rows.json some
:where: when=end
level | {level}
$\\mu$ | {mu:.1f}
share | {share:.0%}
```
"""
ROWS = [
    {"when": "start", "level": 1, "mu": 7.77, "share": 0.5},
    {"when": "end", "level": 2, "mu": -2.25, "share": 0.123},
]


@pytest.fixture
def module():
    spec = importlib.util.spec_from_file_location("measured", ROOT / "book/_ext/measured.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_examples_in_the_docstrings_run(module):
    found = doctest.testmod(module)
    assert found.attempted and not found.failed


@pytest.fixture
def build(tmp_path):
    """Return a function that builds the page and returns its HTML and the warnings."""
    (tmp_path / "conf.py").write_text(small_books.conf("measured"))

    def built(page, rows=ROWS):
        (tmp_path / "index.md").write_text(page)
        (tmp_path / "rows.json").write_text(json.dumps({"some": rows}))
        out, warnings = small_books.build(tmp_path)
        return (out / "index.html").read_text(), warnings

    return built


def test_table_has_the_rows_that_are_asked_for_and_follows_the_file(build):
    html, warnings = build(PAGE)
    assert not warnings and "12 %" in html and "−2.2" in html and "7.8" not in html
    html, _ = build(PAGE, [{**ROWS[1], "share": 0.456}])
    assert "46 %" in html and "12 %" not in html


def test_a_list_inside_names_and_a_value_with_spaces_are_found(module, tmp_path):
    file = tmp_path / "rows.json"
    file.write_text(json.dumps({"a": {"b": [{"case": "x = 1", "n": 1}, {"case": "y", "n": 2}]}}))
    assert [row["n"] for row in module.rows(file, "a.b", 'case="x = 1"')] == [1]


@pytest.mark.parametrize(
    ("old", "new"), [("when=end", "when=never"), ("some\n", "others\n"), ("{mu", "{nu")]
)
def test_what_the_file_does_not_have_is_an_error(build, old, new):
    _, warnings = build(PAGE.replace(old, new))
    assert "rows.json" in warnings
