"""What is said of a print where one side of the comparison is a single run."""

import pytest

from mgtutorial.reproduction.verdicts import UNDECIDED, difference, interval, verdict


@pytest.mark.parametrize("std", [0.0, 0.15, 3.0])
def test_a_deviation_that_is_printed_of_a_single_run_is_no_deviation(std):
    """One run has none: the print counts as one more run like ours, as without the deviation."""
    ours = interval([93.1, 93.4, 93.4])
    assert difference(ours, 93.0, std, runs=1) == difference(ours, 93.0)
    half = 4.302652730 * ours.std * (1 + 1 / 3) ** 0.5  # Student's quantile for two
    assert difference(ours, 93.0, std, runs=1).half_width == pytest.approx(half, rel=1e-8)
    assert difference(ours, 93.0, std or 0.1, runs=2) != difference(ours, 93.0)
    for published in (93.3, 95.0):
        assert verdict(ours, published, std, runs=1) == verdict(ours, published)


@pytest.mark.parametrize("std, runs", [(None, 1), (0.1, 1), (0.1, 3)])
def test_one_run_of_ours_decides_nothing(std, runs):
    ours = interval([93.4])
    gap = difference(ours, 93.0, std, runs)
    assert gap.mean == pytest.approx(0.4) and gap.n == 1
    assert gap.half_width is gap.low is gap.high is None
    for published in (93.4, 10.0):
        assert verdict(ours, published, std, runs) == UNDECIDED
