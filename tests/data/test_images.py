"""Data sets: how they are split, batched and named; and the real ones, where they are."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from mgtutorial._torchvision import torchvision
from mgtutorial.data import (
    augmentation,
    cache,
    catalogue,
    in_memory,
    load_clouds,
    masks,
    sources,
)
from mgtutorial.data import images as data
from mgtutorial.errors import DataNotFound, InvalidValue, UnknownName
from mgtutorial.models.mgiad import BY_DATA
from mgtutorial.reproduction import count_report, planning
from mgtutorial.training import protocols

from .made_files import make_copy, make_fashion, snapshot

REAL = os.environ.get("MGTUTORIAL_DATA", "")  # before the fixture hides it
pytestmark = pytest.mark.usefixtures("places")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


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
    val = in_memory.split_index(np.repeat(np.arange(10), 5000), "val")
    assert in_memory.content_digest(val) == VAL_OF_50000


VAL_OF_50000 = "4e89c346895ed69e"


@pytest.mark.parametrize("counts", [[5000] * 10, [500] * 100, [20_000, 5000, 2500]])
def test_val_has_the_classes_in_proportion(counts):
    labels = np.random.RandomState(0).permutation(np.repeat(np.arange(len(counts)), counts))
    val, fit = in_memory.split_index(labels, "val"), in_memory.split_index(labels, "fit")
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
    for n in (0, train.n + 1, 2.5, True):
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
    info = catalogue.info(name)
    channels = info.channels
    images = torch.randint(256, (4, channels, 8, 8), dtype=torch.uint8, generator=seeded())
    some = data.Images(name, "train", images, torch.arange(4), (), "", "")
    x, _ = next(data.batches(some, 4, shuffle=False))
    F = torchvision().transforms.functional
    expected = torch.stack([F.normalize(i / 255, info.mean, info.std) for i in images])
    # two float32 roundings more or less, on values up to 3
    torch.testing.assert_close(x, expected, rtol=0, atol=2e-6)
    own = ((0.1, 0.2, 0.3)[:channels], (0.6, 0.5, 0.7)[:channels])
    x, _ = next(data.batches(some, 4, shuffle=False, normalisation=own))
    expected = torch.stack([F.normalize(i / 255, *own) for i in images])
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


def test_threads_are_given_back_with_each_batch():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        epoch = data.batches(data.load("digits", "val"), 100, generator=seeded())
        assert [torch.get_num_threads() for _ in epoch] == [2, 2, 2]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_epochs_differ():
    train, g = data.load("digits", "train"), seeded()
    first, second = (next(data.batches(train, 100, generator=g))[1] for _ in range(2))
    assert not torch.equal(first, second)


def test_batches_refuse_what_they_cannot_do_at_the_call():
    train = data.load("digits", "train")
    for size in (0, -1, 2.5, True, 10**30, "4"):
        with pytest.raises(InvalidValue, match=r"batch_size=.*: it must be a whole number"):
            data.batches(train, size, generator=seeded())
    for constants in (((0.5,), (0.0,)), ((0.5,) * 3, (0.5,) * 3), ((0.5,),), 5, "ab", ()):
        with pytest.raises(
            InvalidValue, match=r"normalisation=.* each of the 1 channels of digits"
        ):
            data.batches(train, 4, shuffle=False, normalisation=constants)
    with pytest.raises(InvalidValue, match=r"pass generator=torch\.Generator"):
        data.batches(train, 10)
    with pytest.raises(UnknownName, match="unknown augmentation 'crop'"):
        data.batches(train, 10, "crop", generator=seeded())


def test_numpys_whole_numbers_are_whole_numbers():
    train = data.load("digits", "train").take(np.int64(6))
    assert [len(y) for _, y in data.batches(train, np.int64(4), shuffle=False)] == [4, 2]


@pytest.mark.parametrize("policy", ["none", "crop-flip"])
def test_fewer_images_than_a_batch_are_no_full_batch_and_so_none(policy):
    few = data.load("digits", "train").take(3)
    assert list(data.batches(few, 4, policy, generator=seeded(), drop_last=True)) == []
    assert [len(y) for _, y in data.batches(few, 4, policy, generator=seeded())] == [3]
    nothing = torch.arange(0)
    for samples in (few, masks.load("shapes", "test"), load_clouds("shapes", "test")):
        assert list(samples.epoch(nothing, 4, "none", 0)) == []


# Python 3.12 warns of any fork while torch's threads exist
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_the_benchmark_runs_without_data():
    from benchmarks import data_pipeline

    rows = list(data_pipeline.measure(64, repeat=1, policies=("cifar10", "resized-crop")))
    assert [row["case"] for row in rows] == ["cifar10"] * 3 + ["resized-crop"] * 3
    assert {row["side"] for row in rows[1:3]} == {
        "torchvision, 0 workers",
        "torchvision, 2 workers",
    }
    assert [row["facts"]["pixels"] for row in rows[::3]] == [32, 64]
    assert all(row["facts"]["source"] == "made images" for row in rows)


# --- names and places


@pytest.mark.parametrize(
    "ask",
    [
        catalogue.info,
        lambda name: data.load(name, "train"),
        sources.how_to_get,
        sources.not_found,
        lambda name: protocols.configure("mgnet-20", name, "smoke"),
        lambda name: protocols.settings("short", name),
        lambda name: protocols.TrainConfig(model=None, data=name),
        lambda name: planning.plan("mgiad-table2", "smoke", data=name),
        lambda name: count_report.of_network("mgnet-20", name),
    ],
)
def test_an_unknown_data_set_is_one_sentence_wherever_it_is_asked_for(ask, places):
    with pytest.raises(UnknownName) as caught:
        ask("fashion")
    said = "unknown data set 'fashion': did you mean 'fashion-mnist'? Allowed: "
    assert str(caught.value) == said + ", ".join(catalogue.NAMES) + "."


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_a_record_of_the_catalogue_agrees_with_itself(name):
    info = catalogue.info(name)
    assert info.name == name and info.channels in (1, 3)
    assert len(info.mean) == len(info.std) == info.channels
    assert info.augmentation in augmentation.POLICIES
    assert info.official == info.readers[0].source
    assert bool(info.by_hand) == (name in catalogue.PUBLISHED)
    assert bool(info.n_train) == bool(info.n_test) == (name in catalogue.PUBLISHED)
    assert set(BY_DATA) == set(catalogue.PUBLISHED)  # the paper's choice for each, beside it
    if not info.by_hand:
        made = data.load(name, "test")
        assert (made.channels, made.num_classes, made.size) == (
            info.channels, info.classes, info.size,
        )  # fmt: skip
        assert sources.how_to_get(name) == ""


def test_unknown_names():
    with pytest.raises(UnknownName, match="unknown data set 'fashion': did you mean"):
        data.load("fashion", "train")
    with pytest.raises(UnknownName, match="unknown split 'valid': did you mean 'val'"):
        data.load("digits", "valid")


@pytest.mark.parametrize("name", [n for n in catalogue.NAMES if n not in ("digits", "synthetic")])
def test_absent_data_set_says_where_it_was_looked_for_and_what_to_do(name, places):
    with pytest.raises(DataNotFound) as caught:
        data.load(name, "train")
    sentence = str(caught.value)
    assert repr(name) in sentence and str(places / "root") in sentence
    assert name == "imagenet" or f"`mgtutorial data --download {name}`" in sentence
    assert isinstance(caught.value, FileNotFoundError)
    assert not list((places / "root").iterdir())


def test_root_is_argument_then_environment_then_cache(places, monkeypatch):
    assert cache.data_root("given").name == "given"
    assert cache.data_root() == places / "root"
    monkeypatch.delenv("MGTUTORIAL_DATA")
    assert cache.data_root() == places / "cache" / "data"
    monkeypatch.delenv("MGTUTORIAL_CACHE")
    assert cache.data_root().parts[-2:] == ("mgtutorial", "data")


def test_available_lists_every_name_and_what_to_do(places):
    rows = sources.available()
    listed = {row.name: row for row in rows}
    assert [row.name for row in rows] == [*catalogue.NAMES, *catalogue.CLOUDS, *catalogue.MASKS]
    assert listed["digits"].state == "embedded"
    assert listed["cifar100"].state == "not here"
    assert listed["shapes"].state == "made when asked for"
    for name in ("camvid", "cityscapes"):
        assert (listed[name].state, listed[name].how[:4]) == ("not here", "put ")
    assert "mgtutorial data --download cifar100" in listed["cifar100"].how
    make_fashion(places / "root", packed=False)
    ready = {row.name: row for row in sources.available()}["fashion-mnist"]
    assert (ready.state, ready.where, ready.how) == ("ready", str(places / "root"), "")


def test_cache_folder_that_cannot_be_written_is_a_sentence(places, monkeypatch):
    (places / "file").write_text("")
    monkeypatch.setenv("MGTUTORIAL_CACHE", str(places / "file" / "cache"))
    make_copy(places / "root" / "cifar10_jpeg" / "cifar10_jpeg.npz")
    with pytest.raises(cache.CacheUnwritable, match=r"cannot write .* set MGTUTORIAL_CACHE"):
        data.load("cifar10", "train")
    assert data.load("digits", "test").n == 359  # needs no cache


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
