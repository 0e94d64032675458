"""Draw book/figures/claims.svg: the effect behind each claim, seed by seed, with its interval.

Run from the root of the project: python book/figures/claims.py
"""

import json
from pathlib import Path

import matplotlib.pyplot as plt

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style

ROOT = Path(__file__).resolve().parents[2]
DATA = "fashion-mnist"
LEAST = 3  # seeds that a line needs
LOOKS = {
    "supported at this budget": "green",
    "not supported at this budget": "vermillion",
    "undecided": "black",
}


def lines():
    """Return the effects on FashionMNIST, of the budget with the most seeds for each claim."""
    found = json.loads((ROOT / "results/claims.json").read_text(encoding="utf-8"))["effects"]
    several = [row for row in found if row["data"] == DATA and row["seeds"] >= LEAST]
    names = dict.fromkeys(row["claim"] for row in several)
    return [max((r for r in several if r["claim"] == n), key=lambda r: r["seeds"]) for n in names]


def draw():
    """Return the figure: a line a claim; the range that is claimed is shaded."""
    rows = lines()
    fig, ax = plt.subplots(figsize=(6.4, 0.42 * len(rows) + 1.1))
    reached = [row["effect"] + side * row["half_width"] for row in rows for side in (-1, 1)]
    low, high = min([-1, *reached]), max([1, *reached])
    ax.set_xlim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    for y, row in enumerate(rows):
        claimed, colour = row["claimed"], COLOURS[LOOKS[row["verdict"]]]
        ends = ax.get_xlim()
        left = ends[0] if claimed["low"] is None else claimed["low"]
        right = ends[1] if claimed["high"] is None else claimed["high"]
        # a claim of a difference, whichever way, is all beyond the two
        parts = [(left, right)] if left < right else [(ends[0], right), (left, ends[1])]
        for part in parts:
            ax.fill_betweenx([y - 0.4, y + 0.4], *part, color=COLOURS["sky"], alpha=0.25, lw=0)
        ax.plot(row["values"], [y + 0.2] * row["seeds"], "o", color="0.45", ms=3.5, mew=0)
        ax.errorbar(
            row["effect"], y - 0.08, xerr=row["half_width"], fmt="D", color=colour, capsize=4
        )
    ax.axvline(0, color="black", lw=0.8)
    ax.set_yticks(range(len(rows)), [row["claim"] for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlabel("effect on the test accuracy, percentage points")
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
