"""What a reader is: one format of files, which it finds, reads and perhaps fetches.

Nothing is unpickled unverified: ``np.load`` runs with ``allow_pickle=False``, and
torchvision's CIFAR reader, whose official files *are* pickles, is called only after the md5 of
every one of them has been compared with torchvision's list.
"""

from glob import glob
from pathlib import Path
from typing import NamedTuple

from ..errors import DataNotFound
from . import cache


class Found(NamedTuple):
    """What a reader found: a word on its state, where it is, and its classes if it counted them."""

    state: str
    where: str
    classes: int | None = None


class Reader:
    """Base of the readers, each a frozen dataclass: a format, and what differs between data sets.

    Attributes
    ----------
    source : str
        What images read by it are called, in the records of runs as elsewhere.
    fetches : bool
        Whether it can fetch the files.
    """

    source: str
    fetches = False

    def locate(self, info, root):
        """Look for the files, without reading them.

        Parameters
        ----------
        info : mgtutorial.data.catalogue.DataSet
            The record that names this reader.
        root : str or path, optional
            Passed on to :func:`mgtutorial.data.cache.places`.

        Returns
        -------
        Found or None
        """
        raise NotImplementedError

    def read(self, info, train, root, progress):
        """Read one part: called only where :meth:`locate` has found the files.

        Parameters
        ----------
        info : mgtutorial.data.catalogue.DataSet
        train : bool
            Whether to read the training part or the test part.
        root : str or path, optional
        progress : bool

        Returns
        -------
        mgtutorial.data.in_memory.Part or mgtutorial.data.image_folders.FolderPart

        Raises
        ------
        DataDamaged
        """
        raise NotImplementedError

    def fetch(self, info, root, progress):
        """Fetch the files, whole or not at all: called only where :attr:`fetches` is true.

        Raises
        ------
        DataNotFound
        """
        raise NotImplementedError


def failed_download(info, files, target, error):
    """Return the exception that says that a download failed and what to do.

    Parameters
    ----------
    info : mgtutorial.data.catalogue.DataSet
    files : str
        What to put into the folder `target` instead.
    target : path
    error : Exception
    """
    reason = " ".join(str(error).split())
    return DataNotFound(
        f"the download of {info.name!r} failed ({reason}): try again, or put {files} into {target}."
    )


def first_place(pattern, root):
    """Return the first path in the places for data that matches a glob pattern, or None."""
    # glob and not Path.glob: a folder that may not be entered has nothing in it for us
    for place in cache.places(root):
        if found := sorted(glob(pattern, root_dir=place)):
            return place / found[0]
    return None


def source_of(reader, info, train, n, classes):
    """Return what official images are called: a part of them is not called the same as the whole.

    Parameters
    ----------
    reader : Reader
    info : mgtutorial.data.catalogue.DataSet
    train : bool
    n, classes : int
        How many images and classes there are.
    """
    whole = info.n_train if train else info.n_test
    if classes != info.classes:
        return f"{classes} of {info.classes} classes"
    if whole is not None and n != whole:
        return f"{n:,} of {whole:,} images"
    return reader.source


def is_hidden(path):
    """Return whether a path, below the folder of the classes, is not part of the data set.

    Notebooks, archives and file servers leave such files there.

    Examples
    --------
    >>> is_hidden("n01/.ipynb_checkpoints/1-checkpoint.png"), is_hidden("n01/1.png")
    (True, False)
    """
    parts = Path(path).parts
    return any(p.startswith((".", "@", "$", "__")) or p.lower() in _SYSTEM for p in parts)


_SYSTEM = {"lost+found", "system volume information", "thumbs.db", "desktop.ini", "#recycle"}
