"""Trained networks that come with the package, as files from :func:`mgtutorial.models.save`.

``results/trained/NAME.safetensors`` holds the weights and the record of their run: what the network
was trained on, for how long, and what it reached. ``experiments/trained_network.py`` makes it.
"""

import json

from .. import _paths
from ..errors import DataDamaged, choose
from ..models import saving
from .record import Record


def available():
    """Return the names of the trained networks that came with the package.

    Examples
    --------
    >>> available()
    ['mgiad-20-g4']
    """
    return sorted(path.stem for path in folder().glob("*.safetensors"))


def pretrained(name):
    """Return a trained network that came with the package, and the record of its run.

    Parameters
    ----------
    name : str
        ``"mgiad-20-g4"``: MGiaD with 27,642 weights, eight epochs on all of FashionMNIST.

    Returns
    -------
    Network
        In evaluation mode, on the CPU.
    Record

    Raises
    ------
    UnknownName
        If there is none with this name.
    DataDamaged
        If its file does not hold the record of its run.

    Examples
    --------
    >>> network, record = pretrained("mgiad-20-g4")
    >>> network.config == record.config.model, record.weights, record.epochs
    (True, 27642, 8)

    Book: use, use-trained
    """
    choose("trained network", name, available())
    path = folder() / f"{name}.safetensors"
    try:
        record = Record.from_json(json.loads(saving.metadata(path)["record"]))
    except (KeyError, ValueError, TypeError) as error:
        raise DataDamaged(f"{path} holds no record of its run ({error}): restore it.") from error
    return saving.load(path), record


def folder():
    """Return where the files are."""
    return _paths.packaged_results() / "trained"
