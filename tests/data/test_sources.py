"""Data files: found, checked, unpacked, decoded, fetched and complained about."""

import functools
import hashlib
import http.server
import io
import os
import pickle
import threading
import zipfile

import numpy as np
import pytest

from mgtutorial._torchvision import torchvision
from mgtutorial.data import cache, catalogue, images, local_copies
from mgtutorial.errors import DataDamaged, DataNotFound
from mgtutorial.training import protocols

from .made_files import (
    change_files,
    decoded,
    jpegs,
    make_cifar10,
    make_copy,
    make_fashion,
    make_tiny,
    snapshot,
)

pytestmark = pytest.mark.usefixtures("places")


# --- official files, in their formats, with a few images


def test_packed_official_files_are_unpacked_beside_a_root_that_is_only_read(places, monkeypatch):
    make_fashion(places / "root", packed=True, monkeypatch=monkeypatch)
    before = snapshot(places / "root")
    train, test = images.load("fashion-mnist", "train"), images.load("fashion-mnist", "test")
    assert (train.n, test.n, train.size, train.source) == (60, 20, 28, "official files")
    assert train.classes[0] == "T-shirt/top"
    expected = np.random.RandomState(0).randint(0, 256, (60, 28, 28))
    assert np.array_equal(train.images[:, 0].numpy(), expected)
    assert snapshot(places / "root") == before
    left = sorted(p.name for p in (places / "cache" / "data").rglob("*") if p.is_file())
    assert left == sorted(dict(catalogue.info("fashion-mnist").readers[0].unpacked))


def test_damaged_packed_file_is_named_with_both_digests(places, monkeypatch):
    raw = make_fashion(places / "root", packed=True, monkeypatch=monkeypatch)
    victim = raw / "train-images-idx3-ubyte.gz"
    expected = hashlib.md5(victim.read_bytes()).hexdigest()
    victim.write_bytes(victim.read_bytes()[:-100])
    found = hashlib.md5(victim.read_bytes()).hexdigest()
    with pytest.raises(DataDamaged) as caught:
        images.load("fashion-mnist", "train")
    assert all(part in str(caught.value) for part in (str(victim), expected, found))
    assert not (places / "cache" / "data").exists()


def test_damaged_unpacked_file_is_named_though_torchvision_would_read_it(places, monkeypatch):
    raw = make_fashion(places / "root", packed=False, monkeypatch=monkeypatch)
    victim = raw / "t10k-labels-idx1-ubyte"
    victim.write_bytes(victim.read_bytes()[:-1] + b"\x07")
    with pytest.raises(DataDamaged, match="t10k-labels-idx1-ubyte is damaged: its sha256 should"):
        images.load("fashion-mnist", "test")


def test_cifar_from_the_official_archive(places, monkeypatch):
    archive = make_cifar10(places / "root", monkeypatch)
    train = images.load("cifar10", "train")
    assert (train.n, train.images.shape, train.source) == (60, (60, 3, 32, 32), "official files")
    first = np.random.RandomState(0).randint(0, 256, (30, 3072))[0]
    assert np.array_equal(train.images[0].flatten().numpy(), first)
    assert train.classes == tuple("abcdefghij")
    # the unpacked copy is used from now on, and checked before it is unpickled
    archive.unlink()
    assert images.load("cifar10", "train").digest == train.digest
    victim = places / "cache" / "data" / "cifar-10-batches-py" / "data_batch_2"
    victim.write_bytes(pickle.dumps("anything"))
    monkeypatch.setattr(pickle, "load", lambda *_, **__: pytest.fail("unpickled"))
    with pytest.raises(DataDamaged, match="data_batch_2 is damaged: its md5"):
        images.load("cifar10", "train")


@pytest.fixture
def server(places, monkeypatch):
    """CIFAR-10's archive behind an HTTP server on this machine: (archive, list of requests)."""
    (places / "server").mkdir()
    archive = make_cifar10(places / "server", monkeypatch)
    requests = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            requests.append(self.command)

    handler = functools.partial(Handler, directory=archive.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        # who asks only where a file is hangs up before it is sent; that is no error
        running.handle_error = lambda *_: None
        threading.Thread(target=running.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{running.server_port}/{archive.name}"
        monkeypatch.setattr(torchvision().datasets.CIFAR10, "url", url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield archive, requests
        running.shutdown()


def test_download_goes_to_a_root_that_can_be_written(server, places, capfd):
    train = images.load("cifar10", "train", download=True)
    assert train.n == 60 and "GET" in server[1]
    out, err = capfd.readouterr()
    assert "100%" in err and not out  # torchvision's progress bar
    assert [p.name for p in (places / "root").iterdir()] == ["cifar-10-batches-py"]


def test_download_goes_to_the_cache_if_the_root_is_read_only(server, places, capfd):
    (places / "root").chmod(0o555)
    assert images.load("cifar10", "test", download=True, progress=False).n == 30
    assert capfd.readouterr() == ("", "")
    assert not list((places / "root").iterdir())
    assert (places / "cache" / "data" / "cifar-10-batches-py").is_dir()


def test_download_of_something_else_is_refused(server, places, monkeypatch):
    monkeypatch.setattr(torchvision().datasets.CIFAR10, "tgz_md5", "0" * 32)
    with pytest.raises(DataNotFound, match=r"the download of 'cifar10' failed .*corrupted"):
        images.load("cifar10", "train", download=True, progress=False)
    assert not list((places / "root").iterdir())


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist", "tiny-imagenet"])
def test_failed_download_is_a_sentence_and_leaves_nothing(name, places, monkeypatch):
    absent = (places / "nowhere").as_uri()
    monkeypatch.setattr(torchvision().datasets.CIFAR10, "url", absent)
    monkeypatch.setattr(torchvision().datasets.FashionMNIST, "mirrors", [absent + "/"])
    change_files(monkeypatch, "tiny-imagenet", url=absent)
    with pytest.raises(DataNotFound, match=f"the download of '{name}' failed .* try again"):
        images.load(name, "train", download=True, progress=False)
    assert not list((places / "root").iterdir())


def test_digest_is_computed_once_a_process_for_an_unchanged_file(places, monkeypatch):
    file = places / "file"
    file.write_bytes(b"abc")
    assert cache.digest_of(file) == hashlib.sha256(b"abc").hexdigest()
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("computed again"))
        assert cache.digest_of(file) == hashlib.sha256(b"abc").hexdigest()
    assert not (places / "cache").exists()  # nothing is remembered beyond the process
    file.write_bytes(b"abcd")
    assert cache.digest_of(file) == hashlib.sha256(b"abcd").hexdigest()


# --- local copies, Tiny ImageNet, ImageNet


def test_jpeg_copy_is_decoded_once_and_says_that_it_is_one(places, monkeypatch):
    make_copy(places / "root" / "cifar10_jpeg" / "cifar10_jpeg.npz")
    before = snapshot(places / "root")
    train = images.load("cifar10", "train", progress=False)
    assert (train.n, train.source, train.num_classes) == (100, "JPEG copy", 10)
    expected = np.stack([decoded(b) for b in jpegs(100)])
    assert np.array_equal(train.images.numpy(), expected)
    assert snapshot(places / "root") == before
    monkeypatch.setattr(local_copies, "decode", lambda *_: pytest.fail("decoded again"))
    assert images.load("cifar10", "train").digest == train.digest


def test_decoded_copy_that_was_damaged_is_made_again(places):
    make_copy(places / "root" / "cifar10_jpeg" / "cifar10_jpeg.npz")
    digest = images.load("cifar10", "train", progress=False).digest
    (kept,) = (places / "cache" / "decoded").glob("*train*.npz")
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    other = io.BytesIO()
    np.savez(other, np.zeros((100, 3, 32, 32), np.uint8))  # an archive in good order
    for damaged in (content, b"", content[:1000], other.getvalue()):
        kept.write_bytes(damaged)
        assert images.load("cifar10", "train", progress=False).digest == digest


def test_official_files_are_preferred_to_a_copy(places, monkeypatch):
    make_copy(places / "root" / "cifar10_jpeg" / "cifar10_jpeg.npz")
    make_cifar10(places / "root", monkeypatch)
    assert images.load("cifar10", "train").source == "official files"


def test_damaged_copy_is_named_with_both_digests(places):
    path = places / "root" / "cifar10_jpeg" / "cifar10_jpeg.npz"
    make_copy(path)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(path.read_bytes()[:-1])
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(DataDamaged) as caught:
        images.load("cifar10", "test")
    assert all(part in str(caught.value) for part in (str(path), expected, found))
    # without a list of digests, what does not open is damaged all the same
    (path.parent / "SHA256SUMS").unlink()
    with pytest.raises(DataDamaged, match=f"cannot be read .*{found}, no digest lies beside it"):
        images.load("cifar10", "test")


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_objects_are_never_unpickled(places):
    trap = np.array([Trap(places / "sprung")], dtype=object)
    path = places / "root" / "cifar10_jpeg" / "cifar10_jpeg.npz"
    make_copy(path)
    digest = images.load("cifar10", "test", progress=False).digest
    (kept,) = (places / "cache" / "decoded").glob("*test*.npz")
    np.savez(kept, trap)
    assert images.load("cifar10", "test", progress=False).digest == digest
    (path.parent / "SHA256SUMS").unlink()
    with np.load(path) as z:
        np.savez(path, **{**z, "class_names": trap})
    with pytest.raises(DataDamaged, match="cannot be read"):
        images.load("cifar10", "test", progress=False)
    assert not (places / "sprung").exists()


def test_subset_of_tiny_imagenet_is_called_so_and_known_without_reading(places, monkeypatch):
    make_copy(places / "root" / "tinyimagenet20" / "tinyimagenet20.npz", 20, 64, "val")
    test = images.load("tiny-imagenet", "test", progress=False)
    assert (test.n, test.size, test.num_classes) == (40, 64, 20)
    assert test.source == "20 of 200 classes"
    # a training there needs 20 outputs; to know it, nothing is read
    assert catalogue.info("tiny-imagenet").at().classes == 20
    assert catalogue.info("tiny-imagenet").classes == 200
    monkeypatch.setattr(local_copies, "read_copy", lambda *_: pytest.fail("read"))
    assert protocols.configure("mgnet-20", "tiny-imagenet", "short").model.num_classes == 20


def test_tiny_imagenet_from_its_folder_and_from_its_zip_file(places, monkeypatch):
    base = make_tiny(places / "root")
    train, test = (images.load("tiny-imagenet", s, progress=False) for s in ("train", "test"))
    assert (train.n, test.n, train.source) == (30, 12, "3 of 200 classes")
    assert train.classes == ("goldfish", "toad", "shoe")
    assert train.labels.bincount().tolist() == [10, 10, 10]
    blobs = list(jpegs(42, 64))
    goldfish = np.stack([decoded(b) for b in blobs[10:20]])  # n01 was written second
    assert np.array_equal(train.images[:10].numpy(), goldfish)
    names = sorted(f"val_{i}.JPEG" for i in range(12))
    numbers = [int(n[4:-5]) for n in names]
    assert np.array_equal(test.images.numpy(), np.stack([decoded(blobs[30 + i]) for i in numbers]))
    assert test.labels.tolist() == [[2, 0, 1][i % 3] for i in numbers]

    other = places / "other"
    other.mkdir()
    zipped = other / "tiny-imagenet-200.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        for file in sorted(base.rglob("*")):
            archive.write(file, file.relative_to(places / "root").as_posix())
    md5 = hashlib.md5(zipped.read_bytes()).hexdigest()
    with pytest.raises(DataDamaged, match="its md5 should be 90528d7c"):
        images.load("tiny-imagenet", "train", root=other)
    change_files(monkeypatch, "tiny-imagenet", md5=md5)
    zipped = images.load("tiny-imagenet", "train", root=other, progress=False)
    assert zipped.digest == train.digest


def test_incomplete_or_damaged_tiny_imagenet_is_noticed(places):
    base = make_tiny(places / "root")
    victim = base / "train" / "n02" / "images" / "n02_3.JPEG"
    victim.write_bytes(b"no image")
    with pytest.raises(DataDamaged, match=r"the image train/n02/images/n02_3\.JPEG is damaged"):
        images.load("tiny-imagenet", "train", progress=False)
    assert not list((places / "cache" / "decoded").glob("*"))
    (base / "val" / "images" / "val_3.JPEG").unlink()
    with pytest.raises(DataDamaged, match=r"not complete: .* val/images/val_3\.JPEG"):
        images.load("tiny-imagenet", "test", progress=False)


# --- the import of torchvision


def test_other_failures_of_torchvision_are_not_hidden(monkeypatch):
    from mgtutorial import _torchvision

    def broken(name):
        raise RuntimeError("something else")

    monkeypatch.setattr(_torchvision.importlib, "import_module", broken)
    with pytest.raises(RuntimeError, match="something else"):
        _torchvision.torchvision.__wrapped__()


@pytest.mark.parametrize("name", ["cifar10", "tiny-imagenet"])
def test_decoded_images_are_read_from_a_cache_that_cannot_be_written(places, monkeypatch, name):
    make_copy(places / "root" / "cifar10_jpeg" / "cifar10_jpeg.npz")
    make_tiny(places / "root")
    before = images.load(name, "train", progress=False)

    def read_only(folder):
        raise cache.CacheUnwritable(f"cannot write to the folder {folder}")

    monkeypatch.setattr(cache, "writable", read_only)
    assert images.load(name, "train", progress=False).digest == before.digest
    with pytest.raises(cache.CacheUnwritable):  # another part has to be decoded first
        images.load(name, "test", progress=False)
