"""Draw book/figures/use.svg: weights against multiplications of the named networks.

Run from the root of the project: python book/figures/use.py
"""

from pathlib import Path

import matplotlib.pyplot as plt

from mgtutorial import models
from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style

FAMILIES = {  # label: names, colour, marker
    "ResNet": (("resnet18", "resnet20", "resnet56"), "black", "s"),
    "MgNet": (("mgnet", "mgnet-20", "mgnet-a"), "blue", "o"),
    "MGiaD": (
        ("mgiad-20-g4", "mgiad-lam1-c64-g4", "mgiad-lam3-c64-g4", "mgiad-lam3-c64-g8"),
        "vermillion",
        "^",
    ),
    "Poly-MgNet": (("poly-mgnet-q2", "poly-mgnet-g6"), "green", "D"),
    "MGIC-ResNet-56": (("mgic-resnet56-c64-g16", "mgic-resnet56-c16-g8"), "purple", "v"),
}
WORDS = {  # which marks are written at
    "resnet18": "ResNet18",
    "resnet20": "ResNet20",
    "resnet56": "ResNet56",
    "mgnet": "MgNet",
    "mgnet-20": "MgNet-20",
    "mgiad-20-g4": "MGiaD-20",
    "mgiad-lam1-c64-g4": "MGiaD, λ = 1",
    "mgiad-lam3-c64-g4": "MGiaD, λ = 3",
    "poly-mgnet-q2": "Poly-MgNet",
}


def draw(size=32):
    """Return the figure: one mark a network, counted on images of `size` pixels a side."""
    fig, ax = plt.subplots(figsize=(6.6, 4.4))
    for label, (names, colour, marker) in FAMILIES.items():
        configs = [models.named(name, in_channels=3) for name in names]
        x = [models.count_weights(c) / 1e6 for c in configs]
        y = [models.count_macs(c, size) / 1e6 for c in configs]
        ax.plot(x, y, marker, color=COLOURS.get(colour, colour), label=label, markersize=7)
        for name, a, b in zip(names, x, y, strict=True):
            if name in WORDS:
                ax.annotate(
                    WORDS[name], (a, b), (0, -13), textcoords="offset points", ha="center",
                    fontsize=8,
                )  # fmt: skip
    ax.set(
        xscale="log", yscale="log", xlabel="weights in millions", ylim=(9, 1000), xlim=(0.017, 20)
    )
    ax.set_ylabel("multiplications in millions, an image")
    ax.legend(fontsize=8, loc="lower right")
    ax.grid(True, which="major", alpha=0.3)
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
