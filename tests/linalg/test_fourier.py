"""Two-grid symbols and factors, against dense matrices and known numbers."""

from itertools import product

import numpy as np
import pytest

from mgtutorial.errors import InvalidValue
from mgtutorial.linalg.fourier import (
    jacobi_symbol,
    red_black_symbol,
    smoothing_factor,
    two_grid_factor,
    two_grid_symbol,
)
from mgtutorial.linalg.operators import as_matrix
from mgtutorial.linalg.problems import anisotropic_diffusion, poisson
from mgtutorial.linalg.smoothers import jacobi, red_black
from mgtutorial.linalg.solvers import linear_levels
from mgtutorial.linalg.transfers import (
    full_weighting,
    half_weighting,
    injection,
    linear_interpolation,
)
from mgtutorial.multigrid import State, cycle

CASES = {
    "jacobi": ((lambda p: jacobi(p.A.diagonal, 0.7)), (lambda A: jacobi_symbol(A, 0.7))),
    "red-black": ((lambda p: red_black(p.A)), red_black_symbol),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("d", "restriction"),
    [
        (1, full_weighting(1, "periodic")),
        (1, injection(1, "periodic")),
        (2, full_weighting(2, "periodic")),
        (2, injection(2, "periodic")),
        (2, half_weighting("periodic")),
    ],
)
def test_two_grid_symbols_hold_the_whole_spectrum_on_a_periodic_grid(name, d, restriction):
    """Every eigenvalue of the dense error propagation, except for those of frequency zero."""
    R, P, n, nu = restriction, linear_interpolation(d, "periodic"), 8, (2, 1)

    def make(m):
        return poisson(m, d, "periodic")

    smoother, symbol_of = CASES[name]
    levels = linear_levels(make, n, depth=2, smoother=smoother, nu=nu, R=R)
    A, coarse = make(n).A, make(n // 2).A
    E = as_matrix(lambda e: cycle(levels, State(e, 0 * e)).u, make(n).shape)
    M = two_grid_symbol(A, coarse, R, P, symbol_of(A), nu)
    low = 2 * np.pi * np.arange(-(n // 4), n // 4) / n
    theta = [t for t in np.stack(np.meshgrid(*[low] * d), -1).reshape(-1, d) if t.any()]
    assert len(theta) == (n // 2) ** d - 1
    blocks = [M(*t) for t in theta]
    for power in (1, 2, 3):
        # frequency zero and its harmonics: without a coarse correction, so a power of S alone
        S = symbol_of(A)
        zero = on_zero(S, d)
        expected = sum(np.trace(np.linalg.matrix_power(b, power)) for b in blocks)
        expected += np.trace(np.linalg.matrix_power(zero, power * sum(nu)))
        got = np.trace(np.linalg.matrix_power(E, power))
        np.testing.assert_allclose(got, expected, atol=1e-11)


def on_zero(S, d):
    """The smoother on the harmonics of frequency zero, where the coarse problem is singular.

    They are one coarse constant (or nothing), which the pseudoinverse maps to zero: no correction.
    """
    out = []
    for alpha in product((0, 1), repeat=d):
        value = np.asarray(S(*(np.pi * a for a in alpha)))
        if value.ndim == 0:
            out.append(np.diag([value]))
        elif alpha[0] == 0:
            out.append(value)
    size = sum(len(b) for b in out)
    matrix, at = np.zeros((size, size), complex), 0
    for b in out:
        matrix[at : at + len(b), at : at + len(b)] = b
        at += len(b)
    return matrix


def test_known_two_grid_factors():
    """Exact values in one dimension, the literature's three digits in two."""
    A, coarse = poisson(8, 1).A, poisson(4, 1).A
    line = full_weighting(1), linear_interpolation(1)
    for nu, factor in [((1, 0), 1 / 3), ((1, 1), 1 / 9)]:
        got = two_grid_factor(A, coarse, *line, jacobi_symbol(A, 2 / 3), nu, samples=512)
        assert abs(got - factor) < 1e-4
    # relaxing the points between the coarse ones last leaves an error that P represents exactly
    got = two_grid_factor(A, coarse, *line, red_black_symbol(A, "black-red"), (1, 0))
    assert got < 1e-7
    A, coarse = poisson(8).A, poisson(4).A
    square = full_weighting(), linear_interpolation()
    for nu, factor in [((1, 0), 0.250), ((1, 1), 0.074), ((2, 1), 0.053), ((2, 2), 0.041)]:
        assert abs(two_grid_factor(A, coarse, *square, red_black_symbol(A), nu) - factor) < 6e-4


def test_a_point_smoother_fails_for_strong_anisotropy():
    A, coarse = anisotropic_diffusion(8, 0.01).A, anisotropic_diffusion(4, 0.01).A
    symbol = red_black_symbol(A)
    assert two_grid_factor(A, coarse, full_weighting(), linear_interpolation(), symbol) > 0.9


def test_a_frequency_of_another_dimension_is_one_sentence():
    M = two_grid_symbol(
        poisson(8).A, poisson(4).A, full_weighting(), linear_interpolation(), lambda *t: 1.0
    )
    with pytest.raises(InvalidValue, match="one for each axis"):
        M(0.1)


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("value", [1.0, 0.5, np.float32(0.25), 0.5 + 0j])
def test_a_constant_symbol_is_the_same_number_at_every_frequency(d, value):
    problems = poisson(8, d=d).A, poisson(4, d=d).A, full_weighting(d), linear_interpolation(d)

    def full(*theta):
        return value + 0 * sum(theta)

    for E, same in ((lambda *theta: value, full), (lambda *theta: value + 0 * theta[0], full)):
        assert two_grid_factor(*problems, E, samples=8) == two_grid_factor(
            *problems, same, samples=8
        )
        assert smoothing_factor(E, d) == abs(value)


@pytest.mark.parametrize("d", [1, 2])
def test_a_constant_matrix_is_the_same_at_every_frequency(d):
    problems = poisson(8, d=d).A, poisson(4, d=d).A, full_weighting(d), linear_interpolation(d)
    pair = np.array([[0.5, 0.1], [0.2, 0.3]])

    def full(*theta):
        return pair + 0 * sum(theta)[..., None, None]

    assert two_grid_factor(*problems, lambda *t: pair, samples=8) == two_grid_factor(
        *problems, full, samples=8
    )
    assert smoothing_factor(lambda *t: pair, d) == smoothing_factor(full, d)


@pytest.mark.parametrize("shape", [(3,), (3, 3), (2, 2, 2)])
def test_a_symbol_that_is_neither_numbers_nor_pairs_is_one_sentence(shape):
    with pytest.raises(InvalidValue, match="a number for each, or a 2 x 2 matrix"):
        smoothing_factor(lambda *t: np.ones(shape), 2)
