"""Poly-MgNet: exact counts, the literal algorithm, training, bad input."""

import json

import numpy as np
import pytest
import torch

from mgtutorial import models
from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.models import PolyMgNetConfig, poly_steps
from mgtutorial.models.counting import count_macs, count_weights, weights_by_part
from mgtutorial.training import protocols
from mgtutorial.training.loop import train
from mgtutorial.training.workspace import Workspace

from .literal_poly import COEFFICIENTS, FIXED, poly_mgnet, shaken

WEIGHTS = {
    "poly-mgnet-q2": 1_386_706,
    "poly-mgnet-g4": 1_386_706,
    "poly-mgnet-g6": 1_389_526,
    "poly-mgnet-g8": 1_392_346,
    "poly-mgnet-g6-pair": 1_389_530,
    "poly-mgnet-g8-pair": 1_392_350,
    "poly-mgnet-q2-x0.35": 169_000,
    "poly-mgnet-q2-x0.71": 690_318,
    "poly-mgnet-q2-x1.41": 2_729_268,
    "poly-mgnet-q2-x2.83": 10_973_686,
}
PLACEMENTS = sorted(poly_steps.PLACEMENTS)
PARAMETRISATIONS = poly_steps.PARAMETRISATIONS


# ---------------------------------------------------------------------------- counts


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_are_those_of_the_public_code(name):
    assert count_weights(models.named(name)) == WEIGHTS[name]


def formula(c, steps, c0=3, m=10):
    """The chapter's formula, with two norms a step."""
    numbers = sum(poly_steps.KINDS[kind] for kind in steps)
    levels = sum(9 * w * w + 4 * len(steps) * w + numbers for w in c)
    return 9 * c0 * c[0] + 2 * c[0] + levels + 18 * sum(c[1:]) + 18 * c[0] + (c[-1] + 1) * m


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_chapters_formula_is_the_count(name):
    config = models.named(name)
    assert formula(config.channels, config.steps) == WEIGHTS[name]


@pytest.mark.parametrize("steps", [("p2",), ("p3",), ("p3", "linear"), ("p8", "p2")])
def test_the_chapters_formula_counts_coefficients_too(steps):
    config = models.named("poly-mgnet-q2", steps=steps)
    assert count_weights(config) == formula(config.channels, steps)


def test_one_step_of_degree_three_saves_three_pairs_of_norms():
    one = count_weights(models.named("poly-mgnet-q2", steps=("p3",)))
    four = count_weights(models.named("poly-mgnet-q2", steps=("linear",) * 4))
    assert one == 1_383_898 and four - one == 4 * 3 * 704  # as many numbers


def test_it_is_mgnet_without_B_but_for_one_number_a_step():
    poly, mgnet = count_weights(models.named("poly-mgnet-q2")), count_weights(models.named("mgnet"))
    assert mgnet - poly == 9 * (64**2 + 128**2 + 2 * 256**2) - 8


@pytest.mark.parametrize("steps", ["q2", "g6"])
def test_weights_grow_with_the_square_of_the_width_and_are_half_of_mgnets(steps):
    def widths(b):
        return (b, 2 * b, 4 * b, 4 * b)

    poly = [count_weights(PolyMgNetConfig(widths(b), steps)) for b in (1024, 2048)]
    mgnet = count_weights(models.MgNetConfig(widths(2048)))
    assert abs(np.log2(poly[1] / poly[0]) - 2) < 0.05
    assert abs(poly[1] / mgnet - 0.5) < 0.01


def test_a_step_holds_only_the_norms_that_it_uses():
    def norms(**changes):
        net = PolyMgNetConfig(channels=(8,), steps=("linear",), **changes).build()
        return sum(isinstance(m, torch.nn.BatchNorm2d) for m in net.levels.modules())

    assert norms() == 2
    assert norms(placement="plain", residual="norm") == 1
    assert norms(placement="relu-outside-bare", residual="plain") == 0


@pytest.mark.parametrize("name", ["q2", "g4", "g6-pair"])
def test_multiplications_are_those_of_the_applications_of_A(name):
    config = models.named(f"poly-mgnet-{name}")
    per_level = {"q2": 1, "g4": 3, "g6-pair": 5}[
        name
    ]  # of the steps, the first residual being free
    expected, side = 32**2 * 27 * 64 + 256 * 10, 32
    for i, c in enumerate(config.channels):
        last = i == len(config.channels) - 1
        # the last residual on the way out, but on the last level; none on the way in
        applications = per_level + (not last)
        expected += applications * 9 * c * c * side**2
        if not last:
            side //= 2
            expected += 2 * 9 * config.channels[i + 1] * side**2
    assert count_macs(config, 32) == expected


def test_the_numbers_are_the_role_roots():
    parts = weights_by_part(models.named("poly-mgnet-g6-pair"))
    assert {part.level: n for part, n in parts.items() if part.role == "roots"} == {
        1: 4, 2: 4, 3: 4, 4: 4,
    }  # fmt: skip
    assert not [part for part in parts if part.role in ("B", "other")]


def test_fixed_roots_are_no_weights():
    trained, fixed = (count_weights(PolyMgNetConfig(train_roots=t)) for t in (True, False))
    assert trained - fixed == 8


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_config_survives_its_record(name):
    config = models.named(name, roots=("uniform", 1, 2))
    assert models.from_dict(json.loads(json.dumps(models.as_dict(config)))) == config


# --------------------------------------------------------- against the literal algorithm


def assert_literal(config, training):
    """The bars, for data of size 1, and for data so small that batch norm's eps matters.

    In the first case the gradient of a number behind a norm is all cancellation (a proposition of
    the chapter, and a test below), and has no digits of its own; in the second it has.
    """
    for size, cancelled in ((1.0, 1e-5), (3e-3, 1e-9)):
        torch.manual_seed(0)
        net, state = shaken(config.build(), size)
        net.train(training)
        x = torch.randn(4, 3, 12, 10, dtype=torch.float64)
        target = torch.randn(4, 10, dtype=torch.float64)
        ours = net(x)
        theirs = poly_mgnet(
            x, state, config.channels, config.each_step(), config.parametrisation, training,
            end=config.end == "relu",
        )  # fmt: skip
        scale = max(1.0, float(theirs.detach().abs().max()))  # nothing bounds a step without norms
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12 * scale)
        (ours * target).sum().backward()
        (theirs * target).sum().backward()
        compare_gradients(net, state, cancelled)
        for name, buffer in net.named_buffers():
            if "running" in name:
                bound = 1e-12 * max(1.0, float(buffer.abs().max()))
                torch.testing.assert_close(buffer, state[name], rtol=0, atol=bound)


def compare_gradients(net, state, cancelled):
    errors, sizes = {}, {}
    for name, p in net.named_parameters():
        zero = torch.zeros_like(p)
        got = zero if p.grad is None else p.grad
        expected = zero if state[name].grad is None else state[name].grad
        errors[name] = float((got - expected).abs().max())
        sizes[name] = float(expected.abs().max())
    largest = max(sizes.values())
    own = []
    for name, error in errors.items():
        assert error <= 1e-12 * largest, name
        if sizes[name] > cancelled * largest:
            own.append(name)
            assert error <= 1e-9 * sizes[name], name
    assert sum(".A." in name for name in own), "no operator was compared"


STARTS = FIXED | COEFFICIENTS
EVERY = [
    (kind, placement)
    for kind in sorted(STARTS)
    for placement in PLACEMENTS
    if (kind, placement) != ("linear", "norm-A")  # no A-term: refused, see below
]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("kind", "placement"), EVERY)
def test_every_kind_and_placement_equals_the_literal_algorithm(kind, placement, training):
    for steps in ((kind,), (kind, kind)):
        roots = ("fixed", *(v for k in steps for v in STARTS[k]))
        assert_literal(PolyMgNetConfig((4, 8), steps, placement, roots=roots), training)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("residual", poly_steps.RESIDUALS)
@pytest.mark.parametrize("placement", ["outside", "relu-outside"])
def test_every_residual_equals_the_literal_algorithm(placement, residual, training):
    steps, roots = ("linear", "pair"), ("fixed", 0.8, 0.9, 1.1)
    config = PolyMgNetConfig((4, 8, 8), steps, placement, residual, roots=roots)
    assert_literal(config, training)


@pytest.mark.parametrize("parametrisation", PARAMETRISATIONS)
@pytest.mark.parametrize("name", ["q2", "g4", "g6", "g8", "g6-pair", "g8-pair"])
def test_the_named_networks_equal_the_literal_algorithm(name, parametrisation):
    config = models.named(
        f"poly-mgnet-{name}",
        channels=(4, 8, 16),
        parametrisation=parametrisation,
        roots=("uniform", 0.8, 1.6),  # at a root near zero rounding would be all there is
    )
    for training in (True, False):
        assert_literal(config, training)


def test_the_bare_end_of_a_level_equals_the_literal_algorithm():
    assert_literal(PolyMgNetConfig((4, 8, 8), end="none"), training=True)


# ----------------------------------------------------------------- training, bad input


@pytest.mark.parametrize("name", ["q2", "g4"])
def test_digits_are_learned(tmp_path, name):
    model = models.named(f"poly-mgnet-{name}", channels=(16, 32, 64))
    config = protocols.configure(model, "digits", "smoke", n_train=None, lr=0.1)
    assert train(config, Workspace(tmp_path / "runs")).metric.value > 0.95


@pytest.mark.parametrize("size", [8, 28, 32])
def test_small_and_grey_images(size):
    net = models.named("poly-mgnet-g6-pair", in_channels=1, num_classes=7, channels=(8, 16, 32))
    with torch.no_grad():
        assert net.build().eval()(torch.zeros(2, 1, size, size)).shape == (2, 7)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"steps": "q4"}, UnknownName, "unknown polynomial 'q4'.*q2, g4, g6, g8"),
        ({"steps": ("linear", "cubic")}, UnknownName, "kind of step 'cubic'.*linear, double"),
        ({"steps": ("p2",), "roots": "spectrum"}, InvalidValue, "four roots.*choose 'p3'"),
        ({"steps": ("p2",), "roots": ("fixed", 1, 2)}, InvalidValue, "3 finite.*coefficients"),
        ({"steps": ()}, InvalidValue, "steps=.*at least one"),
        ({"placement": "inside"}, UnknownName, "unknown placement 'inside'"),
        ({"placement": ("plain",) * 3}, InvalidValue, "placement=.*each of the 2"),
        ({"placement": "norm-A"}, InvalidValue, "norm-A.*linear step does not have"),
        ({"residual": "relu"}, UnknownName, "did you mean 'norm-relu'"),
        ({"parametrisation": "roots"}, UnknownName, "parametrisation 'roots'"),
        ({"end": "norm"}, UnknownName, "end of a level 'norm'"),
        ({"roots": "xaver"}, UnknownName, "did you mean 'xavier'"),
        ({"roots": ()}, UnknownName, "law of the initial roots ''"),
        ({"roots": ("uniform", 3, 2)}, InvalidValue, "the lesser one first"),
        ({"roots": ("uniform", 1, float("nan"))}, InvalidValue, "two finite numbers"),
        ({"roots": ("fixed", 1.0)}, InvalidValue, "takes 2 finite numbers: one for each step"),
        ({"roots": ("spectrum", 2)}, InvalidValue, "'spectrum' takes no numbers"),
        ({"roots": ("fixed", 1.0, 0.0)}, InvalidValue, "a root at 0: .* not zero"),
        (
            {"steps": ("pair",), "roots": ("fixed", -1.0, 1.0)},
            InvalidValue,
            "'public' ignores its sign",
        ),
        ({"steps": ("pair",), "roots": "spectrum"}, InvalidValue, "either; choose 'root'"),
        ({"channels": (16, 24)}, InvalidValue, "24 is no multiple of 16"),
        ({"channels": ()}, InvalidValue, "one positive width"),
        ({"in_channels": 0}, InvalidValue, "in_channels=0"),
    ],
)
def test_bad_configurations_are_sentences(changes, error, words):
    with pytest.raises(error, match=words):
        PolyMgNetConfig(**changes)


def test_images_that_do_not_fit_are_sentences():
    net = PolyMgNetConfig((4, 8, 8, 8)).build()
    with pytest.raises(InvalidValue, match="can be halved 2 times"):
        net(torch.zeros(2, 3, 4, 4))
    with pytest.raises(InvalidValue, match="in_channels"):
        net(torch.zeros(2, 1, 32, 32))
