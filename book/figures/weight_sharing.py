"""Draw book/figures/weight_sharing.svg: two steps of four networks, and whose weights they are.

Run from the root of the project: python book/figures/weight_sharing.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import Circle, FancyBboxPatch

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style

U, F = COLOURS["blue"], COLOURS["vermillion"]
SHARED_A, SHARED_B, OWN, NUMBER = "#bfe3d5", "#f6dca6", "white", "#efefef"

_A, _B = ("$A$", SHARED_A), ("$B$", SHARED_B)

# A column each: its title, the two boxes of its two steps with their colours, and its weights.
NETWORKS = (
    ("ResNet", (("$K_1$", OWN), ("$K_2$", OWN)), (("$K_3$", OWN), ("$K_4$", OWN)), "$36\\,c^2$"),
    ("MgNet$^{A}$", (_A, ("$B_1$", OWN)), (_A, ("$B_2$", OWN)), "$27\\,c^2$"),
    ("MgNet$^{A,B}$", (_A, _B), (_A, _B), "$18\\,c^2$"),
    ("Poly-MgNet", (_A, ("$1/x_1$", NUMBER)), (_A, ("$1/x_2$", NUMBER)), "$9\\,c^2 + 2$"),
)
COLUMN, STEP = 2.35, 3.15


def draw():
    """Return the figure: a column for each network, two steps from top to bottom."""
    fig, ax = plt.subplots(figsize=(7.4, 6.2))
    ax.set(xlim=(-0.95, 3 * COLUMN + 1.15), ylim=(-2 * STEP - 1.15, 1.15), aspect="equal")
    ax.axis("off")

    def arrow(start, end, colour="black", **style):
        shape = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.4} | style
        ax.annotate("", end, start, arrowprops=shape)

    def write(x, y, text, colour="black", size=11, **style):
        ax.text(x, y, text, color=colour, fontsize=size, **{"ha": "center", "va": "center"} | style)

    def box(x, y, text, face):
        shape = FancyBboxPatch(
            (x - 0.42, y - 0.22), 0.84, 0.44, boxstyle="round,pad=0.05", facecolor=face,
            edgecolor="black", linewidth=1.2,
        )  # fmt: skip
        ax.add_patch(shape)
        write(x, y, text)

    def circle(x, y, text):
        ax.add_patch(Circle((x, y), 0.15, facecolor="white", edgecolor="black", linewidth=1.2))
        write(x, y, text, size=10)

    for i, (title, *steps, weights) in enumerate(NETWORKS):
        x, residual = i * COLUMN, title != "ResNet"
        write(x, 0.9, title, size=12)
        write(x, 0.45, "$u$", U, 13)
        for k, (first, second) in enumerate(steps):
            top = 0.2 - STEP * k
            arrow((x, top), (x, top - 0.52), U)
            box(x, top - 0.8, *first)
            between = top - 1.42
            if residual:  # f - A u
                arrow((x, top - 1.08), (x, between + 0.16))
                circle(x, between, "$-$")
                write(x - 0.75, between, "$f$", F, 13)
                arrow((x - 0.6, between), (x - 0.17, between), F)
                arrow((x, between - 0.16), (x, top - 1.77))
            else:
                arrow((x, top - 1.08), (x, top - 1.77))
            box(x, top - 2.04, *second)
            plus = top - 2.7
            arrow((x, top - 2.32), (x, plus + 0.16))
            circle(x, plus, "$+$")
            side = x + 0.8
            ax.plot(
                [x, side, side], [top - 0.2, top - 0.2, plus], color=U, linewidth=1.4, linestyle="-"
            )
            arrow((side, plus), (x + 0.17, plus), U)
            ax.plot([x, x], [plus - 0.15, top - STEP], color=U, linewidth=1.4, linestyle="-")
        arrow((x, 0.2 - 2 * STEP), (x, -2 * STEP - 0.05), U)
        write(x, -2 * STEP - 0.3, "$u$", U, 13)
        write(x, -2 * STEP - 0.85, weights)
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
