"""What a reader is: one format of files, which it finds, reads and perhaps fetches.

Nothing is unpickled that is not verified: ``np.load`` runs with ``allow_pickle=False``, and
torchvision's CIFAR reader, whose official files *are* pickles, is called only after the md5 of
every one of them was compared with torchvision's list.
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
    """Base of the readers. A reader is a frozen dataclass: a format, and what differs by data set.

    Attributes
    ----------
    source : str
        What images read by it are called, in records of runs too.
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
            Goes to :func:`mgtutorial.data.cache.places`.

        Returns
        -------
        Found or None
        """
        raise NotImplementedError

    def read(self, info, train, root, progress):
        """Read one part: called only where :meth:`locate` found the files.

        Parameters
        ----------
        info : mgtutorial.data.catalogue.DataSet
        train : bool
            The training part, or the test part.
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
    """Return the first path under the places of data that a glob pattern fits, or None."""
    # iglob and not Path.glob: a folder that may not be entered has nothing in it for us
    for place in cache.places(root):
        if found := sorted(glob(pattern, root_dir=place)):
            return place / found[0]
    return None


def source_of(reader, info, train, n, classes):
    """Return what official images are called: a part of them is not called like the whole.

    Parameters
    ----------
    reader : Reader
    info : mgtutorial.data.catalogue.DataSet
    train : bool
    n, classes : int
        So many images and classes are there.
    """
    whole = info.n_train if train else info.n_test
    if classes != info.classes:
        return f"{classes} of {info.classes} classes"
    if whole is not None and n != whole:
        return f"{n:,} of {whole:,} images"
    return reader.source


def is_hidden(path):
    """Return whether a path, below the folder of the classes, is none of the data set's.

    Such are left there by notebooks, archives and file servers.

    Examples
    --------
    >>> is_hidden("n01/.ipynb_checkpoints/1-checkpoint.png"), is_hidden("n01/1.png")
    (True, False)
    """
    parts = Path(path).parts
    return any(p.startswith((".", "@", "$", "__")) or p.lower() in _SYSTEM for p in parts)


_SYSTEM = {"lost+found", "system volume information", "thumbs.db", "desktop.ini", "#recycle"}
