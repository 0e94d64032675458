"""Draw book/figures/coarsening.svg, the picture that opens the chapter on coarsening.

Run from the root of the project: python book/figures/coarsening.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.fft import dstn, idstn

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style
from mgtutorial.linalg.problems import poisson
from mgtutorial.linalg.smoothers import red_black_sweep
from mgtutorial.linalg.solvers import poisson_levels
from mgtutorial.multigrid import cycle, start

WORK = 4  # of a V(1,1)-cycle: (2 sweeps + 1 residual) (1 + 1/4 + 1/16 + ...)
CYCLES = 11


def draw():
    """Return the figure: errors over work, of V-cycles on three meshes and of Gauss-Seidel."""
    fig, ax = plt.subplots(figsize=(6.0, 3.6))
    # the three curves coincide, so their markers go inside one another
    styles = {64: ("blue", "o", 12), 256: ("vermillion", "s", 7.5), 1024: ("black", "x", 5)}
    for n, (colour, marker, size_of_marker) in styles.items():
        problem = poisson(n)
        f = np.ones(problem.shape)
        eigenvalues = problem.A.symbol(*problem.frequencies()).real
        exact = idstn(dstn(f, type=1) / eigenvalues, type=1)
        size = np.linalg.norm(exact)

        levels, s, errors = poisson_levels(n), start(f), [1.0]
        for _ in range(CYCLES):
            s = cycle(levels, s)
            errors.append(np.linalg.norm(s.u - exact) / size)
        ax.semilogy(
            WORK * np.arange(CYCLES + 1),
            errors,
            linestyle="-",
            linewidth=1,
            marker=marker,
            markersize=size_of_marker,
            markerfacecolor="none",
            color=COLOURS[colour],
            label=f"V-cycles, {n + 1} × {n + 1} points",
        )

        u, errors = np.zeros(problem.shape), [1.0]
        for _ in range(WORK * CYCLES):
            red_black_sweep(problem.A, u, f)
            errors.append(np.linalg.norm(u - exact) / size)
        ax.semilogy(errors, "--", color=COLOURS[colour], linewidth=1.5)
    ax.text(44, 0.25, "Gauss-Seidel alone, all three", ha="right", va="top")
    ax.set(xlabel="work, in sweeps on the finest grid", ylabel="error, start = 1", ylim=(1e-11, 5))
    ax.legend(loc="lower left")
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
