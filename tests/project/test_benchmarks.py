"""The harness of the benchmarks: its rows, its file, its bars; each subject, small."""

import importlib
import json
import re

import pytest

from benchmarks import __main__ as program
from benchmarks import rows
from benchmarks.side_by_side import alternate
from mgtutorial import _paths

COMMITTED = _paths.checkout() / "results" / "benchmarks.json"
MADE = [
    {"case": "a", "side": "mgtutorial", "unit": "s", "values": [1.0, 4.0, 2.0, 3.0, 2.5]},
    {"case": "a", "side": "other", "unit": "s", "values": [5.0]},
    {"case": "b", "side": "mgtutorial", "unit": "images/s", "values": [30.0]},
    {"case": "b", "side": "other", "unit": "images/s", "values": [10.0], "facts": {"n": 3}},
]


def made(given=MADE):
    return {"poisson": rows.subject([rows.row(r) for r in given], "Made", (0, 2), 1.4)}


def bar(case, side, against, least):
    return {"subject": "poisson", "case": case, "side": side, "against": against, "least": least}


def test_a_row_has_the_median_the_quartiles_and_the_best():
    found = rows.row(MADE[0])
    assert (found["n"], found["median"], found["quartiles"]) == (5, 2.5, [2.0, 3.0])
    assert found["best"] == 1.0 and rows.row(MADE[2])["best"] == 30.0
    assert rows.row({**MADE[2], "values": [10.0, 30.0]})["best"] == 30.0  # of a rate, the most


@pytest.mark.parametrize(
    "change",
    [{"unit": "hours"}, {"values": []}, {"values": [1.0, 0.0]}, {"seconds": 3}],
    ids=str,
)
def test_a_row_that_the_contract_does_not_know_is_refused(change):
    with pytest.raises(ValueError):
        rows.row({**MADE[0], **change})


def test_sides_take_turns_and_the_first_round_does_not_count():
    order = []
    sides = {name: lambda name=name: order.append(name) or len(order) for name in "ab"}
    last, seconds = alternate(sides, 3)
    assert order == list("ab" * 4) and last == {"a": 7, "b": 8}
    assert {name: len(s) for name, s in seconds.items()} == {"a": 3, "b": 3}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (bar("a", "mgtutorial", "other", "2"), None),  # 5 s against 2.5 s: exactly twice
        (bar("a", "mgtutorial", "other", "2.1"), "is 2.00 times better than other"),
        (bar("b", "mgtutorial", "other", "3"), None),  # of a rate more is better
        (bar("b", "mgtutorial", "other", "3.1"), "is 3.00 times better"),
        (bar("b", "other", "mgtutorial", "1"), "is 0.33 times better"),
        (bar("a", "mgtutorial", "3", "1"), None),  # a limit: 3 s
        (bar("a", "mgtutorial", "2", "1"), "is 0.80 times better than 2"),
        (bar("a", "mgtutorial", "nobody", "1"), "was not measured"),
        (bar("c", "mgtutorial", "other", "1"), "was not measured"),
    ],
    ids=str,
)
def test_a_bar_is_missed_exactly_when_the_ratio_is_below_it(line, words):
    missed = rows.missed(made(), [line])
    assert len(missed) == (words is not None)
    assert words is None or words in missed[0]
    assert rows.missed({}, [line]) == []  # of a subject that was not measured nothing is asked


def test_check_fails_below_a_bar_and_only_with_check(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(program, "measure", lambda name: made()[name])
    lines = [bar("a", "mgtutorial", "other", "2"), bar("b", "mgtutorial", "other", "4")]
    monkeypatch.setattr(rows, "bars", lambda: lines)
    file = tmp_path / "f.json"
    assert program.main(["poisson", "--check", "--json", str(file)]) == 1
    assert "1 bars are held, 1 missed." in capsys.readouterr().out
    assert program.main(["poisson"]) == 0
    lines.pop()
    assert program.main(["poisson", "--check"]) == 0
    assert rows.read(file)["poisson"] == made()["poisson"]
    with pytest.raises(SystemExit):
        program.main(["poison"])


def test_a_file_keeps_the_subjects_that_were_not_measured_and_refuses_another_schema(tmp_path):
    file = tmp_path / "f.json"
    rows.write(file, made())
    rows.write(file, {"data": made()["poisson"]})
    assert set(rows.read(file)) == {"poisson", "data"}
    file.write_text(json.dumps({"schema": 0, "subjects": {}}))
    with pytest.raises(ValueError, match="schema 0"):
        rows.read(file)


@pytest.mark.parametrize(
    "file", sorted(COMMITTED.parent.glob("benchmarks*.json")), ids=lambda file: file.stem
)
def test_what_is_committed_is_what_the_harness_makes(file):
    """The fields, statistics that can be, and no name of a host and no path."""
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"/(?:home|root|work|tmp)/|localhost|\d+\.\d+\.\d+\.\d+", text)
    subjects = rows.read(file)
    assert set(subjects) <= set(rows.SUBJECTS)
    for name, subject in subjects.items():
        assert subject.keys() == made()["poisson"].keys(), name
        sides = [(r["case"], r["side"]) for r in subject["rows"]]
        assert len(sides) == len(set(sides))
        for row in subject["rows"]:
            again = rows.row({**{k: row[k] for k in ("case", "side", "unit", "facts")},
                              "values": row["quartiles"] + [row["median"]]})  # fmt: skip
            assert row.keys() == again.keys() and row["n"] >= 1
            low, high = row["quartiles"]
            assert 0 < low <= row["median"] <= high


def test_every_bar_names_rows_that_were_committed_and_is_held_by_them():
    subjects, lines = rows.read(COMMITTED), rows.bars()
    assert {line["subject"] for line in lines} <= set(subjects)
    assert rows.missed(subjects, lines) == []


def test_the_readme_and_the_command_know_the_same_subjects():
    readme = (_paths.checkout() / "benchmarks" / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \| ", readme.split("## A subject")[0], re.MULTILINE)
    assert sorted(listed) == sorted(rows.SUBJECTS)
    assert set(program.there()) <= set(rows.SUBJECTS)


#: Small sizes; poisson needs PyAMG, which the tests do not install.
SMALL = {
    "peaks": {"n": 16, "size": 2**12, "repeat": 1},
    "spectra": {
        "channels": (4,),
        "repeat": (2,),
        "dense_grids": (4,),
        "redraws": 1,
        "positions": 2,
    },
    "networks": {
        "batch": 2,
        "repeat": 1,
        "ours": ("mgiad-20-g4",),
        "theirs": ("mobilenet_v3_small",),
    },
    "frontier": {"batch": 2, "repeat": 1, "names": ("mgnet-20", "mgiad-20-g4 eta_post=2")},
    "imports": {
        "repeat": 1,
        "imports": {"Python": ""},
        "commands": {"mgtutorial": ["--version"]},
    },
    "poisson": {"n": 16, "repeat": 1, "sizes": (16,)},
    "step": {"names": ("mgiad-20-g4",), "repeat": 1, "compiled": False, "batch": 2},
    "inference": {"names": ("mgiad-20-g4",), "batches": (1,), "repeat": 1, "compiled": False},
    "compiling": {"names": ("mgiad-20-g4",), "backend": "aot_eager", "batch": 2},
    "memory": {"names": ("mgnet-20",), "imagenet": False},
    "torchvision_spectra": {"chosen": ("squeezenet1_1", "ssdlite320_mobilenet_v3_large")},
    "mobile": {
        "names": ("mgtutorial ghostnet 1.0",),
        "size": 64,
        "repeat": 1,
        "ways": ("eager", "ONNX Runtime"),
        "batch": 2,
        "passes": 1,
    },
}
#: Of the facts: in double precision, but where networks compute in single precision or less.
APART = {"inference": 1e-5, "step": 0.2, "mobile": 1e-4}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_a_subject_runs_in_small(name):
    """(The data pipeline is in tests/data/test_images.py.)"""
    if name == "poisson":
        pytest.importorskip("pyamg", reason="not part of the environment of the tests")
    if name == "mobile":
        pytest.importorskip("onnxscript", reason="comes with the extra onnx")
        pytest.importorskip("onnxruntime", reason="comes with the extra onnx")
    module = importlib.import_module(f"benchmarks.{name}")
    found = [rows.row(given) for given in module.measure(**SMALL[name])]
    assert found and any(r["side"].startswith(("mgtutorial", "torch")) for r in found)
    assert rows.table(found).count("\n") == len(found) + 1
    for r in found:
        assert r["facts"].get("difference", 0) < APART.get(name, 1e-12)
        assert r["facts"].get("alike", 0) < 1e-5  # without what rounding decides


@pytest.mark.parametrize("memory", [10_000_000, 40_000_000, 2e9])
@pytest.mark.parametrize("side", ["literal", "mgtutorial", "mgtutorial, lean"])
def test_the_largest_batch_fits_and_the_next_does_not(side, memory):
    """The worst moment of MgNet-20 with two images is not that with hundreds."""
    from benchmarks import memory as subject

    size, channels, _ = subject.CASES["mgnet-20"]
    net = subject.sides(subject.network("mgnet-20", size, channels))[side]

    def needed(n):
        peak = subject.activations_in_training(net, n, size, channels).peak
        return peak + subject.fixed(net)

    found = subject.largest_batch(net, size, channels, memory)
    assert needed(found) <= memory < needed(found + 1)


def test_there_is_no_batch_where_the_weights_alone_are_too_many():
    from benchmarks import memory as subject

    size, channels, _ = subject.CASES["mgnet-20"]
    net = subject.network("mgnet-20", size, channels)
    assert subject.largest_batch(net, size, channels, subject.fixed(net)) == 0


def test_what_a_network_moves_is_counted_operation_by_operation():
    """A convolution, a ReLU and a view: input, weight and output; twice the output; nothing."""
    import torch
    from torch import nn

    from benchmarks.networks import traffic

    net = nn.Sequential(nn.Conv2d(1, 3, 1, bias=False), nn.ReLU(), nn.Flatten())
    x = torch.zeros(2, 1, 5, 5)
    assert traffic(net, x) == 4 * (50 + 3 + 150 + 2 * 150)
