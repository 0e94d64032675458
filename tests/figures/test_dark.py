"""Figures on a dark page: what they carry stands out as it does on a light one."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from mgtutorial.figures import dark, images, style

BOOK = Path(__file__).parents[2] / "book" / "figures"


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one, other):
    """WCAG's ratio of two colours."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_colour_of_the_palette_stands_out_more_in_the_dark_than_in_the_light():
    for colour in style.COLOURS.values():
        there = contrast(dark.in_the_dark(colour), dark.GROUND)
        assert there >= 4.5 and there >= min(contrast(colour, "#ffffff"), 7)


def test_palette_stays_apart_in_the_dark():
    found = [dark.in_the_dark(colour) for colour in style.COLOURS.values()]
    rgb = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in found])
    apart = np.abs(rgb[:, None] - rgb).sum(2) + 1000 * np.eye(len(rgb), dtype=int)
    assert apart.min() > 60


def test_greys_keep_their_order_and_text_on_tints_can_be_read():
    greys = [luminance(dark.in_the_dark(f"#{g:02x}{g:02x}{g:02x}")) for g in range(256)]
    assert (np.diff(greys) <= 0).all() and len(set(greys)) > 200
    tints = [c for c in dark.DARK if contrast(c, "#ffffff") < 2 and c != "#f0e442"]
    assert len(tints) == 4
    for tint in tints:
        assert contrast(dark.in_the_dark(tint), dark.INK) >= 6


def rules(svg):
    return re.search(r"<style>@media \(prefers-color-scheme:dark\)\{(.*?)\}</style>", svg)[1]


def test_what_is_drawn_in_known_colours_has_each_in_the_dark():
    fig = Figure()
    ax = fig.add_subplot(title="a curve")
    ax.plot([1, 2], color=style.COLOURS["blue"])
    ax.bar([0, 1], [1, 2], color=style.COLOURS["green"], edgecolor="white")
    svg = images.to_svg(fig)
    ElementTree.fromstring(svg)
    used = set(re.findall(r"(?:fill|stroke): #[0-9a-f]{6}", svg.partition("</style>")[2]))
    assert {"stroke: #0072b2", "fill: #009e73", "stroke: #ffffff"} <= used
    for declaration in used:
        assert f"[style*='{declaration}']" in rules(svg)


@pytest.mark.parametrize("cmap", ["viridis", "gray"])
def test_a_figure_with_a_colour_map_stays_a_light_card(cmap):
    fig = Figure()
    ax = fig.add_subplot()
    fig.colorbar(ax.contourf(np.add.outer(*[np.arange(20.0)] * 2), 20, cmap=cmap))
    assert rules(images.to_svg(fig)) == "svg{filter:brightness(.9)}"


def test_marks_over_pixels_keep_the_colours_that_they_were_chosen_in():
    def figure(picture, mark, **options):
        ax = (fig := Figure()).add_subplot()
        ax.imshow(picture, **options)
        if mark:
            ax.plot([0, 1], [0, 1], "kx")
        return images.to_svg(fig)

    light = "svg{filter:brightness(.9)}"
    values, veil = np.eye(3), np.zeros((3, 3, 4))
    assert rules(figure(values, mark=False)) != light
    assert rules(figure(values, mark=True)) == light
    assert rules(figure(np.ones((3, 3, 3)), mark=True)) == light
    assert rules(figure(veil, mark=True)) != light, "there is nothing under the mark but the page"
    key = ListedColormap(["black", style.COLOURS["blue"]])
    assert rules(figure(values, mark=False, cmap=key)) == light, "a key beside it says black"


@pytest.mark.parametrize("path", sorted(BOOK.glob("*.svg")), ids=lambda p: p.stem)
def test_the_figures_of_the_book_are_drawn_for_the_dark(path):
    svg = path.read_text(encoding="utf-8")
    maps = {"polynomial_smoothers", "live_roots"}
    assert ("brightness" in rules(svg)) == (path.stem in maps)
