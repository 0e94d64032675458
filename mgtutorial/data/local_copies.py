"""Local copies of data sets: one file with all images as JPEG. Never counted as official files."""

import zipfile
from dataclasses import dataclass

import numpy as np

from ..errors import DataDamaged
from . import cache
from .in_memory import Part
from .jpegs import decode
from .readers import Found, Reader, first_place


@dataclass(frozen=True)
class JpegCopy(Reader):
    """The reader of one npz file with the JPEG files of a data set end to end.

    Its keys are ``class_names`` and, for each part, ``PART_jpeg`` (bytes), ``PART_offsets``
    (n + 1,) and ``PART_y`` (n,). A ``val`` part is the test part where there is no ``test``.

    Attributes
    ----------
    pattern : str
        Where the file is, under the root.
    classes : int, optional
        Of the copy, if it has fewer than the data set.
    """

    pattern: str
    classes: int | None = None
    source = "JPEG copy"

    def locate(self, info, root):
        path = first_place(self.pattern, root)
        return path and Found("local copy, not the official files", str(path), self.classes)

    def read(self, info, train, root, progress):
        images, labels, classes = read_copy(first_place(self.pattern, root), train, progress)
        n = len(classes)
        source = self.source if n == info.classes else f"{n} of {info.classes} classes"
        return Part(images, labels, classes, source)


def read_copy(path, train, progress):
    """Read one part of a local copy: see :class:`JpegCopy`.

    Parameters
    ----------
    path : pathlib.Path
    train : bool
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
            labels, offsets = z[f"{part}_y"].astype(np.int64), z[f"{part}_offsets"]
            classes = tuple(str(c) for c in z["class_names"])

            def make():
                data = z[f"{part}_jpeg"].tobytes()
                blobs = (
                    (f"{part} {i} in {path}", data[offsets[i] : offsets[i + 1]])
                    for i in range(len(labels))
                )
                return (decode(blobs, len(labels), f"{path.stem} {part}", progress),)

            (images,) = cache.remembered_arrays(f"{path.stem}-{part}-{sha[:16]}", make)
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        hint = "" if listed else ", no digest lies beside it"
        raise DataDamaged(
            f"the data file {path} cannot be read ({error}; sha256 {sha}{hint}): fetch it again."
        ) from error
    return images, labels, classes
