"""Clouds of points in memory: a part of a data set as arrays, and a split of it as tensors."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch

from ..errors import DataDamaged, choose
from .in_memory import (
    _keep_freed_memory,
    check_labels,
    content_digest,
    in_batches,
    split_index,
    taken,
)

#: What is done to a cloud in training, in DGCNN's public code (WangYueFt/dgcnn@2355c94
#: pytorch/data.py): each axis is stretched by a factor in [2/3, 3/2] and moved by up to 0.2.
POLICIES = ("none", "stretch-and-move")


class CloudPart(NamedTuple):
    """One part of a data set of clouds, training or test, as a reader gives it.

    Attributes
    ----------
    points : numpy.ndarray
        float32 (n, points, 3).
    labels : numpy.ndarray
        int64 (n,).
    classes : tuple of str
    source : str
    """

    points: np.ndarray
    labels: np.ndarray
    classes: tuple
    source: str

    def check(self, info):
        """Raise unless these are clouds of this data set: files may hold anything.

        Parameters
        ----------
        info : mgtutorial.data.catalogue.DataSet

        Raises
        ------
        DataDamaged
        """
        what = f"of {info.name!r} ({self.source})"
        wanted = (len(self.labels), info.size, info.channels)
        if not len(self.labels) or self.points.shape != wanted:
            raise DataDamaged(
                f"the clouds {what} have the shape {self.points.shape} in place of {wanted}: fetch "
                "them again."
            )
        if not np.isfinite(self.points).all():
            bad = np.flatnonzero(~np.isfinite(self.points).all((1, 2)))[0]
            raise DataDamaged(
                f"cloud {bad} {what} has a coordinate that is no finite number: fetch the data "
                "set again."
            )
        check_labels(self, info)

    def split(self, info, split, device):
        """Return a split of this part on a device, as :class:`Clouds`.

        Parameters
        ----------
        info : mgtutorial.data.catalogue.DataSet
        split : {"train", "val", "fit", "test"}
        device : torch.device
        """
        index = split_index(self.labels, split)
        points, labels = self.points[index], self.labels[index]
        return Clouds(
            info.name,
            split,
            torch.from_numpy(np.ascontiguousarray(points)).to(device),
            torch.from_numpy(labels).to(device),
            self.classes,
            content_digest(points, labels),
            self.source,
        )


@dataclass(frozen=True, eq=False)
class Clouds:
    """A split of a data set of clouds, in memory.

    Attributes
    ----------
    name, split : str
    points : torch.Tensor
        float32 (n, points, 3), in [-1, 1] about the middle of each cloud's box.
    labels : torch.Tensor
        int64 (n,).
    classes : tuple of str
    digest : str
        First 16 hexadecimal digits of the SHA-256 over the bytes of points, then labels.
    source : str
        Of the reader.
    """

    name: str
    split: str
    points: torch.Tensor = field(repr=False)
    labels: torch.Tensor = field(repr=False)
    classes: tuple = field(repr=False)
    digest: str
    source: str

    policies = POLICIES

    @property
    def n(self):
        """Number of clouds."""
        return len(self.labels)

    @property
    def size(self):
        """Points in a cloud."""
        return self.points.shape[1]

    @property
    def num_classes(self):
        """Number of classes, whether or not all occur."""
        return len(self.classes)

    def take(self, n):
        """Return the first `n` clouds of a fixed stratified order.

        Parameters
        ----------
        n : int
            1 to ``self.n``.

        Raises
        ------
        InvalidValue

        Examples
        --------
        >>> from mgtutorial.data import load_clouds
        >>> load_clouds("shapes", "train").take(12).labels.bincount().tolist()
        [2, 2, 2, 2, 2, 2]
        """
        index = taken(self.labels.cpu().numpy(), n, f"{self.name}/{self.split}", "clouds")
        index = torch.from_numpy(index).to(self.labels.device)
        points, labels = self.points[index], self.labels[index]
        digest = content_digest(points.cpu().numpy(), labels.cpu().numpy())
        return replace(self, points=points, labels=labels, digest=digest)

    def epoch(self, order, batch_size, augmentation, seed):
        """Yield points and labels in the given order.

        Parameters
        ----------
        order : torch.Tensor
            int64 (m,), on the CPU.
        batch_size : int
        augmentation : str
            One of :data:`POLICIES`.
        seed : int
            Of the generator that the augmentation draws from.
        """
        choose("augmentation", augmentation, POLICIES)
        generator = torch.Generator().manual_seed(seed)
        _keep_freed_memory()
        for index in in_batches(order, batch_size):
            index = index.to(self.labels.device)
            points = self.points.index_select(0, index)
            if augmentation != "none":
                points = stretch_and_move(points, generator)
            yield points, self.labels.index_select(0, index)


def stretch_and_move(points, generator):
    """Stretch each axis of each cloud by a factor in [2/3, 3/2], and move it by up to 0.2.

    Parameters
    ----------
    points : torch.Tensor
        (n, points, 3).
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    torch.Tensor
        (n, points, 3).

    Examples
    --------
    >>> moved = stretch_and_move(torch.zeros(2, 5, 3), torch.Generator().manual_seed(0))
    >>> bool(moved.abs().max() <= 0.2), torch.equal(moved[:, 0], moved[:, 1])
    (True, True)
    """
    drawn = torch.rand(2, len(points), 1, 3, generator=generator, dtype=points.dtype)
    factor, shift = drawn.to(points.device)
    return points * (2 / 3 + factor * (3 / 2 - 2 / 3)) + (0.4 * shift - 0.2)


def in_unit_box(points):
    """Return clouds moved and scaled into [-1, 1] about the middles of their boxes, in float32.

    All axes of a cloud are scaled alike.

    Parameters
    ----------
    points : numpy.ndarray
        (n, points, 3).

    Examples
    --------
    >>> in_unit_box(np.array([[[0.0, 0, 0], [4, 2, 0]]])).tolist()
    [[[-1.0, -0.5, 0.0], [1.0, 0.5, 0.0]]]
    """
    low, high = points.min(1, keepdims=True), points.max(1, keepdims=True)
    half = np.maximum((high - low).max(2, keepdims=True) / 2, np.finfo(np.float32).tiny)
    return ((points - (low + high) / 2) / half).astype(np.float32)
