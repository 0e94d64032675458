"""MGiaD's cycle in channels as a solver, against dense matrices of two levels."""

from dataclasses import replace
from functools import reduce
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mgtutorial import models, multigrid
from mgtutorial.models import MGiaDConfig
from mgtutorial.models.counting import count_macs, count_weights
from mgtutorial.models.mgiad import ResolutionLevel

from ..project.prose import says
from .test_mgiad import TINY, hold


def linear_sic(widths, correction, seed=0, eta_pre=1, eta_post=1):
    """The cycle of one resolution level without norms and activations, in float64."""
    torch.manual_seed(seed)
    config = MGiaDConfig(
        channels=(widths[0],),
        coarsest=widths[-1],
        group_size=2,
        eta_pre=eta_pre,
        eta_post=eta_post,
        correction=correction,
        norm="none",
        activation="none",
    )
    level = ResolutionLevel(widths, None, config).double().requires_grad_(False)
    finest = level.channel_levels[0]
    return SimpleNamespace(
        level=level,
        A=finest.A,
        run=lambda f, u: level.sic(multigrid.start(f, u)).u,
        Pis=[
            m.Pi[0] if isinstance(m.Pi, torch.nn.Sequential) else m.Pi
            for m in level.channel_levels[:-1]
        ],
    )


SIDE = 5


def dense(module, c):
    """The matrix of a linear map on images of SIDE x SIDE pixels, column by column."""
    unit = torch.eye(c * SIDE**2, dtype=torch.float64).view(-1, c, SIDE, SIDE)
    return module(unit).flatten(1).T.numpy()


def images(c, seed):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(1, c, SIDE, SIDE, dtype=torch.float64, generator=draw)


def relative(a, b):
    return float(np.abs(np.asarray(a) - np.asarray(b)).max() / np.abs(np.asarray(b)).max())


def matrices(sic, c):
    fine, coarse = sic.level.channel_levels
    return SimpleNamespace(
        A=dense(fine.A, c),
        S=np.eye(c * SIDE**2) - dense(fine.smoothers[0].B, c) @ dense(fine.A, c),
        R=dense(fine.R, c),
        Pi=dense(fine.Pi, c),
        P=dense(fine.P, c // 2),
        A2=dense(coarse.A, c // 2),
        B2=dense(coarse.smoothers[0].B, c // 2),
    )


@pytest.mark.parametrize(("eta_pre", "eta_post"), [(1, 1), (1, 2), (2, 1)])
def test_linear_sic_is_the_two_level_operator_of_dense_matrices(eta_pre, eta_post):
    c = 8
    sic = linear_sic((c, c // 2), "fas", 0, eta_pre, eta_post)
    m = matrices(sic, c)
    # u' - Pi u after the coarse steps, from the restricted residual: sum_j (I - B'A')^j B'
    S2 = np.eye(len(m.A2)) - m.B2 @ m.A2
    powers = (np.linalg.matrix_power(S2, j) for j in range(eta_pre + eta_post))
    solve = reduce(np.add, powers) @ m.B2
    correction = np.eye(len(m.A)) - m.P @ solve @ m.R @ m.A
    power = np.linalg.matrix_power
    E = power(m.S, eta_post) @ correction @ power(m.S, eta_pre)
    solution, u = images(c, 1), images(c, 2)
    after = sic.run(sic.A(solution), u)
    expected = solution.numpy().ravel() - E @ (solution - u).numpy().ravel()
    assert relative(after.numpy().ravel(), expected) < 1e-12


def test_how_the_steps_are_divided_leaves_the_eigenvalues_of_two_levels_alone():
    """Corollary 8: the spectrum of E, by applying the cycle to all unit errors."""
    c, spectra, norms = 8, [], []
    for etas in ((2, 1), (1, 2), (3, 0)):
        sic = linear_sic((c, c // 2), "fas", 0, *etas)
        E = dense(lambda e, run=sic.run: run(torch.zeros_like(e), e), c)
        spectra.append(np.linalg.eigvals(E))
        norms.append(np.linalg.norm(E, 2))
    radii = [np.abs(s).max() for s in spectra]
    np.testing.assert_allclose(radii, radii[0], rtol=1e-10)
    traces = [[(s**p).sum().real for p in (1, 2, 3)] for s in spectra]
    np.testing.assert_allclose(traces, traces[:1] * 3, rtol=1e-10)
    assert max(norms) / min(norms) > 1.001  # where they differ is the norm


@pytest.mark.parametrize("widths", [(8, 4), (16, 8, 4)])
def test_fas_does_not_depend_on_pi_and_keeps_a_solution(widths):
    sic = linear_sic(widths, "fas")
    f, u = images(widths[0], 1), images(widths[0], 2)
    before = sic.run(f, u)
    assert relative(sic.run(sic.A(u), u), u) < 1e-12
    for Pi in sic.Pis:
        Pi.weight.copy_(torch.randn_like(Pi.weight))
    assert relative(sic.run(f, u), before) < 1e-12
    assert relative(sic.run(sic.A(u), u), u) < 1e-12


@pytest.mark.parametrize("widths", [(8, 4), (16, 8, 4)])
def test_the_printed_correction_has_neither_property(widths):
    sic = linear_sic(widths, "printed")
    f, u = images(widths[0], 1), images(widths[0], 2)
    before = sic.run(f, u)
    assert relative(sic.run(sic.A(u), u), u) > 0.1
    for Pi in sic.Pis:
        Pi.weight.copy_(torch.randn_like(Pi.weight))
    assert relative(sic.run(f, u), before) > 0.1


def test_the_printed_correction_adds_p_pi_u_to_that_of_fas():
    c = 8
    fas, printed = linear_sic((c, c // 2), "fas"), linear_sic((c, c // 2), "printed")
    m = matrices(fas, c)
    f, u = images(c, 1), images(c, 2)
    smoothed = u.numpy().ravel() + (np.eye(len(m.A)) - m.S) @ np.linalg.solve(
        m.A, (f - fas.A(u)).numpy().ravel()
    )
    extra = m.S @ m.P @ m.Pi @ smoothed
    expected = fas.run(f, u).numpy().ravel() + extra
    rounding = 1e-15 * np.linalg.cond(m.A)  # of the solve on this side
    assert relative(printed.run(f, u).numpy().ravel(), expected) < 1e-12 + 10 * rounding


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("transfer_norms", ["none", "resolution", "all"])
def test_the_nonlinear_network_does_not_depend_on_pi_either(transfer_norms, training):
    # A is linear, and so the full approximation scheme is the correction scheme, whatever B is:
    # without Pi the coarse levels start from zero, and the network is the same.
    torch.manual_seed(3)
    config = replace(TINY, correction="fas", transfer_norms=transfer_norms, eta_post=2)
    net = config.build().double().train(training)
    x = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    before = net(x)
    net.load_state_dict(state)  # the statistics, too
    for level in net.levels:
        for channel_level in level.channel_levels:
            channel_level.Pi = None
    torch.testing.assert_close(net(x), before, rtol=0, atol=1e-12)


@pytest.mark.parametrize("correction", ["fas", "printed"])
def test_a_solution_stays_in_the_nonlinear_cycle_while_no_bias_is_positive(correction):
    # In training mode a norm takes 0 to its bias, which is 0 at the start. Rounding in the
    # residual, 1e-14, is amplified by 1 / sqrt(eps) = 316 in each norm, and there are two a step.
    torch.manual_seed(4)
    config = MGiaDConfig(channels=(16,), coarsest=4, group_size=2, correction=correction)
    level = config.build().double().levels[0]
    u = torch.randn(6, 16, 5, 5, dtype=torch.float64)

    def moved():
        f = level.channel_levels[0].A(u)
        return relative(level.sic(multigrid.start(f, u)).u.detach(), u)

    assert moved() < 1e-7 if correction == "fas" else moved() > 0.1
    norms = [m for m in level.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:  # ReLU takes a negative bias to zero
        norm.bias.data.fill_(-0.1)
    assert moved() == 0 if correction == "fas" else moved() > 0.1
    level.channel_levels[0].smoothers[0].norm_out.bias.data.fill_(0.1)
    assert moved() > 0.01


def test_without_pi_the_network_of_fas_is_cheaper():
    net = models.named("mgiad-lam3-c64-g4", correction="fas").build()
    assert (count_weights(net), count_macs(net, 32)) == (1_020_106, 425_372_160)
    for level in net.levels:
        for channel_level in level.channel_levels:
            channel_level.Pi = None
    assert count_weights(net) == 1_020_106 - 3_456
    pixels = [32**2, 16**2, 8**2, 4**2]  # Pi takes a product for each channel and pixel
    halved = [widths[:-1] for widths in net.config.channel_widths]
    spent = sum(n * sum(c) for n, c in zip(pixels, halved, strict=True))
    assert count_macs(net, 32) == 425_372_160 - spent


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("correction", ["printed", "fas"])
@pytest.mark.parametrize(("gamma", "norms"), [(2, "none"), (2, "all"), (3, "resolution")])
def test_a_w_cycle_in_channels_equals_the_literal_algorithm(gamma, norms, correction, training):
    # 16 channels have the levels 16, 8, 4, 2: with gamma = 2 they are visited 1, 2, 4, 4 times
    torch.manual_seed(3)
    config = MGiaDConfig(channels=(4, 16), coarsest=2, group_size=2, gamma=gamma)
    config = replace(config, correction=correction, transfer_norms=norms)
    assert config.channel_widths == ((4, 2), (16, 8, 4, 2))
    visits = [1 + len(m.again) for m in config.build().levels[1].channel_levels]
    assert visits == [1, gamma, gamma**2, gamma**2]
    hold(config, torch.randn(4, 3, 9, 9, dtype=torch.float64), training)


def test_a_linear_w_cycle_in_channels_is_the_one_of_the_algebra():
    torch.manual_seed(1)
    config = MGiaDConfig((16,), coarsest=2, group_size=2, gamma=2, norm="none", activation="none")
    config = replace(config, correction="fas")
    level = config.build().double().levels[0]
    levels = [m.level() for m in level.channel_levels]
    f, u = torch.randn(2, 3, 16, 5, 5, dtype=torch.float64).unbind()
    with torch.no_grad():
        for gamma, equal in ((2, True), (1, False)):
            theirs = multigrid.cycle(levels, multigrid.start(f, u, linear=True), gamma)
            ours = level.sic(multigrid.start(f, u, linear=True))
            assert torch.allclose(ours.u, theirs.u, rtol=0, atol=1e-12) is equal


def visits(widths, gamma):
    """How often a cycle comes to each of its channel levels."""
    return [gamma ** min(k, max(len(widths) - 2, 0)) for k in range(len(widths))]


@pytest.mark.parametrize("name", ["mgiad-20-g4", "poly-mgiad-20-g4"])
def test_a_w_cycle_adds_norms_and_nothing_else(name):
    one, two = (models.named(name, gamma=gamma, coarsest=4).build() for gamma in (1, 2))
    before = dict(one.named_parameters())
    added = {n: p for n, p in two.named_parameters() if n not in before}
    assert added and all(".again." in n and p.ndim == 1 for n, p in added.items())
    extra = sum(
        (n - 1) * (8 * c + 2 * c * (c > widths[-1]))  # two steps have four norms, and P has one
        for widths in one.config.channel_widths
        for c, n in zip(widths, visits(widths, 2), strict=True)
    )
    assert sum(p.numel() for p in added.values()) == extra


@pytest.mark.parametrize("etas", [(1, 0), (1, 1), (2, 0), (2, 1)])
@pytest.mark.parametrize("gamma", [1, 2, 3])
def test_the_multiplications_of_a_cycle_are_the_chapters(gamma, etas):
    """B: eta a visit. A: one less on the coarsest level, one more where a cycle begins anew."""
    eta, g_s, pixels, stem_and_head = sum(etas), 2, 36, 9 * 3 * 16 * 36 + 16 * 10
    config = MGiaDConfig((16,), coarsest=2, group_size=g_s, gamma=gamma)
    config = replace(config, eta_pre=etas[0], eta_post=etas[1])
    (widths,) = config.channel_widths
    v, total = visits(widths, gamma), 0
    for k, c in enumerate(widths):
        coarsest, anew = k + 1 == len(widths), v[k] - v[k - 1] if k else 0
        A = v[k] * (eta - coarsest) + anew
        total += 9 * c * (c if coarsest else g_s) * pixels * (v[k] * eta + A)
        total += 0 if coarsest else 3 * c * pixels * v[k]  # R, Pi, P
    assert count_macs(config, 6) == total + stem_and_head


def test_the_chapters_table_of_cycles():
    fine, coarse = {"coarsest": 16}, {"coarsest": 4}
    rows = {
        "V": (fine, 1, 1, 1), "backslash": (fine, 1, 2, 0),
        "V, deep": (coarse, 1, 1, 1), "W": (coarse, 2, 1, 1), "W, one step": (coarse, 2, 1, 0),
    }  # fmt: skip
    macs, weights = {}, {}
    for name, (width, gamma, pre, post) in rows.items():
        config = models.named("mgiad-20-g4", gamma=gamma, eta_pre=pre, eta_post=post, **width)
        config = replace(config, in_channels=1)
        macs[name], weights[name] = count_macs(config, 28), count_weights(config)
        shown = (
            width["coarsest"],
            f"{pre}, {post}",
            f"{weights[name]:,}",
            f"{macs[name]:,}",
        )
        says("mgiad", f"| {name.split(',')[0]} | {' | '.join(map(str, shown))} |")
    # as the page has them
    assert list(macs.values()) == [11_040_928, 11_040_928, 6_648_568, 11_064_448, 6_209_920]
    assert list(weights.values()) == [27_642, 27_642, 20_514, 22_706, 20_946]
    assert macs["W, one step"] / macs["V, deep"] == pytest.approx(0.93, abs=0.005)
    says("mgiad", "takes 93 per cent of the V-cycle's multiplications")
