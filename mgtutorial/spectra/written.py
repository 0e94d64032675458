"""Spectra as files: a figure, and a CSV of all numbers.

A file is written completely or not at all; those of a command replace no older one.
"""

import csv
import glob
import io
import re
import tempfile
import warnings
from itertools import count
from pathlib import Path, PureWindowsPath

import numpy as np

from .. import _atomic
from .._paths import given
from .._text import printable
from ..errors import RecordsUnwritable, choose
from .layers import Transposed
from .report import frequencies

FORMATS = ("svg", "png")
_ROWS = 5  # layers in one figure

COLUMNS = (
    *("layer", "kind", "theta1", "theta2", "theta3", "multiplicity", "real", "imag"),
    "weights",
)


def write_csv(found, path):
    """Write spectra as CSV, one line per value; the columns are ``COLUMNS``.

    `kind` is "eigenvalue" or "singular value"; `theta` is the frequency of the output, in radians;
    a line with `multiplicity` 2 also stands for the opposite frequency, where an eigenvalue is the
    conjugate; `weights` says where the weights come from.

    Parameters
    ----------
    found : sequence of LayerSpectrum
    path : path

    Examples
    --------
    >>> import tempfile, torch
    >>> from mgtutorial.spectra import spectra
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_csv(spectra(torch.nn.Conv2d(1, 1, 1), size=2), Path(folder, "a.csv"))
    ...     Path(folder, "a.csv").read_text().split(",")[:2]
    ['layer', 'kind']

    Book: spectra, spectra-own
    """
    _atomic.replace(given(path), lambda file: _write_rows(found, file))


def _write_rows(found, binary):
    # half a character, as in a name that was not UTF-8, is written as its number
    file = io.TextIOWrapper(binary, "utf-8", errors="backslashreplace", newline="")
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for layer in found:
        name, weights = _cell(layer.name), _cell(layer.weights)
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
                    writer.writerow([name, kind, *where, times, f"{value.real:.9g}", imag, weights])
    file.flush()
    file.detach()


def _cell(text):
    """A text that no spreadsheet program takes for a formula."""
    text = text.replace("\0", "\\x00")
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def draw(found):
    """Return figures of spectra: eigenvalues in the complex plane, and sorted singular values.

    Parameters
    ----------
    found : sequence of LayerSpectrum

    Returns
    -------
    list of matplotlib.figure.Figure
        With five layers each.

    Examples
    --------
    >>> import torch
    >>> from mgtutorial.spectra import spectra
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
            # a layout that is computed would take as long as the drawing
            height, gap = 3.2 * len(part), 0.95
            fig = Figure(figsize=(8.0, height), layout="none")
            axes = fig.subplots(len(part), 2, squeeze=False)
            fig.subplots_adjust(
                left=0.1, right=0.98, bottom=0.55 / height, top=1 - 0.6 / height, wspace=0.25,
                hspace=gap / ((height - 1.15 - gap * (len(part) - 1)) / len(part)),
            )  # fmt: skip
            for layer, (left, right) in zip(part, axes, strict=True):
                _draw_layer(layer, left, right)
            if text := ", ".join(dict.fromkeys(s.weights for s in part if s.weights)):
                fig.suptitle(
                    f"weights {printable(text, 90)}", y=1 - 0.06 / height, va="top",
                    fontsize="small", parse_math=False,
                )  # fmt: skip
            figures.append(fig)
    return figures


def _draw_layer(layer, left, right):
    name, A = printable(layer.name, 50), layer.A
    if layer.eigenvalues is None:
        left.set_axis_off()
        turned = "transposed, " if isinstance(A, Transposed) else ""
        left.text(
            0.5, 0.5, f"{turned}{A.c_in} to {A.c_out} channels, stride {max(A.stride)}:\nsingular"
            " values only", ha="center", va="center", transform=left.transAxes,
        )  # fmt: skip
        left.set_title(name, parse_math=False)
    else:
        z = layer.eigenvalues.ravel()
        turn = layer.radius * np.exp(2j * np.pi * np.arange(101) / 100)
        left.plot(turn.real, turn.imag, color="black", linewidth=0.8, linestyle="-")
        # thousands of points are a picture; as vectors they would be megabytes
        left.plot(z.real, z.imag, ".", markersize=2, rasterized=True)
        left.set(xlabel="Re", ylabel="Im", aspect="equal")
        left.set_title(f"{name}: radius {layer.radius:.3g}", parse_math=False)
    values = np.sort(layer.singular_values.ravel())[::-1]
    at = np.linspace(0, 100, len(values))
    few = np.unique(np.linspace(0, len(values) - 1, 400).astype(int))
    right.plot(at[few], np.maximum(values[few], 1e-16 * (layer.norm or 1)))
    right.set(xlabel="% of the singular values", yscale="log")
    if values[0] > 100 * values[-1]:  # two decades have enough labels
        right.minorticks_off()
    right.set_title(f"norm {layer.norm:.3g}")


def write(found, folder, stem, form="svg", drawn=None):
    """Write the figures and the CSV; return their paths.

    Older files of the same name are kept: the new ones are numbered.

    Parameters
    ----------
    found : sequence of LayerSpectrum
    folder : path
        Created if it does not exist.
    stem : str
        What the names of the files begin with.
    form : {"svg", "png"}
    drawn : int, optional
        How many layers are drawn; all by default.

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
    >>> from mgtutorial.spectra import spectra
    >>> found = list(spectra(torch.nn.Conv2d(2, 2, 3), size=4))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in write(found, folder, "conv")]
    ['conv-spectrum.csv', 'conv-spectrum.svg']

    Book: spectra, spectra-own
    """
    from ..figures import images

    choose_format(form)
    found, folder = list(found), given(folder)
    figures = draw(found[:drawn])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stem, mode = _reserved(folder, stem)
        paths = [folder / f"{stem}-spectrum.csv"]
        try:
            _atomic.replace(paths[0], lambda file: _write_rows(found, file))
        except BaseException:
            paths[0].unlink(missing_ok=True)
            raise
        for i, fig in enumerate(figures, 1):
            number = f"-{i}" if len(figures) > 1 else ""
            paths.append(folder / f"{stem}-spectrum{number}.{form}")
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Glyph")  # no font has every character
                picture = images.to_svg(fig).encode() if form == "svg" else _png(fig)
            _atomic.replace(paths[-1], picture)
        for path in paths:
            path.chmod(mode)
    except (OSError, ValueError) as error:
        raise _unwritable(folder, error) from error
    return paths


def check_folder(folder):
    """Make a folder and try to write to it: before the work, not after it.

    Raises
    ------
    RecordsUnwritable
    """
    folder = given(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder, error):
    return RecordsUnwritable(
        f"cannot write to {folder} ({getattr(error, 'strerror', None) or error}): give a folder "
        "that can be written to, with --output."
    )


def _reserved(folder, stem):
    """A stem for which the folder has no file, reserved by an empty CSV, and that file's mode."""
    for i in count(1):
        chosen = stem if i == 1 else f"{stem}-{i}"
        if any(folder.glob(f"{glob.escape(chosen)}-spectrum*")):
            continue
        try:
            with open(folder / f"{chosen}-spectrum.csv", "x") as file:
                return chosen, Path(file.name).stat().st_mode & 0o777
        except FileExistsError:  # another process was quicker
            continue


def _png(fig):
    out = io.BytesIO()
    fig.savefig(out, format="png", dpi=150)
    return out.getvalue()


def choose_format(form):
    """Return `form` if it is one of ``FORMATS``; to be called before the work, not after it."""
    return choose("format", form, FORMATS)


def stem_of(source):
    """Return a name for files about a source, one that every file system accepts.

    Parameters
    ----------
    source : str
        A path, or ``module:callable``.

    Examples
    --------
    >>> stem_of("runs/3a8c.pt"), stem_of("torchvision.models:resnet18"), stem_of("C:\\\\a b.pt")
    ('3a8c', 'resnet18', 'a_b')
    """
    last = PureWindowsPath(source).name.rpartition(":")[2]
    stem = last.rpartition(".")[0] or last if "." in last.lstrip(".") else last
    return re.sub(r"[^\w.+-]+", "_", stem).strip("._")[:80] or "network"
