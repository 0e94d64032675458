"""Draw book/figures/mgic.svg: one MGIC block, from its channel levels.

Run from the root of the project: python book/figures/mgic.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style
from mgtutorial.models.mgic import group_numbers, halvings

U, UP, BLOCK = COLOURS["blue"], COLOURS["green"], COLOURS["vermillion"]
ROW, WIDE = 2.05, 1.7  # height of a level, side of the widest square


def draw(c=64, s_g=8, s_c=16):
    """Return the figure: a row for each channel level, down on the left and up on the right.

    A square is the coupling of the level's block: which channels meet in it.
    """
    widths = halvings(c, s_c)
    groups = group_numbers(widths, s_g)
    unit = WIDE / c
    fig, ax = plt.subplots(figsize=(6.6, 4.75))
    ax.set(xlim=(-0.8, 8.2), ylim=(-ROW * (len(widths) - 1) - 0.5, 1.5), aspect="equal")
    ax.axis("off")

    def arrow(start, end, colour="black", style="-"):
        shape = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.6, "linestyle": style}
        ax.annotate("", end, start, arrowprops=shape)

    def write(x, y, text, colour="black", ha="center", size=11):
        ax.text(x, y, text, ha=ha, va="center", color=colour, fontsize=size)

    left, plus, square = 0.35, 3.3, 4.75
    write(left, 1.3, "features in", size=12)
    arrow((left, 1.12), (left, 0.33), U)
    for k, (width, number) in enumerate(zip(widths, groups, strict=True), 1):
        y, last = -ROW * (k - 1), k == len(widths)
        box = {"boxstyle": "round,pad=0.05", "facecolor": "#f4f6f8", "edgecolor": "black"}
        ax.add_patch(FancyBboxPatch((left - 0.85, y - 0.24), 1.7, 0.48, linewidth=1.4, **box))
        write(left, y, f"{width} channels")
        side, size = width * unit, width // number * unit
        ax.add_patch(Rectangle((square, y - side / 2), side, side, facecolor="white"))
        for i in range(number):
            corner = (square + i * size, y + side / 2 - (i + 1) * size)
            colour = "#f2b28c" if number > 1 else UP
            ax.add_patch(Rectangle(corner, size, size, facecolor=colour, linewidth=0))
        ax.add_patch(
            Rectangle((square, y - side / 2), side, side, fill=False, edgecolor="black", lw=1.4)
        )
        text = f"block, {number} groups of {width // number}" if number > 1 else "block, one group"
        write(square + side + 0.15, y, text.replace(", ", ",\n"), ha="left", size=10)
        if last:
            arrow((left + 0.95, y), (square - 0.07, y), U)
        else:
            arrow((left + 0.95, y), (plus - 0.17, y), U, (0, (4, 2)))
            ax.add_patch(Circle((plus, y), 0.16, facecolor="white", edgecolor=UP, linewidth=1.6))
            write(plus, y - 0.01, "+", UP, size=13)
            arrow((plus + 0.18, y), (square - 0.07, y), U)
            arrow((left, y - 0.32), (left, y - ROW + 0.33), U)
            write(left + 0.14, y - ROW / 2, rf"$\hat R_{k}$", U, "left", 12)
            # the correction: what the coarser level has changed
            below = -ROW * k
            half = widths[k] * unit / 2
            x = square + half
            ax.plot([x, x], [below + half, below + half + 0.2], color=UP, lw=1.6, ls="-")
            ax.plot([plus, x], [below + half + 0.2] * 2, color=UP, lw=1.6, ls="-")
            arrow((plus, below + half + 0.19), (plus, y - 0.18), UP)
            changed = rf"$N \hat P_{k}\,(u_{k + 1} - \hat R_{k} u_{k})$"
            write(plus - 0.12, (below + half + y) / 2, changed, UP, "right", 11)
    top = WIDE / 2
    arrow((square + top, top + 0.05), (square + top, 1.2))
    write(square + top, 1.36, "features out", size=12)
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
