"""How killed runs are held against calm ones: what is time differs, anything else is a fault."""

import copy
import importlib.util
import json

import pytest

from mgtutorial import _paths
from mgtutorial.training import configure, train
from mgtutorial.training.workspace import Workspace


@pytest.fixture(scope="module")
def trials():
    path = _paths.checkout() / "benchmarks" / "kill_trials.py"
    spec = importlib.util.spec_from_file_location("kill_trials", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """A record as a run writes it."""
    runs = tmp_path_factory.mktemp("calm") / "runs"
    train(configure("mgnet-20", "digits", "smoke", epochs=1, n_train=64), Workspace(runs))
    return json.loads((runs / "smoke.jsonl").read_text())


def compared(trials, folder, *records):
    folder.mkdir()
    text = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "smoke.jsonl").write_text(text)
    return trials.plain(folder)


def test_times_and_the_commit_at_work_may_differ(trials, line, tmp_path):
    """A trial takes minutes, in which files are edited: `commit` then ends in a plus, or grows."""
    other = copy.deepcopy(line)
    other |= {"seconds": 1e3, "finished": "2000-01-01T00:00:00+00:00", "commit": "0123456789ab+"}
    other["curve"][0]["seconds"] = 17.0
    ours, theirs = (compared(trials, tmp_path / n, r) for n, r in (("a", line), ("b", other)))
    assert ours == theirs and ours.keys() == {line["digest"]}
    (run,) = ours
    assert trials.difference(ours[run], theirs[run]) == {}


def test_every_other_field_is_compared(trials, line, tmp_path):
    """The last digit of a loss, a rate, a metric, the device: each is named."""
    calm = compared(trials, tmp_path / "calm", line)
    (run,) = calm
    for i, name in enumerate(sorted(line.keys() - {"seconds", "finished", "commit", "digest"})):
        other = copy.deepcopy(line)
        if name == "curve":
            other["curve"][0]["loss"] *= 1 + 2**-50
        else:
            other[name] = [line[name], "another"]
        found = compared(trials, tmp_path / str(i), other)
        assert found != calm and trials.difference(found[run], calm[run]).keys() == {name}
    assert "2 and 1 records" in trials.difference(
        compared(trials, tmp_path / "twice", line, line)[run], calm[run]
    )
    assert "0 and 1 records" in trials.difference(None, calm[run])
