"""Polynomials for cycles: the closed forms are the least, and the V-cycle keeps its bound."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.errors import InvalidValue
from mgtutorial.linalg.cycle_roots import (
    chebyshev_cycle,
    chebyshev_fourth,
    chebyshev_residual,
    cycle_bound,
    cycle_weight,
)
from mgtutorial.linalg.fourier import two_grid_factor
from mgtutorial.linalg.polynomials import correction, polynomial_symbol, q
from mgtutorial.linalg.problems import poisson
from mgtutorial.linalg.roots import chebyshev
from mgtutorial.linalg.solvers import convergence_factor, poisson_levels
from mgtutorial.linalg.transfers import full_weighting, linear_interpolation
from mgtutorial.multigrid import State, cycle

from ..project.prose import says

X = np.linspace(0, 1, 40_001)
KINDS = [
    (chebyshev_residual, X, lambda m: np.tan(np.pi / (4 * m + 4)) / (m + 1)),
    (chebyshev_fourth, np.sqrt(X), lambda m: 1 / (2 * m + 1)),
]


@pytest.mark.parametrize("m", [1, 2, 3, 5, 9])
@pytest.mark.parametrize(("roots", "weight", "value"), KINDS)
def test_the_weighted_maximum_is_the_formula_and_is_attained_with_alternating_signs(
    roots, weight, value, m
):
    """Propositions 1 and 2: m + 1 alternating extrema leave no room for a better one."""
    g = weight * q(X, roots(1.0, m))
    assert np.abs(g).max() == pytest.approx(value(m), rel=1e-5)  # of samples
    ends = np.flatnonzero(np.abs(g) > value(m) * (1 - 1e-5))
    signs = np.sign(g[ends])
    assert np.count_nonzero(np.diff(signs)) == m  # m + 1 groups of one sign


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 5), st.lists(st.floats(-0.3, 0.3), min_size=5, max_size=5))
def test_no_other_polynomial_has_a_lesser_maximum(m, change):
    change = np.exp(np.array(change[:m]))
    for roots, weight, value in KINDS:
        assert np.abs(weight * q(X, roots(1.0, m) * change)).max() >= value(m) * (1 - 1e-6)
    optimum = np.tan(np.pi / (4 * m + 2)) ** 2
    assert cycle_weight(1.0, chebyshev_cycle(1.0, m) * change) >= optimum * (1 - 1e-6)


@pytest.mark.parametrize("m", [1, 2, 3, 4, 10, 30])
def test_the_weight_of_a_cycle_has_its_closed_forms(m):
    """Proposition 4: 1/2m, 3/4m(m+1), tan^2; q sqrt(1 + x/gamma) is a Chebyshev polynomial."""
    gamma = np.tan(np.pi / (4 * m + 2)) ** 2
    assert cycle_weight(1.0, np.ones(m)) == pytest.approx(1 / (2 * m), rel=1e-6)
    fourth = cycle_weight(7.0, chebyshev_fourth(7.0, m))
    assert fourth == pytest.approx(3 / (4 * m * (m + 1)), rel=1e-6)
    assert cycle_weight(7.0, chebyshev_cycle(7.0, m)) == pytest.approx(gamma, rel=1e-6)
    w = np.sqrt((X + gamma) / (1 + gamma))
    left = q(X, chebyshev_cycle(1.0, m)) * np.sqrt(1 + X / gamma)
    right = (-1) ** m * np.cos((2 * m + 1) * np.arccos(np.minimum(w, 1)))
    assert np.abs(left - right).max() < 1e-9  # products of m factors up to m^2


def test_the_identity_in_the_proof_of_the_fourth_kinds_weight():
    phi = np.linspace(0.01, 1.5, 37)
    for M in (3, 5, 9):
        right = sum(np.sin(phi - j * np.pi / M) ** -2.0 for j in range(M))
        np.testing.assert_allclose(M**2 / np.sin(M * phi) ** 2, right, rtol=1e-9)
        assert sum(np.sin(j * np.pi / M) ** -2.0 for j in range(1, M)) == pytest.approx(
            (M**2 - 1) / 3
        )


def v_cycle_norm(n, kind):
    """The energy norm of a V-cycle in 1D that smooths by a polynomial."""
    values, vectors = np.linalg.eigh(poisson(n, d=1).sparse().toarray())
    root, inverse = vectors * np.sqrt(values), vectors / np.sqrt(values)
    levels = poisson_levels(n, d=1, smoother=lambda p: correction(p.A, kind(2 * p.A.diagonal)))
    E = np.array([cycle(levels, State(e, 0 * e)).u for e in np.eye(n - 1)]).T
    return float(np.linalg.norm(root.T @ E @ inverse, 2))


@settings(deadline=None, max_examples=15)
@given(st.lists(st.floats(0.55, 1.6), min_size=1, max_size=4))
def test_v_cycles_keep_the_bound_whatever_the_polynomial(roots):
    """Theorem 3, with C = 2: also for polynomials that nobody would choose."""
    roots = np.array(roots)
    bound = cycle_bound(1.0, roots, C=2.0)
    assert v_cycle_norm(32, lambda t: t * roots) <= bound + 1e-12


def test_the_table_of_v_cycles_in_one_dimension():
    for m in (1, 2, 3, 4):
        kinds = (
            lambda t, m=m: np.full(m, t),
            lambda t, m=m: chebyshev_fourth(t, m),
            lambda t, m=m: chebyshev_cycle(t, m),
        )
        row = [cycle_bound(1.0, k(1.0), 2.0) for k in kinds] + [v_cycle_norm(64, k) for k in kinds]
        says("cycle_polynomials", f"| {m} | " + " | ".join(f"{v:.3f}" for v in row) + " |")


def test_the_table_of_cycles_in_two_dimensions():
    n, families = (
        128,
        (
            lambda t, m: chebyshev(t / 4, t, m),
            lambda t, m: chebyshev(t / 10, t, m),
            chebyshev_residual,
            chebyshev_fourth,
            chebyshev_cycle,
        ),
    )
    A = poisson(n).A
    grids = A, poisson(n // 2).A, full_weighting(), linear_interpolation()
    start = np.random.default_rng(0).standard_normal((n - 1, n - 1))

    def pair(family, m):
        two = two_grid_factor(*grids, polynomial_symbol(A, family(2 * A.diagonal, m)))
        levels = poisson_levels(n, smoother=lambda p: correction(p.A, family(2 * p.A.diagonal, m)))
        return f"{two:.3f}, {convergence_factor(levels, start):.3f}"

    for m in (2, 4):
        says("cycle_polynomials", " | ".join(pair(f, m) for f in families) + " |")


def test_least_maxima_that_the_text_prints():
    value = KINDS[0][2]
    shown = [f"${value(m):.3f}$" if m == 1 else f"${value(m):.4f}$" for m in (1, 2, 3, 4)]
    equal = [f"${m**m / (m + 1) ** (m + 1):.3f}$" for m in (1, 2, 3, 4)]
    both = [", ".join(v[:3]) + " and " + v[3] for v in (shown, equal)]
    says("cycle_polynomials", f"it is {both[0]} instead of {both[1]}")
    dampings = [1 / kind(1.0, 1)[0] / 2 for kind in (chebyshev_residual, chebyshev_fourth)]
    says("cycle_polynomials", f"${dampings[0]:.3f}$, ${dampings[1]:.3f}$ and $0.75$")
    assert 1 / chebyshev_cycle(1.0, 1)[0] == pytest.approx(1.5)


def test_polynomials_that_do_not_converge_have_no_weight():
    assert cycle_weight(1.0, [0.4]) == np.inf and cycle_bound(1.0, [0.4], 2.0) == 1.0
    assert cycle_weight(1.0, [-2.0]) == np.inf


@pytest.mark.parametrize("kind", [chebyshev_residual, chebyshev_fourth, chebyshev_cycle])
def test_bounds_and_degrees_are_checked(kind):
    for top in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InvalidValue, match=f"top = {top}: give a bound of the spectrum"):
            kind(top, 1)
    for degree in (0, 1.5):
        with pytest.raises(InvalidValue, match=f"degree = {degree}: give a whole number"):
            kind(1.0, degree)
    np.testing.assert_allclose(kind(8.0, 3), 8 * kind(1.0, 3))
    assert (np.diff(kind(1.0, 6)) > 0).all() and 0 < kind(1.0, 6)[0] and kind(1.0, 6)[-1] < 1


def test_the_fourth_kinds_margin_shrinks_with_the_degree():
    """Beyond the interval |q| is 1 again after 25, 11 and 4 per cent of it."""
    beyond = np.linspace(1, 1.3, 300_001)
    margins = []
    for m in (2, 4, 8):
        above = np.abs(q(beyond, chebyshev_fourth(1.0, m))) > 1
        margins.append(f"{100 * (beyond[above.argmax()] - 1):.0f}")
    assert margins == ["25", "11", "4"]
    says("notebooks/cycle_polynomials.ipynb", "25, 11 and 4 per cent for degrees 2, 4 and 8")


def test_the_weight_of_a_step_that_is_all_but_nothing_is_its_limit_at_zero():
    assert cycle_weight(1.0, [1e5]) == pytest.approx(5e4)
