"""Tables show what the files and the records say, and compare only what is comparable."""

from dataclasses import replace

import pytest

from mgtutorial.data import catalogue
from mgtutorial.errors import UnknownName
from mgtutorial.models.narrow import narrowed
from mgtutorial.reproduction import comparison, rendering
from mgtutorial.reproduction.tables import TABLES
from mgtutorial.reproduction.verdicts import MEANING
from mgtutorial.training import protocols, records
from mgtutorial.training.record import Metric, Samples

TABLE = "mgiad-table2"


def run(row="mgnet-20", budget="paper", seed=0, accuracy=0.93, table=TABLE, config=None, **changes):
    """A record as `train` writes it, as far as tables read it."""
    described = TABLES[table]
    config = config or described.config(row)
    made = protocols.configure(
        config, described.data, budget, root="nowhere", protocol=described.protocol, seed=seed
    ).as_dict()
    info = catalogue.info(described.data)
    made |= changes.pop("config_changes", {})
    whole = {
        "partial": False,
        "data": Samples(info.n_train, "same", info.official),
        "evaluated_on": Samples(info.n_test, "same", info.official),
    }
    return replace(
        records.all_runs()[0],
        digest=records.digest([made, seed]),
        choices=made,
        metric=Metric("accuracy", accuracy, "test"),
        **whole | changes,
    )


def only(runs, row="mgnet-20", table=TABLE):
    (line,) = comparison.compare(table, runs, rows=[row])
    return line


@pytest.mark.parametrize("table", TABLES)
def test_without_records_every_row_of_every_table_is_not_run(table):
    made = comparison.compare(table, [])
    assert [line.row for line in made] == list(TABLES[table].rows)
    assert {line.verdict for line in made} == {"not run"}
    assert rendering.markdown(made).count("not run") == len(made)


def test_three_seeds_of_the_papers_protocol_are_compared():
    printed = TABLES[TABLE].rows["mgnet-20"].printed.accuracy / 100
    line = only([run(seed=s, accuracy=printed + d) for s, d in enumerate((-0.001, 0.0, 0.001))])
    assert line.interval.n == 3
    assert line.difference == pytest.approx(0, abs=1e-9)
    assert line.verdict == "reproduced"
    assert only([run(seed=s, accuracy=printed - 0.05) for s in range(3)]).verdict == "differs"


@pytest.mark.parametrize("table", TABLES)
def test_each_table_compares_runs_on_the_official_images_of_its_data_set(table):
    row = next(name for name, entry in TABLES[table].rows.items() if entry.network)
    info = catalogue.info(TABLES[table].data)
    for source, n, comparable in (
        (info.official, info.n_train, True),
        (info.official, info.n_train - 1, False),
        ("JPEG copy", info.n_train, False),
        ("20 of 200 classes", info.n_train, False),
    ):
        images = Samples(n, "some", source)
        assert only([run(row, table=table, data=images)], row, table).comparable is comparable
    fewer = Samples(info.n_test - 1, "some", info.official)
    assert not only([run(row, table=table, evaluated_on=fewer)], row, table).comparable


@pytest.mark.parametrize(
    "change",
    [{"lr": 0.3}, {"batch_size": 1024}, {"weight_decay": 5e-3}, {"augmentation": "crop-flip"},
     {"precision": "float16"}, {"schedule": "constant"}, {"norm_parts": 8}, {"momentum": 0.0},
     {"normalisation": [[0.4], [0.3]]}, {"split": "fit"}, {"n_train": 60_000}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_a_run_with_one_other_field_is_not_compared(change):
    assert only([run()]).comparable
    assert not only([run(config_changes=change)]).comparable
    longer = run(config_changes={"epochs": 4000})
    assert not only([longer]).comparable


def test_a_run_from_another_start_belongs_to_the_row_and_is_not_compared():
    plain = run().choices["model"]
    assert plain["initial_weights"] == "torch"
    other = {k: v for k, v in plain.items() if k != "initial_weights"}
    line = only([run(config_changes={"model": other})])
    assert line.runs and not line.comparable


@pytest.mark.parametrize(
    "spoilt",
    [
        {"budget": "short"},
        {"partial": True},
        {"data": Samples(60_000, "other", "JPEG copy")},
        {"config_changes": {"protocol": "mgic"}},
    ],
    ids=["budget", "partial", "copy", "protocol"],
)
def test_what_departs_from_the_protocol_is_shown_and_not_compared(spoilt):
    line = only([run(seed=s, accuracy=0.9329, **spoilt) for s in range(3)])
    assert line.runs and line.difference is None
    assert line.verdict == "shorter budget"


def test_runs_that_differ_in_more_than_the_seed_stand_in_lines_of_their_own():
    runs = [run(seed=0), run(seed=1), run(budget="short"), run(config_changes={"lr": 0.01})]
    made = comparison.compare(TABLE, runs, rows=["mgnet-20"])
    assert sorted(len(line.runs) for line in made) == [1, 1, 2]


def test_a_seed_that_was_run_twice_counts_once():
    assert only([run(seed=0), run(seed=0), run(seed=1)]).interval.n == 2


def test_other_networks_and_validation_runs_stay_out():
    choice = replace(run(), metric=Metric("accuracy", 0.93, "val"))
    assert only([run("resnet20"), choice]).runs == ()


def test_smoke_runs_of_the_small_relative_belong_to_the_row():
    small = narrowed(TABLES[TABLE].config("mgnet-20"))
    line = only([run(budget="smoke", config=small, config_changes={"data": "digits"})])
    assert line.runs and line.verdict == "shorter budget"
    assert only([run(budget="short", config=small)]).runs == ()


def test_every_cell_comes_from_the_line():
    cells = rendering.cells(only([run(seed=3, accuracy=0.91234)]))
    assert cells["accuracy, measured"] == "91.23 %"
    assert "seed 3" in cells["measured on"] and "400 epochs" in cells["measured on"]
    assert cells["weights, counted"] == "100,954" and cells["weights, published"] == "101k"


def test_the_styler_shows_the_same_cells_and_keeps_its_caption():
    pytest.importorskip("pandas")
    line = only([run(seed=s, accuracy=0.9329 + 1e-4 * s) for s in range(3)])
    shown = rendering.style([line], "A caption.").to_html()
    assert "A caption." in shown and "reproduced" in shown and "background-color" in shown
    for text in rendering.cells(line).values():
        assert text.replace("`", "") in shown


def test_the_legend_explains_every_verdict():
    assert all(f"**{name}**" in rendering.legend() for name in MEANING)


def test_unknown_names_are_sentences():
    with pytest.raises(UnknownName, match="mgiad-table2"):
        comparison.compare("mgiad-table-2", [])
    with pytest.raises(UnknownName):
        comparison.compare(TABLE, [], rows=["mgnet20"])
