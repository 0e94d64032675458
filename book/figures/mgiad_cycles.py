"""Draw book/figures/mgiad_cycles.svg: a V-, a backslash and a W-cycle over channel levels.

Run from the root of the project: python book/figures/mgiad_cycles.py
"""

from pathlib import Path

import matplotlib.pyplot as plt

from mgtutorial import models
from mgtutorial.figures.images import to_svg
from mgtutorial.figures.style import COLOURS, use_style

DOWN, UP = COLOURS["vermillion"], COLOURS["green"]
CYCLES = {
    "V-cycle": {"eta_pre": 1, "eta_post": 1},
    "backslash cycle": {"eta_pre": 2, "eta_post": 0},
    "W-cycle": {"eta_pre": 1, "eta_post": 0, "gamma": 2},
}


def visits(widths, config):
    """Return (level, steps) in the order of time; a correction that nobody smooths has no steps."""
    last = len(widths) - 1

    def cycle(k):
        if k == last:
            return [(k, config.eta_pre + config.eta_post)]
        turns = config.gamma if k + 1 < last else 1
        return [(k, config.eta_pre), *turns * cycle(k + 1), (k, config.eta_post)]

    return cycle(0)


def draw(base="mgiad-20-g4", size=28):
    """Return the figure: a panel for each cycle, a row for each channel level of the last level."""
    fig, axes = plt.subplots(3, 1, figsize=(6.4, 6.4), layout="constrained")
    for ax, (name, changes) in zip(axes, CYCLES.items(), strict=True):
        config = models.named(base, coarsest=4, in_channels=1, **changes)
        widths = config.channel_widths[-1]
        path = visits(widths, config)
        x, at = 0.0, None
        for k, steps in path:
            if at and at[1] != -k:
                ax.plot([at[0], x + 1], [at[1], -k], "-", color=DOWN if -k < at[1] else UP)
                x += 1
            dots = [x + 0.35 * step for step in range(steps)] or [x]
            ax.plot(dots, [-k] * len(dots), "-", color="black", linewidth=1)
            ax.plot(dots[:steps], [-k] * steps, "o", color="black", markersize=6, zorder=3)
            x, at = dots[-1], (dots[-1], -k)
        ax.set_yticks(range(0, -len(widths), -1), [f"{c} channels" for c in widths])
        ax.set(xticks=[], ylim=(0.6 - len(widths), 0.5), xlim=(-0.4, x + 0.4))
        ax.spines[["top", "right", "bottom"]].set_visible(False)
        macs = models.count_macs(config, size) / 1e6
        ax.set_title(f"{name}, {macs:.1f} million multiplications", loc="left", fontsize=11)
    return fig


if __name__ == "__main__":
    use_style()
    Path(__file__).with_suffix(".svg").write_text(to_svg(draw()) + "\n", encoding="utf-8")
