"""Accuracy against cost: rows are those of equal budget, and the front is the front."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mgtutorial import _paths
from mgtutorial.models import count_macs, count_weights, named
from mgtutorial.reproduction import budgets, frontier, verdicts
from mgtutorial.training import records

from .test_claims import run

RUNS = records.read(_paths.packaged_results() / "runs")
TABLE = json.loads(
    (Path(__file__).resolve().parents[2] / "results/frontier.json").read_text(encoding="utf-8")
)


def test_a_row_is_the_mean_of_its_seeds_beside_what_it_costs():
    runs = [run("mgnet-20", a, s) for s, a in enumerate((90, 91, 95))] + [run("resnet20", 80)]
    costs = {"mgnet-20": {"step": 2.0, "memory": 7.0}}
    resnet, mgnet = frontier.rows(runs, costs)
    three = verdicts.interval([90, 91, 95])
    assert (mgnet["accuracy"], mgnet["seeds"], mgnet["step"]) == (92, 3, 2.0)
    assert mgnet["interval"] == f"{three.low:.2f} to {three.high:.2f}"
    assert resnet["interval"] == "" and "step" not in resnet
    # MgNet has fewer weights, more multiplications, and is the more accurate one
    assert mgnet["macs"] > resnet["macs"]
    assert mgnet["on_front"] == ["weights", "macs", "step", "memory"]
    assert resnet["on_front"] == ["macs"]


def test_one_network_alone_and_runs_for_a_choice_make_no_row():
    assert frontier.rows([run("mgnet-20", 90)], {}) == []
    assert frontier.rows([run("mgnet-20", 90), run("resnet20", 90, budget="short")], {}) == []


def test_costs_that_were_measured_on_other_images_are_not_given():
    runs = [run(name, 90, data="cifar10") for name in ("mgnet-20", "resnet20")]
    made = frontier.rows(runs, {"mgnet-20": {"step": 2.0, "memory": 7.0}})
    assert len(made) == 2 and not any("step" in row or "memory" in row for row in made)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=6))
def test_the_front_is_what_nothing_dominates(pairs):
    rows = [{"weights": w, "accuracy": a} for w, a in pairs]
    for i, (w, a) in enumerate(pairs):
        others = pairs[:i] + pairs[i + 1 :]
        dominated = any(v <= w and b >= a for v, b in others)
        assert frontier.on_front(rows[i], rows, "weights") is not dominated


def test_every_network_of_the_list_is_a_network_once_and_has_costs():
    costs = frontier.measured_costs()
    info = type("info", (), {"name": "x", "channels": 1, "classes": 10, "stem": "3x3"})
    configs = [budgets.written_network(text, info) for text in frontier.NETWORKS]
    assert len(set(configs)) == len(frontier.NETWORKS)
    assert set(costs) == set(frontier.NETWORKS)
    assert all(value > 0 for own in costs.values() for value in own.values())


def test_the_table_has_the_counts_of_today_and_every_budget_its_front():
    for data, channels, side in (("fashion-mnist", 1, 28), ("cifar10", 3, 32)):
        own = [r for r in TABLE if (r["network"], r["data"]) == ("mgnet-20", data)]
        config = named("mgnet-20", in_channels=channels)
        assert own and {row["weights"] for row in own} == {count_weights(config)}
        assert {row["macs"] for row in own} == {count_macs(config, side, channels)}
    for row in TABLE:
        same = [
            r for r in TABLE if all(r[k] == row[k] for k in ("data", "budget", "epochs", "images"))
        ]
        assert len(same) > 1 and any("weights" in r["on_front"] for r in same)
