"""What a data set with a class for each pixel is: its record, and a split of it.

Masks have the labels 0, 1, ..., and 255 where a pixel has none. Splits are the data set's own where
it has three, so "train" and "fit" may be the same images here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ..errors import DataDamaged
from .in_memory import content_digest, how_many, in_batches
from .readers import Reader

#: The label of pixels without one, which neither the loss nor the metric counts.
IGNORED = 255

SPLITS = ("train", "val", "fit", "test")


@dataclass(frozen=True)
class MaskSet:
    """What is known about a data set with masks.

    Attributes
    ----------
    name : str
    labels : tuple of str
        The classes, in the order of their labels.
    colours : tuple of (int, int, int)
        Colours of the classes, for pictures.
    mean, std : tuple of float
        Used to normalise colours in [0, 1], one number per channel.
    reader : Reader
    by_hand : str
        What to put into the root; empty if nothing.
    """

    name: str
    labels: tuple
    colours: tuple
    mean: tuple
    std: tuple
    reader: Reader
    by_hand: str = ""

    channels = 3
    masks = True
    stem = None

    @property
    def classes(self):
        """How many kinds of pixels there are."""
        return len(self.labels)

    @property
    def readers(self):
        """What reads its files, as for other data sets."""
        return (self.reader,)

    def located(self, root=None):
        """Return the reader and what it found, or None twice; nothing is read."""
        found = self.reader.locate(self, root)
        return (self.reader, found) if found else (None, None)


@dataclass(frozen=True, eq=False)
class Masks:
    """A split of images with their masks.

    Attributes
    ----------
    info : MaskSet
    split : str
    n : int
    size : (int, int)
        Height and width, in pixels.
    digest, source : str
        As for :class:`~mgtutorial.data.Images`.
    pick : callable
        Takes indices, int64 (m,), and returns images, uint8 (m, 3, height, width), and masks, uint8
        (m, height, width).
    """

    info: MaskSet = field(repr=False)
    split: str
    n: int
    size: tuple
    digest: str
    source: str
    pick: Callable = field(repr=False)

    @property
    def name(self):
        """Name of the data set."""
        return self.info.name

    def take(self, n):
        """Return the first `n` images and masks.

        Raises
        ------
        InvalidValue

        Examples
        --------
        >>> from mgtutorial.data import masks
        >>> masks.load("shapes", "train").take(8).n
        8
        """
        n = how_many(n, self.n, f"{self.name}/{self.split}")
        return replace(self, n=n, digest=f"{self.digest[:12]}-{n}")

    def epoch(self, order, batch_size, augmentation, seed):
        """Yield images and masks in the given order, as they are; the batches do the rest."""
        for index in in_batches(order, batch_size):
            yield self.pick(index)


def in_memory(info, split, images, masks, source):
    """Return arrays as :class:`Masks`.

    Parameters
    ----------
    info : MaskSet
    split : str
    images : numpy.ndarray
        uint8 (n, 3, height, width).
    masks : numpy.ndarray
        uint8 (n, height, width).
    source : str

    Raises
    ------
    DataDamaged
        If shapes, types or labels are not what they should be.
    """
    check(info, images, masks, source)
    digest = content_digest(images, masks)
    x, y = (torch.from_numpy(np.ascontiguousarray(v)) for v in (images, masks))
    return Masks(
        info, split, len(y), tuple(y.shape[1:]), digest, source, lambda index: (x[index], y[index])
    )


def check(info, images, masks, source):
    """Raise unless these are images and masks of the data set.

    Parameters
    ----------
    info : MaskSet
    images, masks : numpy.ndarray
    source : str

    Raises
    ------
    DataDamaged

    Examples
    --------
    >>> from mgtutorial.data import catalogue
    >>> x, y = np.zeros((1, 3, 4, 4), np.uint8), np.full((1, 4, 4), 7, np.uint8)
    >>> check(catalogue.MASKS["shapes"], x, y, "mine")
    Traceback (most recent call last):
    ...
    mgtutorial.errors.DataDamaged: a mask of 'shapes' (mine) has the label 7, and ...
    """
    said = f"of {info.name!r} ({source})"
    wanted = (len(masks), info.channels, *masks.shape[1:])
    if not len(masks) or masks.ndim != 3 or images.shape != wanted:
        raise DataDamaged(
            f"the images {said} have the shape {images.shape} and the masks {masks.shape}: give "
            "(n, 3, height, width) and (n, height, width)."
        )
    if (images.dtype, masks.dtype) != (np.uint8, np.uint8):
        raise DataDamaged(
            f"the images {said} are {images.dtype}, the masks {masks.dtype}: both must be uint8."
        )
    known = masks[masks != IGNORED]
    if len(known) and known.max() >= info.classes:
        raise DataDamaged(
            f"a mask {said} has the label {known.max()}, and there are 0 to {info.classes - 1} and "
            f"{IGNORED}, for pixels without one: give {IGNORED} to all others."
        )
