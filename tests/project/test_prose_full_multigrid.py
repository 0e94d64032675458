"""What full multigrid may leave, and leaves, as the chapter on coarsening prints it."""

import numpy as np
import pytest
from scipy.fft import dstn, idstn

from mgtutorial.linalg.nonlinear import NonlinearPoisson
from mgtutorial.linalg.problems import poisson
from mgtutorial.linalg.smoothers import red_black
from mgtutorial.linalg.solvers import full_multigrid, poisson_levels
from mgtutorial.linalg.transfers import (
    cubic_interpolation,
    full_weighting,
    injection,
    linear_interpolation,
)
from mgtutorial.multigrid import State, cycle

from .prose import says


def norm_of_a_cycle(n):
    """The 2-norm of V(1,1) by power iteration with E^T E: its transpose sweeps black first."""
    problem = poisson(n)
    there = poisson_levels(n)
    back = poisson_levels(n, smoother=lambda p: red_black(p.A, order="black-red"))
    e = np.random.default_rng(0).standard_normal(problem.shape)
    for _ in range(60):
        e = cycle(there, State(e / np.linalg.norm(e), 0 * e)).u
        norm = np.linalg.norm(e)
        e = e - problem.A(cycle(back, State(0 * e, e)).u)
    return float(norm)


@pytest.mark.parametrize("n, printed", [(32, 0.172), (256, 0.178)])
def test_what_full_multigrid_may_leave_by_the_norm_of_a_cycle(n, printed):
    assert round(norm_of_a_cycle(n), 3) == printed
    says("coarsening", "is $0.172$ to $0.178$ with 32 to 256 cells")


def continuous(n, name):
    """A problem, the solution of its differential equation, and its right-hand side."""
    if name == "first":
        found = NonlinearPoisson(n, gamma=0.0)
        return found.linear, found.solution(), found.right_hand_side()
    x, y = poisson(n).grid()
    g, w = np.sin(np.pi * x) * np.exp(x), y - y**3
    g2 = np.exp(x) * ((1 - np.pi**2) * np.sin(np.pi * x) + 2 * np.pi * np.cos(np.pi * x))
    return poisson(n), g * w, -g2 * w + 6 * y * g


def solution(problem, f):
    eigenvalues = problem.A.symbol(*problem.frequencies()).real
    return idstn(dstn(f, type=1) / eigenvalues, type=1)


@pytest.mark.parametrize(
    "name, D, allowed", [("first", 1.0, (0.8, 0.04)), ("second", 8.8, (7, 0.3))]
)
def test_what_full_multigrid_may_leave_and_leaves(name, D, allowed):
    """D by the coarse right-hand sides that the program takes, and by values of f."""
    n, cubic, eta = 256, cubic_interpolation(2), 0.1778
    problem, u, f = continuous(n, name)
    exact = solution(problem, f)
    own = np.linalg.norm(exact - u)
    for restrict, expected in ((full_weighting(2), D), (injection(2), 3.0)):
        coarse = solution(poisson(n // 2), restrict(f))
        assert np.linalg.norm(cubic(coarse) - exact) / own == pytest.approx(expected, abs=0.05)
    units = np.eye(15**2).reshape(-1, 15, 15)
    p = np.linalg.norm(cubic(units).reshape(len(units), -1), 2) / 2  # in mean squares
    assert round(p, 1) == 1.1 and round(2 * p, 1) == 2.2
    says("coarsening", "Cubic interpolation then has $p = 1.1$ (in the plain Euclidean norm $2.2$")
    for m, bound in enumerate(allowed, 1):
        assert D * eta**m / (1 - 4 * p * eta**m) == pytest.approx(bound, rel=0.1)
    found = {}
    for restrict in (None, injection(2)):
        got = full_multigrid(poisson_levels(n), f, 1, 1, restrict, cubic).u
        found[restrict is None] = np.linalg.norm(got - exact) / own
    assert found[True] < allowed[0]
    assert found[False] == pytest.approx({"first": 0.44, "second": 0.64}[name], abs=0.01)
    says("coarsening", "for the two solutions below $D$ is $1.0\\, c_h$ and $8.8\\, c_h$")
    says("coarsening", "they are $0.44$ and $0.64$")


@pytest.mark.parametrize("name", ["first", "second"])
def test_what_one_cycle_a_level_leaves_from_grid_to_grid(name):
    left, cubic = {1: [], 2: []}, cubic_interpolation(2)
    for n in (32, 64, 128, 256):
        problem, u, f = continuous(n, name)
        exact = solution(problem, f)
        for gamma, found in left.items():
            got = full_multigrid(poisson_levels(n), f, 1, gamma, None, cubic).u
            found.append(np.linalg.norm(got - exact) / np.linalg.norm(exact - u))
    assert left[1] == sorted(left[1]) and left[1][-1] < {"first": 0.18, "second": 2}[name]
    assert left[2] == sorted(left[2], reverse=True) and left[2][0] < 0.1
    says("coarsening", "From $33^2$ points on, one W-cycle leaves less than $0.1$ for both")
    says("coarsening", "they stay below $0.18$ and $2$")


@pytest.mark.parametrize("cells, printed", [(6, "3.41"), (12, "3.84"), (24, "3.96")])
def test_the_constant_of_the_approximation_property_in_two_dimensions(cells, printed):
    fine = poisson(cells)
    up, down = linear_interpolation(2).sparse, full_weighting(2).sparse
    coarse = np.linalg.inv(poisson(cells // 2).sparse().toarray())
    shape = fine.shape
    gap = np.linalg.inv(fine.sparse().toarray()) - up(shape) @ (coarse @ down(shape).toarray())
    largest = 8 * cells**2 * np.cos(np.pi / (2 * cells)) ** 2
    assert f"{largest * np.linalg.norm(gap, 2):.2f}" == printed
    says("coarsening", "the notebook measures $3.41$, $3.84$ and $3.96$ with 6, 12 and 24 cells")


@pytest.mark.parametrize(
    "name, largest, left", [("first", "3.2", ("0.8", "0.04")), ("second", "1.8", ("6", "0.3"))]
)
def test_what_full_multigrid_may_leave_with_what_each_level_has(name, largest, left):
    """The induction of the proposition, in place of one D and one norm for all levels."""
    sizes = [4, 8, 16, 32, 64, 128, 256]
    _, u, f = continuous(256, name)
    sides = {256: f}  # of all levels, as the program makes them from the finest down
    for n in reversed(sizes):
        sides[n // 2] = full_weighting(2)(sides[n])
    exact = {n: solution(poisson(n), sides[n]) for n in (2, *sizes)}
    own = np.linalg.norm(exact[256] - u) / 255  # the mean square over the points
    jumps = {}
    for n in sizes:
        jump = np.linalg.norm(cubic_interpolation(2)(exact[n // 2]) - exact[n]) / (n - 1)
        jumps[n] = jump / own / (256 / n) ** 2
    assert max(jumps, key=jumps.get) == 4 and f"{jumps[4] / jumps[256]:.1f}" == largest
    for m, printed in enumerate(left, 1):
        error = 0.0
        for n in sizes:
            error = norm_of_a_cycle(n) ** m * (4 * 1.1 * error + jumps[n])
        assert f"{error:.1g}" == printed
    says(
        "coarsening",
        "up to 3.2 times for the first solution and 1.8 times for the second",
        "each with its own $D$ and $\\eta$, and it ends at $0.8$ and $6$ after one",
    )
