"""Records are whole lines, whatever happens to the processes that write them."""

import json
import multiprocessing
import os
import subprocess
import sys

import pytest

from mgtutorial import records
from mgtutorial.errors import InvalidValue, MgtutorialError, RecordsUnwritable


def _append_many(path, who, n):
    for i in range(n):
        records.append({"who": who, "i": i, "pad": "x" * 300}, path)


def test_processes_that_append_at_once_leave_whole_lines(tmp_path):
    path = tmp_path / "runs.jsonl"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append_many, args=(path, w, 100)) for w in range(3)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert all(w.exitcode == 0 for w in workers)
    found = records.read(path)
    assert sorted((r["who"], r["i"]) for r in found) == [
        (w, i) for w in range(3) for i in range(100)
    ]


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
    code = f"from mgtutorial.records import digest; print(digest({value!r}))"
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

    folder = Path(__file__).parents[1] / "results" / "runs"
    for file in folder.glob("*.jsonl"):
        for line in file.read_text().splitlines():
            record = json.loads(line)
            assert record["config_digest"] == records.digest(record["config"])
            expected = {"config": record["config"], "data": record["data"]["digest"]}
            assert record["digest"] == records.digest(expected)
            assert record["budget"] == file.stem
