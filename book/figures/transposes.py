"""Draw book/figures/transposes.svg, the picture that opens the chapter on the transpose.

Run from the root of the project: python book/figures/transposes.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import use_style


def draw(channels=8, size=8, steps=40):
    """Return the figure: I - B A for a random convolution, and what becomes of a residual."""
    rng = np.random.default_rng(0)
    angles = 2 * np.pi * np.arange(size) / size
    phases = np.exp(1j * np.outer(angles, np.arange(-1, 2)))
    kernels = rng.uniform(-1, 1, (2, channels, channels, 3, 3)) / np.sqrt(9 * channels)
    A, B = (np.einsum("oikl,ak,bl->aboi", k, phases, phases) for k in kernels)
    adjoint = A.conj().swapaxes(-1, -2)
    adjoint = adjoint / np.linalg.norm(A, 2, axis=(-2, -1)).max() ** 2
    fig, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.2))
    first = rng.standard_normal((size, size, channels, 1))
    for name, smoother, mark in (("random B", B, "."), ("B = ωAᵀ", adjoint, "x")):
        values = np.linalg.eigvals(np.eye(channels) - smoother @ A).ravel()
        left.plot(values.real, values.imag, mark, markersize=4, label=name)
        r, norms = np.fft.fft2(first, axes=(0, 1)), []
        for _ in range(steps):
            norms.append(np.linalg.norm(r))
            r = r - A @ (smoother @ r)
        right.semilogy(np.array(norms) / norms[0], label=name)
    circle = np.exp(2j * np.pi * np.linspace(0, 1, 121))
    left.plot(circle.real, circle.imag, color="0.5", linewidth=1, linestyle="-")
    left.set(xlabel="Re z", ylabel="Im z", aspect="equal")
    left.legend(loc="lower left")
    right.set(xlabel="steps", ylabel="residual")
    right.legend(loc="upper left")
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
