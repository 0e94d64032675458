r"""What a set of runs says about a published accuracy, and what it does not.

The mean of `n` runs has a confidence interval by Student's t distribution,

.. math:: \bar x \pm t_{n-1}\, \frac{s}{\sqrt n}, \qquad
    s^2 = \frac{1}{n-1} \sum_{i=1}^n (x_i - \bar x)^2,

if the runs differ in their seeds alone and their accuracies are about normal. A published mean
has a spread of its own. A row is *reproduced* if the two means differ by no more than the
half-width of ours and the published standard deviation together. Only runs under the paper's own
protocol are compared at all.

References
----------
.. [1] Student, The probable error of a mean, Biometrika 6 (1908).
"""

from typing import NamedTuple

from ..errors import InvalidValue

REPRODUCED = "reproduced"
DIFFERS = "differs"
UNDECIDED = "undecided"
SHORTER = "shorter budget"
NOT_RUN = "not run"
NO_PRINT = "nothing printed"

#: Each verdict, and what it means: the legend of every table.
MEANING = {
    REPRODUCED: "our mean and the printed one differ by no more than our t half-width and the "
    "printed standard deviation together; at least 3 seeds, the paper's protocol",
    DIFFERS: "they differ by more",
    UNDECIDED: "the paper's protocol, but fewer than 3 seeds",
    SHORTER: "trained for less than the paper's protocol, or on other images: not compared",
    NOT_RUN: "no run is recorded",
    NO_PRINT: "the paper's protocol, but the paper prints no number to compare with",
}
LEAST_SEEDS = 3


class Interval(NamedTuple):
    """A mean, the half-width of its confidence interval, and the number of values.

    Attributes
    ----------
    mean : float
    half_width : float or None
        None for a single value, which has no spread.
    n : int
    """

    mean: float
    half_width: float | None
    n: int

    def __str__(self):
        if self.half_width is None:
            return f"{self.mean:.2f}"
        return f"{self.mean:.2f} ± {self.half_width:.2f}"


def interval(values, confidence=0.95):
    """Return the mean of `values` with its t-interval.

    Parameters
    ----------
    values : sequence of float
        At least one.
    confidence : float
        In (0, 1).

    Raises
    ------
    InvalidValue
        For no values, or a confidence outside (0, 1).

    Examples
    --------
    >>> str(interval([93.1, 93.4, 93.4]))
    '93.30 ± 0.43'
    >>> interval([93.1]).half_width is None
    True
    """
    import numpy as np
    from scipy.special import stdtrit  # the t distribution's quantile, without scipy.stats

    values = np.asarray(list(values), dtype=float)
    if not len(values):
        raise InvalidValue("no values given: an interval needs at least one.")
    if not 0 < confidence < 1:
        raise InvalidValue(f"confidence={confidence}: give a number between 0 and 1.")
    n, mean = len(values), float(values.mean())
    if n == 1:
        return Interval(mean, None, 1)
    quantile = stdtrit(n - 1, (1 + confidence) / 2)
    return Interval(mean, float(quantile * values.std(ddof=1) / n**0.5), n)


def verdict(ours, published, std, comparable=True):
    """Return the verdict on a published mean.

    Parameters
    ----------
    ours : Interval or None
        None where nothing was run.
    published, std : float or None
        As printed, in the units of `ours`; None where nothing is. A missing `std` counts as zero.
    comparable : bool
        Whether the runs follow the paper's protocol on the paper's images.

    Returns
    -------
    str
        A key of :data:`MEANING`.

    Examples
    --------
    >>> three = interval([93.1, 93.4, 93.4])
    >>> verdict(three, 93.6, 0.1), verdict(three, 94.0, 0.1), verdict(three, 93.6, 0.1, False)
    ('reproduced', 'differs', 'shorter budget')
    >>> verdict(interval([93.6]), 93.6, 0.1)
    'undecided'
    """
    if ours is None:
        return NOT_RUN
    if not comparable:
        return SHORTER
    if published is None:
        return NO_PRINT
    if ours.n < LEAST_SEEDS:
        return UNDECIDED
    # A rounding error must not decide at the very edge.
    allowed = (ours.half_width + (std or 0.0)) * (1 + 1e-12)
    return REPRODUCED if abs(ours.mean - published) <= allowed else DIFFERS
