"""Draw book/figures/spectra.svg: eigenvalues of A before and after training, level by level.

Run from the root of the project: python book/figures/spectra.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style
from mgtutorial.spectra.symbols import eigenvalues
from mgtutorial.training import snapshots

GRID = (12, 12)
HALF, PIXELS = 4.8, 151


def image(z):
    """Eigenvalues as grey pixels, nothing beside them: thousands of points in a few kB."""
    out = np.zeros((PIXELS, PIXELS, 4), np.uint8)
    column, row = (
        np.floor((x / HALF + 1) / 2 * PIXELS).astype(int) for x in (z.real.ravel(), z.imag.ravel())
    )
    # as far from a white page as from a dark one
    out[row.clip(0, PIXELS - 1), column.clip(0, PIXELS - 1)] = (115, 122, 130, 255)
    return out


def draw(name="poly-mgnet-skeleton"):
    """Return the figure: levels downwards, the start on the left, the end on the right."""
    run = snapshots.load(name)
    last = run.epochs[-1]
    kernels = [list(run.operators(epoch).values()) for epoch in (0, last)]
    fig, axes = plt.subplots(
        len(kernels[0]), 2, figsize=(6.4, 9.4), sharex=True, sharey=True, squeeze=False
    )
    turn = np.sqrt(2) * np.exp(2j * np.pi * np.arange(101) / 100)
    for column, (epoch, each) in enumerate(zip((0, last), kernels, strict=True)):
        for level, (kernel, x, ax) in enumerate(
            zip(each, run.roots(epoch), axes[:, column], strict=True), 1
        ):
            z = eigenvalues(kernel, GRID)
            ax.imshow(image(z), extent=(-HALF, HALF) * 2, origin="lower", interpolation="none")
            ax.plot(turn.real, turn.imag, color=COLOURS["blue"], linestyle="-", linewidth=1.2)
            ax.plot(
                x.real, x.imag, "x", color=COLOURS["vermillion"], markersize=9, markeredgewidth=2.5
            )
            ax.set_title(f"level {level}, {'start' if epoch == 0 else f'epoch {epoch}'}")
            ax.grid(False)
            if column == 0:
                ax.set_ylabel("Im z")
    for ax in axes[-1]:
        ax.set_xlabel("Re z")
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
