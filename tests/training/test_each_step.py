"""What each step of a training takes: its rate, its inputs, its loss; and what is evaluated."""

import math

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from mgtutorial.models import LRASPPConfig, mgnet
from mgtutorial.models.point_clouds import PointCloudConfig
from mgtutorial.training import loop, point_clouds, protocols, segmentation
from mgtutorial.training.orthogonalised import OrthogonalisedSGD
from mgtutorial.training.recipe import Recipe
from mgtutorial.training.workspace import Workspace

from .test_loop import SMALL, only_checkpoint

#: 100 images in batches of 32 are 4 steps an epoch, the last of them on 4 images.
STEPS, EPOCHS, LR = 4, 2, 0.1

SEGMENTATION = LRASPPConfig(
    bottlenecks=((3, 1, 8, True, 1), (3, 3, 16, False, 2), (3, 2, 16, True, 2)),
    coarsest=8, stem=8, features=32, hidden=16, output_stride=8, num_classes=3,
)  # fmt: skip


def configure(recipe=None, **changes):
    chosen = {"epochs": EPOCHS, "n_train": 100, "batch_size": 32, "lr": LR, "recipe": recipe}
    return protocols.configure(SMALL, "digits", "smoke", **chosen | changes)


def trained(config, folder):
    """The record, and (rate, factor) of each group of parameters at each step."""
    taken = []

    def note(optimiser, args, kwargs):
        taken.append([(g["lr"], g.get("factor", 1.0)) for g in optimiser.param_groups])

    hook = register_optimizer_step_pre_hook(note)
    try:
        return loop.train(config, Workspace(folder / "runs", device="cpu")), taken
    finally:
        hook.remove()


def poly(t):
    return LR * (1 - t) ** 0.9


def one_cycle(t, peak=0.25):
    if t < peak:
        return LR * t / peak
    return LR * (1 + math.cos(math.pi * (t - peak) / (1 - peak))) / 2


@pytest.mark.parametrize(
    "schedule, recipe, rate",
    [
        ("poly", None, poly),
        ("one-cycle", None, one_cycle),
        ("one-cycle", Recipe(warm_up=0.6), lambda t: one_cycle(t, 0.6)),
    ],
)
def test_the_rate_changes_at_every_step_and_the_last_one_of_an_epoch_is_recorded(
    schedule, recipe, rate, tmp_path
):
    record, taken = trained(configure(recipe, schedule=schedule), tmp_path)
    wanted = [rate(i / (EPOCHS * STEPS)) for i in range(EPOCHS * STEPS)]
    assert [g[0][0] for g in taken] == pytest.approx(wanted, rel=1e-12)
    assert [row.lr for row in record.curve] == pytest.approx(wanted[STEPS - 1 :: STEPS], rel=1e-12)


def test_orthogonalised_steps_have_their_own_rate_at_every_step(tmp_path):
    config = configure(Recipe(orthogonal_lr=0.02), schedule="one-cycle")
    _, taken = trained(config, tmp_path)
    assert len(taken) == EPOCHS * STEPS
    for i, groups in enumerate(taken):
        rate = one_cycle(i / (EPOCHS * STEPS))
        own, sgds = sorted({factor for _, factor in groups})
        assert own == pytest.approx(0.02 / LR) and sgds == 1.0
        for lr, factor in groups:
            assert lr == pytest.approx(rate * factor, rel=1e-12)


@pytest.mark.parametrize("split", ["fit", "train"])
def test_the_average_is_evaluated_and_not_the_weights_of_the_last_step(split, tmp_path):
    # An average with 0.999 stays where the weights began; they themselves learn the digits.
    config = configure(Recipe(average=0.999), split=split, n_train=400, epochs=3)
    record, _ = trained(config, tmp_path)
    state = torch.load(only_checkpoint(tmp_path / "checkpoints"), weights_only=True)
    task, accuracy = config.task(), {}
    for name, prefix in (("model", ""), ("average", "module.")):
        network = task.ready(config.model.build())
        found = {k.removeprefix(prefix): v for k, v in state[name].items() if k != "n_averaged"}
        network.load_state_dict(found)
        samples = task.evaluation(record.metric.split)
        accuracy[name] = loop.evaluate(network, task, samples)
    assert abs(accuracy["model"] - accuracy["average"]) > 0.2
    assert record.metric.value == accuracy["average"]
    if split == "fit":
        assert record.curve[-1].val == accuracy["average"]


def test_the_statistics_of_batch_norms_are_averaged_as_the_weights_are():
    decay, model = 0.75, SMALL.build().train()
    average = Recipe(average=decay).averaged(model)
    generator, mean = torch.Generator().manual_seed(0), None
    for step in range(4):
        model(10 * step + torch.randn(8, SMALL.in_channels, 8, 8, generator=generator))
        now = {k: b.clone() for k, b in model.named_buffers() if b.is_floating_point()}
        mean = now if mean is None else {k: decay * mean[k] + (1 - decay) * now[k] for k in now}
        average.update_parameters(model)
    kept = dict(average.module.named_buffers())
    assert any(not torch.allclose(mean[k], now[k], rtol=0.1) for k in mean)
    for k in mean:
        torch.testing.assert_close(kept[k], mean[k])


@pytest.mark.parametrize(
    "recipe",
    [Recipe(), Recipe(decay_norms=False), Recipe(orthogonal_lr=0.05)],
    ids=["plain", "norms apart", "orthogonal"],
)
def test_the_momentum_of_a_config_is_that_of_its_steps(recipe):
    config, model = configure(momentum=0.8, weight_decay=0.0), SMALL.build()
    optimiser = recipe.optimiser(model, config)
    assert {g["momentum"] for g in optimiser.param_groups} == {0.8}
    vector = next(p for p in model.parameters() if p.ndim == 1)  # no step orthogonalises it
    moved = []
    for _ in range(3):
        before = vector.detach().clone()
        for p in model.parameters():
            p.grad = torch.ones_like(p)
        optimiser.step()
        moved.append(float((before - vector.detach()).mean()) / LR)
    # sums of powers of 0.8; Nesterov's steps are one power ahead
    ahead = isinstance(optimiser, OrthogonalisedSGD)
    wanted = [sum(0.8**j for j in range(i + 1 + ahead)) for i in range(3)]
    assert moved == pytest.approx(wanted, rel=1e-4)


def smoothed(z, y, s):
    """Cross-entropy against labels of which a part `s` is spread over all classes."""
    logs = z.log_softmax(1)
    own = logs.gather(1, y[:, None])[:, 0]
    return -((1 - s) * own + s * logs.mean(1)).mean()


def test_the_labels_of_images_and_clouds_are_smoothed_as_much_as_the_config_says():
    y = torch.arange(16) % 10
    z = torch.randn(16, 10, generator=torch.Generator().manual_seed(0))
    z += 4 * torch.nn.functional.one_hot(y, 10)  # mostly right, so that smoothing costs
    clouds = point_clouds.configure(PointCloudConfig(width=16, k=6), "smoke", smoothing=0.3)
    cases = [
        (configure(), 0.0), (configure(Recipe()), 0.0),
        (configure(Recipe(label_smoothing=0.3)), 0.3), (clouds, 0.3),
    ]  # fmt: skip
    for config, s in cases:
        torch.testing.assert_close(config.task().loss(z, y), smoothed(z, y, s))
    assert abs(smoothed(z, y, 0.3) - smoothed(z, y, 0.0)) > 0.1  # so that it is seen


def test_the_loss_of_every_step_is_the_recipes(tmp_path, monkeypatch):
    """Of the very outputs and labels that a training has, and their mean is recorded."""
    seen, loss = [], protocols.Classification.loss

    def noted(self, z, y):
        value = loss(self, z, y)
        seen.append((z.detach().clone(), y.clone(), value.detach()))
        return value

    monkeypatch.setattr(protocols.Classification, "loss", noted)
    record, _ = trained(configure(Recipe(label_smoothing=0.4), epochs=1), tmp_path)
    assert [len(y) for _, y, _ in seen] == [32, 32, 32, 4]
    for z, y, value in seen:
        torch.testing.assert_close(value, smoothed(z, y, 0.4))
    mean = sum(len(y) * float(value) for _, y, value in seen) / 100
    assert record.curve[0].loss == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("augmentation", ["none", "crop-flip"])
def test_a_network_is_trained_on_augmented_images_and_tested_on_images_as_they_are(
    augmentation, tmp_path, monkeypatch
):
    seen, forward = {True: [], False: []}, mgnet.MgNet.forward

    def noted(self, x):
        seen[self.training].append(x.clone())
        return forward(self, x)

    monkeypatch.setattr(mgnet.MgNet, "forward", noted)
    config = configure(augmentation=augmentation, epochs=1)
    trained(config, tmp_path)
    task = config.task()
    tested = seen[False][:1]  # one batch; what comes after it counts multiplications
    for training, samples, batches in (
        (True, task.training(), seen[True]), (False, task.evaluation("test"), tested),
    ):  # fmt: skip
        plain = torch.cat([x for x, _ in task.batches(samples)])
        whole = {x.numpy().tobytes() for x in plain.contiguous()}
        got = [x.numpy().tobytes() in whole for x in torch.cat(batches).contiguous()]
        assert len(got) == samples.n
        if training and augmentation != "none":
            assert sum(got) < samples.n / 4
        else:
            assert all(got)


def plain_and_drawn(config):
    """The training samples as they are, and an epoch's, brought into the same order."""
    task = config.task()
    samples = task.training()
    order = torch.randperm(samples.n, generator=torch.Generator().manual_seed(5))
    plain = torch.cat([x for x, _ in task.batches(samples)])
    drawn = torch.cat([x for x, _ in task.batches(samples, torch.Generator().manual_seed(5))])
    return plain[order], drawn


def test_clouds_are_stretched_and_moved_only_if_the_config_says_so():
    def drawn(policy):
        model, changes = PointCloudConfig(width=16, k=6), {"n_train": 48, "augmentation": policy}
        return plain_and_drawn(point_clouds.configure(model, "smoke", **changes))

    plain, same = drawn("none")
    assert torch.equal(plain, same)
    plain, moved = drawn("stretch-and-move")
    assert not (plain == moved).all(dim=(1, 2)).any()
    sizes = [x.flatten(1).norm(dim=1).sort().values for x in (plain, moved)]
    assert not torch.allclose(*sizes, rtol=0.01)


def test_images_with_masks_are_mirrored_only_if_the_config_says_so():
    def drawn(policy):
        return plain_and_drawn(segmentation.configure(SEGMENTATION, "smoke", augmentation=policy))

    plain, same = drawn("none")
    assert torch.equal(plain, same)
    plain, some = drawn("flip")
    mirrored = (some == plain.flip(3)).all(dim=3).all(dim=2).all(dim=1)
    assert (mirrored | (some == plain).all(dim=3).all(dim=2).all(dim=1)).all()
    assert len(plain) / 4 < mirrored.sum() < 3 * len(plain) / 4
    cut = segmentation.configure(SEGMENTATION, "smoke").task()
    x, y = next(iter(cut.batches(cut.training(), torch.Generator().manual_seed(0))))
    assert x.shape[2:] == y.shape[1:] == (32, 48)  # windows of 48 x 64 images
