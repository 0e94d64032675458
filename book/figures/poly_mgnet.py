"""Draw book/figures/poly_mgnet.svg: the data flow of a Poly-MgNet, from a PolyMgNetConfig.

Run from the root of the project: python book/figures/poly_mgnet.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style
from mgtutorial.models import PolyMgNetConfig
from mgtutorial.models.poly_steps import KINDS

U, F, SHARED = COLOURS["blue"], COLOURS["vermillion"], COLOURS["green"]
ROW = 2.15  # height of a level
FACTORS = {
    "linear": "$1-z/x_{%d}$",
    "double": "$1-z^2/x_{%d}^2$",
    "repeated": "$(1-z/x_{%d})^2$",
    "pair": r"$(1-z/x_{%d})\;(1-z/\bar x_{%d})$",
}
EXAMPLE = PolyMgNetConfig((16, 32, 64), steps=("linear", "linear", "pair"))


def draw(config=EXAMPLE, size=28):
    """Return the figure: one row a level, with the factors of its steps and the A they share."""
    levels = len(config.channels)
    numbers = sum(KINDS[kind] for kind in config.steps)
    fig, ax = plt.subplots(figsize=(7.0, 1.5 * levels + 1.5))
    ax.set(xlim=(-0.9, 9.3), ylim=(-ROW * levels + 0.6, 1.95))
    ax.axis("off")

    def arrow(start, end, colour="black", **style):
        style = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.6} | style
        ax.annotate("", end, start, arrowprops=style)

    def write(x, y, text, colour="black", ha="center", size=11):
        ax.text(x, y, text, ha=ha, va="center", color=colour, fontsize=size)

    def box(x, y, width, height, face, edge="black", line=1.4):
        shape = FancyBboxPatch(
            (x, y), width, height, boxstyle="round,pad=0.06",
            facecolor=face, edgecolor=edge, linewidth=line,
        )  # fmt: skip
        ax.add_patch(shape)

    write(0, 1.7, "image", size=12)
    arrow((0, 1.45), (0, 0.35))
    write(0.15, 0.95, "stem", ha="left")
    write(4.1, 1.65, r"$u_1 = 0$", U)
    arrow((4.1, 1.45), (4.1, 1.0), U)
    left, width = 1.35, 5.6
    for level, c in enumerate(config.channels, 1):
        y, side = -ROW * (level - 1), -(-size // 2 ** (level - 1))
        write(0, y, f"$f_{level}$", F, size=15)
        arrow((0.35, y), (left - 0.1, y), F)
        box(left, y - 0.42, width, 1.3, "#f4f6f8")
        box(left + 0.2, y + 0.42, width - 0.4, 0.3, "white", SHARED)
        write(left + width / 2, y + 0.57, f"one $A_{level}$: 3 × 3, {c} → {c}", SHARED, size=10)
        # A pair is as wide as two: it applies A twice.
        share = {kind: 1 if kind == "linear" else 2 for kind in KINDS}
        unit = (width - 0.4) / sum(share[kind] for kind in config.steps)
        x = left + 0.2
        for i, kind in enumerate(config.steps, 1):
            wide = unit * share[kind]
            box(x + 0.06, y - 0.26, wide - 0.12, 0.4, "white", line=1.0)
            text = FACTORS[kind]
            write(x + wide / 2, y - 0.06, text % ((i,) * text.count("%d")), size=10)
            for k in range(share[kind]):
                at = x + unit * (k + 0.5)
                arrow((at, y + 0.36), (at, y + 0.2), SHARED, linewidth=1.2)
            x += wide
        write(
            left + width + 0.3, y + 0.2,
            f"{side} × {side} pixels\n{c} channels\n{numbers} numbers", ha="left", size=10,
        )  # fmt: skip
        if level < levels:
            below = y - 0.5
            arrow((left + 0.5, below), (0.3, y - ROW + 0.3), F)
            write(1.1, below - 0.3, rf"$R_{level}\,\sigma(f_{level} - A_{level} u_{level})$", F,
                  ha="right", size=10)  # fmt: skip
            write(0.55, below - 0.68, rf"$+\,A_{level + 1} u_{level + 1}$", F, ha="right", size=10)
            arrow((4.1, below), (4.1, y - ROW + 0.97), U)
            middle = (below + y - ROW + 0.97) / 2
            write(4.25, middle, rf"$u_{level + 1} = \Pi_{level} u_{level}$", U, ha="left")
    arrow((left + width + 0.1, y - 0.3), (left + width + 0.75, y - 0.55))
    write(left + width + 0.3, y - 0.85, "mean over the pixels,\nlinear: class scores", size=10)
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
