"""`mgtutorial spectrum` in people's hands: paths, names, plans, files, and what stops it."""

import argparse
import builtins
import csv
import io
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from mgtutorial.cli import main
from mgtutorial.errors import InvalidValue, RecordsUnwritable
from mgtutorial.spectra import command, report, written
from mgtutorial.spectra.planning import planned
from mgtutorial.spectra.written import stem_of
from mgtutorial.training.weights import SEED, convolutions_of


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def spectrum(capsys, *arguments):
    code = main(["spectrum", *map(str, arguments), "--size", "4"])
    said = capsys.readouterr()
    return code, said.out, said.err


def save(path, channels=2):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"a.weight": torch.ones(channels, channels, 3, 3)}, path)
    return path


# ------------------------------------------------------------------ paths
PATHS = ["runs/12:30/x.pt", "run:2.pt", "C:net.pt", r"C:\runs\a.pt", "x.safetensors", "a b.pth",
         "ümläut.ckpt", "~/absent.pt", "http://host/x.pt", "\0.pt", "x" * 300 + ".pt"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_path_without_a_file_is_no_module_and_no_package(path, capsys, tmp_path):
    (tmp_path / "run.py").write_text("raise SystemExit('imported')")
    (tmp_path / "C.py").write_text("raise SystemExit('imported')")
    code, _, err = spectrum(capsys, path)
    assert code == 2 and err.startswith("mgtutorial: ") and err.count("\n") == 1
    assert "pip install" not in err and "imported" not in err
    assert "there is no file" in err or "cannot be read" in err


@pytest.mark.parametrize("path", PATHS[:7])
def test_a_path_with_a_file_is_read_whatever_it_looks_like(path, capsys, tmp_path):
    save(tmp_path / path)
    code, out, err = spectrum(capsys, path)
    assert code == 0, err
    assert out.count("written") == 2 and len(list(tmp_path.glob("*-spectrum.*"))) == 2


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (":", "module:callable"),
        (":x", "module:callable"),
        ("..:x", "module:callable"),
        ("a b:c", "module:callable"),
        ("os.path:join", "cannot be made"),
        ("torch.nn:Conv2d", "cannot be made"),
        ("math:pi", "gives a float"),
        ("mynett:net", "no module mynett here"),
        ("torchh.nn:net", "no module torchh here"),
        ("imports_nothing:net", "imports_nothing imports it"),
        ("cannot:net", "SyntaxError"),
        ("quits:net", "SystemExit"),
        ("quits.inner:net", "SystemExit"),
        (".", "folder|file or network"),
        ("mgnet20", "did you mean 'mgnet-20'"),
        ("w.pt", "holds 'epoch', 'lr'"),
        ("folder.pt", "is a folder"),
    ],
)
def test_what_gives_no_network_is_one_sentence(source, words, capsys, tmp_path):
    (tmp_path / "imports_nothing.py").write_text("import no_such_thing_here")
    (tmp_path / "cannot.py").write_text("def net(:")
    (tmp_path / "quits.py").write_text("import sys; sys.exit(3)")
    (tmp_path / "folder.pt").mkdir()
    torch.save({"epoch": 1, "lr": 0.1}, tmp_path / "w.pt")
    code, _, err = spectrum(capsys, source)
    assert code == 2 and err.count("\n") == 1 and "pip install" not in err, err
    assert any(word in err for word in words.split("|")), err
    assert len(err) < 600


def test_callables_of_every_kind(monkeypatch):
    class Net(nn.Conv2d):
        def __init__(self):
            super().__init__(2, 2, 3)

    class Models:
        small = Net

    things = {"Net": Net, "make": lambda: Net(), "net": Net(), "Models": Models,
              "wrapped": nn.DataParallel(Net())}  # fmt: skip
    monkeypatch.setitem(sys.modules, "anybodys", argparse.Namespace(**things))
    kernels = {}
    for name in (*things, "Models.small"):
        if name != "Models":
            kernels[name] = convolutions_of(f"anybodys:{name}")[""].kernel
    assert torch.equal(kernels["Net"], kernels["make"])  # the seed is the same
    with pytest.raises(InvalidValue, match="gives a Models"):
        convolutions_of("anybodys:Models")
    assert f"seed {SEED}" in convolutions_of("anybodys:Net").weights


def test_a_file_of_ones_own_that_imports_torchvision(tmp_path):
    """In a process of its own: torchvision's compiled part may not fit the torch beside it."""
    text = "import torchvision\ndef net():\n    return torchvision.models.squeezenet1_1()\n"
    (tmp_path / "mine.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "mgtutorial", "spectrum", "mine:net", "--layer", "features.0"],
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0 and "features.0" in done.stdout, done.stderr


def test_damaged_checkpoints_of_ours_are_one_sentence(tmp_path, capsys):
    from mgtutorial import models

    config = models.named("mgnet-20")
    plain = models.as_dict(config)
    good = {"run": "0", "config": {"model": plain}, "model": config.build().state_dict()}
    first = next(iter(good["model"]))
    lacking = {k: v for k, v in good["model"].items() if k != first}
    wide = {**plain, "channels": [2**20, 2**20]}
    for bad in (
        {**good, "model": lacking},
        {**good, "config": {"model": {"kind": "nothing"}}},
        {**good, "config": {"model": wide}},  # a size that no memory holds
        {**good, "model": 3},
    ):
        torch.save(bad, tmp_path / "c.pt")
        code, _, err = spectrum(capsys, "c.pt")
        assert code == 2 and err.startswith("mgtutorial: checkpoint c.pt"), err
    torch.save(good, tmp_path / "c.pt")
    assert spectrum(capsys, "c.pt", "--layer", "stem.0")[0] == 0
    for others in ({}, {"model": "resnet18"}, {"model": {"name": "nothing"}}, None):
        torch.save({**good, "config": others}, tmp_path / "c.pt")
        assert spectrum(capsys, "c.pt", "--layer", "stem.0")[0] == 0


# ------------------------------------------------------------------ names
NAMES = ["a$\\frac$b", "$x$", "=1+1", "@sum", "+a", "\x1b[31mred", "a\nb", "卷积", "🙂", "a[0]",
         "*", "a,b;\"c\"", "x" * 400, "\udc80half", "%s{}", "<b>&amp;"]  # fmt: skip


@pytest.mark.parametrize("form", ["svg", "png"])
def test_names_with_any_character(form, capsys, tmp_path):
    state = {f"{name}.weight": torch.randn(2, 2, 3, 3) for name in NAMES}
    torch.save(state, "names.pt") if "\udc80half" not in NAMES else torch.save(
        {k: v for k, v in state.items() if "half" not in k}, "names.pt"
    )
    code, out, err = spectrum(capsys, "names.pt", "--format", form)
    assert code == 0, err
    assert "\x1b" not in out + err
    rows = list(csv.DictReader(io.StringIO((tmp_path / "names-spectrum.csv").read_text("utf-8"))))
    assert not [row for row in rows if row["layer"][:1] in "=+@"]
    assert {"$x$", "卷积", "'=1+1"} <= {row["layer"] for row in rows}
    assert spectrum(capsys, "names.pt", "--layer", "a[0]")[0] == 0


def test_a_name_with_half_a_character(tmp_path):
    (found,) = report.spectra({"\udc80": _convolution()}, size=4)
    paths = written.write([found], tmp_path, "half")
    assert all(path.stat().st_size for path in paths)
    assert "\\udc80" in report.table([found])


def _convolution():
    from mgtutorial.spectra.convolutions import Convolution

    return Convolution(np.ones((2, 2, 3, 3)))


@pytest.mark.parametrize(
    "source", ["a/b:c.pt", "m:f", "..", "C:\\x\\y.pt", "a" * 300, "", "???", "é/.pt"]
)
def test_stems_are_names_that_every_file_system_takes(source, tmp_path):
    stem = stem_of(source)
    assert stem and not set(stem) & set('\\/:*?"<>|\0') and len(stem) < 100
    (tmp_path / f"{stem}-spectrum.csv").write_text("")


# ------------------------------------------------------------------ plans
def mixed():
    return nn.Sequential(
        nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3, dilation=12), nn.Conv2d(2, 4, 2, stride=3),
        nn.Conv2d(2, 2, 5),
    )  # fmt: skip


def test_an_impossible_layer_is_said_before_the_work(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "anybodys", argparse.Namespace(net=mixed()))
    code, out, err = spectrum(capsys, "anybodys:net")
    assert code == 0
    lines = err.splitlines()
    assert [line.split(":")[1].strip() for line in lines if line.startswith("left out")] == [
        "1", "2", "3",
    ]  # fmt: skip
    assert lines[-1].startswith("0: done") and "left out: 1, 2, 3" in out
    code, _, err = spectrum(capsys, "anybodys:net", "--layer", "1")
    assert code == 2 and "layer 1: a kernel of sizes" in err and "done" not in err
    with pytest.raises(InvalidValue, match="layer 1"):
        report.spectra(mixed(), size=4)  # before the first is asked for


def test_the_default_grid_is_coarser_where_layers_are_wide():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Conv2d(8, 128, 3), nn.Conv2d(128, 300, 3), nn.Conv2d(8, 8, 1),
        nn.Conv2d(8, 8, 3, dilation=12), nn.Conv2d(3, 8, 32, stride=32), nn.Conv2d(8, 8, (1, 3)),
        nn.Conv2d(8, 8, 3, stride=3), nn.ConvTranspose2d(8, 4, 4, stride=2),
    )  # fmt: skip
    plan = planned(net)
    shapes = [task.shape for task in plan.tasks]
    assert shapes == [
        (16, 16),
        (8, 8),
        (4, 4),
        (1, 1),
        (25, 25),
        (32, 32),
        (1, 16),
        (18, 18),
        (8, 8),
    ]
    assert all(s.singular_values.size for s in report.spectra(net, ["0", "3", "6", "8"], size=None))


def test_what_takes_long_is_left_out_by_default_and_done_when_asked_for():
    net = nn.Sequential(nn.Conv2d(1500, 1500, 3, device="meta"), nn.Conv2d(256, 256, 3))
    net[0] = net[0].to_empty(device="cpu")
    nn.init.zeros_(net[0].weight)
    plan = planned(net)
    assert list(plan.left_out) == ["0"] and "--size" in plan.left_out["0"]
    assert plan.without_eigenvalues == ["1"]
    asked = planned(net, size=8)
    assert [task.eigenvalues for task in asked.tasks] == [True, True]
    assert asked.tasks[0].seconds > 100 * asked.tasks[1].seconds / 8


@pytest.mark.parametrize("size", ["1000000", "0", "-3", "30000"])
def test_sizes_that_cannot_be_done(size, capsys):
    assert main(["spectrum", "mgnet-20", "--size", size]) == 2
    assert capsys.readouterr().err.startswith("mgtutorial: ")


def test_ctrl_c_keeps_what_is_done(capsys, monkeypatch, tmp_path):
    real, calls = report.spectrum_of, []

    def stopping(task, weights=""):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(task.name)
        return real(task, weights)

    monkeypatch.setattr(report, "spectrum_of", stopping)
    assert main(["spectrum", "mgnet-20", "--size", "4"]) == 130
    said = capsys.readouterr()
    assert "2 of" in said.err.splitlines()[-1] and "epoch" not in said.err
    rows = csv.DictReader((tmp_path / "mgnet-20-spectrum.csv").read_text().splitlines())
    assert {row["layer"] for row in rows} == set(calls)


# ------------------------------------------------------------------ files
def test_outputs_never_overwrite_each_other(tmp_path, capsys):
    save(tmp_path / "a" / "best.pt", 2), save(tmp_path / "b" / "best.pt", 3)
    save(tmp_path / "best-2.pt", 4)
    contents = {}
    for source in ("a/best.pt", "b/best.pt", "best-2.pt", "a/best.pt"):
        code, out, err = spectrum(capsys, source, "--output", "out")
        assert code == 0, err
        for line in out.splitlines():
            if line.startswith("written: "):
                path = tmp_path / line.removeprefix("written: ")
                assert path not in contents
                contents[path] = path.read_bytes()
    assert len(contents) == 8 == len(list((tmp_path / "out").iterdir()))
    assert all(path.read_bytes() == content for path, content in contents.items())


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    (found,) = report.spectra(nn.Conv2d(2, 2, 3), size=4)
    written.write([found], tmp_path, "old")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    full = OSError(28, "No space left on device")

    def half(rows, file):
        file.write(b"layer,ki")
        raise full

    monkeypatch.setattr(written, "_write_rows", half)
    with pytest.raises(RecordsUnwritable, match="No space left"):
        written.write([found], tmp_path, "old")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_folder_is_tried_before_the_work(capsys, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = spectrum(capsys, "mgnet-20", "--output", "file")
    assert code == 2 and "done" not in err and "--output" in err


def test_figures_of_many_layers_are_of_the_first(capsys, monkeypatch, tmp_path):
    net = nn.Sequential(*(nn.Conv1d(1, 1, 3) for _ in range(command.DRAWN + 3)))
    monkeypatch.setitem(sys.modules, "anybodys", argparse.Namespace(net=net))
    code, out, _ = spectrum(capsys, "anybodys:net")
    assert code == 0 and f"the first {command.DRAWN} layers" in out
    rows = csv.DictReader((tmp_path / "net-spectrum.csv").read_text().splitlines())
    assert len({row["layer"] for row in rows}) == len(net)


def test_a_terminal_of_ascii_only(monkeypatch):
    torch.save({"ü.weight": torch.ones(2, 2, 3, 3)}, "w.pt")
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["spectrum", "w.pt", "--size", "4"]) == 0
    assert b"\\xfc" in out.buffer.getvalue()


def test_a_file_that_may_not_be_read_is_one_sentence(capsys, monkeypatch, tmp_path):
    save(tmp_path / "w.pt")
    real = builtins.open

    def denied(path, *a, **k):
        if str(path).endswith("w.pt"):
            raise PermissionError(13, "Permission denied")
        return real(path, *a, **k)

    monkeypatch.setattr(builtins, "open", denied)
    code, _, err = spectrum(capsys, "w.pt")
    assert code == 2 and "cannot be read (Permission denied)" in err
