"""Images with a class for each pixel: loading them, and batches with their augmentation.

>>> from mgtutorial.data import masks
>>> masks.info("camvid").labels[:3]
('sky', 'building', 'pole')
"""

import zipfile

import torch
import torch.nn.functional as F

from ..errors import DataDamaged, DataNotFound, InvalidValue, MgtutorialError, choose, whole
from . import cache, sources
from .catalogue import MASKS
from .mask_sets import IGNORED, SPLITS

POLICIES = ("none", "flip", "scale-crop-flip")


def info(name):
    """Return the record of a data set with masks.

    Parameters
    ----------
    name : str
        One of :data:`mgtutorial.data.catalogue.MASKS`.

    Returns
    -------
    mgtutorial.data.mask_sets.MaskSet

    Raises
    ------
    UnknownName

    Examples
    --------
    >>> info("cityscapes").classes
    19
    """
    return MASKS[choose("data set with masks", name, MASKS)]


def load(name, split, root=None, progress=True):
    """Load a split of a data set with masks.

    Parameters
    ----------
    name : str
        As for :func:`info`.
    split : {"train", "val", "fit", "test"}
    root : str or path, optional
        As for :func:`mgtutorial.data.load`.
    progress : bool

    Returns
    -------
    mgtutorial.data.mask_sets.Masks

    Raises
    ------
    UnknownName, DataNotFound, DataDamaged

    Examples
    --------
    >>> load("shapes", "test")
    Masks(split='test', n=32, size=(48, 64), digest='...', source='made when asked for')
    """
    record = info(name)
    choose("split", split, SPLITS)
    found = record.reader.locate(record, root)
    if found is None:
        raise DataNotFound(sources.not_found(name, root))
    try:
        return record.reader.read(record, split, root, progress)
    except MgtutorialError:
        raise
    except (*cache.BROKEN, zipfile.BadZipFile) as error:
        raise DataDamaged(
            f"the files of {name!r} in {found.where} cannot be read "
            f"({type(error).__name__}: {str(error)[:200]}): fetch them again."
        ) from error


def batches(samples, batch_size, augmentation="none", crop=None, generator=None, multiple=1):
    """One epoch of batches.

    Parameters
    ----------
    samples : Masks
    batch_size : int
    augmentation : {"none", "flip", "scale-crop-flip"}
        The last one scales by a factor in [0.5, 2], cuts a window out and mirrors, each image on
        its own; what lies outside the image has the mean colour and no label.
    crop : (int, int), optional
        Height and width of that window.
    generator : torch.Generator, optional
        On the CPU: it draws the order and the augmentation, all in this call. None: the images in
        their order, whole.
    multiple : int
        Whole images are padded on the right and at the bottom until their sides are multiples of
        this, with the mean colour and without labels.

    Yields
    ------
    x : torch.Tensor
        float32 (batch, 3, height, width), normalised.
    y : torch.Tensor
        int64 (batch, height, width).

    Raises
    ------
    UnknownName, InvalidValue
        At the call, not at the first batch.

    Examples
    --------
    >>> shapes = load("shapes", "train")
    >>> x, y = next(batches(shapes, 4, "scale-crop-flip", (32, 32), torch.Generator()))
    >>> x.shape, y.shape, int(y[y != IGNORED].max()) < shapes.info.classes
    (torch.Size([4, 3, 32, 32]), torch.Size([4, 32, 32]), True)
    >>> next(batches(shapes, 4, multiple=40))[1].shape
    torch.Size([4, 80, 80])
    """
    choose("augmentation", augmentation, POLICIES)
    batch_size, multiple = whole("batch_size", batch_size), whole("multiple", multiple)
    if augmentation == "scale-crop-flip":
        crop = window(crop)
    n, order = samples.n, torch.arange(samples.n)
    draws = torch.zeros(n, 4)
    if generator is not None:
        order, draws = torch.randperm(n, generator=generator), torch.rand(n, 4, generator=generator)
    elif augmentation != "none":
        raise InvalidValue("augmentation draws numbers: give a torch.Generator.")
    return _batches(samples, order, draws, batch_size, augmentation, crop, multiple)


def window(crop):
    """Return height and width of a window as whole numbers.

    Raises
    ------
    InvalidValue

    Examples
    --------
    >>> window([32, 48])
    (32, 48)
    """
    try:
        height, width = crop
    except (TypeError, ValueError):
        raise InvalidValue(f"crop={crop!r}: give height and width, two whole numbers.") from None
    return whole("crop", height), whole("crop", width)


def _batches(samples, order, draws, batch_size, augmentation, crop, multiple):
    mean, std = (torch.tensor(v)[:, None, None] for v in (samples.info.mean, samples.info.std))
    epoch = samples.epoch(order, batch_size, augmentation, 0)
    for (x, y), drawn in zip(epoch, draws.split(batch_size), strict=True):
        x, y = (x.float() / 255 - mean) / std, y.long()
        if augmentation == "flip":
            turned = drawn[:, 3] < 0.5
            x[turned], y[turned] = x[turned].flip(3), y[turned].flip(2)
        elif augmentation != "none":
            x, y = scale_crop_flip(x, y, crop, drawn)
        else:
            more = [-side % multiple for side in y.shape[1:]]
            edges = (0, more[1], 0, more[0])
            x, y = F.pad(x, edges), F.pad(y, edges, value=IGNORED)
        yield x, y


def scale_crop_flip(x, y, crop, drawn, least=0.5, most=2.0):
    """Scale each image by its own factor, cut a window out, and mirror some.

    Where the scaled image is larger than the window, the window lies within it; where it is
    smaller, it lies within the window. Colours are interpolated between pixels, labels are
    those of the nearest pixels.

    Parameters
    ----------
    x : torch.Tensor
        float (n, 3, height, width), zero where there is nothing.
    y : torch.Tensor
        int64 (n, height, width).
    crop : (int, int)
        Height and width of the window.
    drawn : torch.Tensor
        (n, 4), uniform in [0, 1): for the factor, the place (vertical, horizontal), the mirror.
    least, most : float
        Bounds of the factors.

    Returns
    -------
    x, y : torch.Tensor
        (n, 3, *crop) and (n, *crop).

    Examples
    --------
    With a factor of 1 and without mirroring it is a plain cut.

    >>> x, y = torch.rand(1, 3, 6, 8), torch.arange(48).view(1, 6, 8)
    >>> drawn = torch.tensor([[0.5, 0.0, 0.5, 0.9]])
    >>> u, v = scale_crop_flip(x, y, (6, 4), drawn, 0.5, 1.5)
    >>> torch.equal(v, y[:, :, 2:6]), torch.allclose(u, x[:, :, :, 2:6], atol=1e-6)
    (True, True)
    """
    factor = least + (most - least) * drawn[:, 0]
    where = []
    for axis, window in enumerate(crop):
        side = y.shape[1 + axis]
        room = factor * side - window  # negative: of the window around the image
        at = torch.arange(window) + 0.5 + (drawn[:, 1 + axis] * room)[:, None]
        at = 2 * at / (factor * side)[:, None] - 1
        if axis == 1:
            at = torch.where(drawn[:, 3:] < 0.5, -at, at)
        where.append(at)
    shape = (len(y), *crop)
    grid = torch.stack([where[1][:, None].expand(shape), where[0][:, :, None].expand(shape)], -1)
    # zeros are what is outside, so labels are counted from 1 here
    known = torch.where(y == IGNORED, 0, y + 1)[:, None].to(x.dtype)
    u = F.grid_sample(x, grid, padding_mode="zeros", align_corners=False)
    v = F.grid_sample(known, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    v = v[:, 0].long()
    return u, torch.where(v == 0, IGNORED, v - 1)
