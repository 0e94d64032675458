"""The tables of the papers that can be trained, and the names of their networks."""

import re
from dataclasses import replace

import pytest

from mgtutorial import models
from mgtutorial.data import catalogue
from mgtutorial.reproduction import rendering, tables
from mgtutorial.training import protocols, records


def record(**changes):
    """A shipped record of FashionMNIST, changed."""
    return replace(records.all_runs()[0], **changes)


ROWS = {
    "mgiad-table1": 4, "mgiad-table2": 13, "mgiad-table3-cifar100": 8,
    "mgiad-table3-tiny-imagenet": 9, "mgiad-table3-imagenet": 8, "mgiad-poster-cifar10": 3,
    "mgiad-figure7": 25,
    "mgic-table3": 2, "mgic-table12": 7, "mgic-table5": 4, "mgic-table7": 9, "poly-mgnet": 18,
}  # fmt: skip


def test_all_tables_of_the_papers_that_can_be_trained_are_there():
    assert {name: len(t.rows) for name, t in tables.TABLES.items()} == ROWS


@pytest.mark.parametrize("name", ROWS)
def test_each_row_has_the_network_that_is_counted(name):
    table = tables.TABLES[name]
    for row, (printed, _) in table.rows.items():
        config = table.config(row)
        assert models.from_dict(models.as_dict(config)) == config
        d = catalogue.info(table.data)
        assert (config.in_channels, config.num_classes) == (d.channels, d.classes)
        if printed is not None and printed.data == table.data:
            assert printed.config == config


def test_networks_of_the_tables_have_names():
    for table in tables.TABLES.values():
        for row in table.rows:
            name = tables.network_name(models.as_dict(table.config(row)))
            assert "Config" not in name and "(" not in name
    tiny = tables.TABLES["mgiad-table3-tiny-imagenet"].config("mgiad-lam1-c64-g8")
    assert tables.network_name(models.as_dict(tiny)) == "mgiad-lam1-c64-g8"
    odd = models.named("mgnet", channels=(8, 24))
    assert tables.network_name(models.as_dict(odd)) == "MgNet 8-24"


def test_lists_of_runs_have_one_width():
    text = rendering.runs_markdown([record()])
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines()}) == 1


def test_a_shorter_run_says_so_in_the_list_of_runs():
    assert "partial" in rendering.runs_markdown([record(partial=True)])
    assert protocols.settings("paper", "fashion-mnist")["epochs"] == 400
