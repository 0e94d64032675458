"""Data sets: what is loaded, how it is split, batched, found, checked and complained about."""

import functools
import gzip
import hashlib
import http.server
import io
import os
import pickle
import struct
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from mgtutorial import _files, _jpegs, _official, data, folders, splits
from mgtutorial._torchvision import torchvision
from mgtutorial.errors import DataDamaged, DataNotFound, InvalidValue, UnknownName

REAL = os.environ.get("MGTUTORIAL_DATA", "")  # before the fixture below hides it


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """An empty root and an empty cache folder for each test; no network either."""
    (tmp_path / "root").mkdir()
    monkeypatch.setenv("MGTUTORIAL_DATA", str(tmp_path / "root"))
    monkeypatch.setenv("MGTUTORIAL_CACHE", str(tmp_path / "cache"))
    return tmp_path


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def snapshot(folder):
    return {p.relative_to(folder): p.stat().st_mtime_ns for p in folder.rglob("*")}


def rows(images):
    pairs = zip(images.images.numpy(), images.labels, strict=True)
    return sorted(bytes(i) + bytes([int(y)]) for i, y in pairs)


# --- the splits


@pytest.mark.parametrize("name", ["digits", "synthetic"])
def test_fit_and_val_are_disjoint_and_together_train(name):
    train, val, fit, test = (data.load(name, split) for split in ("train", "val", "fit", "test"))
    assert rows(train) == sorted(rows(val) + rows(fit))
    assert not set(rows(train)) & set(rows(test))
    assert val.n == round(train.n / 5)


def test_the_splits_are_the_same_on_every_machine():
    """The digests of scikit-learn's digits: they are part of the definition."""
    digests = {split: data.load("digits", split).digest for split in data.SPLITS}
    assert digests == {
        "train": "a6b19d10121728dd",
        "val": "f7575b1c34fa3258",
        "fit": "6a31413eb4bbcbf1",
        "test": "6b612875cea223f8",
    }
    val = splits.split_index(np.repeat(np.arange(10), 5000), "val")
    assert _files.content_digest(val) == VAL_OF_50000


VAL_OF_50000 = "4e89c346895ed69e"


@pytest.mark.parametrize("counts", [[5000] * 10, [500] * 100, [20_000, 5000, 2500]])
def test_val_has_the_classes_in_proportion(counts):
    labels = np.random.RandomState(0).permutation(np.repeat(np.arange(len(counts)), counts))
    val, fit = splits.split_index(labels, "val"), splits.split_index(labels, "fit")
    assert len(val) == 5000
    assert np.array_equal(np.sort(np.concatenate([val, fit])), np.arange(len(labels)))
    share = 5000 / len(labels)
    assert (abs(np.bincount(labels[val]) - share * np.array(counts)) <= 1).all()


def test_splits_do_not_depend_on_any_global_seed():
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    first = data.load("digits", "val")
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert data.load("digits", "val").digest == first.digest
    assert torch.equal(torch.get_rng_state(), before)


def test_take_is_stratified_nested_and_named_by_its_own_digest():
    train = data.load("digits", "train")
    small, large = train.take(50), train.take(300)
    assert abs(small.labels.bincount() - 5).max() <= 1
    assert set(rows(small)) <= set(rows(large))
    assert small.digest != large.digest != train.digest
    assert train.take(50).digest == small.digest
    assert rows(train.take(train.n)) == rows(train)
    for n in (0, train.n + 1):
        with pytest.raises(InvalidValue, match=f"cannot take {n} images .* choose 1 to 1438"):
            train.take(n)


def test_digits_are_the_library_s_own():
    from sklearn.datasets import load_digits

    train, test = data.load("digits", "train"), data.load("digits", "test")
    assert (train.n, test.n, train.channels, train.size, train.num_classes) == (1438, 359, 1, 8, 10)
    raw = load_digits()
    expected = sorted(
        bytes(np.rint(i * 255 / 16).astype(np.uint8)) + bytes([y])
        for i, y in zip(raw.images, raw.target, strict=True)
    )
    assert sorted(rows(train) + rows(test)) == expected


def test_synthetic_classes_can_be_told_apart():
    train, test = data.load("synthetic", "train"), data.load("synthetic", "test")
    x, z = train.images.flatten(1).float(), test.images.flatten(1).float()
    means = torch.stack([x[train.labels == k].mean(0) for k in range(10)])
    assert torch.equal(torch.cdist(z, means).argmin(1), test.labels)


# --- batches


def test_an_epoch_shows_every_image_once_with_its_label():
    train = data.load("digits", "train")
    seen = list(data.batches(train, 100, generator=seeded()))
    assert [len(y) for _, y in seen] == [100] * 14 + [38]
    x = torch.cat([x for x, _ in seen])
    back = ((x + 1) * 127.5).round().to(torch.uint8)
    shown = data.Images("digits", "-", back, torch.cat([y for _, y in seen]), (), "", "")
    assert rows(shown) == rows(train)
    assert not torch.equal(shown.images, train.images)
    cut = list(data.batches(train, 100, generator=seeded(), drop_last=True))
    assert [len(y) for _, y in cut] == [100] * 14
    plain = torch.cat([y for _, y in data.batches(train, 64, shuffle=False)])
    assert torch.equal(plain, train.labels)


@pytest.mark.parametrize("name", ["digits", "synthetic", "cifar10", "cifar100", "tiny-imagenet"])
def test_normalisation_is_torchvisions(name):
    channels = len(data.normalisation_of(name)[0])
    images = torch.randint(256, (4, channels, 8, 8), dtype=torch.uint8, generator=seeded())
    some = data.Images(name, "train", images, torch.arange(4), (), "", "")
    x, _ = next(data.batches(some, 4, shuffle=False))
    F = torchvision().transforms.functional
    expected = torch.stack([F.normalize(i / 255, *data.normalisation_of(name)) for i in images])
    # two float32 roundings more or less, on values up to 3
    torch.testing.assert_close(x, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("policy", ["none", "cifar10", "cifar100", "resized-crop"])
def test_batches_follow_from_the_generator_s_state_alone(policy):
    train = data.load("synthetic", "train")
    first = seeded(4)
    for _ in data.batches(train, 128, policy, generator=first):
        pass
    state = first.get_state()
    torch.manual_seed(0)
    second = list(data.batches(train, 128, policy, generator=first))
    torch.manual_seed(1)  # nothing else is drawn from
    resumed = torch.Generator()
    resumed.set_state(state)
    again = list(data.batches(train, 128, policy, generator=resumed))
    for (x, y), (z, w) in zip(second, again, strict=True):
        assert torch.equal(x, z) and torch.equal(y, w)
    assert torch.equal(first.get_state(), resumed.get_state())


def test_the_generator_is_ready_for_the_next_epoch_however_far_one_got():
    train = data.load("synthetic", "train")
    a, b = seeded(), seeded()
    next(data.batches(train, 10, "crop-flip", generator=a))
    list(data.batches(train, 10, "crop-flip", generator=b))
    assert torch.equal(a.get_state(), b.get_state())


def test_epochs_differ():
    train, g = data.load("digits", "train"), seeded()
    first, second = (next(data.batches(train, 100, generator=g))[1] for _ in range(2))
    assert not torch.equal(first, second)


def test_batches_refuse_what_they_cannot_do_at_the_call():
    train = data.load("digits", "train")
    with pytest.raises(InvalidValue, match="a batch of 0 images"):
        data.batches(train, 0, generator=seeded())
    with pytest.raises(InvalidValue, match=r"pass generator=torch\.Generator"):
        data.batches(train, 10)
    with pytest.raises(UnknownName, match="unknown augmentation 'crop'"):
        data.batches(train, 10, "crop", generator=seeded())


# --- names and places


def test_unknown_names():
    with pytest.raises(UnknownName, match="unknown data set 'fashion': did you mean"):
        data.load("fashion", "train")
    with pytest.raises(UnknownName, match="unknown split 'valid': did you mean 'val'"):
        data.load("digits", "valid")


@pytest.mark.parametrize("name", [n for n in data.NAMES if n not in ("digits", "synthetic")])
def test_absent_data_set_says_where_it_was_looked_for_and_what_to_do(name, places):
    with pytest.raises(DataNotFound) as caught:
        data.load(name, "train")
    sentence = str(caught.value)
    assert repr(name) in sentence and str(places / "root") in sentence
    assert name == "imagenet" or f"`mgtutorial data --download {name}`" in sentence
    assert isinstance(caught.value, FileNotFoundError)
    assert not list((places / "root").iterdir())


def test_root_is_argument_then_environment_then_cache(places, monkeypatch):
    assert _files.data_root("given").name == "given"
    assert _files.data_root() == places / "root"
    monkeypatch.delenv("MGTUTORIAL_DATA")
    assert _files.data_root() == places / "cache" / "data"
    monkeypatch.delenv("MGTUTORIAL_CACHE")
    assert _files.data_root().parts[-2:] == ("mgtutorial", "data")


def test_available_lists_every_name_and_what_to_do(places):
    listed = {row.name: row for row in data.available()}
    assert list(listed) == list(data.NAMES)
    assert listed["digits"].state == "embedded"
    assert listed["cifar100"].state == "not here"
    assert "mgtutorial data --download cifar100" in listed["cifar100"].how
    make_fashion(places / "root", packed=False)
    ready = {row.name: row for row in data.available()}["fashion-mnist"]
    assert (ready.state, ready.where, ready.how) == ("ready", str(places / "root"), "")


def test_cache_folder_that_cannot_be_written_is_a_sentence(places, monkeypatch):
    (places / "file").write_text("")
    monkeypatch.setenv("MGTUTORIAL_CACHE", str(places / "file" / "cache"))
    make_copy(places / "root" / "cifar10_jpeg" / "cifar10_jpeg.npz")
    with pytest.raises(_files.CacheUnwritable, match=r"cannot write .* set MGTUTORIAL_CACHE"):
        data.load("cifar10", "train")
    assert data.load("digits", "test").n == 359  # needs no cache


# --- official files, in their formats, with a few images


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
        monkeypatch.setattr(_official, "_FASHION", sha)
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


def test_packed_official_files_are_unpacked_beside_a_root_that_is_only_read(places, monkeypatch):
    make_fashion(places / "root", packed=True, monkeypatch=monkeypatch)
    before = snapshot(places / "root")
    train, test = data.load("fashion-mnist", "train"), data.load("fashion-mnist", "test")
    assert (train.n, test.n, train.size, train.source) == (60, 20, 28, "official files")
    assert train.classes[0] == "T-shirt/top"
    expected = np.random.RandomState(0).randint(0, 256, (60, 28, 28))
    assert np.array_equal(train.images[:, 0].numpy(), expected)
    assert snapshot(places / "root") == before
    left = sorted(p.name for p in (places / "cache" / "data").rglob("*") if p.is_file())
    assert left == sorted(_official._FASHION)


def test_damaged_packed_file_is_named_with_both_digests(places, monkeypatch):
    raw = make_fashion(places / "root", packed=True, monkeypatch=monkeypatch)
    victim = raw / "train-images-idx3-ubyte.gz"
    expected = hashlib.md5(victim.read_bytes()).hexdigest()
    victim.write_bytes(victim.read_bytes()[:-100])
    found = hashlib.md5(victim.read_bytes()).hexdigest()
    with pytest.raises(DataDamaged) as caught:
        data.load("fashion-mnist", "train")
    assert all(part in str(caught.value) for part in (str(victim), expected, found))
    assert not (places / "cache" / "data").exists()


def test_damaged_unpacked_file_is_named_though_torchvision_would_read_it(places, monkeypatch):
    raw = make_fashion(places / "root", packed=False, monkeypatch=monkeypatch)
    victim = raw / "t10k-labels-idx1-ubyte"
    victim.write_bytes(victim.read_bytes()[:-1] + b"\x07")
    with pytest.raises(DataDamaged, match="t10k-labels-idx1-ubyte is damaged: its sha256 should"):
        data.load("fashion-mnist", "test")


def test_cifar_from_the_official_archive(places, monkeypatch):
    archive = make_cifar10(places / "root", monkeypatch)
    train = data.load("cifar10", "train")
    assert (train.n, train.images.shape, train.source) == (60, (60, 3, 32, 32), "official files")
    first = np.random.RandomState(0).randint(0, 256, (30, 3072))[0]
    assert np.array_equal(train.images[0].flatten().numpy(), first)
    assert train.classes == tuple("abcdefghij")
    # the unpacked copy is used from now on, and checked before it is unpickled
    archive.unlink()
    assert data.load("cifar10", "train").digest == train.digest
    victim = places / "cache" / "data" / "cifar-10-batches-py" / "data_batch_2"
    victim.write_bytes(pickle.dumps("anything"))
    monkeypatch.setattr(pickle, "load", lambda *_, **__: pytest.fail("unpickled"))
    with pytest.raises(DataDamaged, match="data_batch_2 is damaged: its md5"):
        data.load("cifar10", "train")


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
        threading.Thread(target=running.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{running.server_port}/{archive.name}"
        monkeypatch.setattr(torchvision().datasets.CIFAR10, "url", url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield archive, requests
        running.shutdown()


def test_download_goes_to_a_root_that_can_be_written(server, places, capfd):
    train = data.load("cifar10", "train", download=True)
    assert train.n == 60 and "GET" in server[1]
    out, err = capfd.readouterr()
    assert "100%" in err and not out  # torchvision's progress bar
    assert [p.name for p in (places / "root").iterdir()] == ["cifar-10-batches-py"]


def test_download_goes_to_the_cache_if_the_root_is_read_only(server, places, capfd):
    (places / "root").chmod(0o555)
    assert data.load("cifar10", "test", download=True, progress=False).n == 30
    assert capfd.readouterr() == ("", "")
    assert not list((places / "root").iterdir())
    assert (places / "cache" / "data" / "cifar-10-batches-py").is_dir()


def test_download_of_something_else_is_refused(server, places, monkeypatch):
    monkeypatch.setattr(torchvision().datasets.CIFAR10, "tgz_md5", "0" * 32)
    with pytest.raises(DataNotFound, match=r"the download of 'cifar10' failed .*corrupted"):
        data.load("cifar10", "train", download=True, progress=False)
    assert not list((places / "root").iterdir())


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist", "tiny-imagenet"])
def test_failed_download_is_a_sentence_and_leaves_nothing(name, places, monkeypatch):
    absent = (places / "nowhere").as_uri()
    monkeypatch.setattr(torchvision().datasets.CIFAR10, "url", absent)
    monkeypatch.setattr(torchvision().datasets.FashionMNIST, "mirrors", [absent + "/"])
    monkeypatch.setattr(_jpegs, "TINY_URL", absent)
    with pytest.raises(DataNotFound, match=f"the download of '{name}' failed .* try again"):
        data.load(name, "train", download=True, progress=False)
    assert not list((places / "root").iterdir())


def test_digest_is_computed_once_for_an_unchanged_file(places, monkeypatch):
    file = places / "file"
    file.write_bytes(b"abc")
    assert _files.digest_of(file) == hashlib.sha256(b"abc").hexdigest()
    _files._checked.clear()  # as in another process
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("computed again"))
        assert _files.digest_of(file) == hashlib.sha256(b"abc").hexdigest()
    file.write_bytes(b"abcd")
    assert _files.digest_of(file) == hashlib.sha256(b"abcd").hexdigest()


# --- local copies, Tiny ImageNet, ImageNet


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


def test_jpeg_copy_is_decoded_once_and_says_that_it_is_one(places, monkeypatch):
    make_copy(places / "root" / "cifar10_jpeg" / "cifar10_jpeg.npz")
    before = snapshot(places / "root")
    train = data.load("cifar10", "train", progress=False)
    assert (train.n, train.source, train.num_classes) == (100, "JPEG copy", 10)
    expected = np.stack([decoded(b) for b in jpegs(100)])
    assert np.array_equal(train.images.numpy(), expected)
    assert snapshot(places / "root") == before
    monkeypatch.setattr(_jpegs, "decode", lambda *_: pytest.fail("decoded again"))
    assert data.load("cifar10", "train").digest == train.digest


def test_decoded_copy_that_was_damaged_is_made_again(places):
    make_copy(places / "root" / "cifar10_jpeg" / "cifar10_jpeg.npz")
    digest = data.load("cifar10", "train", progress=False).digest
    (kept,) = (places / "cache" / "decoded").glob("*train*.npz")
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    for damaged in (content, b"", content[:1000]):
        kept.write_bytes(damaged)
        assert data.load("cifar10", "train", progress=False).digest == digest


def test_official_files_are_preferred_to_a_copy(places, monkeypatch):
    make_copy(places / "root" / "cifar10_jpeg" / "cifar10_jpeg.npz")
    make_cifar10(places / "root", monkeypatch)
    assert data.load("cifar10", "train").source == "official files"


def test_damaged_copy_is_named_with_both_digests(places):
    path = places / "root" / "cifar10_jpeg" / "cifar10_jpeg.npz"
    make_copy(path)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(path.read_bytes()[:-1])
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(DataDamaged) as caught:
        data.load("cifar10", "test")
    assert all(part in str(caught.value) for part in (str(path), expected, found))
    # without a list of digests, what does not open is damaged all the same
    (path.parent / "SHA256SUMS").unlink()
    with pytest.raises(DataDamaged, match=f"cannot be read .*{found}, no digest lies beside it"):
        data.load("cifar10", "test")


def test_objects_in_a_copy_are_not_unpickled(places):
    path = places / "root" / "cifar10_jpeg" / "cifar10_jpeg.npz"
    path.parent.mkdir()
    np.savez(path, class_names=np.array([print], dtype=object), test_y=np.zeros(1))
    with pytest.raises(DataDamaged, match="cannot be read"):
        data.load("cifar10", "test")


def test_subset_of_tiny_imagenet_is_called_so(places):
    make_copy(places / "root" / "tinyimagenet20" / "tinyimagenet20.npz", 20, 64, "val")
    test = data.load("tiny-imagenet", "test", progress=False)
    assert (test.n, test.size, test.num_classes) == (40, 64, 20)
    assert test.source == "20 of 200 classes"


def make_tiny(root):
    """The official layout with three classes."""
    base = root / _jpegs.TINY
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


def test_tiny_imagenet_from_its_folder_and_from_its_zip_file(places, monkeypatch):
    base = make_tiny(places / "root")
    train, test = (data.load("tiny-imagenet", s, progress=False) for s in ("train", "test"))
    assert (train.n, test.n, train.source) == (30, 12, "official files")
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
    with zipfile.ZipFile(other / f"{_jpegs.TINY}.zip", "w") as archive:
        for file in sorted(base.rglob("*")):
            archive.write(file, file.relative_to(places / "root").as_posix())
    md5 = hashlib.md5((other / f"{_jpegs.TINY}.zip").read_bytes()).hexdigest()
    with pytest.raises(DataDamaged, match="its md5 should be 90528d7c"):
        data.load("tiny-imagenet", "train", root=other)
    monkeypatch.setattr(_jpegs, "TINY_MD5", md5)
    zipped = data.load("tiny-imagenet", "train", root=other, progress=False)
    assert zipped.digest == train.digest


def test_incomplete_or_damaged_tiny_imagenet_is_noticed(places):
    base = make_tiny(places / "root")
    victim = base / "train" / "n02" / "images" / "n02_3.JPEG"
    victim.write_bytes(b"no image")
    with pytest.raises(DataDamaged, match=r"the image train/n02/images/n02_3\.JPEG is damaged"):
        data.load("tiny-imagenet", "train", progress=False)
    assert not list((places / "cache" / "decoded").glob("*"))
    (base / "val" / "images" / "val_3.JPEG").unlink()
    with pytest.raises(DataDamaged, match=r"not complete: .* val/images/val_3\.JPEG"):
        data.load("tiny-imagenet", "test", progress=False)


@pytest.fixture
def imagenet(places):
    """Real photographs, cut in different sizes, two classes."""
    from PIL import Image

    random = np.random.RandomState(0)
    for part, n in (("train", 15), ("val", 4)):
        for k, photo in enumerate(photographs()):
            folder = places / "root" / "imagenet" / part / f"n0{k}"
            folder.mkdir(parents=True)
            for i in range(n):
                h, w = random.randint(180, 400, 2)
                cut = Image.fromarray(photo[-h:, -w:])
                (cut.convert("L") if i == 2 else cut).save(folder / f"{i}.JPEG", quality=90)
    return places / "root" / "imagenet"


def test_imagenet_is_read_lazily_behind_the_same_calls(imagenet):
    train, val, fit, test = (data.load("imagenet", s) for s in data.SPLITS)
    assert (train.n, val.n, fit.n, test.n) == (30, 24 // 4, 24, 8)
    assert set(train.files) == set(val.files) | set(fit.files)
    assert not set(val.files) & set(fit.files)
    assert (train.channels, train.size, train.num_classes, train.source) == (3, 224, 2, "folders")
    seen = list(data.batches(test, 3, shuffle=False))
    assert [tuple(x.shape) for x, _ in seen] == [(3, 3, 224, 224)] * 2 + [(2, 3, 224, 224)]
    assert torch.cat([y for _, y in seen]).tolist() == [0] * 4 + [1] * 4
    # the usual evaluation: the shorter side to 256, the middle, normalised
    from PIL import Image

    T = torchvision().transforms
    usual = T.Compose([T.Resize(256), T.CenterCrop(224), T.ToTensor()])
    image = usual(Image.open(imagenet / "val" / "n00" / "0.JPEG"))
    expected = T.functional.normalize(image, *data.normalisation_of("imagenet"))
    torch.testing.assert_close(seen[0][0][0], expected, rtol=0, atol=2e-6)
    assert train.take(4).labels.tolist() == [0, 0, 1, 1]
    with pytest.raises(UnknownName, match="unknown augmentation 'cifar10'"):
        data.batches(train, 4, "cifar10", generator=seeded())


# Python 3.12 warns of any fork while torch's threads exist
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_imagenet_batches_do_not_depend_on_the_number_of_processes(imagenet, monkeypatch):
    train = data.load("imagenet", "train")
    state = torch.get_rng_state()
    few = list(data.batches(train, 8, "resized-crop", generator=seeded(2)))
    monkeypatch.setattr(folders, "_FEW", 1)
    monkeypatch.setattr(folders, "_most_workers", lambda: 2)
    many = list(data.batches(train, 8, "resized-crop", generator=seeded(2)))
    for (x, y), (z, w) in zip(few, many, strict=True):
        assert torch.equal(x, z) and torch.equal(y, w)
    assert torch.equal(torch.get_rng_state(), state)
    other = next(data.batches(train, 8, "resized-crop", generator=seeded(3)))
    assert not torch.equal(other[0], few[0][0])
    (imagenet / "train" / "n01" / "3.JPEG").write_bytes(b"no image")
    with pytest.raises(DataDamaged, match=r"the image .*n01/3\.JPEG is damaged"):
        list(data.batches(train, 8, "resized-crop", generator=seeded(2)))


def test_incomplete_imagenet_is_noticed(imagenet):
    for file in (imagenet / "val" / "n01").iterdir():
        file.unlink()
    with pytest.raises(DataDamaged, match=r"imagenet is not complete .*n01"):
        data.load("imagenet", "test")
    (imagenet / "val" / "n01").rmdir()
    with pytest.raises(DataDamaged, match="do not have the same classes"):
        data.load("imagenet", "test")


# --- the import of torchvision


def test_other_failures_of_torchvision_are_not_hidden(monkeypatch):
    from mgtutorial import _torchvision

    def broken(name):
        raise RuntimeError("something else")

    monkeypatch.setattr(_torchvision.importlib, "import_module", broken)
    with pytest.raises(RuntimeError, match="something else"):
        _torchvision.torchvision.__wrapped__()


# --- the real files, where MGTUTORIAL_DATA had them when the tests began


def real(path):
    reason = f"MGTUTORIAL_DATA has no {path}"
    return pytest.mark.skipif(not (REAL and (Path(REAL) / path).exists()), reason=reason)


@real("FashionMNIST/raw/train-images-idx3-ubyte.gz")
def test_the_real_fashion_mnist():
    before = snapshot(Path(REAL) / "FashionMNIST")
    train, val, test = (data.load("fashion-mnist", s, root=REAL) for s in ("train", "val", "test"))
    assert (train.n, val.n, test.n) == (60_000, 5000, 10_000)
    assert (train.digest, val.digest, test.digest) == (
        "1f243a60b4b748a4",
        "12dfc3705a940892",
        "9a494dc49efeb996",
    )
    assert val.labels.bincount().tolist() == [500] * 10
    # the mean and deviation everyone quotes for this set
    x = train.images.double() / 255
    assert (round(x.mean().item(), 4), round(x.std().item(), 4)) == (0.2860, 0.3530)
    assert snapshot(Path(REAL) / "FashionMNIST") == before


@real("cifar10_jpeg/cifar10_jpeg.npz")
def test_the_real_cifar10_copy():
    test = data.load("cifar10", "test", root=REAL, progress=False)
    assert (test.n, test.source) == (10_000, "JPEG copy")
    assert test.labels.bincount().tolist() == [1000] * 10
    # official test labels: cat, ship, ship, airplane
    assert [test.classes[k] for k in test.labels[:4]] == ["cat", "ship", "ship", "airplane"]
    x, _ = next(data.batches(test, 10_000, shuffle=False))
    # the copy keeps the means of the official files; the constants are those of the training set
    assert abs(x.mean()) < 0.05


@real("tinyimagenet20/tinyimagenet20.npz")
def test_the_real_subset_of_tiny_imagenet():
    test = data.load("tiny-imagenet", "test", root=REAL, progress=False)
    assert (test.n, test.size, test.num_classes) == (1000, 64, 20)
    assert test.source == "20 of 200 classes"
    x, y = next(data.batches(test, 100, "resized-crop", generator=seeded()))
    assert x.shape == (100, 3, 64, 64) and len(y) == 100
