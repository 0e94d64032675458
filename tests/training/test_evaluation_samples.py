"""What a run is measured on: no training point, and whole images on a grid that strides divide."""

from dataclasses import replace

import pytest
import torch

from mgtutorial.data.mask_sets import IGNORED
from mgtutorial.models.counting import count_macs
from mgtutorial.training import loop, plane, segmentation

from .test_segmentation import CONFIG


@pytest.mark.parametrize("seed", [0, 3])
def test_held_out_points_are_no_training_points(seed):
    config = plane.PlaneConfig(plane.ImplicitConfig(0.6, "grouped"), n=20_000, seed=seed)
    task = config.task()
    trained, held_out = task.training().at, task.evaluation("val").at
    assert (len(trained), len(held_out)) == (20_000, 10_000)
    both = [set(map(tuple, at.tolist())) for at in (trained, held_out)]
    assert not both[0] & both[1]
    assert len(both[1]) > 9_990  # and hardly any point is drawn twice
    assert not torch.equal(held_out, replace(config, seed=seed + 1).task().evaluation("val").at)


class Odd(segmentation.Segmentation):
    """Images of 43 x 61 pixels: neither side is a multiple of the stride 8."""

    def evaluation(self, split):
        samples = super().evaluation(split)

        def pick(index):
            x, y = samples.pick(index)
            return x[:, :, :43, :61], y[:, :43, :61]

        return replace(samples, size=(43, 61), pick=pick)


def test_whole_images_are_tested_on_a_multiple_of_the_stride_and_counted_there():
    task, network = Odd(CONFIG), CONFIG.model.build().eval()
    samples = task.evaluation("test")
    seen = []
    for x, y in task.batches(samples):
        assert x.shape[2:] == y.shape[1:] == (48, 64)
        rest = torch.ones(48, 64, dtype=torch.bool)
        rest[:43, :61] = False
        assert (y[:, rest] == IGNORED).all() and not x[:, :, rest].any()
        seen.append(y[:, :43, :61])
    assert torch.equal(torch.cat(seen), samples.pick(torch.arange(samples.n))[1].long())
    assert 0 <= loop.evaluate(network, task, samples) <= 1
    assert task.macs(network, samples.size) == count_macs(network, (48, 64))
    assert count_macs(network, (48, 64)) != count_macs(network, (40, 56))
