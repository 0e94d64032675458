"""Whole numbers of few bits, as sizes and as right-hand sides, mean what Python's do."""

import warnings

import numpy as np
import pytest
import torch

from mgtutorial.linalg.aggregation import aggregates
from mgtutorial.linalg.coarsening import coarsenings, direct
from mgtutorial.linalg.cycle_roots import (
    chebyshev_cycle,
    chebyshev_fourth,
    chebyshev_residual,
    cycle_weight,
)
from mgtutorial.linalg.fast_poisson import PoissonSolver
from mgtutorial.linalg.nonlinear import NonlinearPoisson
from mgtutorial.linalg.problems import (
    Problem,
    anisotropic_diffusion,
    convection_diffusion,
    poisson,
)
from mgtutorial.linalg.roots import chebyshev, chebyshev_ellipse, chebyshev_maximum
from mgtutorial.linalg.smoothers import gauss_seidel
from mgtutorial.linalg.solvers import (
    poisson_levels,
)
from mgtutorial.linalg.transfers import coarse_shape, fine_shape, full_weighting
from mgtutorial.multigrid import cycle, start

from .test_anybodys_numbers import complex_problem


def same(found, expected):
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    assert np.asarray(found).dtype == np.asarray(expected).dtype


SMALL = {  # what is made of a whole number, 100: its square and its double leave eight bits
    "poisson": lambda n: poisson(n).A.coefficients,
    "convection": lambda n: convection_diffusion(n, [3.0], 0.1).A.coefficients,
    "anisotropic": lambda n: anisotropic_diffusion(n, 0.1, 0.3).A.coefficients,
    "problem": lambda n: [*Problem(poisson(4).A, n).shape, poisson(n).h],
    "nonlinear": lambda n: NonlinearPoisson(n, 1.0).right_hand_side(),
    "coarsenings": coarsenings,
    "levels": lambda n: poisson_levels(n, d=1)[0].A.coefficients,
    "fast": lambda n: PoissonSolver(n).levels[-1].A(np.ones((24, 24))),
    "matrix": lambda n: [*poisson(4).A.sparse((n, n)).shape, poisson(4).A.sparse((n, n)).nnz],
    "gauss-seidel": lambda n: gauss_seidel(poisson(101, d=1).A, (n,))(np.ones(100)),
    "transfers": lambda n: full_weighting(boundary="periodic").sparse((n, n)).shape,
    "coarse shape": lambda n: [*coarse_shape((n,), "periodic"), *fine_shape((n, n))],
    "aggregates": lambda n: aggregates((n, n)).shape,
    "chebyshev": lambda n: chebyshev(1.0, 3.0, n),
    "maximum": lambda n: chebyshev_maximum(1.0, 300.0, n),
    "ellipse": lambda n: chebyshev_ellipse(2.0, 1.0, 0.5, n),
    "residual": lambda n: chebyshev_residual(1.0, n),
    "fourth": lambda n: chebyshev_fourth(1.0, n),
    "cycle": lambda n: chebyshev_cycle(1.0, n),
    "weight": lambda n: cycle_weight(1.0, [1.0], samples=n),
}


@pytest.mark.parametrize("what", SMALL)
@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16])
def test_whole_numbers_of_few_bits_mean_what_those_of_python_do(what, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(SMALL[what](kind(100)), SMALL[what](100))


def test_the_diagonal_of_many_cells_is_a_square_that_no_small_number_holds():
    for kind, n in ((np.int16, 200), (np.uint8, 20), (np.int32, 50_000)):
        assert poisson(kind(n), d=1).A.diagonal == 2.0 * n * n


@pytest.mark.parametrize("kind", [np.int8, np.float16, torch.int64, torch.bool, torch.bfloat16])
@pytest.mark.parametrize("make", [poisson, complex_problem])
@pytest.mark.parametrize("n", [6, 34], ids=["dense", "factors"])
def test_the_exact_solver_takes_whole_numbers_and_half_precision(kind, make, n):
    problem = make(n)
    f = np.random.default_rng(0).integers(0, 2, problem.shape)
    mine = torch.from_numpy(f).to(kind) if isinstance(kind, torch.dtype) else f.astype(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        u = direct(problem)(mine)
    u = u if isinstance(u, np.ndarray) else (u if u.is_complex() else u.double()).numpy()
    expected = np.linalg.solve(problem.sparse().toarray(), f.ravel())
    half = kind is torch.bfloat16 and (make, n) == (poisson, 6)  # real, dense: it stays
    size = abs(expected).max()
    np.testing.assert_allclose(u.ravel(), expected, atol=(1e-2 if half else 1e-5) * size)


def test_one_level_solves_for_whole_numbers():
    u = cycle(poisson_levels(8, depth=1), start(torch.full((7, 7), 100))).u
    np.testing.assert_allclose(poisson(8).A(u.numpy()), 100.0)
