"""Draw book/figures/live_vcycle.svg, the still picture of the V-cycle on the first page.

Run from the root of the project: python book/figures/live_vcycle.py
"""

from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style
from mgtutorial.linalg.smoothers import jacobi
from mgtutorial.linalg.solvers import poisson_levels
from mgtutorial.multigrid import State, cycle


def errors(u, sweeps=2, depth=4):
    """Return the error on each level, on the way down and on the way up, of one V-cycle."""
    n, down, up = len(u) + 1, {}, {}

    def keep(kept, level, step=lambda s: s):
        def kept_step(s):
            kept[level] = (s := step(s)).u
            return s

        return kept_step

    def smoother(problem):
        return jacobi(problem.A.diagonal, 0.8)

    made = poisson_levels(n, depth=depth, smoother=smoother, nu=(sweeps, sweeps), fas=True)
    levels = [
        replace(x, pre=[*x.pre, keep(down, i)], post=[*x.post, keep(up, i)])
        for i, x in enumerate(made)
    ]
    cycle(levels, State(u, np.zeros_like(u)))
    return down, up


def draw(n=64, depth=4, seed=5):
    """Return the figure: the V of a cycle's errors, and the staircase of a network's images."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(*[np.arange(1, n) / n] * 2, indexing="ij")
    error = np.sin(2 * np.pi * x) * np.sin(np.pi * y) + rng.uniform(-1.5, 1.5, x.shape)
    down, up = errors(error, depth=depth)
    columns = 2 * depth - 1
    fig = plt.figure(figsize=(7.0, 3.4), layout="none")
    width, height = 0.075, 0.075 * 7.0 / 3.4
    for level in range(depth):
        for column, u in ((level, down[level]), (columns - 1 - level, up[level])):
            ax = fig.add_axes((0.02 + 0.082 * column, 0.72 - 0.235 * level, width, height))
            ax.imshow(u, cmap="RdBu_r", vmin=-1.5, vmax=1.5)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(True)
            if column == level:
                ax.set_xlabel(str(n >> level), labelpad=1)
        for sheet in range(level + 1, -1, -1):  # channels, behind each other
            left, bottom = 0.64 + 0.08 * level + 0.007 * sheet, 0.72 - 0.235 * level + 0.015 * sheet
            side = 0.8 * (1 - 0.12 * level)
            box = (left, bottom), side * width, side * height
            fig.add_artist(plt.Rectangle(*box, facecolor="white", edgecolor=COLOURS["blue"]))
        fig.text(0.665 + 0.08 * level, 0.66 - 0.235 * level, str(32 >> level), ha="center")
    fig.text(0.02, 0.93, "multigrid")
    fig.text(0.64, 0.93, "a network for images")
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
