"""AutoAugment as the code of Poly-MgNet has it, against Pillow, image by image.

What that code does (vanbetteray/Poly-MgNet@7f92a63, utils/autoaugment.py), by its facts: pixels
that come in are grey 128; shears are bicubic, shifts and turns take the nearest pixel; a turn has
one sign, all else both; solarize's thresholds go from 256 to 0.
"""

import numpy as np
import pytest
import torch

from mgtutorial.data import augmentation, autoaugment, image_ops
from mgtutorial.errors import UnknownName

from .test_augmentation import photos, seeded

GREY = (128, 128, 128)
LEVELS = {
    "rotate": np.linspace(0, 30, 10),
    "translate": np.linspace(0, 150 / 331, 10),
    "shear": np.linspace(0, 0.3, 10),
    "posterize": np.linspace(8, 4, 10).round().astype(int),
    "solarize": np.linspace(256, 0, 10),
    "factor": np.linspace(0, 0.9, 10),
}


def in_pillow(image, name, level, sign):
    """One operation on one image; `sign` is -1 or 1."""
    from PIL import Image, ImageEnhance, ImageOps

    def moved(matrix, **how):
        return image.transform(image.size, Image.Transform.AFFINE, matrix, fillcolor=GREY, **how)

    width, height = image.size
    cubic = {"resample": Image.Resampling.BICUBIC}
    if name.startswith("shear"):
        m = sign * LEVELS["shear"][level]
        return moved((1, m, 0, 0, 1, 0) if name == "shear_x" else (1, 0, 0, m, 1, 0), **cubic)
    if name.startswith("translate"):
        # ours moves to the right for the sign +; which sign moves where is no matter of its law
        m = -sign * LEVELS["translate"][level]
        across = name == "translate_x"
        return moved((1, 0, m * width, 0, 1, 0) if across else (1, 0, 0, 0, 1, m * height))
    if name == "rotate":
        turned = image.convert("RGBA").rotate(LEVELS["rotate"][level])
        grey = Image.new("RGBA", turned.size, (128,) * 4)
        return Image.composite(turned, grey, turned).convert("RGB")
    if name == "posterize":
        return ImageOps.posterize(image, int(LEVELS["posterize"][level]))
    if name == "solarize":
        return ImageOps.solarize(image, LEVELS["solarize"][level])
    if name in ("autocontrast", "equalize", "invert"):
        return getattr(ImageOps, name)(image)
    kind = "Color" if name == "colour" else name.title()
    return getattr(ImageEnhance, kind)(image).enhance(1 + sign * LEVELS["factor"][level])


def slow(x, operation, here, sign):
    """One stage of a sub-policy on one image."""
    from PIL import Image

    name, probability, level = operation
    if here > probability:
        return x
    image = Image.fromarray(x.permute(1, 2, 0).numpy())
    image = in_pillow(image, name, level, 1 if sign else -1)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


MOVES = [*autoaugment._MOVING, "posterize", "solarize", "equalize", "autocontrast", "invert"]


@pytest.mark.parametrize("name", [*MOVES, *autoaugment._FACTOR])
def test_operation_is_pillows(name):
    from PIL import Image

    images = photos(8)
    for level in range(10):
        value, signed = autoaugment.magnitude(name, level, 32, 32, "code")
        assert signed == (name in autoaugment._FACTOR or name in autoaugment._MOVING[:4])
        for s in (-1, 1) if signed else (1,):
            operation = autoaugment._operation(name, "code")
            factor = name in autoaugment._FACTOR
            ours = operation(images) if value is None else operation(images, factor + s * value)
            theirs = [
                in_pillow(Image.fromarray(x.permute(1, 2, 0).numpy()), name, level, s)
                for x in images
            ]
            theirs = torch.from_numpy(np.stack([np.array(x) for x in theirs])).permute(0, 3, 1, 2)
            off = (ours.int() - theirs.int()).abs()
            if name == "rotate":  # fixed-point numbers there: a source halfway may go either way
                assert (off.amax(1) > 0).double().mean() < 0.002, level
            elif name in autoaugment._FACTOR:  # Pillow rounds the grey image and its mean first
                assert off.max() <= 2, level
            elif name.startswith("shear"):  # a fraction of 0 or nearly 1 is cut off
                assert off.max() <= 1 and (off > 0).double().mean() < 0.001, level
            else:
                assert off.max() <= (name == "autocontrast"), level


def test_auto_augment_is_the_codes_image_by_image():
    """All 25 sub-policies, with the random numbers given, each stage on what came before it."""
    images = photos(200)
    g = seeded(3)
    chosen = torch.arange(200) % 25
    chance, sign = torch.rand(200, 2, generator=g), torch.randint(2, (200, 2), generator=g)
    first_alone = torch.stack([chance[:, 0], torch.full((200,), 2.0)], 1)  # 2: never carried out
    first = autoaugment.auto_augment_as(images, chosen, first_alone, sign, "code")
    both = autoaugment.auto_augment_as(images, chosen, chance, sign, "code")
    other = autoaugment.auto_augment_as(images, chosen, chance, sign)
    moved = 0
    for i in range(200):
        sub_policy = autoaugment.CIFAR10_POLICY[chosen[i]]
        for stage, (before, after) in enumerate(((images, first), (first, both))):
            theirs = slow(before[i], sub_policy[stage], chance[i, stage], sign[i, stage])
            off = (after[i].int() - theirs.int()).abs().double()
            assert off.mean() <= 1 and (off > 2).double().mean() < 0.01, sub_policy[stage]
        done = [n for (n, p, _), here in zip(sub_policy, chance[i], strict=True) if here <= p]
        if set(done) & set(autoaugment._MOVING):
            moved += 1
            assert not torch.equal(both[i], other[i])
    assert moved > 20


def test_what_is_uncovered_is_grey():
    white = torch.full((1, 3, 32, 32), 255, dtype=torch.uint8)
    for name in autoaugment._MOVING:
        value, _ = autoaugment.magnitude(name, 9, 32, 32, "code")
        new = autoaugment._operation(name, "code")(white, value)
        assert set(new.unique().tolist()) == {128, 255}, name


def test_a_turn_has_one_sign_and_the_rest_both():
    operations, _, code_of, _ = autoaugment._stage(0, 32, 32, "code")
    turns = [value for name, value in operations if name == "rotate"]
    assert turns == [pytest.approx(30 * 2 / 9)]
    both = [value for name, value in operations if name == "translate_y"]
    assert sorted(both) == sorted(-v for v in both) and len(both) == 4
    assert code_of[1, 0] == code_of[1, 1]  # sub-policy 1 begins with the rotation


def test_policy_of_the_code_is_crop_flip_and_this_reading():
    images, g = photos(24), seeded(5)
    wanted = augmentation.crop_and_flip(images, g, fill=128)
    wanted = autoaugment.auto_augment(wanted, g, "code")
    assert torch.equal(augmentation.apply("cifar10-code", images, seeded(5)), wanted)


def test_an_unknown_reading_is_one_sentence():
    with pytest.raises(UnknownName, match="torchvision"):
        autoaugment.auto_augment(photos(8), seeded(), "pillow")


@pytest.mark.parametrize("slope", [-0.3, 0.0, 0.2])
def test_cubic_shear_keeps_flat_images_and_moves_by_whole_pixels(slope):
    flat = torch.full((2, 1, 16, 12), 77, dtype=torch.uint8)
    assert set(image_ops.cubic_shear_y(flat, slope, 5).unique().tolist()) <= {5, 77}
    x = photos(4)
    rows = image_ops.cubic_shear_x(x, slope, 128)
    columns = image_ops.cubic_shear_y(x.transpose(2, 3), slope, 128).transpose(2, 3)
    assert torch.equal(rows, columns)
