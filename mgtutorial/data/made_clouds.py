"""Clouds that need no files: points on six surfaces, stretched and turned about the vertical."""

from dataclasses import dataclass

import numpy as np

from .clouds_in_memory import CloudPart, in_unit_box
from .readers import Found, Reader

SHAPES = ("ball", "box", "cylinder", "cone", "ring", "stairs")


@dataclass(frozen=True)
class MadeClouds(Reader):
    """The reader of clouds that :func:`shapes` makes."""

    source = "made"

    def locate(self, info, root):
        return Found("made when asked for", "")

    def read(self, info, train, root, progress):
        return CloudPart(*shapes(train, points=info.size), self.source)


def shapes(train, n=None, points=128, seed=0):
    """Return clouds on six kinds of surfaces.

    Parameters
    ----------
    train : bool
        240 clouds for training, or 120 others.
    n, points, seed : int

    Returns
    -------
    points, labels, classes
        float32 (n, points, 3), int64 (n,), and the names of the classes.

    Examples
    --------
    >>> points, labels, classes = shapes(train=False)
    >>> points.shape, float(np.abs(points).max()), len(classes)
    ((120, 128, 3), 1.0, 6)
    """
    n = (240 if train else 120) if n is None else n
    random = np.random.RandomState([seed, int(train)])
    labels = np.arange(n) % len(SHAPES)
    found = np.empty((n, points, 3))
    for i, label in enumerate(labels):
        cloud = _SURFACES[SHAPES[label]](random, points) * random.uniform(0.7, 1.4, 3)
        a = random.uniform(0, 2 * np.pi)
        turned = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        found[i] = cloud @ turned.T + 0.01 * random.standard_normal((points, 3))
    return in_unit_box(found), labels.astype(np.int64), SHAPES


def _ball(random, n):
    x = random.standard_normal((n, 3))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def _box(random, n):
    x = random.uniform(-1, 1, (n, 3))
    x[np.arange(n), random.randint(3, size=n)] = random.choice([-1, 1], n)
    return x


def _around(random, n, radius, height):
    a = random.uniform(0, 2 * np.pi, n)
    return np.stack([radius * np.cos(a), radius * np.sin(a), height], axis=1)


def _cylinder(random, n):
    cap = random.uniform(size=n) < 0.3
    radius = np.where(cap, np.sqrt(random.uniform(size=n)), 1.0)
    height = np.where(cap, random.choice([-1, 1], n), random.uniform(-1, 1, n))
    return _around(random, n, radius, height)


def _cone(random, n):
    radius = np.sqrt(random.uniform(size=n))
    return _around(random, n, radius, 1 - 2 * radius)


def _ring(random, n):
    b = random.uniform(0, 2 * np.pi, n)
    return _around(random, n, 1 + 0.35 * np.cos(b), 0.35 * np.sin(b))


def _stairs(random, n):
    """Three steps: their treads and their fronts."""
    step, up = random.randint(3, size=n), random.uniform(size=n) < 0.5
    along = np.where(up, step, step + random.uniform(size=n))
    height = np.where(up, step + random.uniform(size=n), step + 1)
    return np.stack([along, random.uniform(0, 2, n), height], axis=1) - 1.5


_SURFACES = dict(zip(SHAPES, (_ball, _box, _cylinder, _cone, _ring, _stairs), strict=True))
