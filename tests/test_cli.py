"""The command line as a user meets it: one sentence and code 2 for what can be mended."""

import csv
import io
import json
import os
import re
import subprocess
import sys

import pytest

from mgtutorial.cli import main
from mgtutorial.reproduction.papers.catalogue import MADE_BY_NOTEBOOK
from mgtutorial.reproduction.tables import TABLES
from mgtutorial.training import records


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "mgtutorial", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


MISTAKES = [
    (["train", "--model", "mgnet20"], "did you mean 'mgnet-20'"),
    (["train", "--model", "mgnet-20", "--budget", "shrot"], "did you mean 'short'"),
    (["train", "--model", "mgnet-20", "--data", "fasion-mnist"], "did you mean 'fashion-mnist'"),
    (["train", "--model", "mgnet-20", "--device", "cuda:99"], "not available here"),
    (["train", "--model", "mgnet-20", "--epochs", "0"], "epochs=0"),
    (["reproduce", "mgiad-table3"], "did you mean 'mgiad-table3-cifar100'"),
    (["reproduce", "mgiad-table2", "--rows", "mgnet20"], "did you mean 'mgnet-20'"),
    (["train", "--model", "mgnet-20", "--protocol", "mgik"], "did you mean 'mgic'"),
    (["reproduce", "mgiad-table2", "--seeds", "0,x"], "whole numbers"),
    (["reproduce", "mgic-table8", "--rows", "mgnet-20"], "no rows to choose from"),
    (["reproduce", "mgiad-table2", "--time-limit", "soon"], "such as 9m, 45s"),
    (
        ["reproduce", "mgiad-table2", "--rows", "mgnet-20", "--time-limit", "0.001s"],
        "too short for one epoch of any",
    ),
    (["reproduce", "mgiad-table2", "all"], "give it alone"),
    (["reproduce", "mgiad-table2", "--rows", "mgnet-20", "--workers", "0"], "workers=0"),
    (["data", "--download", "mnist"], "did you mean"),
    (["data", "--download", "camvid"], "nothing here fetches 'camvid': put "),
    (["count", "mgnet20"], "did you mean 'mgnet-20'"),
    (["count", "--table", "mgiad-table-1"], "did you mean 'mgiad-table1'"),
    (["count", "--table", "mgiad-table1", "--rows", "mgiad-lam3"], "'mgiad-lam3-c64-g4'"),
    (["count", "--rows", "mgnet"], "--table"),
    (["count", "mgnet", "--table", "mgiad-table1"], "one or the other"),
    (["count", "mgnet", "--write"], "--write counts every table"),
    (["count", "mgnet", "--format", "yaml"], "Allowed: table, json, csv"),
    (["count", "--table", "mgiad-table1", "--format", "cvs"], "did you mean 'csv'"),
    (["count", "mgnet", "--data", "mnist"], "unknown data set"),
    (["count", "mgnet", "--size", "4"], "give at most 3 levels"),
    (["count", "mgnet", "--size", "0"], "size=0"),
    (["count", "mgnet-20", "--batch-size", "1"], "batch_size=1"),
    (["count", "mgnet-20", "--batch-size", "0"], "batch_size=0"),
    (["count", "mgnet-20", "--batch-size", "9" * 23], "at most 1,000,000"),
    (["count", "mgnet-20", "--size", "1000000000"], "from 1 to 16,384"),
    (["count", "mgnet-20", "--size", "9" * 20], "from 1 to 16,384"),
    (["count", "mgnet-20", "--rows", ""], "one or the other"),
    (["count", "--size", "7"], "belong to a network"),
    (["count", "--table", "mgiad-table1", "--data", "digits"], "belong to a network"),
    (["count", "--batch-size", "0", "--write"], "belong to a network"),
    (["count", "--table", "mgiad-table1", "--rows", ""], "with commas between"),
    (["count", "--table", "mgiad-table1", "--rows", "mgnet,"], "with commas between"),
]


@pytest.mark.parametrize(("arguments", "words"), MISTAKES)
def test_a_mistake_is_one_sentence_and_code_2(arguments, words, capsys, tmp_path):
    runs = [] if arguments[0] in ("data", "count") else ["--runs", str(tmp_path / "runs")]
    assert main([*arguments, *runs]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("mgtutorial: ") and words in said
    assert "\n" not in said and "Traceback" not in said
    assert not list(tmp_path.rglob("*.pt")), "nothing half-written"


def test_rows_are_found_with_spaces_after_the_commas(capsys):
    assert main(["count", "--table", "mgiad-table1", "--rows", "mgnet, mgiad-lam3-c64-g4"]) == 0
    assert "mgiad-lam3-c64-g4" in capsys.readouterr().out


def test_a_row_that_is_named_twice_is_one_row(tmp_path, capsys):
    assert main(["count", "--table", "mgiad-table1", "--rows", "mgnet,mgnet"]) == 0
    assert "1 published counts" in capsys.readouterr().out
    asked = ["reproduce", "mgiad-table2", "--rows", "mgnet-20,mgnet-20", "--seeds", "0"]
    assert main([*asked, "--dry-run", "--runs", str(tmp_path)]) == 0
    assert "1 runs, 1 to do" in capsys.readouterr().out


def test_a_network_is_counted_for_every_data_set_that_is_trained_on(capsys):
    assert main(["count", "mgnet-20", "--data", "digits"]) == 0
    assert "1 x 8 x 8, 10 classes" in capsys.readouterr().out


def test_ctrl_c_promises_only_what_is_so(monkeypatch, capsys):
    from mgtutorial.reproduction import count_report

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(count_report, "of_network", stopped)
    assert main(["count", "mgnet-20"]) == 130
    said = capsys.readouterr().err
    assert "stopped" in said and "epoch" not in said
    monkeypatch.setenv("RANK", "1")  # Ctrl-C reaches all processes of a run: the first one says so
    assert main(["count", "mgnet-20"]) == 130 and not capsys.readouterr().err


def test_a_package_is_to_be_installed_only_if_the_project_asks_for_it(monkeypatch, capsys):
    from mgtutorial.reproduction import count_report

    for name, advised in (("papermill", True), ("sklearn.datasets", True), ("numpi", False)):

        def missing(*_, name=name):
            raise ModuleNotFoundError(name=name)

        monkeypatch.setattr(count_report, "of_network", missing)
        assert main(["count", "mgnet-20"]) == 2
        assert ("pip install" in capsys.readouterr().err) == advised


def test_data_that_is_not_there_says_what_to_type(tmp_path):
    done = run("train", "--model", "mgnet-20", "--data", "cifar100", "--root", str(tmp_path),
               MGTUTORIAL_CACHE=str(tmp_path / "cache"))  # fmt: skip
    assert done.returncode == 2
    assert "mgtutorial data --download cifar100" in done.stderr and "Traceback" not in done.stderr


def test_results_that_cannot_be_written_stop_the_command(tmp_path, capsys):
    (tmp_path / "runs").write_text("a file where the folder should be")
    arguments = ["train", "--model", "mgnet-20", "--runs", str(tmp_path / "runs")]
    assert main(arguments) == 2
    assert "cannot write the results file" in capsys.readouterr().err


def test_a_checkpoint_of_another_config_stops_the_command(tmp_path, capsys):
    base = ["train", "--model", "mgnet-20", "--epochs", "1", "--runs", str(tmp_path / "runs")]
    path = tmp_path / "run.pt"
    assert main([*base, "--checkpoint", str(path)]) == 0
    assert main([*base, "--checkpoint", str(path), "--seed", "1"]) == 2
    assert "differs in seed" in capsys.readouterr().err


def test_train_prints_what_it_did_and_appends_one_record(tmp_path, capsys):
    arguments = ["train", "--model", "mgnet-20", "--epochs", "1", "--runs", str(tmp_path)]
    assert main(arguments) == 0
    (record,) = records.read(tmp_path)
    said = capsys.readouterr().out
    assert f"record: {tmp_path / 'smoke.jsonl'}" in said and "recorded before" not in said
    earlier = {**record.to_json(), "finished": "2020-01-01T00:00:00+00:00"}
    (tmp_path / "smoke.jsonl").write_text(json.dumps(earlier) + "\n")
    assert main(arguments) == 0
    assert "recorded before, nothing was trained now" in capsys.readouterr().out
    assert record.digest in said and "budget smoke, partial" in said and "digits" in said


def test_data_lists_every_data_set(capsys):
    from mgtutorial.data import catalogue

    assert main(["data"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in catalogue.NAMES)


@pytest.fixture
def executed(tmp_path, monkeypatch):
    """The folder to which notebooks are executed."""
    pytest.importorskip("papermill", reason="papermill is in the extra 'book'")
    from mgtutorial.reproduction import notebooks

    monkeypatch.setattr(notebooks, "folder", lambda *_: tmp_path / "executed")
    return tmp_path / "executed"


# Runs in this process and in the notebook's.
ONE_BATCH_NORM_MORE = """
from torch import nn
from mgtutorial.models import MgNetConfig
right = MgNetConfig.build
def build(self):
    net = right(self)
    net.stem.append(nn.BatchNorm2d(self.channels[0]))
    return net
MgNetConfig.build = build
"""


def test_reproduce_trains_executes_the_notebook_and_prints_the_table(
    tmp_path, monkeypatch, capsys, executed
):
    from mgtutorial.models import MgNetConfig

    arguments = ["reproduce", "mgiad-table2", "--budget", "smoke", "--rows", "mgnet-20",
                 "--runs", str(tmp_path / "runs"), "--quiet"]  # fmt: skip
    assert main([*arguments, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "1 runs, 1 to do" in said and not list(tmp_path.rglob("*.jsonl"))
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "| mgnet-20 | yes, on digits |" in said
    assert "93.29" not in said  # an accuracy of other images is put beside no print
    assert "1 runs, 0 of them to do" in (executed / "mgiad_table2.ipynb").read_text()
    assert len(records.read(tmp_path / "runs")) == 1
    assert main(arguments) == 0  # once more: there is nothing left to do
    assert "nothing has changed since" in capsys.readouterr().out

    # The same command with a wrong network fails in the notebook, though the run is recorded.
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-wrong.py").write_text(ONE_BATCH_NORM_MORE)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    (executed / "mgiad_table2.json").unlink()
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "the notebook of mgiad-table2 failed" in said and "a different network" in said

    # And where there is something to train, it fails before that.
    monkeypatch.setattr(MgNetConfig, "build", MgNetConfig.build)  # is put back at the end
    exec(ONE_BATCH_NORM_MORE, {})
    assert main([*arguments, "--seeds", "1"]) == 2
    assert "mgnet-20 of mgiad-table2 has 100,986 weights" in capsys.readouterr().err
    assert len(records.read(tmp_path / "runs")) == 1


def test_a_table_without_training_is_counted_and_printed(capsys, executed):
    assert main(["reproduce", "mgic-table1", "--dry-run"]) == 0
    assert capsys.readouterr().out == "mgic-table1: made by its notebook as a whole\n"
    assert main(["reproduce", "mgic-table1"]) == 0
    assert "| 32 | 3.3k | 3,328 | matched |" in capsys.readouterr().out
    assert (executed / "mgic_table1.ipynb").exists()


def test_without_a_table_reproduce_lists_all(capsys):
    assert main(["reproduce"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == [*TABLES, *MADE_BY_NOTEBOOK]


def test_count_prints_published_beside_exact_with_verdict_and_reason(capsys):
    assert main(["count", "--table", "mgiad-table1"]) == 0
    said = capsys.readouterr().out
    line = next(line for line in said.splitlines() if line.startswith("mgiad-lam3-c64-g4 "))
    assert line.split() == ["mgiad-lam3-c64-g4", "1035k", "1,020,106", "-14,894", "near"]
    assert "mgiad-lam3-c64-g4: 14,394 to 15,393 more" in said
    assert said.endswith("4 published counts: 1 matched, 3 near\n")
    columns = [m.end() for m in re.finditer("published|exact|difference", said.splitlines()[1])]
    row = said.splitlines()[3]
    assert [row[:end].split()[-1] for end in columns] == ["11170k", "11,173,962", "+3,962"]
    assert max(map(len, said.splitlines())) <= 98


def test_count_writes_json_and_csv_that_say_the_same(capsys):
    chosen = ["count", "--table", "mgic-table3", "--rows", "resnet56,ghost-resnet56"]
    assert main([*chosen, "--format", "json"]) == 0
    ours, theirs = json.loads(capsys.readouterr().out)
    assert (ours["published"], ours["exact"], ours["verdict"]) == ("0.85M", 853_018, "matched")
    assert (theirs["exact"], theirs["difference"], theirs["verdict"]) == (None, None, "not ours")
    assert main([*chosen, "--format", "csv"]) == 0
    first, second = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert first == {k: str(v) for k, v in ours.items()}
    assert second == {k: "" if v is None else v for k, v in theirs.items()}


def test_count_of_a_network_is_by_level_and_role(capsys):
    assert main(["count", "mgnet"]) == 0
    said = capsys.readouterr().out
    assert "weights: 2,750,666" in said and "one forward pass: 484,026,880" in said
    assert "literally: 701,082,112" in said
    assert main(["count", "mgnet", "--data", "imagenet", "--format", "json"]) == 0
    counted = json.loads(capsys.readouterr().out)
    assert (counted["weights"], counted["size"]) == (3_012_776, 224)
    assert sum(p["weights"] for p in counted["parts"]) == counted["weights"]
    assert sum(p["macs"] for p in counted["parts"]) == counted["macs"]
    assert main(["count", "resnet20", "--size", "28", "--format", "csv"]) == 0
    parts = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert sum(int(p["weights"]) for p in parts) == 269_722
    assert main(["count", "resnet20"]) == 0
    assert "literally" not in capsys.readouterr().out


def test_a_short_command_leaves_the_collector_as_it_was(capsys):
    """It switches it off for its own time, however it ends; here the process lives on."""
    import gc

    for command, code in ((["count", "--table", "mgiad-table2"], 0), (["count", "mgnet20"], 2)):
        assert main(command) == code and gc.isenabled()
    gc.disable()
    try:
        assert main(command) == 2 and not gc.isenabled()
    finally:
        gc.enable()


def test_version_and_help_need_no_torch():
    code = "import sys, mgtutorial.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: pass\n"
    done = subprocess.run(
        [sys.executable, "-c", code + "assert 'torch' not in sys.modules"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "reproduce" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["reproduce", "--rows", "mgnet-20"],
        ["reproduce", "mgiad-table2", "--rows", ""],
        ["reproduce", "mgiad-table2", "--seeds", "9" * 30],
        ["train", "--model", "mgnet-20", "--time-limit", ""],
        ["train", "--model", "mgnet-20", "--lr", "inf"],
        ["train", "--model", "mgnet-20", "--seed", "-1"],
        ["train", "--model", "mgnet-20", "--device", "meta"],
        ["train", "--model", "mgnet-20", "--devices", "0"],
        ["data", "--download", ""],
        ["tables", "--check", "--book", "~"],
    ],
)
def test_what_was_passed_over_in_silence_is_a_sentence(words, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    runs = ["--runs", str(tmp_path / "runs")] if words[0] in ("train", "reproduce") else []
    assert main([*words, *runs]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("mgtutorial: ") and "\n" not in said


@pytest.mark.parametrize("name", ["mynest", "setuptoolz", "pillow.x", "a/b"])
def test_no_advice_to_install_what_the_project_does_not_ask_for(name):
    from mgtutorial._installing import how_to_install, missing

    assert ("pip install" in missing(name)) == (name == "pillow.x")
    assert "mgtutorial[" not in how_to_install("book")


def test_a_warning_is_one_sentence_and_none_of_our_lines(tmp_path):
    (tmp_path / "smoke.jsonl").write_text('{"digest": "torn\n' * 500)
    done = run("train", "--model", "mgnet-20", "--epochs", "1", "--quiet", "--runs", str(tmp_path),
               PYTHONWARNINGS="error::UserWarning")  # fmt: skip
    told = [line for line in done.stderr.splitlines() if "torn" in line]
    assert done.returncode == 0 and len(told) == 1 and "499 more" in told[0], done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize(
    "words",
    [["--help"], ["data"], ["reproduce"], ["count", "mgnet-20", "--format", "csv"]],
    ids=" ".join,
)
def test_an_output_that_is_full_or_closed_is_no_traceback(words, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # argparse would swallow the error
    command = [sys.executable, "-m", "mgtutorial", *words]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "cannot write the output (No space left" in done.stderr
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as closed:
        closed.stdout.close()
        assert closed.stderr.read() == b"" and closed.wait() == 141
    none = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *command], capture_output=True, text=True)
    assert none.returncode == 0 and "Traceback" not in none.stderr


TWICE = """
import atexit, os, signal, sys
from mgtutorial import cli

# What was started in the background may have been told to pass over it.
signal.signal(signal.SIGINT, signal.default_int_handler)

def stopped(arguments):
    atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))  # in the midst of its end
    os.kill(os.getpid(), signal.SIGINT)

setattr(cli, sys.argv.pop(), stopped)
sys.exit(cli.main())
"""


@pytest.mark.skipif(os.name == "nt", reason="os.kill ends a process at once on Windows")
@pytest.mark.parametrize(
    ("command", "kept"), [(["data"], "nothing is kept"), (["sweep", "--plan", "x"], "goes on")]
)
def test_ctrl_c_twice_is_one_line(command, kept):
    """A second one arrives while the first is on its way: torch, for one, still imports then."""
    done = subprocess.run(
        [sys.executable, "-c", TWICE, *command, f"_{command[0]}"], capture_output=True, text=True
    )
    assert done.returncode == 130, done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("mgtutorial: stopped; ") and kept in line
