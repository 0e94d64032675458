"""Clouds of points: a split of a data set, and its batches.

>>> load_clouds("shapes", "test")
Clouds(name='shapes', split='test', digest='...', source='made')
"""

import torch

from ..errors import InvalidValue, choose, whole
from . import catalogue, images


def load_clouds(name, split="train", *, root=None, device="cpu", progress=True):
    """Load a split of a data set of clouds into memory.

    Parameters
    ----------
    name : str
        A key of :data:`mgtutorial.data.catalogue.CLOUDS`.
    split : {"train", "val", "fit", "test"}
        As in :func:`mgtutorial.data.load`.
    root : str or path, optional
        Default: ``MGTUTORIAL_DATA``, then the cache folder.
    device : str or torch.device
    progress : bool
        Whether a reader may say what it is doing.

    Returns
    -------
    mgtutorial.data.clouds_in_memory.Clouds

    Raises
    ------
    UnknownName, DataNotFound, DataDamaged

    Examples
    --------
    >>> load_clouds("shapes", "train").points.shape
    torch.Size([240, 128, 3])
    """
    return images.load_split(
        catalogue.clouds(name), split, root=root, device=device, progress=progress
    )


def batches(clouds, batch_size, augmentation="none", generator=None):
    """One epoch of batches; without a generator, the clouds in order and as they are.

    Parameters
    ----------
    clouds : Clouds
    batch_size : int
    augmentation : str
        One of :data:`mgtutorial.data.clouds_in_memory.POLICIES`.
    generator : torch.Generator, optional
        On the CPU. All its draws, an order and a seed, happen in this call.

    Yields
    ------
    points, labels : torch.Tensor
        (batch, points, 3) and (batch,).

    Raises
    ------
    UnknownName, InvalidValue
        If there is something to draw and nothing to draw from, or a value is not allowed; at the
        call, not at the first batch.
    """
    choose("augmentation", augmentation, clouds.policies)
    batch_size = whole("batch_size", batch_size)
    order, seed = torch.arange(clouds.n), 0
    if generator is not None:
        order = torch.randperm(clouds.n, generator=generator)
        seed = torch.randint(2**63 - 1, (), generator=generator).item()
    elif augmentation != "none":
        raise InvalidValue("augmentation draws from a generator on the CPU: pass one.")
    return clouds.epoch(order, batch_size, augmentation, seed)
