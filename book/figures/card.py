"""Draw the social card: the cover's picture and the title, 1200 by 630 pixels.

The build draws it into the pages (``book/_ext/sharing.py``); to look at it alone, run from
the root of the project: python book/figures/card.py card.png
"""

import runpy
import sys
from pathlib import Path

import matplotlib

_COVER = Path(__file__).with_name("cover.py")


def draw():
    """Return the figure: the cover's errors, and beside them what the book is."""
    cover = runpy.run_path(str(_COVER))["draw"]()
    pictures = [ax.images[0] for ax in cover.axes]
    fig = matplotlib.figure.Figure(figsize=(12, 6.3), facecolor="#0f3d5c", layout="none")
    size, gap, left, bottom = 1.85, 0.18, 5.5, 1.26  # inches
    for n, picture in enumerate(pictures):
        row, column = divmod(n, len(pictures) // 2)
        x, y = left + column * (size + gap), bottom + (1 - row) * (size + gap)
        ax = fig.add_axes((x / 12, y / 6.3, size / 12, size / 6.3))
        ax.imshow(picture.get_array(), cmap=picture.cmap, norm=picture.norm)
        ax.set_axis_off()
    text = {"color": "white", "ha": "left"}
    for y, words in ((4.55, "Multigrid"), (3.85, "and neural"), (3.15, "networks")):
        fig.text(0.55 / 12, y / 6.3, words, fontsize=46, fontweight="bold", **text)
    fig.text(0.58 / 12, 2.15 / 6.3, "An executable book", fontsize=24, **text)
    fig.text(0.58 / 12, 1.5 / 6.3, "smooth · restrict · correct", fontsize=21, **text)
    return fig


def write(file):
    """Write the card to `file`, a PNG."""
    # matplotlib's own defaults, whatever was set before
    with matplotlib.rc_context({"backend": "agg", **matplotlib.rcParamsDefault}):
        draw().savefig(file, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    write(sys.argv[1] if len(sys.argv) > 1 else "card.png")
