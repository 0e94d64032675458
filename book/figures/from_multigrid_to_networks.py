"""Draw book/figures/from_multigrid_to_networks.svg: a linear MgNet with Poisson's stencils.

Run from the root of the project: python book/figures/from_multigrid_to_networks.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import use_style
from mgtutorial.linalg.problems import poisson
from mgtutorial.linalg.smoothers import jacobi
from mgtutorial.linalg.transfers import full_weighting, injection
from mgtutorial.multigrid import Level, coarsen, correct, relax, start


def drawing(n):
    """A face on (n - 1)^2 points: sharp strokes, the roughest data there are."""
    x, y = np.meshgrid(*[np.arange(1, n) / n] * 2, indexing="ij")
    from_centre = np.hypot(x - 0.5, y - 0.5)
    eyes = (np.abs(x - 0.4) < 0.03) & (np.abs(np.abs(y - 0.5) - 0.13) < 0.03)
    mouth = (np.abs(from_centre - 0.2) < 0.02) & (x > 0.58)
    return np.where(eyes | mouth | (np.abs(from_centre - 0.36) < 0.02), 1.0, 0.0)


def draw(n=64, depth=3, nu=3):
    """Return the figure: data above, features below, on each level."""
    fig, axes = plt.subplots(2, depth, figsize=(6.4, 4.5))
    levels = []
    for level in range(depth):
        A = poisson(n >> level).A
        steps = [correct(A, jacobi(A.diagonal, omega=0.8))] * nu
        levels.append(Level(A, steps, R=full_weighting(2), Pi=injection(2)))
    s = start(drawing(n))
    for i, level in enumerate(levels):
        s = relax(level.pre, s)
        for ax, v, name in zip(axes[:, i], (s.f, s.u), "fu", strict=True):
            top = np.abs(v).max()
            ax.imshow(v, cmap="RdBu_r", vmin=-top, vmax=top, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(True)
            ax.set_ylabel(f"${name}_{i + 1}$", rotation=0, labelpad=12, va="center")
        axes[0, i].set_title(f"{len(s.u)} × {len(s.u)}", fontsize=11)
        if i + 1 < depth:
            _, s = coarsen(level, levels[i + 1], s)
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
