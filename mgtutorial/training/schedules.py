"""Learning rates over the epochs of a run."""

import math

#: The schedules that :func:`learning_rate` knows.
SCHEDULES = ("cosine", "step", "one-cycle", "constant", "poly")


def falls(config):
    """Return whether the rate of a config only falls, from the first epoch to the last."""
    return config.schedule in ("step", "cosine")


def learning_rate(config, epoch, fraction):
    r"""Return the rate in epoch `epoch` (from 0) at `fraction` in [0, 1) of it.

    ``cosine`` and ``step`` change between epochs, as the papers' code does;
    ``one-cycle`` changes at every step: linearly up to the peak over the first quarter
    of the run, or the recipe's ``warm_up``, then along a cosine to zero [1]_. ``poly``
    falls at every step, as the power 0.9 of what is left of the run [2]_.

    References
    ----------
    .. [1] L. N. Smith and N. Topin, Super-convergence (2018).
    .. [2] L.-C. Chen et al., Rethinking atrous convolution for semantic image segmentation (2017).

    Examples
    --------
    >>> from types import SimpleNamespace as C
    >>> config = C(lr=0.1, epochs=4, schedule="one-cycle")
    >>> [round(learning_rate(config, e, 0.0), 3) for e in range(4)]
    [0.0, 0.1, 0.075, 0.025]
    """
    if config.schedule == "constant":
        return config.lr
    if config.schedule == "step":
        return config.lr * 0.1 ** (epoch // config.step_epochs)
    if config.schedule == "cosine":
        return config.lr * 0.5 * (1 + math.cos(math.pi * epoch / config.epochs))
    if config.schedule == "poly":
        return config.lr * (1 - (epoch + fraction) / config.epochs) ** 0.9
    recipe = getattr(config, "recipe", None)
    t, peak = (epoch + fraction) / config.epochs, recipe.warm_up if recipe else 0.25
    if t < peak:
        return config.lr * t / peak
    return config.lr * 0.5 * (1 + math.cos(math.pi * (t - peak) / (1 - peak)))
