r"""Symbols of convolutions with channels: spectra on periodic grids, without the matrix.

A convolution with stride 1 maps a wave :math:`v e^{i \theta \cdot j}`, where `v` has one amplitude
per channel, to the wave :math:`\tilde A(\theta) v\, e^{i \theta \cdot j}`. On a periodic grid
nothing else happens: the spectrum of the operator is that of the matrices
:math:`\tilde A(\theta)`, its *symbol*.

**Stride.** With stride `s` the output sees the phase :math:`\varphi = s \theta` from point to
point, so the :math:`s^d` input waves with :math:`\theta_\alpha = (\varphi + 2 \pi \alpha) / s`
become one output wave. The symbol at :math:`\varphi` has their matrices side by side,
:math:`s^{-d/2} (\tilde A(\theta_0), \tilde A(\theta_1), \dots)`; the factor makes the waves of
both grids vectors of norm 1.

**Groups** make the symbol block diagonal; the functions here return and use the blocks.

**Half the frequencies** suffice for a real kernel, since
:math:`\tilde A(-\theta) = \overline{\tilde A(\theta)}`.

Kernels are arrays or tensors: what is computed from a tensor is a tensor on its device and can be
differentiated. Wherever a function takes a convolution, it takes whatever
:func:`mgtutorial.spectra.as_convolution` does, such as a ``torch.nn.Conv2d``; its padding only
determines where the kernel's origin is, since the grid is periodic. For other paddings
there are :meth:`Convolution.sparse` and :mod:`.extremal`.

References
----------
.. [1] H. Sedghi, V. Gupta, P. M. Long, The singular values of convolutional layers, ICLR 2019.
.. [2] U. Trottenberg, C. W. Oosterlee, A. Schueller, Multigrid, 2001: chapter 4.
"""

import sys

import numpy as np

from ..errors import InvalidValue
from ..linalg.polynomials import propagation
from ._frequencies import Frequencies, all_frequencies, output_grid, symbol_blocks, weights
from ._squares import DOUBT, Squares, worthwhile
from ._strides import with_zeros, without_idle_strides
from .convolutions import axes_of
from .extremal import extremal_singular_values
from .layers import as_convolution


def symbol(convolution, shape):
    r"""Return the symbol of a convolution on a periodic grid.

    Parameters
    ----------
    convolution : Convolution, module, tensor or array
    shape : tuple of int
        That of the input's grid: multiples of the stride, and not smaller than the kernel.

    Returns
    -------
    array or tensor, complex, shape (*shape / stride, groups, c_out / groups, s^d c_in / groups)
        At the frequencies :math:`\varphi = 2 \pi m / n` of the output, in the order of
        ``numpy.fft``. The columns of a block are the :math:`s^d` input waves
        :math:`\alpha \in \{0, \dots, s - 1\}^d` in the order of ``numpy.ndindex``, each with its
        channels.

    Raises
    ------
    InvalidValue
        For a grid with a different number of axes, smaller than the kernel's reach, or not a
        multiple of the stride, and as for :func:`mgtutorial.spectra.as_convolution`.

    Examples
    --------
    >>> laplace = np.array([[[-1.0, 2.0, -1.0]]])
    >>> symbol(laplace, (4,))[:, 0, 0, 0].real
    array([0., 2., 4., 2.])
    >>> every_second = as_convolution(laplace, stride=2)
    >>> symbol(every_second, (4,))[:, 0, 0].real * np.sqrt(2)  # 0, pi; pi/2, 3pi/2
    array([[0., 4.],
           [2., 2.]])

    Book: symbols, eq-sym-symbol
    """
    A = as_convolution(convolution)
    grid, shape = output_grid(A, shape), axes_of(shape, A.d)
    blocks = symbol_blocks(A, weights(A), shape, all_frequencies(grid))
    return blocks.reshape(*grid, *blocks.shape[1:])


def eigenvalues(convolution, shape):
    r"""Return the eigenvalues of a convolution on a periodic grid: those of its symbol.

    Parameters
    ----------
    convolution : Convolution, module, tensor or array
        With stride 1, and as many output as input channels.
    shape : tuple of int

    Returns
    -------
    array or tensor, complex, shape (*shape, c)
        All `c` at each frequency, in no particular order. For a real kernel, those at
        :math:`-\theta` are the conjugates of those at :math:`\theta`.

    Raises
    ------
    InvalidValue
        If the operator is not square, and as for :func:`symbol`.

    Examples
    --------
    >>> eigenvalues(np.array([[[-1.0, 2.0, -1.0]]]), (4,))[:, 0].real
    array([0., 2., 4., 2.])

    Book: symbols, eq-sym-symbol
    """
    A = as_convolution(convolution)
    _check_square(A)
    frequencies = Frequencies(A, shape)
    A, w = frequencies.A, weights(frequencies.A)

    def values(index):
        blocks = symbol_blocks(A, w, frequencies.shape, index)
        if blocks.shape[-1] == 1:
            return blocks[..., 0, 0]
        if frequencies.in_arrays and frequencies.is_real and set(A.sizes) == {1}:
            blocks = blocks.real  # the kernel itself, which takes half the time
        return _linalg(blocks).eigvals(blocks).reshape(len(index), -1) + 0j

    return frequencies.spread(frequencies.each(values), conjugate=True)


def singular_values(convolution, shape, fast=True):
    r"""Return the singular values of a convolution on a periodic grid: those of its symbol.

    Parameters
    ----------
    convolution : Convolution, module, tensor or array
    shape : tuple of int
        Of the input's grid.
    fast : bool
        Take them as square roots of the eigenvalues of :math:`\tilde A \tilde A^*` at frequencies
        where all are so large that this costs no more than 1e-12 of the greatest. At the others,
        for kernels with few channels, and for tensors that need a gradient or are not on the CPU,
        they come from singular value decompositions.

    Returns
    -------
    array or tensor, shape (*shape / stride, min(c_out, s^d c_in))
        Those of all blocks at a frequency, descending. They are computed in double precision
        except for a tensor that needs a gradient or is not on the CPU.

    Examples
    --------
    >>> singular_values(np.array([[[-1.0, 0.0, 1.0]]]), (4,))[:, 0]
    array([0., 2., 0., 2.])

    Book: symbols, eq-sym-stride
    """
    given = as_convolution(convolution)
    frequencies = Frequencies(*without_idle_strides(given, shape))
    A, w = frequencies.A, weights(frequencies.A)

    def values(index):
        return _svdvals(symbol_blocks(A, w, frequencies.shape, index))

    if fast and worthwhile(frequencies):
        found = _by_squares(frequencies, values)
    else:
        found = frequencies.each(values)
    found = with_zeros(found, given).reshape(len(found), -1)
    if A.groups > 1:
        array = isinstance(found, np.ndarray)
        found = -np.sort(-found) if array else found.sort(-1, descending=True).values
    return frequencies.spread(found)


def _by_squares(frequencies, values):
    """Singular values from the symbol of A A^T where they are large enough, else by `values`."""
    squares = Squares(frequencies)
    if len(frequencies.index) > 32:  # ask a few whether it is worth it: not for low rank, say
        few = squares(frequencies.index[:: len(frequencies.index) // 4])
        if np.mean(few[..., -1] < DOUBT**2 * few.max()) > 0.5:
            return frequencies.each(values)
    found = frequencies.each(squares)
    doubtful = (found[..., -1] < DOUBT**2 * found.max()).any(axis=-1)
    found = squares.scale * np.sqrt(found.clip(0))
    if doubtful.any():
        found[doubtful] = frequencies.each(values, frequencies.index[doubtful])
    return found


def operator_norm(convolution, shape, padding_mode="circular"):
    r"""Return the norm of a convolution: the greatest factor by which it can enlarge a 2-norm.

    Parameters
    ----------
    convolution : Convolution, module, tensor or array
    shape : tuple of int
        Of the input's grid.
    padding_mode : {"circular", "zeros", "reflect", "replicate"}
        On a periodic grid the norm is the greatest singular value over all frequencies, to
        rounding. For the other modes it is found by Lanczos' method.

    Returns
    -------
    float
        For a tensor on a periodic grid, a tensor that can be differentiated.

    Raises
    ------
    InvalidValue, UnknownName
        As for :func:`symbol` and :class:`mgtutorial.spectra.Convolution`.

    Examples
    --------
    >>> laplace = np.array([[[-1.0, 2.0, -1.0]]])
    >>> operator_norm(laplace, (8,)), round(operator_norm(laplace, (7,), "zeros"), 9)
    (4.0, 3.847759065)

    Book: symbols, eq-sym-norms
    """
    A = as_convolution(convolution, padding_mode=padding_mode)
    if padding_mode != "circular":
        return float(extremal_singular_values(A, shape, k=1)[0])
    frequencies = Frequencies(*without_idle_strides(A, shape))
    A, w = frequencies.A, weights(frequencies.A)
    if worthwhile(frequencies):  # the greatest is found to rounding from the squares
        squares = Squares(frequencies)
        found = squares.scale * np.sqrt(frequencies.each(squares).max())
    else:

        def values(index):
            return _svdvals(symbol_blocks(A, w, frequencies.shape, index))[..., 0]

        found = frequencies.each(values).max()
    found = found * frequencies.unit
    if not frequencies.in_arrays:
        return found
    dtype = frequencies.dtype
    return sys.modules["torch"].tensor(found, dtype=dtype.to_real()) if dtype else float(found)


def smoothing_symbol(A, B, shape):
    r"""Return the symbol :math:`I - \tilde B(\theta) \tilde A(\theta)` of a smoothing step.

    Its eigenvalues and singular values (``np.linalg``, ``torch.linalg``) are those of the step
    :math:`u \leftarrow u + B (f - A u)` on a periodic grid, without norms and activations.

    Parameters
    ----------
    A, B : Convolution, module, tensor or array
        With stride 1; `A` from features to data, `B` back. Both arrays or both tensors.
    shape : tuple of int

    Returns
    -------
    array or tensor, complex, shape (*shape, groups, c_u / groups, c_u / groups)
        The groups of both, if these agree; otherwise one.

    Raises
    ------
    InvalidValue
        If the channels do not match or a stride is not 1, and as for :func:`symbol`.

    Examples
    --------
    >>> step = smoothing_symbol(np.array([[[-1.0, 2.0, -1.0]]]), np.array([[[1 / 3]]]), (4,))
    >>> step[:, 0, 0, 0].real.round(3)  # 1 - (2/3) (1 - cos)
    array([ 1.   ,  0.333, -0.333,  0.333])

    Book: symbols, eq-sym-step
    """
    A, B = as_convolution(A), as_convolution(B)
    if (A.c_in, A.c_out) != (B.c_out, B.c_in) or max(A.stride + B.stride) > 1:
        raise InvalidValue(
            f"A maps {A.c_in} to {A.c_out} channels with stride {A.stride}, B {B.c_in} to "
            f"{B.c_out} with stride {B.stride}: I - BA needs a B that maps back, and stride 1."
        )
    a, b = symbol(A, shape), symbol(B, shape)
    if A.groups != B.groups:
        a, b = _one_block(a), _one_block(b)
    product = b @ a
    return _identity(product) - product


def propagation_symbol(A, roots, shape):
    r"""Return the symbol :math:`q(\tilde A(\theta))` of a polynomial smoother.

    Parameters
    ----------
    A : Convolution, module, tensor or array
        With stride 1, and as many output as input channels.
    roots : array_like or sequence of Factor
        As for :func:`mgtutorial.linalg.propagation`.
    shape : tuple of int

    Returns
    -------
    array or tensor, complex, shape (*shape, groups, c / groups, c / groups)

    Raises
    ------
    InvalidValue
        If the operator is not square, and as for :func:`symbol`.

    Examples
    --------
    >>> laplace = np.array([[[-1.0, 2.0, -1.0]]])
    >>> propagation_symbol(laplace, [2.0, 4.0], (4,))[:, 0, 0, 0].real
    array([1., 0., 0., 0.])

    Book: symbols, eq-sym-step
    """
    A = as_convolution(A)
    _check_square(A)
    blocks = symbol(A, shape)
    return propagation(lambda e: blocks @ e, roots)(_identity(blocks) + 0 * blocks)


def convolution_symbol(kernel, shape):
    r"""Return the symbols of a periodic multi-channel convolution with stride 1.

    At each frequency the symbol is the matrix

    .. math:: \tilde A(\theta)_{o, i} = \sum_k w_{o, i, k}\, e^{i k \cdot \theta}

    that maps the amplitudes of the input channels to those of the output channels, with `k` the
    offset from the kernel's middle. (As in torch the kernel is not flipped.) Its eigenvalues,
    or singular values, over all frequencies are those of the convolution on a periodic grid.

    Parameters
    ----------
    kernel : array or tensor, shape (c_out, c_in, *sizes)
        Odd sizes; torch's weight of an ungrouped convolution.
    shape : tuple of int
        Of the grid.

    Returns
    -------
    array or tensor, complex, shape (*shape, c_out, c_in)
        At the frequencies :math:`2 \pi m / n` in the order of ``numpy.fft``.

    Raises
    ------
    InvalidValue
        For even sizes, or a grid with a different number of axes or no points.

    Examples
    --------
    >>> laplace = np.array([-1.0, 2.0, -1.0]).reshape(1, 1, 3)
    >>> convolution_symbol(laplace, (4,))[:, 0, 0].real
    array([0., 2., 4., 2.])

    Book: symbols, eq-sym-symbol
    """
    sizes, shape = tuple(kernel.shape[2:]), axes_of(shape, kernel.ndim - 2)
    fits = len(shape) == len(sizes) > 0 and all(s % 2 for s in sizes)
    if not (fits and all(isinstance(n, int) and n > 0 for n in shape)):
        raise InvalidValue(
            f"a kernel of shape {tuple(kernel.shape)} for a grid of shape {shape}: give "
            "(c_out, c_in, *sizes) with one odd size for each axis of the grid, a positive number."
        )
    A = as_convolution(kernel)  # entries that meet on a small grid are summed: their phases agree
    blocks = symbol_blocks(A, weights(A), shape, all_frequencies(shape))
    return blocks.reshape(*shape, *kernel.shape[:2])


def _check_square(A):
    if A.c_in != A.c_out or max(A.stride) > 1:
        raise InvalidValue(
            f"a convolution of {A.c_in} to {A.c_out} channels with stride {A.stride} maps into "
            "another space and has no eigenvalues: ask for its singular values."
        )


def _linalg(values):
    return np.linalg if isinstance(values, np.ndarray) else sys.modules["torch"].linalg


def _svdvals(blocks):
    """Singular values of a stack of matrices, descending."""
    linalg = _linalg(blocks)
    if min(blocks.shape[-2:]) == 1:  # a row or column, as in a depthwise convolution
        row = blocks.reshape(*blocks.shape[:-2], -1)
        if linalg is np.linalg:
            return linalg.norm(row, axis=-1, keepdims=True)
        return linalg.vector_norm(row, dim=-1, keepdim=True)
    return linalg.svd(blocks, compute_uv=False) if linalg is np.linalg else linalg.svdvals(blocks)


def _identity(blocks):
    """The identity of the same size, type and device."""
    n, array = blocks.shape[-1], isinstance(blocks, np.ndarray)
    return np.eye(n) if array else sys.modules["torch"].eye(n).to(blocks)


def _one_block(blocks):
    """Block-diagonal matrices of the blocks, with a group axis of length 1."""
    *grid, groups, m, n = blocks.shape
    array = isinstance(blocks, np.ndarray)
    eye = np.eye(groups) if array else sys.modules["torch"].eye(groups).to(blocks)
    einsum = np.einsum if array else sys.modules["torch"].einsum
    return einsum("...gij,gh->...gihj", blocks, eye).reshape(*grid, 1, groups * m, groups * n)
