"""Local copies of data sets: one file with all images as JPEG, never counted as official."""

import zipfile
from dataclasses import dataclass

import numpy as np

from ..errors import DataDamaged, MgtutorialError
from . import cache
from .in_memory import Part
from .jpegs import decode
from .readers import Found, Reader, first_place


@dataclass(frozen=True)
class JpegCopy(Reader):
    """The reader of one npz file with the JPEG files of a data set end to end.

    Its keys are ``class_names`` and, for each part, ``PART_jpeg`` (bytes), ``PART_offsets``
    (n + 1,) and ``PART_y`` (n,). A ``val`` part serves as the test part where there is no ``test``.

    Attributes
    ----------
    pattern : str
        Where the file is, under the root.
    classes : int, optional
        Classes of the copy, if it has fewer than the data set.
    """

    pattern: str
    classes: int | None = None
    source = "JPEG copy"

    def locate(self, info, root):
        path = first_place(self.pattern, root)
        return path and Found("local copy, not the official files", str(path), self.classes)

    def read(self, info, train, root, progress):
        path = first_place(self.pattern, root)
        images, labels, classes = read_copy(path, train, info.size, progress)
        n = len(classes)
        source = self.source if n == info.classes else f"{n} of {info.classes} classes"
        return Part(images, labels, classes, source)


def read_copy(path, train, size, progress):
    """Read one part of a local copy: see :class:`JpegCopy`.

    Parameters
    ----------
    path : pathlib.Path
    train : bool
    size : int
        Pixels along a side, the same for all images.
    progress : bool

    Returns
    -------
    images, labels, classes

    Raises
    ------
    DataDamaged
    """
    listed = cache.check_sums(path)
    sha = cache.digest_of(path)
    try:
        # opened here, because np.load does not close a file that is no archive
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as z:
            part = "train" if train else "test" if "test_y" in z else "val"
            labels, offsets = (_whole(z, f"{part}_{name}") for name in ("y", "offsets"))
            classes = tuple(str(c) for c in z["class_names"])
            if len(offsets) != len(labels) + 1 or (np.diff(offsets) <= 0).any() or offsets[0] < 0:
                raise ValueError(f"{part}_offsets are not {len(labels) + 1} rising numbers")

            def make():
                data = z[f"{part}_jpeg"].tobytes()
                blobs = (
                    (f"{part} {i} in {path}", data[offsets[i] : offsets[i + 1]])
                    for i in range(len(labels))
                )
                return (decode(blobs, len(labels), f"{path.stem} {part}", size, progress),)

            (images,) = cache.remembered_arrays(f"{path.stem}-{part}-{sha[:16]}", make)
    except MgtutorialError:
        raise
    except (*cache.BROKEN, zipfile.BadZipFile) as error:
        hint = "" if listed else ", no digest lies beside it"
        reason = str(error) or type(error).__name__
        raise DataDamaged(
            f"the data file {path} cannot be read ({reason}; sha256 {sha}{hint}): fetch it again."
        ) from error
    return images, labels, classes


def _whole(arrays, name):
    """Return an array of whole numbers: rounding others would hide what is wrong with them."""
    found = arrays[name]
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise ValueError(f"{name} is no row of whole numbers, but {found.dtype} {found.shape}")
    return found.astype(np.int64)
