"""Records are whole lines, whatever happens to the processes that write them."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from mgtutorial import _paths
from mgtutorial.errors import InvalidValue, MgtutorialError, RecordsUnwritable
from mgtutorial.models.config import plain_fields
from mgtutorial.training import records
from mgtutorial.training.record import SCHEMA, Record, Samples


def made(digest, **changes):
    """A record that came with the package, under another name: its choices name no network."""
    first = records.all_runs()[0]
    choices = {name: value for name, value in first.choices.items() if name != "model"}
    return replace(first, **{"digest": digest, "choices": choices, **changes})


def _append_many(path, numbers, who):
    choices = {"budget": "smoke", "data": "digits", "epochs": 1, "seed": 0}
    # short: each call reads the file
    record = made("", curve=(), choices=choices, commit=str(who))
    for i in numbers:
        records.append(replace(record, digest=f"run {i}"), path)


def append_at_once(path, shares):
    """Append the runs of each share in a process of its own, all at the same time."""
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=_append_many, args=(path, share, who))
        for who, share in enumerate(shares)
    ]
    for w in writers:
        w.start()
    for w in writers:
        w.join()
    assert all(w.exitcode == 0 for w in writers)


def test_four_processes_that_append_a_thousand_records_each_leave_4000_whole_lines(tmp_path):
    path = tmp_path / "runs.jsonl"
    append_at_once(path, [range(w * 1000, (w + 1) * 1000) for w in range(4)])
    lines = path.read_text().splitlines()
    assert len(lines) == 4000
    assert {json.loads(line)["digest"] for line in lines} == {f"run {i}" for i in range(4000)}


def test_of_processes_that_append_the_same_runs_one_writes_each(tmp_path):
    path = tmp_path / "runs.jsonl"
    append_at_once(path, [range(100)] * 3)
    found = sorted(r.digest for r in records.read(path))
    assert found == sorted(f"run {i}" for i in range(100))


def test_a_record_that_is_there_is_returned_and_not_replaced(tmp_path):
    path = tmp_path / "runs.jsonl"
    first = made("a", seconds=1.0, data=Samples(3, digest="b"))
    assert records.append(first, path) == first
    assert records.append(made("a", seconds=2.0), path) == first
    # the digest of its data is no run
    assert records.append(made("b"), path) == made("b")
    assert [r.digest for r in records.read(path)] == ["a", "b"]


_HOLDS = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1] + ".lock"):
    open(sys.argv[1], "a").write('{"digest": "torn"')
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_lock_dies_with_its_killed_holder(tmp_path):
    path = tmp_path / "runs.jsonl"
    command = [sys.executable, "-c", _HOLDS, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "locked\n"
        os.kill(holder.pid, signal.SIGKILL)
    records.append(made("a"), path)  # does not wait
    with pytest.warns(records.TornRecord):
        assert [r.digest for r in records.read(path)] == ["a"]


def test_a_torn_last_line_is_reported_and_costs_no_other_record(tmp_path):
    path = tmp_path / "runs.jsonl"
    records.append(made("a"), path)
    with open(path, "a") as file:
        file.write('{"digest": "b", "curve": [1, 2')
    with pytest.warns(records.TornRecord, match="line 2 is torn"):
        assert [r.digest for r in records.read(path)] == ["a"]
    records.append(made("c"), path)
    with pytest.warns(records.TornRecord, match="line 2"):
        assert [r.digest for r in records.read(path)] == ["a", "c"]


def test_a_record_is_found_by_its_digest_in_a_file_and_in_a_folder(tmp_path):
    records.append(made("a", weights=1), tmp_path / "short.jsonl")
    records.append(made("b", weights=2), tmp_path / "paper.jsonl")
    assert records.find("b", tmp_path).weights == 2
    assert records.find("b", tmp_path / "short.jsonl") is None
    assert records.find("a", tmp_path / "nothing.jsonl") is None


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            {**made("a").to_json(), "schema": SCHEMA + 1},
            "line 1: it has schema 3.*update mgtutorial",
        ),
        ({"digest": "a"}, "line 1: it is no record of a run"),
        ({"schema": SCHEMA, "digest": "a"}, "line 1: it is no record of a run"),
    ],
)
def test_a_newer_schema_and_what_is_no_record_are_sentences(tmp_path, line, sentence):
    path = tmp_path / "runs.jsonl"
    path.write_text(json.dumps(line) + "\n")
    with pytest.raises(InvalidValue, match=sentence):
        records.read(path)


def test_what_is_no_json_is_refused_and_nothing_is_written(tmp_path):
    path = tmp_path / "runs.jsonl"
    with pytest.raises(InvalidValue, match="JSON"):
        records.append(made("a", seconds=float("nan")), path)
    assert not path.exists()


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "results").write_text("a file where the folder should be")
    with pytest.raises(RecordsUnwritable, match="MGTUTORIAL_RESULTS") as caught:
        records.check_writable(tmp_path / "results" / "runs.jsonl")
    assert isinstance(caught.value, OSError) and isinstance(caught.value, MgtutorialError)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device to write to")
def test_a_full_disk_is_one_sentence(tmp_path):
    (tmp_path / "runs.jsonl").symlink_to("/dev/full")
    with pytest.raises(RecordsUnwritable):
        records.append(made("a"), tmp_path / "runs.jsonl")


def test_a_line_whose_choices_were_changed_is_refused(tmp_path):
    path, record = tmp_path / "runs.jsonl", records.all_runs()[0]
    records.append(record, path)
    assert records.read(path) == [record]
    plain = json.loads(path.read_text())
    for change in ({"seed": 7}, {"lr": 0.5}):
        path.write_text(json.dumps({**plain, "choices": {**plain["choices"], **change}}) + "\n")
        with pytest.raises(InvalidValue, match=f"line 1: .* it says that it is {record.digest}"):
            records.read(path)


def test_digests_do_not_depend_on_order_or_process():
    value = {"b": [1, 2.5, None], "a": {"y": True, "x": "ü"}}
    code = f"from mgtutorial.training.records import digest; print(digest({value!r}))"
    other = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert other.stdout.strip() == records.digest(dict(reversed(value.items())))
    assert records.digest({"b": [1, 2.5, None]}) != records.digest({"b": [1, 2.5, 0]})


SHIPPED = _paths.packaged_results()
LINES = [
    json.loads(line)
    for file in (
        *sorted((SHIPPED / "runs").glob("*.jsonl")),
        SHIPPED / "implicit_function.jsonl",
        *sorted((SHIPPED / "implicit_function_paper").glob("*.jsonl")),
    )
    if file.stem != "smoke"
    for line in file.read_text().splitlines()
]


@contextmanager
def _named(line):
    """Say which record fails: as a case of its own each would cost more than what it checks."""
    try:
        yield
    except Exception as error:
        error.add_note(f"record {line['digest']}")
        raise


def test_a_shipped_record_goes_through_json_unchanged():
    assert LINES
    for line in LINES:
        with _named(line):
            record = Record.from_json(line)
            again = json.loads(json.dumps(record.to_json(), allow_nan=False))
            assert again["schema"] == SCHEMA and "config_digest" not in again
            assert Record.from_json(again) == record


def test_a_run_of_schema_1_says_what_its_keys_said():
    lines = [x for x in LINES if "config" in x and x["schema"] == 1]
    assert lines
    for line in lines:
        with _named(line):
            _run_says(line)


def _run_says(line):
    r, split = Record.from_json(line), line["evaluated_on"]["split"]
    for name in ("digest", "seed", "budget", "epochs", "partial", "weights", "macs", "seconds",
                 "finished", "versions", "commit"):  # fmt: skip
        assert getattr(r, name) == line[name], name
    assert r.choices == line["config"] and r.config.as_dict() == line["config"]
    assert (r.metric.name, r.metric.split) == ("accuracy", split)
    assert r.metric.value == line[f"{split}_accuracy"]
    assert r.curve[-1].train == line["train_accuracy"]
    assert (r.data.digest, r.data.source, r.data.n) == tuple(
        line["data"][k] for k in ("digest", "source", "n")
    )
    assert (r.evaluated_on.n, r.evaluated_on.digest) == tuple(
        line["evaluated_on"][k] for k in ("n", "digest")
    )
    assert r.device.type == line["device"]["type"]
    assert r.device.threads == line["device"].get("threads")
    for row, old in zip(r.curve, line["curve"], strict=True):
        ours = (row.epoch, row.lr, row.loss, row.train, row.val, row.seconds)
        assert ours == tuple(
            old.get(k) for k in ("epoch", "lr", "loss", "train_accuracy", "val_accuracy", "seconds")
        )


def test_a_function_of_the_plane_of_schema_1_says_what_its_keys_said():
    lines = [x for x in LINES if "function" in x]
    assert lines
    for line in lines:
        with _named(line):
            _function_says(line)


def _function_says(line):
    r = Record.from_json(line)
    assert records.digest(r.config.as_dict()) == line["digest"] == r.digest
    assert plain_fields(r.config.model) == line["network"]
    for name in ("n", "lr", "batch_size", "momentum", "on"):
        assert getattr(r.config, name) == line[name], name
    for name in ("seed", "budget", "epochs", "weights", "seconds", "finished", "commit"):
        assert getattr(r, name) == line[name], name
    assert (r.metric.name, r.metric.value) == ("mse", line["mse"])
    assert r.metric.split == {"test points": "test", "held-out points": "val"}[line["on"]]
    assert [row.loss for row in r.curve] == line["curve"] and r.data.n == line["n"]


def test_a_new_field_with_a_default_touches_one_file():
    """Readers of old lines get its default, and old readers of new lines pass over it."""

    @dataclass(frozen=True)
    class Later(Record):
        energy: float | None = None

    old = LINES[0]
    assert Later.from_json(old).energy is None
    assert "energy" not in Later.from_json(old).to_json()
    new = replace(Later.from_json(old), energy=3.5)
    assert Later.from_json(new.to_json()) == new
    assert Record.from_json(new.to_json()) == Record.from_json(old)


def test_the_shipped_records_are_whole_and_their_digests_are_their_choices():
    for file in (SHIPPED / "runs").glob("*.jsonl"):
        for record in records.read(file):
            identity = record.config.identity(record.data)
            assert record.digest == records.digest(identity)
            assert identity["config"] == record.choices
            assert record.budget == file.stem
