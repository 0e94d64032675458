"""Data sets as uint8 tensors on the training device, and batches made there.

Splits are ``train`` (all training images), ``val`` (a fixed, stratified part of
them), ``fit`` (train without val: what is trained on while choices are made) and
``test`` (read once, at the end). Nothing is drawn from a data set's own
files at random: the same name and split are the same images on every machine.
"""

from dataclasses import dataclass, field, replace
from numbers import Integral

import numpy as np
import torch

from ..errors import DeviceUnavailable, InvalidValue, choose
from . import augmentation as augment
from . import cache, sources
from .catalogue import NAMES, normalisation_of
from .splits import split_index, taken

SPLITS = ("train", "val", "fit", "test")


@dataclass(frozen=True, eq=False)
class Images:
    """A split of a data set in memory.

    Attributes
    ----------
    name, split : str
    images : torch.Tensor
        uint8 (n, channels, size, size), on the training device.
    labels : torch.Tensor
        int64 (n,), on the same device.
    classes : tuple of str
    digest : str
        First 16 hexadecimal digits of the SHA-256 over the bytes of images, then labels.
    source : str
        "official files", "JPEG copy", "20 of 200 classes", "embedded" or "synthetic".
    """

    name: str
    split: str
    images: torch.Tensor = field(repr=False)
    labels: torch.Tensor = field(repr=False)
    classes: tuple = field(repr=False)
    digest: str
    source: str

    policies = augment.POLICIES

    @property
    def n(self):
        """Number of images."""
        return len(self.labels)

    @property
    def channels(self):
        """1 (grey) or 3 (colour)."""
        return self.images.shape[1]

    @property
    def size(self):
        """Height, which is the width, in pixels."""
        return self.images.shape[-1]

    @property
    def num_classes(self):
        """Number of classes of the data set, whether or not all occur."""
        return len(self.classes)

    def take(self, n):
        """The first `n` images of a fixed stratified order; ``take(10)`` is part of ``take(20)``.

        Parameters
        ----------
        n : int
            1 to ``self.n``.

        Returns
        -------
        Images

        Raises
        ------
        InvalidValue

        Examples
        --------
        >>> load("digits", "train").take(20).labels.bincount().tolist()
        [2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
        """
        index = taken(self.labels.cpu().numpy(), n, f"{self.name}/{self.split}")
        index = torch.from_numpy(index).to(self.labels.device)
        images, labels = self.images[index], self.labels[index]
        digest = cache.content_digest(images.cpu().numpy(), labels.cpu().numpy())
        return replace(self, images=images, labels=labels, digest=digest)

    def epoch(self, order, batch_size, augmentation, seed):
        """Yield uint8 batches and labels: see :func:`batches`, which normalises them.

        Parameters
        ----------
        order : torch.Tensor
            int64 (m,), on the CPU: which images, in which order.
        batch_size : int
        augmentation : str
        seed : int
            Of the generator the augmentation draws from.
        """
        generator = torch.Generator().manual_seed(seed)
        order = order.to(self.labels.device)
        pool = batch_size
        if augmentation != "none":
            _keep_freed_memory()
        if augmentation in ("crop-flip", "cifar10", "cifar100"):
            # images that meet the same fate are treated together: the more, the cheaper
            pool *= max(1, 2048 // batch_size)
        for index in order.split(pool):
            x, y = self.images.index_select(0, index), self.labels.index_select(0, index)
            x = augment.apply(augmentation, x, generator)
            yield from zip(x.split(batch_size), y.split(batch_size), strict=True)


def load(name, split, root=None, device="cpu", download=False, progress=True):
    """Load a split of a data set.

    Parameters
    ----------
    name : str
        One of :data:`NAMES`. ``imagenet`` is read lazily and gives a
        :class:`~mgtutorial.data.image_folders.FolderImages`, which :func:`batches` takes as well.
    split : {"train", "val", "fit", "test"}
        ``val``: 5,000 training images (20 % where there are fewer than 25,000), in
        proportion of the classes, the same in every run; ``fit``: the other ones.
        The test split of Tiny ImageNet and ImageNet is the official validation set,
        as the labels of their test sets are not public.
    root : str or path, optional
        Where the data sets are: else ``MGTUTORIAL_DATA``, else the cache folder.
        It is only read, unless a download is asked for.
    device : str or torch.device
        Where the tensors are to live.
    download : bool
        Fetch official files that are not there: into the root if it can be
        written, else into the cache folder.
    progress : bool
        Show a bar while something is downloaded or decoded.

    Returns
    -------
    Images

    Raises
    ------
    UnknownName, DataNotFound, DataDamaged, DeviceUnavailable

    Examples
    --------
    >>> load("digits", "test")
    Images(name='digits', split='test', digest='...', source='embedded')
    """
    choose("data set", name, NAMES)
    choose("split", split, SPLITS)
    device = torch.device(device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceUnavailable("no CUDA device was found: choose the device 'cpu'.")
    if name == "imagenet":
        from .image_folders import imagenet

        return imagenet(split, root, device)
    part = sources.read(name, split != "test", root, download, progress)
    images, labels = part.images, part.labels
    if split in ("val", "fit"):
        index = split_index(labels, split)
        images, labels = images[index], labels[index]
    digest = cache.content_digest(images, labels)
    return Images(
        name,
        split,
        torch.from_numpy(np.ascontiguousarray(images)).to(device),
        torch.from_numpy(labels).to(device),
        part.classes,
        digest,
        part.source,
    )


def _keep_freed_memory():
    """Make glibc keep what is freed, instead of giving it back and fetching it page by page.

    It keeps twice the largest block, up to 32 MiB, that it has seen freed. No
    page of this one is touched; without it a fifth of the time goes into page faults.
    """
    torch.empty(31 << 20, dtype=torch.uint8)


def batches(images, batch_size, augmentation="none", shuffle=True, generator=None, drop_last=False):
    """One epoch of batches, made on the device of the images.

    Parameters
    ----------
    images : Images or FolderImages
    batch_size : int
        Positive.
    augmentation : str
        One of ``images.policies``; what they are says :func:`mgtutorial.data.augmentation.apply`.
    shuffle : bool
    generator : torch.Generator, optional
        On the CPU, for every device: runs on a CPU and on a GPU draw the same numbers.
        Needed if there is anything to draw. All its draws (an order and a seed)
        happen in this call, so its state can be saved at any time of the epoch: it
        is the state from which the next epoch starts.
    drop_last : bool
        Leave out a last batch that is not full.

    Yields
    ------
    x : torch.Tensor
        float32 (batch, channels, size, size), normalised with :func:`normalisation_of`.
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
    if not isinstance(batch_size, Integral) or batch_size < 1:
        raise InvalidValue(f"a batch of {batch_size} images is not possible: choose 1 or more.")
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
        _normalised(images, images.epoch(order, batch_size, augmentation, seed))
    )


def _single_threaded(epoch):
    """Make each batch with one CPU thread, and give the others back before it is handed out.

    Hundreds of operations of some 50 microseconds each gain little from a second
    thread; and where other programs run, each would wait until the interrupted one is back.
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


def _normalised(images, epoch):
    device = images.labels.device
    mean, std = (
        torch.tensor(v, device=device)[:, None, None] for v in normalisation_of(images.name)
    )
    scale, shift = 1 / (255 * std), -mean / std
    for x, y in epoch:
        yield x.float().mul_(scale).add_(shift), y
