"""Data sets without files: scikit-learn's digits, and coloured waves."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .in_memory import Part, stratified_order
from .readers import Found, Reader


@dataclass(frozen=True)
class Made(Reader):
    """The reader of a data set that a function makes.

    Attributes
    ----------
    make : callable
        Takes whether the training part is wanted, and returns (images, labels, class names).
    source, state, where : str
    """

    make: Callable
    source: str
    state: str
    where: str = ""

    def locate(self, info, root):
        return Found(self.state, self.where)

    def read(self, info, train, root, progress):
        return Part(*self.make(train), self.source)


def digits(train):
    """scikit-learn's 1,797 images of handwritten digits, 8 x 8, embedded in that library.

    Grey values 0..16 become 0..255. There is no official test set: 359 images
    (20 %, stratified, always the same) are the test part, 1,438 the training part.

    Parameters
    ----------
    train : bool

    Returns
    -------
    images, labels, classes
        uint8 (n, 1, 8, 8), int64 (n,), and the names of the classes.
    """
    from sklearn.datasets import load_digits

    raw = load_digits()
    images = np.rint(raw.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = raw.target.astype(np.int64)
    order = stratified_order(labels, seed=1797)
    index = np.sort(order[359:] if train else order[:359])
    return images[index], labels[index], tuple("0123456789")


def synthetic(train, seed=0, classes=10, channels=3, size=32):
    """Coloured waves, one per class, under noise: separable, for tests.

    Parameters
    ----------
    train : bool
        2,000 images for training, or 500 others of the same classes.
    seed, classes, channels, size : int

    Returns
    -------
    images, labels, classes
        uint8 (n, channels, size, size), int64 (n,), and the names of the classes.
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
    return images.clip(0, 255).astype(np.uint8), labels.astype(np.int64), names
