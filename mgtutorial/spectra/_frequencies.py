r"""Symbols at the frequencies that suffice: what :mod:`mgtutorial.spectra.symbols` runs on.

A frequency is a row of whole numbers `m`, one for each axis: the phases :math:`2 \pi m / n`.
"""

import math
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, lru_cache

import numpy as np

from ..errors import InvalidValue
from ..linalg._numbers import is_complex, unit_of
from .convolutions import axes_of, double

# Frequencies are taken in blocks whose matrices have about this many bytes, to fit into the cache.
_BLOCK = 2**20
#: The greatest number of values of a spectrum that is computed: 2 GiB of singular values.
MOST = 2**28


class Frequencies:
    """The output frequencies of a convolution on a periodic grid, as few as suffice.

    For a real kernel that is one of each pair of opposite frequencies; along an axis on which the
    kernel has a single entry, just one, as the symbol is constant there.

    Attributes
    ----------
    A : Convolution
        With its kernel as an array in double precision, unless it is a tensor that needs a gradient
        or is not on the CPU; divided by `unit`.
    unit : float
        A power of two: 1 unless squares of the kernel's entries would leave the range of
        floating-point numbers.
    shape, grid : tuple of int
        Those of the input and of the output.
    index : array of int, shape (M, d)
    """

    def __init__(self, A, shape):
        self.grid, self.shape, kernel = output_grid(A, shape), axes_of(shape, A.d), A.kernel
        self.dtype = None if isinstance(kernel, np.ndarray) else kernel.dtype
        if self.dtype and kernel.device.type == "cpu" and not _needs_gradient(kernel):
            A = replace(A, kernel=double(kernel))
        self.unit = unit_of(A.kernel)
        self.A = A if self.unit == 1 else replace(A, kernel=A.kernel / self.unit)
        varies = tuple(n if k > 1 else 1 for n, k in zip(self.grid, A.sizes, strict=True))
        self.index = all_frequencies(varies)
        own = np.arange(len(self.index))
        which, flipped = own, own < 0
        if self.is_real:
            opposite = np.ravel_multi_index(tuple((-self.index % varies).T), varies)
            suffice, which = np.unique(np.minimum(own, opposite), return_inverse=True)
            self.index, flipped = self.index[suffice], own > opposite
        self._which, self._flipped = (
            np.array(np.broadcast_to(v.reshape(varies), self.grid)).ravel()
            for v in (which, flipped)
        )

    @property
    def in_arrays(self):
        """Whether NumPy does the work."""
        return isinstance(self.A.kernel, np.ndarray)

    @property
    def is_real(self):
        """Whether the kernel is."""
        return not is_complex(self.A.kernel)

    def each(self, function, index=None):
        """Call `function` with parts of the frequencies (of `index`); return all values, (M, ...).

        Arrays are worked on by as many threads as there are processors (or as ``OMP_NUM_THREADS``
        says). LAPACK's own threads do not help with small matrices, and do a lot of harm where
        processors are busy, so each of ours uses only one of them.
        """
        A, index = self.A, self.index if index is None else index
        size = 16 * math.prod(A.stride) * A.c_out * A.kernel.shape[1]
        size = max(1, (_BLOCK if self.in_arrays else 128 * _BLOCK) // size)
        parts = [index[i : i + size] for i in range(0, len(index), size)]
        if not self.in_arrays:
            return sys.modules["torch"].cat([function(part) for part in parts])
        asked = os.environ.get("OMP_NUM_THREADS", "")
        workers = max(1, int(asked) if asked.isdigit() else os.cpu_count() or 1)
        with _ONE_THREAD:
            if min(workers, len(parts)) == 1:
                return np.concatenate([function(part) for part in parts])
            pool = ThreadPoolExecutor(workers)
            try:
                return np.concatenate(list(pool.map(function, parts)))
            finally:  # after Ctrl-C the rest is not started
                pool.shutdown(wait=False, cancel_futures=True)

    def spread(self, values, conjugate=False):
        """Spread the values at `index` over the whole grid, (*grid, -1), in the kernel's type."""
        out, flipped = values[self._which], self._flipped[:, None]
        out = out if self.unit == 1 else out * self.unit
        if not self.in_arrays and conjugate:
            torch = sys.modules["torch"]
            out = torch.where(torch.from_numpy(flipped).to(out.device), out.conj(), out)
        elif conjugate:
            out = np.where(flipped, out.conj(), out)
        if self.dtype and self.in_arrays:
            dtype = self.dtype.to_complex() if conjugate else self.dtype.to_real()
            out = sys.modules["torch"].from_numpy(out).to(dtype)
        return out.reshape(*self.grid, -1)


@cache
def _libraries():
    """The linear algebra libraries that are loaded; looking for them takes 10 ms."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


class _OneThread:
    """One thread for LAPACK. Of overlapping calls, each restores what the first one found.

    What a later one finds is the limit that the first one set. (A library may have a limit for each
    thread.)
    """

    def __init__(self):
        self.lock, self.inside, self.first = threading.Lock(), 0, None

    def __enter__(self):
        with self.lock:
            limit = _libraries().limit(limits=1, user_api="blas")
            self.first = self.first if self.inside else limit
            self.first.__enter__()
            self.inside += 1

    def __exit__(self, *error):
        with self.lock:
            self.inside -= 1
            self.first.__exit__(*error)


_ONE_THREAD = _OneThread()


def _needs_gradient(kernel):
    return kernel.requires_grad and sys.modules["torch"].is_grad_enabled()


def all_frequencies(grid):
    """All frequencies of a grid, in C order."""
    return np.indices(grid).reshape(len(grid), -1).T


def output_grid(A, shape):
    """Return the output's grid, if the convolution fits a periodic grid of `shape`."""
    shape = axes_of(shape, A.d)
    valid = len(shape) == A.d and all(isinstance(n, int) for n in shape)
    if not valid or any(n % s for n, s in zip(shape, A.stride, strict=True)):
        raise InvalidValue(
            f"a periodic grid of shape {shape} for a kernel of sizes {A.sizes} with stride "
            f"{A.stride}: give {A.d} whole numbers, multiples of the stride."
        )
    least = tuple(reach + 1 for reach in A.reach)
    if any(n < m for n, m in zip(shape, least, strict=True)):
        raise InvalidValue(
            f"a kernel of sizes {A.sizes} with dilation {A.dilation} reaches around a "
            f"periodic grid of shape {shape}: give at least {least}."
        )
    grid = tuple(n // s for n, s in zip(shape, A.stride, strict=True))
    values = math.prod(grid) * min(A.c_out, A.c_in * math.prod(A.stride))
    if values > MOST:
        raise InvalidValue(
            f"a periodic grid of shape {shape} has {values:.2g} values for a convolution of "
            f"{A.c_in} to {A.c_out} channels, more than {MOST:.2g}: take a smaller grid."
        )
    return grid


@lru_cache(maxsize=64)
def waves(n):
    """exp(2 pi i j / n), exact at multiples of a quarter turn, and exactly conjugate in pairs."""
    j = np.arange(n)
    out = np.exp(2j * np.pi * np.minimum(j, n - j) / n)
    out[2 * j > n] = out[2 * j > n].conj()
    out[4 * j % n == 0] = [(1, 1j, -1, -1j)[q] for q in range(4) if q * n % 4 == 0]
    out.flags.writeable = False
    return out


def weights(A):
    """The kernel as a complex matrix, (entries, c_out * c_in / groups)."""
    rows = A.kernel.reshape(-1, math.prod(A.sizes))
    if isinstance(rows, np.ndarray):
        return np.ascontiguousarray(rows.T, dtype=complex)
    return rows.T.to(rows.dtype.to_complex())


def symbol_blocks(A, w, shape, index):
    """Return the symbol's blocks at output frequencies, shape (M, groups, rows, columns)."""
    phases = 1 / math.sqrt(math.prod(A.stride))
    for axis, (n, s) in enumerate(zip(shape, A.stride, strict=True)):
        m = index[:, axis, None] + n // s * np.arange(s)  # the frequencies that fold onto it
        offset = A.dilation[axis] * np.arange(A.sizes[axis]) - A.origin[axis]
        along = waves(n)[m[..., None] * offset % n]
        # (M, harmonics, entries), both in C order over the axes
        phases = np.einsum("mak,mbl->mabkl", phases, along) if axis else phases * along
        phases = phases.reshape(len(index), -1, math.prod(A.sizes[: axis + 1]))
    if not isinstance(w, np.ndarray):
        phases = sys.modules["torch"].from_numpy(phases).to(w)
    blocks = phases @ w  # (M, harmonics, c_out * c_in / groups)
    each = A.c_out // A.groups
    blocks = blocks.reshape(len(index), phases.shape[1], A.groups, each, -1)
    if phases.shape[1] > 1:
        blocks = blocks.swapaxes(1, 2).swapaxes(2, 3)
    return blocks.reshape(len(index), A.groups, each, -1)
