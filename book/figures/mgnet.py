"""Draw book/figures/mgnet.svg: the data flow of MgNet, from an MgNetConfig.

Run from the root of the project: python book/figures/mgnet.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch

from mgtutorial import models
from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style

U, F = COLOURS["blue"], COLOURS["vermillion"]
ROW = 1.75  # height of a level


def draw(config=models.CONFIGS["mgnet-20"], size=28):
    """Return the figure: one row a level, with its steps, its transfers and its widths."""
    levels = len(config.channels)
    fig, ax = plt.subplots(figsize=(6.4, 1.3 * levels + 1.5))
    ax.set(xlim=(-0.7, 8.3), ylim=(-ROW * levels + 0.3, 1.75))
    ax.axis("off")

    def arrow(start, end, colour="black"):
        ax.annotate(
            "", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.6}
        )

    def write(x, y, text, colour="black", ha="center", size=11):
        ax.text(x, y, text, ha=ha, va="center", color=colour, fontsize=size)

    write(0, 1.5, "image", size=12)
    arrow((0, 1.25), (0, 0.35))
    write(0.15, 0.85, "stem", ha="left")
    write(3.35, 0.95, r"$u_1 = 0$", U)
    arrow((3.35, 0.75), (3.35, 0.47), U)
    for level, c in enumerate(config.channels, 1):
        y, side = -ROW * (level - 1), -(-size // 2 ** (level - 1))
        write(0, y, f"$f_{level}$", F, size=15)
        arrow((0.35, y), (1.2, y), F)
        ax.add_patch(
            FancyBboxPatch(
                (1.3, y - 0.38), 4.2, 0.76, boxstyle="round,pad=0.06",
                facecolor="#f4f6f8", edgecolor="black", linewidth=1.4,
            )
        )  # fmt: skip
        step = rf"$u_{level} \leftarrow u_{level} + B_{level}(f_{level} - A_{level} u_{level})$"
        write(3.4, y, f"{config.steps} times  {step}")
        write(5.85, y, f"{side} × {side} pixels\n{c} channels", ha="left", size=10)
        if level < levels:
            arrow((1.9, y - 0.47), (0.3, y - ROW + 0.25), F)
            restricted = rf"$R_{level}(f_{level} - A_{level} u_{level})$"
            write(0.85, y - 0.72, restricted, F, ha="right", size=10)
            write(0.5, y - 1.05, rf"$+\,A_{level + 1} u_{level + 1}$", F, ha="right", size=10)
            arrow((3.35, y - 0.47), (3.35, y - ROW + 0.47), U)
            write(3.5, y - ROW / 2, rf"$u_{level + 1} = \Pi_{level} u_{level}$", U, ha="left")
    arrow((5.6, y - 0.25), (6.9, y - 0.78))
    write(6.9, y - 1.0, "mean over the pixels,\nlinear: class scores", size=10)
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
