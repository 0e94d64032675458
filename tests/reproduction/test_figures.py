"""The figures show every number of their lines, and no other."""

import pytest

from mgtutorial.reproduction import comparison, expected_counts, figures
from mgtutorial.reproduction.tables import TABLES
from mgtutorial.training.record import Epoch

from .test_comparison import run

ROWS = ["resnet20", "mgnet-20"]


@pytest.fixture(autouse=True)
def agg():
    import matplotlib

    matplotlib.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def points(fig):
    return sorted(
        (float(x), float(y))
        for c in fig.axes[0].containers
        for x, y in zip(*c.lines[0].get_data(), strict=True)
    )


def test_printed_and_measured_accuracies_stand_over_the_counted_weights():
    # a record's own multiplications are those of the program of its day
    runs = [run(seed=s, accuracy=0.92 + s / 1000, macs=5_000_000) for s in range(3)]
    lines = comparison.compare("mgiad-table2", runs, rows=ROWS)
    printed = [(line.weights, line.printed.accuracy) for line in lines]
    measured = [(line.weights, line.interval.mean) for line in lines if line.runs]
    assert len(measured) == 1
    assert points(figures.accuracy_over(lines)) == sorted(printed + measured)
    macs = expected_counts.counts("mgiad-table2", "mgnet-20")[1]
    assert points(figures.accuracy_over(lines, "macs")) == [(macs, measured[0][1])]


def test_a_curve_for_each_run():
    curve = (Epoch(1, loss=2.0, lr=0.1), Epoch(2, loss=1.0, lr=0.1))
    runs = [run(seed=s, curve=curve) for s in range(3)]
    drawn = figures.curves(["mgnet-20"] * 3, runs).axes[0].lines
    assert [list(line.get_ydata()) for line in drawn] == [[2.0, 1.0]] * 3


def test_without_numbers_the_figures_say_so():
    lines = comparison.compare("poly-mgnet", [], rows=["poly-mgnet-q2"])
    for fig in (figures.accuracy_over(lines), figures.curves([], [])):
        assert "nothing" in fig.axes[0].texts[0].get_text()


def test_every_row_of_every_table_has_a_family():
    for table in TABLES.values():
        for row in table.rows:
            assert figures.kind(row)
