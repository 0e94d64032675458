"""A cycle as a preconditioner, and F-cycles: what the page on coarsening proves and prints."""

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, cg

from mgtutorial.linalg.operators import as_matrix
from mgtutorial.linalg.problems import anisotropic_diffusion
from mgtutorial.linalg.smoothers import red_black
from mgtutorial.linalg.solvers import (
    convergence_factor,
    linear_levels,
    poisson_levels,
    solve,
)
from mgtutorial.multigrid import cycle, start

from .prose import says
from .test_prose_coarse_spaces import row


def symmetric_levels(make, n, both=True):
    def forward(p):
        return red_black(p.A)

    def backward(p):
        return red_black(p.A, "black-red")

    return linear_levels(make, n, smoother=(forward, backward if both else forward))


@pytest.mark.parametrize("weak", [1, 0.1, 0.01])
def test_conjugate_gradients_with_a_symmetric_cycle_keep_their_bound(weak):
    """Proposition 7 of coarsening, and what it asks of the cycle."""
    problem = anisotropic_diffusion(16, weak)
    levels = symmetric_levels(lambda m: anisotropic_diffusion(m, weak), 16)
    A = problem.sparse().toarray()
    M = as_matrix(lambda f: cycle(levels, start(f)).u, problem.shape)
    assert np.abs(M - M.T).max() < 1e-13 * np.abs(M).max()
    C = np.linalg.cholesky(A)
    eigenvalues = np.linalg.eigvalsh(C.T @ M @ C)
    assert eigenvalues.min() > 0 and eigenvalues.max() < 1 + 1e-12
    root = np.sqrt(eigenvalues.min())  # of 1 - rho
    factor = (1 - root) / (1 + root)
    exact = np.random.default_rng(0).standard_normal(len(A))
    errors = [np.sqrt(exact @ A @ exact)]
    cg(A, A @ exact, M=M, rtol=1e-10,
       callback=lambda x: errors.append(np.sqrt((exact - x) @ A @ (exact - x))))  # fmt: skip
    assert len(errors) > 5
    bounds = [2 * factor**k * errors[0] for k in range(len(errors))]
    assert all(e <= b * (1 + 1e-6) for e, b in zip(errors, bounds, strict=True))
    assert errors[1] > 0.05 * bounds[1]  # a bound of the right size


@pytest.mark.parametrize("weak", ["1", "0.1", "0.01"])
def test_table_of_cycles_and_conjugate_gradients(weak):
    def make(m):
        return anisotropic_diffusion(m, float(weak))

    n, tol = 64, 1e-8
    f = np.random.default_rng(0).standard_normal((n - 1, n - 1))
    cycles = [
        len(solve(symmetric_levels(make, n, both), f, tol=tol, max_cycles=2000).residuals) - 1
        for both in (False, True)
    ]
    levels, steps = symmetric_levels(make, n), []

    def flat(function):
        return LinearOperator(
            (f.size, f.size), lambda v: function(v.reshape(f.shape)).ravel(), dtype=float
        )

    for M in (flat(lambda r: cycle(levels, start(r)).u), None):
        taken = []
        cg(flat(levels[0].A), f.ravel(), rtol=tol, M=M, callback=taken.append)
        steps.append(len(taken))
    printed = row("coarsening", weak)
    assert np.abs(np.array([*cycles, *steps]) - printed).max() <= 2, (*cycles, *steps)


def test_what_an_f_cycle_costs_and_gains():
    for d in (1, 2, 3):
        visits = sum(level * 2.0 ** (-d * (level - 1)) for level in range(1, 60))
        assert visits == pytest.approx((1 - 2.0**-d) ** -2)
    u = np.random.default_rng(0).standard_normal((63, 63))
    f, w = (convergence_factor(poisson_levels(64), u, gamma=g) for g in ("F", 2))
    assert (round(f, 3), round(w, 3)) == (0.074, 0.074)
    says("coarsening", "the W-cycle's, $0.074$, to three digits")
