"""Draw book/figures/polynomial_smoothers.svg, the picture that opens the chapter on them.

Run from the root of the project: python book/figures/polynomial_smoothers.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style
from mgtutorial.linalg.approximation import minimax
from mgtutorial.linalg.polynomials import q


def draw(peclet=2.0, degree=4):
    """Return the figure: |q| in the complex plane, with real roots and with complex pairs."""
    theta = np.linspace(-np.pi / 2, np.pi / 2, 101)
    spectrum = 1 + np.cos(theta) + 1j * peclet * np.sin(theta)  # the high frequencies
    real = np.full(degree, 1 + peclet**2)  # the best real roots: Proposition 4 of the chapter
    pairs = minimax(spectrum, degree).roots
    x, y = np.linspace(-0.3, 5.6, 60), np.linspace(-2.7, 2.7, 55)
    plane = x + 1j * y[:, None]
    levels = [0, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1e9]
    fig, axes = plt.subplots(1, 2, figsize=(5.6, 3.3), sharey=True)
    names = ("four real roots", "two complex pairs")
    for ax, roots, name in zip(axes, (real, pairs), names, strict=True):
        size = np.abs(q(plane, roots))
        shades = plt.get_cmap("Blues")(np.linspace(0.75, 0.0, len(levels) - 1))
        ax.contourf(x, y, size, levels=levels, colors=shades)
        lines = ax.contour(x, y, size, levels=levels[1:-1], colors="0.35", linewidths=0.7)
        ax.clabel(lines, fontsize=9, fmt="%g")
        ax.plot(spectrum.real, spectrum.imag, color=COLOURS["vermillion"], linestyle="-")
        ax.plot(roots.real, roots.imag, "x", color=COLOURS["black"], markersize=8, mew=2)
        worst = np.abs(q(spectrum, roots)).max()
        ax.set(title=f"{name}\nat worst {worst:.2f}", xlabel="Re z", aspect="equal")
        ax.grid(False)
    axes[0].set(ylabel="Im z")
    axes[0].annotate("all four", (5, 0.15), (3.6, 0.8), fontsize=10)
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
