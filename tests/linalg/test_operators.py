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


@pytest.mark.parametrize(
    "E, said",
    [
        (np.ones((3, 4)), r"shape \(3, 4\) has no .*: give a square matrix"),
        (np.array([[np.nan]]), "entries that are NaN or infinite"),
        (np.ones(3), r"shape \(3,\) has no .*: give a square matrix"),
        (sp.csr_array((1500, 1400)), r"shape \(1500, 1400\) has no .*: give a square matrix"),
        (sp.diags_array(np.full(1500, np.inf)).tocsr(), "entries that are NaN or infinite"),
        (np.array([["a"]]), "of type <U1: give an array of numbers"),
        ([], r"shape \(0,\) has no .*: give a square matrix"),
    ],
    ids=["3 x 4", "nan", "vector", "large", "infinite", "words", "nothing"],
)
def test_what_has_no_spectral_radius_is_one_sentence(E, said):
    with pytest.raises(InvalidValue, match=said):
        spectral_radius(E)


@pytest.mark.parametrize("n", [10, 1500])  # all eigenvalues, and ARPACK
def test_the_spectral_radius_of_zero_and_of_any_scale(n):
    assert spectral_radius(sp.csr_array((n, n))) == 0
    assert spectral_radius(lambda u: 0 * u, (n,)) == 0
    assert spectral_radius(sp.linalg.aslinearoperator(sp.csr_array((n, n)))) == 0
    steps = np.linspace(0.5, 1, n)
    for power in (-990, -40, 40, 660):
        E = sp.diags_array(np.ldexp(steps, power)).tocsr()
        assert spectral_radius(E) == pytest.approx(2.0**power, rel=1e-8)
        found = spectral_radius(lambda u, E=E: (E @ u.T).T if u.ndim > 1 else E @ u, (n,))
        assert found == pytest.approx(2.0**power, rel=1e-8)


@pytest.mark.parametrize("n", [10, 1500])
def test_the_spectral_radius_of_complex_functions(n):
    """Multiplication by a complex number loses nothing, however many unknowns."""
    factors = np.linspace(0.1, 1, n) * (0.6 + 0.8j)
    assert spectral_radius(lambda u: factors * u, (n,)) == pytest.approx(1, rel=1e-8)
    assert spectral_radius(sp.diags_array(factors).tocsr()) == pytest.approx(1, rel=1e-8)


@pytest.mark.parametrize(
    "kind", [np.float16, np.int8, np.longdouble, bool, torch.bfloat16, torch.int32, list]
)
def test_the_spectral_radius_of_matrices_of_any_type(kind):
    E = np.array([[1, 1], [0, 1]])
    if isinstance(kind, torch.dtype):
        E = torch.from_numpy(E).to(kind)
    else:
        E = E.tolist() if kind is list else E.astype(kind)
    assert spectral_radius(E) == 1
