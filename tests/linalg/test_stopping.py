"""Where an iteration stops, by its tolerance and by stagnation; and Leja order at any scale."""

import numpy as np
import pytest

from mgtutorial.linalg.roots import leja
from mgtutorial.linalg.solvers import poisson_levels, solve
from mgtutorial.multigrid import Level, State


@pytest.mark.parametrize("size", [1e-3, 1e3])
def test_the_tolerance_is_relative_to_the_right_hand_side_and_not_to_the_first_residual(size):
    """From a start close to the solution, and from one far away."""
    levels = poisson_levels(16)
    rng = np.random.default_rng(0)
    exact, away = rng.standard_normal((2, 15, 15))
    f = levels[0].A(exact)
    result = solve(levels, f, exact + size * away, tol=1e-6)
    goal = 1e-6 * np.linalg.norm(f)
    assert result.converged and result.residuals[0] > 100 * goal
    assert result.residuals[-1] <= goal < result.residuals[-2]  # at once, and not before
    relative = result.residuals[-1] / np.linalg.norm(f)
    assert result.reason == (
        f"converged: {result.cycles} cycles left a relative residual of {relative:.3g}."
    )


def with_residuals(norms):
    """Levels of ``A = I`` whose cycles leave residuals of these norms, relative to f."""
    left = iter(norms)
    return [Level(lambda u: u, pre=[lambda s: State((1 - next(left)) * s.f, s.f)])]


def cycles_until_stagnation(norms):
    f = np.array([3.0, 4.0])
    result = solve(with_residuals(norms), f, tol=0.0, max_cycles=len(norms))
    said = result.reason.startswith("stagnated")
    assert said == result.reason.startswith(f"stagnated: after {result.cycles} cycles still")
    return result.cycles if said else None


def test_an_iteration_stagnates_after_ten_cycles_that_gain_less_than_one_per_cent():
    in_ten = {q: [q ** (k / 10) for k in range(1, 41)] for q in (0.98, 0.995)}
    assert cycles_until_stagnation(in_ten[0.98]) is None  # slow, but it goes on
    assert cycles_until_stagnation(in_ten[0.995]) == 10
    # five good cycles, then none: ten more are waited for, and not one longer
    assert cycles_until_stagnation([0.5**k for k in range(1, 6)] + [0.5**5] * 20) == 15
    # what counts is the best so far: up and down is no progress, a late gain is
    assert cycles_until_stagnation([0.5, 0.9] * 10) == 11
    assert cycles_until_stagnation([0.5] * 10 + [0.4] * 20) == 21


@pytest.mark.parametrize("scale", [1e-190, 1e-300, 1e190])
@pytest.mark.parametrize("degree", [5, 24])
def test_the_leja_order_of_a_multiple_is_that_multiple(degree, scale):
    # random ones: of those of Chebyshev two are as good as each other, and rounding decides
    rng = np.random.default_rng(0)
    real, imaginary = rng.uniform(0.05, 2.0, (2, degree))
    pairs = np.ravel([real + 1j * imaginary, real - 1j * imaginary])
    for roots in (real, pairs):
        np.testing.assert_allclose(leja(scale * roots), scale * leja(roots), rtol=1e-14)
