"""Images with masks: readers, doors, and an augmentation that moves labels as it moves colours."""

import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from mgtutorial._torchvision import torchvision
from mgtutorial.data import catalogue, masks
from mgtutorial.data.mask_files import shapes
from mgtutorial.data.mask_sets import IGNORED, in_memory
from mgtutorial.errors import DataDamaged, DataNotFound, InvalidValue, UnknownName

SHAPES = catalogue.MASKS["shapes"]


def ramps(n, h, w):
    """Images whose first two colours are the pixel's place, and masks that say it, too."""
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    return torch.stack([y, x, y + x]).float().expand(n, 3, h, w), (w * y + x).expand(n, h, w)


def test_labels_move_as_colours_do():
    x, y = ramps(60, 20, 30)
    drawn = torch.rand(60, 4, generator=torch.Generator().manual_seed(0))
    u, v = masks.scale_crop_flip(x + 1e4, y, (16, 16), drawn)
    inside = (v != IGNORED) & (u[:, 0] >= 1e4)  # colours mix with what is outside at the rim
    assert inside.float().mean() > 0.5
    # the label is that of the pixel whose place the colours say, to half a pixel
    assert ((u[:, 0] - 1e4 - v // 30)[inside]).abs().max() <= 0.5 + 2e-3
    away = (u[:, 1] - 1e4 - v % 30)[inside]
    assert away.abs().max() <= 0.5 + 2e-3


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.0, 1.7, 2.0])
@pytest.mark.parametrize("mirror", [0.1, 0.9])
def test_a_window_lies_within_the_image_or_the_image_within_the_window(factor, mirror):
    x, y = ramps(1, 20, 30)
    for place in (0.0, 0.4, 0.9999):
        drawn = torch.tensor([[(factor - 0.5) / 1.5, place, place, mirror]])
        _, v = masks.scale_crop_flip(x, y, (20, 30), drawn)
        share = (v != IGNORED).float().mean()
        assert share == pytest.approx(min(1, factor**2), abs=0.02)


def test_a_mirror_mirrors_and_nothing_else():
    x, y = torch.rand(1, 3, 6, 8), torch.arange(48).view(1, 6, 8)
    drawn = torch.tensor([[1 / 3, 0.5, 0.5, 0.1]])  # the factor 1
    u, v = masks.scale_crop_flip(x, y, (6, 8), drawn)
    assert torch.equal(v, y.flip(2))
    torch.testing.assert_close(u, x.flip(3), rtol=0, atol=1e-5)


@pytest.mark.parametrize("policy", masks.POLICIES)
def test_a_seed_determines_an_epoch(policy):
    samples = masks.load("shapes", "train").take(20)

    def epoch(seed):
        order = torch.Generator().manual_seed(seed)
        return list(masks.batches(samples, 8, policy, (32, 48), order))

    once, again, other = epoch(3), epoch(3), epoch(4)
    assert [len(y) for _, y in once] == [8, 8, 4]
    for (x, y), (u, v) in zip(once, again, strict=True):
        assert torch.equal(x, u) and torch.equal(y, v)
    assert not torch.equal(once[0][0], other[0][0])
    with pytest.raises(UnknownName, match="augmentation"):
        masks.batches(samples, 8, "rotate")
    with pytest.raises(InvalidValue, match=r"torch\.Generator"):
        masks.batches(samples, 8, "flip")


def marked(n, h=6, w=8):
    """Black images with one white pixel each, on the left, which alone has the label 1."""
    images, labels = np.zeros((n, 3, h, w), np.uint8), np.zeros((n, h, w), np.uint8)
    y, x = np.arange(n) % h, np.arange(n) % (w // 2)
    images[np.arange(n), :, y, x], labels[np.arange(n), y, x] = 255, 1
    return in_memory(SHAPES, "train", images, labels, "mine")


def test_about_half_of_the_images_are_mirrored_and_their_labels_with_them():
    n = 2000
    drawn = masks.batches(marked(n), 64, "flip", generator=torch.Generator().manual_seed(0))
    x, y = (torch.cat(parts) for parts in zip(*drawn, strict=True))
    white = x[:, 0] > 0
    assert torch.equal(white, y == 1) and (white.sum(dim=(1, 2)) == 1).all()
    mirrored = white[:, :, 4:].any(dim=(1, 2)).sum().item()
    assert abs(mirrored - n / 2) < 5 * (n / 4) ** 0.5  # five deviations of a fair coin's count


@pytest.mark.parametrize("policy", masks.POLICIES)
def test_images_are_brought_to_the_mean_and_the_deviation_of_their_data_set(policy):
    odd = replace(SHAPES, mean=(0.5, 0.25, 0.0), std=(0.5, 0.125, 2.0))
    samples = replace(marked(4), info=odd)
    x, _ = next(masks.batches(samples, 4, policy, (6, 8), torch.Generator().manual_seed(0)))
    black = x.amin(dim=(0, 2, 3))
    torch.testing.assert_close(black, torch.tensor([-1.0, -2.0, 0.0]))
    if policy != "scale-crop-flip":  # which mixes colours
        white = x.amax(dim=(0, 2, 3))
        torch.testing.assert_close(white, torch.tensor([1.0, 6.0, 0.5]))


@pytest.mark.parametrize(
    "changes, said",
    [
        *(({"batch_size": b}, "batch_size=.* whole number") for b in (0, -1, 2.5, True, 10**30)),
        *(({"multiple": m}, "multiple=.* whole number") for m in (0, 2.5)),
        *(({"crop": c}, "crop=.*: give height and width") for c in (None, 5, (8,), (8, 8, 8))),
        *(({"crop": (8, side)}, "crop=.* whole number") for side in (0, 2.5, "8")),
    ],
)
def test_batches_refuse_what_they_cannot_do_at_the_call(changes, said):
    asked = {"batch_size": 4, "augmentation": "scale-crop-flip", "crop": (8, 8)}
    with pytest.raises(InvalidValue, match=said):
        masks.batches(masks.load("shapes", "test"), generator=torch.Generator(), **asked | changes)


def test_only_whole_images_are_taken():
    samples = masks.load("shapes", "test")
    assert type(samples.take(np.int64(2)).n) is int
    for n in (0, 2.5, True, samples.n + 1):
        with pytest.raises(InvalidValue, match=f"cannot take {n} images of shapes/test"):
            samples.take(n)


def test_whole_images_are_continued_without_labels():
    samples = masks.load("shapes", "test")
    (x, y), *_ = masks.batches(samples, 4, multiple=40)
    plain = next(masks.batches(samples, 4))
    assert torch.equal(x[:, :, :48, :64], plain[0]) and torch.equal(y[:, :48, :64], plain[1])
    rest = torch.ones(80, 80, dtype=torch.bool)
    rest[:48, :64] = False
    assert (x[:, :, rest] == 0).all() and (y[:, rest] == IGNORED).all()


def archive(path, change=lambda name, mask: mask):
    """A small CamVid: two images a part, the first one's labels changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images, labels = shapes(5, 6, (24, 32))
    with zipfile.ZipFile(path, "w") as file:
        for i, part in enumerate(("train", "val", "test")):
            for j in range(2):
                mask = np.where(labels[2 * i + j] == IGNORED, 11, labels[2 * i + j])
                mask = change(f"{part}{j}", mask.astype(np.uint8))
                if mask is None:
                    continue
                picture = images[2 * i + j].transpose(1, 2, 0)
                for folder, values, kind in (
                    (part, picture, "webp"),
                    (f"{part}annot", mask, "png"),
                ):
                    with io.BytesIO() as buffer:
                        Image.fromarray(values).save(buffer, kind, lossless=True)
                        file.writestr(f"{folder}/{j}.{kind}", buffer.getvalue())
    return images, labels


@pytest.fixture
def place(tmp_path):
    return tmp_path / catalogue.MASKS["camvid"].reader.path


def test_an_archive_is_read_part_by_part(place, tmp_path):
    images, labels = archive(place)
    for i, split in enumerate(("train", "val", "test")):
        samples = masks.load("camvid", split, tmp_path)
        x, y = samples.pick(torch.tensor([0, 1]))
        assert np.array_equal(x, images[2 * i : 2 * i + 2])
        assert np.array_equal(y, labels[2 * i : 2 * i + 2])
        assert (samples.n, samples.size) == (2, (24, 32))
    fit, train = (masks.load("camvid", split, tmp_path) for split in ("fit", "train"))
    assert fit.digest == train.digest != masks.load("camvid", "val", tmp_path).digest
    assert train.take(1).digest != train.digest
    with pytest.raises(InvalidValue, match="3 images of camvid"):
        train.take(3)


def test_labels_out_of_range_are_one_sentence(place, tmp_path):
    archive(place, lambda name, mask: mask + 12 if name == "train1" else mask)
    with pytest.raises(DataDamaged, match=r"of 'camvid' .* has the label \d+, and there are 0"):
        masks.load("camvid", "train", tmp_path)
    masks.load("camvid", "val", tmp_path)


def test_damage_is_one_sentence(place, tmp_path):
    archive(place)
    whole = place.read_bytes()
    place.write_bytes(whole[:-40])
    with pytest.raises(DataDamaged, match="cannot be read"):
        masks.load("camvid", "train", tmp_path)
    with zipfile.ZipFile(place, "w") as file:
        file.writestr("train/0.webp", b"nothing")
        file.writestr("trainannot/0.png", b"nothing")
        file.writestr("val/0.webp", b"nothing")
    with pytest.raises(DataDamaged, match=r"train/0\.webp is damaged"):
        masks.load("camvid", "train", tmp_path)
    with pytest.raises(DataDamaged, match="not a mask for each"):
        masks.load("camvid", "val", tmp_path)


@pytest.mark.parametrize("name", ["camvid", "cityscapes"])
def test_what_is_not_there_is_one_sentence(name, tmp_path):
    with pytest.raises(DataNotFound, match=f"'{name}' is not in .*: put .* into"):
        masks.load(name, "train", tmp_path)
    with pytest.raises(UnknownName, match="data set with masks"):
        masks.load("camvide", "train", tmp_path)


def test_arrays_of_other_shapes_and_types_are_one_sentence():
    x, y = np.zeros((2, 3, 8, 8), np.uint8), np.zeros((2, 8, 8), np.uint8)
    for images, labels, said in (
        (x[:1], y, "have the shape"), (x, y[:, :4], "have the shape"), (x[:0], y[:0], "the shape"),
        (x.astype(float), y, "must be uint8"), (x, y + 3, "the label 3"),
    ):  # fmt: skip
        with pytest.raises(DataDamaged, match=said):
            in_memory(SHAPES, "train", images, labels, "mine")
    assert in_memory(SHAPES, "train", x, y + IGNORED, "mine").n == 2  # no label at all


def test_cityscapes_is_read_by_torchvision(tmp_path):
    """A folder of its kind: six images, whose mask has a label of each kind."""
    cls = torchvision().datasets.Cityscapes
    for part, n in (("train", 12), ("val", 3)):
        for i in range(n):
            for kind, suffix in (("leftImg8bit", "leftImg8bit"), ("gtFine", "gtFine_labelIds")):
                folder = tmp_path / "cityscapes" / kind / part / "town"
                folder.mkdir(parents=True, exist_ok=True)
                ids = np.arange(64, dtype=np.uint8).reshape(8, 8) % 34
                values = np.full((8, 8, 3), i, np.uint8) if kind == "leftImg8bit" else ids
                Image.fromarray(values).save(folder / f"town_{i:06}_000019_{suffix}.png")
    train, fit, val, test = (
        masks.load("cityscapes", split, tmp_path) for split in ("train", "fit", "val", "test")
    )
    assert [s.n for s in (train, fit, val, test)] == [12, 10, 2, 3]
    x, y = val.pick(torch.arange(2))
    assert x[:, 0, 0, 0].tolist() == [0, 6]
    wanted = {c.id: c.train_id if 0 <= c.train_id < 19 else IGNORED for c in cls.classes}
    assert y[0].flatten().tolist() == [wanted[i % 34] for i in range(64)]
    assert next(masks.batches(test, 2))[0].shape == (2, 3, 8, 8)
