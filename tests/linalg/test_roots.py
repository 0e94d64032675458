"""Where roots are put, against approximation theory, and the order in which they are used."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.errors import InvalidValue
from mgtutorial.linalg.polynomials import q
from mgtutorial.linalg.roots import (
    chebyshev,
    chebyshev_ellipse,
    chebyshev_maximum,
    extremes,
    leja,
    units,
)

INTERVALS = [(1.0, 2.0), (0.5, 2.0), (0.01, 1.0), (-3.0, -0.5)]


def chebyshev_polynomial(n, x):
    return np.polynomial.Chebyshev.basis(n, domain=[-1, 1])(x)


@pytest.mark.parametrize("a, b", INTERVALS)
@pytest.mark.parametrize("n", [1, 2, 3, 7, 12])
def test_chebyshev_is_the_scaled_polynomial_and_equioscillates(a, b, n):
    roots = chebyshev(a, b, n)
    z = np.linspace(a, b, 301)
    scaled = chebyshev_polynomial(n, (b + a - 2 * z) / (b - a))
    scaled = scaled / chebyshev_polynomial(n, (b + a) / (b - a))
    bound = chebyshev_maximum(a, b, n)
    np.testing.assert_allclose(q(z, roots), scaled, rtol=0, atol=1e-12)
    assert np.abs(q(z, roots)).max() <= bound * (1 + 1e-10)
    # the maximum is attained n + 1 times, with alternating signs: what the proof rests on
    extremal = (a + b) / 2 + (b - a) / 2 * np.cos(np.pi * np.arange(n + 1) / n)
    values = q(extremal, roots) * (-1.0) ** np.arange(n + 1)
    np.testing.assert_allclose(values, values[0], rtol=1e-8)
    assert abs(values[0]) == pytest.approx(bound, rel=1e-8)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(INTERVALS),
    st.integers(1, 6),
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_no_other_roots_are_better_than_chebyshev(interval, n, size, seed):
    """Neither far away nor, which is the harder test, close by."""
    a, b = interval
    rng = np.random.default_rng(seed)
    roots = chebyshev(a, b, n) + size * (b - a) * rng.uniform(-1, 1, n)
    if (np.abs(roots) < 1e-3).any():
        return
    extremal = (a + b) / 2 + (b - a) / 2 * np.cos(np.pi * np.arange(n + 1) / n)
    assert np.abs(q(extremal, roots)).max() >= chebyshev_maximum(a, b, n) * (1 - 1e-12)


def test_chebyshev_maximum_of_a_point_and_of_a_high_degree():
    assert chebyshev_maximum(2, 2, 3) == 0
    assert np.array_equal(chebyshev(2, 2, 3), [2, 2, 2])
    assert chebyshev_maximum(1, 2, 10**6) == 0  # underflows in silence
    # 5/3 = (3 + 1/3) / 2, so that T_n(5/3) = (3^n + 3^-n) / 2
    for n in range(1, 9):
        assert chebyshev_maximum(1, 4, n) == pytest.approx(2 / (3**n + 3**-n), rel=1e-14)


@pytest.mark.parametrize("along, across", [(1.0, 0.0), (1.0, 0.5), (0.3, 0.3), (0.3, 2.0), (0, 2)])
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_chebyshev_on_an_ellipse(along, across, n):
    """The maximum on the boundary is T_n at a vertex over T_n(c / delta), or a power on a disc."""
    centre = 2.0
    roots = chebyshev_ellipse(centre, along, across, n)
    theta = np.linspace(0, 2 * np.pi, 2001)
    boundary = centre + along * np.cos(theta) + 1j * across * np.sin(theta)
    largest = np.abs(q(boundary, roots)).max()
    if along == across:
        expected = (along / centre) ** n
    else:
        delta = np.sqrt(complex(along**2 - across**2))
        top = ((along + across) / abs(delta)) ** n
        T = np.cos(n * np.arccos(complex(centre / delta)))
        expected = (top + 1 / top) / 2 / abs(T)
    assert largest <= expected * (1 + 1e-10)
    # an ellipse flat like an interval attains it at its ends, others n times on the boundary
    assert largest == pytest.approx(expected, rel=1e-4)
    if across == 0:
        np.testing.assert_allclose(roots, chebyshev(1.0, 3.0, n), rtol=1e-15)
    assert len(units(roots)) <= n  # real, or in pairs


def test_units_pairs_what_belongs_together():
    assert units([2, 1 + 1j, 3, 1 - 1j]) == [2.0, 1 + 1j, 3.0]
    assert units([1 - 1j, 1 - 1j, 1 + 1j, 1 + 1j]) == [1 + 1j, 1 + 1j]
    assert units([2 + 1j, 3], real=False) == [2 + 1j, 3.0]
    eigenvalues = np.linalg.eigvals(np.random.default_rng(0).standard_normal((40, 40)))
    assert sum(1 + isinstance(x, complex) for x in units(eigenvalues)) == 40
    almost_real = [1.0 + 1e-15j]
    assert units(almost_real) == [1.0]


points = st.lists(
    st.tuples(st.floats(0.1, 10), st.one_of(st.just(0.0), st.floats(0.1, 5))),
    min_size=1,
    max_size=12,
)


@settings(max_examples=100, deadline=None)
@given(points)
def test_leja_is_a_permutation_and_greedy(given_points):
    roots = [complex(a, s * b) for a, b in given_points for s in ((1, -1) if b else (0,))]
    ordered = leja(roots)
    np.testing.assert_array_equal(np.sort_complex(ordered), np.sort_complex(roots))
    assert np.abs(ordered[0]) == pytest.approx(np.abs(roots).max())
    # conjugates stay together, and each next unit is where the factors so far are greatest
    k = 0
    while k < len(ordered):
        step = 2 if ordered[k].imag else 1
        if step == 2:
            assert ordered[k + 1] == np.conj(ordered[k])
        if k:
            left = ordered[k:]
            sizes = np.abs(np.prod([1 - left / x for x in ordered[:k]], axis=0))
            if sizes.max() > 1e-9:  # otherwise they are all repetitions
                assert sizes[0] >= sizes.max() * (1 - 1e-6)
        k += step


def test_leja_takes_repeated_roots_and_high_degrees():
    assert np.array_equal(leja([1, 1, 2, 2]), [2, 1, 2, 1]) or np.array_equal(
        leja([1, 1, 2, 2]), [2, 1, 1, 2]
    )
    many = chebyshev(1e-200, 1e-190, 400)  # no over- or underflow
    assert np.array_equal(np.sort(leja(many)), many)
    assert np.array_equal(leja([1j, 2.0], real=False), [2.0, 1j])


def test_extremes():
    spectrum = [1, 4, 2 + 3j, 2 - 3j, 3 + 1j, 3 - 1j]
    assert np.array_equal(extremes(spectrum), [1, 4, 2 + 3j, 2 - 3j])
    assert np.array_equal(extremes([3, 1, 2]), [1, 3])
    # complex eigenvalues at the ends: a linear factor is real
    assert np.array_equal(extremes([1 - 1j, 1 + 1j]), [1, 1, 1 + 1j, 1 - 1j])


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: units([]), "there is no root"),
        (lambda: units([1, 0]), "a root is zero"),
        (lambda: units([1, np.nan]), "not a finite number"),
        (lambda: units([1, 1 + 2j]), "has no conjugate"),
        (lambda: units([1 + 2j, 1 + 2j, 1 - 2j]), "has no conjugate"),
        (lambda: leja([2 + 1j, 2 - 1.01j]), "has no conjugate"),
        (lambda: leja([np.inf]), "not a finite number"),
        (lambda: chebyshev(-1, 1, 3), "contains zero"),
        (lambda: chebyshev(0, 1, 3), "contains zero"),
        (lambda: chebyshev(2, 1, 3), "is no interval"),
        (lambda: chebyshev(1, np.nan, 3), "is no interval"),
        (lambda: chebyshev(1, 2, 0), "degree = 0"),
        (lambda: chebyshev(1, 2, 2.0), "degree = 2.0"),
        (lambda: chebyshev_maximum(-1, 1, 3), "contains zero"),
        (lambda: chebyshev_ellipse(1, 1, 3, 2), "contains zero"),
        (lambda: chebyshev_ellipse(2, -1, 3, 2), "axes not negative"),
        (lambda: chebyshev_ellipse(2, 1, np.inf, 2), "finite"),
        (lambda: chebyshev_ellipse(2, 1, 3, True), "degree = True"),
        (lambda: extremes([]), "there is no eigenvalue"),
        (lambda: extremes([1, np.nan]), "not a finite number"),
        (lambda: leja(extremes([0, 1, 2])), "a root is zero"),
    ],
)
def test_bad_input_is_one_sentence(make, sentence):
    with pytest.raises(InvalidValue, match=sentence) as error:
        make()
    assert "\n" not in str(error.value) and str(error.value).endswith(".")
