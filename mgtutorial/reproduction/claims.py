r"""Claims that runs can decide: an effect on the accuracy, its interval, and a verdict.

A claim is about a *contrast*: accuracies of networks, added and subtracted, such as "MgNet-20 minus
ResNet20". It says in what range the effect lies, in percentage points of test accuracy. Runs of
equal budget are paired by their seeds: for each seed that all networks of the contrast have, there
is one value :math:`d_s`, and the effect is the mean of these, with Student's interval

.. math:: \bar d \pm t_{n-1}\, s_d / \sqrt n .

Of many intervals of 95 % each, one in twenty misses. So the 95 % apply to all intervals of a budget
jointly: with :math:`K` claims, each interval has confidence :math:`1 - 0.05 / K` (Bonferroni [1]_).
K counts all claims, including those without runs, so that it does not depend on the results.

References
----------
.. [1] O. J. Dunn, Multiple comparisons among means, Journal of the American Statistical
   Association 56 (1961).
"""

import json
import math
import re
from functools import cache
from typing import NamedTuple

from .. import _paths
from ..data import catalogue
from ..errors import InvalidValue
from . import budgets, verdicts
from .papers.printed_table import read

#: With this probability, all intervals of one budget contain their effects.
CONFIDENCE = 0.95

SUPPORTED = "supported at this budget"
NOT_SUPPORTED = "not supported at this budget"
UNDECIDED = "undecided"

#: Each verdict on a claim, and what it means.
VERDICTS = {
    SUPPORTED: f"at least {verdicts.LEAST_SEEDS} seeds, and the whole interval of the effect lies "
    "in the range that is claimed",
    NOT_SUPPORTED: f"at least {verdicts.LEAST_SEEDS} seeds, and the whole interval lies outside",
    UNDECIDED: "neither, or fewer seeds",
}


class Claim(NamedTuple):
    """A sentence, and the effect that it is about.

    Attributes
    ----------
    name, paper, place, says, remark : str
        For a claim of this book, ``place`` is the label of a section.
    contrast : tuple of (int, str)
        Sign and network, with what is changed in it, such as ``(1, "mgnet-20 group_size=16")``.
    low, high : float
        The range that is claimed, in percentage points: at least `low` and at most `high`,
        infinite where there is no bound. If `low` is above `high`, the range is everything beyond
        the two: at least `low`, or at most `high`.
    """

    name: str
    paper: str
    place: str
    says: str
    contrast: tuple
    low: float
    high: float
    remark: str

    def networks(self, data):
        """Return the bare configs of the contrast on a data set, in the contrast's order."""
        info = catalogue.info(data)
        return [budgets.bare(budgets.written_network(name, info)) for _, name in self.contrast]


class Effect(NamedTuple):
    """What the runs of one budget say about a claim.

    Attributes
    ----------
    claim : Claim
    budget : Budget
    seeds : tuple of int
        Those that all networks of the contrast have.
    accuracies : tuple of tuple of float
        In percent, for each network of the contrast, by seed.
    interval : Interval
        Of the effect, in percentage points.
    """

    claim: Claim
    budget: budgets.Budget
    seeds: tuple
    accuracies: tuple
    interval: verdicts.Interval

    @property
    def values(self):
        """The effect for each seed."""
        signs = [sign for sign, _ in self.claim.contrast]
        by_seed = zip(*self.accuracies, strict=True)
        return [sum(s * a for s, a in zip(signs, own, strict=True)) for own in by_seed]

    @property
    def verdict(self):
        """A key of :data:`VERDICTS`."""
        return verdict(self.interval, self.claim.low, self.claim.high)


def verdict(interval, low=-math.inf, high=math.inf):
    """Return what an interval says about the claim that the effect lies in a range.

    Parameters
    ----------
    interval : Interval
    low, high : float
        As in :class:`Claim`.

    Returns
    -------
    str
        A key of :data:`VERDICTS`.

    Raises
    ------
    InvalidValue
        If one of the numbers is NaN.

    Examples
    --------
    >>> gains = verdicts.interval([1.0, 1.2, 1.1])
    >>> verdict(gains, low=0), verdict(gains, high=0.5), verdict(gains, low=1.0)
    ('supported at this budget', 'not supported at this budget', 'undecided')
    >>> verdict(gains, low=0.5, high=-0.5)  # a difference, whichever way
    'supported at this budget'
    """
    if any(math.isnan(v) for v in (interval.mean, interval.half_width or 0.0, low, high)):
        raise InvalidValue(f"effect {interval}, claimed {low} to {high}: give numbers.")
    if interval.n < verdicts.LEAST_SEEDS:
        return UNDECIDED
    below, above = interval.high < low, interval.low > high
    if low > high:  # the claim is what lies beyond the two
        if interval.low >= low or interval.high <= high:
            return SUPPORTED
        return NOT_SUPPORTED if below and above else UNDECIDED
    if low <= interval.low and interval.high <= high:
        return SUPPORTED
    return NOT_SUPPORTED if below or above else UNDECIDED


def deciding_seeds(interval, low, high, confidence, most=999):
    """Return how many seeds would decide if mean and deviation stayed; None if more than `most`.

    A forecast, not a verdict: mean and deviation will not stay as they are.

    Parameters
    ----------
    interval : Interval
        Of at least two values.
    low, high : float
        As in :class:`Claim`.
    confidence : float
        Of the future interval, in (0, 1).
    most : int

    Returns
    -------
    int or None

    Examples
    --------
    >>> gains = verdicts.interval([1.0, 0.2, 1.1])
    >>> verdict(gains, low=0), deciding_seeds(gains, 0, math.inf, 0.95)
    ('undecided', 5)
    """
    for n in range(verdicts.LEAST_SEEDS, most + 1):
        if verdict(verdicts.as_if(interval, n, confidence), low, high) != UNDECIDED:
            return n
    return None


@cache
def claims():
    """Return the claims in ``results/claims.csv``.

    Examples
    --------
    >>> claims()[0].contrast, claims()[0].low
    (((1, 'mgnet-20'), (-1, 'resnet20')), -0.5)

    Book: claims, claims-experiment
    """
    return tuple(
        Claim(
            line["claim"], line["paper"], line["place"], line["says"], _contrast(line["contrast"]),
            float(line["at_least"] or -math.inf), float(line["at_most"] or math.inf),
            line["remark"],
        )
        for line in read(_paths.packaged_results() / "claims.csv")
    )  # fmt: skip


def _contrast(text):
    """Read "one - another + a third"; the first has no sign."""
    first, *others = re.split(r" ([-+]) ", text)
    pairs = zip(others[::2], others[1::2], strict=True)
    return ((1, first), *((1 if sign == "+" else -1, network) for sign, network in pairs))


def effects(runs, of=None):
    """Return what runs say about the claims: an effect for each claim and budget with paired runs.

    Parameters
    ----------
    runs : list of Record
        Those that :func:`.budgets.by_budget` leaves out are ignored.
    of : sequence of Claim, optional
        Default: :func:`claims`. Their number determines the confidence of each interval.

    Returns
    -------
    list of Effect
        In the order of the claims; for each claim, the longest training first.

    Book: claims, claims-made
    """
    of = claims() if of is None else of
    confidence = confidence_of(len(of))
    groups = budgets.by_budget(runs)
    made = (_effect(claim, *group, confidence) for claim in of for group in groups)
    return [effect for effect in made if effect]


def confidence_of(number):
    """Return the confidence of each of `number` intervals that are to hold jointly (Bonferroni).

    Examples
    --------
    >>> round(confidence_of(5), 3)
    0.99
    """
    return 1 - (1 - CONFIDENCE) / number


def _effect(claim, budget, runs, confidence):
    """Return what the runs of a budget say about a claim; None if no seed has all its networks."""
    own = [runs.get(config, {}) for config in claim.networks(budget.data)]
    seeds = tuple(sorted(set.intersection(*map(set, own))))
    if not seeds:
        return None
    accuracies = tuple(tuple(100 * by_seed[s].metric.value for s in seeds) for by_seed in own)
    found = Effect(claim, budget, seeds, accuracies, interval=None)
    return found._replace(interval=verdicts.interval(found.values, confidence))


def summary(runs):
    """Return the effects, and all claims with a note of whether they have any, as plain data.

    Examples
    --------
    >>> none = summary([])
    >>> none["effects"], {row["runs"] for row in none["claims"]}
    ([], {'none yet'})
    """
    found = effects(runs)
    seeds = {}
    for effect in found:
        seeds[effect.claim.name] = max(seeds.get(effect.claim.name, 0), len(effect.seeds))
    said = {name: f"up to {n} seeds" if n > 1 else "one seed" for name, n in seeds.items()}
    return {
        "effects": [_row(effect) for effect in found],
        "claims": [
            _about(claim) | {"runs": said.get(claim.name, "none yet")} for claim in claims()
        ],
    }


def _about(claim):
    own = claim.paper == "this book"
    source = f"[this book]({claim.place})" if own else f"{claim.paper}, {claim.place}"
    signs = {1: "+", -1: "−"}
    first, *others = claim.contrast
    contrast = " ".join([f"`{first[1]}`", *(f"{signs[s]} `{n}`" for s, n in others)])
    ends = [f"at least {claim.low:g}"] * (claim.low > -math.inf)
    ends += [f"at most {claim.high:g}"] * (claim.high < math.inf)
    return {
        "claim": claim.name,
        "source": source,
        "says": claim.says,
        "contrast": contrast,
        "range": (" or " if claim.low > claim.high else " and ").join(ends),
        "remark": claim.remark,
    }


def _row(effect):
    gap = effect.interval
    between = "" if gap.half_width is None else f"{gap.low:+.2f} to {gap.high:+.2f}"
    ends = {"low": effect.claim.low, "high": effect.claim.high}
    return _about(effect.claim) | {
        "data": effect.budget.data,
        "budget": effect.budget.name,
        "epochs": effect.budget.epochs,
        "images": effect.budget.images,
        "seeds": len(effect.seeds),
        "values": [round(value, 2) for value in effect.values],
        "means": [round(sum(own) / len(own), 2) for own in effect.accuracies],
        "effect": round(gap.mean, 3),
        "half_width": None if gap.half_width is None else round(gap.half_width, 3),
        "interval": between,
        "claimed": {k: v if math.isfinite(v) else None for k, v in ends.items()},
        "verdict": effect.verdict,
        "enough": _forecast(effect),
    }


def _forecast(effect):
    """How many seeds would decide, for a reader; empty if already decided or with too few seeds."""
    if len(effect.seeds) < verdicts.LEAST_SEEDS or effect.verdict != UNDECIDED:
        return ""
    claim = effect.claim
    n = deciding_seeds(effect.interval, claim.low, claim.high, confidence_of(len(claims())))
    return "over 999" if n is None else str(n)


def written(runs):
    """Return ``results/claims.json`` as text: what :func:`summary` returns, one row per line."""
    lists = (
        f'"{name}": [\n  '
        + ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in rows)
        + "\n ]"
        for name, rows in summary(runs).items()
    )
    return "{\n " + ",\n ".join(lists) + "\n}\n"
