"""What a run will cost: from records of known speed, else from a timed step of a middling network.

No clock is read here: times are made by hand.
"""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from mgtutorial import models
from mgtutorial.models.counting import count_macs
from mgtutorial.sweeps import costs
from mgtutorial.training import loop, protocols, time_limits, timing

CPU = torch.device("cpu")
IMAGES = SimpleNamespace(n=500, size=8)


def configure(channels, steps=1, **changes):
    network = models.MgNetConfig(channels=channels, steps=steps)
    return protocols.configure(network, "digits", "smoke", **changes)


def record(config, seconds, epochs, n, digest, **changes):
    """What is read of a record: a run of so many epochs on so many images in so many seconds."""
    usual = {"device": SimpleNamespace(type="cpu", name=None), "world_size": 1}
    return SimpleNamespace(
        choices=config.as_dict(), config=config, seconds=seconds, curve=(None,) * epochs,
        data=SimpleNamespace(n=n), digest=digest, **usual | changes,
    )  # fmt: skip


def never(*args, **kwargs):
    raise AssertionError("something was timed")


def test_a_run_like_it_measures_the_cost_of_each_image(monkeypatch):
    monkeypatch.setattr(costs, "per_sample", never)
    config = configure((4, 8))
    past = [
        record(config, 8.0, 2, 1000, "c"),  # 4 ms an image
        record(replace(config, seed=5), 3.0, 10, 300, "a"),  # 1 ms
        record(replace(config, lr=0.3), 2.0, 1, 1000, "b"),  # 2 ms, the median
    ]
    (cost,) = costs.estimated_costs([config], [IMAGES], past, CPU)
    assert cost.epoch == pytest.approx(500 * 2e-3)
    assert cost.basis == "measured: run a and 2 more"
    (cost,) = costs.estimated_costs([config], [IMAGES], past[:1], CPU)
    assert cost.epoch == pytest.approx(500 * 4e-3) and cost.basis == "measured: run c"


def test_runs_elsewhere_or_of_other_networks_measure_nothing(monkeypatch):
    monkeypatch.setattr(costs, "per_sample", lambda *args: 7e-3)
    config = configure((4, 8))
    others = [
        record(configure((4, 8), 2), 9.0, 1, 100, "a"),
        record(replace(config, precision="float64"), 9.0, 1, 100, "b"),
        record(config, 9.0, 1, 100, "c", world_size=2),
        record(config, 9.0, 1, 100, "d", device=SimpleNamespace(type="cuda", name="a GPU")),
    ]
    (cost,) = costs.estimated_costs([config], [IMAGES], others, CPU)
    assert cost.epoch == pytest.approx(500 * 7e-3) and cost.basis.startswith("estimated: ")


def test_without_a_record_a_middling_network_is_timed_and_the_others_follow(monkeypatch):
    """By their multiplications; each batch size has a speed of its own."""
    small, middle, large = (configure(c) for c in ((4, 8), (8, 16), (16, 32)))
    other, timed = replace(large, batch_size=10), []

    def per_sample(config, size, device):
        assert (size, device) == (8, CPU)
        timed.append(config)
        return 2e-3

    monkeypatch.setattr(costs, "per_sample", per_sample)
    configs = [large, small, middle, other]
    images = [SimpleNamespace(n=n, size=8) for n in (100, 200, 300, 400)]
    found = costs.estimated_costs(configs, images, [], CPU)
    assert timed == [middle, other]
    macs = [count_macs(c.model, 8) for c in configs]
    for cost, n, own, base in zip(
        found, (100, 200, 300, 400), macs, macs[2:3] * 3 + macs[3:], strict=True
    ):
        assert cost.epoch == pytest.approx(2e-3 * n * own / base)
        speed = f"{base / 2e-3 / 1e9:.2f} G/s"
        assert cost.basis == (
            f"estimated: {own / 1e6:.1f} M multiplications an image, {speed} in a timed step"
        )


class Stopwatch:
    """In the place of torch's timer: steps take the times that it is told."""

    times = (0.5, 0.2, 0.3)

    def __init__(self, statement, globals, num_threads):
        self.step = globals["step"]

    def blocked_autorange(self, min_run_time):
        self.step()
        return SimpleNamespace(times=list(self.times))


@pytest.mark.parametrize("batch_size", [5, 100])
def test_a_sample_takes_its_part_of_the_fastest_step(batch_size, monkeypatch):
    monkeypatch.setattr("torch.utils.benchmark.Timer", Stopwatch)
    config, sizes = configure((4, 8), batch_size=batch_size), []
    loss = protocols.Classification.loss
    monkeypatch.setattr(
        protocols.Classification, "loss",
        lambda self, z, y: sizes.append(len(y)) or loss(self, z, y),
    )  # fmt: skip
    n = min(batch_size, 32)  # more gain little on a CPU
    assert timing.per_sample(config, 8, CPU) == pytest.approx(0.2 / n)
    assert sizes == [n, n]  # once to warm up


@pytest.mark.parametrize("team", [1, 4])
def test_the_first_epoch_is_expected_to_take_so_long_as_its_samples_and_then_as_the_last_ones(
    team, monkeypatch
):
    monkeypatch.setattr(timing, "per_sample", lambda config, size, device: 3e-3)
    limit = time_limits.TimeLimit(60)
    task, team = SimpleNamespace(device=CPU), SimpleNamespace(size=team)

    def expected(*seconds):
        curve = [SimpleNamespace(seconds=s) for s in seconds]
        return loop._expected(limit, curve, None, IMAGES, task, team)

    assert expected() == pytest.approx(500 * 3e-3 / team.size)
    assert expected(9.0, 1.0, 4.0, 2.0) == 4.0  # the longest of the last three
    assert expected(9.0) == 9.0


@pytest.mark.parametrize(
    "epochs, error, room", [(0, time_limits.TooShort, 1.0), (3, time_limits.Unfinished, 1.1)]
)
def test_an_epoch_after_the_first_one_needs_a_tenth_more_than_is_expected(
    epochs, error, room, monkeypatch
):
    now = [1000.0]
    monkeypatch.setattr(time_limits.time, "monotonic", lambda: now[0])
    limit = time_limits.TimeLimit(100)
    limit.epochs = epochs
    now[0] += 60  # 40 s are left
    limit.check(40 / room - 1e-6)
    with pytest.raises(error):
        limit.check(40 / room + 1e-6)
