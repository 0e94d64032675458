"""Folders of images, too many for memory: each is opened when its batch is made.

To the caller they look like :class:`mgtutorial.data.Images`. Every image of an
epoch has its own generator, seeded from the epoch's seed and its index, so the
batches do not depend on how many processes make them.
"""

import functools
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from .._torchvision import torchvision
from ..errors import DataDamaged
from .augmentation import resized_boxes
from .in_memory import content_digest, split_index, taken
from .pictures import Unreadable, opened
from .readers import Found, Reader, first_place, is_hidden, source_of

_FEW = 1000
_MODES = {1: "L", 3: "RGB"}  # what Pillow calls images of so many channels


def _most_workers():
    return min(16, os.cpu_count() or 1)


@dataclass(frozen=True, eq=False)
class FolderImages:
    """A split of a data set that stays on disk: one folder per class.

    Attributes
    ----------
    name, split, classes, source
        As in :class:`mgtutorial.data.Images`.
    channels, size : int
        Images are opened as grey (1) or in colour (3), and cut to `size` pixels along a side.
    root : pathlib.Path
        The folder with one folder per class.
    files : numpy.ndarray
        str (n,): paths below `root`.
    labels : torch.Tensor
        int64 (n,), on the training device.
    digest : str
        Over the names and the labels, as reading 140 GB to identify a data set would take an hour.
    """

    name: str
    split: str
    root: Path
    files: np.ndarray = field(repr=False)
    labels: torch.Tensor = field(repr=False)
    classes: tuple = field(repr=False)
    digest: str
    source: str
    channels: int
    size: int

    policies = ("none", "resized-crop", "resized-crop-half")

    @property
    def n(self):
        """Number of images."""
        return len(self.files)

    @property
    def num_classes(self):
        """Number of classes."""
        return len(self.classes)

    def take(self, n):
        """See :meth:`mgtutorial.data.Images.take`."""
        labels = self.labels.cpu().numpy()
        index = taken(labels, n, f"{self.name}/{self.split}")
        files, labels = self.files[index], labels[index]
        return replace(
            self,
            files=files,
            labels=torch.from_numpy(labels).to(self.labels.device),
            digest=content_digest(files, labels),
        )

    def epoch(self, order, batch_size, augmentation, seed):
        """Yield uint8 batches and labels: see :func:`mgtutorial.data.batches`."""
        device = self.labels.device
        # starting processes pays only where there is enough to read
        workers = _most_workers() if len(order) >= _FEW else 0
        loader = torch.utils.data.DataLoader(
            _Opened(self, augmentation, seed),
            batch_size,
            sampler=order.tolist(),
            num_workers=workers,
            collate_fn=_collate,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # otherwise it draws from the global one
        )
        for batch in loader:
            if isinstance(batch, str):
                raise DataDamaged(batch)
            index, x = batch
            yield x.to(device, non_blocking=True), self.labels[index.to(device)]


class _Opened(torch.utils.data.Dataset):
    def __init__(self, images, augmentation, seed):
        self.root, self.files = images.root, images.files
        self.mode, self.size = _MODES[images.channels], images.size
        self.augmentation, self.seed = augmentation, seed

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        path = self.root / self.files[i]
        try:
            image = opened(path, self.mode)
        except Unreadable as error:
            # as a value: raised in a worker, it would arrive as a long traceback
            return f"the image {path} is damaged ({error}); fetch it again."
        return i, self._view(image, (self.seed + i) % 2**63)

    def _view(self, image, seed):
        F = torchvision().transforms.functional
        if self.augmentation == "none":
            wider = round(self.size * 8 / 7)  # 256 for 224, as is usual
            image = F.center_crop(F.resize(image, wider), self.size)
        else:
            generator = torch.Generator().manual_seed(seed)
            smallest = 0.5 if self.augmentation.endswith("half") else 0.08
            box = resized_boxes(1, image.height, image.width, generator, (smallest, 1.0))
            image = F.resized_crop(image, *box[:, 0].tolist(), [self.size, self.size])
            if torch.rand((), generator=generator) < 0.5:
                image = F.hflip(image)
        return F.pil_to_tensor(image)


def _collate(samples):
    damaged = [s for s in samples if isinstance(s, str)]
    if damaged:
        return damaged[0]
    index, images = zip(*samples, strict=True)
    return torch.tensor(index), torch.stack(images)


class FolderPart(NamedTuple):
    """One part of a data set, training or test, as :class:`ImageFolders` gives it.

    Attributes
    ----------
    root : pathlib.Path
        The folder with one folder per class.
    files : numpy.ndarray
        str (n,): paths below `root`.
    labels : numpy.ndarray
        int64 (n,).
    classes : tuple of str
    source : str
    """

    root: Path
    files: np.ndarray
    labels: np.ndarray
    classes: tuple
    source: str

    def split(self, info, split, device):
        """Return a split of this part: see :meth:`mgtutorial.data.in_memory.Part.split`."""
        index = split_index(self.labels, split)
        files, labels = self.files[index], self.labels[index]
        return FolderImages(
            info.name,
            split,
            self.root,
            files,
            torch.from_numpy(labels).to(device),
            self.classes,
            content_digest(files, labels),
            self.source,
            info.channels,
            info.size,
        )


@dataclass(frozen=True)
class ImageFolders(Reader):
    """The reader of the folders ``FOLDER/train/CLASS`` and ``FOLDER/val/CLASS``.

    The test part is ``val``: what is published with labels, but not for training.

    Attributes
    ----------
    folder : str
        Under the root.
    """

    folder: str
    source = "folders"

    def locate(self, info, root):
        if (folder := first_place(f"{self.folder}/", root)) is None:
            return None
        try:
            classes = len(_classes(folder / "train"))
        except OSError:  # reading it will say so
            classes = None
        return Found("ready", str(folder), classes)

    def read(self, info, train, root, progress):
        folder = first_place(f"{self.folder}/", root)
        try:
            parts = {p: _folder_of_classes()(folder / p) for p in ("train", "val")}
        except OSError as error:
            raise DataDamaged(
                f"{folder} is not complete ({error}): it needs train/CLASS and val/CLASS with "
                "images in each."
            ) from error
        if parts["train"].classes != parts["val"].classes:
            apart = sorted({*parts["train"].classes} ^ {*parts["val"].classes})
            raise DataDamaged(
                f"{folder}/train and {folder}/val do not have the same classes: "
                f"{', '.join(apart[:3])} {'are' if apart[1:] else 'is'} in one of them only."
            )
        part = parts["train" if train else "val"]
        base = Path(part.root)
        files = np.array([Path(file).relative_to(base).as_posix() for file, _ in part.samples])
        labels = np.array(part.targets, dtype=np.int64)
        source = source_of(self, info, train, len(labels), len(part.classes))
        return FolderPart(base, files, labels, tuple(part.classes), source)


def _classes(folder):
    return sorted(e.name for e in os.scandir(folder) if e.is_dir() and not is_hidden(e.name))


def _folder_of_classes():
    """torchvision's class for folders, except hidden ones, which are not part of the data set."""

    class FolderOfClasses(torchvision().datasets.ImageFolder):
        def find_classes(self, directory):
            names = _classes(directory)
            if not names:
                raise FileNotFoundError(f"there is no class in {directory}")
            return names, {name: i for i, name in enumerate(names)}

        def make_dataset(
            self, directory, class_to_idx, extensions=None, is_valid_file=None, **rest
        ):
            base = os.fspath(directory)

            def valid(path):
                own = not is_hidden(os.path.relpath(path, base))
                return own and path.lower().endswith(extensions) and once(os.path.dirname(path))

            @functools.cache
            def once(folder):  # links are followed: one that leads back up would multiply images
                up = os.path.realpath(base)
                chain = [up]
                while len(folder) > len(base):
                    chain.append(os.path.realpath(folder))
                    folder = os.path.dirname(folder)
                above = any(up.startswith(place.rstrip(os.sep) + os.sep) for place in chain)
                return not above and len(chain) == len(set(chain))

            return torchvision().datasets.DatasetFolder.make_dataset(
                directory, class_to_idx, is_valid_file=valid, **rest
            )

    return FolderOfClasses
