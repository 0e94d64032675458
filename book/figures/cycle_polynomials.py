"""Draw book/figures/cycle_polynomials.svg, the picture that opens the chapter on them.

Run from the root of the project: python book/figures/cycle_polynomials.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import use_style
from mgtutorial.linalg.cycle_roots import chebyshev_fourth
from mgtutorial.linalg.fourier import two_grid_factor
from mgtutorial.linalg.polynomials import polynomial_symbol, q
from mgtutorial.linalg.problems import poisson
from mgtutorial.linalg.roots import chebyshev, chebyshev_maximum
from mgtutorial.linalg.transfers import full_weighting, linear_interpolation


def draw(degree=4):
    """Return the figure: two polynomials with their weight, and what two grids make of them."""
    kinds = {"interval": lambda t, m: chebyshev(t / 4, t, m), "fourth kind": chebyshev_fourth}
    x = np.linspace(0, 1, 241)
    fig, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.2))
    for name, roots in kinds.items():
        left.plot(x, np.sqrt(x) * np.abs(q(x, roots(1, degree))), label=name)
    left.set(xlabel="eigenvalue / greatest", ylabel="√x |q|", ylim=(0, None))
    left.legend()
    A, degrees = poisson(8).A, np.arange(1, 7)
    grids = A, poisson(4).A, full_weighting(), linear_interpolation()
    for name, roots in kinds.items():
        symbols = [polynomial_symbol(A, roots(2 * A.diagonal, m)) for m in degrees.tolist()]
        right.semilogy(degrees, [two_grid_factor(*grids, E) for E in symbols], "o-", label=name)
    promise = [chebyshev_maximum(1, 4, m) ** 2 for m in degrees.tolist()]
    right.semilogy(degrees, promise, "s--", color="0.45", label="μ²")
    right.set(xlabel="degree", ylabel="factor of a cycle", ylim=(1e-6, 1))
    right.legend()
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
