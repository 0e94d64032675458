"""What the colours of a figure become where the page around it is dark.

An SVG brings both sets: a browser shows the second where the element that holds the picture has the
colour scheme ``dark``, because of the reader's system or the page's own button. Black and white are
exchanged for the ink and the ground of the dark page, greys lie proportionally between these, and
each colour of the palette becomes a lighter one of the same name. Pixels keep their colours. So
does a whole figure whose lines have to agree with pixels, or that has a colour map, as text beside
it says what is dark and what is bright; it stays a light card.
"""

import re

import numpy as np

GROUND, INK = "#121212", "#e3eaf0"

# A figure with more different greys than this has a map of greys.
_GREYS = 12

#: The palette of :mod:`.style` and the tints of boxes, each with what it becomes in the dark.
DARK = {
    "#0072b2": "#4d9fe6",
    "#d55e00": "#f0945a",
    "#009e73": "#3cc79d",
    "#cc79a7": "#e39cc6",
    "#e69f00": "#eaa92a",
    "#56b4e9": "#a5dcf7",
    "#f0e442": "#f0e442",
    "#f2b28c": "#7a4220",
    "#bfe3d5": "#1d4a3b",
    "#f6dca6": "#5c440f",
    "#f4f6f8": "#1d242b",
}


def in_the_dark(colour):
    """Return the dark page's colour for one of a figure, or None where it keeps its own.

    Parameters
    ----------
    colour : str
        As ``#rrggbb``.

    Examples
    --------
    >>> in_the_dark("#ffffff"), in_the_dark("#808080"), in_the_dark("#0072b2")
    ('#121212', '#7a7e81', '#4d9fe6')
    >>> in_the_dark("#440154")
    """
    colour = colour.lower()
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    if red == green == blue:
        ends = ([int(end[i : i + 2], 16) for i in (1, 3, 5)] for end in (INK, GROUND))
        mixed = (round(a + (b - a) * red / 255) for a, b in zip(*ends, strict=True))
        return "#" + "".join(f"{channel:02x}" for channel in mixed)
    return DARK.get(colour)


def is_light(fig):
    """Whether something is drawn over an opaque image, or an image has colours that a key explains.

    Parameters
    ----------
    fig : matplotlib.figure.Figure

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> fig = Figure()
    >>> picture = fig.add_subplot().imshow([[0, 1]])
    >>> is_light(fig)
    False
    >>> line = fig.axes[0].plot([0, 1], [0, 0])
    >>> is_light(fig)
    True
    """
    from matplotlib.colors import ListedColormap, to_hex

    known = {*DARK, "#000000"}
    for ax in fig.axes:
        over = ax.lines or ax.collections or ax.patches or ax.texts
        for image in ax.images:
            values, colours = image.get_array(), image.cmap
            if values.ndim == 2 and isinstance(colours, ListedColormap):
                if known & set(map(to_hex, colours.colors)):
                    return True
            covers = values.shape[2:] != (4,) or values[..., 3].min() > 0
            if over and covers and not np.ma.is_masked(values):
                return True
    return False


def with_dark(svg, light=False):
    """Return matplotlib's SVG with style rules for a dark page.

    Parameters
    ----------
    svg : str
        With colours as ``fill: #rrggbb`` and ``stroke: #rrggbb`` in ``style`` attributes; what
        has no colour is black.
    light : bool
        Whether it stays a light card in any case.

    Examples
    --------
    >>> print(with_dark("<svg><path style='fill: #ffffff'/></svg>"))
    <svg><style>@media (prefers-color-scheme:dark){svg{fill:#e3eaf0}[style*='fill: #ffffff']{fill:#121212!important}}</style><path style='fill: #ffffff'/></svg>
    """  # noqa: E501
    used = sorted(set(re.findall(r"(fill|stroke): (#[0-9a-fA-F]{6})\b", svg)))
    colours = {colour for _, colour in used}
    if light or None in map(in_the_dark, colours) or len(colours - set(DARK)) > _GREYS:
        rules = "svg{filter:brightness(.9)}"
    else:
        rules = f"svg{{fill:{INK}}}" + "".join(
            f"[style*='{what}: {colour}']{{{what}:{in_the_dark(colour)}!important}}"
            for what, colour in used
        )
    head = svg.index(">") + 1
    return f"{svg[:head]}<style>@media (prefers-color-scheme:dark){{{rules}}}</style>{svg[head:]}"
