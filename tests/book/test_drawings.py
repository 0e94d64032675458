"""The pictures that are kept as files are what their programs draw today."""

import re
import runpy
from collections import Counter
from importlib import metadata

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
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


NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")
DIGEST = re.compile(r"\b[a-z]?[0-9a-f]{10}\b")  # of a clip path, from its coordinates


def contents(svg):
    """Words and their counts, without the commands of paths; and all numbers, in order of size."""
    svg = DIGEST.sub("digest", svg)
    words = Counter(re.findall(r"[A-Za-z#-]{2,}", NUMBER.sub(" ", svg)))
    return words, np.sort([float(number) for number in NUMBER.findall(svg)])


def alike(drawn, kept):
    """Whether two pictures are the same, up to how a processor rounds.

    A line may move by a tenth of a point, and a contour may begin at another of its points.
    """
    (words, ours), (others, theirs) = contents(drawn), contents(kept)

    def far(a, b):  # how far the numbers of one are from the next in the other
        at = np.searchsorted(b, a)
        near = b[np.stack([np.maximum(at - 1, 0), np.minimum(at, len(b) - 1)])]
        return np.abs(near - a).min(0).max()

    return words == others and max(far(ours, theirs), far(theirs, ours)) < 0.1


def test_another_word_or_line_is_another_picture():
    kept = "<path d='M 1.5 20 L 3.25 40 z' clip-path='url(#p0123456789)'/><text>one</text>"
    assert alike(kept.replace("3.25", "3.27").replace("0123456789", "abcdef0123"), kept)
    assert not alike(kept.replace("3.25", "3.5"), kept)
    assert not alike(kept.replace("one", "two"), kept)


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
    same = drawn + "\n" == kept or alike(drawn, kept)
    assert same, f"draw it anew: python book/figures/{program.name}"
