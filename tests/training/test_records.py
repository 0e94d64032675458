"""Records are whole lines, whatever happens to the processes that write them."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

from mgtutorial import _paths
from mgtutorial.errors import InvalidValue, MgtutorialError, RecordsUnwritable
from mgtutorial.training import records


def _append_many(path, numbers, who):
    for i in numbers:
        records.append({"digest": f"run {i}", "who": who, "pad": "x" * 300}, path)


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
    found = sorted(r["digest"] for r in records.read(path))
    assert found == sorted(f"run {i}" for i in range(100))


def test_a_record_that_is_there_is_returned_and_not_replaced(tmp_path):
    path = tmp_path / "runs.jsonl"
    first = {"digest": "a", "test_accuracy": 0.5, "data": {"digest": "b"}}
    assert records.append(first, path) == first
    assert records.append({"digest": "a", "test_accuracy": 0.6}, path) == first
    # the digest of its data is no run
    assert records.append({"digest": "b"}, path) == {"digest": "b"}
    assert [r["digest"] for r in records.read(path)] == ["a", "b"]


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
    records.append({"digest": "a"}, path)  # does not wait
    with pytest.warns(records.TornRecord):
        assert [r["digest"] for r in records.read(path)] == ["a"]


def test_a_torn_last_line_is_reported_and_costs_no_other_record(tmp_path):
    path = tmp_path / "runs.jsonl"
    records.append({"digest": "a"}, path)
    with open(path, "a") as file:
        file.write('{"digest": "b", "curve": [1, 2')
    with pytest.warns(records.TornRecord, match="line 2 is torn"):
        assert [r["digest"] for r in records.read(path)] == ["a"]
    records.append({"digest": "c"}, path)
    with pytest.warns(records.TornRecord, match="line 2"):
        assert [r["digest"] for r in records.read(path)] == ["a", "c"]


def test_a_record_is_found_by_its_digest_in_a_file_and_in_a_folder(tmp_path):
    records.append({"digest": "a", "n": 1}, tmp_path / "short.jsonl")
    records.append({"digest": "b", "n": 2}, tmp_path / "paper.jsonl")
    assert records.find("b", tmp_path)["n"] == 2
    assert records.find("b", tmp_path / "short.jsonl") is None
    assert records.find("a", tmp_path / "nothing.jsonl") is None


def test_a_newer_schema_is_refused(tmp_path):
    path = tmp_path / "runs.jsonl"
    records.append({"schema": records.SCHEMA + 1}, path)
    with pytest.raises(InvalidValue, match="update mgtutorial"):
        records.read(path)


def test_what_is_no_json_is_refused_and_nothing_is_written(tmp_path):
    path = tmp_path / "runs.jsonl"
    with pytest.raises(InvalidValue, match="JSON"):
        records.append({"loss": float("nan")}, path)
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
        records.append({"a": 1}, tmp_path / "runs.jsonl")


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


def test_the_committed_records_are_whole_and_their_digests_are_their_configs():
    from pathlib import Path

    folder = Path(__file__).parents[2] / "results" / "runs"
    for file in folder.glob("*.jsonl"):
        for line in file.read_text().splitlines():
            record = json.loads(line)
            assert record["config_digest"] == records.digest(record["config"])
            expected = {"config": record["config"], "data": record["data"]["digest"]}
            assert record["digest"] == records.digest(expected)
            assert record["budget"] == file.stem


def test_committed_runs_keep_their_names():
    """What was trained under an older version is found, and not trained again, by this one."""
    from mgtutorial import models
    from mgtutorial.training import protocols

    for record in records.read(_paths.shipped() / "runs"):
        config = dict(record["config"])
        config = protocols.TrainConfig(**config | {"model": models.from_dict(config["model"])})
        assert records.digest(config.as_dict()) == record["config_digest"]
