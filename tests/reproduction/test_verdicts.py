"""Verdicts: intervals that cover as often as they say, and comparisons only where allowed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mgtutorial.errors import InvalidValue
from mgtutorial.reproduction.verdicts import MEANING, interval, verdict

values = st.lists(st.floats(50, 100), min_size=2, max_size=12)


@given(values)
def test_the_interval_is_that_of_scipys_t_test(sample):
    ours = interval(sample)
    sem = stats.sem(sample)
    if sem < 1e-9:  # all values alike: no spread, no interval to speak of
        assert ours.half_width < 1e-6
        return
    low, high = stats.t.interval(0.95, len(sample) - 1, np.mean(sample), sem)
    assert ours.mean - ours.half_width == pytest.approx(low, rel=1e-9)
    assert ours.mean + ours.half_width == pytest.approx(high, rel=1e-9)


def test_the_interval_covers_the_true_mean_as_often_as_it_says():
    samples = np.random.default_rng(0).normal(93.0, 0.2, size=(4000, 3))
    made = [interval(row) for row in samples]
    covered = np.mean([abs(i.mean - 93.0) <= i.half_width for i in made])
    assert abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 4000)  # four standard errors


def test_a_wider_confidence_is_a_wider_interval():
    assert interval([1, 2, 3], 0.99).half_width > interval([1, 2, 3], 0.9).half_width


def test_two_seeds_decide_nothing_however_close():
    assert verdict(interval([93.0, 93.0]), 93.0, 0.1) == "undecided"


def test_a_shorter_budget_is_never_compared_even_if_it_is_better():
    assert verdict(interval([99.0, 99.1, 99.2]), 93.0, 0.1, comparable=False) == "shorter budget"


@given(values.filter(lambda v: len(v) >= 3), st.floats(50, 100), st.floats(0, 2))
def test_reproduced_is_exactly_the_stated_inequality(sample, published, std):
    ours = interval(sample)
    gap = abs(ours.mean - published) - (ours.half_width + std)
    if abs(gap) > 1e-6:
        assert verdict(ours, published, std) == ("reproduced" if gap < 0 else "differs")


def test_a_missing_published_number_is_said():
    assert verdict(interval([93.0] * 3), None, None) == "nothing printed"
    assert verdict(None, 93.0, 0.1) == "not run"
    assert verdict(interval([93.0] * 3), 93.0, None) == "reproduced"


def test_every_verdict_has_a_meaning():
    ours = interval([93.0, 93.1, 93.2])
    given = {
        verdict(None, 1, 1),
        verdict(ours, 93.0, 0.1),
        verdict(ours, 10.0, 0.1),
        verdict(ours, 93.0, 0.1, False),
        verdict(interval([93.0]), 93.0, 0.1),
        verdict(ours, None, None),
    }
    assert given == set(MEANING)


def test_bad_input_is_a_sentence():
    with pytest.raises(InvalidValue, match="no values"):
        interval([])
    with pytest.raises(InvalidValue, match=r"confidence=1\.5"):
        interval([1, 2], 1.5)
