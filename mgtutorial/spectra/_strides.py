"""Strides along axes on which a kernel has a single entry: they merely skip points."""

import math
import sys
from dataclasses import replace

import numpy as np

from ._frequencies import output_grid
from .convolutions import axes_of


def without_idle_strides(A, shape):
    """The convolution on the points that its kernel meets, where a single entry skips the others.

    Along such an axis the waves that become one do not differ: the singular values are those of the
    entry alone, and zeros.
    """
    output_grid(A, shape)  # raises
    shape = axes_of(shape, A.d)
    stride = tuple(1 if k == 1 else s for s, k in zip(A.stride, A.sizes, strict=True))
    if stride == A.stride:
        return A, shape
    shape = [n * t // s for n, s, t in zip(shape, A.stride, stride, strict=True)]
    padding = [(0, 0) if k == 1 else p for p, k in zip(A.padding, A.sizes, strict=True)]
    return replace(A, stride=stride, padding=tuple(padding)), tuple(shape)


def with_zeros(found, A):
    """Singular values (M, groups, k) with the zeros that idle strides add."""
    rows, columns = A.c_out // A.groups, A.kernel.shape[1] * math.prod(A.stride)
    missing = min(rows, columns) - found.shape[-1]
    if not missing:
        return found
    if isinstance(found, np.ndarray):
        return np.pad(found, ((0, 0), (0, 0), (0, missing)))
    return sys.modules["torch"].nn.functional.pad(found, (0, missing))
