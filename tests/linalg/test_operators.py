"""Error propagation, matrices and spectral radii of operators given as functions."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from mgtutorial.errors import InvalidValue
from mgtutorial.linalg.operators import as_matrix, error_propagation, spectral_radius
from mgtutorial.linalg.problems import convection_diffusion, poisson


def test_as_matrix_recovers_the_matrix():
    problem = convection_diffusion(6, [5.0, -3.0])
    assert np.array_equal(as_matrix(problem.A, problem.shape), problem.sparse().toarray())


def test_error_propagation_is_identity_minus_BA():
    rng = np.random.default_rng(1)
    A, B = rng.standard_normal((2, 5, 5))
    E = error_propagation(lambda u: u @ A.T, lambda r: r @ B.T)
    np.testing.assert_allclose(as_matrix(E, (5,)), np.eye(5) - B @ A, rtol=0, atol=1e-13)
    tensor = error_propagation(lambda u: 2 * u, lambda r: r / 4)(torch.ones(3))
    assert torch.equal(tensor, torch.full((3,), 0.5))


@pytest.mark.parametrize("n", [16, 40])  # all eigenvalues, and ARPACK
def test_spectral_radius_in_all_forms(n):
    problem = poisson(n)
    analytic = 8 * n**2 * np.sin(np.pi * (n - 1) / (2 * n)) ** 2
    assert spectral_radius(problem.A, problem.shape) == pytest.approx(analytic, rel=1e-10)
    assert spectral_radius(problem.sparse()) == pytest.approx(analytic, rel=1e-10)


def test_spectral_radius_of_complex_pairs():
    rotation = 0.9 * np.array([[0.6, -0.8], [0.8, 0.6]])
    assert spectral_radius(rotation) == pytest.approx(0.9)
    many = sp.kron(sp.diags_array(np.linspace(0.1, 1.0, 600)), rotation).tocsr()
    assert spectral_radius(many) == pytest.approx(0.9, rel=1e-10)


def test_spectral_radius_of_a_function_needs_the_grid():
    with pytest.raises(InvalidValue, match="give its shape"):
        spectral_radius(lambda u: u)
