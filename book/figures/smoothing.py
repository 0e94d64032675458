"""Draw book/figures/smoothing.svg, the picture that opens the chapter on smoothing.

Run from the root of the project: python book/figures/smoothing.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style
from mgtutorial.linalg.problems import poisson
from mgtutorial.linalg.smoothers import jacobi
from mgtutorial.multigrid import State, correct


def draw(n=64, seed=0):
    """Return the figure: a random error before, after 5 and after 100 sweeps."""
    problem = poisson(n, d=1)
    step = correct(problem.A, jacobi(problem.A.diagonal, omega=2 / 3))
    error = np.random.default_rng(seed).uniform(0, 1, problem.shape)
    state = State(error, np.zeros(problem.shape))  # f = 0, so u is the error up to its sign
    (x,) = problem.grid()
    fig, axes = plt.subplots(1, 3, figsize=(7.0, 2.4), sharex=True, sharey=True)
    done = 0
    for ax, sweeps in zip(axes, (0, 5, 100), strict=True):
        for _ in range(sweeps - done):
            state = step(state)
        done = sweeps
        ax.plot([0, *x, 1], [0, *state.u, 0], color=COLOURS["blue"], linewidth=1.5)
        ax.set(title=f"{sweeps} sweeps" if sweeps else "start", xlabel="x", xticks=[0, 0.5, 1])
    axes[0].set(ylabel="error", ylim=(-0.05, 1.05))
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
