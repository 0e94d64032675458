"""The official files of FashionMNIST, CIFAR-10 and CIFAR-100, through torchvision's classes.

torchvision knows the addresses, the md5 sums and the formats. What is added
here: every file is checked before it is read, and the error names it; packed files
on a read-only root are unpacked in the cache folder; a download appears complete or not at all.
"""

import contextlib
import io
import os
import shutil
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .._torchvision import torchvision
from . import cache
from .in_memory import Part
from .readers import Found, Reader, failed_download


class Files(NamedTuple):
    """What belongs to a data set: rows (path under the root, algorithm, digest)."""

    packed: tuple
    unpacked: tuple


@dataclass(frozen=True)
class TorchvisionFiles(Reader):
    """The reader of files for which torchvision has a class, of MNIST's or of CIFAR's kind.

    Attributes
    ----------
    class_name : str
        In ``torchvision.datasets``.
    unpacked : tuple of (str, str)
        For MNIST's kind, whose unpacked files torchvision does not check: name and SHA-256.
    """

    class_name: str
    unpacked: tuple = ()
    source = "official files"
    fetches = True

    def files(self):
        """The packed and the unpacked files, with their digests."""
        cls = getattr(torchvision().datasets, self.class_name)
        if hasattr(cls, "resources"):  # MNIST's kind
            raw = f"{cls.__name__}/raw"
            packed = [(f"{raw}/{file}", "md5", md5) for file, md5 in cls.resources]
            unpacked = [(f"{raw}/{file}", "sha256", sha) for file, sha in self.unpacked]
        else:
            packed = [(cls.filename, "md5", cls.tgz_md5)]
            meta = [(cls.meta["filename"], cls.meta["md5"])]
            rows = [*cls.train_list, *cls.test_list, *meta]
            unpacked = [(f"{cls.base_folder}/{file}", "md5", md5) for file, md5 in rows]
        return Files(tuple(packed), tuple(unpacked))

    def _place(self, root):
        """Whether "unpacked" or "packed" files are there, and torchvision's root; or None."""
        files = self.files()
        for kind in ("unpacked", "packed"):
            for place in cache.places(root):
                if all(os.path.isfile(place / file) for file, _, _ in getattr(files, kind)):
                    return kind, place
        return None

    def locate(self, info, root):
        if (found := self._place(root)) is None:
            return None
        kind, place = found
        return Found("ready" if kind == "unpacked" else "ready, unpacked at first use", str(place))

    def read(self, info, train, root, progress):
        kind, place = self._place(root)
        if kind == "packed":
            place = self._unpack(info, place)
        for file, algorithm, digest in self.files().unpacked:
            cache.check_digest(place / file, digest, algorithm)
        # torchvision's CIFAR reader unpickles: the md5 of each file was just checked
        data_set = getattr(torchvision().datasets, self.class_name)(place, train=train)
        images = np.asarray(data_set.data)
        images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
        labels = np.asarray(data_set.targets, dtype=np.int64)
        return Part(np.ascontiguousarray(images), labels, tuple(data_set.classes), self.source)

    def _unpack(self, info, place):
        """Unpack official archives into the cache folder; their own folder is not touched."""
        target = cache.cache_folder() / "data"
        files = self.files()
        for file, algorithm, digest in files.packed:
            cache.check_digest(place / file, digest, algorithm)
        with cache.lock(info.name):
            if not all(os.path.isfile(target / file) for file, _, _ in files.unpacked):
                with cache.keeping(target), cache.fresh_folder(target) as fresh:
                    for file, _, _ in files.packed:
                        (fresh / file).parent.mkdir(parents=True, exist_ok=True)
                        _link(place / file, fresh / file)
                    # finds the archives, verifies them, and unpacks without a network
                    self._fetch(fresh, progress=False)
                    _move(files.unpacked, fresh, target)
        return target

    def fetch(self, info, root, progress):
        target = cache.download_folder(root)
        with cache.lock(info.name), cache.fresh_folder(target) as fresh:
            try:
                self._fetch(fresh, progress)
            except (OSError, RuntimeError) as error:
                packed = " and ".join(file for file, _, _ in self.files().packed)
                raise failed_download(info, packed, target, error) from error
            _move(self.files().unpacked, fresh, target)

    def _fetch(self, folder, progress):
        # torchvision prints what it unpacks (in older versions), and always draws its bar
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
            if not progress:
                stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
            getattr(torchvision().datasets, self.class_name)(folder, download=True)


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
