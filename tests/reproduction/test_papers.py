"""Papers are data: what is drawn and trained is what their files say, however names begin."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mgtutorial import models
from mgtutorial.errors import UnknownName
from mgtutorial.figures.style import COLOURS
from mgtutorial.reproduction import (
    comparison,
    count_report,
    expected_counts,
    figures,
    operations,
    planning,
    published,
    rendering,
    tables,
)
from mgtutorial.reproduction.papers import catalogue
from mgtutorial.reproduction.papers.printed_table import read_table
from mgtutorial.reproduction.tables import TABLES
from mgtutorial.training import protocols, weights

ROOT = Path(__file__).resolve().parents[2]


def test_papers_name_protocols_colours_and_tables_that_there_are():
    assert len(catalogue.PAPERS) == 3
    for paper in catalogue.PAPERS.values():
        assert protocols.settings("paper", "cifar10", paper.protocol)
        assert set(paper.trained) <= set(paper.printed)
        assert all(
            family.colour == "black" or family.colour in COLOURS for family in paper.families
        )
        for figure in paper.figures.values():
            assert set(figure.printed) <= set(catalogue.PRINTED)
            assert set(figure.called) <= set(figure.networks) <= set(models.CONFIGS)


def test_each_network_has_one_family():
    for name, config in models.CONFIGS.items():
        assert sum(family.has(config) for family in catalogue.FAMILIES) == 1, name


def test_a_table_has_the_protocol_of_its_own_paper():
    found = {name: table.protocol for name, table in TABLES.items()}
    assert {found[n] for n in found if n in catalogue.PAPERS["mgic"].trained} == {"mgic"}
    assert found["poly-mgnet"] == "poly-mgnet" and found["mgiad-figure7"] == "mgiad"


def test_accuracies_of_another_protocol_are_not_beside_those_of_a_figure():
    rows = TABLES["mgiad-figure7"].rows
    of_mgic = rows["mgic-resnet56-c64-g16"].printed
    assert of_mgic.printed == "0.53" and of_mgic.accuracy is None
    assert rows["mgnet"].printed.accuracy == 96.0


UNKNOWN = {
    "table": lambda: TABLES["unet-table1"],
    "printed table": lambda: catalogue.PRINTED["unet-table1"],
    "paper": lambda: catalogue.PAPERS["unet"],
    "paper of a table": lambda: catalogue.PAPER_OF["unet-table1"],
    "network": lambda: models.CONFIGS["unet-1"],
    "named network": lambda: models.named("unet-1"),
    "kind of network": lambda: models.from_dict({"kind": "UNetConfig"}),
    "family of a name": lambda: figures.kind("unet-1"),
    "family of a config": lambda: tables.family(object()),
    "protocol": lambda: tables.protocol_of("unet-1"),
    "rows of print": lambda: published.rows("unet-table1"),
    "row of print": lambda: published.row("mgiad-table1", "unet-1"),
    "row": lambda: TABLES["mgiad-table1"].config("unet-1"),
    "line": lambda: comparison.compare("mgiad-table1", [], rows=["unet-1"]),
    "run": lambda: planning.plan("mgiad-table1", "smoke", rows=["unet-1"]),
    "count of a table": lambda: expected_counts.counts("unet-table1", "unet-1"),
    "count of a row": lambda: expected_counts.counts("mgiad-table1", "unet-1"),
    "shown count": lambda: rendering.counts("mgiad-table1", {"unet-1": (1, 1)}),
    "reason": lambda: rendering.reasons("mgiad-table1", ["unet-1"]),
    "operations": lambda: operations.markdown("unet-table1"),
    "check of a table": lambda: expected_counts.check("unet-table1"),
    "check of a row": lambda: expected_counts.check("mgiad-table1", ["unet-1"]),
    "network of a row": lambda: tables.network("unet-1"),
    "name of a network": lambda: tables.network_name({"kind": "UNetConfig"}),
    "file of print": lambda: read_table("unet_table1.csv"),
    "counts as text": lambda: count_report.of_tables("unet-table1"),
    "data set of a count": lambda: published.weights(models.named("mgnet"), "unet-images"),
    "data set of a run": lambda: planning.plan("mgiad-table1", "smoke", data="unet-images"),
    "protocol of a budget": lambda: protocols.settings("paper", "cifar10", "unet"),
    "network of weights": lambda: weights.convolutions_of("unet-1"),
}


@pytest.mark.parametrize("ask", UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_unknown_is_one_sentence(ask):
    with pytest.raises(
        UnknownName, match=r"unknown .* 'unet|unknown .* 'UNet|is of no family"
    ) as error:
        ask()
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


def code():
    """Every piece of code of ours: (place, text)."""
    for folder in ("mgtutorial", "benchmarks", "experiments", "tests", "book", "tools"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield file.relative_to(ROOT), file.read_text(encoding="utf-8")
    for file in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                lines = (x for x in "".join(cell["source"]).splitlines() if "%pip" not in x)
                yield file.relative_to(ROOT), re.sub(r":\s*# Colab.*", ": pass", "\n".join(lines))


def beginnings(text):
    """The strings that code asks whether something starts with."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "startswith":
            parts = node.args[0].elts if isinstance(node.args[0], ast.Tuple) else node.args[:1]
            yield from (p.value for p in parts if isinstance(getattr(p, "value", None), str))


def test_nothing_depends_on_how_a_name_begins():
    """A new network or table would get what belongs to another, without a word."""
    names = {*models.CONFIGS, *catalogue.PRINTED, *TABLES}
    asked = [(place, b) for place, text in code() for b in beginnings(text)]
    assert len(asked) > 20  # of other things
    assert [x for x in asked if any(n.startswith(x[1]) for n in names)] == []


def test_a_question_about_a_beginning_would_be_found():
    text = "x = a.startswith('mgic'), b.startswith(('poly-mgnet', 'mgnet-x')), c.startswith(d)"
    assert list(beginnings(text)) == ["mgic", "poly-mgnet", "mgnet-x"]


def test_a_table_is_read_when_it_is_asked_for():
    look = (
        "import sys; opened = []\n"
        "sys.addaudithook(lambda e, a: opened.append(str(a[0])) if e == 'open' else None)\n"
        "from mgtutorial.reproduction import tables, status_page, command\n"
        "assert not [f for f in opened if f.endswith('.csv')], opened\n"
        "tables.TABLES['mgiad-table1'].rows\n"
        "read = {f.rpartition('/')[2] for f in opened if f.endswith('.csv')}\n"
        "assert read == {'mgiad_table1_cifar10.csv', 'reasons.csv'}, read\n"
    )
    subprocess.run([sys.executable, "-c", look], check=True, timeout=120)
