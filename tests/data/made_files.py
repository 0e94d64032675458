"""Small data sets in the formats of the official ones, with real pixels where it matters."""

import functools
import gzip
import hashlib
import io
import pickle
import struct
import tarfile
from dataclasses import replace

import numpy as np

from mgtutorial._torchvision import torchvision
from mgtutorial.data import catalogue


def change_files(monkeypatch, name, **changes):
    """Let the record of a data set's official files say something else."""
    record = catalogue.info(name)
    first, *others = record.readers
    changed = replace(record, readers=(replace(first, **changes), *others))
    monkeypatch.setitem(catalogue.SETS, name, changed)


def snapshot(folder):
    return {p.relative_to(folder): p.stat().st_mtime_ns for p in folder.rglob("*")}


def idx(array):
    head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.tobytes()


def make_fashion(root, packed, monkeypatch=None):
    """Write the four files of FashionMNIST with 60 + 20 images; teach their digests."""
    random = np.random.RandomState(0)
    raw = root / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    md5, sha = [], {}
    for part, n in (("train", 60), ("t10k", 20)):
        images = random.randint(0, 256, (n, 28, 28)).astype(np.uint8)
        labels = (np.arange(n) % 10).astype(np.uint8)
        for kind, content in (("images-idx3", idx(images)), ("labels-idx1", idx(labels))):
            name = f"{part}-{kind}-ubyte"
            sha[name] = hashlib.sha256(content).hexdigest()
            zipped = gzip.compress(content, mtime=0)
            md5.append((f"{name}.gz", hashlib.md5(zipped).hexdigest()))
            (raw / (f"{name}.gz" if packed else name)).write_bytes(zipped if packed else content)
    if monkeypatch:
        monkeypatch.setattr(torchvision().datasets.FashionMNIST, "resources", md5)
        change_files(monkeypatch, "fashion-mnist", unpacked=tuple(sha.items()))
    return raw


def make_cifar10(root, monkeypatch):
    """Write the official archive's like: pickles in a tar file."""
    random = np.random.RandomState(0)
    cls = torchvision().datasets.CIFAR10
    contents, lists = {}, {}
    for part, names in (("train_list", ["data_batch_1", "data_batch_2"]), ("test_list", ["test"])):
        for name in names:
            pixels = random.randint(0, 256, (30, 3072)).astype(np.uint8)
            batch = {"data": pixels, "labels": [i % 10 for i in range(30)]}
            contents[name] = pickle.dumps(batch)
        lists[part] = [[n, hashlib.md5(contents[n]).hexdigest()] for n in names]
    contents["batches.meta"] = pickle.dumps({"label_names": list("abcdefghij")})
    archive = root / cls.filename
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"{cls.base_folder}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    meta = {**cls.meta, "md5": hashlib.md5(contents["batches.meta"]).hexdigest()}
    for attribute, value in {**lists, "meta": meta}.items():
        monkeypatch.setattr(cls, attribute, value)
    monkeypatch.setattr(cls, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    monkeypatch.setattr(cls, "url", archive.as_uri())
    return archive


@functools.cache
def photographs():
    from sklearn.datasets import load_sample_images

    return load_sample_images().images


def jpegs(n, size=32):
    from PIL import Image

    random = np.random.RandomState(0)
    for i in range(n):
        photo = photographs()[i % 2]
        top, left = random.randint(photo.shape[0] - size), random.randint(photo.shape[1] - size)
        image = Image.fromarray(photo[top : top + size, left : left + size])
        content = io.BytesIO()
        (image.convert("L") if i % 7 == 3 else image).save(content, "JPEG", quality=95)
        yield content.getvalue()


def decoded(blob):
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(blob)).convert("RGB")).transpose(2, 0, 1)


def make_copy(path, classes=10, size=32, test="test"):
    path.parent.mkdir(parents=True)
    keys = {"class_names": np.array([f"class {i}" for i in range(classes)])}
    for part, n in (("train", 100), (test, 40)):
        blobs = list(jpegs(n, size))
        keys[f"{part}_jpeg"] = np.frombuffer(b"".join(blobs), np.uint8)
        keys[f"{part}_offsets"] = np.cumsum([0, *map(len, blobs)])
        keys[f"{part}_y"] = (np.arange(n) % classes).astype(np.uint8)
    np.savez(path, **keys)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (path.parent / "SHA256SUMS").write_text(f"{digest}  ./{path.name}\n")


def make_tiny(root):
    """The official layout with three classes."""
    base = root / catalogue.info("tiny-imagenet").readers[0].folder
    wnids = ["n03", "n01", "n02"]
    blobs = jpegs(42, 64)
    for wnid in wnids:
        (base / "train" / wnid / "images").mkdir(parents=True)
        for i in range(10):
            (base / "train" / wnid / "images" / f"{wnid}_{i}.JPEG").write_bytes(next(blobs))
    (base / "val" / "images").mkdir(parents=True)
    lines = []
    for i in range(12):
        (base / "val" / "images" / f"val_{i}.JPEG").write_bytes(next(blobs))
        lines.append(f"val_{i}.JPEG\t{wnids[i % 3]}\t0\t0\t62\t62\n")
    (base / "val" / "val_annotations.txt").write_text("".join(lines))
    (base / "wnids.txt").write_text("\n".join(wnids))
    words = ["n01\tgoldfish, Carassius auratus", "n02\ttoad", "n03\tshoe", "n99\tother"]
    (base / "words.txt").write_text("\n".join(words))
    return base
