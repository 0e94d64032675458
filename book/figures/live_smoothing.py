"""Draw book/figures/live_smoothing.svg, the still picture of the live figure on smoothing.

Run from the root of the project: python book/figures/live_smoothing.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.fft import dst

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style
from mgtutorial.linalg.problems import poisson
from mgtutorial.linalg.smoothers import jacobi
from mgtutorial.multigrid import State, correct, relax


def draw(n=64, omega=0.67, sweeps=5, seed=0):
    """Return the figure: an error, its waves, and what one sweep multiplies each by."""
    problem = poisson(n, d=1)
    step = correct(problem.A, jacobi(problem.A.diagonal, omega))
    start = np.random.default_rng(seed).uniform(-1, 1, problem.shape)
    left = relax([step] * sweeps, State(start, np.zeros(problem.shape))).u
    (x,), k = problem.grid(), np.arange(1, n)
    fig, (error, waves, factor) = plt.subplots(3, 1, figsize=(5.0, 6.4))
    for u, colour in ((start, "0.75"), (left, COLOURS["blue"])):
        error.plot(x, u, color=colour, linestyle="-")
        waves.bar(k, np.abs(dst(u, type=1) / n), color=colour)
    factor.plot(k, 1 - 2 * omega * np.sin(np.pi * k / (2 * n)) ** 2, color=COLOURS["vermillion"])
    for ax in (waves, factor):
        ax.axvspan(n / 2, n, color=COLOURS["yellow"], alpha=0.25, linewidth=0)
    error.set(ylabel="error", title=f"damping {omega}, {sweeps} sweeps")
    waves.set(ylabel="size of each wave")
    factor.set(xlabel="wave number k", ylabel="factor of a sweep", ylim=(-1.1, 1.1))
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
