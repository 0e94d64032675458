"""Which images are in which split: stratified, and the same on every machine."""

import numpy as np

from ..errors import InvalidValue

# Any numbers would do; these are part of the definition of the splits.
VAL_SEED, TAKE_SEED = 5000, 2


def stratified_order(labels, seed):
    """An order of which every beginning has the classes in proportion.

    Image number ``i`` of a random order of the ``m`` images of its class gets the
    place ``(i + 1/2) / m``; sorting by place interleaves the classes.

    Parameters
    ----------
    labels : numpy.ndarray
        int (n,).
    seed : int
        For NumPy's RandomState, whose stream is frozen: the order is the same with every version.

    Returns
    -------
    numpy.ndarray
        int64 (n,), a permutation.

    Examples
    --------
    >>> labels = np.array([0, 0, 0, 0, 1, 1])
    >>> labels[stratified_order(labels, seed=0)].tolist()
    [0, 1, 0, 0, 1, 0]
    """
    random = np.random.RandomState(seed)
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.lexsort((labels, place)).astype(np.int64)


def split_index(labels, split):
    """The training images that a split consists of.

    Parameters
    ----------
    labels : numpy.ndarray
        int (n,), of the training part (of the test part for ``test``).
    split : {"train", "val", "fit", "test"}
        ``val`` has 5,000 images, or 20 % of fewer than 25,000; ``fit`` has the others.

    Returns
    -------
    numpy.ndarray or slice
        Increasing.

    Examples
    --------
    >>> split_index(np.arange(100) % 2, "val").size
    20
    """
    if split not in ("val", "fit"):
        return slice(None)
    n = 5000 if len(labels) >= 25_000 else round(len(labels) / 5)
    order = stratified_order(labels, VAL_SEED)
    return np.sort(order[:n] if split == "val" else order[n:])


def taken(labels, n, what, kind="images"):
    """The first `n` of a fixed stratified order, increasing.

    Raises
    ------
    InvalidValue
        If `n` is not in 1 to ``len(labels)``; `what` names the images, or what else `kind` says
        that they are, in the sentence.

    Examples
    --------
    >>> taken(np.arange(100) % 10, 10, "digits").size
    10
    """
    if not 1 <= n <= len(labels):
        raise InvalidValue(f"cannot take {n} {kind} of {what}: choose 1 to {len(labels)}.")
    return np.sort(stratified_order(labels, TAKE_SEED)[:n])
