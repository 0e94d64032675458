"""Reading each data set from where it lies: official files first, local copies next.

:func:`read` gives the training or the test part; splitting, digests and batches are
:mod:`mgtutorial.data.images`'s business. Nothing is unpickled that is not verified:
``np.load`` runs with ``allow_pickle=False``, and torchvision's CIFAR reader, whose official
files *are* pickles, is called only after the md5 of every one of them was compared with
torchvision's list.
"""

from dataclasses import replace
from typing import NamedTuple

from ..errors import DataNotFound
from . import cache, catalogue


def read(name, train, root=None, download=False, progress=True):
    """Read the training or the test part of a data set.

    Parameters
    ----------
    name : str
        One of :data:`mgtutorial.data.NAMES`.
    train : bool
    root : str or path, optional
    download : bool
        Fetch the official files if they are not there.
    progress : bool

    Returns
    -------
    Part or FolderPart
        What the reader of the files gives.

    Raises
    ------
    UnknownName, DataNotFound, DataDamaged, CacheUnwritable
    """
    info = catalogue.info(name)
    official = info.readers[0]
    reader, _ = _located(info, root)
    if download and reader is not official and official.fetches:
        official.fetch(info, root, progress)
        reader = official
    if reader is None:
        raise DataNotFound(not_found(name, root))
    return reader.read(info, train, root, progress)


def _located(info, root):
    """The first reader that finds something, and what it found; or two times None."""
    for reader in info.readers:
        if (found := reader.locate(info, root)) is not None:
            return reader, found
    return None, None


def described(name, root=None):
    """Return the record of a data set, with the number of classes that are really there.

    They are fewer where a part of the classes lies in place of the whole data set. Nothing is
    read, so this is quick; a data set that is not there is described as its record has it.

    Parameters
    ----------
    name : str
    root : str or path, optional

    Returns
    -------
    mgtutorial.data.catalogue.DataSet

    Raises
    ------
    UnknownName

    Examples
    --------
    >>> described("cifar100", "nowhere").classes
    100
    """
    info = catalogue.info(name)
    _, found = _located(info, root)
    return replace(info, classes=found.classes) if found and found.classes else info


def not_found(name, root=None):
    """The sentence that says where a data set was looked for and what to do."""
    looked = " and ".join(str(p) for p in cache.places(root))
    return f"the data set {name!r} is not in {looked}: {how_to_get(name, root)}."


def how_to_get(name, root=None):
    """What to type or to put where, so that a data set is there.

    Parameters
    ----------
    name : str
    root : str or path, optional

    Returns
    -------
    str
        Empty for a data set without files.

    Raises
    ------
    UnknownName

    Examples
    --------
    >>> how_to_get("cifar10", "data")
    'type `mgtutorial data --download cifar10`, or put cifar-10-python.tar.gz into data'
    """
    info = catalogue.info(name)
    if not info.by_hand:
        return ""
    put = f"put {info.by_hand} into {cache.download_folder(root)}"
    fetched = info.readers[0].fetches
    return f"type `mgtutorial data --download {name}`, or {put}" if fetched else put


class Row(NamedTuple):
    """One line of `mgtutorial data`: name, state, where it is, how to get it."""

    name: str
    state: str
    where: str
    how: str


def available(root=None):
    """What is there, quickly: files are looked for, not read.

    Parameters
    ----------
    root : str or path, optional

    Returns
    -------
    list of Row
        ``where`` and ``how`` are empty where they do not apply.

    Examples
    --------
    >>> available()[0]
    Row(name='digits', state='embedded', where='scikit-learn', how='')
    """
    rows = []
    for name, info in catalogue.SETS.items():
        reader, found = _located(info, root)
        state, where = found[:2] if found else ("not here", "")
        how = "" if reader is info.readers[0] else how_to_get(name, root)
        rows.append(Row(name, state, where, how))
    return rows
