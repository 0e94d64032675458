"""What a student asks first: small statements of the chapters, as mathematics and as numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from mgtutorial import models
from mgtutorial.linalg.polynomials import pair
from mgtutorial.linalg.problems import convection_diffusion
from mgtutorial.models.counting import count_weights
from mgtutorial.multigrid import Level, State, correct, cycle, relax, with_residual
from mgtutorial.reproduction import published
from mgtutorial.reproduction.papers.printed_table import read_table

from .prose import says

# ------------------------------------------------------------------------------ smoothing


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(0, 6))
def test_the_closed_form_of_n_steps(seed, steps):
    rng = np.random.default_rng(seed)
    A, B = rng.standard_normal((2, 4, 4))
    u, f = rng.standard_normal((2, 4))
    E = np.eye(4) - B @ A
    got = relax([correct(lambda v: A @ v, lambda r: B @ r)] * steps, State(u, f)).u
    power = np.linalg.matrix_power
    first = power(E, steps) @ u + sum((power(E, k) @ B @ f for k in range(steps)), np.zeros(4))
    scale = max(1, np.abs(first).max(), np.linalg.norm(E, 2) ** steps * 10)
    np.testing.assert_allclose(got, first, atol=1e-11 * scale)
    if np.linalg.cond(A) < 1e3:
        exact = np.linalg.solve(A, f)
        second = exact - power(E, steps) @ (exact - u)
        np.testing.assert_allclose(got, second, atol=1e-9 * scale * max(1, np.abs(exact).max()))


# ---------------------------------------------------------------------------- polynomials


@settings(deadline=None)
@given(st.floats(-5, 5).filter(lambda a: abs(a) > 1e-3), st.floats(0, 50))
def test_a_pair_is_least_on_the_real_axis_at_its_real_part(a, b):
    factor = pair(a, b)
    z = np.linspace(-10, 10, 401)
    least = b**2 / (a**2 + b**2)
    assert factor.q(a) == pytest.approx(least, abs=1e-9)
    assert (factor.q(z) >= least - 1e-9 * np.abs(factor.q(z)).max()).all()
    if a < 0:
        assert (factor.q(z[z > 0]) > 1).all()


@settings(deadline=None, max_examples=40)
@given(
    st.integers(2, 9),
    st.floats(-2, 2),
    st.floats(0.1, 3) | st.floats(-3, -0.1),
    st.floats(0.1, 3) | st.floats(-3, -0.1),
)
def test_eigenvalues_and_eigenvectors_of_a_lopsided_tridiagonal_matrix(m, d, lower, upper):
    T = d * np.eye(m - 1) + lower * np.eye(m - 1, k=-1) + upper * np.eye(m - 1, k=1)
    ratio = np.sqrt(complex(lower / upper))
    root = upper * ratio  # one choice of the root of the product, the same in both places
    j = np.arange(1, m)
    for k in j:
        v = ratio**j * np.sin(j * k * np.pi / m)
        value = d + 2 * root * np.cos(k * np.pi / m)
        np.testing.assert_allclose(T @ v, value * v, atol=1e-9 * max(1, np.abs(v).max()))


def test_eigenvalues_between_walls_are_real_for_little_wind():
    n = 16
    for peclet, real in ((0.5, True), (0.9, True), (2.0, False)):
        A = convection_diffusion(n, [2 * peclet * n], scheme="central")
        values = np.linalg.eigvals(A.sparse().toarray() / A.A.diagonal)
        k = np.arange(1, n)
        root = np.sqrt(complex(1 - peclet**2))
        expected = 1 + root * np.cos(k * np.pi / n)
        for value in expected:
            assert np.abs(values - value).min() < 1e-5  # a nonnormal matrix
        assert (np.abs(values.imag).max() < 1e-5) == real


# ---------------------------------------------------------------------------------- MgNet


def test_why_mgnet_is_four_times_smaller_in_both_orders():
    resnet, mgnet = models.CONFIGS["resnet18"], models.CONFIGS["mgnet"]
    narrow = replace(resnet, channels=mgnet.channels)
    wide = replace(mgnet, channels=resnet.channels)
    W = {c: count_weights(c.build()) for c in (resnet, narrow, wide, mgnet)}
    assert [*W.values()] == [11_173_962, 5_205_066, 6_298_826, 2_750_666]
    says("mgnet", f"{W[resnet]:,} weights, {W[resnet] / W[mgnet]:.2f} times as many")
    for first, words in (
        (narrow, "width: ResNet18 with 256 on the last level"),
        (wide, "sharing: MgNet with 512 on the last level"),
    ):
        says("mgnet", f"{words}, {W[first]:,} | {W[resnet] / W[first]:.2f} |")
        says("mgnet", f"{W[mgnet]:,} | {W[first] / W[mgnet]:.2f} |")


def untrained(**changes):
    torch.manual_seed(0)
    config = replace(models.CONFIGS["mgnet-20"], **changes)
    return config.build().double()


def test_features_never_decrease_within_a_level_and_steps_do_not_see_the_size_of_the_residual():
    """Proposition 2 of MgNet; and a step in training mode forgets the scale of f - A u."""
    net = untrained().requires_grad_(False)
    level = net.levels[0].level()
    torch.manual_seed(1)
    f = torch.randn(4, 16, 8, 8, dtype=torch.float64)
    s = State(torch.zeros_like(f), f)
    for step in level.pre:
        new = step(s)
        assert (new.u >= s.u).all()
        s = State(new.u, f)
    step = level.pre[0]
    once = step(State(torch.zeros_like(f), f)).u
    scaled = step(State(torch.zeros_like(f), 1000 * f)).u
    torch.testing.assert_close(scaled, once, rtol=1e-3, atol=1e-3 * float(once.abs().max()))
    step = untrained().requires_grad_(False).eval().levels[0].level().pre[0]  # fresh statistics
    fixed = [step(State(torch.zeros_like(f), c * f)).u for c in (1.0, 1000.0)]
    assert float(fixed[1].abs().max()) > 100 * float(fixed[0].abs().max())


def test_the_identity_breaks_where_the_finished_data_are_changed_or_chance_is_drawn_anew():
    rng = np.random.default_rng(0)
    A, coarse = rng.standard_normal((6, 6)), rng.standard_normal((3, 3))
    R, Pi = rng.standard_normal((2, 3, 6))
    u, f = rng.standard_normal((2, 6))
    down, start = R @ (f - A @ u), Pi @ u
    made = down + coarse @ start
    first = with_residual(lambda v: coarse @ v, State(start, made)).r
    np.testing.assert_allclose(first, down, atol=1e-12)
    activated = np.maximum(made, 0)
    assert np.abs(with_residual(lambda v: coarse @ v, State(start, activated)).r - down).max() > 0.1
    inside = np.maximum(down, 0)  # as a part of R
    again = with_residual(lambda v: coarse @ v, State(start, inside + coarse @ start)).r
    np.testing.assert_allclose(again, inside, atol=1e-12)

    def dropout(v):
        return coarse @ (v * rng.integers(0, 2, 3) * 2)

    drawn = [with_residual(dropout, State(start, down + dropout(start))).r for _ in range(20)]
    assert max(np.abs(r - down).max() for r in drawn) > 0.1


def test_steps_without_nonlinearity_stay_in_a_krylov_space():
    """`More shared steps`: increments lie in the span of B f, E B f, ..."""
    rng = np.random.default_rng(3)
    A, B = rng.standard_normal((2, 8, 8)) / 3
    f, u = rng.standard_normal(8), np.zeros(8)
    E = np.eye(8) - B @ A
    basis, v = [], B @ f
    for _ in range(4):
        new = u + B @ (f - A @ u)
        basis.append(v)
        v = E @ v
        K = np.array(basis).T
        left = (new - u) - K @ np.linalg.lstsq(K, new - u, rcond=None)[0]
        assert np.abs(left).max() < 1e-10
        u = new


# ----------------------------------------------------------------------------------- MGIC


def test_features_that_come_back_in_place_of_changes_add_a_copy_on_each_visit():
    """Blocks that do nothing: with changes the cycle is the identity, with features it is not."""
    rng = np.random.default_rng(0)
    down, u = rng.standard_normal((3, 6)), rng.standard_normal(6)
    for difference, expected in ((True, u), (False, u + down.T @ down @ u)):
        fine = Level(
            lambda v: 0 * v,
            R=lambda r: down @ r,
            Pi=lambda v: down @ v,
            P=lambda e: down.T @ e,
            difference=difference,
        )
        got = cycle([fine, Level(lambda v: 0 * v)], State(u, 0 * u)).u
        np.testing.assert_allclose(got, expected, atol=1e-12)


# --------------------------------------------------------------------------- reproduction


def welch(x, s, n, y, sigma, m):
    """The difference, its degrees of freedom and half-width: eq-welch."""
    a, b = s**2 / n, sigma**2 / m
    nu = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))
    return x - y, nu, float(student.ppf(0.975, nu)) * np.sqrt(a + b)


def test_the_worked_differences_of_printed_rows():
    rows = read_table("mgiad_table2_fashionmnist.csv")

    def row(model, weights):
        (found,) = [
            r for r in rows if r["model"] == model and float(r["weights_k"]) == float(weights)
        ]
        return float(found["test_acc"]), float(found["test_acc_std"])

    cases = (
        ("MgNet-20 minus ResNet20", row("mgnet_ab_20", 101), row("resnet20", 270)),
        (
            "ResNet18 minus MGiaD with 144 thousand weights",
            row("resnet18", 11003),
            row("mgiad", 144),
        ),
        ("ResNet18 minus MgNet", row("resnet18", 11003), row("mgnet_ab", 2747)),
    )
    for words, (x, s), (y, sigma) in cases:
        difference, nu, half = welch(x, s, 3, y, sigma, 3)
        sign = "+" if round(difference, 2) > 0 else ""
        says(
            "reproduction",
            f"* - {words} - ${sign}{abs(difference):.2f}$ - {nu:.2f} - {half:.2f}",
        )
    difference, _, half = welch(93.84, 0.17, 3, 93.28, 0.08, 3)
    assert (round(difference - half, 2), round(difference + half, 2)) == (0.20, 0.92)
    says("reproduction", "a difference, of 0.20 to 0.92 points")
    difference, _, half = welch(93.29, 0.15, 3, 93.02, 0.31, 3)
    inside = [x for x in (-0.4, -0.3, 0.9, 1.0) if abs(x - difference) < half]
    assert inside == [-0.3, 0.9]
    says(
        "reproduction", "neither that MgNet-20 is better by 0.9 points nor that it is worse by 0.3"
    )
    six = welch(93.84, 0.17, 6, 93.28, 0.08, 6)
    assert round(six[1], 1) == 7.1 and round(six[2], 2) == 0.18


def test_the_error_of_a_finite_test_set_and_the_best_of_ten():
    assert round(100 * np.sqrt(0.935 * 0.065 / 10_000), 2) == 0.25
    best = np.random.default_rng(0).standard_normal((200_000, 10)).max(axis=1).mean()
    assert round(best, 2) == 1.54
    says("reproduction", "the best of ten exceeds their average by $1.54\\, \\tau$")
    # images on which two networks disagree: the difference is a sum of d signs over N
    rng, N, d = np.random.default_rng(1), 10_000, 400
    signs = rng.choice([-1, 1], (20_000, d)).sum(axis=1) / N
    assert signs.std() == pytest.approx(np.sqrt(d) / N, rel=0.02)


def test_what_coupling_through_few_weights_costs_by_the_print():
    """MgNet has the same widths and couples all channels: Table 3."""
    below = []
    for name in ("cifar100", "imagenet"):
        rows = {r.name: r for r in published.rows(f"mgiad-table3-{name}")}
        below.append(rows["mgnet"].accuracy - rows["mgiad-lam1-c64-g8"].accuracy)
    says("mgiad", f"is printed {below[0]:.2f} points lower on CIFAR-100 and {below[1]:.2f} on")
