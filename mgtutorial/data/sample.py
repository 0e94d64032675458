"""A hundred real images that come with the package: FashionMNIST test images, ten per class."""

import numpy as np
import torch

from .. import _paths
from . import catalogue
from .in_memory import Part

NAME = "fashion-mnist"
#: The first hundred of the fixed stratified order of :meth:`mgtutorial.data.Images.take`.
N = 100
FILE = "fashion_images.npz"


def load_sample(device="cpu"):
    """Return a hundred test images of FashionMNIST, ten per class, without any download.

    They are there for looking at things, such as what a network computes on the way down its
    levels. An accuracy on so few says little; :func:`mgtutorial.data.load` has all ten thousand.
    Copyright 2017 Zalando SE, under the MIT License, whose text is in the file.

    Parameters
    ----------
    device : str or torch.device

    Returns
    -------
    Images
        uint8 (100, 1, 28, 28); the same as ``load("fashion-mnist", "test").take(100)``.

    Examples
    --------
    >>> sample = load_sample()
    >>> sample.n, sample.size, sample.labels.bincount().unique().tolist()
    (100, 28, [10])

    Book: use, use-trained
    """
    with np.load(_paths.packaged_results() / FILE, allow_pickle=False) as file:
        images, labels = file["images"][:, None], file["labels"].astype(np.int64)
        part = Part(images, labels, tuple(map(str, file["classes"])), f"{N} of the official files")
    return part.split(catalogue.info(NAME), "test", torch.device(device))
