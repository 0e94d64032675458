"""Solvers with the numbers that people have: right, or one sentence; "converged" is true."""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.errors import InvalidValue
from mgtutorial.linalg import _numbers
from mgtutorial.linalg.fast_poisson import PoissonSolver, split
from mgtutorial.linalg.problems import (
    Problem,
    anisotropic_diffusion,
    convection_diffusion,
    poisson,
)
from mgtutorial.linalg.smoothers import gauss_seidel, red_black, red_black_sweep
from mgtutorial.linalg.solvers import (
    convergence_factor,
    full_multigrid,
    linear_levels,
    poisson_levels,
    solve,
)
from mgtutorial.linalg.stencils import Stencil
from mgtutorial.multigrid import Level, correct

N = 16
INTEGERS = ["b", "B", "h", "H", "i", "I", "q", "Q", "?"]


def right(A, result, f, tolerance):
    """The residual is what the operator says, in exact enough numbers."""
    f = np.asarray(f, dtype=np.result_type(np.asarray(f).dtype, float))
    size = abs(f).max() or 1.0
    u = np.asarray(result.u, dtype=np.result_type(f, float))
    left = np.linalg.norm((f / size - A(u / size)).ravel())
    return left <= tolerance * np.linalg.norm((f / size).ravel())


@pytest.mark.parametrize("solver", ["levels", "fast"])
@pytest.mark.parametrize("code", INTEGERS)
def test_whole_numbers_of_every_width(code, solver):
    f = np.zeros((N - 1, N - 1), code)
    top = 1 if code == "?" else min(np.iinfo(code).max, 2**62)
    f[3:9, 4:12] = top
    if solver == "levels":
        ours, true = (solve(poisson_levels(N), g) for g in (f, f.astype(float)))
    else:
        ours, true = (PoissonSolver(N).solve(g) for g in (f, f.astype(float)))
    assert ours.converged and np.array_equal(ours.u, true.u) and ours.u.any()
    if solver == "levels":
        assert ours.residuals[0] == pytest.approx(np.linalg.norm(f.astype(float)))


def test_numbers_in_lists_and_beyond_64_bits():
    row = [[10**25] * (N - 1)] * (N - 1)
    result = solve(poisson_levels(N), row)
    assert result.converged and right(poisson(N).A, result, np.full((N - 1, N - 1), 1e25), 1e-7)


@pytest.mark.parametrize("code", INTEGERS[:-1])
def test_periodic_whole_numbers(code):
    f = np.zeros((N, N), code)
    if code.islower():
        f[3, 4], f[9, 2] = np.iinfo(code).max, -np.iinfo(code).max
        result = solve(poisson_levels(N, boundary="periodic"), f)
        assert result.converged and right(poisson(N, boundary="periodic").A, result, f, 1e-7)
    else:  # all of one sign: there is a mean
        f[3, 4] = 1
        with pytest.raises(InvalidValue, match="subtract its mean"):
            solve(poisson_levels(N, boundary="periodic"), f)


@pytest.mark.parametrize("kind", [np.float16, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("size", [1e-4, 1.0, 100.0, 6e4])
def test_half_precision(kind, size):
    f = (
        np.full((N - 1, N - 1), size, kind)
        if kind is np.float16
        else torch.full((N - 1, N - 1), size, dtype=kind)
    )
    result = solve(poisson_levels(N), f)
    assert result.converged and result.cycles > 0
    f = f.double() if hasattr(f, "double") else f
    assert right(poisson(N).A, result, np.asarray(f, dtype=float), 1e-7)


@pytest.mark.parametrize("half", [np.float16, torch.bfloat16])
def test_half_precision_on_a_periodic_grid(half):
    rng = np.random.default_rng(0).standard_normal((N, N))
    if half is np.float16:
        f = (rng - rng.mean()).astype(np.float16)
    else:
        f = torch.from_numpy(rng - rng.mean()).to(half)
    result = solve(poisson_levels(N, boundary="periodic"), f)  # rounding has left a mean
    assert result.converged, result.reason


@settings(max_examples=25, deadline=None)
@given(st.floats(-300, 200), st.integers(0, 2**16))
def test_every_scale_has_the_solution_of_its_multiple(power, seed):
    """Linear: the solution for c f is c times that for f, and so are all residuals."""
    f = np.random.default_rng(seed).standard_normal((N - 1, N - 1))
    c = 2.0 ** round(power * np.log2(10))
    for solver in (lambda g: solve(poisson_levels(N), g), PoissonSolver(N).solve):
        one, other = solver(f), solver(c * f)
        assert one.converged and other.converged
        np.testing.assert_allclose(other.u / c, one.u, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(np.array(other.residuals[:2]) / c, one.residuals[:2], rtol=1e-6)


@pytest.mark.parametrize("size", [2e-38, 1e-23, 1e19, 1e37])
def test_every_scale_in_single_precision(size):
    f = np.full((N - 1, N - 1), size, "f4")
    result = solve(poisson_levels(N), f, tol=1e-4)
    assert result.converged and result.u.dtype == np.float32
    assert right(poisson(N).A, result, f, 2e-4)


@pytest.mark.parametrize("size", [5e-324, 1e-310])
def test_what_is_below_the_range_is_never_solved_by_zero(size):
    f = np.full((N - 1, N - 1), size)
    for solver in (PoissonSolver(N).solve, lambda f: solve(poisson_levels(N), f)):
        with pytest.raises(InvalidValue, match="too small"):
            solver(f)


def complex_problem(n):
    """A Helmholtz equation with damping: complex coefficients, off the diagonal as well."""
    stencil = poisson(n).A
    terms = dict(zip(stencil.offsets, stencil.coefficients, strict=True))
    terms[(0, 0)] += 30j
    terms[(0, 1)] += 2j * n
    return Problem(Stencil(tuple(terms), tuple(terms.values())), n)


@pytest.mark.parametrize("where", ["array", "tensor"])
@pytest.mark.parametrize("part", [1, 1j, 1 - 2j])
def test_complex_operators(part, where):
    f = part * np.random.default_rng(1).standard_normal((N - 1, N - 1))
    f = f.real if part == 1 else f
    levels = linear_levels(complex_problem, N)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = solve(levels, torch.from_numpy(f) if where == "tensor" else f)
    exact = np.linalg.solve(complex_problem(N).sparse().toarray(), f.ravel())
    assert result.converged
    np.testing.assert_allclose(np.asarray(result.u).ravel(), exact, atol=1e-7 * abs(exact).max())


@pytest.mark.parametrize("n", [24, 264])  # a dense inverse at the bottom, and a factorisation
@pytest.mark.parametrize("where", ["array", "tensor", "single"])
def test_complex_right_hand_sides(n, where):
    rng = np.random.default_rng(0)
    f = rng.standard_normal((n - 1, n - 1)) * 1j + rng.standard_normal((n - 1, n - 1))
    given_ = {"array": f, "tensor": torch.from_numpy(f), "single": f.astype(np.complex64)}[where]
    levels = poisson_levels(n)
    result = solve(levels, given_, tol=1e-4)
    real, imaginary = (solve(levels, part.copy(), tol=1e-4).u for part in (f.real, f.imag))
    u = np.asarray(result.u)
    assert result.converged and abs(u.imag).max() > 0
    np.testing.assert_allclose(u, real + 1j * imaginary, atol=2e-4 * abs(u).max())


def test_the_fast_solver_says_that_it_is_real():
    f = np.ones((N - 1, N - 1))
    for bad, words in [
        (f * 1j, "complex"),
        (torch.ones(N - 1, N - 1, requires_grad=True), "gradient"),
        (np.stack([f, f]), "batches"),
        (f[0], "batches"),
        ("ones", "numbers"),
        (np.full((N - 1, N - 1), "1"), "numbers"),
        (torch.ones(N - 1, N - 1, device="meta"), "meta"),
    ]:
        with pytest.raises(InvalidValue, match=words):
            PoissonSolver(N).solve(bad)
    plain = PoissonSolver(N).solve(f)
    for same in (torch.from_numpy(f), f.tolist(), torch.ones(N - 1, N - 1).bfloat16()):
        assert np.array_equal(PoissonSolver(N).solve(same).u, plain.u)


def test_gradients_flow_through_a_solution():
    """The gradient of (w, A^-1 f) in f is A^-T w."""
    w = torch.from_numpy(np.random.default_rng(2).standard_normal((N - 1, N - 1)))
    f = torch.ones(N - 1, N - 1, dtype=torch.float64, requires_grad=True)
    levels = linear_levels(lambda n: convection_diffusion(n, [3.0, -2.0]), N)
    result = solve(levels, f, tol=1e-12)
    (w * result.u).sum().backward()
    A = convection_diffusion(N, [3.0, -2.0]).sparse().toarray()
    exact = np.linalg.solve(A.T, w.numpy().ravel())
    assert result.converged
    np.testing.assert_allclose(f.grad.numpy().ravel(), exact, atol=1e-10 * abs(exact).max())
    with pytest.raises(InvalidValue, match="through which gradients"):
        solve(poisson_levels(264), torch.ones(263, 263, requires_grad=True))


@pytest.mark.parametrize("view", ["conjugate", "negative", "imaginary"])
def test_tensors_that_only_note_a_sign(view):
    """torch's lazy conjugates and negatives are numbers like others."""
    f = torch.randn(N - 1, N - 1, dtype=torch.complex128)
    shown = {"conjugate": f.conj(), "negative": f.conj().imag, "imaginary": torch._neg_view(f)}[
        view
    ]
    assert shown.is_conj() or shown.is_neg()
    found = solve(poisson_levels(N), shown)
    plain = solve(poisson_levels(N), shown.resolve_conj().resolve_neg().numpy())
    np.testing.assert_allclose(found.u.resolve_neg().numpy(), plain.u, atol=1e-12)


def test_a_mask_that_hides_nothing_is_no_reason_to_refuse():
    f = np.random.default_rng(0).standard_normal((N - 1, N - 1))
    assert np.array_equal(
        solve(poisson_levels(N), np.ma.array(f, mask=False)).u, solve(poisson_levels(N), f).u
    )


@pytest.mark.parametrize("boundary", ["dirichlet", "periodic"])
def test_a_batch_of_any_scales_is_solved_member_by_member(boundary):
    rng = np.random.default_rng(3).standard_normal((3, 2, *poisson(N, boundary=boundary).shape))
    f = rng - rng.mean((-2, -1), keepdims=True) if boundary == "periodic" else rng
    together = solve(poisson_levels(N, boundary=boundary), f)
    assert together.converged and together.u.shape == f.shape
    alone = solve(poisson_levels(N, boundary=boundary), f[1, 0])
    np.testing.assert_allclose(together.u[1, 0], alone.u, atol=1e-7 * abs(alone.u).max())


@pytest.mark.parametrize("sizes", [(1e300, 1e10), (1, 1e-250), (1e-200, 1), (0, 1e200), (0, 0)])
def test_no_member_of_a_batch_is_solved_by_zero(sizes):
    one = np.random.default_rng(4).standard_normal((N - 1, N - 1))
    found = solve(poisson_levels(N), [s * one for s in sizes])
    assert found.converged
    alone = solve(poisson_levels(N), one).u
    for s, u in zip(sizes, found.u, strict=True):
        np.testing.assert_allclose(u, s * alone, atol=1e-7 * s * abs(alone).max())


def test_the_fast_solver_reaches_the_end_of_the_range():
    one = np.ones((N - 1, N - 1))
    far, near = PoissonSolver(N).solve(1e308 * one), PoissonSolver(N).solve(one)
    assert far.converged and np.isfinite(far.residuals).all()
    np.testing.assert_allclose(far.u / 1e308, near.u, rtol=1e-9)


MISTAKES = {
    "no levels": (lambda f: solve([], f), "no levels"),
    "f too great": (lambda f: solve(poisson_levels(N), 1e308 * f), "leaves the range"),
    "batch too great": (lambda f: solve(poisson_levels(N), [1e308 * f, f]), "leaves the range"),
    "f infinite": (lambda f: solve(poisson_levels(N), f * np.inf), "not finite"),
    "batch": (lambda f: solve(poisson_levels(N), [1e300 * f, 1e-300 * f]), "one after the other"),
    "batch, tiny": (lambda f: solve(poisson_levels(N), [f, 5e-324 * f]), "one after the other"),
    "gamma": (lambda f: solve(poisson_levels(N), f, gamma=1.5), "gamma = 1.5"),
    "no gamma": (lambda f: solve(poisson_levels(N), f, gamma=0), "gamma = 0"),
    "tol nan": (lambda f: solve(poisson_levels(N), f, tol=float("nan")), "tol = nan"),
    "tol 1": (lambda f: solve(poisson_levels(N), f, tol=1.0), "below 1"),
    "tol -1": (lambda f: solve(poisson_levels(N), f, tol=-1), "tol = -1"),
    "tol word": (lambda f: solve(poisson_levels(N), f, tol="1e-3"), "tol = '1e-3'"),
    "cycles": (lambda f: solve(poisson_levels(N), f, max_cycles=-1), "max_cycles = -1"),
    "u shape": (lambda f: solve(poisson_levels(N), f, u=f[:3]), "the start has shape"),
    "u kind": (lambda f: solve(poisson_levels(N), f, u=torch.zeros(f.shape)), "as tensors"),
    "f shape": (lambda f: solve(poisson_levels(N), f[:9, :9]), "grid"),
    "f number": (lambda f: solve(poisson_levels(N), 1.0), "array"),
    "f text": (lambda f: solve(poisson_levels(N), "f"), "numbers"),
    "f None": (lambda f: solve(poisson_levels(N), None), "axes"),
    "f meta": (lambda f: solve(poisson_levels(N), torch.ones(3, 3, device="meta")), "meta"),
    "f masked": (lambda f: solve(poisson_levels(N), np.ma.masked_less(f, 2)), "masked"),
    "u masked": (lambda f: solve(poisson_levels(N), f, u=np.ma.masked_equal(f, 1)), "the start"),
    "f empty": (lambda f: solve(poisson_levels(N), f[:, :0]), "axes are the grid"),
    "fast masked": (lambda f: PoissonSolver(N).solve(np.ma.masked_less(f, 2)), "masked"),
    "f ragged": (lambda f: solve(poisson_levels(N), [[1, 2], [3]]), "numbers"),
    "nu": (lambda f: poisson_levels(N, nu=(-1, 1)), "nu.0. = -1"),
    "nu one": (lambda f: poisson_levels(N, nu=2), "two whole numbers"),
    "nu half": (lambda f: PoissonSolver(N, nu=(1.5, 1)), "1.5"),
    "velocity": (lambda f: convection_diffusion(N, (float("nan"), 0)), "not all finite"),
    "velocity i": (lambda f: convection_diffusion(N, (1j, 0)), "real"),
    "angle": (lambda f: anisotropic_diffusion(N, 0.1, float("inf")), "angle = inf"),
    "layout i": (lambda f: split(1j * f), "the array is complex"),
    "factor": (lambda f: convergence_factor(poisson_levels(N), f, cycles=0), "cycles = 0"),
    "no error": (lambda f: convergence_factor(poisson_levels(N), 0 * f), "is zero or not finite"),
    "error": (lambda f: convergence_factor(poisson_levels(N), f * np.nan), "zero or not finite"),
    "projected": (
        lambda f: convergence_factor(poisson_levels(N), f, project=lambda u: u - u.mean()),
        "zero or not finite",
    ),
    "full": (lambda f: full_multigrid([], f), "no levels"),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_what_cannot_be_done_is_one_sentence(what):
    do, words = MISTAKES[what]
    with pytest.raises(InvalidValue, match=words):
        do(np.ones((N - 1, N - 1)))


def test_full_multigrid_and_the_measured_factor_take_whole_numbers():
    f = np.zeros((N - 1, N - 1), np.uint8)
    f[4, 5] = 200
    levels = poisson_levels(N)
    assert np.array_equal(full_multigrid(levels, f).u, full_multigrid(levels, f.astype(float)).u)
    assert convergence_factor(levels, f) == convergence_factor(levels, f.astype(float))


@pytest.mark.parametrize("kind", [np.uint8, np.int8, torch.uint8, torch.int16])
def test_operators_and_smoothers_do_not_wrap_whole_numbers_around(kind):
    A = Stencil.from_kernel([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])  # whole coefficients as well
    u = np.random.default_rng(0).integers(0, 127, (7, 7))
    mine = u.astype(kind) if isinstance(kind, type) else torch.from_numpy(u).to(kind)
    expected = (A.sparse((7, 7)) @ u.ravel().astype(float)).reshape(7, 7)
    np.testing.assert_array_equal(np.asarray(A(mine)), expected)
    np.testing.assert_allclose(np.asarray(red_black(A)(mine)), red_black(A)(u.astype(float)))
    if isinstance(mine, np.ndarray):
        solved = gauss_seidel(A, (7, 7))(mine)
        np.testing.assert_allclose(solved, gauss_seidel(A, (7, 7))(u.astype(float)), rtol=1e-6)
    with pytest.raises(InvalidValue, match="in place over whole numbers"):
        red_black_sweep(A, mine, mine)


def test_smoothers_keep_imaginary_parts():
    A = complex_problem(8).A
    r = np.random.default_rng(0).standard_normal((7, 7))
    lower = np.tril(A.sparse((7, 7)).toarray())
    np.testing.assert_allclose(
        gauss_seidel(A, (7, 7))(r).ravel(), np.linalg.solve(lower, r.ravel())
    )
    e = red_black(A)(r)
    assert np.iscomplexobj(e) and np.array_equal(e, red_black(A)(r.astype(complex)))
    assert np.allclose(red_black(A)(torch.from_numpy(r)).numpy(), e)
    with pytest.raises(InvalidValue, match="complex u"):
        red_black_sweep(A, np.zeros((7, 7)), r)


@settings(deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=9), st.integers(-1000, 1000))
def test_the_norm_of_a_multiple(values, power):
    v = np.array(values)
    expected = math.hypot(*values)  # which scales, too
    scaled = np.ldexp(v, power)
    found = _numbers.norm(scaled)
    if np.abs(scaled).max() > 1e-290 and 1e-290 < expected:
        assert found == pytest.approx(np.ldexp(expected, power), rel=1e-12)
    assert (found == 0) == (not scaled.any())
    assert _numbers.norm(torch.from_numpy(scaled)) == pytest.approx(found, rel=1e-12)


def test_levels_of_functions_get_numbers_to_compute_with():
    double = lambda u: 2 * u  # noqa: E731
    levels = [Level(double, [correct(double, lambda r: r / 2)])]
    assert solve(levels, np.array([200], np.uint8)).u == 100.0
    assert solve(levels, [3]).u == 1.5
