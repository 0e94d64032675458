"""Model problems: known matrices, known eigenvalues, orders of convergence."""

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spla
import torch

from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.linalg.nonlinear import NonlinearPoisson
from mgtutorial.linalg.problems import (
    Problem,
    anisotropic_diffusion,
    convection_diffusion,
    poisson,
)

EPS = np.finfo(float).eps


def second_difference(n, periodic=False):
    """n^2 tridiag(-1, 2, -1), built without the package."""
    m = n if periodic else n - 1
    T = 2 * np.eye(m) - np.eye(m, k=1) - np.eye(m, k=-1)
    if periodic:
        T[0, -1] -= 1
        T[-1, 0] -= 1
    return n**2 * T


@pytest.mark.parametrize("boundary", ["dirichlet", "periodic"])
@pytest.mark.parametrize("n", [4, 5, 8])
def test_poisson_is_a_kronecker_sum(n, boundary):
    T = second_difference(n, boundary == "periodic")
    eye = np.eye(len(T))
    assert np.array_equal(poisson(n, 1, boundary).sparse().toarray(), T)
    assert np.array_equal(
        poisson(n, 2, boundary).sparse().toarray(), np.kron(T, eye) + np.kron(eye, T)
    )


@pytest.mark.parametrize("d, n", [(1, 64), (2, 16), (3, 6)])
def test_dirichlet_eigenvalues_are_analytic(d, n):
    problem = poisson(n, d)
    k = np.arange(1, n)
    one = 4 * n**2 * np.sin(np.pi * k / (2 * n)) ** 2
    analytic = sum(np.ix_(*[one] * d))
    symbol = problem.A.symbol(*problem.frequencies())
    assert not symbol.imag.any()  # even stencils: real to the last bit
    norm = 4 * d * n**2
    np.testing.assert_allclose(symbol.real, analytic, rtol=0, atol=10 * EPS * norm)
    computed = np.linalg.eigvalsh(problem.sparse().toarray())
    # a backward stable solver: eigenvalues to some eps times the norm
    np.testing.assert_allclose(computed, np.sort(analytic.ravel()), rtol=0, atol=50 * EPS * norm)


@pytest.mark.parametrize("boundary", ["dirichlet", "periodic"])
@pytest.mark.parametrize("k", [(1, 1), (3, 7), (0, 5)])
def test_modes_are_eigenvectors(boundary, k):
    problem = anisotropic_diffusion(12, epsilon=0.1, boundary=boundary)
    v = problem.mode(*k)
    factor = np.pi if boundary == "dirichlet" else 2 * np.pi
    eigenvalue = problem.A.symbol(*(factor * ki / 12 for ki in k))
    np.testing.assert_allclose(problem.A(v), eigenvalue * v, rtol=0, atol=1e-11 * 12**2)


def test_frequencies_give_all_periodic_eigenvalues():
    problem = convection_diffusion(6, [3.0, -1.0], epsilon=0.1, boundary="periodic")
    symbol = problem.A.symbol(*problem.frequencies())
    # a circulant matrix is diagonalised by the FFT of its first column's wave transform
    impulse = np.zeros(problem.shape)
    impulse[0, 0] = 1.0
    np.testing.assert_allclose(np.fft.fft2(problem.A(impulse)), symbol, rtol=0, atol=1e-12 * 36)


def order(errors):
    """Observed order from errors on meshes that halve."""
    return np.log2(np.array(errors[:-1]) / np.array(errors[1:]))


@pytest.mark.parametrize("angle", [0.0, np.pi / 6, np.pi / 2, -1.0])
def test_anisotropic_diffusion_is_consistent(angle):
    """Second order for sin(a x + b y), whose derivatives are known; interior points only."""
    epsilon, a, b = 0.01, 2.0, 3.0
    c, s = np.cos(angle), np.sin(angle)
    exact = (a * c + b * s) ** 2 + epsilon * (-a * s + b * c) ** 2
    errors = []
    for n in (16, 32, 64):
        problem = anisotropic_diffusion(n, epsilon, angle)
        x, y = problem.grid()
        u = np.sin(a * x + b * y)
        errors.append(np.abs(problem.A(u) - exact * u)[1:-1, 1:-1].max())
    assert np.all(order(errors) > 1.9)


def test_anisotropic_diffusion_is_symmetric_positive_definite():
    for angle in (0.0, 0.3, 2.0):
        matrix = anisotropic_diffusion(8, 1e-3, angle).sparse().toarray()
        assert np.array_equal(matrix, matrix.T)
        assert np.linalg.eigvalsh(matrix).min() > 0


@pytest.mark.parametrize("quarters", [1, 2, 3, -1, 8, 101])
def test_a_quarter_turn_of_anisotropic_diffusion_has_five_points(quarters):
    turned = anisotropic_diffusion(8, 0.01, quarters * np.pi / 2).sparse().toarray()
    straight = anisotropic_diffusion(8, 0.01).sparse().toarray().reshape([7] * 4)
    if quarters % 2:  # the axes change places
        straight = straight.transpose(1, 0, 3, 2)
    assert np.array_equal(turned, straight.reshape(turned.shape))


@pytest.mark.parametrize("scheme, expected", [("central", 2), ("upwind", 1)])
@pytest.mark.parametrize("velocity", [(1.0, 0.5), (-2.0, 1.0)])
def test_convection_diffusion_order(scheme, expected, velocity):
    """-eps Laplace u + v . grad u with u = sin(pi x) sin(2 pi y), solved on four meshes."""
    epsilon, pi, errors = 0.5, np.pi, []
    for n in (16, 32, 64, 128):
        problem = convection_diffusion(n, velocity, epsilon, scheme)
        x, y = problem.grid()
        u = np.sin(pi * x) * np.sin(2 * pi * y)
        f = (
            epsilon * 5 * pi**2 * u
            + velocity[0] * pi * np.cos(pi * x) * np.sin(2 * pi * y)
            + velocity[1] * 2 * pi * np.sin(pi * x) * np.cos(2 * pi * y)
        )
        uh = spla.spsolve(problem.sparse().tocsc(), f.ravel()).reshape(u.shape)
        errors.append(np.abs(uh - u).max())
    np.testing.assert_allclose(order(errors)[-1], expected, atol=0.1)


def test_central_convection_has_a_complex_spectrum_and_upwind_a_real_one_in_1d():
    central = convection_diffusion(16, [64.0], scheme="central").sparse().toarray()
    upwind = convection_diffusion(16, [64.0], scheme="upwind").sparse().toarray()
    assert np.abs(np.linalg.eigvals(central).imag).max() > 100
    # tridiagonal with off-diagonal entries of one sign: similar to a symmetric matrix
    lower, upper = np.diag(upwind, -1), np.diag(upwind, 1)
    assert np.all(lower * upper > 0)
    symmetric = np.diag(np.diag(upwind)) + sum(np.diag(np.sqrt(lower * upper), k) for k in (-1, 1))
    computed = np.sort(np.linalg.eigvals(upwind).real)
    # the similarity is badly conditioned, hence not to rounding
    np.testing.assert_allclose(computed, np.linalg.eigvalsh(symmetric), rtol=1e-6)


@pytest.mark.parametrize("peclet", [0.25, 0.5, 2.0])
def test_central_convection_is_complex_beyond_a_cell_peclet_number_of_one_or_on_a_circle(peclet):
    """Between walls the spectrum is real while h |v| < 2 epsilon; on a circle for v = 0 only."""
    n = 8  # a small one: the eigenvectors between walls grow like ((1 + Pe) / (1 - Pe))^(n / 2)
    walls = convection_diffusion(n, [2 * peclet * n], scheme="central").sparse().toarray()
    circle = convection_diffusion(n, [2 * peclet * n], scheme="central", boundary="periodic")
    complex_part = np.abs(np.linalg.eigvals(walls).imag).max() / n**2
    assert (complex_part > 0.1) == (peclet > 1)
    assert complex_part > 0.1 or complex_part < 1e-9
    largest = np.abs(circle.A.symbol(*circle.frequencies()).imag).max() / n**2
    assert largest == pytest.approx(2 * peclet, abs=1e-12)  # 2 Pe sin(theta) at pi / 2


def test_upwind_gives_an_m_matrix_for_tiny_diffusion():
    matrix = convection_diffusion(8, [1.0, -2.0], epsilon=1e-6).sparse().toarray()
    off = matrix - np.diag(np.diag(matrix))
    assert off.max() <= 0 and np.diag(matrix).min() > 0
    assert np.linalg.inv(matrix).min() >= -1e-15


@pytest.mark.parametrize("gamma", [0.0, 1.0, 1000.0])
def test_nonlinear_problem_matches_its_solution_to_second_order(gamma):
    errors = []
    for n in (16, 32, 64):
        problem = NonlinearPoisson(n, gamma)
        f = problem.right_hand_side()
        linear = problem.linear.sparse().tocsc()
        u = np.zeros(problem.shape)
        for _ in range(12):  # Newton
            jacobian = linear + sp.diags_array(
                (problem.diagonal(u) - problem.linear.A.diagonal).ravel()
            )
            u = u + spla.spsolve(jacobian.tocsc(), (f - problem(u)).ravel()).reshape(u.shape)
        residual = np.abs(f - problem(u)).max()
        assert residual < 1e-10 * np.abs(f).max() * (n / 16) ** 2  # converged, to rounding
        errors.append(np.abs(u - problem.solution()).max())
    assert errors[0] > 1e-4  # the discretisation error is really there
    np.testing.assert_allclose(order(errors), 2, atol=0.1)


def test_nonlinear_problem_in_torch_and_its_diagonal():
    problem = NonlinearPoisson(8, gamma=20.0)
    u = torch.from_numpy(problem.solution())
    np.testing.assert_allclose(problem(u).numpy(), problem(u.numpy()), rtol=1e-14)
    jacobian = torch.autograd.functional.jacobian(problem, u).reshape(49, 49)
    np.testing.assert_allclose(jacobian.diagonal(), problem.diagonal(u).ravel(), rtol=1e-14)


def test_periodic_problems_need_a_compatible_right_hand_side():
    problem = poisson(16, boundary="periodic")
    rng = np.random.default_rng(0)
    f = rng.standard_normal((3, 16, 16))
    with pytest.raises(InvalidValue, match="subtract its mean"):
        problem.check(f)
    for dtype in (np.float64, np.float32):
        g = (f - f.mean((-2, -1), keepdims=True)).astype(dtype)
        assert problem.check(g) is g
        assert problem.check(torch.from_numpy(g)).dtype == torch.from_numpy(g).dtype
    assert poisson(16).check(np.ones((15, 15))).shape == (15, 15)


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: poisson(1), "n = 1 mesh cells"),
        (lambda: poisson(2.5), "n = 2.5 mesh cells"),
        (lambda: poisson("16"), "n = '16' mesh cells"),
        (lambda: poisson(8, d=4), "give 1, 2 or 3"),
        (lambda: anisotropic_diffusion(8, epsilon=0), "epsilon = 0: give a positive"),
        (lambda: anisotropic_diffusion(8, epsilon=float("nan")), "epsilon = nan"),
        (lambda: convection_diffusion(8, [1.0] * 4), "one for each dimension"),
        (lambda: convection_diffusion(8, [float("inf")]), "not all finite"),
        (lambda: NonlinearPoisson(8, gamma=-1.0), "gamma = -1.0"),
        (lambda: NonlinearPoisson(0, gamma=1.0), "n = 0 mesh cells"),
        (
            lambda: poisson(8).check(np.ones((8, 8))),
            r"shape \(8, 8\) for unknowns of shape \(7, 7\)",
        ),
        (lambda: poisson(8).mode(1), "one for each axis"),
    ],
)
def test_bad_input_is_one_sentence(make, sentence):
    with pytest.raises(InvalidValue, match=sentence) as error:
        make()
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


def test_unknown_names_are_met_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'upwind'"):
        convection_diffusion(8, [1.0], scheme="upwnd")
    with pytest.raises(UnknownName, match="Allowed: dirichlet, periodic"):
        poisson(8, boundary="neumann")


def test_problem_is_data():
    assert poisson(8) == poisson(8) and hash(poisson(8)) == hash(poisson(8))
    assert poisson(8) != poisson(8, boundary="periodic")
    assert Problem(poisson(8).A, 8) == poisson(8)
    # "33^2" in the literature counts the boundary: 32 cells, 31^2 unknowns
    assert poisson(32).shape == (31, 31) and poisson(32, boundary="periodic").shape == (32, 32)
