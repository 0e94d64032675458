"""Reading each data set from where it lies: official files first, local copies next.

:func:`read` gives the training or the test part as arrays; splitting, digests
and batches are :mod:`mgtutorial.data.images`'s business. Nothing is unpickled that is not
verified: ``np.load`` runs with ``allow_pickle=False``, and torchvision's CIFAR
reader, whose official files *are* pickles, is called only after the md5 of
every one of them was compared with torchvision's list.
"""

from typing import NamedTuple

import numpy as np

from ..errors import DataNotFound
from . import cache, jpegs, official
from .catalogue import BY_HAND, COPIES
from .splits import stratified_order


class Part(NamedTuple):
    """One part of a data set: uint8 images (n, c, h, w), int64 labels (n,), names, origin."""

    images: np.ndarray
    labels: np.ndarray
    classes: tuple
    source: str


def digits(train):
    """scikit-learn's 1,797 images of handwritten digits, 8 x 8, embedded in that library.

    Grey values 0..16 become 0..255. There is no official test set: 359 images
    (20 %, stratified, always the same) are the test part, 1,438 the training part.
    """
    from sklearn.datasets import load_digits

    raw = load_digits()
    images = np.rint(raw.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = raw.target.astype(np.int64)
    order = stratified_order(labels, seed=1797)
    index = np.sort(order[359:] if train else order[:359])
    return Part(images[index], labels[index], tuple("0123456789"), "embedded")


def synthetic(train, seed=0, classes=10, channels=3, size=32):
    """Coloured waves, one per class, under noise: separable, for tests.

    Parameters
    ----------
    train : bool
        2,000 images, or 500 others of the same classes.
    seed, classes, channels, size : int
    """
    waves = np.random.RandomState(seed)
    grid = np.arange(size) / size
    y, x = np.meshgrid(grid, grid, indexing="ij")
    k = waves.randint(1, 4, (2, classes, channels, 1, 1))
    phase = waves.uniform(0, 2 * np.pi, (classes, channels, 1, 1))
    means = 128 + 60 * np.sin(2 * np.pi * (k[0] * x + k[1] * y) + phase)
    noise = np.random.RandomState([seed, int(train)])
    labels = np.arange(2000 if train else 500) % classes
    images = means[labels] + 20 * noise.standard_normal((len(labels), channels, size, size))
    names = tuple(f"wave {i}" for i in range(classes))
    return Part(images.clip(0, 255).astype(np.uint8), labels.astype(np.int64), names, "synthetic")


def read(name, train, root=None, download=False, progress=True):
    """Read the training or the test part of a data set that fits in memory.

    Parameters
    ----------
    name : str
        Any of :data:`mgtutorial.data.catalogue.NAMES` but ``imagenet``.
    train : bool
    root : str or path, optional
    download : bool
        Fetch the official files if they are not there.
    progress : bool

    Returns
    -------
    Part

    Raises
    ------
    DataNotFound, DataDamaged, CacheUnwritable
    """
    if name == "digits":
        return digits(train)
    if name == "synthetic":
        return synthetic(train)
    if name == "tiny-imagenet":
        path = jpegs.locate_tiny(root)
        if path is None and download:
            path = jpegs.download_tiny(root, progress)
        if path is not None:
            return Part(*jpegs.read_tiny(path, train, progress), "official files")
    else:
        arrays = official.read(name, train, root, download, progress)
        if arrays is not None:
            return Part(*arrays, "official files")
    copy = _copy(name, root)
    if copy is None:
        raise DataNotFound(not_found(name, root))
    part = jpegs.read_copy(copy, train, progress)
    return Part(*part, f"{len(part[2])} of 200 classes" if "tiny" in name else "JPEG copy")


def _copy(name, root):
    found = (p for place in cache.places(root) for p in sorted(place.glob(COPIES[name])))
    return next(found, None) if name in COPIES else None


def not_found(name, root=None):
    """The sentence that says where a data set was looked for and what to do."""
    looked = " and ".join(str(p) for p in cache.places(root))
    return f"the data set {name!r} is not in {looked}: {how_to_get(name, root)}."


def how_to_get(name, root=None):
    """What to type or to put where, so that a data set is there.

    Examples
    --------
    >>> how_to_get("cifar10", "data")
    'type `mgtutorial data --download cifar10`, or put cifar-10-python.tar.gz into data'
    """
    put = f"put {BY_HAND[name]} into {cache.download_folder(root)}"
    return put if name == "imagenet" else f"type `mgtutorial data --download {name}`, or {put}"


class Row(NamedTuple):
    """One line of `mgtutorial data`: name, state, where it is, how to get it."""

    name: str
    state: str
    where: str
    how: str


def available(root=None):
    """What is there, quickly: files are looked for, not read.

    Parameters
    ----------
    root : str or path, optional

    Returns
    -------
    list of Row
        ``where`` and ``how`` are empty where they do not apply.

    Examples
    --------
    >>> available()[0]
    Row(name='digits', state='embedded', where='scikit-learn', how='')
    """
    rows = [Row("digits", "embedded", "scikit-learn", "")]
    for name in BY_HAND:
        state, where = _state(name, root)
        rows.append(Row(name, state, where, how_to_get(name, root) if state != "ready" else ""))
    return [*rows, Row("synthetic", "made when asked for", "", "")]


def _state(name, root):
    if name in official.CLASSES:
        found = official.locate(name, root)
        if found:
            kind, place = found
            state = "ready" if kind == "unpacked" else "ready, unpacked at first use"
            return state, str(place)
    elif name == "tiny-imagenet" and (path := jpegs.locate_tiny(root)):
        return "ready", str(path)
    copy = _copy(name, root)
    return ("local copy, not the official files", str(copy)) if copy else ("not here", "")
