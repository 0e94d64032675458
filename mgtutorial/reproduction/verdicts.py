r"""What a set of runs says about a published number, and what it does not.

The mean of `n` runs that differ in their seeds alone has a confidence interval by Student's t
distribution, :math:`\bar x \pm t_{n-1}\, s / \sqrt n` [1]_. What decides is the interval of the
*difference* from the printed number, which has an error of its own.

* The paper prints the mean :math:`y` of :math:`m` runs and their standard deviation
  :math:`\sigma`: Welch's interval [2]_,

  .. math:: \bar x - y \pm t_\nu \sqrt{\frac{s^2}{n} + \frac{\sigma^2}{m}}, \qquad
      \nu = \Bigl(\frac{s^2}{n} + \frac{\sigma^2}{m}\Bigr)^2 \Big/
      \Bigl(\frac{s^4}{n^2 (n-1)} + \frac{\sigma^4}{m^2 (m-1)}\Bigr).

  or Student's with the pooled deviation (:math:`n + m - 2` degrees of freedom) where that is wider:
  the :math:`\sigma` of three values comes out too small now and then, and with many runs of ours
  Welch's interval alone would then call 7 to 8 % of true reproductions different.

* It prints :math:`y` alone: a prediction interval, in which the printed number is one more run like
  ours, :math:`\bar x - y \pm t_{n-1}\, s \sqrt{1 + 1/n}`.

A row is *reproduced* if the whole interval lies within a margin of zero, so that a larger gap is
excluded; it *differs* if the interval reaches beyond the margin and excludes zero. In between, the
runs are compatible with the printed number but too few, or too scattered, to say more. Only runs
under the paper's own protocol are compared at all.

References
----------
.. [1] Student, The probable error of a mean, Biometrika 6 (1908).
.. [2] B. L. Welch, The generalization of "Student's" problem when several different population
   variances are involved, Biometrika 34 (1947).
"""

import math
from typing import NamedTuple

from ..errors import InvalidValue, real, whole

#: A gap of up to this many percentage points counts as none, if larger ones are excluded.
MARGIN = 0.5
#: With fewer seeds nothing is decided.
LEAST_SEEDS = 3

REPRODUCED = "reproduced"
DIFFERS = "differs"
COMPATIBLE = "compatible, too wide to say"
UNDECIDED = "undecided"
OTHER_PROTOCOL = "other protocol"
NOT_RUN = "not run"
NO_PRINT = "nothing printed"

#: Each verdict on an accuracy, and what it means.
ACCURACY = {
    REPRODUCED: f"the paper's protocol, at least {LEAST_SEEDS} seeds, and the 95 % interval of the "
    f"difference lies within {MARGIN} points of zero",
    DIFFERS: "the interval of the difference excludes zero, and reaches beyond that margin",
    COMPATIBLE: "neither: the interval contains zero and reaches beyond the margin",
    UNDECIDED: f"the paper's protocol, but fewer than {LEAST_SEEDS} seeds",
    OTHER_PROTOCOL: "some field of the protocol differs, or the images do: not compared",
    NOT_RUN: "no run is recorded",
    NO_PRINT: "the paper's protocol, but the paper prints no number to compare with",
}

MATCHED = "matched"
NEAR = "near"
NOT_REPRODUCIBLE = "not reproducible"
NO_COUNT = "no count"
NO_NETWORK = "no network"
NOT_OURS = "not ours"

#: A count this close to the printed one, as a fraction of it, is near.
NEAR_TO = 0.03
#: Each verdict on a number of weights, and what it means.
COUNT = {
    MATCHED: "our count rounds to the printed number",
    NEAR: f"it does not, but lies within {NEAR_TO:.0%} of it",
    NOT_REPRODUCIBLE: "it lies further away",
    NO_COUNT: "none is printed",
    NO_NETWORK: "the paper's own network, not built here",
    NOT_OURS: "the paper quotes a network from elsewhere, which is not built here",
}


class Interval(NamedTuple):
    """A mean, the standard deviation of the values, their number, and the mean's interval.

    Attributes
    ----------
    mean : float
    half_width : float or None
        Of the confidence interval. None for a single value, which has no spread.
    n : int
    std : float or None
        Of the sample, with ``n - 1``.
    """

    mean: float
    half_width: float | None
    n: int
    std: float | None = None

    @property
    def low(self):
        """The lower end of the interval, or None."""
        return None if self.half_width is None else self.mean - self.half_width

    @property
    def high(self):
        """The upper end of the interval, or None."""
        return None if self.half_width is None else self.mean + self.half_width

    def __str__(self):
        spread = "" if self.std is None else f"std {self.std:.2f}, "
        return f"{self.mean:.2f} ({spread}n = {self.n})"


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
        If there are no values, if one is not a finite number, or for a confidence outside (0, 1).

    Examples
    --------
    >>> three = interval([93.1, 93.4, 93.4])
    >>> str(three), round(three.half_width, 2)
    ('93.30 (std 0.17, n = 3)', 0.43)
    >>> interval([93.1]).half_width is None
    True
    """
    import numpy as np

    given = list(values)
    if not given:
        raise InvalidValue("no values given: an interval needs at least one.")
    try:
        values = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        values = None
    if values is None or values.ndim != 1 or not np.isfinite(values).all():
        raise InvalidValue(f"values {given!r}: give finite numbers, in one list.")
    n, mean = len(values), float(values.mean())
    if n == 1:
        return Interval(mean, None, 1)
    std = float(values.std(ddof=1))
    return as_if(Interval(mean, None, n, std), n, confidence)


def as_if(known, n, confidence=0.95):
    """Return the interval that `n` values would have with the mean and the deviation of others.

    Parameters
    ----------
    known : Interval
        Of at least two values.
    n : int
        At least 2.
    confidence : float
        In (0, 1).

    Examples
    --------
    >>> two = interval([93.0, 94.0])
    >>> round(two.half_width, 2), round(as_if(two, 20).half_width, 2)
    (6.35, 0.33)
    """
    return Interval(known.mean, _quantile(n - 1, confidence) * known.std / n**0.5, n, known.std)


def difference(ours, published, std=None, runs=1, confidence=0.95):
    """Return our mean minus the published one, with the interval of the difference.

    Parameters
    ----------
    ours : Interval
        Of at least two values; for a single one, the difference has no interval.
    published : float
    std : float, optional
        The printed standard deviation; without it the printed number counts as one run like ours.
    runs : int
        The number of runs behind the printed mean; it matters where `std` is given.
    confidence : float

    Returns
    -------
    Interval

    Raises
    ------
    InvalidValue
        If a number is not finite, or the printed deviation is negative.

    Examples
    --------
    >>> gap = difference(interval([93.1, 93.4, 93.4]), 93.29, 0.15, runs=3)
    >>> round(gap.mean, 2), round(gap.half_width, 2)
    (0.01, 0.37)
    """
    runs = whole("runs", runs)
    if std is not None:
        std = real("std", std)
    gap = real("mean", ours.mean, least=-math.inf) - real("published", published, least=-math.inf)
    if ours.half_width is None:
        return Interval(gap, None, ours.n)
    if std is None or runs < 2:
        half = _quantile(ours.n - 1, confidence) * ours.std * (1 + 1 / ours.n) ** 0.5
    else:
        half = max(f(ours, std, runs, confidence) for f in (_welch, _pooled))
    return Interval(gap, half, ours.n)


def _welch(ours, std, runs, confidence):
    a, b = ours.std**2 / ours.n, std**2 / runs
    below = a**2 / (ours.n - 1) + b**2 / (runs - 1)
    freedom = (a + b) ** 2 / below if below else ours.n - 1
    return _quantile(freedom, confidence) * (a + b) ** 0.5


def _pooled(ours, std, runs, confidence):
    freedom = ours.n + runs - 2
    variance = ((ours.n - 1) * ours.std**2 + (runs - 1) * std**2) / freedom
    return _quantile(freedom, confidence) * (variance * (1 / ours.n + 1 / runs)) ** 0.5


def verdict(ours, published, std=None, runs=1, comparable=True, margin=MARGIN):
    """Return the verdict on a published mean.

    Parameters
    ----------
    ours : Interval or None
        None where nothing was run.
    published, std : float or None
        As printed, in the units of `ours`; None where nothing is printed.
    runs : int
        As for :func:`difference`.
    comparable : bool
        Whether the runs follow the paper's protocol, in every field, on the paper's images.
    margin : float
        In the units of `ours`.

    Returns
    -------
    str
        A key of :data:`ACCURACY`.

    Raises
    ------
    InvalidValue
        As :func:`difference`, or if the margin is negative.

    Examples
    --------
    >>> three = interval([93.1, 93.4, 93.4])
    >>> verdict(three, 93.4, 0.1, 3), verdict(three, 94.4, 0.1, 3)
    ('reproduced', 'differs')
    >>> verdict(three, 93.6, None), verdict(three, 93.4, 0.1, 3, comparable=False)
    ('compatible, too wide to say', 'other protocol')
    """
    if ours is None:
        return NOT_RUN
    if not comparable:
        return OTHER_PROTOCOL
    if published is None:
        return NO_PRINT
    gap, margin = difference(ours, published, std, runs), real("margin", margin)
    if ours.n < LEAST_SEEDS:
        return UNDECIDED
    if -margin <= gap.low and gap.high <= margin:
        return REPRODUCED
    return COMPATIBLE if gap.low <= 0 <= gap.high else DIFFERS


def _quantile(freedom, confidence):
    """Return the t distribution's quantile of a two-sided interval."""
    from scipy.special import stdtrit  # without scipy.stats, which takes a second to import

    if not 0 < confidence < 1:
        raise InvalidValue(f"confidence={confidence}: give a number between 0 and 1.")
    return float(stdtrit(freedom, (1 + confidence) / 2))


def legend():
    """Return the meaning of all verdicts as Markdown: for accuracies, then for counts.

    Examples
    --------
    >>> legend().splitlines()[0]
    'Accuracies'
    """

    def listed(meaning):
        return "\n".join(f"- **{name}**: {text}" for name, text in meaning.items())

    return f"Accuracies\n\n{listed(ACCURACY)}\n\nWeights\n\n{listed(COUNT)}"
