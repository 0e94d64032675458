"""Data sets that come as JPEG files: decoded once, kept as arrays in the cache folder."""

import io
import zipfile
from pathlib import Path

import numpy as np

from ..errors import DataDamaged, DataNotFound
from . import cache

TINY = "tiny-imagenet-200"
TINY_URL = f"http://cs231n.stanford.edu/{TINY}.zip"
TINY_MD5 = "90528d7ca1a48142e341f4ef8d21d0de"


def decode(blobs, total, title, progress=True):
    """Decode JPEG files of one size.

    Parameters
    ----------
    blobs : iterable of (str, bytes)
        Name and content of each file.
    total : int
    title : str
        Stands before the progress bar.
    progress : bool

    Returns
    -------
    numpy.ndarray
        uint8 (n, 3, h, w); grey files get three equal channels.

    Raises
    ------
    DataDamaged
        Naming the file that is no image.
    """
    from PIL import Image, UnidentifiedImageError
    from tqdm import tqdm

    images = None
    bar = tqdm(blobs, desc=title, total=total, unit=" images", disable=not progress, leave=False)
    for i, (name, blob) in enumerate(bar):
        try:
            image = np.asarray(Image.open(io.BytesIO(blob)).convert("RGB"))
        except Exception as error:  # Pillow raises several types for a broken file
            reason = "no image format" if isinstance(error, UnidentifiedImageError) else error
            raise DataDamaged(
                f"the image {name} is damaged ({reason}); fetch the data set again."
            ) from error
        if images is None:
            images = np.empty((total, *image.shape), np.uint8)
        images[i] = image
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def read_copy(path, train, progress):
    """Read a local copy: one npz file with the JPEG files of a data set end to end.

    Parameters
    ----------
    path : path
        Keys ``class_names`` and, for each part, ``PART_jpeg`` (bytes),
        ``PART_offsets`` (n + 1,) and ``PART_y`` (n,). A ``val`` part is the test
        part where there is no ``test``.

    Returns
    -------
    images, labels, classes
    """
    path = Path(path)
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


def locate_tiny(root):
    """The folder or the zip file of Tiny ImageNet, or None."""
    for suffix in ("", ".zip"):
        for place in cache.places(root):
            path = place / f"{TINY}{suffix}"
            if path.is_file() if suffix else (path / "wnids.txt").is_file():
                return path
    return None


def download_tiny(root, progress):
    """Fetch the official zip file, check its md5, and put it where downloads go."""
    import contextlib
    import os

    from .._torchvision import torchvision

    target = cache.download_folder(root)
    with cache.lock("tiny-imagenet"), cache.fresh_folder(target) as fresh:
        try:
            with contextlib.ExitStack() as stack:
                if not progress:
                    stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
                fetch = torchvision().datasets.utils.download_url
                fetch(TINY_URL, fresh, f"{TINY}.zip", TINY_MD5)
        except (OSError, RuntimeError) as error:
            raise DataNotFound(
                f"the download of 'tiny-imagenet' failed ({error}): try again, or put {TINY}.zip "
                f"into {target}."
            ) from error
        os.replace(fresh / f"{TINY}.zip", target / f"{TINY}.zip")
    return target / f"{TINY}.zip"


def read_tiny(path, train, progress):
    """Read Tiny ImageNet from its folder or straight from its zip file.

    The test part is the official *validation* set: the labels of the official
    test set are not public.

    Returns
    -------
    images, labels, classes
    """
    if path.suffix == ".zip":
        cache.check_digest(path, TINY_MD5, "md5")
        with zipfile.ZipFile(path) as archive:
            sizes = {n.partition("/")[2]: TINY_MD5 for n in archive.namelist()}
            return _read_tiny(sizes, lambda n: archive.read(f"{TINY}/{n}"), path, train, progress)
    sizes = {}
    for file in sorted((path / ("train" if train else "val")).rglob("*.*")):
        stat = file.stat()
        sizes[file.relative_to(path).as_posix()] = f"{stat.st_size} {stat.st_mtime_ns}"
    return _read_tiny(sizes, lambda n: (path / n).read_bytes(), path, train, progress)


def _read_tiny(files, read, path, train, progress):
    wnids = sorted(read("wnids.txt").decode().split())
    words = dict(line.split("\t", 1) for line in read("words.txt").decode().splitlines())
    number = {wnid: i for i, wnid in enumerate(wnids)}
    if train:
        kept = [n for n in sorted(files) if n.startswith("train/") and n.endswith(".JPEG")]
        labels = [number[n.split("/")[1]] for n in kept]
    else:
        rows = read("val/val_annotations.txt").decode().splitlines()
        pairs = sorted(line.split("\t")[:2] for line in rows)
        kept = [f"val/images/{file}" for file, _ in pairs]
        labels = [number[wnid] for _, wnid in pairs]
    absent = set(wnids) - {wnids[i] for i in labels} or {n for n in kept if n not in files}
    if absent:
        raise DataDamaged(
            f"{path} is not complete: {len(absent)} classes or images are missing, the first is "
            f"{min(absent)}; unpack it again."
        )
    state = cache.content_digest(np.array([f"{n} {files[n]}" for n in kept]))
    (images,) = cache.remembered_arrays(
        f"tiny-imagenet-{'train' if train else 'val'}-{state}",
        lambda: (decode(((n, read(n)) for n in kept), len(kept), "tiny-imagenet", progress),),
    )
    return images, np.array(labels, np.int64), tuple(words[w].split(",")[0] for w in wnids)
