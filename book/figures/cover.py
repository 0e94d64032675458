"""Draw book/figures/cover.svg, the picture of the first page: an error on its way down the grids.

Run from the root of the project: python book/figures/cover.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import use_style
from mgtutorial.linalg.problems import poisson
from mgtutorial.linalg.smoothers import jacobi
from mgtutorial.linalg.transfers import full_weighting
from mgtutorial.multigrid import State, correct


def draw(n=64, levels=3, sweeps=3, seed=5):
    """Return the figure: on each level an error before (above) and after smoothing (below)."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(*[np.arange(1, n) / n] * 2, indexing="ij")
    error = np.sin(2 * np.pi * x) * np.sin(np.pi * y) + 0.9 * rng.standard_normal(x.shape)
    fig, axes = plt.subplots(2, levels, figsize=(6.4, 4.5))
    for level in range(levels):
        problem = poisson(n >> level, d=2)
        step = correct(problem.A, jacobi(problem.A.diagonal, omega=0.8))
        # f = 0: then u is the error up to its sign, and smoothing u smooths the error
        state = State(error, np.zeros_like(error))
        for _ in range(sweeps):
            state = step(state)
        for ax, v in zip(axes[:, level], (error, state.u), strict=True):
            ax.imshow(v, cmap="RdBu_r", vmin=-1.5, vmax=1.5, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(True)
        axes[0, level].set_title(f"{len(error)} × {len(error)}")
        axes[1, level].set_title("smoothed")
        error = full_weighting(2)(state.u)
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
