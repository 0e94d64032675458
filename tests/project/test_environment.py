"""The environment of the build: what it is installed from, and when it is made anew."""

from itertools import pairwise

import pytest

from tools import environment, running


def test_uv_gets_the_indexes_that_pip_is_told(monkeypatch):
    listing = (
        "global.index-url='https://a.example/simple'\n"
        "global.extra-index-url='https://b.example/simple\\nhttps://c.example/simple'\n"
        "global.find-links='wheels'\n"
        "install.trusted-host='c.example'\n"
        ":env:.index-url='https://d.example/simple'\n"
    )
    monkeypatch.setattr(environment, "ask", lambda *command: (True, listing))
    options = environment.uv_options(environment.pip_settings())
    pairs = set(pairwise(options))
    assert ("--default-index", "https://d.example/simple") in pairs, "a variable wins over a file"
    assert ("--index", "https://b.example/simple") in pairs
    assert ("--index", "https://c.example/simple") in pairs
    assert ("--find-links", "wheels") in pairs
    assert ("--allow-insecure-host", "c.example") in pairs
    assert "https://a.example/simple" not in options and "--no-index" not in options


def test_next_installer_is_tried_and_the_last_failure_stops(monkeypatch, capsys):
    monkeypatch.setattr(
        environment, "installers", lambda python: iter([("one", ["one"]), ("two", ["two"])])
    )
    tried = []
    monkeypatch.setattr(environment, "run", lambda *c: tried.append(c[0]) or int(c[0] == "one"))
    environment.install("it", "1 s", ("first",), ("second",))
    assert tried == ["one", "two", "two"], "a failed batch must not be followed by the next"
    monkeypatch.setattr(environment, "run", lambda *c: 1)
    with pytest.raises(running.Stop, match="network"):
        environment.install("it", "1 s", ("first",))


def test_pip_installs_into_another_environment_where_one_is_named(monkeypatch):
    monkeypatch.setattr(environment, "find_uv", lambda: None)
    monkeypatch.setattr(environment, "pip_settings", dict)
    (_, own), (_, other) = (
        *environment.installers(running.PYTHON),
        *environment.installers("else"),
    )
    assert own[:4] == [running.PYTHON, "-m", "pip", "install"]
    assert other[:6] == [running.PYTHON, "-m", "pip", "--python", "else", "install"]


WANT = {"root": "here", "python": "3.12", "packages": "abc"}


@pytest.mark.parametrize(
    ("made", "python", "complete", "reason"),
    [
        ({**WANT, "ready": True}, "3.12", True, None),
        ({**WANT, "packages": "old", "ready": True}, "3.12", True, None),  # is updated
        ({}, "3.12", True, None),  # made by hand: is completed, not thrown away
        ({**WANT, "ready": False}, "3.12", True, "interrupted"),
        ({**WANT, "root": "there", "ready": True}, "3.12", True, "another folder"),
        ({**WANT, "ready": True}, "3.11", True, "Python 3.11"),
        ({**WANT, "ready": True}, None, True, "not start"),
        ({**WANT, "ready": True}, "3.12", False, "missing"),
    ],
)
def test_environment_is_made_anew_only_for_a_reason(monkeypatch, made, python, complete, reason):
    monkeypatch.setattr(environment, "ask", lambda *command: (python is not None, f"{python}\n"))
    monkeypatch.setattr(environment, "have", lambda *modules: complete)
    said = environment.why_anew(made, WANT)
    assert said is None if reason is None else reason in said


def test_killed_task_leaves_no_lock():
    with running.one_at_a_time("test"):
        pass
    with running.one_at_a_time("test"):  # would wait for ever if the first still held it
        pass
