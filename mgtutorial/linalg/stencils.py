r"""Stencils: constant-coefficient operators as data.

A :class:`Stencil` applies itself to NumPy arrays and torch tensors alike, of any
floating dtype and with any number of batch dimensions in front; it turns into a
SciPy matrix; and it knows its Fourier symbol.

References
----------
.. [1] U. Trottenberg, C. W. Oosterlee, A. Schueller, Multigrid, 2001.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import scipy

from ..errors import InvalidValue, choose
from ._numbers import in_type, is_whole, plain

BOUNDARIES = ("dirichlet", "periodic")


@lru_cache(maxsize=4096)  # the same few are asked for at every application
def slice_pairs(shape, offset, boundary, start=None, step=1):
    """Return index tuples ``(targets, sources)``: ``u[sources]`` are neighbours of ``u[targets]``.

    This is the one place where boundaries are dealt with: a zero boundary drops
    the neighbours outside, a periodic one returns them as further pairs.

    Parameters
    ----------
    shape : tuple of int
        Of the grid.
    offset : tuple of int
        From a point to its neighbour.
    boundary : {"dirichlet", "periodic"}
    start : tuple of int, optional
        First target on each axis (zeros by default), below `step`.
    step : int
        Distance of the targets; 2 visits one colour of a chessboard at a time.

    Examples
    --------
    >>> slice_pairs((5,), (1,), "dirichlet")
    (((Ellipsis, slice(0, 4, 1)), (Ellipsis, slice(1, 5, 1))),)
    >>> [targets[1] for targets, _ in slice_pairs((5,), (1,), "periodic")]
    [slice(0, 4, 1), slice(4, 5, 1)]

    Book: smoothing, eq-symbol
    """
    start = start or (0,) * len(shape)

    def along(m, o, first):
        wraps = (0, -m) if boundary == "periodic" else (0,)
        o = o % m if boundary == "periodic" else o
        for o in (o + w for w in wraps):
            low, high = max(0, -o), min(m, m - o)
            first_in = first + step * max(0, -((first - low) // step))
            if first_in < high:
                yield slice(first_in, high, step), slice(first_in + o, high + o, step)

    return tuple(
        ((..., *(t for t, _ in pairs)), (..., *(s for _, s in pairs)))
        for pairs in product(*map(along, shape, offset, start))
    )


@dataclass(frozen=True)
class Stencil:
    r"""The operator :math:`(A u)_j = \sum_k c_k\, u_{j+k}` with constant coefficients.

    Calling it applies it: ``A(u)``, with `u` of shape ``(..., *grid)``.

    Use a stencil where the coefficients come from an equation: one unknown per point, mesh widths
    and boundary values, smoothers that ask for the diagonal, Fourier analysis on an infinite grid.
    Where they are a layer's weights, with channels, strides, groups or gradients, use
    ``mgtutorial.spectra.Convolution``. :meth:`kernel` leads from one to the other: with one channel
    the two are the same operator, "dirichlet" being the padding "zeros" and "periodic" the padding
    "circular".

    Attributes
    ----------
    offsets : tuple of tuple of int
        The neighbours :math:`k`, each with `d` entries.
    coefficients : tuple of float
        The :math:`c_k`, in the same order.
    boundary : {"dirichlet", "periodic"}
        Zero outside the grid, or wrapped around.

    Raises
    ------
    InvalidValue
        For offsets that do not match the coefficients, repeat, or differ in length.
    UnknownName
        For any other boundary.

    Examples
    --------
    >>> A = Stencil(((-1,), (0,), (1,)), (-1.0, 2.0, -1.0))
    >>> A(np.array([1.0, 1.0, 1.0]))
    array([1., 0., 1.])
    >>> A.sparse((3,)).toarray()
    array([[ 2., -1.,  0.],
           [-1.,  2., -1.],
           [ 0., -1.,  2.]])

    Book: smoothing, eq-stencils
    """

    offsets: tuple[tuple[int, ...], ...]
    coefficients: tuple[float, ...]
    boundary: str = "dirichlet"

    def __post_init__(self):
        # Python numbers, because a NumPy scalar would turn float32 into float64
        coefficients = tuple(np.asarray(self.coefficients).tolist())
        offsets = tuple(tuple(int(o) for o in offset) for offset in self.offsets)
        object.__setattr__(self, "coefficients", coefficients)
        object.__setattr__(self, "offsets", offsets)
        choose("boundary", self.boundary, BOUNDARIES)
        lengths = {len(offset) for offset in self.offsets}
        if len(lengths) != 1 or 0 in lengths:
            raise InvalidValue(
                f"a stencil needs offsets of one length, 1 or more; the lengths given are "
                f"{sorted(lengths)}: write every offset with one entry for each axis."
            )
        given, different = len(self.offsets), len(set(self.offsets))
        if not given == different == len(self.coefficients):
            raise InvalidValue(
                f"{given} offsets ({different} different) with {len(self.coefficients)} "
                "coefficients: give each offset once, with one coefficient."
            )
        if not all(map(np.isfinite, self.coefficients)):
            raise InvalidValue(
                f"the coefficients {self.coefficients} are not all finite: check the parameters "
                "and the mesh width they come from."
            )

    @classmethod
    def from_kernel(cls, kernel, boundary="dirichlet"):
        """Return the stencil whose :meth:`kernel` is the given array of odd sizes.

        Examples
        --------
        >>> laplace = Stencil.from_kernel([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])
        >>> laplace.offsets
        ((-1, 0), (0, -1), (0, 0), (0, 1), (1, 0))
        """
        kernel = np.asarray(kernel)
        if kernel.ndim == 0 or any(size % 2 == 0 for size in kernel.shape):
            raise InvalidValue(
                f"a kernel of shape {kernel.shape} has no middle: give odd sizes, "
                "padded with zeros."
            )
        index = np.argwhere(kernel)
        offsets = index - np.array(kernel.shape) // 2
        return cls(tuple(map(tuple, offsets)), tuple(kernel[tuple(index.T)]), boundary)

    @property
    def d(self):
        """Number of space dimensions."""
        return len(self.offsets[0])

    @property
    def diagonal(self):
        """The coefficient of the point itself: the (constant) diagonal of the matrix."""
        return dict(zip(self.offsets, self.coefficients, strict=True)).get((0,) * self.d, 0.0)

    @property
    def lower(self):
        """The part up to and including the point itself in lexicographic order: ``D + L``."""
        entries = zip(self.offsets, self.coefficients, strict=True)
        kept = [(o, c) for o, c in entries if o <= (0,) * self.d] or [((0,) * self.d, 0.0)]
        return Stencil(*zip(*kept, strict=True), self.boundary)

    def along(self, axis):
        """Return the part that couples the points of a line along `axis`, a stencil in 1D.

        Parameters
        ----------
        axis : int

        Raises
        ------
        InvalidValue
            If there is no such axis.

        Examples
        --------
        >>> cross = Stencil.from_kernel([[0, -1, 0], [-3, 8, -3], [0, -1, 0]])
        >>> cross.along(1).kernel()
        array([-3.,  8., -3.])
        """
        if not -self.d <= axis < self.d:
            raise InvalidValue(
                f"a stencil in {self.d} dimensions has no axis {axis}: give one of 0 to "
                f"{self.d - 1}."
            )
        entries = zip(self.offsets, self.coefficients, strict=True)
        axis %= self.d
        kept = [((o[axis],), c) for o, c in entries if not any(o[:axis] + o[axis + 1 :])]
        return Stencil(*zip(*(kept or [((0,), 0.0)]), strict=True), self.boundary)

    @property
    def singular(self):
        """Whether constants are in the kernel: periodic, and the coefficients sum to zero."""
        scale = math.fsum(map(abs, self.coefficients))
        return self.boundary == "periodic" and abs(sum(self.coefficients)) <= 1e-14 * scale

    @property
    def adjoint(self):
        """The stencil of the (conjugate) transposed matrix."""
        offsets = tuple(tuple(-o for o in offset) for offset in self.offsets)
        return Stencil(offsets, tuple(np.conj(self.coefficients).tolist()), self.boundary)

    def __call__(self, u):
        """Apply the operator to `u`, shape ``(..., *grid)``, matrix-free; return a new array.

        Whole numbers become doubles, and complex coefficients make a complex array; otherwise the
        type is kept. Tensors stay on their device and keep their graph.

        Raises
        ------
        InvalidValue
            If `u` has fewer axes than the stencil.
        """
        if u.ndim < self.d:
            raise InvalidValue(
                f"a stencil in {self.d} dimensions cannot act on an array of shape "
                f"{tuple(u.shape)}: the grid must be the last {self.d} axes."
            )
        shape = tuple(u.shape[u.ndim - self.d :])
        u = in_type(u, self.coefficients)
        # One multiplication for each distinct coefficient, then only additions.
        scaled = {c: c * u for c in {*self.coefficients, self.diagonal}}
        out = self.diagonal * u
        for offset, c in zip(self.offsets, self.coefficients, strict=True):
            if any(offset):
                for targets, sources in slice_pairs(shape, offset, self.boundary):
                    out[targets] += scaled[c][sources]
        return out

    def sparse(self, shape, dtype=None):
        """Return the matrix for a grid of `shape` as a ``scipy.sparse.csr_array``.

        Rows and columns run through the grid lexicographically (C order), as
        ``u.ravel()`` does.

        Parameters
        ----------
        shape : tuple of int
        dtype : dtype, optional
            Any that SciPy's sparse matrices can hold; double precision by default.

        Raises
        ------
        InvalidValue
            If `shape` does not have `d` positive entries.
        """
        shape = plain(shape)
        if len(shape) != self.d or not all(is_whole(n, 1) for n in shape):
            raise InvalidValue(
                f"a stencil in {self.d} dimensions has no matrix on a grid of shape {shape}: "
                f"give {self.d} positive sizes."
            )
        dtype = np.result_type(float, *self.coefficients) if dtype is None else dtype
        number = np.arange(math.prod(shape)).reshape(shape)
        rows, columns, values = [], [], []
        for offset, c in zip(self.offsets, self.coefficients, strict=True):
            for targets, sources in slice_pairs(shape, offset, self.boundary):
                rows.append(number[targets].ravel())
                columns.append(number[sources].ravel())
                values.append(np.full(rows[-1].size, c, dtype=dtype))
        if not rows:  # every neighbour lies outside
            return scipy.sparse.csr_array((number.size, number.size), dtype=dtype)
        # Neighbours that meet on a small periodic grid fall on one entry and are summed.
        entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
        return scipy.sparse.coo_array(entries, shape=(number.size,) * 2).tocsr()

    def symbol(self, *theta):
        r"""Return the symbol :math:`\tilde A(\theta) = \sum_k c_k\, e^{i k \cdot \theta}`, complex.

        On an infinite or periodic grid :math:`A e^{i \theta \cdot j} = \tilde A(\theta)
        e^{i \theta \cdot j}`: the symbol's values are the eigenvalues. For a Dirichlet
        boundary this holds with sines, if the stencil is even along every axis.

        Parameters
        ----------
        *theta : array of float
            One for each axis, in radians per mesh width, broadcast against each other.

        Examples
        --------
        >>> A = Stencil(((-1,), (0,), (1,)), (-1.0, 2.0, -1.0))
        >>> A.symbol(np.array([0.0, np.pi])).real
        array([0., 4.])
        """
        if len(theta) != self.d:
            raise InvalidValue(
                f"{len(theta)} frequencies for a stencil in {self.d} dimensions: "
                "give one for each axis."
            )
        c = dict(zip(self.offsets, self.coefficients, strict=True))
        total = 0j
        # Pairs k, -k together: the symbol of a symmetric stencil is real to the last bit.
        for offset in sorted({max(o, tuple(-i for i in o)) for o in self.offsets}):
            plus, minus = c.get(offset, 0.0), c.get(tuple(-o for o in offset), 0.0)
            phase = sum(o * np.asarray(t) for o, t in zip(offset, theta, strict=True))
            if any(offset):
                total = total + (plus + minus) * np.cos(phase) + 1j * (plus - minus) * np.sin(phase)
            else:
                total = total + plus + 0 * phase  # with the shape of the frequencies
        return total

    def kernel(self):
        """Return the coefficients as a dense array of odd sizes, the point itself in the middle.

        It is the weight that makes ``torch.nn.functional.conv1d``/``conv2d`` (which
        do not flip the kernel) apply this operator.

        Examples
        --------
        >>> Stencil(((0,), (1,)), (-1.0, 1.0)).kernel()
        array([ 0., -1.,  1.])
        """
        reach = np.abs(np.array(self.offsets)).max(axis=0)
        out = np.zeros(tuple(2 * reach + 1), dtype=np.result_type(float, *self.coefficients))
        for offset, c in zip(self.offsets, self.coefficients, strict=True):
            out[tuple(reach + offset)] = c
        return out
