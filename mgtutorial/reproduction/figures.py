"""The figures of the reproduction pages: what runs achieved against what their networks cost.

The figures are matplotlib's, made from records and published rows, nothing else.
"""

from collections import defaultdict
from itertools import cycle

from ..figures.style import COLOURS
from . import tables
from .comparison import Line

_COSTS = {"weights": "weights", "macs": "multiplications per image"}


def kind(row):
    """Return the family of a row's network: its label, colour and marker.

    Raises
    ------
    UnknownName
        If there is no such network.

    Examples
    --------
    >>> kind("mgnet-g8")[0], kind("mgnet-20")[0]
    ('MgNet, grouped', 'MgNet')
    """
    family = tables.family(tables.network(row))
    return family.label, COLOURS[family.colour], family.marker


def accuracy_over(lines, cost="weights", published=True):
    """Return a figure of accuracy against cost: filled where measured, hollow where printed.

    What was measured under another protocol is pale, and its legend entry names the budget.

    Parameters
    ----------
    lines : list of Line
        The error bars of measured points are their t-intervals, from two seeds upwards; those of
        printed ones are the printed standard deviations.
    cost : {"weights", "macs"}
        Against ``"macs"``, only measured lines are drawn.
    published : bool
        Whether to draw the printed accuracies as well.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots()
    labels = set()

    def point(line, x, y, error, filled):
        label, colour, marker = kind(line.row)
        pale = filled and not line.comparable
        budget = f", {line.runs[0].budget}" if pale else ""
        name = f"{label}, {f'measured{budget}' if filled else 'printed'}"
        ax.errorbar(
            x, y, yerr=error, fmt=marker, color=colour, capsize=3, alpha=0.5 if pale else 1,
            markerfacecolor=colour if filled else "none", label=None if name in labels else name,
        )  # fmt: skip
        labels.add(name)

    seen = set()
    for line in lines:
        if published and cost == "weights" and line.row not in seen and _printed(line):
            point(line, line.weights, line.printed.accuracy, line.printed.std, False)
        seen.add(line.row)
        if line.runs:
            point(line, getattr(line, cost), line.interval.mean, line.interval.half_width, True)
    ax.set(xscale="log", xlabel=_COSTS[cost], ylabel="test accuracy in percent")
    if labels:
        ax.legend(
            loc="lower right", fontsize=9, title_fontsize=9,
            title="bars: printed deviation; 95 % interval of ours",
        )  # fmt: skip
    else:
        ax.text(0.5, 0.5, "nothing printed, nothing run", ha="center", transform=ax.transAxes)
    return fig


def _printed(line: Line):
    return line.printed is not None and line.printed.accuracy is not None


def curves(rows, runs):
    """Return a figure of the training losses over the epochs, one curve per run.

    Colours tell families of networks apart, and line styles the networks within a family.

    Parameters
    ----------
    rows : list of str
        The row of each run.
    runs : list of Record
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots()
    styles, named = defaultdict(lambda: cycle(("-", "--", ":", "-."))), {}
    for row, run in zip(rows, runs, strict=True):
        family, colour, _ = kind(row)
        label = None if row in named else row
        if label:
            named[label] = next(styles[family])
        epochs, losses = zip(*((epoch.epoch, epoch.loss) for epoch in run.curve), strict=True)
        ax.plot(epochs, losses, named[row], color=colour, label=label, alpha=0.8, linewidth=1.4)
    ax.set(xlabel="epoch", ylabel="mean training loss", ylim=(0, None))
    ax.xaxis.get_major_locator().set_params(integer=True)
    if 0 < len(named) <= 6:
        ax.legend(fontsize=9)
    elif named:  # too many for the picture: beside it
        ax.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    if not named:
        ax.text(0.5, 0.5, "nothing run", ha="center", transform=ax.transAxes)
    return fig
