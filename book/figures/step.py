"""Draw book/figures/step.svg: how many times as fast as the transcription a training step is.

Run from the root of the project: python book/figures/step.py
"""

import json
from pathlib import Path

import matplotlib.pyplot as plt

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style

RESULTS = Path(__file__).resolve().parents[2] / "results"
FILES = {"benchmarks.json": "Intel Xeon", "benchmarks_second.json": "AMD EPYC"}
MARKS = {"Intel Xeon": ("blue", "o"), "AMD EPYC": ("vermillion", "s")}
NAMES = {
    "mgnet-20": "MgNet-20",
    "mgiad-20-g4": "MGiaD-20, $g_s = 4$",
    "mgnet": "MgNet",
    "mgiad-lam1-c64-g4": r"MGiaD, $\lambda = 1$, $g_s = 4$",
}
SIDES = ("mgtutorial", "mgtutorial, lean", "mgtutorial, compiled", "mgtutorial, bfloat16")


def ratios(file):
    """Return {network: {side: the transcription's time over the side's}}."""
    rows = json.loads((RESULTS / file).read_text(encoding="utf-8"))["subjects"]["step"]["rows"]
    found = {}
    for r in rows:
        found.setdefault(r["case"].partition(",")[0], {})[r["side"]] = r["median"]
    return {n: {s: of["literal"] / of[s] for s in SIDES} for n, of in found.items()}


def draw():
    """Return the figure: a panel a network, a line a side, a mark a processor."""
    measured = {machine: ratios(file) for file, machine in FILES.items()}
    fig, axes = plt.subplots(2, 2, sharex=True, sharey=True, figsize=(7.2, 4.2))
    for ax, (network, title) in zip(axes.flat, NAMES.items(), strict=True):
        ax.axvline(1, color="black", linewidth=1)
        for machine, (colour, mark) in MARKS.items():
            values = [measured[machine][network][side] for side in SIDES]
            ax.plot(values, range(len(SIDES)), mark, color=COLOURS[colour], label=machine)
        ax.set(title=title)
    axes[0, 0].set_yticks(range(len(SIDES)), [s.rpartition(", ")[2] for s in SIDES])
    axes[0, 0].set_ylim(len(SIDES) - 0.5, -0.5)
    axes[0, 0].set_xlim(0.8, 2.6)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    for ax in axes[1]:
        ax.set_xlabel("times as fast as the transcription")
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
