"""Aggregation: what pairs do to the coarse operator, and which cycle makes up for it."""

import numpy as np
import pytest
import scipy.sparse

from mgtutorial.errors import InvalidValue
from mgtutorial.linalg.aggregation import aggregates, algebraic_levels, smoothed
from mgtutorial.linalg.krylov import k_cycle
from mgtutorial.linalg.problems import poisson
from mgtutorial.linalg.solvers import solve
from mgtutorial.linalg.stencils import Stencil
from mgtutorial.multigrid import cycle, start

from ..project.prose import says


def factor(method, levels, size, cycles=40):
    """The factor of the residual in the last ten of at most `cycles` cycles."""
    f = np.random.default_rng(0).standard_normal(size)
    u, norms = 0 * f, []
    for _ in range(cycles):
        r = f - levels[0].A(u)
        norms.append(np.linalg.norm(r))
        if norms[-1] < 1e-11 * norms[0]:
            break
        u = u + method(levels, start(r, linear=True)).u
    last = min(10, len(norms) - 1)
    return (norms[-1] / norms[-1 - last]) ** (1 / last)


def test_groups_tile_the_grid():
    P = aggregates((5, 4)).toarray()
    assert P.shape == (20, 6) and (P.sum(axis=1) == 1).all()
    np.testing.assert_array_equal(P.sum(axis=0), [4, 4, 4, 4, 2, 2])
    assert P[0, 0] == P[1, 0] == P[4, 0] == P[5, 0] == 1  # a square of 2 x 2 points
    with pytest.raises(InvalidValue):
        aggregates((4,), size=1)


def test_the_product_of_pairs_is_the_stencil_of_the_fine_grid():
    """So it is twice as stiff as R A P with R = P^T / 2 on the doubled mesh width should be."""
    line = Stencil.from_kernel(np.array([-1.0, 2.0, -1.0]))
    P = aggregates((16,))
    np.testing.assert_array_equal(
        (P.T @ line.sparse((16,)) @ P).toarray(), line.sparse((8,)).toarray()
    )


@pytest.mark.parametrize("depth", [2, 3, 4, 6])
def test_a_v_cycle_corrects_a_smooth_error_by_a_half_on_each_level(depth):
    """On the smoothest wave of a long line. A W-cycle's second coarse cycle needs the smoothing.

    Without it K^2 = K, and the second does nothing.
    """
    size = 4096
    A = poisson(size + 1, d=1).sparse()
    levels = algebraic_levels(A, [aggregates((size >> i,)) for i in range(depth - 1)], nu=2)
    e = np.sin(np.pi * np.arange(1, size + 1) / (size + 1))
    for gamma, fraction in ((1, 0.5 ** (depth - 1)), (2, None)):
        if fraction is None:
            fraction = 0.5
            for _ in range(depth - 2):
                fraction -= fraction**2 / 2
        u = cycle(levels, start(A @ e, linear=True), gamma).u
        assert e @ u / (e @ e) == pytest.approx(fraction, rel=2e-2)


def test_a_smoothed_interpolation_is_a_step_of_jacobi():
    A = poisson(9, d=1).sparse()
    P = aggregates((8,))
    expected = P.toarray() - 0.5 * np.diag(1 / A.diagonal()) @ (A @ P).toarray()
    np.testing.assert_allclose(smoothed(A, P, 0.5).toarray(), expected, atol=1e-14)
    with pytest.raises(InvalidValue, match="as many rows"):
        algebraic_levels(A, [aggregates((6,))])


def test_k_cycles_over_pairs_have_the_factor_of_two_grids():
    """The other columns of the chapter's table are radii: test_prose_coarse_spaces.py."""
    for size, printed in ((16, "0.50"), (64, "0.55"), (256, "0.56"), (1024, "0.56")):
        A = poisson(size + 1, d=1).sparse()
        pairs = [aggregates((size >> i,)) for i in range(size.bit_length() - 2)]
        levels = algebraic_levels(A, pairs)
        two = factor(cycle, algebraic_levels(A, pairs[:1]), size)
        K = factor(k_cycle, levels, size)
        assert abs(K - two) < 0.01 and abs(K - float(printed)) < 0.0075
        says("two_grid_theory", f"| {size} | {printed} | ")
    over = algebraic_levels(A, pairs, stiffness=2.0)
    assert factor(cycle, over, 1024) > 1


def test_a_complex_right_hand_side_has_a_complex_solution():
    A, f = poisson(17, d=1).sparse(), np.ones(16) + 1j * np.arange(16)
    result = solve(algebraic_levels(A, [aggregates((16,))]), f, tol=1e-8)
    assert result.converged
    np.testing.assert_allclose(A @ result.u, f, atol=1e-6)


@pytest.mark.parametrize("n", [8, 16, 34])
@pytest.mark.parametrize("d", [1, 2])
def test_a_coarsest_matrix_that_is_singular_is_one_sentence(n, d):
    A = poisson(n, d=d, boundary="periodic").sparse()
    with pytest.raises(InvalidValue, match="singular up to rounding"):
        algebraic_levels(A, [aggregates((n,) * d)])


def test_a_matrix_whose_equations_differ_in_scale_is_not_singular():
    A = scipy.sparse.diags_array([1.0, 1e-20, 1e20, 1.0])
    (level,) = algebraic_levels(A, [])
    np.testing.assert_allclose(cycle([level], start(A @ np.ones(4))).u, 1.0)
