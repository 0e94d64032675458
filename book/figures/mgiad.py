"""Draw book/figures/mgiad.svg: the two hierarchies of MGiaD, from an MGiaDConfig.

Run from the root of the project: python book/figures/mgiad.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

from mgtutorial import models
from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style

U, F, UP = COLOURS["blue"], COLOURS["vermillion"], COLOURS["green"]
WIDE, GAP = 1.5, 1.55  # side of the widest square, and the space between squares


def draw(config=models.CONFIGS["mgiad-20-g4"], size=28):
    """Return the figure: a row for each resolution level, a square for each channel level.

    A square is the coupling of the level's A and B: which channels meet in them.
    """
    unit = WIDE / max(config.widths)
    steps = config.eta_pre + config.eta_post
    fig, ax = plt.subplots(figsize=(6.6, 5.8))
    ax.set(xlim=(-1.95, 6.0), ylim=(-5.95, 0.8), aspect="equal")
    ax.axis("off")

    def arrow(start, end, colour="black"):
        ax.annotate(
            "", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.6}
        )

    def write(x, y, text, colour="black", ha="center", size=11):
        ax.text(x, y, text, ha=ha, va="center", color=colour, fontsize=size)

    def square(x, y, c, g):
        """The pattern of a matrix of c channels in groups of g, with its middle left at x, y."""
        side, bottom = c * unit, y - c * unit / 2
        ax.add_patch(Rectangle((x, bottom), side, side, facecolor="white", edgecolor="black"))
        for i in range(c // g):
            corner = (x + i * g * unit, bottom + side - (i + 1) * g * unit)
            colour = "#f2b28c" if g < c else UP
            ax.add_patch(Rectangle(corner, g * unit, g * unit, facecolor=colour, linewidth=0))
        ax.add_patch(Rectangle((x, bottom), side, side, fill=False, linewidth=1.4))
        write(
            x + side / 2,
            bottom - 0.32,
            f"{c} channels\n" + rf"$\hat A,\ \hat B$: {steps} steps",
            size=10,
        )

    y = 0.0
    middle = config.widths[0] * unit / 2
    write(-1.0, y + 0.62, "image", size=12)
    arrow((-0.55, y + 0.55), (middle - 0.02, middle + 0.06))
    write(0.0, y + 0.62, "stem", ha="left")
    for l, widths in enumerate(config.channel_widths, 1):
        side = -(-size // 2 ** (l - 1))
        write(-1.15, y, f"level {l}\n{side} × {side}\npixels", size=10)
        x = 0.0
        for k, c in enumerate(widths):
            square(x, y, c, c if k == len(widths) - 1 else config.group_size)
            end = x + c * unit
            if k + 1 < len(widths):
                arrow((end + 0.08, y + 0.12), (end + GAP - 0.08, y + 0.12), F)
                write(end + GAP / 2, y + 0.34, r"$\hat R,\ \hat\Pi$", F, size=12)
                arrow((end + GAP - 0.08, y - 0.12), (end + 0.08, y - 0.12), UP)
                write(end + GAP / 2, y - 0.36, r"$\hat P$", UP, size=12)
            x = end + GAP
        if l < len(config.channel_widths):
            half, below = widths[0] * unit / 2, 2 * widths[0] * unit / 2
            down = y - half - below - 1.3
            arrow((half, y - half - 0.62), (half, down + below + 0.06), U)
            write(half + 0.14, down + below + 0.4, rf"$R_{l},\ \Pi_{l}$", U, "left", 12)
            y = down
    bottom = y - widths[0] * unit / 2
    end = config.widths[-1] * unit
    arrow((end + 0.04, bottom - 0.05), (end + 0.55, bottom - 0.5))
    write(
        end + 0.65, bottom - 0.55, "mean over the pixels, linear: class scores", ha="left", size=10
    )
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
