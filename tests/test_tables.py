"""Tables show what the files and the records say, and compare only what is comparable."""

import re

import pytest

from mgtutorial import models, protocols, records, tables
from mgtutorial.counting import count_weights
from mgtutorial.errors import InvalidValue, UnknownName


def record(row="mgnet-20", budget="paper", data="fashion-mnist", seed=0, accuracy=0.93, **changes):
    """A record as `train` writes it, as far as tables read it."""
    model = models.as_dict(models.named(row, in_channels=1))
    config = {"model": model, "data": data, "budget": budget, "lr": 0.05, "n_train": None}
    return {
        "schema": 1,
        "digest": f"{row}-{seed}",
        "config": config,
        "data": {"source": "official files", "n": 60_000},
        "evaluated_on": {"split": "test"},
        "seed": seed,
        "budget": budget,
        "epochs": 400,
        "partial": False,
        "test_accuracy": accuracy,
        "weights": 100_954,
        "seconds": 90.0,
        "device": {"type": "cpu", "threads": 1},
        **changes,
    }


def test_a_row_without_runs_says_not_run():
    text = tables.markdown(tables.join("mgiad-table2", []), "mgiad-table2")
    assert text.count(tables.NOT_RUN) == len(tables.TABLES["mgiad-table2"].rows)


def test_the_mean_is_over_the_seeds_of_the_rows_own_network():
    runs = [record(seed=0, accuracy=0.9), record(seed=1, accuracy=0.94)]
    runs += [record("resnet20", accuracy=0.5)]
    (row,) = tables.join("mgiad-table2", runs, ["mgnet-20"])
    assert row["accuracy"] == pytest.approx(92) and row["seeds"] == [0, 1] and row["n"] == 2


def test_another_network_with_the_same_kind_is_not_the_row():
    other = record()
    other["config"]["model"]["steps"] = 2
    (row,) = tables.join("mgiad-table2", [other], ["mgnet-20"])
    assert row["n"] == 0


@pytest.mark.parametrize(
    ("changes", "comparable"),
    [
        ({}, True),
        ({"budget": "short"}, False),
        ({"data": "digits"}, False),
        ({"partial": True}, False),
    ],
)
def test_only_whole_runs_of_the_paper_budget_on_its_data_are_comparable(changes, comparable):
    rows = tables.join("mgiad-table2", [record(**changes)], ["mgnet-20"])
    assert ("not comparable" not in tables.markdown(rows, "mgiad-table2")) is comparable


@pytest.mark.parametrize("other", [{"budget": "short"}, {"data": "digits"}, {"seed": 0}])
def test_only_repetitions_with_other_seeds_are_averaged(other):
    runs = [record(seed=0), record(**{"seed": 1, **other})]
    with pytest.raises(InvalidValue, match="no repetitions"):
        tables.join("mgiad-table2", runs, ["mgnet-20"])


def test_published_numbers_stand_in_the_table_as_printed():
    printed = {r["model"]: r for r in tables.published("mgiad_table2_fashionmnist.csv")}
    for row in tables.join("mgiad-table2", []):
        line = printed[tables.TABLES["mgiad-table2"].rows[row["row"]][0]]
        assert row["published_accuracy"] == float(line["test_acc"])
        assert row["published_weights_k"] == float(line["weights_k"])


@pytest.mark.parametrize("row", tables.TABLES["mgiad-table2"].rows)
def test_counts_of_table_2_round_to_the_print_with_colour_images(row):
    line = next(r for r in tables.join("mgiad-table2", []) if r["row"] == row)
    assert round(count_weights(models.named(row)) / 1000) == line["published_weights_k"]


def test_unknown_tables_and_rows_come_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'mgiad-table2'"):
        tables.join("mgiad-table-2", [])
    with pytest.raises(UnknownName, match="did you mean 'mgnet-20'"):
        tables.join("mgiad-table2", [], ["mgnet20"])


def test_every_published_file_is_read_and_has_sources():
    files = sorted((records.shipped() / "published").glob("*.csv"))
    assert len(files) == 17
    for file in files:
        rows = tables.published(file.name)
        assert rows and all(r["source"] for r in rows)


def test_markdown_tables_have_one_width():
    texts = [
        tables.runs_markdown([record()]),
        tables.markdown(tables.join("mgiad-table2", [record()]), "mgiad-table2"),
    ]
    for text in texts:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines()}) == 1


def test_a_shorter_run_says_so_in_the_list_of_runs():
    assert "partial" in tables.runs_markdown([record(partial=True)])
    assert protocols.settings("paper", "fashion-mnist")["epochs"] == 400
