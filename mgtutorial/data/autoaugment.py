"""AutoAugment's policy for CIFAR-10, batched: images that meet the same operation form a group.

The paper's table leaves open what an operation does at the border and how a level becomes a number.
:data:`READINGS` has two answers: torchvision's, and that of the code which trained Poly-MgNet.

E. D. Cubuk, B. Zoph, D. Mané, V. Vasudevan, Q. V. Le: AutoAugment: learning
augmentation strategies from data. CVPR 2019.
"""

import functools
from typing import NamedTuple

import torch

from ..errors import choose
from . import image_ops

# AutoAugment's policy for CIFAR-10 (Cubuk et al., CVPR 2019, table 7, as torchvision has it): 25
# sub-policies of two operations (name, probability, level 0 to 9).
CIFAR10_POLICY = (
    (("invert", 0.1, 0), ("contrast", 0.2, 6)),
    (("rotate", 0.7, 2), ("translate_x", 0.3, 9)),
    (("sharpness", 0.8, 1), ("sharpness", 0.9, 3)),
    (("shear_y", 0.5, 8), ("translate_y", 0.7, 9)),
    (("autocontrast", 0.5, 0), ("equalize", 0.9, 0)),
    (("shear_y", 0.2, 7), ("posterize", 0.3, 7)),
    (("colour", 0.4, 3), ("brightness", 0.6, 7)),
    (("sharpness", 0.3, 9), ("brightness", 0.7, 9)),
    (("equalize", 0.6, 0), ("equalize", 0.5, 0)),
    (("contrast", 0.6, 7), ("sharpness", 0.6, 5)),
    (("colour", 0.7, 7), ("translate_x", 0.5, 8)),
    (("equalize", 0.3, 0), ("autocontrast", 0.4, 0)),
    (("translate_y", 0.4, 3), ("sharpness", 0.2, 6)),
    (("brightness", 0.9, 6), ("colour", 0.2, 8)),
    (("solarize", 0.5, 2), ("invert", 0.0, 0)),
    (("equalize", 0.2, 0), ("autocontrast", 0.6, 0)),
    (("equalize", 0.2, 0), ("equalize", 0.6, 0)),
    (("colour", 0.9, 9), ("equalize", 0.6, 0)),
    (("autocontrast", 0.8, 0), ("solarize", 0.2, 8)),
    (("brightness", 0.1, 3), ("colour", 0.7, 0)),
    (("solarize", 0.4, 5), ("autocontrast", 0.9, 0)),
    (("translate_y", 0.9, 9), ("translate_y", 0.7, 9)),
    (("autocontrast", 0.9, 0), ("solarize", 0.8, 3)),
    (("equalize", 0.8, 0), ("invert", 0.1, 0)),
    (("translate_y", 0.7, 9), ("autocontrast", 0.9, 0)),
)

_PLAIN = ("autocontrast", "equalize", "invert")  # no magnitude
_FACTOR = ("brightness", "colour", "contrast", "sharpness")  # the magnitude is added to 1
_LARGEST = {"shear_x": 0.3, "shear_y": 0.3, "rotate": 30.0, **dict.fromkeys(_FACTOR, 0.9)}
_MOVING = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")  # they uncover pixels


class Reading(NamedTuple):
    """What the policy's table leaves open.

    Attributes
    ----------
    fill : int
        Grey level of what is uncovered.
    cubic : bool
        Whether a shear is bicubic; otherwise it takes the nearest pixel.
    turns_both_ways : bool
        Whether the sign of a rotation is drawn; otherwise it is counter-clockwise.
    rounded : bool
        Whether a translation is rounded to whole pixels; otherwise its fraction is cut off.
    solarize : int
        The threshold of solarize at level 0.
    """

    fill: int
    cubic: bool
    turns_both_ways: bool
    rounded: bool
    solarize: int


#: torchvision's AutoAugment; ``utils/autoaugment.py`` of vanbetteray/Poly-MgNet@7f92a63.
READINGS = {
    "torchvision": Reading(0, False, True, False, 255),
    "code": Reading(128, True, False, True, 256),
}


def magnitude(name, level, height, width, reading="torchvision"):
    """What a level of AutoAugment means for an operation.

    Parameters
    ----------
    name : str
        A function of :mod:`mgtutorial.data.image_ops`.
    level : int
        0 to 9.
    height, width : int
        Of the images: translations are fractions of these (150 of 331 pixels at level 9).
    reading : str
        A key of :data:`READINGS`.

    Returns
    -------
    (float or None, bool)
        The magnitude, and whether its sign is drawn at random.

    Examples
    --------
    >>> magnitude("rotate", 9, 32, 32), magnitude("posterize", 7, 32, 32)
    ((30.0, True), (5, False))
    >>> magnitude("rotate", 9, 32, 32, "code"), magnitude("translate_x", 9, 32, 32, "code")
    ((30.0, False), (15, True))
    """
    reads = READINGS[reading]
    if name in _PLAIN:
        return None, False
    if name == "posterize":
        return 8 - round(level / (9 / 4)), False
    if name == "solarize":
        return _of_ten(reads.solarize, 0, level, reading), False
    largest = 150 / 331 * {"translate_x": width, "translate_y": height}.get(name, 0)
    value = _of_ten(0, largest or _LARGEST[name], level, reading)
    if largest and reads.rounded:
        value = round(value)
    return value, name != "rotate" or reads.turns_both_ways


def _of_ten(first, last, level, reading):
    """One of ten equidistant numbers, in the precision of the reading, which can decide a pixel."""
    if reading == "torchvision":
        return torch.linspace(first, last, 10)[level].item()
    return first + level * ((last - first) / 9)


def auto_augment(images, generator, reading="torchvision"):
    """Apply AutoAugment with the policy for CIFAR-10, drawing a sub-policy for each image.

    Parameters
    ----------
    images : torch.Tensor
        uint8 (n, c, h, w).
    generator : torch.Generator
        On the CPU. It draws the same numbers for every reading.
    reading : {"torchvision", "code"}
        How the policy's table is read: :data:`READINGS`.

    Returns
    -------
    torch.Tensor

    Raises
    ------
    UnknownName

    Examples
    --------
    >>> images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(100, 3, 16, 16)
    >>> out = auto_augment(images, torch.Generator().manual_seed(0))
    >>> out.shape, bool((out != images).any())
    (torch.Size([100, 3, 16, 16]), True)
    """
    n = len(images)
    chosen = torch.randint(len(CIFAR10_POLICY), (n,), generator=generator)
    chance = torch.rand(n, 2, generator=generator)
    sign = torch.randint(2, (n, 2), generator=generator)
    return auto_augment_as(images, chosen, chance, sign, reading)


def auto_augment_as(images, chosen, chance, sign, reading="torchvision"):
    """Carry out what was drawn: see :func:`auto_augment`.

    Parameters
    ----------
    images : torch.Tensor
        uint8 (n, c, h, w); not changed.
    chosen : torch.Tensor
        int64 (n,): the sub-policy.
    chance : torch.Tensor
        float32 (n, 2): an operation is carried out where this is at most its probability.
    sign : torch.Tensor
        int64 (n, 2): 0 makes a signed magnitude negative.
    reading : {"torchvision", "code"}

    Returns
    -------
    torch.Tensor

    Examples
    --------
    Sub-policy 23 inverts with probability 0.1, after equalising with probability 0.8:

    >>> image = torch.full((1, 1, 4, 4), 55, dtype=torch.uint8)
    >>> chance = torch.tensor([[0.9, 0.05]])
    >>> sign = torch.zeros(1, 2, dtype=torch.int64)
    >>> auto_augment_as(image, torch.tensor([23]), chance, sign).unique().item()
    200
    """
    choose("reading of AutoAugment", reading, READINGS)
    place = torch.arange(len(images))  # of each image in the present order
    for stage in (0, 1):
        operations, probability, code_of, factor_of = _stage(stage, *images.shape[-2:], reading)
        # images that meet the same operation form a group; the last group is left alone
        drawn = chosen, sign[:, stage]
        code = torch.where(chance[:, stage] <= probability[chosen], code_of[drawn], len(operations))
        order = code.argsort(stable=True)
        # from the order of the last stage to that of this one, in one copy
        images = images.index_select(0, place[order].to(images.device))
        place = order.argsort()
        sizes = code.bincount(minlength=len(operations) + 1).tolist()
        groups = zip(images.split(sizes), factor_of[drawn][order].split(sizes), strict=True)
        for (name, value), (group, factors) in zip(operations, groups, strict=False):
            if len(group):
                operation = _operation(name, reading)
                value = factors if name in _FACTOR else value
                group.copy_(operation(group) if value is None else operation(group, value))
    return images.index_select(0, place.to(images.device))


@functools.lru_cache
def _operation(name, reading):
    reads = READINGS[reading]
    cubic = reads.cubic and name.startswith("shear")
    operation = getattr(image_ops, f"cubic_{name}" if cubic else name)
    return functools.partial(operation, fill=reads.fill) if name in _MOVING else operation


@functools.lru_cache
def _stage(stage, height, width, reading):
    """What a stage consists of.

    Returns
    -------
    operations : list of (str, float or None)
        Name and magnitude: None where there is none, and where each image has its own factor.
    probability : torch.Tensor
        float32 (25,), of each sub-policy's operation.
    code_of, factor_of : torch.Tensor
        (25, 2): number of the operation, and the factor, for each sub-policy and sign.
    """
    operations, code_of, factor_of = [], [], []
    for sub_policy in CIFAR10_POLICY:
        name, _, level = sub_policy[stage]
        value, signed = magnitude(name, level, height, width, reading)
        values = (-value, value) if signed else (value, value)
        factor_of.append([1.0 + v if name in _FACTOR else 1.0 for v in values])
        pairs = [(name, None if name in _FACTOR else v) for v in values]
        operations.extend(p for p in dict.fromkeys(pairs) if p not in operations)
        code_of.append([operations.index(p) for p in pairs])
    probability = torch.tensor([sub_policy[stage][1] for sub_policy in CIFAR10_POLICY])
    factor_of = torch.tensor(factor_of, dtype=torch.float64)
    return operations, probability, torch.tensor(code_of), factor_of
