"""The fitted polynomial is the best one: where there is a formula, and by its certificate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.errors import InvalidValue
from mgtutorial.linalg.approximation import minimax
from mgtutorial.linalg.polynomials import factors, q
from mgtutorial.linalg.roots import chebyshev, chebyshev_ellipse, chebyshev_maximum

THETA = np.linspace(0, 2 * np.pi, 201)


@pytest.mark.parametrize("a, b", [(1.0, 4.0), (0.05, 1.0), (-2.0, -0.5), (1e-9, 3e-9)])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 12])
def test_on_an_interval_it_is_chebyshev(a, b, n):
    # with the n + 1 extremal points among them, the points have the interval's optimum
    extremal = (a + b) / 2 + (b - a) / 2 * np.cos(np.pi * np.arange(n + 1) / n)
    fit = minimax([*np.linspace(a, b, 100), *extremal], n)
    best = chebyshev_maximum(a, b, n)
    assert fit.maximum == pytest.approx(best, abs=1e-8)
    assert fit.bound <= fit.maximum <= fit.bound + 1e-9
    tolerance = 1e-5 * max(abs(a), abs(b)) / min(1, 1e4 * best)  # a root moves by error / best
    np.testing.assert_allclose(np.sort(fit.roots), chebyshev(a, b, n), rtol=0, atol=tolerance)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
def test_on_a_circle_it_is_a_power(n):
    """(1 - z/c)^n, of modulus (radius / c)^n all around."""
    fit = minimax(3 + np.exp(1j * THETA), n)
    assert fit.maximum == pytest.approx(3.0**-n, abs=1e-7)
    # an n-fold root is found to the n-th root of the accuracy
    assert np.abs(fit.roots - 3).max() < 3 * (1e-8 * 3**n) ** (1 / n)


@pytest.mark.parametrize("a, b", [(2.0, 3.0), (1.0, 0.5), (0.0, 1.0), (0.1, 5.0)])
def test_one_real_root_for_a_pair_leaves_the_sine(a, b):
    """min over real x of |1 - z / x| is |sin arg z|: why complex spectra need pairs."""
    z = complex(a, b)
    sine = abs(np.sin(np.angle(z)))
    if a == 0:
        with pytest.raises(InvalidValue, match="surround zero"):
            minimax([z], 1)
    else:
        fit = minimax([z], 1)
        assert fit.maximum == pytest.approx(sine, abs=1e-8)
        # flat: an error d of 1/x changes the value by the order of d^2
        assert 1 / fit.roots[0] == pytest.approx(a / (a**2 + b**2), abs=1e-4)
    assert minimax([z], 2).maximum == 0


def test_on_both_sides_of_zero_it_is_the_double_step():
    """x^2 = (a^2 + b^2) / 2 and the value (b^2 - a^2) / (b^2 + a^2)."""
    z = np.linspace(1, 2, 101)
    for degree in (2, 3):  # an odd degree gains nothing, and the root at infinity is dropped
        fit = minimax([*z, *-z], degree)
        assert fit.maximum == pytest.approx(3 / 5, abs=1e-8)
        np.testing.assert_allclose(np.sort(fit.roots), [-np.sqrt(2.5), np.sqrt(2.5)], rtol=1e-6)


complex_sets = st.lists(
    st.tuples(st.floats(0.2, 3), st.floats(0, 3)), min_size=6, max_size=40, unique=True
)


@settings(max_examples=60, deadline=None)
@given(complex_sets, st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_certificate_and_optimality_on_random_points(pairs, degree, seed):
    z = np.array([complex(a, b) for a, b in pairs])
    try:
        fit = minimax(z, degree)
    except InvalidValue as error:  # points close to the imaginary axis, seen from zero
        assert "surround zero" in str(error)
        return
    assert fit.bound <= fit.maximum <= fit.bound + 1e-9
    assert len(fit.roots) <= degree
    values = np.abs(q(z, fit.roots))
    assert values.max() == pytest.approx(fit.maximum, abs=1e-6)  # also from the roots
    np.testing.assert_allclose(np.abs(q(z.conj(), fit.roots)), values, atol=1e-9)
    # no polynomial in the neighbourhood is better (the problem is convex, so none at all)
    rng = np.random.default_rng(seed)
    own = q(z, fit.roots)
    for _ in range(20):
        other = own + z * np.polyval(rng.standard_normal(degree) * 10 ** rng.uniform(-6, 0), z)
        assert np.abs(other).max() >= fit.maximum - 1e-6


def test_it_beats_chebyshev_on_an_ellipse_and_the_interval_of_real_parts():
    boundary = 2 + 1.5 * np.cos(THETA) + 1.2j * np.sin(THETA)
    for n in (2, 3, 4, 5):
        fit = minimax(boundary, n)
        assert fit.maximum <= np.abs(q(boundary, chebyshev_ellipse(2, 1.5, 1.2, n))).max() + 1e-8
    tall = 2 + 0.5 * np.cos(THETA) + 3j * np.sin(THETA)
    fit = minimax(tall, 4)
    assert fit.maximum < 0.6
    assert np.abs(q(tall, chebyshev(1.5, 2.5, 4))).max() > 5


def test_as_many_roots_as_points_vanish_on_all_of_them():
    z = [1, 2, 3 + 1j, 1]
    fit = minimax(z, 4)
    assert fit.maximum == fit.bound == 0
    assert np.abs(q(np.array(z), fit.roots)).max() < 1e-12
    assert len(factors(fit.roots)) == 3
    assert np.array_equal(minimax([5.0, 5.0], 1).roots, [5.0])


def test_conjugates_and_scale_do_not_matter():
    z = 1 - np.cos(THETA[50:100]) + 2j * np.sin(THETA[50:100])
    half, both, large = (minimax(v, 3) for v in (z, [*z, *z.conj()], 1e6 * z))
    np.testing.assert_allclose(both.roots, half.roots, atol=1e-4)
    np.testing.assert_allclose(large.roots, 1e6 * half.roots, atol=1e2)


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: minimax([], 2), "there is no eigenvalue"),
        (lambda: minimax([1, np.nan], 2), "not a finite number"),
        (lambda: minimax([1, 0], 2), "contains zero"),
        (lambda: minimax([1, 2], 0), "degree = 0"),
        (lambda: minimax(np.exp(1j * THETA), 4), "surround zero"),
        (lambda: minimax([*np.linspace(1, 2), *np.linspace(-2, -1)], 1), "both sides"),
    ],
)
def test_bad_input_is_one_sentence(make, sentence):
    with pytest.raises(InvalidValue, match=sentence) as error:
        make()
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


@pytest.mark.parametrize(
    "spectrum",
    [
        [1.2345678e-10, 1.0],
        [1e-14, 1.0],
        [1e-14, 5e-14, 1.0],
        [1e-280, 1.0],
        [3e-10 + 1e-12j, 1.0],
        [0.0012345678901234, 1.0, 2.0],
    ],
)
@pytest.mark.parametrize("scale", [1.0, 1e-20, 1e20])
def test_points_near_zero_keep_their_digits(spectrum, scale):
    z = scale * np.array(spectrum)
    fit = minimax(z, len(z) + int(np.iscomplexobj(z)))
    assert fit.maximum == 0.0 and np.abs(q(z, fit.roots)).max() < 1e-9


def test_a_point_that_is_zero_beside_the_greatest_is_zero():
    with pytest.raises(InvalidValue, match="contains zero"):
        minimax([1e-320, 1e10], 2)
