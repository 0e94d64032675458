"""Readers of images with masks: CamVid in one archive, Cityscapes by torchvision, and made ones."""

import io
import os
import zipfile
from dataclasses import dataclass

import numpy as np
import torch

from .._torchvision import torchvision
from ..errors import DataDamaged
from . import cache
from .in_memory import content_digest
from .mask_sets import IGNORED, Masks, check, in_memory
from .pictures import Unreadable, opened
from .readers import Found, Reader, first_place


@dataclass(frozen=True)
class MaskArchive(Reader):
    """The reader of one zip file with ``PART/NAME.webp`` and ``PARTannot/NAME.png``.

    The parts are train, val and test; "fit" is also the part train.

    Attributes
    ----------
    path : str
        Under the root.
    source : str
    ignored : int
        The label of pixels without one.
    """

    path: str
    source: str
    ignored: int

    def locate(self, info, root):
        path = first_place(self.path, root)
        return path and Found("local copy, not the official files", str(path))

    def read(self, info, split, root, progress):
        path, part = first_place(self.path, root), "train" if split == "fit" else split
        cache.check_sums(path)
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if n.startswith(f"{part}/")]
            annotated = [f"{part}annot/{n[len(part) + 1 :].rpartition('.')[0]}.png" for n in names]
            if not names or not {*annotated} <= {*archive.namelist()}:
                raise DataDamaged(
                    f"{path} has {len(names)} images of the part {part!r}, and not a mask for each "
                    "of them: fetch it again."
                )
            images = [_picture(archive, name, "RGB") for name in names]
            masks = np.stack([_picture(archive, name, "L") for name in annotated])
        masks[masks == self.ignored] = IGNORED
        return in_memory(info, split, np.stack(images).transpose(0, 3, 1, 2), masks, self.source)


def _picture(archive, name, mode):
    try:
        return np.array(opened(io.BytesIO(archive.read(name)), mode))
    except Unreadable as error:
        raise DataDamaged(
            f"the image {name} is damaged ({error}); fetch the data set again."
        ) from error


@dataclass(frozen=True)
class CityscapesFolders(Reader):
    """The reader of Cityscapes' folders ``leftImg8bit`` and ``gtFine``, through torchvision.

    The test split is the official *validation* set, as the labels of the test set are not public;
    every sixth training image is held out as "val". Images stay on disk.

    Attributes
    ----------
    folder : str
        Under the root.
    """

    folder: str
    source = "official files"

    def _place(self, root):
        for place in cache.places(root):
            path = place / self.folder
            if all(os.path.isdir(path / name) for name in ("leftImg8bit", "gtFine")):
                return path
        return None

    def locate(self, info, root):
        path = self._place(root)
        return path and Found("ready", str(path))

    def read(self, info, split, root, progress):
        part = "val" if split == "test" else "train"
        cls = torchvision().datasets.Cityscapes
        try:
            pictures = cls(self._place(root), part, mode="fine", target_type="semantic")
        except RuntimeError as error:
            raise DataDamaged(
                f"torchvision does not find Cityscapes in {self._place(root)} "
                f"({' '.join(str(error).split())[:120]}): unpack leftImg8bit and gtFine there."
            ) from error
        which = np.argsort(pictures.images)  # torchvision keeps the order of the folders' entries
        if split in ("fit", "val"):
            which = which[(np.arange(len(which)) % 6 == 0) == (split == "val")]
        trained = np.full(256, IGNORED, np.uint8)
        for kind in cls.classes:
            if 0 <= kind.id and kind.train_id < info.classes:
                trained[kind.id] = kind.train_id

        def pick(index):
            pairs = [pictures[which[int(i)]] for i in index]
            x = np.stack([np.asarray(a) for a, _ in pairs]).transpose(0, 3, 1, 2)
            y = trained[np.stack([np.asarray(b) for _, b in pairs]).astype(np.uint8)]
            check(info, x, y, self.source)
            return torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(y)

        if not len(which):
            raise DataDamaged(f"there are no images of {part!r} in {self._place(root)}.")
        names = [os.path.basename(pictures.images[i]) for i in which]
        digest = content_digest(np.frombuffer("\n".join(names).encode(), np.uint8))
        return Masks(info, split, len(which), (1024, 2048), digest, self.source, pick)


@dataclass(frozen=True)
class MadeShapes(Reader):
    """The reader of discs, boxes and stripes that are drawn when they are asked for."""

    source = "made when asked for"

    def locate(self, info, root):
        return Found(self.source, "")

    def read(self, info, split, root, progress):
        images, masks = shapes({"val": 1, "test": 2}.get(split, 0), 32 if split != "train" else 96)
        return in_memory(info, split, images, masks, self.source)


def shapes(seed, n, size=(48, 64)):
    """Return images of a disc and a box in front of a striped ground, and their masks.

    Parameters
    ----------
    seed, n : int
    size : (int, int)
        Height and width.

    Returns
    -------
    images, masks : numpy.ndarray
        uint8 (n, 3, height, width) and (n, height, width): ground 0, disc 1, box 2; the rim of the
        disc has no label.

    Examples
    --------
    >>> images, masks = shapes(0, 2)
    >>> images.shape, np.unique(masks).tolist()
    ((2, 3, 48, 64), [0, 1, 2, 255])
    """
    random = np.random.RandomState(seed)
    h, w = size
    y, x = np.mgrid[:h, :w]
    images, masks = np.empty((n, 3, h, w)), np.zeros((n, h, w), np.uint8)
    for image, mask in zip(images, masks, strict=True):
        turn, wave = random.uniform(0, np.pi), random.uniform(0.3, 0.7)
        image[:] = 110 + 40 * np.sin(wave * (np.cos(turn) * x + np.sin(turn) * y))
        top, left = random.randint(0, h - 16), random.randint(0, w - 16)
        box = (slice(top, top + random.randint(8, 16)), slice(left, left + random.randint(8, 16)))
        image[(slice(None), *box)], mask[box] = np.array([60, 90, 200])[:, None, None], 2
        radius = random.randint(6, 12)
        away = np.hypot(y - random.randint(8, h - 8), x - random.randint(8, w - 8)) - radius
        image[:, away < 0] = np.array([200, 80, 60])[:, None]
        mask[away < 0], mask[abs(away) < 0.7] = 1, IGNORED
    images += 12 * random.standard_normal(images.shape)
    return images.clip(0, 255).astype(np.uint8), masks
