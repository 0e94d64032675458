"""The recorded runs of segmentations, and what their networks say about an image."""

from dataclasses import replace

import numpy as np
import torch

from .. import _paths
from . import records
from .segmentation import SegmentationConfig


def recorded():
    """Return the records that came with the package, then those that were made since.

    Examples
    --------
    >>> {record.metric.name for record in recorded()} <= {"mIoU"}
    True
    """
    return records.all_runs(SegmentationConfig.file)


def packaged_pictures():
    """Return the masks of some test images of CamVid, and what recorded networks say of them.

    Returns
    -------
    images : list of int
        Which of the test images.
    truth : numpy.ndarray or None
        uint8 (len(images), height, width); None if no run has left pictures yet.
    answers : dict
        From the digest of a run to an array like `truth`.

    Examples
    --------
    >>> images, truth, answers = packaged_pictures()
    >>> truth is None or all(said.shape == truth.shape for said in answers.values())
    True
    """
    path = _paths.packaged_results() / "segmentation_pictures.npz"
    if not path.exists():
        return [], None, {}
    with np.load(path) as file:
        found = {name: file[name] for name in file.files}
    return found.pop("images").tolist(), found.pop("truth"), found


@torch.no_grad()
def answers(network, task, samples, which):
    """Return the classes that a network assigns to the pixels of some images, and their masks.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode.
    task : mgtutorial.training.segmentation.Segmentation
    samples : mgtutorial.data.mask_sets.Masks
    which : sequence of int

    Returns
    -------
    answers, masks : torch.Tensor
        uint8 (len(which), height, width).

    Examples
    --------
    >>> from mgtutorial.models import LRASPPConfig
    >>> from mgtutorial.training import segmentation
    >>> config = segmentation.configure(LRASPPConfig(), "smoke")
    >>> task = config.task()
    >>> said, truth = answers(config.model.build().eval(), task, task.evaluation("test"), (0, 3))
    >>> said.shape == truth.shape == (2, 48, 64)
    True
    """
    index = torch.as_tensor(which)
    few = replace(samples, n=len(index), pick=lambda i: samples.pick(index[i]))
    x, _ = zip(*task.batches(few), strict=True)
    height, width = samples.size
    said = torch.cat([network(part).argmax(1) for part in x])[:, :height, :width]
    return said.to(torch.uint8), samples.pick(index)[1]


def coloured(masks, info):
    """Return masks in the colours of a data set's classes, white where there is no label.

    Parameters
    ----------
    masks : torch.Tensor or numpy.ndarray
        Labels, (..., height, width).
    info : mgtutorial.data.mask_sets.MaskSet

    Returns
    -------
    torch.Tensor
        uint8 (..., height, width, 3).

    Examples
    --------
    >>> from mgtutorial.data import masks
    >>> coloured([[0, 2, 255]], masks.info("shapes")).tolist()
    [[[220, 220, 220], [60, 90, 200], [255, 255, 255]]]
    """
    table = torch.full((256, 3), 255, dtype=torch.uint8)
    table[: info.classes] = torch.tensor(info.colours, dtype=torch.uint8)
    return table[torch.as_tensor(masks).long()]
