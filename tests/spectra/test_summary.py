"""The numbers of the chapter on spectra are what its notebook computes from the snapshots."""

import importlib.util
import json
from pathlib import Path

import pytest

from mgtutorial.data import available

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "results" / "spectra" / "summary.json"


@pytest.fixture(scope="module")
def program():
    spec = importlib.util.spec_from_file_location(
        "spectra_summary", ROOT / "experiments" / "spectra_summary.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")  # torch.func.jvp's own
def test_the_file_is_what_the_program_computes(program):
    there = any(d.name == "fashion-mnist" and d.state.startswith("ready") for d in available())
    shipped = json.loads(FILE.read_text(encoding="utf-8"))
    # A training's last digits are the machine's: it is not compared, and may be short.
    computed = program.summary("fashion-mnist" if there else "digits", n_train=480)
    assert shipped["data"] == "fashion-mnist" and shipped.keys() == computed.keys()
    needs_images = ("steps", "shifted")
    for name in shipped.keys() - {"data", *(() if there else needs_images)}:
        assert len(shipped[name]) == len(computed[name]) > 0
        for a, b in zip(shipped[name], computed[name], strict=True):
            if name == "shifted" and a["when"] == "end":
                continue
            assert a.keys() == b.keys()
            for key, value in a.items():
                same = value if isinstance(value, str) else pytest.approx(value, rel=1e-3, abs=1e-6)
                assert b[key] == same, (name, key)


def test_the_file_is_written_as_the_program_writes_it(program):
    text = FILE.read_text(encoding="utf-8")
    assert program.text(json.loads(text)) == text
