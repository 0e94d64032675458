"""What is there of each data set, and what to do where one is missing."""

from typing import NamedTuple

from . import cache, catalogue


def not_found(name, root=None):
    """The sentence that says where a data set was looked for and what to do."""
    looked = " and ".join(str(p) for p in cache.places(root))
    return f"the data set {name!r} is not in {looked}: {how_to_get(name, root)}."


def how_to_get(name, root=None):
    """What to type, or what to put where, to have a data set.

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
    info = (catalogue.CLOUDS | catalogue.MASKS).get(name) or catalogue.info(name)
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
    """What is there, told quickly: files are looked for, not read.

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
    kinds = (catalogue.SETS, catalogue.CLOUDS, catalogue.MASKS)  # two of which have shapes
    for name, info in (item for kind in kinds for item in kind.items()):
        reader, found = info.located(root)
        state, where = found[:2] if found else ("not here", "")
        how = "" if reader is info.readers[0] else how_to_get(name, root)
        rows.append(Row(name, state, where, how))
    return rows
