"""Draw book/figures/two_grid_theory.svg, the picture that opens the chapter on two grids.

Run from the root of the project: python book/figures/two_grid_theory.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import use_style
from mgtutorial.linalg.aggregation import aggregates, algebraic_levels
from mgtutorial.linalg.fourier import jacobi_symbol
from mgtutorial.linalg.krylov import k_cycle
from mgtutorial.linalg.learned_transfers import analyse, galerkin_factors
from mgtutorial.linalg.problems import poisson
from mgtutorial.linalg.stencils import Stencil
from mgtutorial.multigrid import cycle, start


def measured(method, levels, size, count=40):
    """The factor of the residual in the last ten of at most `count` cycles."""
    f = np.random.default_rng(0).standard_normal(size)
    u, norms = 0 * f, []
    for _ in range(count):
        r = f - levels[0].A(u)
        norms.append(np.linalg.norm(r))
        if norms[-1] < 1e-11 * norms[0]:
            break
        u = u + method(levels, start(r, linear=True)).u
    last = min(10, len(norms) - 1)
    return (norms[-1] / norms[-1 - last]) ** (1 / last)


def draw():
    """Return the figure: interpolation for a fourth-order operator, and cycles over pairs."""
    A = Stencil.from_kernel(np.array([1.0, -4.0, 6.0, -4.0, 1.0]), "periodic")
    found = analyse(A, jacobi_symbol(A, 0.6), samples=64)
    fig, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.2))
    kernels = {"linear": [0.5, 1, 0.5], "1, 4, 6, 4, 1": [1 / 8, 1 / 2, 3 / 4, 1 / 2, 1 / 8]}
    low = found.theta[:, 0, 0]
    for name, kernel in kernels.items():
        kernel = torch.tensor(kernel, dtype=torch.float64)
        left.plot(low, galerkin_factors(found, kernel).numpy(), label=name)
    least = np.sort(np.abs(found.s), axis=1)[:, -2] ** 2
    left.plot(low, least, "--", color="0.3", label="least possible")
    left.set(xlabel="low frequency", ylabel="two-grid factor", ylim=(0, 1.15))
    left.legend(loc="upper left")
    methods = {"V": cycle, "W": lambda lv, s: cycle(lv, s, 2), "K": k_cycle}
    sizes = [16, 32, 64, 128, 256, 512]
    values = {name: [] for name in methods}
    for size in sizes:
        pairs = [aggregates((size >> i,)) for i in range(size.bit_length() - 2)]
        levels = algebraic_levels(poisson(size + 1, d=1).sparse(), pairs)
        for name, method in methods.items():
            values[name].append(measured(method, levels, size))
    for (name, found), mark in zip(values.items(), ("o-", "s-", "^-"), strict=True):
        right.plot(np.log2(sizes), found, mark, label=f"{name}-cycle")
    right.set(xlabel="unknowns", ylabel="convergence factor", ylim=(0, 1))
    right.set_xticks(np.log2(sizes), [str(size) for size in sizes])
    right.legend(loc="lower right")
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
