"""Images in memory: a part of a data set as arrays, and a split of it as uint8 tensors.

Splits are stratified, and the same on every machine.
"""

import hashlib
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch

from ..errors import DataDamaged, InvalidValue, whole
from . import augmentation as augment

# Any numbers would do; these are part of the definition of the splits.
VAL_SEED, TAKE_SEED = 5000, 2


def stratified_order(labels, seed):
    """An order in which every initial part has the classes in proportion.

    Image number ``i`` in a random order of the ``m`` images of its class gets the
    place ``(i + 1/2) / m``; sorting by place interleaves the classes.

    Parameters
    ----------
    labels : numpy.ndarray
        int (n,).
    seed : int
        For NumPy's RandomState, whose stream is frozen: the order is the same in every version.

    Returns
    -------
    numpy.ndarray
        int64 (n,), a permutation.

    Examples
    --------
    >>> labels = np.array([0, 0, 0, 0, 1, 1])
    >>> labels[stratified_order(labels, seed=0)].tolist()
    [0, 1, 0, 0, 1, 0]
    """
    random = np.random.RandomState(seed)
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.lexsort((labels, place)).astype(np.int64)


def split_index(labels, split):
    """The training images that a split consists of.

    Parameters
    ----------
    labels : numpy.ndarray
        int (n,), of the training part (of the test part for ``test``).
    split : {"train", "val", "fit", "test"}
        ``val`` has 5,000 images, or 20 % of fewer than 25,000; ``fit`` has the others.

    Returns
    -------
    numpy.ndarray or slice
        Increasing.

    Examples
    --------
    >>> split_index(np.arange(100) % 2, "val").size
    20
    """
    if split not in ("val", "fit"):
        return slice(None)
    n = 5000 if len(labels) >= 25_000 else round(len(labels) / 5)
    order = stratified_order(labels, VAL_SEED)
    return np.sort(order[:n] if split == "val" else order[n:])


def taken(labels, n, what, kind="images"):
    """The first `n` of a fixed stratified order, increasing.

    Raises
    ------
    InvalidValue
        If `n` is not from 1 to ``len(labels)``; in the message, `what` names the images, or
        whatever else `kind` says they are.

    Examples
    --------
    >>> taken(np.arange(100) % 10, 10, "digits").size
    10
    """
    n = how_many(n, len(labels), what, kind)
    return np.sort(stratified_order(labels, TAKE_SEED)[:n])


def how_many(n, most, what, kind="images"):
    """Return how many are to be taken, as a Python ``int``.

    Raises
    ------
    InvalidValue
        If `n` is not a whole number from 1 to `most`; `what` and `kind` as for :func:`taken`.

    Examples
    --------
    >>> how_many(np.int64(10), 100, "digits")
    10
    """
    try:
        return whole("n", n, most=most)
    except InvalidValue:
        raise InvalidValue(f"cannot take {n} {kind} of {what}: choose 1 to {most}.") from None


def in_batches(order, batch_size):
    """Split an order: into no batches if it is empty, where ``split`` would make an empty one.

    Examples
    --------
    >>> in_batches(torch.arange(3), 2), in_batches(torch.arange(0), 2)
    ((tensor([0, 1]), tensor([2])), ())
    """
    return order.split(batch_size) if len(order) else ()


def content_digest(*arrays):
    """First 16 hexadecimal digits of the SHA-256 over the bytes of `arrays`, in order.

    Examples
    --------
    >>> content_digest(np.zeros(3, np.uint8), np.ones(1, np.int64))
    '873858eefd6a0562'
    """
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()[:16]


def check_labels(part, info):
    """Raise unless every label of a part of a data set names one of its classes.

    Parameters
    ----------
    part : Part or another
        With ``labels``, ``classes`` and ``source``.
    info : mgtutorial.data.catalogue.DataSet

    Raises
    ------
    DataDamaged
    """
    least, most = part.labels.min(), part.labels.max()
    if not 0 <= least <= most < len(part.classes):
        raise DataDamaged(
            f"the labels of {info.name!r} ({part.source}) go from {least} to {most}, and there "
            f"are {len(part.classes)} classes: fetch the data set again."
        )


class Part(NamedTuple):
    """One part of a data set, training or test, as a reader gives it.

    Attributes
    ----------
    images : numpy.ndarray
        uint8 (n, channels, size, size).
    labels : numpy.ndarray
        int64 (n,).
    classes : tuple of str
    source : str
    """

    images: np.ndarray
    labels: np.ndarray
    classes: tuple
    source: str

    def check(self, info):
        """Raise unless the arrays are those of this data set: files may hold anything.

        Parameters
        ----------
        info : mgtutorial.data.catalogue.DataSet

        Raises
        ------
        DataDamaged
        """
        wanted = (len(self.labels), info.channels, info.size, info.size)
        if not len(self.labels) or self.images.shape != wanted or self.images.dtype != np.uint8:
            raise DataDamaged(
                f"the images of {info.name!r} ({self.source}) are {self.images.dtype} of shape "
                f"{self.images.shape} in place of uint8 of shape {wanted}: fetch them again."
            )
        check_labels(self, info)

    def split(self, info, split, device):
        """Return a split of this part on a device, as :class:`Images`.

        Parameters
        ----------
        info : mgtutorial.data.catalogue.DataSet
        split : {"train", "val", "fit", "test"}
        device : torch.device
        """
        index = split_index(self.labels, split)
        images, labels = self.images[index], self.labels[index]
        return Images(
            info.name,
            split,
            torch.from_numpy(np.ascontiguousarray(images)).to(device),
            torch.from_numpy(labels).to(device),
            self.classes,
            content_digest(images, labels),
            self.source,
        )


@dataclass(frozen=True, eq=False)
class Images:
    """A split of a data set in memory.

    Attributes
    ----------
    name, split : str
    images : torch.Tensor
        uint8 (n, channels, size, size), on the training device.
    labels : torch.Tensor
        int64 (n,), on the same device.
    classes : tuple of str
    digest : str
        First 16 hexadecimal digits of the SHA-256 over the bytes of images, then labels.
    source : str
        Of the reader: "official files", "JPEG copy", "20 of 200 classes", "embedded"...
    """

    name: str
    split: str
    images: torch.Tensor = field(repr=False)
    labels: torch.Tensor = field(repr=False)
    classes: tuple = field(repr=False)
    digest: str
    source: str

    policies = augment.POLICIES

    @property
    def n(self):
        """Number of images."""
        return len(self.labels)

    @property
    def channels(self):
        """1 (grey) or 3 (colour)."""
        return self.images.shape[1]

    @property
    def size(self):
        """Height, which is the width, in pixels."""
        return self.images.shape[-1]

    @property
    def num_classes(self):
        """Number of classes of the data set, whether or not all occur."""
        return len(self.classes)

    def take(self, n):
        """The first `n` images of a fixed stratified order; ``take(10)`` is part of ``take(20)``.

        Parameters
        ----------
        n : int
            1 to ``self.n``.

        Returns
        -------
        Images

        Raises
        ------
        InvalidValue

        Examples
        --------
        >>> from mgtutorial.data import load
        >>> load("digits", "train").take(20).labels.bincount().tolist()
        [2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
        """
        index = taken(self.labels.cpu().numpy(), n, f"{self.name}/{self.split}")
        index = torch.from_numpy(index).to(self.labels.device)
        images, labels = self.images[index], self.labels[index]
        digest = content_digest(images.cpu().numpy(), labels.cpu().numpy())
        return replace(self, images=images, labels=labels, digest=digest)

    def epoch(self, order, batch_size, augmentation, seed):
        """Yield uint8 batches and labels, which :func:`mgtutorial.data.batches` normalises.

        Parameters
        ----------
        order : torch.Tensor
            int64 (m,), on the CPU: which images, in which order.
        batch_size : int
        augmentation : str
        seed : int
            Of the generator the augmentation draws from.
        """
        generator = torch.Generator().manual_seed(seed)
        order = order.to(self.labels.device)
        pool = batch_size
        if augmentation != "none":
            _keep_freed_memory()
        if augmentation in augment.POOLED:
            # images that meet the same fate are treated together: the more, the cheaper
            pool *= max(1, 2048 // batch_size)
        for index in in_batches(order, pool):
            x, y = self.images.index_select(0, index), self.labels.index_select(0, index)
            if augmentation != "none":
                x = augment.apply(augmentation, x, generator)
            yield from zip(x.split(batch_size), y.split(batch_size), strict=True)


def _keep_freed_memory():
    """Make glibc keep what is freed, instead of giving it back and fetching it page by page.

    It keeps twice the largest block, up to 32 MiB, that it has seen freed. No
    page of this one is touched; without it a fifth of the time goes into page faults.
    """
    torch.empty(31 << 20, dtype=torch.uint8)
