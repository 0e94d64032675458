"""Poly-MGiaD: counts, the literal algorithm, and what its steps are in exact arithmetic."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mgtutorial import models
from mgtutorial.errors import InvalidValue
from mgtutorial.models import PolyMGiaDConfig, poly_steps, spectrum

from ..project.prose import says
from .literal_mgiad import mgiad
from .literal_poly import FIXED, shaken

NAMES = [n for n, config in models.CONFIGS.items() if isinstance(config, PolyMGiaDConfig)]


def formula(config, c0, m):
    """Weights, level by level: A, numbers, two norms a step, and all that MGiaD has beside B."""
    numbers = sum(poly_steps.KINDS[kind] for kind in config.steps)
    first, last = config.channel_widths[0][0], config.channel_widths[-1][0]
    total = 9 * c0 * first + 2 * first + (last + 1) * m  # stem and head
    for widths in config.channel_widths:
        for k, c in enumerate(widths):
            group = config.group_size if k + 1 < len(widths) else c
            total += 9 * c * group + numbers + 4 * c * len(config.steps)
            if k + 1 < len(widths):
                total += 3 * c + 2 * c  # R, Pi, P and its norm
    return total + 18 * sum(w[0] for w in config.channel_widths[1:])


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_the_formulas(name):
    config = models.named(name)
    assert models.count_weights(config) == formula(config, 1, 10)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_mgiad_without_b_at_equal_multiplications(name):
    theirs = models.named(name.removeprefix("poly-").removesuffix("-double"))
    ours = models.named(name)
    assert models.count_macs(ours, 28) == models.count_macs(theirs, 28)
    numbers = sum(poly_steps.KINDS[kind] for kind in ours.steps)
    without = sum(
        9 * c * (theirs.group_size if k + 1 < len(widths) else c) - numbers
        for widths in theirs.channel_widths
        for k, c in enumerate(widths)
    )
    assert models.count_weights(theirs) - models.count_weights(ours) == without


def test_the_chapters_table():
    saved = []
    for g_s, weights in ((4, 16_146), (8, 20_754), (16, 29_970)):
        theirs, ours = (models.named(f"{kind}-20-g{g_s}") for kind in ("mgiad", "poly-mgiad"))
        a, b = models.count_weights(theirs), models.count_weights(ours)
        assert b == weights
        says("mgiad", f"| $g_s = {g_s}$ | {a:,} | {b:,} | {models.count_macs(ours, 28):,} |")
        saved.append(round(100 * (1 - b / a)))
    says("mgiad", f"{saved[0]} to {saved[-1]} per cent fewer weights")


SMALL = PolyMGiaDConfig((4, 8), coarsest=4, group_size=2)
VARIANTS = {
    "pairs": {"steps": ("pair", "pair")},
    "double and pair": {"steps": ("double", "pair")},
    "one a side, plain": {"steps": ("linear", "repeated"), "placement": "plain"},
    "no post-smoothing": {"steps": ("pair",), "eta_post": 0},
    "fas": {"steps": ("pair", "linear"), "correction": "fas"},
    "W-cycle": {"steps": ("pair", "double"), "gamma": 2, "coarsest": 2},
    "norms in all transfers": {"steps": ("double", "double"), "transfer_norms": "all"},
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("variant", VARIANTS)
def test_it_equals_the_literal_algorithm(variant, training):
    steps = VARIANTS[variant]["steps"]
    roots = ("fixed", *(v for kind in steps for v in FIXED[kind]))
    torch.manual_seed(0)
    net, state = shaken(replace(SMALL, **VARIANTS[variant], roots=roots).build(), 1.0)
    for name, p in net.named_parameters(remove_duplicate=False):  # what visits share
        state.setdefault(name, next(state[n] for n, q in net.named_parameters() if q is p))
    net.train(training)
    x = torch.randn(4, 3, 12, 10, dtype=torch.float64)
    ours, theirs = net(x), mgiad(x, state, net.config, training)
    torch.testing.assert_close(
        ours, theirs, rtol=0, atol=1e-12 * float(theirs.detach().abs().max())
    )
    target = torch.randn(4, 10, dtype=torch.float64)
    (ours * target).sum().backward()
    (theirs * target).sum().backward()
    largest = max(float(state[n].grad.abs().max()) for n, _ in net.named_parameters())
    for name, p in net.named_parameters():
        assert float((p.grad - state[name].grad).abs().max()) <= 1e-11 * largest, name


def test_a_double_step_is_mgiads_with_b_equal_to_a():
    """The code's placement for it is a smoother's: the norm leaves nothing of the number but its
    sign. So the network is an MGiaD whose B is tied to A."""
    kinds = {"steps": ("double", "double"), "roots": ("fixed", 1.0, 1.0)}
    ours = replace(SMALL, **kinds).build().double()
    fields = models.MGiaDConfig.__dataclass_fields__
    theirs = models.MGiaDConfig(**{k: getattr(ours.config, k) for k in fields}).build().double()
    for mine, other in zip(ours.levels, theirs.levels, strict=True):
        for a, b in zip(mine.channel_levels, other.channel_levels, strict=True):
            b.smoothers[0].B.weight = b.A.weight = a.A.weight
            assert b.smoothers[1].B is b.smoothers[0].B
    shared = {k: v for k, v in ours.state_dict().items() if k in theirs.state_dict()}
    theirs.load_state_dict(dict(shared), strict=False)
    x = torch.randn(5, 3, 12, 12, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-12)


def test_a_linear_coarsest_level_multiplies_its_residual_by_q():
    """Without norms and activations: f - A u = q_2(A) q_1(A) f, with the roots that are there."""
    config = PolyMGiaDConfig(
        (4,), coarsest=4, norm="none", activation="none", parametrisation="root",
        steps=("pair", "linear"), roots=("fixed", 2.0, 1.0, 3.0),
    )  # fmt: skip
    net = config.build().double()
    (level,) = net.levels[0].channel_levels
    f = torch.randn(2, 4, 6, 6, dtype=torch.float64)
    s = net.descend(f)

    def q(r):
        r = r - (2 * 2 * level.A(r) - level.A(level.A(r))) / (2**2 + 1**2)
        return r - level.A(r) / 3

    torch.testing.assert_close(f - level.A(s.u), q(f), rtol=0, atol=1e-12)
    np.testing.assert_allclose(sorted(level.roots()[0].imag), [-1, 1], atol=1e-6)


def test_the_spectrum_of_an_operator_in_groups_is_that_of_the_dense_one():
    weight = torch.randn(6, 2, 3, 3, dtype=torch.float64)
    dense = torch.zeros(6, 6, 3, 3, dtype=torch.float64)
    for c in range(6):
        dense[c, c // 2 * 2 : c // 2 * 2 + 2] = weight[c]
    ours, theirs = (np.sort_complex(np.round(spectrum(w), 9)) for w in (weight, dense))
    np.testing.assert_allclose(ours, theirs, atol=1e-8)


def test_roots_start_on_each_channel_levels_spectrum():
    config = replace(SMALL, steps=("linear", "linear"), parametrisation="root", roots="spectrum")
    torch.manual_seed(3)
    for level in config.build().levels:
        for channels in level.channel_levels:
            z = spectrum(channels.A.weight).real
            roots = [float(np.squeeze(r).real) for r in channels.roots()]
            np.testing.assert_allclose(roots, [z.min(), z.max()], rtol=1e-5)


def test_it_survives_its_record():
    config = models.named("poly-mgiad-20-g4", roots=("uniform", 1, 2))
    assert models.from_dict(json.loads(json.dumps(models.as_dict(config)))) == config


def assigned(net):
    return net.load_state_dict({k: v.clone() for k, v in net.state_dict().items()}, assign=True)


WAYS = {
    "assigned": assigned,
    "assigned to meta": lambda net: assigned(net) and net.to("meta"),
    "to empty": lambda net: net.to("meta").to_empty(device="cpu"),
    "in double precision": lambda net: net.double(),
    "copied": lambda net: None,
}


@pytest.mark.parametrize("way", WAYS)
def test_visits_share_their_numbers_wherever_new_ones_come_from(way, tmp_path):
    config = replace(SMALL, gamma=2, coarsest=1)
    net = copy.deepcopy(config.build())
    WAYS[way](net)
    assert models.count_weights(net) == models.count_weights(config)
    assert net.state_dict().keys() == config.build().state_dict().keys()
    for level in net.levels:
        for channels in level.channel_levels:
            for visit in channels.again:
                for mine, first in zip(visit.steps, channels.steps, strict=True):
                    assert mine.numbers is first.numbers
    if way == "assigned":
        models.save(tmp_path / "net.safetensors", net)


@pytest.mark.parametrize("changes", [{"eta_post": 2}, {"steps": ("pair",)}, {"steps": "g6"}])
def test_there_is_one_kind_for_each_step(changes):
    with pytest.raises(InvalidValue, match="one kind for each"):
        replace(SMALL, **changes)


@pytest.mark.parametrize(
    "name, matters",
    [("mgiad-20-g4", False), ("poly-mgiad-20-g4-double", False), ("poly-mgiad-20-g4", True)],
)
def test_pi_is_idle_under_fas_unless_a_norm_stands_around_all_features(name, matters):
    """Proposition 3 of MGiaD: a pair step looks at u itself, so its steps are outside of it."""
    torch.manual_seed(0)
    net = models.named(name, channels=(8, 16), coarsest=4, correction="fas").build().double()
    x = torch.randn(6, 1, 12, 12, dtype=torch.float64)
    before = net(x)
    for level in net.levels:
        for channel in level.channel_levels:
            if channel.Pi is not None:
                torch.nn.init.normal_(channel.Pi.weight)
    changed = (net(x) - before).abs().max().item()
    assert (changed > 1e-3) if matters else (changed < 1e-12)


def test_a_spectrum_is_that_of_an_array_too_and_of_complex_numbers():
    weight = torch.randn(4, 2, 3, 3)
    np.testing.assert_array_equal(spectrum(weight.numpy()), spectrum(weight))
    turned = np.sort_complex(np.round(spectrum(1j * weight), 6))
    np.testing.assert_allclose(turned, np.sort_complex(np.round(1j * spectrum(weight), 6)))


@pytest.mark.parametrize("shape", [(4, 8, 3, 3), (4, 3, 3, 3), (4, 4), (4, 0, 3, 3)])
def test_what_is_not_square_has_no_spectrum(shape):
    with pytest.raises(InvalidValue, match="has no eigenvalues"):
        spectrum(torch.ones(shape))
