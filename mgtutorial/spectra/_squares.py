r"""Singular values of a symbol from the eigenvalues of :math:`\tilde A \tilde A^*`.

:math:`A A^T` is a convolution too: its kernel has an entry :math:`g_l = \sum_{k - k' = l} w_k
w_{k'}^T` for each difference of two offsets, so its symbol needs no matrix product at each
frequency. (With a stride, only the differences that it divides remain: the phases of the others
cancel in the sum over the waves that become one.) Since :math:`g_{-l} = g_l^T`,

.. math:: \tilde A \tilde A^* (\varphi) = g_0 + \sum_{l > 0} (g_l + g_l^T) \cos(l \cdot \varphi)
    + i (g_l - g_l^T) \sin(l \cdot \varphi) .

On a grid with few points there are fewer matrices than differences, and their products are cheaper.
Where all phases are signs, the square is a real matrix, whose eigenvalues take a third of the time.

The eigenvalues of a Hermitian matrix take two thirds or half of the time of a singular value
decomposition, but squaring loses small singular values: a rounding error of
:math:`\epsilon \sigma_1^2` in the square becomes one of :math:`\epsilon \sigma_1^2 / (2 \sigma)`
in :math:`\sigma`.
"""

from dataclasses import replace
from itertools import product

import numpy as np

from ._frequencies import symbol_blocks, waves, weights

#: Singular values below this fraction of the greatest are in doubt: a rounding error of
#: ``2 eps s_1**2`` in the square would become 1e-12 s_1 in one. (LAPACK's guide estimates half.)
DOUBT = np.finfo(float).eps / 1e-12


class Squares:
    r"""The symbol of :math:`A A^T`, or of :math:`A^T A` if that is smaller, and its eigenvalues.

    Parameters
    ----------
    frequencies : Frequencies
    """

    def __init__(self, frequencies):
        A, self.grid, self.shape = frequencies.A, frequencies.grid, frequencies.shape
        self.wide, self.groups = _wide(A), A.groups
        self.scale = np.abs(A.kernel).max() or 1.0  # so that squares neither over- nor underflow
        self.A = replace(A, kernel=A.kernel / self.scale)
        pairs, real = _pairs(self.A), self._real(frequencies.index)
        # in products of real matrices of this size, of which half suffice where A meets itself
        each = 2 * np.prod(A.stride) * np.where(real, 0.5, 2).sum()
        self.sums = None if each < 2 * len(pairs) else self._sums(pairs)
        self.w = weights(self.A)

    def _real(self, index):
        """At which frequencies all phases are signs."""
        return ~(2 * index % self.grid).any(axis=1)

    def _sums(self, pairs):
        """Differences of offsets, and the even and odd parts of what belongs to them."""
        A, sums = self.A, {}
        w = A.kernel.reshape(A.groups, A.c_out // A.groups, -1, np.prod(A.sizes))
        w = np.ascontiguousarray(np.moveaxis(w, -1, 0))  # (entries, groups, rows, columns)
        # the sides are swapped by transposing everything, which also flips the sign of the offsets
        w = w if self.wide else w.swapaxes(-1, -2)
        for lag, i, j in pairs:
            sums[lag] = sums.get(lag, 0) + w[i] @ w[j].swapaxes(-1, -2)
        lags, g = np.array(list(sums)), np.array(list(sums.values()))
        half = np.where(lags.any(axis=1), 1.0, 0.5)[:, None, None, None]
        transposed = g.swapaxes(-1, -2)
        return lags, half * (g + transposed), half * (g - transposed)

    def __call__(self, index):
        """Return the squares of the singular values at frequencies, descending, (M, groups, -1)."""
        real, parts = self._real(index), []
        for is_real in (False, True):
            chosen = np.flatnonzero(real == is_real)
            if len(chosen):
                make = self._products if self.sums is None else self._transforms
                parts.append((chosen, np.linalg.eigvalsh(make(index[chosen], is_real))))
        if len(parts) == 1:
            return parts[0][1][..., ::-1]
        found = np.empty((len(index), *parts[0][1].shape[1:]))
        for chosen, values in parts:
            found[chosen] = values[..., ::-1]
        return found

    def _transforms(self, index, is_real):
        """The squares from the differences of offsets."""
        lags, even, odd = self.sums
        shape = (len(index), *even.shape[1:])
        if not lags.any():  # a kernel of one entry
            return np.broadcast_to(even, shape)
        phases = 1
        for axis, points in enumerate(self.grid):
            phases = phases * waves(points)[index[:, axis, None] * lags[:, axis] % points]
        even, odd = even.reshape(len(lags), -1), odd.reshape(len(lags), -1)
        real = phases.real.copy() @ even  # a product of strided arrays would bypass BLAS
        if is_real:
            return real.reshape(shape)
        blocks = np.empty(real.shape, complex)
        blocks.real, blocks.imag = real, phases.imag.copy() @ odd
        return blocks.reshape(shape)

    def _products(self, index, is_real):
        """The squares as products of the symbol with its adjoint."""
        blocks = symbol_blocks(self.A, self.w, self.shape, index)
        blocks = blocks if self.wide else blocks.swapaxes(-1, -2)
        x, y = blocks.real.copy(), blocks.imag.copy()
        both = np.concatenate([x, y], axis=-1)
        real = both @ both.swapaxes(-1, -2)
        if is_real:
            return real
        product = y @ x.swapaxes(-1, -2)
        return real + 1j * (product - product.swapaxes(-1, -2))


def _pairs(A):
    """Pairs of entries whose offsets differ by a multiple of the stride: (difference, i, j)."""
    offsets = list(product(*[q * np.arange(k) for q, k in zip(A.dilation, A.sizes, strict=True)]))
    sign, pairs = 1 if _wide(A) else -1, []
    for (i, k), (j, other) in product(enumerate(offsets), repeat=2):
        lag, rest = np.divmod(sign * np.subtract(k, other), A.stride)
        if not rest.any() and tuple(lag) >= (0,) * A.d:  # one of each pair l, -l
            pairs.append((tuple(lag), i, j))
    return pairs


def worthwhile(frequencies):
    """Whether squares save time: real arrays, and fewer terms than channels."""
    A = frequencies.A
    if not (frequencies.in_arrays and frequencies.is_real):
        return False
    wide = _wide(A) or set(A.stride) == {1}
    lags = np.prod([2 * k - 1 for k in A.sizes])
    return wide and lags <= min(A.c_out // A.groups, A.kernel.shape[1] * np.prod(A.stride)) / 2


def _wide(A):
    """Whether a block of the symbol has no more rows than columns."""
    return A.c_out // A.groups <= A.kernel.shape[1] * np.prod(A.stride)
