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
from .readers import Found, Reader, failed_download, is_hidden, source_of


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
                # os.path and not Path, which raises where a folder may not be entered
                if os.path.isfile(path if suffix else path / "wnids.txt"):
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
        files = (f for f in (path / ("train" if train else "val")).rglob("*.*") if f.is_file())
        states = {f.relative_to(path).as_posix(): cache.state_of(f.stat()) for f in files}
        return _read(states, lambda n: (path / n).read_bytes(), path, info, train, progress)


def _read(files, read, path, info, train, progress):
    """Decode what :meth:`TinyImageNet.read` found: `files` are names and what they depend on."""

    def lines(name):
        try:
            text = read(name).decode("utf-8-sig")
        except (OSError, KeyError, UnicodeDecodeError) as error:
            reason = "is no text" if isinstance(error, UnicodeDecodeError) else "cannot be read"
            raise _incomplete(path, f"its file {name} {reason}") from error
        return [line.strip() for line in text.splitlines() if line.strip()]

    wnids = sorted(set(lines("wnids.txt")))
    words = dict(line.split("\t", 1) for line in lines("words.txt") if "\t" in line)
    if train:
        own = (n for n in sorted(files) if n.startswith("train/") and n.endswith(".JPEG"))
        kept = {n: n.split("/")[1] for n in own if not is_hidden(n.removeprefix("train/"))}
    else:
        kept = {}
        for line in lines("val/val_annotations.txt"):
            file, *rest = line.split("\t")
            if not rest or kept.get(f"val/images/{file}", rest[0]) != rest[0]:
                raise _incomplete(path, f"val/val_annotations.txt gives no one class in {line!r}")
            kept[f"val/images/{file}"] = rest[0]
        kept = dict(sorted(kept.items()))
    if strange := sorted(set(kept.values()) - set(wnids)):
        raise _incomplete(path, f"its class {strange[0]} is not in wnids.txt")
    if not wnids:
        raise _incomplete(path, "wnids.txt names no class")
    absent = set(wnids) - set(kept.values()) or {n for n in kept if n not in files}
    if absent:
        kind = "classes" if absent <= set(wnids) else "images"
        raise _incomplete(path, f"{len(absent)} {kind} are missing, the first is {min(absent)}")
    number = {wnid: i for i, wnid in enumerate(wnids)}
    labels = np.array([number[wnid] for wnid in kept.values()], np.int64)
    state = content_digest(np.array([f"{n} {files[n]}" for n in kept]))

    def make():
        blobs = ((n, read(n)) for n in kept)
        return (decode(blobs, len(kept), info.name, info.size, progress),)

    part = "train" if train else "val"
    (images,) = cache.remembered_arrays(f"{info.name}-{part}-{state}", make)
    names = tuple(words.get(w, w).split(",")[0] for w in wnids)
    source = source_of(info.readers[0], info, train, len(labels), len(wnids))
    return Part(images, labels, names, source)


def _incomplete(path, what):
    return DataDamaged(
        f"{path} is not complete: {what}; unpack {path.name.removesuffix('.zip')}.zip again, as it "
        "comes, without sorting its files."
    )
