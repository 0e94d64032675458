r"""Singular values of a symbol from the eigenvalues of :math:`\tilde A \tilde A^*`.

:math:`A A^T` is a convolution, too: its kernel has an entry :math:`g_l = \sum_{k - k' = l} w_k
w_{k'}^T` for each difference of two offsets, so that its symbol costs no product of matrices at
each frequency. (With a stride, only differences that it divides are left: the others' phases cancel
in the sum over the waves that become one.) Since :math:`g_{-l} = g_l^T`,

.. math:: \tilde A \tilde A^* (\varphi) = g_0 + \sum_{l > 0} (g_l + g_l^T) \cos(l \cdot \varphi)
    + i (g_l - g_l^T) \sin(l \cdot \varphi) .

Eigenvalues of a Hermitian matrix take two thirds of the time of a singular value decomposition, or
half of it, but squaring loses small ones: a rounding :math:`\epsilon \sigma_1^2` of the square is
:math:`\epsilon \sigma_1^2 / (2 \sigma)` of :math:`\sigma`.
"""

from itertools import product

import numpy as np

from ._frequencies import waves

#: Singular values below this fraction of the greatest are in doubt: a rounding error of
#: ``2 eps s_1**2`` in the square would make 1e-12 s_1 of one. (LAPACK's guide estimates half.)
DOUBT = np.finfo(float).eps / 1e-12


class Squares:
    r"""The symbol of :math:`A A^T`, or of :math:`A^T A` if that is smaller, and its eigenvalues.

    Parameters
    ----------
    frequencies : Frequencies
    """

    def __init__(self, frequencies):
        A, self.grid = frequencies.A, frequencies.grid
        w = A.kernel.reshape(A.groups, A.c_out // A.groups, -1, np.prod(A.sizes))
        w = np.ascontiguousarray(np.moveaxis(w, -1, 0))  # (entries, groups, rows, columns)
        # sides are swapped by transposing all, which turns the sign of the offsets, too
        w = w if _wide(A) else w.swapaxes(-1, -2)
        self.scale = np.abs(w).max() or 1.0  # so that squares neither over- nor underflow
        w, sums = w / self.scale, {}
        offsets = list(
            product(*[q * np.arange(k) for q, k in zip(A.dilation, A.sizes, strict=True)])
        )
        sign = 1 if _wide(A) else -1
        for (i, k), (j, other) in product(enumerate(offsets), repeat=2):
            lag = sign * np.subtract(k, other)
            lag, rest = np.divmod(lag, A.stride)
            if not rest.any() and tuple(lag) >= (0,) * A.d:  # one of each pair l, -l
                sums[tuple(lag)] = sums.get(tuple(lag), 0) + w[i] @ w[j].swapaxes(-1, -2)
        self.lags = np.array(list(sums))
        g = np.array(list(sums.values()))
        self.rows = g.shape[1:3]
        half = np.where(self.lags.any(axis=1), 1.0, 0.5)[:, None, None, None]
        transposed = g.swapaxes(-1, -2)
        self.even = (half * (g + transposed)).reshape(len(g), -1)
        self.odd = (half * (g - transposed)).reshape(len(g), -1)

    def __call__(self, index):
        """Return the squares of the singular values at frequencies, descending, (M, groups, -1)."""
        groups, n = self.rows
        if not self.lags.any():  # a kernel of one entry: the squares are real, and constant
            return np.linalg.eigvalsh(np.broadcast_to(
                self.even.reshape(1, groups, n, n), (len(index), groups, n, n)
            ))[..., ::-1]  # fmt: skip
        phases = 1
        for axis, points in enumerate(self.grid):
            phases = phases * waves(points)[index[:, axis, None] * self.lags[:, axis] % points]
        blocks = np.empty((len(index), self.even.shape[1]), complex)
        blocks.real = phases.real.copy() @ self.even  # a product of strided arrays avoids BLAS
        blocks.imag = phases.imag.copy() @ self.odd
        return np.linalg.eigvalsh(blocks.reshape(-1, groups, n, n))[..., ::-1]


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
