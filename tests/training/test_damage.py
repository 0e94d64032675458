"""What is damaged on a disk is noticed, and costs no more than itself."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from mgtutorial import models
from mgtutorial.errors import CheckpointMismatch, InvalidValue, MgtutorialError, Unfinished
from mgtutorial.sweeps import runs as sweep
from mgtutorial.training import loop, protocols, records
from mgtutorial.training.time_limits import TimeLimit
from mgtutorial.training.weights import trained
from mgtutorial.training.workspace import (
    Workspace,
    digest_of,
    load_checkpoint,
    save_checkpoint,
    tidy,
)

SMALL = models.MgNetConfig(channels=(4, 8), steps=1)


def configure(**changes):
    given = {"epochs": 3, "n_train": 64} | changes
    return protocols.configure(SMALL, "digits", "smoke", **given)


@pytest.fixture(scope="module")
def stopped_once(tmp_path_factory):
    """The folder of a run that was stopped after one of its epochs: trained once for all."""
    folder, limit = tmp_path_factory.mktemp("stopped"), TimeLimit()
    limit._asked = lambda: limit.epochs >= 1
    with pytest.raises(Unfinished):
        loop.train(configure(), Workspace(folder / "runs", device="cpu", time_limit=limit))
    return folder


@pytest.fixture
def stopped(stopped_once, tmp_path):
    """The checkpoint of that run, in a copy of its own."""
    shutil.copytree(stopped_once, tmp_path, dirs_exist_ok=True)
    (path,) = tmp_path.rglob("*.pt")
    return path


def go_on(path, **changes):
    return loop.train(configure(**changes), Workspace(path.parent.parent / "runs", device="cpu"))


@pytest.mark.parametrize("place", [0.1, 0.33, 0.5, 0.66, 0.8])
def test_bytes_that_turned_over_are_noticed_wherever_they_are(stopped, place):
    content = bytearray(stopped.read_bytes())
    at = int(place * len(content))
    content[at : at + 64] = bytes(b ^ 0xFF for b in content[at : at + 64])
    stopped.write_bytes(content)
    with pytest.raises(CheckpointMismatch, match="delete it to start anew"):
        go_on(stopped)
    assert not records.read(stopped.parent.parent / "runs")


def test_a_sound_checkpoint_goes_on_and_an_older_one_without_a_digest_too(stopped):
    state = torch.load(stopped, weights_only=True)
    assert state.pop("digest") == digest_of(state)
    torch.save(state, stopped)
    assert go_on(stopped).epochs == 3


def _more_rows(state):
    state["curve"] = state["curve"] * 20


def _renumbered(state):
    state["curve"] = [{**row, "epoch": 2} for row in state["curve"]]


def _not_finite(state):
    state["curve"] = [{**row, "loss": float("nan")} for row in state["curve"]]


def _no_weight(state):
    state["model"].pop(next(iter(state["model"])))


def _other_weight(state):
    name = next(iter(state["model"]))
    state["model"][name] = torch.zeros(1)


def _no_order(state):
    state["order"] = torch.zeros(3, dtype=torch.uint8)


def _no_part(state):
    del state["optimiser"]


@pytest.mark.parametrize(
    "spoil",
    [_more_rows, _renumbered, _not_finite, _no_weight, _other_weight, _no_order, _no_part],
)
def test_a_checkpoint_that_says_what_none_can_say_is_refused(stopped, spoil):
    state = load_checkpoint(stopped)
    del state["digest"]
    spoil(state)
    save_checkpoint(stopped, state)
    with pytest.raises(CheckpointMismatch, match="delete it to start anew"):
        go_on(stopped)


@pytest.mark.parametrize(
    "state",
    [
        {"run": "x", "config": ["lr"]},
        {"run": "x", "config": None},
        {"run": "x", "config": {"lr": torch.ones(2)}},
        {"run": torch.ones(2), "config": {}},
        {"run": "x"},
        ["run", "config"],
    ],
)
def test_a_file_of_another_program_is_no_checkpoint_whatever_its_words_mean(tmp_path, state):
    torch.save(state, tmp_path / "x.pt")
    with pytest.raises(CheckpointMismatch):
        load_checkpoint(tmp_path / "x.pt", "0123", {"lr": 0.1})


def test_what_is_no_checkpoint_is_not_called_one_to_delete(tmp_path):
    """Somebody's own file was named by mistake: only one that may be a torn checkpoint is."""
    (tmp_path / "smoke.jsonl").write_text('{"run": "0123"}\n')
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "mine.pt")
    (tmp_path / "folder").mkdir()
    for name in ("smoke.jsonl", "mine.pt", "folder"):
        for read in (trained, load_checkpoint):
            with pytest.raises(CheckpointMismatch, match="give another path") as said:
                read(tmp_path / name)
            assert "delete" not in str(said.value)
    (tmp_path / "torn.pt").write_bytes((tmp_path / "mine.pt").read_bytes()[:-100])
    (tmp_path / "empty.pt").touch()
    for name in ("torn.pt", "empty.pt"):
        with pytest.raises(CheckpointMismatch, match="if it is one that was damaged, delete it"):
            load_checkpoint(tmp_path / name)


@pytest.mark.parametrize("name", ["a*.pt", "a[b].pt", "a?.pt"])
def test_what_was_half_saved_is_found_by_its_name_and_nothing_else_is(tmp_path, name):
    mine, other = tmp_path / f"{name}.99.tmp", tmp_path / "ab.pt.99.tmp"
    mine.touch()
    other.touch()
    tidy(tmp_path / name)
    assert not mine.exists() and other.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"[" * 9999, bytes(3000)])
def test_one_damaged_checkpoint_costs_no_other_run(tmp_path, content):
    workspace = Workspace(tmp_path / "runs", device="cpu", progress=False)
    configs = [configure(seed=s, epochs=1) for s in range(3)]
    victim = sweep.survey(configs, workspace)[0]
    path = workspace.checkpoint_of(victim.digest)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(InvalidValue, match="1 of 3 runs failed"):
        sweep.run(configs, workspace)
    assert len(records.read(tmp_path / "runs")) == 2
    assert path.read_bytes() == content


@pytest.mark.parametrize("loss", [float("inf"), float("-inf"), float("nan")])
def test_a_loss_that_is_not_finite_ends_the_run_in_its_epoch(tmp_path, monkeypatch, loss):
    from mgtutorial.training.tasks import Classification

    def diverged(self, outputs, targets):
        return outputs.sum() * 0 + loss

    monkeypatch.setattr(Classification, "loss", diverged)
    with pytest.raises(InvalidValue, match="in epoch 1: the training diverged"):
        loop.train(configure(), Workspace(tmp_path / "runs", device="cpu"))
    assert not list(tmp_path.rglob("*.pt"))


# --- records

RECORD = records.all_runs()[0]


def _lines(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def _with(**changes):
    return json.dumps({**RECORD.to_json(), **changes})


@pytest.mark.parametrize(
    "line",
    [
        _with(metric={"name": "accuracy", "value": 2.5, "split": "test"}),
        _with(metric={"name": "accuracy", "value": -0.1, "split": "test"}),
        _with(metric={"name": "accuracy", "value": float("nan"), "split": "test"}),
        _with(metric={"name": "accuracy", "value": "0.5", "split": "test"}),
        _with(seconds=float("inf")),
        _with(seconds=-1),
        _with(weights=-5),
        _with(weights=None),
        _with(schema="x"),
        _with(schema=None),
        _with(schema=0),
        _with(curve=[{"epoch": 2, "loss": 1.0, "lr": 0.1}]),
        _with(curve=[{"epoch": 1, "loss": float("nan"), "lr": 0.1}]),
        _with(curve=None),
        _with(choices={}),
        _with(data={"n": -3}),
        _with(device=None),
        _with(digest="<script>alert(1)</script>"),
        _with(digest="../../x"),
        _with(digest=None),
        '{"digest": "a"}',
    ],
)
def test_a_line_that_names_a_run_and_says_what_none_can_say_is_a_sentence(tmp_path, line):
    path = _lines(tmp_path / "runs" / "short.jsonl", line)
    with pytest.raises(InvalidValue, match=r"short\.jsonl, line 1: "):
        records.read(path)


@pytest.mark.parametrize(
    "line",
    [
        '{"loss": 1.5}', "[1, 2]", "3", "null", '"text"', "epoch,loss", "[" * 200_000,
        '{"step": 1, "schema": "x"}', "9" * 5000,
    ],
)  # fmt: skip
def test_a_line_of_another_program_costs_nothing(tmp_path, line):
    path = _lines(tmp_path / "runs" / "short.jsonl", line, json.dumps(RECORD.to_json()))
    with pytest.warns(records.TornRecord, match="line 1 is torn, or no record"):
        assert records.read(path) == [RECORD]


def test_a_binary_file_is_one_warning(tmp_path):
    path = tmp_path / "other.jsonl"
    path.write_bytes(bytes(range(256)) * 500)
    with pytest.warns(records.TornRecord, match="and so are") as told:
        assert records.read(path) == []
    assert len(told) == 1


def test_what_is_no_file_is_passed_over_or_said(tmp_path):
    (tmp_path / "old.jsonl").mkdir()
    assert records.read(tmp_path) == records.read(tmp_path / "old.jsonl") == []
    (tmp_path / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InvalidValue, match="no regular file"):
        records.read(tmp_path)
    (tmp_path / "gone.jsonl").unlink()
    os.mkfifo(tmp_path / "pipe.jsonl")  # which would be waited for
    with pytest.raises(InvalidValue, match="no regular file"):
        records.read(tmp_path)


def test_of_two_records_of_one_run_the_first_counts_everywhere(tmp_path):
    from mgtutorial.reproduction import comparison

    other = replace(RECORD, metric=replace(RECORD.metric, value=0.5))
    path = _lines(tmp_path / "short.jsonl", *(json.dumps(r.to_json()) for r in (RECORD, other)))
    assert records.read(path) == [RECORD] and records.find(RECORD.digest, path) == RECORD
    assert records.append(other, path) == RECORD
    groups = comparison.defaultdict(dict)
    for run in (RECORD, other):
        comparison._put(groups, run)
    assert list(groups.values()) == [{RECORD.seed: RECORD}]


@pytest.mark.parametrize(
    "changes", [{"commit": "\ud800"}, {"strategy": object()}, {"seconds": float("inf")}]
)
def test_what_cannot_be_written_as_json_is_refused_and_nothing_is_written(tmp_path, changes):
    with pytest.raises(InvalidValue, match="JSON"):
        records.append(replace(RECORD, **changes), tmp_path / "a.jsonl")
    with pytest.raises(InvalidValue, match="no Record"):
        records.append({"digest": "x"}, tmp_path / "a.jsonl")
    assert not (tmp_path / "a.jsonl").exists()


_FULL = """
import json, resource, signal, sys
from dataclasses import replace
from mgtutorial.training import records
path, first = sys.argv[1], records.all_runs()[0]
records.append(first, path)
before = open(path, "rb").read()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for room in (1, 100, len(before) // 2):  # a disk that is full in the midst of the line
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + room, resource.RLIM_INFINITY))
    try:
        records.append(replace(first, digest="other"), path)
        sys.exit("it was written")
    except records.RecordsUnwritable:
        assert open(path, "rb").read() == before, "half a line is left"
"""


def test_a_disk_that_is_full_in_the_midst_of_a_line_leaves_none_of_it(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path / "a.jsonl")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-400:]


def test_every_mistake_with_a_file_is_the_projects_own_error(tmp_path):
    for name in ("a\0b", "x" * 5000):
        with pytest.raises(MgtutorialError):
            records.check_writable(tmp_path / name / "runs.jsonl")
