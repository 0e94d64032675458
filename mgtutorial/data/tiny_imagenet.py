"""Tiny ImageNet, from its official zip file or from the folder that it unpacks to."""

import contextlib
import io
import os
import zipfile
from dataclasses import dataclass

import numpy as np

from .._torchvision import torchvision
from ..errors import DataDamaged
from . import cache
from .in_memory import Part, content_digest
from .jpegs import decode
from .readers import Found, Reader, failed_download


@dataclass(frozen=True)
class TinyImageNet(Reader):
    """The reader of Tiny ImageNet's official files.

    The test part is the official *validation* set: the labels of the official test set are not
    public.

    Attributes
    ----------
    folder : str
        Name of the folder, and of the zip file without its suffix.
    url, md5 : str
        Of the zip file.
    """

    folder: str
    url: str
    md5: str
    source = "official files"
    fetches = True

    def _path(self, root):
        """The folder or the zip file, or None."""
        for suffix in ("", ".zip"):
            for place in cache.places(root):
                path = place / f"{self.folder}{suffix}"
                if path.is_file() if suffix else (path / "wnids.txt").is_file():
                    return path
        return None

    def locate(self, info, root):
        path = self._path(root)
        return path and Found("ready", str(path))

    def fetch(self, info, root, progress):
        target, name = cache.download_folder(root), f"{self.folder}.zip"
        with cache.lock(info.name), cache.fresh_folder(target) as fresh:
            try:
                with contextlib.ExitStack() as stack:
                    if not progress:
                        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
                    fetch = torchvision().datasets.utils.download_url
                    fetch(self.url, fresh, name, self.md5)
            except (OSError, RuntimeError) as error:
                raise failed_download(info, name, target, error) from error
            os.replace(fresh / name, target / name)

    def read(self, info, train, root, progress):
        path = self._path(root)
        if path.suffix == ".zip":
            cache.check_digest(path, self.md5, "md5")
            with zipfile.ZipFile(path) as archive:
                states = {n.partition("/")[2]: self.md5 for n in archive.namelist()}

                def content(name):
                    return archive.read(f"{self.folder}/{name}")

                return _read(states, content, path, info, train, progress)
        states = {}
        for file in sorted((path / ("train" if train else "val")).rglob("*.*")):
            stat = file.stat()
            states[file.relative_to(path).as_posix()] = f"{stat.st_size} {stat.st_mtime_ns}"
        return _read(states, lambda n: (path / n).read_bytes(), path, info, train, progress)


def _read(files, read, path, info, train, progress):
    """Decode what :meth:`TinyImageNet.read` found: `files` are names and what they depend on."""
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
    state = content_digest(np.array([f"{n} {files[n]}" for n in kept]))
    (images,) = cache.remembered_arrays(
        f"{info.name}-{'train' if train else 'val'}-{state}",
        lambda: (decode(((n, read(n)) for n in kept), len(kept), info.name, progress),),
    )
    names = tuple(words[w].split(",")[0] for w in wnids)
    return Part(images, np.array(labels, np.int64), names, TinyImageNet.source)
