"""Learning rates, epoch by epoch, and the printed protocol."""

import math
from itertools import pairwise
from types import SimpleNamespace

import pytest

from mgtutorial.training import protocols, recipe

from .test_loop import configure


def rates(schedule, epochs, **changes):
    config = configure(schedule=schedule, epochs=epochs, lr=0.05, **changes)
    return [recipe.learning_rate(config, e, 0.0) for e in range(epochs)]


def test_cosine_annealing_goes_from_the_initial_rate_towards_zero_per_epoch():
    got = rates("cosine", 400)
    assert got[0] == 0.05 and got[200] == pytest.approx(0.025) and 0 < got[-1] < 1e-6
    assert all(a > b for a, b in pairwise(got))


def test_the_step_schedule_of_fashion_mnist_is_below_1e_7_after_150_epochs():
    got = rates("step", 151, step_epochs=25)
    assert got[24] == 0.05 and got[25] == pytest.approx(0.005) and got[150] < 1e-7 < got[149]


def test_one_cycle_rises_to_its_peak_and_falls_to_zero():
    config = configure(schedule="one-cycle", epochs=8, lr=0.05)
    times = [(e, i / 100) for e in range(8) for i in range(100)]
    got = [recipe.learning_rate(config, *t) for t in times]
    assert max(got) == pytest.approx(0.05) and times[got.index(max(got))] == (2, 0.0)
    assert got[0] == 0 and got[-1] < 1e-6
    # linear up, then half a cosine: its mean over the fall is half the peak
    assert math.fsum(got[200:]) / 600 == pytest.approx(0.025, rel=5e-3)


def test_the_paper_budget_is_the_printed_protocol():
    config = protocols.configure("mgnet", "synthetic", "paper")
    assert (config.batch_size, config.epochs, config.momentum) == (128, 400, 0.9)
    assert (config.lr, config.schedule, config.weight_decay) == (0.05, "cosine", 1e-4)
    chosen = protocols.settings("paper", "fashion-mnist")
    assert (chosen["schedule"], chosen["step_epochs"], chosen["lr"]) == ("step", 25, 0.05)
    assert protocols.settings("paper", "cifar10")["augmentation"] == "cifar10-code"


def test_the_polynomial_rate_falls_at_every_step_from_the_first_rate_to_zero():
    config = SimpleNamespace(lr=0.2, epochs=4, schedule="poly")
    falling = [recipe.learning_rate(config, e, f) for e in range(4) for f in (0.0, 0.5)]
    assert falling[0] == 0.2 and falling == sorted(falling, reverse=True)
    assert falling == pytest.approx([0.2 * ((8 - k) / 8) ** 0.9 for k in range(8)])
    assert 0 < recipe.learning_rate(config, 3, 0.999) < 1e-3 * 0.2
