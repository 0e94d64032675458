"""What a user of a program beside the package can mend is one sentence, and nothing is begun."""

import runpy
import subprocess
import sys

import pytest

from mgtutorial import _paths, errors

ROOT = _paths.checkout()
WRONG = {
    "experiments/recipe.py mgnt-20": "unknown network 'mgnt-20': did you mean 'mgnet-20'",
    "experiments/recipe.py mgnet-20 --only basee": "unknown rung 'basee': did you mean 'base'",
    "experiments/recipe.py mgnet-20 --seeds x": "seeds 'x': give whole numbers",
    "experiments/hundred_steps.py --only mgnt": "unknown network 'mgnt': did you mean 'mgnet'",
    "experiments/train_spectra.py mgnt-20": "unknown network 'mgnt-20': did you mean 'mgnet-20'",
    "experiments/train_spectra.py --data fashion": "unknown data set 'fashion': did you mean",
    "tools/cells.py mgiad-tabel1": "unknown table 'mgiad-tabel1'",
    "tools/rooms.py traning": "unknown walk 'traning': choose of MgNet forward and back",
}


@pytest.mark.parametrize("command", WRONG)
def test_a_wrong_word_is_one_sentence(command, monkeypatch, capsys):
    program, *words = command.split()
    monkeypatch.setattr(sys, "argv", [program, *words])
    before = _changed()
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / program), run_name="__main__")
    said = capsys.readouterr().err or str(ended.value.code)  # Python prints such a code, and ends
    assert said.startswith(WRONG[command]) and said.strip().count("\n") == 0
    assert ended.value.code == 2 or ended.value.code == said
    assert _changed() == before


def _changed():
    git = ["git", "status", "--porcelain"]
    return subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_a_program_ends_with_the_code_of_the_error(capsys):
    def stops():
        raise errors.Unfinished("the time is up.")

    with pytest.raises(SystemExit) as ended:
        errors.program(stops)
    assert ended.value.code == 75 and capsys.readouterr().err == "the time is up.\n"


def test_what_a_user_cannot_mend_keeps_its_place():
    with pytest.raises(ZeroDivisionError):
        errors.program(lambda: 1 / 0)
