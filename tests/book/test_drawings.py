"""The pictures that are kept as files are what their programs draw today."""

import runpy
from importlib import metadata

import matplotlib
import matplotlib.pyplot as plt
import pytest

from mgtutorial.figures import images, style

from .built import ROOT

FIGURES = ROOT / "book" / "figures"
# Not kept as files: the map and the card are drawn when the book is built.
KEPT = sorted(p for p in FIGURES.glob("*.py") if p.stem not in ("map", "card"))


def pinned(package):
    """The version of a package in constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(x.split("==")[1].split()[0] for x in lines if x.startswith(f"{package}=="))


def test_every_picture_has_its_program():
    assert {p.stem for p in FIGURES.glob("*.svg")} == {p.stem for p in KEPT}


@pytest.mark.parametrize("program", KEPT, ids=lambda p: p.stem)
def test_a_picture_is_what_its_program_draws(program):
    if (found := metadata.version("matplotlib")) != pinned("matplotlib"):
        # Glyphs and ticks are laid out anew in each version: no line of a file stays.
        pytest.skip(f"the files are of matplotlib {pinned('matplotlib')}, and this is {found}")
    with matplotlib.rc_context({"backend": "agg", **matplotlib.rcParamsDefault}):
        style.use_style()
        drawn = images.to_svg(runpy.run_path(str(program))["draw"]())
    plt.close("all")
    kept = program.with_suffix(".svg").read_text(encoding="utf-8")
    assert drawn + "\n" == kept, f"draw it anew: python book/figures/{program.name}"
