"""The constrained model: counts, the literal algorithm, and steps that enlarge no error."""

import json
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from mgtutorial import _paths, models
from mgtutorial.errors import InvalidValue
from mgtutorial.models import ConstrainedConfig
from mgtutorial.multigrid import State
from mgtutorial.spectra import operator_norm

from ..project.prose import says
from .literal import batch_norm
from .literal_poly import shaken


def literal(x, state, config, training):
    """The algorithm as it is written, every residual computed anew."""
    s = F.relu if config.activation == "relu" else lambda v: v

    def conv(name, v, **options):
        return F.conv2d(v, state[name], padding=1, **options)

    f = s(batch_norm(conv("stem.0.weight", x), state, "stem.1", training))
    u = torch.zeros_like(f)
    for level, c in enumerate(config.channels):
        A = state[f"levels.{level}.A.weight"]
        adjoint = A.transpose(0, 1).flip(2, 3)  # as a convolution of its own
        for i in range(config.steps):
            omega = state[f"levels.{level}.steps.{i}"]
            if config.bounded:  # the power method makes a step in a pass of training
                v = state[f"levels.{level}.wave"]
                if training:
                    v = periodic(adjoint, periodic(A, v)).detach() if not i else v
                    v = v / v.norm()
                    state[f"levels.{level}.wave"] = v
                omega = 2 / (1 + torch.exp(-omega)) / periodic(A, v).square().sum()
            r = f - F.conv2d(u, A, padding=1)
            u = s(u + omega * F.conv2d(r, adjoint, padding=1))
        if level + 1 < len(config.channels):
            at, down = f"levels.{level}", {"stride": 2, "groups": c}
            r = conv(f"{at}.R.0.weight", f - F.conv2d(u, A, padding=1), **down)
            r = batch_norm(r, state, f"{at}.R.1", training)
            u = conv(f"{at}.Pi.0.weight", u, **down)
            u = s(batch_norm(u, state, f"{at}.Pi.1", training))
            f = r + conv(f"levels.{level + 1}.A.weight", u)
    return u.mean((2, 3)) @ state["head.linear.weight"].T + state["head.linear.bias"]


def periodic(kernel, v):
    return F.conv2d(F.pad(v, (1, 1, 1, 1), mode="circular"), kernel)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("activation", "bounded"), [("relu", False), ("none", False), ("relu", True)]
)
@pytest.mark.parametrize("steps", [1, 3])
def test_it_equals_the_literal_algorithm(steps, activation, bounded, training):
    torch.manual_seed(steps)
    config = ConstrainedConfig((4, 8), steps, activation=activation, bounded=bounded)
    net, state = shaken(config.build(), 1.0)
    net.train(training)
    x = torch.randn(4, 3, 12, 10, dtype=torch.float64)
    ours, theirs = net(x), literal(x, state, config, training)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    target = torch.randn(4, 10, dtype=torch.float64)
    (ours * target).sum().backward()
    (theirs * target).sum().backward()
    for name, p in net.named_parameters():
        size = max(1.0, float(state[name].grad.abs().max()))
        torch.testing.assert_close(p.grad, state[name].grad, rtol=0, atol=1e-11 * size, msg=name)


@pytest.mark.parametrize("name, weights", [("constrained", 1_382_482), ("constrained-20", 51_619)])
def test_weights_are_the_formulas(name, weights):
    config = models.named(name)
    c, n = config.channels, config.steps
    stem, head = 27 * c[0] + 2 * c[0], 10 * (c[-1] + 1)
    levels = sum(9 * w * w + n for w in c) + sum(18 * w + 4 * w for w in c[1:])
    assert models.count_weights(config) == stem + levels + head == weights
    says("transposes", f"| {weights:,} |")


def test_what_the_page_says_of_a_hundred_steps():
    lines = (_paths.checkout() / "results/hundred_steps.jsonl").read_text("utf-8").splitlines()
    found = {r["network"]: r for r in map(json.loads, lines)}
    small, large = found["constrained-20"], found["constrained"]
    assert small["loss_last_10"] < small["loss_first_10"] and small["steps"] == 100
    assert not large["finite"] and large["steps"] == 60
    says("transposes", "the loss of the small network falls, and the large one diverges after 60")


def test_without_norms_the_features_of_a_fresh_network_fade():
    """In size, on the coarsest of three levels; with them they keep the size of the data."""
    torch.manual_seed(0)
    sizes = {}
    for norm in ("batch", "none"):
        net, x = ConstrainedConfig((16, 32, 64), 3, norm=norm).build(), torch.randn(32, 3, 28, 28)
        first, *_, last = (float(s.u.abs().mean().detach()) for s in net.states(x))
        sizes[norm] = last / first
    assert sizes["none"] < 0.05 < 0.5 < sizes["batch"]
    says("transposes", "without the norms the features of a fresh network fade from level to level")


def test_multiplications_are_those_of_mgnet():
    """B = omega A^T costs what B costs."""
    for ours, theirs in (("constrained", "mgnet"), ("constrained-20", "mgnet-20")):
        assert models.count_macs(models.named(ours), 32) == models.count_macs(
            models.named(theirs), 32
        )


@pytest.mark.parametrize("seed", range(5))
def test_a_step_enlarges_no_error_whatever_a_is(seed):
    """Proposition 2 (b), for the operator of a network and the omega that it starts with."""
    torch.manual_seed(seed)
    net = ConstrainedConfig((6,), 1).build().double()
    (level,) = net.levels
    solution = torch.relu(torch.randn(3, 6, 9, 7, dtype=torch.float64))
    f = level.A(solution)
    (step,) = level.level().pre
    u = torch.relu(torch.randn_like(solution))
    assert float(level.steps[0].detach()) <= 2 / operator_norm(level.A, (9, 7), "zeros") ** 2
    for _ in range(20):
        s = step(State(u, None, f - level.A(u)))
        linear = (solution - u) - level.steps[0] * level.adjoint(level.A(solution - u))
        assert (solution - s.u).norm() <= linear.norm() * (1 + 1e-12)
        assert linear.norm() <= (solution - u).norm()
        assert bool((s.u >= 0).all())
        u = s.u.detach()


def test_the_adjoint_is_the_transpose():
    level = ConstrainedConfig((5,), 1).build().double().levels[0]
    u, v = torch.randn(2, 1, 5, 6, 7, dtype=torch.float64)
    torch.testing.assert_close((level.A(u) * v).sum(), (u * level.adjoint(v)).sum())


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"steps": 0}, "steps=0: it must be a whole number"),
        ({"channels": (8, 12)}, "12 is no multiple of 8"),
        ({"channels": ()}, r"channels=\(\): give one positive width"),
    ],
)
def test_bad_configs_are_sentences(changes, said):
    with pytest.raises(InvalidValue, match=said):
        replace(ConstrainedConfig(), **changes)


def test_a_bounded_networks_steps_stay_in_their_range_whatever_is_trained():
    """At a rate at which a network without the bound leaves it and diverges."""
    torch.manual_seed(0)
    x, y = torch.randn(32, 3, 12, 12), torch.randint(0, 10, (32,))
    worst = {}
    for bounded in (True, False):
        net = ConstrainedConfig((8, 16), 3, bounded=bounded).build()
        optimiser, worst[bounded] = torch.optim.SGD(net.parameters(), 0.5, 0.9), 0.0
        for _ in range(40):
            optimiser.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimiser.step()
            for level in net.eval().levels:
                norm = operator_norm(level.A, (8, 8))
                most = max(float(omega.detach()) for omega in level.omegas())
                worst[bounded] = max(worst[bounded], most * norm**2)
            net.train()
    assert worst[True] < 2 < worst[False]


def test_a_bounded_network_starts_in_the_middle_of_its_range():
    torch.manual_seed(1)
    for level in ConstrainedConfig((8, 16, 16), bounded=True).build().levels:
        norm = operator_norm(level.A, (8, 8))
        for omega in level.omegas():  # the power method is a lower bound of the norm
            assert 1 <= float(omega.detach()) * norm**2 * (1 + 1e-6) < 1.1


@pytest.mark.parametrize("training", [True, False])
def test_a_bounded_network_whose_operator_is_zero_stays_finite(training):
    net = ConstrainedConfig((4, 8), bounded=True).build().train(training)
    net.levels[0].A.weight.data.zero_()
    for _ in range(2):
        out = net(torch.randn(3, 3, 8, 8))
        out.square().sum().backward()
    assert out.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("seed", [0, 1])
def test_the_norm_on_periodic_images_beside_that_of_a_level(seed):
    found = {}
    for name, level, side in (("constrained-20", 1, 14), ("constrained", 3, 4)):
        torch.manual_seed(seed)
        A = models.named(name).build().requires_grad_(False).levels[level].A
        level_itself = operator_norm(A, (side, side), padding_mode="zeros")
        found[side] = float(operator_norm(A, (8, 8)) / level_itself)
    assert abs(found[14] - 1) < 0.02 and 1.10 < found[4] < 1.13
    says("transposes", "it is right within 2 per cent on 14 × 14 points, and 10 to 13 per cent too")
