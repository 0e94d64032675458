r"""Spectra of the convolutions of a network, and their table.

This is what the command ``mgtutorial spectrum`` shows for a checkpoint, a named network or one that
can be imported; from Python, for any torch module:

    from mgtutorial.spectra import draw, spectra
    found = spectra(torchvision.models.resnet18(weights="DEFAULT"), ["layer1.*"], size=8)

All spectra are those on a periodic grid: :mod:`mgtutorial.spectra.symbols`. Which layers can be
done on which grid, and at what cost, is planned first: :mod:`mgtutorial.spectra.planning`.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ..errors import InvalidValue
from ..linalg._numbers import is_complex
from .layers import Transposed
from .planning import planned


class LayerSpectrum(NamedTuple):
    r"""What :func:`spectra` finds for a layer.

    Attributes
    ----------
    name : str
    A : Convolution or Transposed
    shape : tuple of int
        The periodic grid of its input.
    eigenvalues : array of complex, shape (*shape, c), or None
        None where the layer maps into a different space: other channels, a stride.
    singular_values : array of float, shape (*shape / stride, k)
        Descending at each frequency. For a transposed layer (*shape, k): the frequencies are those
        of the coarser grid.
    weights : str
        Where the weights come from.

    Book: spectra, spectra-own
    """

    name: str
    A: Any
    shape: tuple
    eigenvalues: Any
    singular_values: Any
    weights: str = ""

    @property
    def radius(self):
        """The spectral radius, or None."""
        return None if self.eigenvalues is None else float(np.abs(self.eigenvalues).max())

    @property
    def norm(self):
        """The greatest singular value: the norm of the operator."""
        return float(self.singular_values.max())

    @property
    def departure(self):
        r"""Henrici's departure from normality in units of the Frobenius norm, or None.

        :math:`\sqrt{1 - \sum |\lambda|^2 / \sum \sigma^2}`; 0 for a normal operator, below 1.
        """
        if self.eigenvalues is None or self.norm == 0:
            return None
        total = ((self.singular_values / self.norm) ** 2).sum()
        inside = (np.abs(self.eigenvalues / self.norm) ** 2).sum()
        return math.sqrt(max(0.0, 1 - float(inside / total)))


def spectra(network, layers=None, size=16, eigenvalues=True):
    """Return the spectra of the convolutions in a network.

    Parameters
    ----------
    network : module, or dict of str to Convolution or Transposed
        A torch module, or its convolutions by name, for example those of a file
        (:func:`mgtutorial.training.convolutions_of`).
    layers : sequence of str, optional
        Names of layers, or patterns such as ``"levels.*.A"``; default all.
    size : int or None
        Points along each axis of the periodic grid of a layer's input. A kernel of 3 or 5 points
        varies smoothly enough with the frequency for 16 to show its spectrum well. None chooses a
        grid for each layer, coarser for wide ones, and leaves out what would take long
        (:func:`mgtutorial.spectra.planned` says which).
    eigenvalues : bool
        False leaves them out; for wide layers they take much longer than singular values.

    Returns
    -------
    iterator of LayerSpectrum
        In the network's order; each is computed when it is asked for.

    Raises
    ------
    UnknownName
        If there is no layer of that name.
    InvalidValue
        Before any work, if the grid is smaller than a kernel's reach or not a multiple of a stride.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Conv2d(4, 4, 3))
    >>> [(s.name, s.radius is None) for s in spectra(net, size=4)]
    [('0', True), ('1', False)]

    Book: spectra, spectra-own
    """
    plan = planned(network, layers, size, eigenvalues)
    if plan.left_out and size is not None:
        name, why = next(iter(plan.left_out.items()))
        raise InvalidValue(f"layer {name}: {why}")
    return (spectrum_of(task, plan.weights) for task in plan.tasks)


def spectrum_of(task, weights=""):
    """Return the spectrum of one layer of a plan.

    Parameters
    ----------
    task : mgtutorial.spectra.planning.Task
    weights : str

    Returns
    -------
    LayerSpectrum

    Book: spectra, spectra-own
    """
    from .symbols import eigenvalues, singular_values

    A, turned = task.A, isinstance(task.A, Transposed)
    operator, grid = (A.adjoint, task.grid) if turned else (A, task.shape)
    values = _array(eigenvalues(operator, grid)) if task.eigenvalues else None
    values = values.conj() if turned and values is not None else values
    return LayerSpectrum(
        task.name, A, task.shape, values, _array(singular_values(operator, grid)), weights
    )


def _array(values):
    return values.numpy() if hasattr(values, "numpy") else values


def frequencies(found):
    r"""Return the frequencies of a spectrum's rows, and how many frequencies each stands for.

    Parameters
    ----------
    found : LayerSpectrum

    Returns
    -------
    index : tuple of arrays
        Indices into the grid of the values. For a real kernel, one of each pair of opposite
        frequencies, as the values at :math:`-\theta` are conjugate (singular values: the same); for
        a complex one, all.
    theta : array, shape (rows, d)
        In :math:`(-\pi, \pi]`.
    multiplicity : array of int
        2 for a frequency that also stands for its opposite, otherwise 1.

    Examples
    --------
    >>> import torch
    >>> (found,) = spectra(torch.nn.Conv1d(1, 1, 3), size=4)
    >>> index, theta, multiplicity = frequencies(found)
    >>> theta[:, 0], multiplicity
    (array([0. , 1.57079633, 3.14159265]), array([1, 2, 1]))

    Book: symbols, symbols-channels
    """
    grid = found.singular_values.shape[:-1]
    m = np.array(list(np.ndindex(*grid)))
    own = np.arange(len(m))
    opposite = np.ravel_multi_index(tuple((-m % grid).T), grid)
    paired = (own != opposite) & (not is_complex(found.A.kernel))
    kept = ~paired | (own < opposite)
    theta = 2 * np.pi * m[kept] / grid
    theta = np.where(theta > np.pi + 1e-9, theta - 2 * np.pi, theta)
    return tuple(m[kept].T), theta, np.where(paired, 2, 1)[kept]


def table(found):
    """Return a line for each layer as text: its shape, radius, norm and departure from normality.

    Above these it says where the weights come from, if that is known.

    Parameters
    ----------
    found : iterable of LayerSpectrum

    Examples
    --------
    >>> import torch
    >>> text = table(spectra(torch.nn.Conv2d(2, 3, 3), size=4))
    >>> text.splitlines()[0].split()[:6]
    ['layer', 'channels', 'kernel', 'stride', 'groups', 'grid']

    Book: spectra, spectra-own
    """
    from .._text import aligned, printable

    def number(value):
        return "" if value is None else f"{value:.4g}"

    found = list(found)
    head = "layer channels kernel stride groups grid radius norm least departure"
    lines = [tuple(head.split())]
    for s in found:
        A = s.A
        sizes, grid = (" x ".join(map(str, numbers)) for numbers in (A.sizes, s.shape))
        sizes += " transposed" if isinstance(A, Transposed) else ""
        least = float(s.singular_values.min())
        shape = (f"{A.c_in} to {A.c_out}", sizes, f"{max(A.stride)}", f"{A.groups}", grid)
        values = map(number, (s.radius, s.norm, least, s.departure))
        lines.append((printable(s.name), *shape, *values))
    weights = dict.fromkeys(s.weights for s in found if s.weights)
    above = [f"weights {printable(text, 200)}" for text in weights]
    return "\n".join([*above, *aligned(lines, left=(0, 1, 2, 5))])
