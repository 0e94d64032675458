"""The pictures that are kept as files are what their programs draw today."""

import re
import runpy
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
DIGEST = re.compile(r"\bp[0-9a-f]{10}\b")  # the name of a clip path, from its coordinates
PATH = re.compile(r"(?<= d=)(?:'[^']*'|\"[^\"]*\")")
CLOSE = 0.1  # points: as far as a processor's rounding may move what is drawn


def apart(a, b):
    """The greatest distance of a point of one path from the other's points."""
    a, b = (np.array([float(v) for v in NUMBER.findall(path)]).reshape(-1, 2) for path in (a, b))
    distances = np.hypot(*(a[:, None] - b).transpose(2, 0, 1))
    return (
        max(distances.min(0).max(), distances.min(1).max())
        if a.size and b.size
        else a.size + b.size
    )


def alike(drawn, kept):
    """Whether two pictures are the same element by element, up to how a processor rounds.

    A contour may begin at another of its points: of a path, the set of its points is compared.
    """
    ours, theirs = (
        re.findall(r"<[^>]*>|[^<]+", DIGEST.sub("digest", svg)) for svg in (drawn, kept)
    )
    if len(ours) != len(theirs):
        return False
    for a, b in zip(ours, theirs, strict=True):
        if a == b:
            continue
        paths = PATH.findall(a), PATH.findall(b)
        a, b = PATH.sub("", a), PATH.sub("", b)
        if NUMBER.sub("", a) != NUMBER.sub("", b) or len(paths[0]) != len(paths[1]):
            return False
        pairs = zip(NUMBER.findall(a), NUMBER.findall(b), strict=True)
        if any(abs(float(x) - float(y)) >= CLOSE for x, y in pairs):
            return False
        if any(apart(x, y) >= CLOSE for x, y in zip(*paths, strict=True)):
            return False
    return True


@pytest.mark.parametrize("name", ["frontier", "claims", "polynomial_smoothers"])
def test_one_point_that_moves_makes_another_picture(name):
    """In a picture with thousands of numbers, too; and so do another style and a line less."""
    kept = (FIGURES / f"{name}.svg").read_text(encoding="utf-8")
    paths = [m for m in PATH.finditer(kept) if len(NUMBER.findall(m[0])) > 2]
    for path in (paths[0], paths[len(paths) // 2], paths[-1]):
        first = NUMBER.search(path[0])
        for by, same in ((0.02, True), (0.5, False)):
            moved = f"{float(first[0]) + by:g}"
            at = path.start() + first.start()
            assert alike(kept[:at] + moved + kept[at + len(first[0]) :], kept) is same
    assert not alike(kept.replace("fill: none", "fill: red", 1), kept)
    assert not alike(re.sub("<path[^>]*>", "", kept, count=1), kept)


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
    same = drawn + "\n" == kept or alike(drawn + "\n", kept)
    assert same, f"draw it anew: python book/figures/{program.name}"
