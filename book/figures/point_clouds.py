"""Draw book/figures/point_clouds.svg, the picture that opens the page on clouds of points.

Run from the root of the project: python book/figures/point_clouds.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from mgtutorial.data.made_clouds import shapes
from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import use_style
from mgtutorial.models.neighbours import nearest

SIDE = np.array([[0.87, 0.5, 0.0], [-0.25, 0.43, 0.87]])  # from the front, a little from above


def draw(points=130, k=10):
    """Return the figure: a cloud, its graph of neighbours, and a neighbourhood."""
    clouds, labels, _ = shapes(train=False, n=6, points=points)
    cloud = clouds[labels == 4][0]  # the ring
    near = nearest(torch.from_numpy(cloud)[None], k)[0].numpy()
    flat = cloud @ SIDE.T
    fig, axes = plt.subplots(1, 3, figsize=(7.2, 2.6))
    middle = int(np.argmin(np.linalg.norm(flat - [0.55, -0.3], axis=1)))
    gap = np.full((1, 2), np.nan)  # all edges in one line with gaps
    edges = [np.concatenate([flat[[i, j]], gap]) for i, ends in enumerate(near) for j in ends]
    axes[1].plot(*np.concatenate(edges).T, color="0.75", linewidth=0.4, zorder=0)
    titles = ("a cloud", f"its {k} nearest neighbours", "one point")
    for ax, title in zip(axes, titles, strict=True):
        ax.plot(*flat.T, ".", color="0.25", markersize=2.5)
        ax.set_title(title)
        ax.set(aspect="equal", xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for j in near[middle]:
        start, end = flat[middle], flat[j]
        axes[2].annotate(
            "", end, start, arrowprops={"arrowstyle": "->", "color": "#d55e00", "linewidth": 1}
        )
    x, y = flat[middle]
    axes[2].set(xlim=(x - 0.45, x + 0.45), ylim=(y - 0.35, y + 0.35))
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
