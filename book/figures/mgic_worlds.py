"""Draw book/figures/mgic_worlds.svg: a function of the plane, and how three blocks learn it.

Run from the root of the project: python book/figures/mgic_worlds.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import NullFormatter

from mgtutorial.data.plane_functions import cos_sin
from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style
from mgtutorial.models.implicit_function import PRINTED_BLOCKS
from mgtutorial.reproduction.mgic_figure4 import LABELS, as_printed
from mgtutorial.training import implicit_function, plane

# as in the notebook of Table 2
STYLES = dict(
    zip(PRINTED_BLOCKS, (("vermillion", "o"), ("blue", "s"), ("green", "D")), strict=True)
)
EPOCHS = np.unique(np.geomspace(1, 1000, 80).astype(int))
ALPHA = 0.6


def draw():
    """Return the figure: the function, errors over epochs, errors over weights."""
    runs, settled = as_printed(implicit_function.recorded()), implicit_function.settled()
    fig, (left, middle, right) = plt.subplots(
        1, 3, figsize=(7.2, 2.7), gridspec_kw={"width_ratios": (0.8, 1, 1)}
    )
    values = cos_sin(plane.grid(100)).reshape(100, 100).T.numpy()
    left.imshow(values, origin="lower", extent=(0, 1, 0, 1), cmap="RdBu_r", vmin=-1, vmax=1)
    left.set(title=r"$\cos x\,\sin 20y$", xticks=(0, 1), yticks=(0, 1), xlabel="x", ylabel="y")
    for block in PRINTED_BLOCKS:
        colour, marker = STYLES[block]
        own = runs[block, ALPHA].values()
        for run, label in zip(own, (LABELS[block], None, None), strict=False):
            curve = 100 * np.array([row.loss for row in run.curve])[EPOCHS - 1]
            middle.plot(EPOCHS, curve, "-", color=COLOURS[colour], linewidth=1, label=label)
        weights = [run.weights for run in own]
        errors = [100 * run.metric.value for run in own]
        better = [100 * settled[run.digest] for run in own]
        line = {"color": COLOURS[colour], "ms": 5, "linestyle": "none", "marker": marker}
        right.plot(weights, errors, mfc="none", **line)
        right.plot(weights, better, **line)
    middle.set(xscale="log", yscale="log", xlabel="epoch", title="training, hundredths")
    middle.legend(loc="lower left", fontsize=8)
    right.set(yscale="log", xlabel="weights", title="test points, hundredths", xlim=(2e4, 5.5e4))
    right.set_xticks((25_000, 50_000), ("25,000", "50,000"))
    for ax, ticks in ((middle, (1, 3, 10, 30)), (right, (0.1, 0.3, 1))):
        ax.set_yticks(ticks, map("{:g}".format, ticks))
        ax.yaxis.set_minor_formatter(NullFormatter())
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
