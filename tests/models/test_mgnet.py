"""The networks: exact counts, and equality with a literal transcription of the papers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mgtutorial import models, multigrid
from mgtutorial.data import catalogue
from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.linalg import transfers
from mgtutorial.linalg.problems import poisson
from mgtutorial.linalg.smoothers import jacobi
from mgtutorial.models import MgNetConfig, ResNetConfig
from mgtutorial.models.config import PARTS
from mgtutorial.models.counting import count_macs, count_weights
from mgtutorial.models.implicit_function import ImplicitConfig
from mgtutorial.models.mgic import TransfersConfig
from mgtutorial.multigrid import start

from .literal import hold_against, mgnet

# The papers' counts, exactly (MGiaD Tables 1 and 3; He et al. for the ResNets).
WEIGHTS = {
    "mgnet": 2_750_666,
    "mgnet-a": 4_114_634,
    "mgnet-20": 101_242,
    # Poly-MgNet's four widths of MgNet
    "mgnet-x0.35": 330_164,
    "mgnet-x0.71": 1_364_635,
    "mgnet-x1.41": 5_426_560,
    "mgnet-x2.83": 21_883_091,
    "resnet18": 11_173_962,
    "resnet20": 269_722,
    "resnet56": 853_018,
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_are_the_published_integers(name):
    assert count_weights(models.named(name)) == WEIGHTS[name]


@pytest.mark.parametrize(
    ("changes", "weights"),
    [({"num_classes": 100}, 2_773_796), ({"num_classes": 200}, 2_799_496)],
)
def test_weights_of_mgnet_on_the_other_data_sets(changes, weights):
    assert count_weights(models.named("mgnet", **changes)) == weights


def test_weights_of_mgnet_on_imagenet():
    assert count_weights(models.named("mgnet", num_classes=1000, stem="7x7")) == 3_012_776


def test_one_input_channel_takes_288_weights_off_mgnet_20():
    assert count_weights(models.named("mgnet-20", in_channels=1)) == 100_954


def test_the_unused_transfers_are_288_weights_that_no_gradient_reaches():
    net = models.named("mgnet-20").build()
    net(torch.randn(2, 3, 8, 8)).sum().backward()
    idle = [p for p in net.parameters() if p.grad is None]
    assert sum(p.numel() for p in idle) == 288
    assert count_weights(models.named("mgnet-20", unused_transfers=False)) == 100_954


@pytest.mark.parametrize("group_size", [4, 8, 16, 32, 64])
def test_grouping_takes_weights_off_the_operators_and_nothing_else(group_size):
    # A and B of a level: 18 c^2 becomes 18 c g_s.
    saved = sum(18 * c * (c - group_size) for c in (64, 128, 256, 256))
    assert count_weights(models.named(f"mgnet-g{group_size}")) == 2_750_666 - saved
    of_B = models.named("mgnet", group_size=group_size, grouped="B")
    assert count_weights(of_B) == 2_750_666 - saved // 2


def test_steps_may_differ_from_level_to_level():
    # Each step more costs MgNet^{A,B} two norms, and MgNet^A a B as well.
    one = MgNetConfig((8, 16), 1, norm="none")
    assert MgNetConfig((8, 16), (1, 3)).build().levels[1].smoothers[2].norm_out.num_features == 16
    more = MgNetConfig((8, 16), (1, 3), share_B=False, norm="none")
    assert count_weights(more) - count_weights(one) == 2 * 9 * 16**2


def macs_by_hand(config, size):
    """A is applied once after each step whose residual somebody reads, and nowhere else."""
    total = 9 * config.in_channels * config.channels[0] * size**2
    for l, c in enumerate(config.channels):
        one, last = 9 * c * c * size**2, l == len(config.channels) - 1
        nu = config.steps_by_level[l]
        total += (nu + nu - last) * one  # B in each step, A after each, on the last level but one
        if not last:
            size = -(-size // 2)
            total += 2 * 9 * config.channels[l + 1] * size**2  # R and Pi
    return total + config.channels[-1] * config.num_classes


@pytest.mark.parametrize(
    ("name", "size", "macs"),
    # images of 3 x 32 x 32 pixels; FashionMNIST's one channel and 28 x 28 pixels are in its file
    [("mgnet", 32, 484_026_880), ("mgnet-a", 32, 484_026_880), ("mgnet-20", 32, 40_772_224)],
)
def test_no_multiplication_is_spent_on_the_right_hand_side_of_a_coarse_level(name, size, macs):
    config = models.named(name)
    assert count_macs(config, size) == macs == macs_by_hand(config, size)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fas", [True, False])
@pytest.mark.parametrize(
    ("channels", "nu", "share_B", "groups"),
    [
        ((4, 8, 16), 1, True, {}),
        ((4, 8, 16), 2, True, {}),
        ((6, 6), 3, True, {}),
        ((4, 8, 16), (1, 3, 2), False, {}),
        ((4, 8, 16), 2, True, {"group_size": 4}),
        ((6, 6), (2, 1), False, {"group_size": 2}),
        ((4, 8, 16), 2, True, {"group_size": 4, "grouped": "B"}),
        ((6, 6), (2, 1), False, {"group_size": 2, "grouped": "B"}),
    ],
)
def test_mgnet_equals_the_literal_algorithm(channels, nu, share_B, groups, fas, training):
    torch.manual_seed(0)
    config = MgNetConfig(channels, nu, share_B=share_B, fas=fas, **groups)
    x = torch.randn(5, 3, 12, 10, dtype=torch.float64)
    hold_against(
        config.build(),
        lambda x, state, training: mgnet(x, state, channels, nu, training, fas, **groups),
        x,
        training,
    )


def dense(module, c, height, width):
    """The matrix of a linear map on images, column by column."""
    unit = torch.eye(c * height * width, dtype=torch.float64).view(-1, c, height, width)
    return module(unit).flatten(1).T.detach().numpy()


def test_mgnet_without_nonlinearity_is_the_linear_iteration_of_dense_matrices():
    torch.manual_seed(1)
    net = MgNetConfig(channels=(2, 4), steps=2, norm="none", activation="none").build().double()
    f = torch.randn(1, 2, 6, 6, dtype=torch.float64)
    fine, coarse = net.levels
    A, B = dense(fine.A, 2, 6, 6), dense(fine.smoothers[0].B, 2, 6, 6)
    A2, B2 = dense(coarse.A, 4, 3, 3), dense(coarse.smoothers[0].B, 4, 3, 3)
    R, Pi = dense(fine.R, 2, 6, 6), dense(fine.Pi, 2, 6, 6)
    f1 = f.flatten().numpy()
    u1 = B @ f1 + (np.eye(72) - B @ A) @ (B @ f1)
    u2, f2 = Pi @ u1, R @ (f1 - A @ u1) + A2 @ Pi @ u1
    for _ in range(2):
        u2 = u2 + B2 @ (f2 - A2 @ u2)
    got = net.descend(f).u.detach().numpy().ravel()
    np.testing.assert_allclose(got, u2, atol=1e-12 * np.abs(u2).max())
    assert start(f).u.abs().max() == 0


def poisson_mgnet(n, depth, nu, omega=0.8):
    """A linear MgNet with one channel whose kernels are Poisson's stencils and transfers."""
    config = MgNetConfig((1,) * depth, nu, in_channels=1, norm="none", activation="none")
    net = config.build().double()
    hat = torch.tensor([1.0, 2.0, 1.0])
    with torch.no_grad():
        for level, m in enumerate(net.levels):
            A = poisson(n >> level).A
            m.A.weight[0, 0] = torch.from_numpy(A.kernel())
            m.smoothers[0].B.weight.zero_()[0, 0, 1, 1] = omega / A.diagonal
            if m.R is not None:
                m.R.weight[0, 0] = torch.outer(hat, hat) / 16
                m.Pi.weight.zero_()[0, 0, 1, 1] = 1
                m.R.padding = m.Pi.padding = (0, 0)  # coarse points on the odd indices
    return net


def dense_poisson(m):
    line = (2 * np.eye(m) - np.eye(m, k=1) - np.eye(m, k=-1)) * (m + 1) ** 2
    return np.kron(line, np.eye(m)) + np.kron(np.eye(m), line)


@pytest.mark.parametrize("nu", [1, 2, 3])
def test_mgnet_with_poissons_stencils_is_the_solvers_way_down(nu):
    n, depth = 16, 3
    f = np.random.default_rng(0).standard_normal((n - 1, n - 1))
    with torch.no_grad():
        net = poisson_mgnet(n, depth, nu).descend(torch.from_numpy(f)[None, None])
    levels = []
    for level in range(depth):
        A = poisson(n >> level).A
        steps = [multigrid.correct(A, jacobi(A.diagonal, 0.8))] * nu
        down = {"R": transfers.full_weighting(2), "Pi": transfers.injection(2)}
        levels.append(multigrid.Level(A, steps, **down))
    solver = multigrid.backslash(levels, start(f))
    np.testing.assert_allclose(net.u[0, 0].numpy(), solver.u, atol=1e-12 * abs(solver.u).max())
    # Both sides run the same algorithm; these dense matrices know nothing of it.
    u, f, m = np.zeros(f.size), f.ravel(), n - 1
    A = dense_poisson(m)
    for level in range(depth):
        for _ in range(nu):
            u = u + 0.8 * (f - A @ u) / (4 * (m + 1) ** 2)
        if level < depth - 1:
            inject = np.eye(m)[1::2]
            average = inject / 2 + np.eye(m)[:-2:2] / 4 + np.eye(m)[2::2] / 4
            r = np.kron(average, average) @ (f - A @ u)
            u, m = np.kron(inject, inject) @ u, m // 2
            A = dense_poisson(m)
            f = r + A @ u
    np.testing.assert_allclose(solver.u.ravel(), u, atol=1e-12 * abs(u).max())


@pytest.mark.parametrize("name", [name for name in WEIGHTS if "x" not in name])
@pytest.mark.parametrize("size", [8, 28, 32])
def test_every_network_takes_the_image_sizes_of_the_data_sets(name, size):
    net = models.named(name, in_channels=1, num_classes=7).build().eval()
    with torch.no_grad():
        assert net(torch.zeros(2, 1, size, size)).shape == (2, 7)


NOT_FOR_IMAGES = [ImplicitConfig(0.8, "grouped"), TransfersConfig(s_g=16)]


@pytest.mark.parametrize("config", [*models.CONFIGS.values(), *NOT_FOR_IMAGES])
def test_a_config_survives_its_record(config):
    import json

    assert models.from_dict(json.loads(json.dumps(models.as_dict(config)))) == config


def test_a_later_field_is_written_only_where_it_says_something():
    assert not {"group_size", "grouped"} & set(models.as_dict(models.named("mgnet")))
    assert models.as_dict(models.named("mgnet", group_size=8))["group_size"] == 8


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_every_network_for_images_fits_every_data_set(name):
    info = catalogue.info(name)
    for config in models.CONFIGS.values():
        fitted = config.for_data_set(info)
        assert type(fitted) is type(config)
        assert (fitted.in_channels, fitted.num_classes) == (info.channels, info.classes)
        assert fitted.for_data_set(info) == fitted
        if config.stem == "3x3":
            assert fitted.stem == info.stem
        else:  # 7x7, or the width of MobileNet's stem
            assert fitted.stem == config.stem
        ends = {"in_channels": info.channels, "num_classes": info.classes}
        assert config.with_ends(info) == replace(config, **ends)


@pytest.mark.parametrize("config", NOT_FOR_IMAGES)
def test_a_network_without_images_fits_no_data_set(config):
    with pytest.raises(InvalidValue, match=r"no network for images, .* 'digits': choose another"):
        config.for_data_set(catalogue.info("digits"))


@pytest.mark.parametrize("name", models.CONFIGS)
def test_what_all_networks_share_is_checked_when_the_config_is_made(name):
    config = models.named(name)
    for field in ("in_channels", "num_classes"):
        for value in (0, -1, 2.0, None)[field == "num_classes" :]:
            with pytest.raises(InvalidValue, match=f"{field}={value}: it must be a whole number"):
                replace(config, **{field: value})
    for part, kinds in PARTS.items():
        if getattr(config, part, None) in kinds:
            with pytest.raises(UnknownName, match=f"unknown {part} 'other'"):
                replace(config, **{part: "other"})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MgNetConfig(channels=(16, 24)), "24 is no multiple of 16"),
        (lambda: MgNetConfig(channels=()), "channels=()"),
        (lambda: MgNetConfig(steps=0), "steps=0"),
        (lambda: MgNetConfig(steps=(2, 2)), "one number for all levels, or one for each"),
        (lambda: MgNetConfig(steps=(2, 2, 0, 2)), "each level needs at least 1"),
        (lambda: MgNetConfig(group_size=48), "group_size=48 does not divide a level's 64"),
        (lambda: MgNetConfig(group_size=0), "group_size=0"),
        (lambda: MgNetConfig(grouped="B"), "give their group_size"),
        (lambda: ResNetConfig(blocks=(2, 2)), "one number for each level"),
        (lambda: ResNetConfig(blocks=(1, 1), channels=(8, 4), shortcut="padding"), "pads channels"),
        (lambda: models.named("mgnet-20").build()(torch.zeros(1, 1, 8, 8)), "in_channels"),
        (lambda: models.named("mgnet").build()(torch.zeros(1, 3, 4, 4)), "give at most 3 levels"),
    ],
)
def test_bad_configurations_are_sentences(make, words):
    with pytest.raises(InvalidValue, match=words.replace("(", r"\(").replace(")", r"\)")):
        make()


def test_unknown_names_come_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'mgnet-20'"):
        models.named("mgnet20")
    with pytest.raises(UnknownName, match="field of MgNetConfig"):
        models.named("mgnet-20", width=3)
    with pytest.raises(InvalidValue, match="no field depth"):
        models.from_dict({**models.as_dict(models.named("mgnet")), "depth": 3})
