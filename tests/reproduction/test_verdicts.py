"""Verdicts: intervals that cover as often as they say, errors as rare as they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mgtutorial.errors import InvalidValue
from mgtutorial.reproduction.verdicts import (
    ACCURACY,
    COMPATIBLE,
    DIFFERS,
    MARGIN,
    REPRODUCED,
    Interval,
    difference,
    interval,
    verdict,
)

values = st.lists(st.floats(50, 100), min_size=2, max_size=12)
SAMPLES = 4000


@given(values)
def test_the_interval_is_that_of_scipys_t_test(sample):
    ours = interval(sample)
    sem = stats.sem(sample)
    if sem < 1e-9:  # all values alike: no spread, no interval to speak of
        assert ours.half_width < 1e-6
        return
    low, high = stats.t.interval(0.95, len(sample) - 1, np.mean(sample), sem)
    assert ours.low == pytest.approx(low, rel=1e-9)
    assert ours.high == pytest.approx(high, rel=1e-9)
    assert ours.std == pytest.approx(np.std(sample, ddof=1))


@given(values, values)
def test_the_interval_of_the_difference_is_the_wider_of_welchs_and_students(sample, theirs):
    std = np.std(theirs, ddof=1)
    if std < 1e-6 or np.std(sample, ddof=1) < 1e-6:
        return
    ours = difference(interval(sample), np.mean(theirs), std, len(theirs))
    both = [stats.ttest_ind(sample, theirs, equal_var=e).confidence_interval() for e in (0, 1)]
    assert ours.low == pytest.approx(min(i.low for i in both), rel=1e-6, abs=1e-6)
    assert ours.high == pytest.approx(max(i.high for i in both), rel=1e-6, abs=1e-6)


def _samples(seed, n, std=0.15):
    return np.random.default_rng(seed).normal(93.0, std, size=(SAMPLES, n))


def test_the_interval_covers_the_true_mean_as_often_as_it_says():
    made = [interval(row) for row in _samples(0, 3)]
    covered = np.mean([i.low <= 93.0 <= i.high for i in made])
    assert abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / SAMPLES)  # four standard errors


def test_a_print_without_deviation_is_covered_as_one_more_run():
    gaps = [difference(interval(row[1:]), row[0]) for row in _samples(1, 6)]
    covered = np.mean([g.low <= 0 <= g.high for g in gaps])
    assert abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / SAMPLES)


def _rate(word, n, gap, printed_runs, std=0.15, seed=2):
    """How often `word` is the verdict on a print that is `gap` points above the truth."""
    ours = _samples([seed, n], n, std)
    theirs = _samples([seed, n, 1], printed_runs, std) + gap
    said = [
        verdict(
            interval(x), y.mean(), y.std(ddof=1) if printed_runs > 1 else None, printed_runs
        )
        for x, y in zip(ours, theirs, strict=True)
    ]  # fmt: skip
    return np.mean([w == word for w in said])


@pytest.mark.parametrize("std", [0.15, 0.5, 1.0])
@pytest.mark.parametrize("printed_runs", [1, 3])
@pytest.mark.parametrize("n", [3, 5, 10, 30])
def test_a_true_reproduction_is_seldom_called_different(n, printed_runs, std):
    """However many seeds one pays for; the bar is 6 %. The papers print up to 0.99."""
    assert _rate(DIFFERS, n, 0, printed_runs, std) <= 0.06


@pytest.mark.parametrize("printed_runs", [1, 3])
@pytest.mark.parametrize("n", [3, 5, 10, 30])
def test_a_gap_of_one_point_is_seldom_called_reproduced(n, printed_runs):
    assert _rate(REPRODUCED, n, 1.0, printed_runs) <= 0.05


@pytest.mark.parametrize("n", [3, 10])
def test_a_gap_just_at_the_margin_is_seldom_called_reproduced(n):
    """The margin is an upper bound in earnest: one-sided at 2.5 %, and sampling."""
    assert _rate(REPRODUCED, n, MARGIN, 3) <= 0.04


def test_seeds_buy_decisions():
    """With more seeds fewer rows stay undecided, in truth and in error alike."""
    rates = [_rate(COMPATIBLE, n, 0, 3, std=0.25) for n in (3, 5, 10)]
    assert rates[0] > rates[1] > rates[2]


def test_two_seeds_decide_nothing_however_close():
    assert verdict(interval([93.0, 93.0]), 93.0, 0.1, 3) == "undecided"


def test_another_protocol_is_never_compared_even_if_it_is_better():
    assert verdict(interval([99.0, 99.1, 99.2]), 93.0, 0.1, comparable=False) == "other protocol"


@given(values.filter(lambda v: len(v) >= 3), st.floats(50, 100), st.floats(0.01, 2))
def test_the_words_are_exactly_the_stated_inequalities(sample, published, std):
    ours = interval(sample)
    gap = difference(ours, published, std, 3)
    inside = max(abs(gap.low), abs(gap.high)) <= MARGIN
    word = REPRODUCED if inside else COMPATIBLE if gap.low <= 0 <= gap.high else DIFFERS
    assert verdict(ours, published, std, 3) == word


def test_a_missing_published_number_is_said():
    assert verdict(interval([93.0] * 3), None, None) == "nothing printed"
    assert verdict(None, 93.0, 0.1) == "not run"
    assert verdict(interval([93.0] * 3), 93.0, None) == "reproduced"


def test_every_verdict_has_a_meaning():
    ours = interval([93.0, 93.1, 93.2])
    given = {
        verdict(None, 1, 1),
        verdict(ours, 93.0, 0.1, 3),
        verdict(ours, 10.0, 0.1, 3),
        verdict(interval([92.0, 93.0, 94.0]), 93.0),
        verdict(ours, 93.0, 0.1, comparable=False),
        verdict(interval([93.0]), 93.0, 0.1),
        verdict(ours, None, None),
    }
    assert given == set(ACCURACY)


def test_bad_input_is_a_sentence():
    with pytest.raises(InvalidValue, match="no values"):
        interval([])
    with pytest.raises(InvalidValue, match=r"confidence=1\.5"):
        interval([1, 2], 1.5)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "sample", [[93.0, NAN], [INF], [[1, 2], [3, 4]], [[1, 2], [3]], [None, 93.0], ["a", "b"]]
)
def test_a_value_that_is_no_finite_number_has_no_interval(sample):
    with pytest.raises(InvalidValue, match=r"values .*: give finite numbers"):
        interval(sample)


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"published": NAN}, "published=nan"),
        ({"std": NAN}, "std=nan"),
        ({"std": -0.1}, r"std=-0\.1"),
        ({"std": 0.1, "runs": 1.5}, r"runs=1\.5"),
        ({"margin": NAN}, "margin=nan"),
        ({"ours": Interval(NAN, 1.0, 3, 0.1)}, "mean=nan"),
    ],
)
def test_no_verdict_is_drawn_from_what_is_no_number(wrong, said):
    with pytest.raises(InvalidValue, match=said):
        verdict(**{"ours": interval([93.0, 93.1, 93.2]), "published": 93.0} | wrong)
