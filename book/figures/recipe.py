"""Draw book/figures/recipe.svg: what each rung of the recipe's ladder bought.

Run from the root of the project: python book/figures/recipe.py
"""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style

ROOT = Path(__file__).resolve().parents[2]
NAMES = {"mgnet-20": "MgNet-20", "mgiad-20-g4": "MGiaD-20, $g_s = 4$"}
VALIDATION = 5000  # images


def draw():
    """Return the figure: a panel a network, a line a rung, a disc a run, a bar a mean."""
    rows = json.loads((ROOT / "results/recipe.json").read_text(encoding="utf-8"))
    rungs = list(dict.fromkeys(r["rung"] for r in rows))
    fig, axes = plt.subplots(1, 2, sharey=True, figsize=(7.2, 0.32 * len(rungs) + 1.3))
    for ax, (network, title) in zip(axes, NAMES.items(), strict=True):
        own = {r["rung"]: r for r in rows if r["network"] == network}
        base = own["base"]["accuracy"]
        spread = np.sqrt(base * (100 - base) / VALIDATION)
        ax.axvspan(base - spread, base + spread, color="black", alpha=0.08, linewidth=0)
        ax.axvline(base, color="black", linewidth=1)
        for y, rung in enumerate(rungs):
            if rung in own:
                row = own[rung]
                found = row["accuracies"]
                ax.plot(found, [y] * len(found), "o", color=COLOURS["blue"], ms=5, mfc="none")
                ax.plot(row["accuracy"], y, "|", color=COLOURS["blue"], ms=13, mew=2)
                share = row["work"] / own["base"]["work"]
                ax.annotate(
                    f"{share:.2f}", (1, y), (-4, 0), xycoords=("axes fraction", "data"),
                    textcoords="offset points", ha="right", va="center", fontsize=8,
                )  # fmt: skip
        ax.set(title=title, xlabel="validation accuracy, %")
        low, high = ax.get_xlim()
        ax.set_xlim(low, high + 0.25 * (high - low))  # room for the work
    axes[0].set_yticks(range(len(rungs)), rungs)
    axes[0].set_ylim(len(rungs) - 0.5, -0.5)
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
