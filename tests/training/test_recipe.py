"""The budget fast: each idea of a recipe does what it says, and none changes a plain run."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from mgtutorial import models
from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.training import departures, protocols, records
from mgtutorial.training.loop import train
from mgtutorial.training.orthogonalised import OrthogonalisedSGD, orthogonalised
from mgtutorial.training.recipe import Recipe
from mgtutorial.training.workspace import Workspace

from .test_loop import SMALL, only_checkpoint


def configure(recipe, **changes):
    chosen = {"epochs": 3, "recipe": recipe, **changes}
    return protocols.configure(SMALL, "digits", "smoke", **chosen)


def trained(config, folder):
    record = train(config, Workspace(folder / "runs"))
    return record, torch.load(only_checkpoint(folder / "checkpoints"), weights_only=True)


def test_a_recipe_of_defaults_trains_as_no_recipe_does(tmp_path):
    plain, a = trained(configure(None), tmp_path / "a")
    empty, b = trained(configure(Recipe()), tmp_path / "b")
    assert [row.loss for row in plain.curve] == [row.loss for row in empty.curve]
    assert all(torch.equal(a["model"][k], b["model"][k]) for k in a["model"])
    assert plain.digest != empty.digest  # but it is said


def test_a_recipe_is_part_of_the_config_and_comes_back_from_plain_data():
    recipe = Recipe(average=0.5, sides=[[0, 4], [2, 8]], decay_norms=False)
    config = configure(recipe)
    plain = config.as_dict()
    assert plain["recipe"] == {"average": 0.5, "sides": [[0, 4], [2, 8]], "decay_norms": False}
    assert protocols.TrainConfig.from_dict(plain) == config
    assert "recipe" not in configure(None).as_dict()


def test_a_run_with_a_recipe_departs_from_every_paper():
    config = protocols.configure("mgnet", "cifar10", "paper")
    assert departures.deviation(config) == ()
    assert departures.deviation(replace(config, recipe=Recipe(average=0.9))) == ("recipe",)


def test_images_are_coarsened_by_means_and_only_in_their_epochs(tmp_path, monkeypatch):
    seen = []
    forward = models.mgnet.MgNet.forward
    monkeypatch.setattr(
        models.mgnet.MgNet, "forward",
        lambda self, x: seen.append((self.training, x.shape[-1])) or forward(self, x),
    )  # fmt: skip
    trained(configure(Recipe(sides=((0, 4), (2, 8)))), tmp_path)
    sides = [side for training, side in seen if training]
    steps = len(sides) // 3
    assert sides == [4] * 2 * steps + [8] * steps
    assert {side for training, side in seen if not training} == {8}  # tested on whole images
    task = configure(None).task()
    x = torch.randn(2, 1, 8, 8)
    means = x.reshape(2, 1, 4, 2, 4, 2).mean((3, 5))
    torch.testing.assert_close(task.coarsened(x, 4), means)


def test_batches_grow_and_every_image_is_seen_once_an_epoch(tmp_path, monkeypatch):
    sizes = []
    loss = protocols.Classification.loss
    monkeypatch.setattr(
        protocols.Classification, "loss",
        lambda self, z, y: sizes.append(len(y)) or loss(self, z, y),
    )  # fmt: skip
    config = configure(Recipe(batches=((1, 100),)), batch_size=50, n_train=400)
    trained(config, tmp_path)
    assert sizes == [50] * 8 + [100] * 4 + [100] * 4


def test_the_average_is_what_is_evaluated_and_it_is_the_mean_that_it_says(tmp_path, monkeypatch):
    decay, seen = 0.7, []
    step = torch.optim.SGD.step

    def noted(self, *args):
        step(self, *args)
        seen.append([p.detach().clone() for p in self.param_groups[0]["params"]])

    monkeypatch.setattr(torch.optim.SGD, "step", noted)
    _, state = trained(configure(Recipe(average=decay)), tmp_path)
    mean = seen[0]
    for now in seen[1:]:
        mean = [decay * m + (1 - decay) * p for m, p in zip(mean, now, strict=True)]
    names = [k for k, _ in SMALL.build().named_parameters()]
    kept = [state["average"][f"module.{k}"] for k in names]
    for a, b in zip(mean, kept, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_a_run_with_every_idea_goes_on_bit_for_bit_after_each_epoch(tmp_path, one_thread):
    recipe = Recipe(
        average=0.9, sides=((0, 4), (1, 8)), batches=((2, 64),), orthogonal_lr=0.02,
        decay_norms=False, label_smoothing=0.1, warm_up=0.4,
    )  # fmt: skip
    config = configure(recipe)
    whole, a = trained(config, tmp_path / "whole")
    workspace = Workspace(tmp_path / "broken" / "runs")
    epochs = []

    class Stop(KeyboardInterrupt):
        pass

    class Bar:
        def __init__(self, total, initial):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def update(self, n):
            if len(epochs) < 2 and n and epochs.append(n) is None:
                raise Stop

        say = epoch = lambda self, *_: None

    for _ in range(2):
        with pytest.raises(Stop):
            train(config, Workspace(workspace.runs, progress=Bar))
    record = train(config, workspace)
    b = torch.load(only_checkpoint(tmp_path / "broken" / "checkpoints"), weights_only=True)
    assert [r.loss for r in record.curve] == [r.loss for r in whole.curve]
    assert record.metric == whole.metric
    for part in ("model", "average"):
        assert all(torch.equal(a[part][k], b[part][k]) for k in a[part])


def test_norms_decay_only_if_they_shall():
    model = models.named("mgnet-20").build()
    config = configure(None, weight_decay=0.1)

    def decayed(recipe):
        groups = recipe.optimiser(model, config).param_groups
        return {id(p): g["weight_decay"] for g in groups for p in g["params"]}

    every = list(model.parameters())
    assert set(decayed(Recipe()).values()) == {0.1}
    for recipe in (Recipe(decay_norms=False), Recipe(decay_norms=False, orthogonal_lr=0.1)):
        got = decayed(recipe)
        assert len(got) == len(every)
        assert all(got[id(p)] == (0.1 if p.ndim > 1 else 0.0) for p in every)


@pytest.mark.parametrize("shape", [(8, 72), (72, 8), (3, 4, 36), (16, 16)])
def test_orthogonalised_steps_keep_singular_vectors_and_bring_singular_values_near_one(shape):
    M = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    U, s, Vh = torch.linalg.svd(M, full_matrices=False)
    X = orthogonalised(M)
    got = (U.mT @ X @ Vh.mT).diagonal(dim1=-2, dim2=-1)
    # The same singular vectors: what lies off the diagonal is rounding.
    torch.testing.assert_close(X, U @ torch.diag_embed(got) @ Vh, rtol=0, atol=1e-10)
    large = s > 0.01 * M.flatten(-2).norm(dim=-1)[..., None]
    assert ((got[large] > 0.67) & (got[large] < 1.15)).all()


def test_the_printed_range_of_the_quintic_holds_on_the_whole_interval():
    x = torch.logspace(-2, 0, 20001, dtype=torch.float64)
    M = torch.zeros(len(x), 2, 2, dtype=torch.float64)
    M[:, 0, 0], M[:, 1, 1] = x, (1 - x**2).clamp(min=0).sqrt()  # of Frobenius norm one
    got = orthogonalised(M)[:, 0, 0]
    assert 0.68 < got.min() and got.max() < 1.14


def test_zero_gradients_stay_zero():
    assert not orthogonalised(torch.zeros(2, 3, 4)).any()


@pytest.mark.parametrize("scale", [1e-38, 1e-25, 1e25])
def test_orthogonalised_steps_do_not_depend_on_the_size_of_the_gradient(scale):
    torch.manual_seed(0)
    M = torch.randn(2, 4, 6)
    torch.testing.assert_close(orthogonalised(scale * M), orthogonalised(M), rtol=1e-4, atol=1e-4)


def test_a_kernel_whose_gradient_stays_zero_keeps_its_numbers():
    weight = torch.nn.Parameter(torch.randn(8, 8, 3, 3))
    optimiser = OrthogonalisedSGD([{"params": [weight], "convolution_groups": 1}], lr=0.01)
    weight.grad = torch.randn_like(weight)
    for _ in range(1200):  # until the momentum is below all numbers of the type
        optimiser.step()
        weight.grad = torch.zeros_like(weight)
    assert weight.isfinite().all()


@pytest.mark.parametrize("decay_norms", [True, False])
def test_steps_of_all_tensors_at_once_have_the_bits_of_torchs_own(decay_norms):
    """Records of earlier runs, made tensor by tensor, stay what the code of today makes."""
    config = configure(None, weight_decay=0.01, momentum=0.9)
    networks = [SMALL.build() for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    ours = Recipe(decay_norms=decay_norms).optimiser(networks[0], config)
    those = [p for p in networks[1].parameters() if p.ndim > 1 or decay_norms]
    rest = [p for p in networks[1].parameters() if p.ndim <= 1 and not decay_norms]
    groups = [{"params": those}, {"params": rest, "weight_decay": 0.0}]
    torchs = torch.optim.SGD(
        [g for g in groups if g["params"]], config.lr, config.momentum, weight_decay=0.01,
        foreach=False,
    )  # fmt: skip
    for _ in range(5):
        for one, other in zip(*(m.parameters() for m in networks), strict=True):
            one.grad = torch.randn(one.shape)
            other.grad = one.grad.clone()
        ours.step()
        torchs.step()
    assert all(map(torch.equal, *(list(m.parameters()) for m in networks)))


def test_without_kernels_to_orthogonalise_the_step_is_torchs_nesterov():
    torch.manual_seed(0)
    p, q = (torch.nn.Parameter(torch.ones(4, 5, dtype=torch.float64)) for _ in range(2))
    ours = OrthogonalisedSGD([{"params": [p]}], 0.1, 0.9, 0.01)
    theirs = torch.optim.SGD([q], 0.1, 0.9, weight_decay=0.01, nesterov=True)
    for _ in range(5):
        g = torch.randn(4, 5, dtype=torch.float64)
        p.grad, q.grad = g.clone(), g.clone()
        ours.step(), theirs.step()
    torch.testing.assert_close(p, q, rtol=1e-13, atol=0)


def test_a_closure_is_called_with_gradients_and_its_value_returned():
    p = torch.nn.Parameter(torch.ones(3))
    optimiser = OrthogonalisedSGD([{"params": [p]}], 0.1, 0.0)

    def closure():
        optimiser.zero_grad()
        loss = p.square().sum()
        loss.backward()
        return loss

    assert optimiser.step(closure).item() == 3.0
    torch.testing.assert_close(p.detach(), torch.full((3,), 0.8))


def test_a_last_batch_of_one_is_said_before_the_first_epoch_of_any_stage(tmp_path):
    # Two points a side are one on the second of the two levels; whole images leave it 16.
    recipe = Recipe(batches=((1, 63),), sides=((0, 8), (1, 2)))
    config = configure(recipe, batch_size=32, n_train=64)
    with pytest.raises(InvalidValue, match="batch"):
        train(config, Workspace(tmp_path / "runs"))


def test_dense_kernels_take_orthogonal_steps_of_their_own_rate_group_by_group():
    model = models.named("mgiad-20-g4", in_channels=1).build()
    config = configure(None, lr=0.2)
    optimiser = Recipe(orthogonal_lr=0.05).optimiser(model, config)
    by_shape = {}
    for group in optimiser.param_groups:
        for p in group["params"]:
            by_shape[p] = group["convolution_groups"], group.get("factor", 1.0)
    convolutions = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    assert {m.groups for m in convolutions if by_shape[m.weight][0]} > {1}
    for m in convolutions:
        dense = m.in_channels > m.groups
        assert by_shape[m.weight] == ((m.groups, 0.25) if dense else (0, 1.0))


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_each_group_of_a_convolution_takes_an_orthogonalised_step_of_its_own(groups):
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(8, 12, 3, groups=groups, bias=False).double()
    config = configure(None, lr=0.2, weight_decay=0.0)
    optimiser = Recipe(orthogonal_lr=0.05).optimiser(conv, config)
    (group,) = optimiser.param_groups
    group["lr"] = 0.1 * group["factor"]  # as the loop does at half the peak
    before = conv.weight.detach().clone()
    # groups of very different size: one step for all of them would forget the small ones
    size = 10.0 ** -torch.arange(12).div(12 // groups, rounding_mode="floor")
    conv.weight.grad = torch.randn_like(before) * size[:, None, None, None]
    parts = conv.weight.grad.clone().chunk(groups)
    optimiser.step()
    for old, new, g in zip(before.chunk(groups), conv.weight.chunk(groups), parts, strict=True):
        wanted = 0.1 * 0.25 * orthogonalised(g.flatten(1)).view_as(g)
        torch.testing.assert_close(old - new.detach(), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "wrong",
    [{"average": 1.0}, {"average": math.nan}, {"label_smoothing": -0.1}, {"warm_up": 0},
     {"orthogonal_lr": math.inf}, {"sides": ((2, 8), (1, 4))}, {"sides": ((0, 0),)},
     {"batches": ((0, 1.5),)}, {"batches": (3,)}, {"label_smoothing": "0.1"}, {"sides": 5},
     {"sides": ((0, True),)}, {"batches": "12"}, {"decay_norms": "no"}, {"orthogonal_lr": 1e39}],
)  # fmt: skip
def test_a_recipe_out_of_range_is_one_sentence(wrong):
    with pytest.raises(InvalidValue, match=next(iter(wrong))):
        Recipe(**wrong)


@pytest.mark.parametrize(
    "one, same",
    [
        ({"orthogonal_lr": 1.0}, {"orthogonal_lr": 1}),
        ({"average": 0.5}, {"average": np.float32(0.5)}),
        ({"decay_norms": False}, {"decay_norms": np.bool_(False)}),
        ({"sides": ((0, 4), (2, 8))}, {"sides": np.array([[0, 4], [2, 8]])}),
        ({"batches": ((1, 64),)}, {"batches": [[np.int64(1), np.uint8(64)]]}),
    ],
)
def test_a_recipe_has_one_name_however_its_numbers_were_computed(one, same):
    one, same = configure(Recipe(**one)), configure(Recipe(**same))
    assert one == same and records.digest(one.as_dict()) == records.digest(same.as_dict())


def test_what_was_recorded_keeps_its_name():
    runs = [r for r in records.all_runs() if r.choices.get("recipe")]
    assert len(runs) > 20
    for run in runs:
        assert records.digest(run.config.as_dict()) == records.digest(run.choices)


def test_an_unknown_part_of_a_recipe_is_said():
    with pytest.raises(UnknownName, match="part of a recipe"):
        Recipe.from_dict({"avrage": 0.9})


def test_fast_without_a_recipe_is_one_sentence():
    with pytest.raises(InvalidValue, match="fast has no recipe for MgNet on digits"):
        protocols.configure("mgnet-20", "digits", "fast")
    with pytest.raises(InvalidValue, match="no recipe for GhostNet on cifar10"):
        protocols.configure("ghostnet-1.0x", "cifar10", "fast", root="nowhere")
    config = protocols.configure("mgnet-20", "fashion-mnist", "fast", root="nowhere")
    assert config.recipe is not None and not config.partial
    assert replace(config, epochs=config.epochs - 1).partial


def test_every_kind_of_network_has_one_recipe_on_cifar10():
    """So that rows side by side differ in the network alone; the rung that FashionMNIST chose."""
    rows = ("resnet20", "mgnet-20", "mgiad-20-g4", "mgic-resnet56-c16-g8", "poly-mgnet-q2")
    rows += ("poly-mgiad-20-g4", "constrained-20", "galerkin-20")
    found = [protocols.configure(row, "cifar10", "fast", root="nowhere") for row in rows]
    assert len({type(config.model) for config in found}) == len(rows)
    alike = {records.digest(c.as_dict() | {"model": None}) for c in found}
    assert len(alike) == 1
    chosen = protocols.configure("mgnet-20", "fashion-mnist", "fast", root="nowhere")
    for name in ("recipe", "lr", "epochs", "schedule", "batch_size"):
        assert {getattr(config, name) for config in found} == {getattr(chosen, name)}
    assert {config.augmentation for config in found} == {"crop-flip"}
