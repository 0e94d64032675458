"""Small relatives: a network with all of its widths divided, for runs that take seconds.

Levels, steps, groups and where weights are shared stay what they are, so a run of the small
network goes through every line of code that a run of the large one goes through.
"""

from dataclasses import replace

from ..errors import InvalidValue

#: The fields of a config that are widths, or in proportion to one.
WIDTHS = ("channels", "width", "coarsest", "group_size")


def narrowed(config, by=(4, 2)):
    """Return the config with its widths divided by the first number of `by` that all groups allow.

    A stem for large images becomes the one for small images.

    Parameters
    ----------
    config : config of a network
    by : tuple of int

    Returns
    -------
    config
        If no number fits, with the widths of `config`.

    Examples
    --------
    >>> from mgtutorial.models import named
    >>> small = narrowed(named("mgiad-lam1-c64-g8"))
    >>> small.channels, small.coarsest, small.group_size
    ((16, 32, 64, 64), 16, 2)

    Book: reproduction, tab-budgets
    """
    if getattr(config, "stem", None) == "7x7":
        config = replace(config, stem="3x3")
    for divisor in by:
        changes = {
            name: _divided(getattr(config, name), divisor)
            for name in WIDTHS
            if getattr(config, name, None) is not None
        }
        try:
            return replace(config, **changes)
        except InvalidValue:
            continue
    return config


def _divided(value, by):
    if isinstance(value, tuple):  # ratios of widths stay whole
        first = max(1, value[0] // by)
        return tuple(c * first // value[0] for c in value)
    return value / by if isinstance(value, float) else max(1, value // by)
