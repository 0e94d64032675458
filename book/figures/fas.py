"""Draw book/figures/fas.svg, the picture that opens the chapter on the full approximation scheme.

Run from the root of the project: python book/figures/fas.py
"""

from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import lambertw

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style
from mgtutorial.linalg.nonlinear import nonlinear_levels
from mgtutorial.multigrid import State, cycle

BLUE, RED = COLOURS["blue"], COLOURS["vermillion"]


def one_unknown(ax, u=1.5, solution=2.0):
    """The same residual, asked for from `u` and from zero, on the curve t exp(t)."""
    f, start = solution * np.exp(solution), u * np.exp(u)
    wrong = lambertw(f - start).real  # w exp(w) = r
    t = np.linspace(0, 2.1, 200)
    ax.plot(t, t * np.exp(t), color="black", linestyle="-")
    for at, level, step, colour, name in (
        (u, start, solution - u, BLUE, "$e$"),
        (0, 0, wrong, RED, "$w$"),
    ):
        corner = at + step
        ax.plot(
            [at, corner, corner], [level, level, level + f - start], color=colour, linestyle="-"
        )
        ax.text(at + step / 2, level - 0.3, name, color=colour, ha="center", va="top")
        ax.text(corner + 0.04, level + (f - start) / 2, "$r$", color=colour)
        ax.plot(at, level, "o", color=colour, clip_on=False)
    ax.set(xlabel="$u$", ylabel="$A(u) = u\\,e^u$", xlim=(0, 2.25), ylim=(-1.6, 16))
    ax.set(xticks=[0, 1, 2], yticks=[0, 5, 10, 15], title="one unknown")


def histories(ax, n=64, gamma=10.0, height=2.0, cycles=12):
    """Relative residuals over V(2,1) cycles, with and without the approximation."""
    levels = nonlinear_levels(n, gamma)
    problem = levels[0].A
    x, y = problem.linear.grid()
    f = problem(height * np.sin(np.pi * x) * np.sin(np.pi * y))
    without = [replace(level, Pi=None) for level in levels]
    for chosen, colour, line, at, name in (
        (without, RED, "--", 3e-4, "coarse levels see\nonly the residual"),
        (levels, BLUE, "-", 1e-8, "they see\n$u$ as well"),
    ):
        s, norms = State(np.zeros_like(f), f), []
        for _ in range(cycles + 1):
            norms.append(np.linalg.norm(f - problem(s.u)) / np.linalg.norm(f))
            s = cycle(chosen, s)
        ax.semilogy(norms, color=colour, linestyle=line, marker="o", markersize=4)
        ax.text(cycles, at, name, color=colour, ha="right")
    ax.set(xlabel="cycles", ylabel="relative residual", ylim=(1e-15, 30))
    ax.set(xticks=[0, 4, 8, 12], yticks=[1, 1e-5, 1e-10, 1e-15], title="3,969 unknowns")


def draw():
    """Return the figure: one unknown on the left, V-cycles on the right."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.1))
    one_unknown(left)
    histories(right)
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
