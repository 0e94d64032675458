"""The papers' augmentation, batched: no loop over images, all on the device of the images.

Every random number comes from one generator on the CPU, so that a run on a GPU
draws what a run on the CPU draws. The order of the steps is that of the authors'
code: for CIFAR-10 crop, flip, AutoAugment; for CIFAR-100 flip, crop.
"""

import math

import torch

from ..errors import InvalidValue, choose
from .autoaugment import auto_augment
from .image_ops import to_bytes

#: The policies :func:`apply` knows.
POLICIES = (
    "none",
    "crop-flip",
    "cifar10",
    "cifar10-code",
    "cifar100",
    "resized-crop",
    "resized-crop-half",
)

#: Those that become cheaper the more images they get at once.
POOLED = ("crop-flip", "cifar10", "cifar10-code", "cifar100")


def apply(policy, images, generator):
    """Augment a batch.

    Parameters
    ----------
    policy : str
        - ``none``
        - ``crop-flip``: crop after padding by 4 with black, flip (MGIC on CIFAR)
        - ``cifar10``: crop after padding by 4 with grey 128, flip, torchvision's AutoAugment
        - ``cifar10-code``: the same with AutoAugment as in the code that trained Poly-MgNet,
          :data:`mgtutorial.data.autoaugment.READINGS` (MGiaD and Poly-MgNet on CIFAR-10)
        - ``cifar100``: flip, crop after padding by 4 by reflection
        - ``resized-crop``: a random part (8 to 100 % of the area) at full size, flip (ImageNet)
        - ``resized-crop-half``: the same with 50 to 100 %
    images : torch.Tensor
        uint8 (n, c, h, w); not changed.
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    torch.Tensor
        uint8 (n, c, h, w).

    Raises
    ------
    UnknownName
    InvalidValue
        If the images are too small for the policy.

    Examples
    --------
    >>> grey = torch.full((4, 3, 32, 32), 128, dtype=torch.uint8)
    >>> apply("cifar100", grey, torch.Generator().manual_seed(0)).unique().item()
    128
    """
    choose("augmentation", policy, POLICIES)
    if policy == "none":
        return images
    if policy == "cifar100":
        return crop_and_flip(images, generator, mode="reflect", flip_first=True)
    if policy.startswith("resized-crop"):
        smallest = 0.5 if policy.endswith("half") else 0.08
        return flip(resized_crop(images, generator, scale=(smallest, 1.0)), generator)
    if policy == "crop-flip":
        return crop_and_flip(images, generator)
    reading = "code" if policy == "cifar10-code" else "torchvision"
    return auto_augment(crop_and_flip(images, generator, fill=128), generator, reading)


def flip(images, generator):
    """Mirror each image, left to right, with probability 1/2.

    Parameters
    ----------
    images : torch.Tensor
        uint8 (n, c, h, w); not changed.
    generator : torch.Generator

    Returns
    -------
    torch.Tensor

    Examples
    --------
    >>> rows = torch.tensor([1, 2], dtype=torch.uint8).expand(4, 1, 1, 2)
    >>> flip(rows, torch.Generator().manual_seed(1))[:, 0, 0].tolist()
    [[1, 2], [2, 1], [2, 1], [1, 2]]
    """
    (index,) = torch.where(torch.rand(len(images), generator=generator) < 0.5)
    index = index.to(images.device)
    return images.clone().index_copy_(0, index, images.index_select(0, index).flip(3))


def crop_and_flip(images, generator, mode="constant", fill=0, flip_first=False):
    """Pad each image by 4, cut out a window of its size at random, mirror with probability 1/2.

    Parameters
    ----------
    images : torch.Tensor
        uint8 (n, c, h, w); not changed.
    generator : torch.Generator
    mode : {"constant", "reflect"}
    fill : int
        Grey level of constant padding.
    flip_first : bool
        Mirror before the window is cut.

    Returns
    -------
    torch.Tensor

    Examples
    --------
    >>> grey = torch.full((2, 1, 8, 8), 128, dtype=torch.uint8)
    >>> crop_and_flip(grey, torch.Generator().manual_seed(0), fill=128).unique().item()
    128
    """
    n = len(images)
    top, left = torch.randint(9, (2, n), generator=generator)
    mirrored = torch.rand(n, generator=generator) < 0.5
    if flip_first:
        # the same window, seen from the other side
        left = torch.where(mirrored, 8 - left, left)
    return cut(images, top, left, mirrored, 4, mode, fill)


def cut(images, top, left, mirrored, padding, mode="constant", fill=0):
    """Cut a window out of each padded image and mirror some: the work of :func:`crop_and_flip`.

    Parameters
    ----------
    images : torch.Tensor
        uint8 (n, c, h, w).
    top, left : torch.Tensor
        int64 (n,), 0 to twice the padding, on the CPU.
    mirrored : torch.Tensor
        bool (n,), on the CPU.
    padding : int
    mode : {"constant", "reflect"}
    fill : int

    Returns
    -------
    torch.Tensor
        uint8 (n, c, h, w).

    Raises
    ------
    InvalidValue
        If images that are not larger than the padding are to be reflected.

    Examples
    --------
    >>> image = torch.arange(1, 10, dtype=torch.uint8).view(1, 1, 3, 3)
    >>> corner, mirror = torch.tensor([0]), torch.tensor([True])
    >>> cut(image, corner, corner, ~mirror, 1)[0, 0].tolist()
    [[0, 0, 0], [0, 1, 2], [0, 4, 5]]
    >>> cut(image, corner, corner, mirror, 1, "reflect")[0, 0].tolist()
    [[5, 4, 5], [2, 1, 2], [5, 4, 5]]
    """
    n, c, h, w = images.shape
    if mode == "reflect" and min(h, w) <= padding:
        raise InvalidValue(
            f"images of {h} x {w} pixels are too small to be continued by {padding} of their own, "
            "reflected: choose another augmentation, or larger images."
        )
    wide = _widened(images, padding, mode, fill)
    # Whole rows are gathered first, and the images are sorted by column and mirroring on the
    # way; then there are few groups, each of which is one copy of a slice.
    code = 2 * left + mirrored
    order = code.argsort(stable=True)
    row = top[order, None] + torch.arange(-padding, h - padding)
    outside = (row < 0) | (row >= h)
    if mode == "reflect":
        row = h - 1 - (h - 1 - row.abs()).abs()
    first = (order[:, None] * c + torch.arange(c)) * h
    index = first[:, :, None] + row[:, None]
    if mode == "constant":
        index.masked_fill_(outside[:, None], n * c * h)  # the row of padding at the end
    tall = wide.index_select(0, index.view(-1).to(images.device)).view(n, c, h, w + 2 * padding)
    out = torch.empty_like(images)
    groups = code.bincount(minlength=4 * padding + 2).tolist()
    for k, (target, source) in enumerate(zip(out.split(groups), tall.split(groups), strict=True)):
        column, mirror = divmod(k, 2)
        window = source.narrow(3, column, w)
        target.copy_(window.flip(3) if mirror else window)
    return out.index_select(0, order.argsort().to(images.device))


def _widened(images, padding, mode, fill):
    """All rows (n c h, w + 2 padding), padded on the left and right, and one of padding alone."""
    n, c, h, w = images.shape
    wide = images.new_full((n * c * h + 1, w + 2 * padding), fill)
    rows = wide[:-1]
    rows[:, padding : padding + w] = images.reshape(-1, w)
    if mode == "reflect":  # F.pad reflects no uint8 tensors
        rows[:, :padding] = rows[:, padding + 1 : 2 * padding + 1].flip(1)
        rows[:, padding + w :] = rows[:, w - 1 : w + padding - 1].flip(1)
    return wide


def resized_boxes(n, height, width, generator, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3)):
    """Random parts of an image, uniform in area and in the logarithm of width over height.

    Parameters
    ----------
    n : int
    height, width : int
        Of the image, in pixels.
    generator : torch.Generator
    scale : (float, float)
        Smallest and largest part of the area.
    ratio : (float, float)
        Smallest and largest width / height.

    Returns
    -------
    torch.Tensor
        int64 (4, n): top, left, height, width. A box that does not fit is drawn
        again, ten draws at most; then the largest central box is taken.

    Examples
    --------
    >>> resized_boxes(1, 8, 8, torch.Generator().manual_seed(0), scale=(1.0, 1.0), ratio=(1, 1)).T
    tensor([[0, 0, 8, 8]])
    """
    low, high = (math.log(r) for r in ratio)
    area = torch.rand(n, 10, generator=generator) * (scale[1] - scale[0]) + scale[0]
    aspect = (torch.rand(n, 10, generator=generator) * (high - low) + low).exp()
    area *= height * width
    w, h = (area * aspect).sqrt().round().long(), (area / aspect).sqrt().round().long()
    fits = (w > 0) & (w <= width) & (h > 0) & (h <= height)
    first = fits.byte().argmax(1, keepdim=True)
    some = fits.any(1)
    w = torch.where(some, w.gather(1, first)[:, 0], min(width, round(height * ratio[1])))
    h = torch.where(some, h.gather(1, first)[:, 0], min(height, round(width / ratio[0])))
    top, left = torch.rand(2, n, generator=generator)
    top = torch.where(some, (top * (height - h + 1)).long(), (height - h) // 2)
    left = torch.where(some, (left * (width - w + 1)).long(), (width - w) // 2)
    return torch.stack([top, left, h, w])


def resized_crop(images, generator, scale=(0.08, 1.0)):
    """Cut a random part out of each image and enlarge it to the size of the image (bilinear).

    Parameters
    ----------
    images : torch.Tensor
        uint8 (n, c, h, w).
    generator : torch.Generator
    scale : (float, float)
        See :func:`resized_boxes`.

    Returns
    -------
    torch.Tensor

    Examples
    --------
    >>> ramp = torch.arange(64, dtype=torch.uint8).expand(1, 1, 64, 64)
    >>> out = resized_crop(ramp, torch.Generator().manual_seed(0))
    >>> out.shape, int(out.max() - out.min()) < 63
    (torch.Size([1, 1, 64, 64]), True)
    """
    n, _, h, w = images.shape
    return resample(images, resized_boxes(n, h, w, generator, scale))


def resample(images, boxes):
    """Enlarge a box of each image to the size of the image: the work of :func:`resized_crop`.

    Parameters
    ----------
    images : torch.Tensor
        uint8 (n, c, h, w).
    boxes : torch.Tensor
        int64 (4, n): top, left, height, width.

    Returns
    -------
    torch.Tensor

    Examples
    --------
    >>> image = torch.tensor([[[[0, 0, 0, 0], [0, 80, 160, 0], [0, 80, 160, 0], [0, 0, 0, 0]]]])
    >>> resample(image.to(torch.uint8), torch.tensor([[1], [1], [2], [2]]))[0, 0, 0].tolist()
    [80, 100, 140, 160]
    """
    top, left, height, width = boxes.to(images.device)[:, :, None]
    rows = _interpolate_rows(images, top, height)
    columns = _interpolate_rows(rows.transpose(2, 3), left, width)
    return to_bytes(columns.round_()).transpose(2, 3).contiguous()


def _interpolate_rows(images, start, length):
    """Interpolate the rows start .. start + length - 1 of each image to as many rows as it has.

    Whole rows are gathered, which is several times as fast as grid_sample.
    """
    n, c, size, width = images.shape
    pixel = torch.arange(size, device=images.device) + 0.5
    source = (pixel * (length / size) - 0.5).clamp_(min=0)
    # beyond the outermost centres of the box its own rows are repeated, not its neighbours
    last = length - 1
    below = torch.minimum(source.long(), last)
    above = torch.minimum(below + 1, last)
    rows = images.reshape(n * c * size, width)
    first = torch.arange(0, n * c * size, size, device=images.device).view(n, c, 1)
    a, b = (
        rows.index_select(0, (first + (index + start)[:, None]).view(-1)).view(images.shape).float()
        for index in (below, above)
    )
    return a.lerp_(b, (source - below)[:, None, :, None])
