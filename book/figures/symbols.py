"""Draw book/figures/symbols.svg: matrices of convolutions, coloured by the entry of the kernel.

Run from the root of the project: python book/figures/symbols.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import use_style
from mgtutorial.spectra.convolutions import Convolution


def numbered(c, groups=1, size=3):
    """A convolution of `c` channels whose weights are the numbers of their places in the kernel."""
    places = np.arange(1, size**2 + 1).reshape(size, size)
    return Convolution(np.tile(places, (c, c // groups, 1, 1)), groups=groups)


def panels():
    """Title, matrix and channels of each: all of them are 64 x 64."""
    yield "fully connected", np.arange(1, 64 * 64 + 1).reshape(64, 64), 1
    yield "1 channel", numbered(1).sparse((8, 8)).toarray(), 1
    yield "4 channels", numbered(4).sparse((4, 4)).toarray(), 4
    yield "4 channels, 2 groups", numbered(4, 2).sparse((4, 4)).toarray(), 4
    yield "4 channels, depthwise", numbered(4, 4).sparse((4, 4)).toarray(), 4
    yield "4 channels, 1 × 1", numbered(4, size=1).sparse((4, 4)).toarray(), 4


def weights(matrix, channels):
    """Different numbers in each block of channels: what there is to learn."""
    size = 64 // channels
    blocks = matrix.reshape(channels, size, channels, size).swapaxes(1, 2).reshape(-1, size**2)
    return sum(np.count_nonzero(np.unique(block)) for block in blocks)


def draw():
    """Return the figure: six panels, two in a row."""
    fig, axes = plt.subplots(3, 2, figsize=(6.0, 9.6))
    for ax, (title, matrix, channels) in zip(axes.flat, panels(), strict=True):
        shown = np.ma.masked_equal(matrix, 0)
        colours = ListedColormap(plt.get_cmap("viridis")(np.linspace(0.05, 0.95, 9)))
        if matrix.max() > 9:
            colours = plt.get_cmap("viridis")
        if matrix.max() == 1:
            shown = 5 * shown  # the colour that the middle entry has in the others
        ax.imshow(shown, cmap=colours, vmin=1, vmax=max(9, matrix.max()), interpolation="none")
        for edge in range(64 // channels, 64, 64 // channels):
            ax.axhline(edge - 0.5, color="0.6", linewidth=0.8)
            ax.axvline(edge - 0.5, color="0.6", linewidth=0.8)
        ax.set_title(f"{title}\n{weights(matrix, channels):,} weights")
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
        for spine in ax.spines.values():
            spine.set_visible(True)
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
