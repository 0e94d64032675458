"""The polynomial inside Poly-MgNet: what its steps do, what its numbers can do, their start."""

import time

import numpy as np
import pytest
import torch

from mgtutorial import models
from mgtutorial.errors import InvalidValue
from mgtutorial.linalg import polynomials
from mgtutorial.linalg.roots import extremes
from mgtutorial.models import PolyMgNetConfig, poly_roots, poly_steps
from mgtutorial.models.counting import count_weights
from mgtutorial.multigrid import State, coarsen, relax, start, with_right_hand_side

from .literal_poly import FIXED, shaken

PARAMETRISATIONS = poly_steps.PARAMETRISATIONS


# ---------------------------------------------------------------------- the polynomial


def dense(A, c, side):
    unit = torch.eye(c * side**2, dtype=torch.float64).view(-1, c, side, side)
    with torch.no_grad():
        return A(unit).flatten(1).T.numpy()


def linear_level(steps, parametrisation="root", c=3, **changes):
    """A level without norms and activations, in double precision."""
    config = PolyMgNetConfig(
        (c,), steps, parametrisation=parametrisation, norm="none", activation="none", **changes
    )
    level = config.build().double().levels[0]
    level.start_roots(config)  # once more, in double precision
    return level


@pytest.mark.parametrize("parametrisation", ["reciprocal", "root", "coefficients"])
@pytest.mark.parametrize(
    "steps",
    [("linear",), ("double",), ("repeated",), ("pair",), ("linear", "double", "repeated", "pair")],
)
def test_the_linear_part_multiplies_the_residual_by_q_of_the_dense_matrix(steps, parametrisation):
    torch.manual_seed(1)
    roots = ("fixed", *(v for kind in steps for v in FIXED[kind]))
    level, side = linear_level(steps, parametrisation, roots=roots), 5
    A = dense(level.A, 3, side)
    q, identity = np.eye(len(A)), np.eye(len(A))
    for kind in steps:  # from the roots, as the chapter writes them
        x = complex(*FIXED[kind])
        conjugate = {"linear": None, "double": -x, "repeated": x, "pair": x.conjugate()}[kind]
        q = (identity - A / x) @ q
        if conjugate is not None:
            q = (identity - A / conjugate) @ q
    u, f = torch.randn(2, 1, 3, side, side, dtype=torch.float64)
    with torch.no_grad():
        after = relax(level.level().pre, State(u, f)).u
        got = (f - level.A(after)).flatten().numpy()
        expected = q.real @ (f - level.A(u)).flatten().numpy()
    assert abs(q.imag).max() < 1e-14 * abs(q).max()
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12 * abs(expected).max())
    # the package's own polynomial, from the step's factors
    factors = [step.factor() for step in level.steps]
    with torch.no_grad():
        own = polynomials.propagation(level.A, factors)(f - level.A(u)).flatten().numpy()
    np.testing.assert_allclose(got, own, rtol=0, atol=1e-12 * abs(expected).max())


def residual_after(level, u, f):
    with torch.no_grad():
        return f - level.A(relax(level.level().pre, State(u, f)).u)


@pytest.mark.parametrize("d", range(2, 9))
def test_coefficients_make_the_polynomial_of_the_dense_matrix(d):
    torch.manual_seed(11)
    alpha = np.linspace(0.9, -0.3, d + 1)
    level, side = linear_level((f"p{d}",), roots=("fixed", *alpha)), 5
    A = dense(level.A, 3, side)
    p = sum(a * np.linalg.matrix_power(A, i) for i, a in enumerate(alpha))
    u, f = torch.randn(2, 1, 3, side, side, dtype=torch.float64)
    r = (f - level.A(u)).detach().flatten().numpy()
    expected = r - A @ (p @ r)
    got = residual_after(level, u, f).flatten().numpy()
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12 * abs(expected).max())
    roots = level.steps[0].roots()
    z = np.array([0.3, -0.7, 0.2 + 0.5j])
    np.testing.assert_allclose(
        np.prod(1 - z[:, None] / roots, axis=1), 1 - z * np.polyval(alpha[::-1], z), atol=1e-12
    )
    with pytest.raises(InvalidValue, match="coefficients of p"):
        level.steps[0].factor()


@pytest.mark.parametrize(
    ("steps", "roots", "x"),
    [
        (("linear", "pair"), (0.8, 0.9, 1.1), [0.8, 0.9 + 1.1j, 0.9 - 1.1j]),
        (("linear", "double"), (0.8, 1.3), [0.8, 1.3, -1.3]),
        (("linear", "linear", "pair"), (0.8, 2.1, 0.9, 1.1), [0.8, 2.1, 0.9 + 1.1j, 0.9 - 1.1j]),
    ],
)
def test_steps_by_roots_and_one_step_by_coefficients_are_the_same_map(steps, roots, x):
    a = polynomials.coefficients(x)
    by_roots = linear_level(steps, roots=("fixed", *roots))
    by_coefficients = linear_level((f"p{len(a) - 1}",), roots=("fixed", *a))
    by_coefficients.A.weight.data = by_roots.A.weight.data
    u, f = torch.randn(2, 2, 3, 6, 6, dtype=torch.float64)
    with torch.no_grad():
        one, other = (
            relax(level.level().pre, State(u, f)).u for level in (by_roots, by_coefficients)
        )
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12 * float(one.abs().max()))


def test_coefficients_from_the_spectrum_have_the_four_extreme_roots():
    torch.manual_seed(7)
    by_roots = linear_level(("linear", "linear", "pair"), c=6, roots=("spectrum",))
    level = linear_level(("p3",), "public", c=6, roots=("spectrum",))
    level.A.weight.data = by_roots.A.weight.data
    config = PolyMgNetConfig((6,), ("p3",), roots=("spectrum",))
    level.start_roots(config)
    expected = np.concatenate(by_roots.roots())
    np.testing.assert_allclose(np.sort(level.roots()[0]), np.sort(expected), rtol=1e-9)


def test_roots_at_eigenvalues_annihilate_their_components():
    """Two linear steps and a pair at eigenvalues of the dense matrix, and the others stay."""
    torch.manual_seed(2)
    level, side = linear_level(("linear", "linear", "pair"), c=2), 4
    A = dense(level.A, 2, side)
    z, V = np.linalg.eig(A)
    real, upper = z[abs(z.imag) < 1e-12].real, z[z.imag > 1e-12]
    assert len(real) >= 2 and len(upper) >= 1, "choose another seed"
    roots = [real.min(), real.max(), upper[np.argmax(upper.imag)]]
    with torch.no_grad():
        level.steps[0].numbers.fill_(roots[0])
        level.steps[1].numbers.fill_(roots[1])
        level.steps[2].numbers.copy_(torch.tensor([roots[2].real, roots[2].imag]))
    f = torch.randn(1, 2, side, side, dtype=torch.float64)
    with torch.no_grad():
        r = f - level.A(relax(level.level().pre, State(torch.zeros_like(f), f)).u)
    before, after = (np.linalg.solve(V, v.flatten().numpy()) for v in (f, r))
    expected = polynomials.q(z, [*roots, roots[2].conjugate()])
    tolerance = 1e-14 * np.linalg.cond(V) * abs(expected * before).max()
    np.testing.assert_allclose(after, expected * before, rtol=0, atol=tolerance)
    gone = np.min([abs(z - x) for x in [*roots, roots[2].conjugate()]], axis=0) < 1e-10
    assert gone.sum() == 4 and abs(after[gone]).max() < tolerance < 1e-9
    assert abs(after[~gone]).max() > 1e-3


def test_a_state_with_a_current_residual_takes_one_application_less():
    level, calls = linear_level(("linear", "pair")), []
    level.A.register_forward_hook(lambda *_: calls.append(1))
    f = torch.randn(1, 3, 4, 4, dtype=torch.float64)
    relax(level.level().pre, State(torch.zeros_like(f), f, f))
    assert len(calls) == 2  # free, then one residual and one A r~
    calls.clear()
    relax(level.level().pre, State(torch.zeros_like(f), f))
    assert len(calls) == 3


def test_the_first_coarse_residual_is_R_of_the_rectified_residual():
    """The FAS identity with the public code's end of a level."""
    torch.manual_seed(3)
    net = PolyMgNetConfig((4, 8)).build().double()
    fine, coarse = net.levels
    f = torch.randn(3, 4, 8, 8, dtype=torch.float64)
    s = relax(fine.level().pre, start(f))
    _, c = coarsen(fine.level(), coarse.level(), s)
    r = fine.R[1](torch.relu(f - fine.A(s.u)))
    torch.testing.assert_close(c.r, r, rtol=0, atol=1e-13)
    f_coarse = with_right_hand_side(coarse.A, c).f
    torch.testing.assert_close(f_coarse - coarse.A(c.u), r, rtol=0, atol=1e-12)
    assert (fine.R[1](f - fine.A(s.u)) - r).abs().max() > 0.1  # the ReLU matters


# ------------------------------------------------------------------ what can be trained


def run_step(kind, placement, residual, numbers, eps=1e-30):
    """Output of a step in training mode, and the gradient with respect to its numbers."""
    torch.manual_seed(4)
    A = torch.nn.Conv2d(4, 4, 3, padding=1, bias=False).double()
    u, f = torch.randn(2, 3, 4, 6, 6, dtype=torch.float64)
    step = poly_steps.PolyStep(kind, 4, placement, residual, "root").double()
    for m in step.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.eps = eps
    step.numbers.data = torch.tensor(numbers, dtype=torch.float64)
    out = step(A)(State(u, f)).u
    (out * f).sum().backward()
    return out.detach(), step.numbers.grad


@pytest.mark.parametrize("placement", ["regular", "relu-outside", "norm-update"])
@pytest.mark.parametrize("kind", ["linear", "double"])
def test_a_norm_around_the_update_leaves_a_numbers_sign(kind, placement):
    one, slope = run_step(kind, placement, "norm-relu", [1.0])
    seven, _ = run_step(kind, placement, "norm-relu", [7.0])
    torch.testing.assert_close(one, seven, rtol=0, atol=1e-12)
    assert slope.abs().max() < 1e-10
    minus, _ = run_step(kind, placement, "norm-relu", [-1.0])
    same = kind == "double"  # its number is squared
    assert ((one - minus).abs().max() < 1e-12) == same
    # with an eps the number is left in its denominator: N_eps(y / x) = N_{eps x^2}(y)
    other, _ = run_step("linear", placement, "norm-relu", [7.0], eps=1e-3)
    own, _ = run_step("linear", placement, "norm-relu", [1.0], eps=1e-3)
    assert (other - own).abs().max() > 1e-3


@pytest.mark.parametrize("placement", ["regular", "relu-outside", "norm-update"])
def test_a_norm_around_the_update_leaves_of_a_pair_its_a(placement):
    one, slope = run_step("pair", placement, "norm", [0.9, 1.1])
    other, _ = run_step("pair", placement, "norm", [0.9, -5.0])
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    assert abs(slope[1]) < 1e-10 and abs(slope[0]) > 1e-3


@pytest.mark.parametrize("kind", ["linear", "double", "pair"])
def test_outside_the_size_of_a_number_matters(kind):
    _, slope = run_step(kind, "outside", "norm", list(FIXED[kind]))
    assert slope.abs().min() > 1e-3


def test_g4_is_mgnet_with_B_equal_to_A():
    """Up to signs, and to eps: the public code's double step with the coefficient 1."""
    torch.manual_seed(9)
    g4 = PolyMgNetConfig((4, 8), "g4", end="none").build().double()
    mgnet = models.MgNetConfig((4, 8), 2).build().double()
    state = g4.state_dict()
    with torch.no_grad():
        for level in g4.levels:
            for step in level.steps:
                step.numbers.fill_(1.0)
        theirs = mgnet.state_dict()
        for name in theirs:
            own = name.replace(".R.weight", ".R.1.weight")
            own = own.replace("smoothers", "steps").replace("norm_in", "residual.0")
            own = own.replace("norm_out", "update.0")
            if ".B." in own:
                own = f"levels.{name.split('.')[1]}.A.weight"
            theirs[name].copy_(state[own])
    x = torch.randn(5, 3, 12, 12, dtype=torch.float64)
    for training in (True, False):
        g4.train(training), mgnet.train(training)
        torch.testing.assert_close(g4(x), mgnet(x), rtol=0, atol=1e-13)


def test_the_number_of_a_linear_step_behind_a_norm_can_be_left_out():
    torch.manual_seed(10)
    net, _ = shaken(PolyMgNetConfig((4, 8), "q2", roots=("uniform", 0.2, 1)).build(), 1.0)
    x = torch.randn(5, 3, 12, 12, dtype=torch.float64)
    with torch.no_grad():
        before = net(x)
        for level in net.levels:
            for step in level.steps:
                step.residual[0].weight *= step.numbers
                step.residual[0].bias *= step.numbers
                step.numbers.fill_(1.0)
        torch.testing.assert_close(net(x), before, rtol=0, atol=1e-12)


@pytest.mark.parametrize("parametrisation", ["root", "reciprocal"])
def test_a_double_root_never_splits_in_a_and_b(parametrisation):
    torch.manual_seed(5)
    config = PolyMgNetConfig(
        (4, 8), ("linear", "pair"), parametrisation=parametrisation, roots=("fixed", 1.0, 0.7, 0.0)
    )
    net = config.build()
    optimiser = torch.optim.SGD(net.parameters(), 0.1)
    x, y = torch.randn(16, 3, 8, 8), torch.randint(10, (16,))
    for _ in range(5):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        pairs = [level.steps[1].numbers for level in net.levels]
        assert all(p.grad[1] == 0 for p in pairs)  # to the last bit
        optimiser.step()
    assert all(p[1] == 0 for p in pairs) and all(p[0] != 0.7 for p in pairs)


def test_the_same_start_splits_in_s_and_t():
    torch.manual_seed(5)
    config = PolyMgNetConfig(
        (4, 8), ("linear", "pair"), parametrisation="coefficients", roots=("fixed", 1.0, 0.7, 0.0)
    )
    net = config.build()
    before = net.levels[0].steps[1].factor()
    assert abs(before.s**2 - 4 * before.t) < 1e-5  # a double root
    optimiser = torch.optim.SGD(net.parameters(), 0.1)
    x, y = torch.randn(16, 3, 8, 8), torch.randint(10, (16,))
    for _ in range(5):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
    for level in net.levels:
        s, t = level.steps[1].factor()
        assert abs(s**2 - 4 * t) > 1e-4  # two real roots, or a pair


def test_the_public_pair_step_has_a_double_real_root_and_the_double_step_may_have_imaginary_ones():
    step = poly_steps.PolyStep("repeated", 2, "outside", "norm", "public")
    step.numbers.data.fill_(-1.5)  # its sign is ignored
    np.testing.assert_allclose(step.roots(), [1.5, 1.5], rtol=1e-3)
    step = poly_steps.PolyStep("double", 2, "regular", "norm", "public")
    step.numbers.data.fill_(-0.25)  # q = 1 + z^2 / 4
    np.testing.assert_allclose(sorted(step.roots(), key=np.imag), [-2j, 2j], atol=1e-6)


# ------------------------------------------------------------------------ initial roots


@pytest.mark.parametrize("parametrisation", PARAMETRISATIONS)
@pytest.mark.parametrize("kind", sorted(FIXED))
def test_numbers_and_factor_are_inverse_to_each_other(kind, parametrisation):
    x = torch.tensor(FIXED[kind], dtype=torch.float64)
    numbers = poly_steps.numbers(kind, parametrisation, x)
    got = poly_steps.factor(kind, parametrisation, numbers)
    a, b = (*FIXED[kind], 0.0)[:2]
    expected = {
        "linear": polynomials.linear(a),
        "double": polynomials.double(a),
        "repeated": polynomials.pair(a, 0.0),
        "pair": polynomials.pair(a, b),
    }[kind]
    np.testing.assert_allclose([float(v) for v in got], expected, rtol=1e-14)


def test_the_public_start_is_the_reciprocal_of_a_xavier_draw():
    torch.manual_seed(6)
    c = 24
    draws = [
        poly_roots.start(("linear", "double", "repeated"), "public", ("xavier",), w)
        for w in [torch.zeros(c, c, 3, 3)] * 500
    ]
    v = 1 / torch.stack([torch.cat(numbers) for numbers in draws])
    edge = np.sqrt(6 / (2 * c))
    assert v.abs().max() <= edge * (1 + 1e-6)
    # mean and standard deviation of U(-w, w), within five standard errors of 1,500 draws
    assert abs(v.mean()) < 5 * edge / np.sqrt(3 * 1500)
    assert abs(v.std() * np.sqrt(3) / edge - 1) < 5 * 0.9 / np.sqrt(2 * 1500)


def test_uniform_roots_lie_in_their_interval():
    net = PolyMgNetConfig(
        (8, 16), ("linear", "double"), parametrisation="root", roots=("uniform", 2, 3)
    ).build()
    values = torch.cat([step.numbers for level in net.levels for step in level.steps])
    assert 2 <= values.min() and values.max() <= 3 and len(set(values.tolist())) == 4


@pytest.mark.parametrize("parametrisation", ["root", "reciprocal", "coefficients"])
def test_roots_from_the_spectrum_are_on_it(parametrisation):
    torch.manual_seed(7)
    level = linear_level(("linear", "linear", "pair"), parametrisation, c=6, roots=("spectrum",))
    weight, side = level.A.weight, 4
    periodic = torch.nn.Conv2d(6, 6, 3, padding=1, padding_mode="circular", bias=False).double()
    periodic.weight.data = weight.data
    z = np.linalg.eigvals(dense(periodic, 6, side))  # of the dense matrix, with no symbol
    least, greatest, top, conjugate = extremes(z)
    got = np.concatenate(level.roots())
    np.testing.assert_allclose(got[:2], [least.real, greatest.real], rtol=1e-5)
    np.testing.assert_allclose(
        sorted(got[2:], key=np.imag), sorted([top, conjugate], key=np.imag), rtol=1e-5
    )


def test_the_spectrum_of_a_random_convolution_is_a_disc():
    torch.manual_seed(8)
    weight = PolyMgNetConfig((64,)).build().levels[0].A.weight
    z = poly_roots.spectrum(weight)
    assert len(z) == 64 * 16
    # He's weights have variance 2 / 9c, so the symbol's entries 2 / c: the circular law's radius
    # is sqrt 2, and half of the eigenvalues are within radius 1
    assert 0.95 < abs(z).max() / np.sqrt(2) < 1.25
    assert abs((abs(z) < 1).mean() - 0.5) < 0.05


def test_counting_needs_no_eigenvalues():
    config = PolyMgNetConfig(steps=("linear", "pair"), parametrisation="root", roots=("spectrum",))
    begun = time.perf_counter()
    count_weights(config)
    assert time.perf_counter() - begun < 2
