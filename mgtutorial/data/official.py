"""The official files of FashionMNIST, CIFAR-10 and CIFAR-100, through torchvision's classes.

torchvision knows the addresses, the md5 sums and the formats. What is added
here: every file is checked before it is read, and the complaint names it; packed files
on a read-only root are unpacked in the cache folder; a download appears complete or not at all.
"""

import contextlib
import io
import os
import shutil
from typing import NamedTuple

import numpy as np

from .._torchvision import torchvision
from ..errors import DataNotFound
from . import cache

CLASSES = {"fashion-mnist": "FashionMNIST", "cifar10": "CIFAR10", "cifar100": "CIFAR100"}

# torchvision has the md5 of the packed FashionMNIST files only, and reads the
# unpacked ones unchecked; these are the SHA-256 of what the official files unpack to.
_FASHION = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


class Files(NamedTuple):
    """What belongs to a data set: rows (path under the root, algorithm, digest)."""

    packed: tuple
    unpacked: tuple


def files_of(name):
    """The packed and the unpacked files of an official data set, with their digests."""
    cls = getattr(torchvision().datasets, CLASSES[name])
    if name == "fashion-mnist":
        raw = f"{cls.__name__}/raw"
        packed = [(f"{raw}/{file}", "md5", md5) for file, md5 in cls.resources]
        unpacked = [(f"{raw}/{file}", "sha256", sha) for file, sha in _FASHION.items()]
    else:
        packed = [(cls.filename, "md5", cls.tgz_md5)]
        meta = [(cls.meta["filename"], cls.meta["md5"])]
        rows = [*cls.train_list, *cls.test_list, *meta]
        unpacked = [(f"{cls.base_folder}/{file}", "md5", md5) for file, md5 in rows]
    return Files(tuple(packed), tuple(unpacked))


def locate(name, root):
    """Find the files, without reading them.

    Returns
    -------
    (str, pathlib.Path) or None
        "unpacked" or "packed", and the folder that torchvision would call the root.
    """
    files = files_of(name)
    for kind in ("unpacked", "packed"):
        for place in cache.places(root):
            if all((place / file).is_file() for file, _, _ in getattr(files, kind)):
                return kind, place
    return None


def read(name, train, root, download, progress):
    """Images (n, c, h, w) uint8, labels (n,) int64 and class names; None if the files are not here.

    Raises
    ------
    DataDamaged
        A file's digest is not the official one.
    DataNotFound
        A download was asked for and failed.
    """
    found = locate(name, root)
    if found is None and download:
        found = "unpacked", _download(name, root, progress)
    if found is None:
        return None
    kind, place = found
    if kind == "packed":
        place = _unpack(name, place)
    for file, algorithm, digest in files_of(name).unpacked:
        cache.check_digest(place / file, digest, algorithm)
    # torchvision's CIFAR reader unpickles: the md5 of each file was just checked
    data_set = getattr(torchvision().datasets, CLASSES[name])(place, train=train)
    images = np.asarray(data_set.data)
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    labels = np.asarray(data_set.targets, dtype=np.int64)
    return np.ascontiguousarray(images), labels, tuple(data_set.classes)


def _unpack(name, place):
    """Unpack official archives into the cache folder; their own folder is not touched."""
    target = cache.cache_folder() / "data"
    files = files_of(name)
    for file, algorithm, digest in files.packed:
        cache.check_digest(place / file, digest, algorithm)
    with cache.lock(name):
        if not all((target / file).is_file() for file, _, _ in files.unpacked):
            with cache.fresh_folder(target) as fresh:
                for file, _, _ in files.packed:
                    (fresh / file).parent.mkdir(parents=True, exist_ok=True)
                    _link(place / file, fresh / file)
                # finds the archives, verifies them, and unpacks without a network
                _fetch(name, fresh, progress=False)
                _move(files.unpacked, fresh, target)
    return target


def _download(name, root, progress):
    target = cache.download_folder(root)
    with cache.lock(name), cache.fresh_folder(target) as fresh:
        try:
            _fetch(name, fresh, progress)
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise DataNotFound(
                f"the download of {name!r} failed ({reason}): try again, or put "
                f"{' and '.join(f for f, _, _ in files_of(name).packed)} into {target}."
            ) from error
        _move(files_of(name).unpacked, fresh, target)
    return target


def _fetch(name, folder, progress):
    # torchvision prints what it unpacks (in older versions), and always draws its bar
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        if not progress:
            stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        getattr(torchvision().datasets, CLASSES[name])(folder, download=True)


def _link(source, target):
    try:
        target.symlink_to(source.absolute())
    except OSError:  # a file system, or a Windows account, without symbolic links
        shutil.copyfile(source, target)


def _move(files, source, target):
    # one by one: a set counts as present only when all of its files are
    for file, _, _ in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        os.replace(source / file, target / file)
