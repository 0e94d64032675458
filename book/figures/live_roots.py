"""Draw book/figures/live_roots.svg, the still picture of the roots that can be dragged.

Run from the root of the project: python book/figures/live_roots.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from mgtutorial.figures.complex_plane import REDUCTION
from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style
from mgtutorial.linalg.operators import as_matrix
from mgtutorial.linalg.polynomials import propagation, q
from mgtutorial.linalg.problems import convection_diffusion


def draw(peclet=2.0, n=64, rounds=20):
    """Return the figure: |q| of two pairs at the corners, and a rough error over the rounds."""
    roots = [1 + 1j * peclet, 1 - 1j * peclet] * 2
    half, angle = np.linspace(-np.pi / 2, np.pi / 2, 101), np.linspace(-np.pi, np.pi, 201)
    side = np.linspace(-3.2, 3.2, 129)
    fig, (plane, curve) = plt.subplots(
        2, 1, figsize=(5.0, 7.0), gridspec_kw={"height_ratios": [2, 1]}
    )
    size = np.abs(q(side + 2.5 + 1j * side[:, None], roots))
    extent = (side[0] + 2.5, side[-1] + 2.5, side[0], side[-1])
    plane.imshow(REDUCTION(size), extent=extent, origin="lower")
    plane.plot(1 + np.cos(angle), peclet * np.sin(angle), "k-", linewidth=1)
    plane.plot(1 + np.cos(half), peclet * np.sin(half), "k-", linewidth=3)
    plane.plot(np.real(roots), np.imag(roots), "x", color=COLOURS["vermillion"], markersize=12)
    plane.set(xlabel="Re z", ylabel="Im z")
    plane.grid(False)
    for boundary, style in (("periodic", "-"), ("dirichlet", "--")):
        problem = convection_diffusion(n, [2 * peclet * n], scheme="central", boundary=boundary)
        E = as_matrix(propagation(problem.A, np.multiply(roots, 2 * n**2)), problem.shape)
        j = np.arange(problem.shape[0]) + (boundary == "dirichlet")
        k = np.arange(n // 4, n // 2 + 1)[:, None]
        e, norms = np.cos(2 * np.pi * k * j / n + k**2).sum(axis=0), []
        for _ in range(rounds + 1):
            norms.append(np.linalg.norm(e))
            e = E @ e
        curve.semilogy(np.array(norms) / norms[0], style, label=boundary)
    curve.set(xlabel="rounds of four steps", ylabel="norm of the error")
    curve.legend(["on a circle", "between two walls"])
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
