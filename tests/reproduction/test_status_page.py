"""The status page follows the records, and a page cannot say what they do not."""

import json
import re
import shutil
from pathlib import Path

import pytest

from mgtutorial import _paths, cli
from mgtutorial.errors import InvalidValue
from mgtutorial.reproduction import status_page
from mgtutorial.reproduction.tables import TABLES
from mgtutorial.training import records

ROOT = Path(__file__).resolve().parents[2]
RUNS = records.read(_paths.packaged_results() / "runs")


def test_every_table_has_a_line_in_the_overview_and_its_runs_or_their_absence():
    for runs in ([], RUNS):
        text = status_page.page(runs)
        for table in TABLES.values():
            assert f"| {table.title} |" in text
            assert (f"### {table.title}\n" in text) != (
                re.search(rf"^\* {re.escape(table.title)}( \(but|$)", text, re.M) is not None
            )
    assert "### " in status_page.page(RUNS).split("### No run is recorded")[0]


def test_rows_with_runs_by_the_recipe_alone_are_counted_and_no_others():
    text = status_page.page(RUNS)
    (told,) = re.findall(
        r"(\d+) by the recipe of the budget `fast` alone, and (\d+) have none", text
    )
    rows = [line.split("|")[5:8] for line in text.splitlines() if line.startswith("| M")][:11]
    assert sum(int(fast) for _, fast, _ in rows) == int(told[0]) > 0
    without = status_page.page([r for r in RUNS if r.budget != "fast"])
    assert " 0 by the recipe of the budget `fast` alone" in without and "(but" not in without


def test_the_page_shows_each_recorded_run_of_a_published_row():
    text = status_page.page(RUNS)
    whole = [r for r in RUNS if r.budget == "short" and r.tests_accuracy]
    assert whole  # the shipped ones
    for run in whole:
        assert f"`{run.digest}`" in text


def test_pages_and_records_agree():
    assert status_page.contradictions() == []


@pytest.fixture
def checkout(tmp_path):
    for name in ("book", "notebooks"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=lambda d, names: [n for n in names if "." not in n]
        )
    for name in ("_toc.yml", "README.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_an_invented_accuracy_or_run_is_found(checkout):
    status_page.write(checkout)
    before = status_page.contradictions(checkout)
    with (checkout / "README.md").open("a") as readme:
        readme.write("\nOurs reaches 99.87 % (run `0123456789abcdef`).\n")
    notebook = checkout / "notebooks" / "invented.ipynb"
    cell = {"cell_type": "markdown", "source": ["It reaches 98.76 per cent."]}
    notebook.write_text(json.dumps({"cells": [cell]}))
    found = " ".join(set(status_page.contradictions(checkout)) - set(before))
    assert "99.87" in found and "0123456789abcdef" in found and "98.76" in found


def test_a_status_page_edited_by_hand_is_found(checkout):
    status, claims, *_ = status_page.write(checkout)
    assert not any("is not what" in p for p in status_page.contradictions(checkout))
    status.write_text(status.read_text().replace("not run", "reproduced"))
    assert any("status.md is not" in p for p in status_page.contradictions(checkout))
    claims.write_text(claims.read_text().replace("undecided", "supported at this budget"))
    assert any("claims.json is not" in p for p in status_page.contradictions(checkout))


def test_outside_a_checkout_it_says_so(tmp_path):
    with pytest.raises(InvalidValue, match="checkout"):
        status_page.contradictions(tmp_path)


def test_the_command_writes_the_page_and_finds_what_was_changed_by_hand(checkout, capsys):
    assert cli.main(["tables", "--write", "--book", str(checkout)]) == 0
    path = checkout / "book" / "status.md"
    tables = [
        checkout / "results" / f"{name}.json" for name in ("claims", "frontier", "mgic_figure4")
    ]
    written = "".join(f"written: {p}\n" for p in (path, *tables))
    assert capsys.readouterr().out == written
    assert cli.main(["tables", "--check", "--book", str(checkout)]) == 0
    assert capsys.readouterr().out == "The pages say what the records say.\n"
    path.write_text(path.read_text() + "reproduced\n")
    assert cli.main(["tables", "--check", "--book", str(checkout)]) == 2
    assert "status.md is not what the records say" in capsys.readouterr().err
