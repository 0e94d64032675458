"""The house style of the figures."""

#: Okabe and Ito's palette, which stays distinct under the common colour-vision deficiencies.
COLOURS = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "black": "#000000",
    "yellow": "#F0E442",
}


# Yellow is too pale for a line on white. Line styles alternate with colours
# so that curves can be told apart in grey print, too.
_CYCLE = ["blue", "vermillion", "green", "purple", "black", "orange", "sky"]


_LINES = ["-", "--", "-.", ":", "-", "--", "-."]


# 12 pt in a figure of 5 in is the size of the text on a desktop, and two thirds of it on
# a phone that shows the figure 320 px wide. Put panels of a figure below each other.
RC = {
    "figure.figsize": (5.0, 3.2),
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "legend.fontsize": 11,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "lines.markersize": 6.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#d9d9d9",
    "grid.linewidth": 0.8,
    "image.cmap": "cividis",
    "image.interpolation": "none",
}


def use_style():
    """Make the house style matplotlib's default for the figures that follow.

    Examples
    --------
    >>> import matplotlib
    >>> with matplotlib.rc_context():  # until the end of the block
    ...     use_style()
    ...     matplotlib.rcParams["lines.linewidth"]
    2.0
    """
    import matplotlib
    from cycler import cycler

    colours = [COLOURS[name] for name in _CYCLE]
    matplotlib.rcParams.update(RC)
    matplotlib.rcParams["axes.prop_cycle"] = cycler(color=colours) + cycler(linestyle=_LINES)
