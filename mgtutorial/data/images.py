"""Data sets as uint8 tensors on the training device, and batches made there.

Splits are ``train`` (all training images), ``val`` (a fixed, stratified part of
them), ``fit`` (train without val: what is trained on while choices are made) and
``test`` (read once, at the end). Nothing is drawn at random from a data set's own
files: the same name and split are the same images on every machine.
"""

import math

import torch

from ..errors import (
    DataDamaged,
    DataNotFound,
    DeviceUnavailable,
    InvalidValue,
    MgtutorialError,
    choose,
    real,
    whole,
)
from . import cache, catalogue, sources
from .in_memory import Images

__all__ = ["SPLITS", "Images", "batches", "load"]

SPLITS = ("train", "val", "fit", "test")


def load(name, split, root=None, device="cpu", download=False, progress=True):
    """Load a split of a data set.

    Parameters
    ----------
    name : str
        One of :data:`mgtutorial.data.NAMES`.
    split : {"train", "val", "fit", "test"}
        ``val``: 5,000 training images (20 % where there are fewer than 25,000), in
        proportion to the classes, the same in every run; ``fit``: the others.
        The test split of Tiny ImageNet and ImageNet is the official validation set,
        as the labels of their test sets are not public.
    root : str or path, optional
        Where the data sets are; by default ``MGTUTORIAL_DATA``, else the cache folder.
        It is only read, unless a download is asked for.
    device : str or torch.device
        Where the tensors are to live.
    download : bool
        Fetch official files that are not there: into the root if it can be
        written to, else into the cache folder.
    progress : bool
        Show a bar while something is downloaded or decoded.

    Returns
    -------
    Images or FolderImages
        :class:`~mgtutorial.data.FolderImages` are those that stay on disk, such as
        ImageNet's; :func:`batches` takes both.

    Raises
    ------
    UnknownName, DataNotFound, DataDamaged, CacheUnwritable, DeviceUnavailable

    Examples
    --------
    >>> load("digits", "test")
    Images(name='digits', split='test', digest='...', source='embedded')
    """
    return load_split(
        catalogue.info(name), split, root=root, device=device, download=download, progress=progress
    )


def load_split(info, split, *, root=None, device="cpu", download=False, progress=True):
    """As :func:`load`, but for a record: of images, or of anything a reader gives a part of."""
    choose("split", split, SPLITS)
    device = torch.device(device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceUnavailable("no CUDA device was found: choose the device 'cpu'.")
    reader, _ = info.located(root)
    official = info.readers[0]
    if download and reader is not official and official.fetches:
        official.fetch(info, root, progress)
        reader = official
    if reader is None:
        raise DataNotFound(sources.not_found(info.name, root))
    try:
        part = reader.read(info, split != "test", root, progress)
    except MgtutorialError:
        raise
    except cache.BROKEN as error:
        found = reader.locate(info, root)
        where = found.where if found else cache.data_root(root)
        raise DataDamaged(
            f"the files of {info.name!r} in {where} cannot be read "
            f"({type(error).__name__}: {str(error)[:200]}): fetch them again."
        ) from error
    if hasattr(part, "check"):  # what is in memory; files are looked at one by one
        part.check(info)
    return part.split(info, split, device)


def batches(
    images, batch_size, augmentation="none", shuffle=True, generator=None, drop_last=False,
    normalisation=None,
):  # fmt: skip
    """One epoch of batches, made on the device of the images.

    Parameters
    ----------
    images : Images or FolderImages
    batch_size : int
        Positive.
    augmentation : str
        One of ``images.policies``, which :func:`mgtutorial.data.augmentation.apply` describes.
    shuffle : bool
    generator : torch.Generator, optional
        On the CPU, whatever the device: runs on a CPU and on a GPU draw the same numbers.
        Needed if there is anything to draw. All its draws (an order and a seed)
        happen in this call, so its state can be saved at any time during the epoch: it
        is the state from which the next epoch starts.
    drop_last : bool
        Leave out a last batch that is not full.
    normalisation : (tuple of float, tuple of float), optional
        Mean and deviation of the grey values in [0, 1], one number per channel. Default: those of
        the data set's record.

    Yields
    ------
    x : torch.Tensor
        float32 (batch, channels, size, size), normalised.
    y : torch.Tensor
        int64 (batch,).

    Raises
    ------
    UnknownName, InvalidValue
        At the call, not at the first batch.

    Examples
    --------
    >>> digits = load("digits", "val")
    >>> x, y = next(batches(digits, 32, generator=torch.Generator().manual_seed(0)))
    >>> x.shape, x.min() >= -1, x.max() <= 1
    (torch.Size([32, 1, 8, 8]), tensor(True), tensor(True))
    """
    choose("augmentation", augmentation, images.policies)
    batch_size, info = whole("batch_size", batch_size), catalogue.info(images.name)
    if normalisation is None:
        normalisation = info.mean, info.std
    else:
        normalisation = checked_normalisation(info, normalisation)
    order, seed = torch.arange(images.n), 0
    if shuffle or augmentation != "none":
        if generator is None or generator.device.type != "cpu":
            raise InvalidValue(
                "shuffling and augmentation draw from a generator on the CPU: pass "
                "generator=torch.Generator().manual_seed(seed)."
            )
        if shuffle:
            order = torch.randperm(images.n, generator=generator)
        seed = torch.randint(2**63 - 1, (), generator=generator).item()
    if drop_last:
        order = order[: images.n // batch_size * batch_size]
    return _single_threaded(
        _normalised(images, images.epoch(order, batch_size, augmentation, seed), normalisation)
    )


def _single_threaded(epoch):
    """Make each batch with one CPU thread, and give the others back before it is handed out.

    Hundreds of operations of some 50 microseconds each gain little from a second
    thread; and where other programs run, each would wait for an interrupted thread to return.
    """
    end = object()
    batch = None
    while batch is not end:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            batch = next(epoch, end)
        finally:
            torch.set_num_threads(threads)
        if batch is not end:
            yield batch


def checked_normalisation(info, given):
    """Return the mean and deviation of each channel as Python floats.

    Parameters
    ----------
    info : mgtutorial.data.catalogue.DataSet
    given : (sequence of float, sequence of float)

    Raises
    ------
    InvalidValue

    Examples
    --------
    >>> checked_normalisation(catalogue.info("digits"), [[0], [1]])
    ((0.0,), (1.0,))
    """
    try:
        mean, std = given
        mean = tuple(real("mean", v, least=-math.inf) for v in mean)
        std = tuple(real("deviation", v, positive=True) for v in std)
    except (TypeError, ValueError):
        mean = std = ()
    if (len(mean), len(std)) != (info.channels, info.channels):
        raise InvalidValue(
            f"normalisation={given!r}: give a mean and a positive deviation for each of the "
            f"{info.channels} channels of {info.name}."
        )
    return mean, std


def _normalised(images, epoch, normalisation):
    device = images.labels.device
    mean, std = (torch.tensor(v, device=device)[:, None, None] for v in normalisation)
    scale, shift = 1 / (255 * std), -mean / std
    for x, y in epoch:
        yield x.float().mul_(scale).add_(shift), y
