"""The batched augmentation does to every image what torchvision does to one, at the right rates."""

import functools

import numpy as np
import pytest
import torch

from mgtutorial._torchvision import torchvision
from mgtutorial.data import augmentation, autoaugment, image_ops
from mgtutorial.errors import InvalidValue, UnknownName

TORCHVISION_NAME = {
    "shear_x": "ShearX", "shear_y": "ShearY", "translate_x": "TranslateX",
    "translate_y": "TranslateY", "rotate": "Rotate", "brightness": "Brightness",
    "colour": "Color", "contrast": "Contrast", "sharpness": "Sharpness",
    "posterize": "Posterize", "solarize": "Solarize", "autocontrast": "AutoContrast",
    "equalize": "Equalize", "invert": "Invert",
}  # fmt: skip


@functools.cache
def photos(n=24, size=32, channels=3):
    """Real pixels without a data set: patches of scikit-learn's two photographs, and hard cases."""
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    random = np.random.RandomState(0)
    patches = []
    for i in range(n):
        photo = photographs[i % 2]
        top, left = random.randint(photo.shape[0] - size), random.randint(photo.shape[1] - size)
        patches.append(photo[top : top + size, left : left + size, :channels])
    images = torch.from_numpy(np.stack(patches)).permute(0, 3, 1, 2).contiguous()
    images[0] = 77  # flat
    images[1] = torch.where(images[1] > 99, 255, 0)  # two grey levels
    images[2] //= 16  # dark
    return images


def functional():
    return torchvision().transforms.functional


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def torchvision_policy():
    return torchvision().transforms.AutoAugment(torchvision().transforms.AutoAugmentPolicy.CIFAR10)


def torchvision_operation(images, name, magnitude):
    from torchvision.transforms.autoaugment import _apply_op

    nearest = torchvision().transforms.InterpolationMode.NEAREST
    return _apply_op(images, name, magnitude, nearest, None)


@pytest.mark.parametrize("size, channels", [(32, 3), (28, 1)])
@pytest.mark.parametrize("name", TORCHVISION_NAME)
def test_operation_equals_torchvision_exactly(name, size, channels):
    images = photos(8, size, channels)
    table, signed = torchvision_policy()._augmentation_space(10, (size, size))[
        TORCHVISION_NAME[name]
    ]
    for level in range(10):
        value, has_sign = autoaugment.magnitude(name, level, size, size)
        assert has_sign == signed
        if value is None:
            pairs = [(None, 0.0)]
        else:
            assert value == table[level].item()
            factor = name in ("brightness", "colour", "contrast", "sharpness")
            pairs = [(s * value + factor, s * value) for s in ((-1, 1) if signed else (1,))]
        for ours, theirs in pairs:
            operation = getattr(image_ops, name)
            result = operation(images) if ours is None else operation(images, ours)
            expected = torchvision_operation(images, TORCHVISION_NAME[name], float(theirs))
            assert result.dtype == torch.uint8
            assert torch.equal(result, expected), (name, level, theirs)


@pytest.mark.parametrize(
    "layout",
    [
        lambda x: x.contiguous(memory_format=torch.channels_last),
        lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
        lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
        lambda x: torch.cat([x, x], 3)[..., : x.shape[3]],
    ],
    ids=["channels last", "columns first", "channels first of all", "a part"],
)
def test_images_are_the_same_however_they_lie_in_memory(layout):
    images = photos(6)
    for name in TORCHVISION_NAME:
        operation, value = getattr(image_ops, name), autoaugment.magnitude(name, 4, 32, 32)[0]
        given = () if value is None else (value,)
        assert torch.equal(operation(layout(images), *given), operation(images, *given)), name
    for policy in augmentation.POLICIES:
        ours = augmentation.apply(policy, layout(images), seeded(1))
        assert torch.equal(ours, augmentation.apply(policy, images, seeded(1))), policy


def test_policy_is_torchvisions():
    ours = [
        tuple((TORCHVISION_NAME[n], p, None if n in autoaugment._PLAIN else v) for n, p, v in sub)
        for sub in autoaugment.CIFAR10_POLICY
    ]
    assert ours == list(torchvision_policy().policies)


def test_auto_augment_equals_torchvision_image_by_image(monkeypatch):
    """All 25 sub-policies, with the random numbers given: grouping and both stages."""
    images = photos(200)
    g = seeded(3)
    chosen = torch.arange(200) % 25
    chance, sign = torch.rand(200, 2, generator=g), torch.randint(2, (200, 2), generator=g)
    before = images.clone()
    result = autoaugment.auto_augment_as(images, chosen, chance, sign)
    assert torch.equal(images, before)
    policy = torchvision_policy()
    for i in range(200):
        draws = (int(chosen[i]), chance[i], sign[i])
        monkeypatch.setattr(policy, "get_params", lambda _, draws=draws: draws)
        assert torch.equal(result[i], policy(images[i])), autoaugment.CIFAR10_POLICY[chosen[i]]


def test_auto_augment_draws_as_the_paper_says(monkeypatch):
    """Sub-policies uniform, each operation with its probability, both signs as often."""
    drawn = []
    monkeypatch.setattr(
        autoaugment, "auto_augment_as", lambda x, *draws: drawn.extend(draws[:3]) or x
    )
    n = 50_000
    autoaugment.auto_augment(torch.zeros(n, 1, 1, 1, dtype=torch.uint8), seeded())
    chosen, chance, sign = drawn
    # chi-square with 24 degrees of freedom: 51.2 is exceeded once in a thousand seeds
    count = chosen.bincount(minlength=25).double()
    assert (((count - n / 25) ** 2) / (n / 25)).sum() < 51.2
    for k, sub_policy in enumerate(autoaugment.CIFAR10_POLICY):
        for stage, (_, probability, _) in enumerate(sub_policy):
            here = chosen == k
            done = (chance[here, stage] <= probability).double().mean().item()
            spread = (probability * (1 - probability) / here.sum().item()) ** 0.5
            assert abs(done - probability) <= 4 * spread
    assert abs(sign.double().mean().item() - 0.5) < 4 * 0.5 / (2 * n) ** 0.5
    assert abs(np.corrcoef(chance.T)[0, 1]) < 4 / n**0.5


@pytest.mark.parametrize("mode, fill", [("constant", 128), ("constant", 0), ("reflect", 0)])
@pytest.mark.parametrize("size, channels", [(32, 3), (8, 1)])
def test_cut_is_torchvisions_pad_crop_and_flip(mode, fill, size, channels):
    images = photos(24, size, channels).repeat(7, 1, 1, 1)[:162]
    place = torch.arange(162)
    top, left, mirrored = place // 18, place // 2 % 9, place % 2 == 1  # every case once
    result = augmentation.cut(images, top, left, mirrored, 4, mode, fill)
    F = functional()
    for i, image in enumerate(images):
        padded = F.pad(image, [4], fill=fill, padding_mode=mode)
        window = F.crop(padded, int(top[i]), int(left[i]), size, size)
        assert torch.equal(result[i], F.hflip(window) if mirrored[i] else window)


def test_flip_before_the_crop():
    """The law is the same, and so is each image: mirrored first, then cut where it was drawn."""
    images = photos(24)
    result = augmentation.crop_and_flip(images, seeded(), "reflect", flip_first=True)
    g = seeded()
    (top, left), mirrored = (
        torch.randint(9, (2, 24), generator=g),
        torch.rand(24, generator=g) < 0.5,
    )
    for i, image in enumerate(images):
        image = functional().hflip(image) if mirrored[i] else image
        padded = functional().pad(image, [4], padding_mode="reflect")
        expected = functional().crop(padded, int(top[i]), int(left[i]), 32, 32)
        assert torch.equal(result[i], expected)


def test_windows_and_mirrorings_are_equally_likely():
    """Images whose two channels are the row and the column tell where they were cut."""
    row = torch.arange(32, dtype=torch.uint8).view(32, 1).expand(32, 32)
    n = 20_000
    result = augmentation.crop_and_flip(
        torch.stack([row, row.T]).expand(n, 2, 32, 32), seeded()
    ).long()
    mirrored = (result[:, 1, 16, 16] < result[:, 1, 16, 15]).long()
    top = result[:, 0, 16, 16] - 12
    left = torch.where(mirrored == 1, result[:, 1, 16, 15], result[:, 1, 16, 16]) - 12
    count = (2 * (9 * top + left) + mirrored).bincount(minlength=162).double()
    # chi-square with 161 degrees of freedom: 221 is exceeded once in a thousand seeds
    assert (((count - n / 162) ** 2) / (n / 162)).sum() < 221


def test_flip_mirrors_about_half_and_keeps_the_order():
    images = photos(24).repeat(100, 1, 1, 1)
    result = augmentation.flip(images, seeded())
    mirrored = (result == images.flip(-1)).flatten(1).all(1)
    same = (result == images).flatten(1).all(1)
    assert (mirrored | same).all()
    assert torch.equal(images, photos(24).repeat(100, 1, 1, 1))
    asymmetric = ~(images == images.flip(-1)).flatten(1).all(1)
    assert abs(mirrored[asymmetric].double().mean() - 0.5) < 4 * 0.5 / asymmetric.sum() ** 0.5


@pytest.mark.parametrize("size", [32, 64])
def test_resample_equals_torchvisions_resized_crop(size):
    images = photos(24, size)
    boxes = augmentation.resized_boxes(24, size, size, seeded())
    result = augmentation.resample(images, boxes)
    for image, cut, box in zip(images, result, boxes.T.tolist(), strict=True):
        expected = functional().resized_crop(image, *box, [size, size])
        # float32 sums in another order: a value halfway between two grey levels may go either way
        assert (cut.int() - expected.int()).abs().max() <= 1
        assert (cut != expected).double().mean() < 0.01


@pytest.mark.parametrize("height, width, scale", [(64, 64, (0.08, 1)), (40, 200, (0.5, 1))])
def test_boxes_have_torchvisions_law(height, width, scale):
    """Two samples, one of each: the means of area, shape and place agree within their errors."""
    n = 4000
    ours = augmentation.resized_boxes(n, height, width, seeded(), scale).T.double()
    torch.manual_seed(0)
    blank = torch.empty(1, height, width)
    draw = torchvision().transforms.RandomResizedCrop.get_params
    theirs = [draw(blank, list(scale), [3 / 4, 4 / 3]) for _ in range(n)]
    theirs = torch.tensor(theirs, dtype=torch.float64)
    top, left, h, w = ours.T
    assert (top >= 0).all() and (left >= 0).all() and (h > 0).all() and (w > 0).all()
    assert (top + h <= height).all() and (left + w <= width).all()
    for a, b in zip(statistics(ours), statistics(theirs), strict=True):
        assert abs(a.mean() - b.mean()) <= 4.5 * ((a.var() + b.var()) / n) ** 0.5


def statistics(boxes):
    top, left, h, w = boxes.T
    return top, left, h, w, h * w, (h * w) ** 2, (w / h).log() ** 2, top * h, left * w


@pytest.mark.parametrize("policy", augmentation.POLICIES)
@pytest.mark.parametrize("size, channels", [(32, 3), (8, 1)])
def test_every_policy_is_deterministic_and_leaves_its_input_alone(policy, size, channels):
    images = photos(24, size, channels)
    before = images.clone()
    first = augmentation.apply(policy, images, seeded(7))
    assert first.shape == images.shape and first.dtype == torch.uint8 and first.is_contiguous()
    assert torch.equal(first, augmentation.apply(policy, images, seeded(7)))
    assert torch.equal(images, before)
    if policy != "none":
        assert not torch.equal(first, augmentation.apply(policy, images, seeded(8)))
        assert not torch.equal(first, images)


def test_policies_are_what_their_text_says():
    images, g = photos(24), seeded(5)
    cifar10 = autoaugment.auto_augment(augmentation.crop_and_flip(images, g, fill=128), g)
    assert torch.equal(augmentation.apply("cifar10", images, seeded(5)), cifar10)
    cifar100 = augmentation.crop_and_flip(images, seeded(5), "reflect", flip_first=True)
    assert torch.equal(augmentation.apply("cifar100", images, seeded(5)), cifar100)
    mgic = augmentation.crop_and_flip(images, seeded(5))
    assert torch.equal(augmentation.apply("crop-flip", images, seeded(5)), mgic)
    for policy, smallest in (("resized-crop", 0.08), ("resized-crop-half", 0.5)):
        g = seeded(5)
        tiny = augmentation.flip(augmentation.resized_crop(images, g, (smallest, 1.0)), g)
        assert torch.equal(augmentation.apply(policy, images, seeded(5)), tiny)


def test_unknown_policy_names_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'cifar100'"):
        augmentation.apply("cifar-100", photos(8), seeded())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("policy", augmentation.POLICIES)
def test_gpu_draws_and_computes_what_the_cpu_does(policy):
    images = photos(200)
    there = augmentation.apply(policy, images.cuda(), seeded(1)).cpu()
    here = augmentation.apply(policy, images, seeded(1))
    # a GPU may contract a product and a sum into one rounding: one grey level, rarely
    assert (there.int() - here.int()).abs().max() <= 1
    assert (there != here).double().mean() < 0.01


@pytest.mark.parametrize("h, w", [(3, 3), (4, 4), (4, 9), (9, 4)])
def test_what_is_no_larger_than_the_padding_is_not_reflected(h, w):
    small = torch.zeros(2, 1, h, w, dtype=torch.uint8)
    with pytest.raises(InvalidValue, match=f"images of {h} x {w} pixels are too small"):
        augmentation.apply("cifar100", small, seeded())
    with pytest.raises(RuntimeError):  # nor by torch
        torch.nn.functional.pad(small.float(), (4, 4, 4, 4), mode="reflect")


def test_what_is_just_larger_is_reflected_as_torch_does():
    images = torch.arange(25, dtype=torch.uint8).view(1, 1, 5, 5)
    wide = torch.nn.functional.pad(images.float(), (4, 4, 4, 4), mode="reflect").byte()
    for top in range(9):
        for left in range(9):
            place = torch.tensor([top]), torch.tensor([left])
            ours = augmentation.cut(images, *place, torch.tensor([False]), 4, "reflect")
            assert torch.equal(ours, wide[:, :, top : top + 5, left : left + 5])
