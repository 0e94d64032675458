r"""Convolutions as linear operators: kernel, stride, dilation, groups and padding as data.

A :class:`Convolution` applies itself to tensors and arrays and turns into a SciPy matrix;
:mod:`.symbols` takes its symbol, and :mod:`.layers` makes one from a layer of torch. As in torch
(the kernel is not flipped), its output is

.. math:: y_{o, j} = \sum_{i, t} w_{o, i, t}\, u_{i,\; s j + D t - p}

with stride `s`, dilation `D` and the padding `p` in front. Biases are left out: they are not
linear.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from ..errors import InvalidValue, choose
from ..linalg._numbers import floating, is_whole, plain

#: What lies outside the grid: zeros, the image again, its mirror image, its last value.
PADDING_MODES = ("zeros", "circular", "reflect", "replicate")


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution without its bias.

    Calling it applies it: ``A(u)``, with `u` of shape ``(..., c_in, *grid)``, a tensor or an array.

    Use a convolution where the weights are those of a layer: it has channels, groups, strides and
    torch's paddings, gradients flow through its kernel, and its symbol is a matrix at each
    frequency. Where the coefficients come from an equation, with one unknown per point, a
    :class:`~mgtutorial.linalg.Stencil` is simpler, and it is what the smoothers,
    transfers and problems work with. ``Convolution(stencil.kernel()[None, None])`` is the same
    operator as the stencil.

    Attributes
    ----------
    kernel : array or tensor, shape (c_out, c_in / groups, *sizes)
        torch's weight, with one, two or three sizes. Arrays are converted to double precision,
        tensors in half precision to single.
    stride, dilation : int or tuple of int
        One for all axes or one for each; stored as tuples.
    groups : int
    padding : "same", "valid", int, or tuple
        "same" keeps the grid at stride 1: it pads by one less than the size of the dilated kernel,
        and if that is odd, by one more behind than in front (torch's rule). A tuple has an int or a
        pair (in front, behind) for each axis; stored as pairs.
    padding_mode : {"zeros", "circular", "reflect", "replicate"}

    Raises
    ------
    InvalidValue
        For a kernel with NaN or without channels and sizes, groups that do not divide the
        channels, and impossible strides, dilations and paddings.
    UnknownName
        For any other padding mode.

    Examples
    --------
    >>> A = Convolution([[[-1.0, 2.0, -1.0]]], padding_mode="circular")
    >>> A(np.array([[0.0, 1.0, 0.0, 0.0]]))
    array([[-1.,  2., -1.,  0.]])
    >>> A.sparse((4,)).toarray()
    array([[ 2., -1.,  0., -1.],
           [-1.,  2., -1.,  0.],
           [ 0., -1.,  2., -1.],
           [-1.,  0., -1.,  2.]])

    A stencil's kernel as that of a convolution with one channel:

    >>> from mgtutorial.linalg import poisson
    >>> stencil = poisson(4, d=1).A
    >>> A, u = Convolution(stencil.kernel()[None, None]), np.array([1.0, 2.0, 5.0])
    >>> np.array_equal(A(u[None])[0], stencil(u))
    True

    Book: symbols, eq-sym-convolution
    """

    kernel: Any
    stride: Any = 1
    dilation: Any = 1
    groups: int = 1
    padding: Any = "same"
    padding_mode: str = "zeros"

    def __post_init__(self):
        def put(name, value):
            object.__setattr__(self, name, value)

        put("kernel", _checked(self.kernel))
        if not is_whole(self.groups, 1) or self.c_out % self.groups:
            raise InvalidValue(
                f"groups = {self.groups!r} with {self.c_out} output channels: give a divisor."
            )
        put("groups", int(self.groups))
        for name in ("stride", "dilation"):
            given = getattr(self, name)
            each = tuple(given) if isinstance(given, tuple | list) else (given,) * self.d
            if len(each) != self.d or not all(is_whole(v, 1) for v in each):
                raise InvalidValue(
                    f"{name} = {given!r} for a kernel with {self.d} axes: give a whole number from "
                    "1 on, or one for each axis."
                )
            put(name, tuple(int(v) for v in each))
        put("padding", self._pairs())
        choose("padding mode", self.padding_mode, PADDING_MODES)

    def _pairs(self):
        """The padding as one pair for each axis."""
        if self.padding == "same":
            return tuple((r // 2, r - r // 2) for r in self.reach)
        given = 0 if self.padding == "valid" else self.padding
        each = given if isinstance(given, tuple | list) else (given,) * self.d
        pairs = [tuple(p) if isinstance(p, tuple | list) else (p, p) for p in each]
        numbers = [v for pair in pairs for v in pair]
        if [len(p) for p in pairs] != [2] * self.d or not all(is_whole(v, 0) for v in numbers):
            raise InvalidValue(
                f"padding = {given!r} for a kernel with {self.d} axes: give 'same', 'valid', a "
                "whole number from 0 on, or for each axis one such number or a pair of them."
            )
        return tuple((int(p), int(q)) for p, q in pairs)

    @property
    def d(self):
        """Number of space dimensions."""
        return self.kernel.ndim - 2

    @property
    def sizes(self):
        """Entries of the kernel along each axis."""
        return tuple(self.kernel.shape[2:])

    @property
    def c_out(self):
        """Output channels."""
        return self.kernel.shape[0]

    @property
    def c_in(self):
        """Input channels."""
        return self.kernel.shape[1] * self.groups

    @property
    def reach(self):
        """Distance between the outermost entries of the dilated kernel, along each axis."""
        return tuple(d * (k - 1) for d, k in zip(self.dilation, self.sizes, strict=True))

    @property
    def origin(self):
        """Where the point itself is in the dilated kernel, along each axis, on a periodic grid.

        That is the padding in front, if the padding turns `n` points into `n / stride`. If not (a
        "valid" convolution shrinks the grid), it is where "same" puts it: in the middle.
        """
        return tuple(
            p if reach + 1 - s <= p + q <= reach else reach // 2
            for (p, q), reach, s in zip(self.padding, self.reach, self.stride, strict=True)
        )

    def output_shape(self, shape):
        """Return the shape of the output's grid, given that of the input's.

        Raises
        ------
        InvalidValue
            For a grid whose number of axes is not `d`, one smaller than the kernel, or one too
            small for what the padding reads from it.
        """
        shape = axes_of(shape, self.d)
        if len(shape) != self.d or not all(is_whole(n, 1) for n in shape):
            raise InvalidValue(
                f"a grid of shape {shape} for a kernel of sizes {self.sizes}: give {self.d} "
                "positive whole numbers."
            )
        # the mirror image leaves out the last point itself
        room = {"circular": 0, "reflect": 1}.get(self.padding_mode, -math.inf)
        for n, pair, reach in zip(shape, self.padding, self.reach, strict=True):
            if n + sum(pair) <= reach or max(pair) > n - room > -math.inf:
                raise InvalidValue(
                    f"a kernel that reaches over {reach + 1} points, with padding {pair} "
                    f"({self.padding_mode}), does not fit a grid of shape {shape}: give a larger "
                    "grid."
                )
        each = zip(shape, self.padding, self.reach, self.stride, strict=True)
        return tuple((n + p + q - reach - 1) // s + 1 for n, (p, q), reach, s in each)

    def __call__(self, u):
        import torch
        import torch.nn.functional as F

        if not isinstance(u, torch.Tensor):
            with torch.no_grad():
                u = floating(u, what="the array") if np.ma.is_masked(u) else u  # refuses it
                return self(torch.from_numpy(np.ascontiguousarray(u))).numpy()
        if u.ndim <= self.d or u.shape[-self.d - 1] != self.c_in:
            raise InvalidValue(
                f"an array of shape {tuple(u.shape)} for a convolution of {self.c_in} channels in "
                f"{self.d} dimensions: give (..., {self.c_in}, *grid)."
            )
        batch, shape = u.shape[: -self.d - 1], u.shape[-self.d :]
        out = self.output_shape(shape)
        kernel = torch.as_tensor(self.kernel, device=u.device)
        dtype = torch.promote_types(kernel.dtype, u.dtype)
        u = u.to(dtype).reshape(-1, self.c_in, *shape)
        pads = [p for pair in reversed(self.padding) for p in pair]
        if any(pads):
            mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
            u = F.pad(u, pads, mode=mode)
        convolve = (F.conv1d, F.conv2d, F.conv3d)[self.d - 1]
        y = convolve(u, kernel.to(dtype), None, self.stride, 0, self.dilation, self.groups)
        return y.reshape(*batch, self.c_out, *out)

    def sparse(self, shape):
        """Return the matrix on a grid of `shape`, as a ``scipy.sparse.csr_array`` of doubles.

        Rows and columns run through channels, then the grid, as ``u.ravel()`` does. With
        ``dataclasses.replace(A, kernel=numbers)`` each entry says which entry of the kernel
        it is.

        Raises
        ------
        InvalidValue
            As for :meth:`output_shape`.
        """
        out, shape = self.output_shape(shape), axes_of(shape, self.d)
        number = np.arange(math.prod(shape)).reshape(shape)
        along = [self._reads(axis, shape[axis], out[axis]) for axis in range(self.d)]
        rows, columns, entries = [], [], []
        for entry, t in enumerate(np.ndindex(*self.sizes)):
            reads = [along[axis][:, t[axis]] for axis in range(self.d)]
            targets = np.ix_(*[np.flatnonzero(r >= 0) for r in reads])
            sources = number[np.ix_(*[r[r >= 0] for r in reads])]
            rows.append(np.ravel_multi_index(targets, out).ravel())
            columns.append(sources.ravel())
            entries.append(np.full(sources.size, entry))
        rows, columns, entries = map(np.concatenate, (rows, columns, entries))
        # one copy of this pattern for each pair of an output and an input channel
        each = self.c_in // self.groups
        o, i = np.arange(self.c_out)[:, None, None], np.arange(each)[:, None]
        i = i + o // (self.c_out // self.groups) * each
        values = double(self.kernel).reshape(self.c_out, each, -1)[..., entries]
        at = np.broadcast_arrays(o * math.prod(out) + rows, i * number.size + columns)
        size = (self.c_out * math.prod(out), self.c_in * number.size)
        # entries that meet on one point (a mirror image, a small periodic grid) are summed
        return scipy.sparse.coo_array((values.ravel(), [a.ravel() for a in at]), size).tocsr()

    def _reads(self, axis, n, m):
        """Which point output `j` reads with entry `t` along an axis, shape (m, size); -1: none."""
        at = np.arange(m)[:, None] * self.stride[axis] - self.padding[axis][0]
        at = at + self.dilation[axis] * np.arange(self.sizes[axis])
        if self.padding_mode == "circular":
            return at % n
        if self.padding_mode == "reflect":
            return n - 1 - np.abs(n - 1 - np.abs(at))
        if self.padding_mode == "replicate":
            return at.clip(0, n - 1)
        return np.where((at >= 0) & (at < n), at, -1)

    def operator(self, shape):
        """Return the same as a ``scipy.sparse.linalg.LinearOperator``, without forming the matrix.

        It works in double precision on the CPU. The adjoint comes from torch's reverse mode, so
        it is right for every padding.
        """
        import torch

        out, shape = self.output_shape(shape), axes_of(shape, self.d)
        kernel = double(self.kernel)
        A = Convolution(
            kernel, self.stride, self.dilation, self.groups, self.padding, self.padding_mode
        )

        def matvec(v):
            return A(v.reshape(self.c_in, *shape)).ravel()

        def rmatvec(v):
            y = torch.from_numpy(v.reshape(self.c_out, *out).astype(np.result_type(v, kernel)))
            u = torch.zeros(self.c_in, *shape, dtype=y.dtype)
            with torch.enable_grad():
                u.requires_grad_()
                return torch.autograd.grad(A(u), u, y)[0].numpy().ravel()

        size = (self.c_out * math.prod(out), self.c_in * math.prod(shape))
        return scipy.sparse.linalg.LinearOperator(size, matvec, rmatvec, dtype=kernel.dtype)


def axes_of(shape, d):
    """Return the shape of a grid as a tuple.

    Parameters
    ----------
    shape : sequence of int
    d : int
        Its number of axes, for the error message.

    Raises
    ------
    InvalidValue
        If it is not a sequence, but a number, say.

    Examples
    --------
    >>> axes_of([8, 4], 2)
    (8, 4)

    Book: symbols, eq-sym-convolution
    """
    try:
        return plain(shape)
    except TypeError:
        example = ", ".join(["16"] * d) + "," * (d == 1)
        raise InvalidValue(f"the grid is {shape!r}: give a tuple, such as ({example}).") from None


def double(kernel):
    """Return a kernel as an array in double precision, without its graph, wherever it was.

    Parameters
    ----------
    kernel : array or tensor

    Returns
    -------
    array of float or complex, in double precision

    Examples
    --------
    >>> double(np.ones(2, dtype=np.float32)).dtype
    dtype('float64')
    """
    kernel = kernel.detach().cpu().resolve_conj().numpy() if hasattr(kernel, "detach") else kernel
    kernel = floating(kernel, what="the kernel")
    return kernel.astype(complex if np.iscomplexobj(kernel) else float, copy=False)


def _checked(kernel):
    """The kernel as a floating array or tensor of at least single precision, all of it finite."""
    if hasattr(kernel, "detach"):
        if kernel.dtype.itemsize >= 4 or not kernel.is_floating_point():
            kernel = floating(kernel, what="the kernel")
        kernel = kernel.float() if kernel.dtype.itemsize < 4 else kernel
        finite = bool(kernel.detach().isfinite().all())
    else:
        kernel = double(kernel)
        finite = np.isfinite(kernel).all()
    if not 3 <= kernel.ndim <= 5 or 0 in kernel.shape:
        raise InvalidValue(
            f"a kernel of shape {tuple(kernel.shape)}: give (c_out, c_in / groups, *sizes), with "
            "one to three sizes."
        )
    if not finite:
        raise InvalidValue(
            "the kernel has entries that are NaN or infinite, so that it has no spectrum: look at "
            "the training it comes from."
        )
    return kernel
