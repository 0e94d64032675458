"""Draw book/figures/frontier.svg: accuracy over what a network costs, at one budget.

Run from the root of the project: python book/figures/frontier.py
"""

import json
from pathlib import Path

import matplotlib.pyplot as plt

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style

ROOT = Path(__file__).resolve().parents[2]
COSTS = {
    "weights": ("thousand weights", 1e-3),
    "macs": ("million multiplications", 1e-6),
    "step": ("ms an image, training", 1),
    "memory": ("MB, training step of 128", 1),
}
#: Beginnings of names, the longest first: what the legend says, colour and mark.
KINDS = {
    "poly-mgiad": ("Poly-MGiaD", "purple", "D"),
    "poly-mgnet": ("Poly-MgNet", "sky", "P"),
    "mgiad": ("MGiaD", "vermillion", "o"),
    "mgnet": ("MgNet", "blue", "s"),
    "mgic-mobile": ("MGIC-MobileNetV3", "orange", "d"),
    "mgic": ("MGIC", "black", "X"),
    "constrained": ("constrained", "green", "^"),
    "galerkin": ("Galerkin", "orange", "v"),
    "ghostnet": ("GhostNet", "orange", "p"),
    "resnet": ("ResNet20", "black", "*"),
}
TICKS = (2, 5, 10, 20, 50, 100, 200, 500, 1000)


def rows():
    """Return the rows of the budget that most networks have been run at."""
    found = json.loads((ROOT / "results/frontier.json").read_text(encoding="utf-8"))
    budgets = [(row["data"], row["budget"], row["epochs"]) for row in found]
    most = max(dict.fromkeys(budgets), key=budgets.count)
    return [row for row, budget in zip(found, budgets, strict=True) if budget == most]


def draw():
    """Return the figure: a panel a cost; a line joins the networks on the front."""
    found = rows()
    fig, axes = plt.subplots(2, 2, sharey=True, figsize=(6.8, 5.6))
    for ax, (cost, (label, unit)) in zip(axes.flat, COSTS.items(), strict=True):
        front = sorted((r for r in found if cost in r["on_front"]), key=lambda r: r[cost])
        ax.plot(
            [unit * r[cost] for r in front], [r["accuracy"] for r in front], "-", color="0.6", lw=1
        )
        for row in found:
            _, colour, mark = next(v for k, v in KINDS.items() if row["network"].startswith(k))
            ax.errorbar(
                unit * row[cost], row["accuracy"], yerr=row["half_width"], fmt=mark, ms=6,
                color=COLOURS[colour], elinewidth=1,
            )  # fmt: skip
        ax.set_xlabel(label)
        if cost in ("weights", "macs"):
            low, high = (f(unit * r[cost] for r in found) for f in (min, max))
            ax.set_xscale("log")
            ax.set_xlim(0.8 * low, 1.25 * high)
            ticks = [t for t in TICKS if 0.8 * low < t < 1.25 * high]
            ax.set_xticks(ticks, map(str, ticks))
            ax.set_xticks([], minor=True)
    for ax in axes[:, 0]:
        ax.set_ylabel("test accuracy, %")
    handles = [
        plt.Line2D([], [], ls="", marker=mark, color=COLOURS[colour], label=label)
        for name, (label, colour, mark) in KINDS.items()
        if any(row["network"].startswith(name) for row in found)
    ]
    fig.legend(handles=handles, loc="outside upper center", ncols=3, fontsize=10)
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
