"""ImageNet: lazily read folders behind the calls that serve images in memory."""

import numpy as np
import pytest
import torch

from mgtutorial._torchvision import torchvision
from mgtutorial.data import catalogue, image_folders, images, sources
from mgtutorial.errors import DataDamaged, UnknownName
from mgtutorial.training import protocols

from .made_files import photographs


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


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
    train, val, fit, test = (images.load("imagenet", s) for s in images.SPLITS)
    assert (train.n, val.n, fit.n, test.n) == (30, 24 // 4, 24, 8)
    assert set(train.files) == set(val.files) | set(fit.files)
    assert not set(val.files) & set(fit.files)
    assert (train.channels, train.size, train.num_classes, train.source) == (
        3,
        224,
        2,
        "2 of 1000 classes",
    )
    seen = list(images.batches(test, 3, shuffle=False))
    assert [tuple(x.shape) for x, _ in seen] == [(3, 3, 224, 224)] * 2 + [(2, 3, 224, 224)]
    assert torch.cat([y for _, y in seen]).tolist() == [0] * 4 + [1] * 4
    # the usual evaluation: the shorter side to 256, the middle, normalised
    from PIL import Image

    T = torchvision().transforms
    usual = T.Compose([T.Resize(256), T.CenterCrop(224), T.ToTensor()])
    image = usual(Image.open(imagenet / "val" / "n00" / "0.JPEG"))
    info = catalogue.info("imagenet")
    expected = T.functional.normalize(image, info.mean, info.std)
    torch.testing.assert_close(seen[0][0][0], expected, rtol=0, atol=2e-6)
    assert train.take(4).labels.tolist() == [0, 0, 1, 1]
    with pytest.raises(UnknownName, match="unknown augmentation 'cifar10'"):
        images.batches(train, 4, "cifar10", generator=seeded())


# Python 3.12 warns of any fork while torch's threads exist
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_imagenet_batches_do_not_depend_on_the_number_of_processes(imagenet, monkeypatch):
    train = images.load("imagenet", "train")
    state = torch.get_rng_state()
    few = list(images.batches(train, 8, "resized-crop", generator=seeded(2)))
    monkeypatch.setattr(image_folders, "_FEW", 1)
    monkeypatch.setattr(image_folders, "_most_workers", lambda: 2)
    many = list(images.batches(train, 8, "resized-crop", generator=seeded(2)))
    for (x, y), (z, w) in zip(few, many, strict=True):
        assert torch.equal(x, z) and torch.equal(y, w)
    assert torch.equal(torch.get_rng_state(), state)
    other = next(images.batches(train, 8, "resized-crop", generator=seeded(3)))
    assert not torch.equal(other[0], few[0][0])
    (imagenet / "train" / "n01" / "3.JPEG").write_bytes(b"no image")
    with pytest.raises(DataDamaged, match=r"the image .*n01/3\.JPEG is damaged"):
        list(images.batches(train, 8, "resized-crop", generator=seeded(2)))


def test_imagenet_in_its_folders_is_listed_as_ready_and_a_part_of_it_is_called_a_part(imagenet):
    (row,) = [row for row in sources.available() if row.name == "imagenet"]
    assert row == ("imagenet", "ready", str(imagenet), "")
    part = images.load("imagenet", "test").source
    assert part == "2 of 1000 classes" != catalogue.info("imagenet").official
    # two of a thousand classes are there: the network gets two outputs, and nothing is read
    network = protocols.configure("mgiad-lam3-c64-g8", "imagenet", "paper").model
    assert (network.num_classes, network.stem, network.transfer_norms) == (2, "7x7", "all")


def test_incomplete_imagenet_is_noticed(imagenet):
    for file in (imagenet / "val" / "n01").iterdir():
        file.unlink()
    with pytest.raises(DataDamaged, match=r"imagenet is not complete .*n01"):
        images.load("imagenet", "test")
    (imagenet / "val" / "n01").rmdir()
    with pytest.raises(DataDamaged, match="do not have the same classes"):
        images.load("imagenet", "test")
