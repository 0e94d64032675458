r"""Spectra of the convolutions of a network: a table, a figure and a file of numbers.

This is what the command ``mgtutorial spectrum`` writes of a checkpoint, a named network or one that
can be imported; from Python, of any module of torch:

    from mgtutorial.spectra.report import spectra, draw
    found = spectra(torchvision.models.resnet18(weights="DEFAULT"), ["layer1.*"], size=8)

All spectra are those on a periodic grid: :mod:`mgtutorial.spectra.symbols`.
"""

import csv
import math
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import InvalidValue, RecordsUnwritable, choose
from .convolutions import Convolution
from .layers import convolutions_in

FORMATS = ("svg", "png")
_ROWS = 5  # layers in one figure


class LayerSpectrum(NamedTuple):
    r"""What :func:`spectra` finds of a layer.

    Attributes
    ----------
    name : str
    A : Convolution
    shape : tuple of int
        The periodic grid of its input.
    eigenvalues : array of complex, shape (*shape, c), or None
        None where the layer maps into another space: other channels, a stride.
    singular_values : array of float, shape (*shape / stride, k)
        Descending at each frequency.

    Book: spectra, spectra-own
    """

    name: str
    A: Convolution
    shape: tuple
    eigenvalues: Any
    singular_values: Any

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
        total = (self.singular_values**2).sum()
        if self.eigenvalues is None or total == 0:
            return None
        return math.sqrt(max(0.0, 1 - float((np.abs(self.eigenvalues) ** 2).sum() / total)))


def spectra(network, layers=None, size=16, eigenvalues=True):
    """Return the spectra of the convolutions in a network.

    Parameters
    ----------
    network : module, or dict of str to Convolution
        A module of torch, or its convolutions by name: those of a file, for example
        (:func:`mgtutorial.training.convolutions_of`).
    layers : sequence of str, optional
        Names of layers, or patterns such as ``"levels.*.A"``; default all.
    size : int
        Points along each axis of the periodic grid. A kernel of 3 or 5 points is smooth enough in
        the frequency that 16 show its spectrum well.
    eigenvalues : bool
        False leaves them out; of wide layers they take much longer than singular values.

    Returns
    -------
    iterator of LayerSpectrum
        In the network's order; each is computed when it is asked for.

    Raises
    ------
    UnknownName
        If there is no layer of that name.
    InvalidValue
        If the grid is smaller than a kernel's reach or no multiple of a stride.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Conv2d(4, 4, 3))
    >>> [(s.name, s.radius is None) for s in spectra(net, size=4)]
    [('0', True), ('1', False)]

    Book: spectra, spectra-own
    """
    found = network if isinstance(network, dict) else convolutions_in(network)
    chosen = _choose(found, layers)
    return (_spectrum(name, found[name], size, eigenvalues) for name in chosen)


def _choose(found, layers):
    """Names of the layers asked for, in the network's order."""
    wanted = set()
    for asked in layers or ["*"]:
        some = [name for name in found if fnmatchcase(name, asked)]
        wanted.update(some or [choose("layer", asked, found)])
    return [name for name in found if name in wanted]


def _spectrum(name, A, size, with_eigenvalues):
    from .symbols import eigenvalues, singular_values

    shape = (size,) * A.d
    try:
        square = A.c_in == A.c_out and max(A.stride) == 1
        values = _array(eigenvalues(A, shape)) if square and with_eigenvalues else None
        return LayerSpectrum(name, A, shape, values, _array(singular_values(A, shape)))
    except InvalidValue as error:
        raise InvalidValue(f"layer {name}: {error}") from error


def _array(values):
    return values.numpy() if hasattr(values, "numpy") else values


def frequencies(found):
    r"""Return the frequencies of a spectrum's rows, and for how many frequencies each stands.

    Parameters
    ----------
    found : LayerSpectrum

    Returns
    -------
    index : tuple of arrays
        Into the grid of the values: one of each pair of opposite frequencies, as the values at
        :math:`-\theta` are conjugate (singular values: the same).
    theta : array, shape (rows, d)
        In :math:`(-\pi, \pi]`.
    multiplicity : array of int
        2, or 1 for a frequency that is its own opposite.

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
    kept = own <= opposite
    theta = 2 * np.pi * m[kept] / grid
    theta = np.where(theta > np.pi + 1e-9, theta - 2 * np.pi, theta)
    return tuple(m[kept].T), theta, np.where(own == opposite, 1, 2)[kept]


COLUMNS = ("layer", "kind", "theta1", "theta2", "theta3", "multiplicity", "real", "imag")


def write_csv(found, path):
    """Write spectra as CSV, one line a value; the columns are ``COLUMNS``.

    `kind` is "eigenvalue" or "singular value"; `theta` is the frequency, of the output, in radians;
    a line with `multiplicity` 2 stands for the opposite frequency, too, where an eigenvalue is the
    conjugate.

    Parameters
    ----------
    found : sequence of LayerSpectrum
    path : path

    Examples
    --------
    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_csv(spectra(torch.nn.Conv2d(1, 1, 1), size=2), Path(folder, "a.csv"))
    ...     Path(folder, "a.csv").read_text().split(",")[:2]
    ['layer', 'kind']

    Book: spectra, spectra-own
    """
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for layer in found:
            index, theta, multiplicity = frequencies(layer)
            thetas = [[f"{t:.9g}" for t in row] + [""] * (3 - len(row)) for row in theta.tolist()]
            for kind in ("eigenvalue", "singular value"):
                values = layer.eigenvalues if kind == "eigenvalue" else layer.singular_values
                if values is None:
                    continue
                rows = zip(thetas, multiplicity.tolist(), values[index].tolist(), strict=True)
                for where, times, at in rows:
                    for value in at:
                        imag = f"{value.imag:.9g}" if kind == "eigenvalue" else ""
                        line = [layer.name, kind, *where, times, f"{value.real:.9g}", imag]
                        writer.writerow(line)


def draw(found):
    """Return figures of spectra: eigenvalues in the complex plane, and sorted singular values.

    Parameters
    ----------
    found : sequence of LayerSpectrum

    Returns
    -------
    list of matplotlib.figure.Figure
        Five layers each.

    Examples
    --------
    >>> import torch
    >>> len(draw(spectra(torch.nn.Conv2d(2, 2, 3), size=4)))
    1

    Book: spectra, spectra-own
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from ..figures import style

    found, figures = list(found), []
    with rc_context():
        style.use_style()
        for start in range(0, len(found), _ROWS):
            part = found[start : start + _ROWS]
            fig = Figure(figsize=(8.0, 3.2 * len(part)))
            axes = fig.subplots(len(part), 2, squeeze=False)
            for layer, (left, right) in zip(part, axes, strict=True):
                _draw_layer(layer, left, right)
            figures.append(fig)
    return figures


def _draw_layer(layer, left, right):
    left.set_title(layer.name)
    if layer.eigenvalues is None:
        left.set_axis_off()
        A = layer.A
        left.text(
            0.5, 0.5, f"{A.c_in} to {A.c_out} channels, stride {max(A.stride)}:\nsingular values"
            " only", ha="center", va="center", transform=left.transAxes,
        )  # fmt: skip
    else:
        z = layer.eigenvalues.ravel()
        turn = layer.radius * np.exp(2j * np.pi * np.arange(101) / 100)
        left.plot(turn.real, turn.imag, color="black", linewidth=0.8, linestyle="-")
        # thousands of points are a picture; as vectors they would be megabytes
        left.plot(z.real, z.imag, ".", markersize=2, rasterized=True)
        left.set(xlabel="Re", ylabel="Im", aspect="equal")
        left.set_title(f"{layer.name}: radius {layer.radius:.3g}")
    values = np.sort(layer.singular_values.ravel())[::-1]
    at = np.linspace(0, 100, len(values))
    few = np.unique(np.linspace(0, len(values) - 1, 400).astype(int))
    right.plot(at[few], np.maximum(values[few], 1e-16 * (layer.norm or 1)))
    right.set(xlabel="% of the singular values", yscale="log")
    right.set_title(f"norm {layer.norm:.3g}")


def table(found):
    """Return a line for each layer as text: its shape, radius, norm and departure from normality.

    Parameters
    ----------
    found : iterable of LayerSpectrum

    Examples
    --------
    >>> import torch
    >>> text = table(spectra(torch.nn.Conv2d(2, 3, 3), size=4))
    >>> text.splitlines()[0].split()
    ['layer', 'channels', 'kernel', 'stride', 'groups', 'radius', 'norm', 'least', 'departure']

    Book: spectra, spectra-own
    """
    from .._text import aligned

    def number(value):
        return "" if value is None else f"{value:.4g}"

    head = "layer channels kernel stride groups radius norm least departure"
    lines = [tuple(head.split())]
    for s in found:
        A = s.A
        sizes = " x ".join(map(str, A.sizes))
        least = float(s.singular_values.min())
        shape = (s.name, f"{A.c_in} to {A.c_out}", sizes, f"{max(A.stride)}", f"{A.groups}")
        lines.append((*shape, *map(number, (s.radius, s.norm, least, s.departure))))
    return "\n".join(aligned(lines, left=(0, 1, 2)))


def write(found, folder, stem, form="svg"):
    """Write figures and CSV; return their paths.

    Parameters
    ----------
    found : sequence of LayerSpectrum
    folder : path
        Made if it is not there.
    stem : str
        What their names begin with.
    form : {"svg", "png"}

    Returns
    -------
    list of Path

    Raises
    ------
    RecordsUnwritable
        If the folder cannot be written to.

    Examples
    --------
    >>> import tempfile, torch
    >>> found = list(spectra(torch.nn.Conv2d(2, 2, 3), size=4))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in write(found, folder, "conv")]
    ['conv-spectrum.csv', 'conv-spectrum.svg']

    Book: spectra, spectra-own
    """
    from ..figures import images

    choose_format(form)
    folder, figures = Path(folder), draw(found)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{stem}-spectrum.csv"]
        write_csv(found, paths[0])
        for i, fig in enumerate(figures, 1):
            number = f"-{i}" if len(figures) > 1 else ""
            paths.append(folder / f"{stem}-spectrum{number}.{form}")
            if form == "svg":
                paths[-1].write_text(images.to_svg(fig), encoding="utf-8")
            else:
                fig.savefig(paths[-1], dpi=150)
    except OSError as error:
        raise RecordsUnwritable(
            f"cannot write to {folder} ({error.strerror}): give a folder that can be written to, "
            "with --output."
        ) from error
    return paths


def choose_format(form):
    """Return `form` if it is one of ``FORMATS``; to be asked before the work, not after it."""
    return choose("format", form, FORMATS)


def stem_of(source):
    """Return a name for files about a source.

    Parameters
    ----------
    source : str
        A path, or ``module:callable``.

    Examples
    --------
    >>> stem_of("runs/3a8c.pt"), stem_of("torchvision.models:resnet18")
    ('3a8c', 'resnet18')
    """
    return Path(source).stem if ":" not in source else source.rpartition(":")[2]
