"""Tables show what the files and the records say, and compare only what is comparable."""

from dataclasses import replace

import pytest

from mgtutorial.data import catalogue
from mgtutorial.errors import UnknownName
from mgtutorial.models.config import narrowed
from mgtutorial.reproduction import comparison, rendering, status_page
from mgtutorial.reproduction.tables import TABLES
from mgtutorial.reproduction.verdicts import ACCURACY, COUNT, legend
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
    assert line.difference.mean == pytest.approx(0, abs=1e-9)
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
    assert line.verdict == "other protocol"


def test_runs_that_differ_in_more_than_the_seed_stand_in_lines_of_their_own():
    runs = [run(seed=0), run(seed=1), run(budget="short"), run(config_changes={"lr": 0.01})]
    made = comparison.compare(TABLE, runs, rows=["mgnet-20"])
    assert sorted(len(line.runs) for line in made) == [1, 1, 2]


def test_a_seed_that_was_run_twice_counts_once():
    assert only([run(seed=0), run(seed=0), run(seed=1)]).interval.n == 2


def test_other_networks_and_validation_runs_stay_out():
    choice = replace(run(), metric=Metric("accuracy", 0.93, "val"))
    assert only([run("resnet20"), choice]).runs == ()


def test_smoke_runs_say_that_a_network_trains_and_stand_in_no_published_table():
    small = narrowed(TABLES[TABLE].config("mgnet-20"))
    smoke = run(budget="smoke", config=small, config_changes={"data": "digits"})
    assert only([smoke]).runs == () == only([run(budget="short", config=small)]).runs
    (trial,) = comparison.trains(["mgnet-20"], [smoke])
    text = rendering.trials([trial])
    assert "yes, on digits" in text and "%" not in text


def test_every_cell_comes_from_the_line():
    cells = rendering.cells(only([run(seed=3, accuracy=0.91234)]))
    assert cells["accuracy, measured (%)"] == "91.23 (n = 1)"
    assert "400 epochs" in cells["measured on"] and "the protocol" in cells["measured on"]
    assert cells["runs"].startswith("seed 3: ")
    assert cells["weights, counted"] == "100,954" and cells["weights, printed"] == "101k"


def test_both_sides_show_the_same_statistic_and_intervals_have_columns_of_their_own():
    line = only([run(seed=s, accuracy=0.93 + 1e-3 * s) for s in range(3)])
    cells = rendering.cells(line)
    assert cells["accuracy, printed (%)"] == "93.29 (std 0.15, n = 3)"
    assert cells["accuracy, measured (%)"] == "93.10 (std 0.10, n = 3)"
    assert cells["95 % interval"] == "92.85 to 93.35" and cells["difference"] == "-0.19"
    gap = line.difference
    assert cells["its 95 % interval"] == f"{gap.low:+.2f} to {gap.high:+.2f}"
    assert "±" not in " ".join(cells.values())


def test_measured_on_stands_before_the_number_and_empty_columns_vanish():
    head = rendering.markdown([only([run()])]).splitlines()[0]
    assert head.index("measured on") < head.index("accuracy, measured")
    assert "measured" not in rendering.markdown([only([])]).splitlines()[0]


def test_the_styler_shows_the_same_cells_and_keeps_its_caption():
    pytest.importorskip("pandas")
    line = only([run(seed=s, accuracy=0.9329 + 1e-4 * s) for s in range(3)])
    shown = rendering.style([line], "A caption.").data
    assert "A caption." in shown and "reproduced" in shown and "background-color" in shown
    for text in rendering.cells(line).values():
        assert text.replace("`", "") in shown


def test_other_protocols_fold_away_in_a_notebook():
    pytest.importorskip("pandas")
    made = comparison.compare(TABLE, [run(), run(budget="short")], rows=["mgnet-20"])
    held, folded = rendering.style(made, "A caption.").data.split("<details>")
    assert "400 epochs" in held and "15 epochs" in folded and "A caption." in held


def test_a_table_shows_every_budget_that_it_is_given_and_the_status_page_all_but_two():
    """What `reproduce --budget fast` has trained stands in its table, and has no verdict."""
    budgets = ("paper", "short", "fast", "demo")
    made = [run(budget=budget) for budget in budgets]
    lines = comparison.compare(TABLE, made[::-1], rows=["mgnet-20"])
    assert [line.runs[0].budget for line in lines] == list(budgets)
    assert [line.comparable for line in lines] == [True, False, False, False]
    page = status_page.page(made)
    assert [f"; `{budget}`" in page for budget in budgets[1:]] == [True, False, True]


def test_the_legend_explains_every_verdict_on_accuracies_and_counts():
    assert all(f"**{name}**" in legend() for name in (*ACCURACY, *COUNT))


def test_unknown_names_are_sentences():
    with pytest.raises(UnknownName, match="mgiad-table2"):
        comparison.compare("mgiad-table-2", [])
    with pytest.raises(UnknownName):
        comparison.compare(TABLE, [], rows=["mgnet20"])
