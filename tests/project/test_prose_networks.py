"""What the second half of the book says of runs and counts, beside the files for single pages."""

import pytest

from benchmarks import rows
from mgtutorial import models
from mgtutorial.models import count_weights
from mgtutorial.training import implicit_function

from .prose import ROOT, says

ALPHAS = (0.6, 0.8, 1.2)


def test_worlds_second_seeds_are_those_that_the_page_names():
    """With the statistics of the last batches and with settled ones; MGIC's block has one seed."""
    settled, seeds = implicit_function.settled(), {}
    for r in implicit_function.recorded():
        kind = r.config.function, r.config.model.end, r.budget, r.metric.split
        if kind == ("cos-sin", "linear", "short", "test"):
            errors = r.metric.value, settled[r.digest]
            seeds.setdefault((r.config.model.block, r.config.model.alpha), []).append(errors)
    assert len(seeds) == 9
    twice = {key: found for key, found in seeds.items() if len(found) > 1}
    assert set(twice) == {("mobilenetv3", a) for a in ALPHAS} | {("ghostnet", 0.6)}
    ratios = [a / b for x, y in twice.values() for a, b in zip(x, y, strict=True)]
    assert f"{min(ratios):.1f} to {max(ratios):.1f}" == "1.5 to 2.5"
    says("mgic_worlds", "by factors of 1.5 to 2.5. For MGIC there is one seed.")


def test_worlds_exercises():
    def convolution(c, groups):
        return models.blocks.conv(c, c, kernel=1, groups=groups)

    def cycle(c):
        widths = models.halvings(c, 8)
        net = models.MGIC(convolution, widths, models.group_numbers(widths, 8))
        return count_weights(net) - sum(2 * w for w in widths[:-1])  # without the norms

    ghost = {c: (c * c + c) // 2 for c in (16, 32, 64, 128, 256)}
    assert all(cycle(c) == 32 * c - 192 for c in ghost)
    assert [c for c in ghost if cycle(c) < ghost[c]] == [64, 128, 256]
    assert (cycle(32), ghost[32], cycle(64), ghost[64]) == (832, 528, 1_856, 2_080)
    assert (f"{128**-0.5:.3f}", f"{50_000**-0.5:.4f}") == ("0.088", "0.0045")


@pytest.mark.parametrize("case", ["64 to 64 channels", "256 to 256 channels"])
def test_singular_values_are_not_faster_for_want_of_a_loop(case):
    measured = rows.read(ROOT / "results" / "benchmarks.json")["spectra"]["rows"]
    found = {r["side"]: r["median"] for r in measured if r["case"] == case}
    loop = found["NumPy, loop over frequencies"]
    assert found["mgtutorial, one thread"] < loop / 2
    assert found["NumPy, fast transform, no loop"] > 0.9 * loop
    says("performance", "but not for want of the loop: without it NumPy takes as long")
