r"""MGIC's Figure 4: what runs with its printed training say about the paper's sentence on it.

That sentence, in section 4.2, is that MGIC has the lower mean squared error with fewer weights than
MobileNetV3 and GhostNet. The figure's own numbers are not in the text, so what can be tested is the
order, at equal width. Errors are positive, and seeds change them by factors: the effect is the
*ratio* of MGIC's error to another's, for runs paired by their seeds, and the interval is Student's
for its logarithm,

.. math:: \exp\bigl( \bar d \pm t_{n-1}\, s_d / \sqrt n \bigr), \qquad
    d_s = \log e_s^{\mathrm{MGIC}} - \log e_s^{\mathrm{other}} .

Two other blocks at three widths make six intervals, which jointly have the confidence of one
(:func:`.claims.confidence_of`), whether or not all six have runs.
"""

import json
import math
from statistics import mean, stdev

from .. import _paths
from ..models.implicit_function import PRINTED_BLOCKS
from ..training import implicit_function, records
from ..training.plane import PlaneConfig
from . import claims, verdicts

#: The widths that the paper trains.
ALPHAS = (0.6, 0.8, 1.2)
OURS = "mgic-bneck"
RIVALS = tuple(block for block in PRINTED_BLOCKS if block != OURS)
#: Of each interval, so that all six hold jointly.
CONFIDENCE = claims.confidence_of(len(ALPHAS) * len(RIVALS))
#: The blocks as the paper calls them.
LABELS = {"mobilenetv3": "MobileNetV3", "ghostnet": "GhostNet", OURS: "MGIC"}


def as_printed(runs):
    """Return the runs that follow the printed protocol, with a linear last row and groups of 8.

    Parameters
    ----------
    runs : list of Record
        Of functions of the plane.

    Returns
    -------
    dict
        (block, alpha) -> seed -> record; if a run has two records, the first.

    Examples
    --------
    >>> as_printed([run for run in implicit_function.recorded() if run.budget == "short"])
    {}
    """
    found = {}
    for run in runs:
        config = run.config
        wanted = implicit_function.configure(config.model, "paper", config.seed)
        if config == wanted and config.model.block in PRINTED_BLOCKS and not run.partial:
            key = config.model.block, config.model.alpha
            if (config.model.end, config.model.s_g, config.model.s_c) == ("linear", 8, 8):
                found.setdefault(key, {}).setdefault(config.seed, run)
    return found


def ratio(ours, other):
    """Return MGIC's error as a multiple of another's, with an interval and a verdict.

    Parameters
    ----------
    ours, other : sequence of float
        Positive errors, in pairs.

    Returns
    -------
    tuple
        The geometric mean of the ratios, the interval's two ends or None for a single pair, and
        the verdict on "below 1", one of :data:`.claims.VERDICTS`.

    Raises
    ------
    InvalidValue
        If there is no pair.

    Examples
    --------
    >>> middle, ends, verdict = ratio([1.0, 1.1, 0.9], [10.0, 12.0, 9.0])
    >>> round(middle, 3), verdict
    (0.097, 'supported at this budget')
    """
    gap = verdicts.interval([math.log(a / b) for a, b in zip(ours, other, strict=True)], CONFIDENCE)
    ends = None if gap.half_width is None else (_exp(gap.low), _exp(gap.high))
    return math.exp(gap.mean), ends, claims.verdict(gap, high=0.0)


def _exp(x):
    return math.exp(x) if x < 700 else math.inf  # two scattered pairs can be that vague


def summary(runs=None):
    """Return the errors, and the ratios of MGIC's to the others', as plain data.

    Parameters
    ----------
    runs : list of Record, optional
        Default: those that came with the package.

    Examples
    --------
    >>> summary([])
    {'errors': [], 'contrasts': []}

    Book: mgic_worlds, worlds-printed
    """
    if runs is None:
        runs = records.read(_paths.packaged_results() / PlaneConfig.printed)
    found = as_printed(runs)
    settled = implicit_function.settled()
    cells = [(b, a) for a in ALPHAS for b in PRINTED_BLOCKS if (b, a) in found]
    pairs = [(b, a) for b, a in cells if b != OURS and (OURS, a) in found]
    contrasts = (_contrast(found[OURS, a], found[b, a], b, a) for b, a in pairs)
    return {
        "errors": [_errors(b, a, found[b, a], settled) for b, a in cells],
        "contrasts": [row for row in contrasts if row],
    }


def _errors(block, alpha, by_seed, settled):
    runs = [by_seed[seed] for seed in sorted(by_seed)]
    errors = [100 * run.metric.value for run in runs]
    own = [100 * settled[run.digest] for run in runs if run.digest in settled]
    return {
        "block": LABELS[block],
        "alpha": alpha,
        "weights": runs[0].weights,
        "seeds": len(runs),
        "values": [round(error, 4) for error in errors],
        "error": _said(errors),
        "settled": _said(own) if len(own) == len(runs) else "",
        "training": _said([100 * run.curve[-1].train for run in runs]),
    }


def _said(values):
    spread = f"\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{stdev(values):.3f}" if len(values) > 1 else ""
    return f"{mean(values):.3f}{spread}"


def _contrast(ours, other, block, alpha):
    seeds = sorted(set(ours) & set(other))
    if not seeds:
        return None
    pairs = [(ours[s].metric.value, other[s].metric.value) for s in seeds]
    middle, ends, said = ratio(*zip(*pairs, strict=True))
    return {
        "other": LABELS[block],
        "alpha": alpha,
        "seeds": len(seeds),
        "values": [round(a / b, 3) for a, b in pairs],
        "ratio": round(middle, 3),
        "interval": "" if ends is None else f"{ends[0]:.2f} to {ends[1]:.2f}",
        "verdict": said,
    }


def written():
    """Return ``results/mgic_figure4.json`` as text: what :func:`summary` returns."""
    return json.dumps(summary(), indent=1, ensure_ascii=False) + "\n"
