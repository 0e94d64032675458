"""Image operations on batches of uint8 tensors, on any device.

Each takes images of shape (n, c, h, w), uint8, with one or three channels, and
one magnitude for all of them (a factor may also be a tensor (n,), one for each),
and gives the grey levels that the corresponding function of torchvision gives
for one image. They are the alphabet of
AutoAugment (Cubuk et al., CVPR 2019), with which :mod:`mgtutorial.data.autoaugment` spells.

The examples use one image of one row:

>>> row = torch.tensor([[[[10, 100, 200]]]], dtype=torch.uint8)
>>> brightness(row, 0.5).flatten().tolist()
[5, 50, 100]
"""

import functools
import math

import torch


def to_bytes(x):
    """Convert grey levels in 0 to 255 from float32 to uint8; fractions are cut off.

    Examples
    --------
    >>> to_bytes(torch.tensor([0.9, 255.0]))
    tensor([  0, 255], dtype=torch.uint8)
    """
    # on a CPU the detour is four times as fast as the direct way, which is not vectorised
    return x.to(torch.int16).to(torch.uint8)


def _blend(images, other, factor):
    # 1 - factor is rounded once, and the float32 operations have torchvision's order:
    # both decide what is truncated
    factor = torch.as_tensor(factor, dtype=torch.float64).view(-1, 1, 1, 1)
    blended = images.float().mul_(factor.to(images.device, torch.float32))
    if other is not None:
        blended += other * (1.0 - factor).to(images.device, torch.float32)
    return to_bytes(blended.clamp_(0, 255))


def _grey(images):
    if images.shape[1] == 1:
        return images
    r, g, b = images.unbind(1)
    return to_bytes(0.2989 * r + 0.587 * g + 0.114 * b)[:, None]


def brightness(images, factor):
    """Multiply by `factor` (0 is black, 1 changes nothing).

    Examples
    --------
    >>> brightness(torch.tensor([[[[10, 100, 200]]]], dtype=torch.uint8), 1.5).flatten().tolist()
    [15, 150, 255]
    """
    return _blend(images, None, factor)


def colour(images, factor):
    """Blend with the grey image (0 is grey, 1 changes nothing); grey images stay as they are.

    Examples
    --------
    >>> red = torch.tensor([200, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1)
    >>> colour(red, 0.5).flatten().tolist()
    [129, 29, 29]
    """
    return images if images.shape[1] == 1 else _blend(images, _grey(images), factor)


def contrast(images, factor):
    """Blend with the mean of the grey image (0 is flat, 1 changes nothing).

    Examples
    --------
    >>> contrast(torch.tensor([[[[0, 100, 200]]]], dtype=torch.uint8), 0.5).flatten().tolist()
    [50, 100, 150]
    """
    return _blend(images, _grey(images).float().mean((1, 2, 3), keepdim=True), factor)


def sharpness(images, factor):
    """Blend with a smoothed image (0 is smooth, 1 changes nothing, 2 is sharp).

    The smoothing is the 3 x 3 mean with weight 5 in the middle (sum 13); a
    border of one pixel is not smoothed.

    Examples
    --------
    >>> dot = torch.zeros(1, 1, 3, 3, dtype=torch.uint8)
    >>> dot[..., 1, 1] = 130
    >>> sharpness(dot, 0.0)[..., 1, 1].item(), sharpness(dot, 1.5)[..., 1, 1].item()
    (50, 170)
    """
    if min(images.shape[-2:]) <= 2:
        return images
    x = images.to(torch.int16)  # 13 * 255 fits
    rows = x[..., :-2, :] + x[..., 1:-1, :] + x[..., 2:, :]
    middle = x[..., 1:-1, 1:-1]
    total = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] + 4 * middle
    # rounded: 13 is odd, so no quotient lies halfway and the last digit cannot matter
    smooth = images.float()
    smooth[..., 1:-1, 1:-1] = (total * (1 / 13)).round_()
    # the border is blended with itself, where truncation can cost a grey level, as in torchvision
    return _blend(images, smooth, factor)


def posterize(images, bits):
    """Keep the `bits` highest bits of each grey level (1 to 8).

    Examples
    --------
    >>> posterize(torch.tensor([[[[10, 100, 255]]]], dtype=torch.uint8), 3).flatten().tolist()
    [0, 96, 224]
    """
    return images & (256 - 2 ** (8 - int(bits)))


def solarize(images, threshold):
    """Invert the grey levels that are at least `threshold`.

    Examples
    --------
    >>> solarize(torch.tensor([[[[10, 100, 200]]]], dtype=torch.uint8), 100).flatten().tolist()
    [10, 155, 55]
    """
    if threshold > 255:
        return images
    # x ^ 255 is 255 - x; several times as fast as torch.where on uint8
    return images ^ (images >= math.ceil(threshold)).view(torch.uint8).mul_(255)


def invert(images):
    """Negative of each image.

    Examples
    --------
    >>> invert(torch.tensor([[[[10, 100, 200]]]], dtype=torch.uint8)).flatten().tolist()
    [245, 155, 55]
    """
    return 255 - images


def autocontrast(images):
    """Stretch each channel of each image to 0..255; a flat one stays as it is.

    Examples
    --------
    >>> autocontrast(torch.tensor([[[[10, 61, 112]]]], dtype=torch.uint8)).flatten().tolist()
    [0, 127, 255]
    """
    low = images.amin((2, 3), keepdim=True).float()
    scale = 255 / (images.amax((2, 3), keepdim=True) - low)
    flat = scale.isinf()
    low.masked_fill_(flat, 0)
    scale.masked_fill_(flat, 1)
    return to_bytes(((images - low) * scale).clamp_(0, 255))


def equalize(images):
    """Spread the grey levels of each channel of each image evenly (histogram equalisation).

    With ``H`` the cumulative histogram and ``s`` the number of pixels, without those of
    the brightest level, divided by 255: level ``v`` becomes
    ``(H(v - 1) + s // 2) // s``. Where ``s`` is 0 the channel stays as it is.

    Examples
    --------
    >>> dark = torch.arange(64 * 64, dtype=torch.int32).div(64, rounding_mode="floor")
    >>> equalize(dark.to(torch.uint8).view(1, 1, 64, 64))[0, 0, ::21, 0].tolist()
    [0, 90, 179, 255]
    """
    n, c = images.shape[:2]
    start = torch.arange(0, 256 * n * c, 256, dtype=torch.int32, device=images.device)
    start = start.view(n, c, 1, 1)
    place = images + start  # of each pixel in one long table
    count = torch.bincount(place.reshape(-1), minlength=256 * n * c).view(n * c, 256)
    brightest = images.amax((2, 3)).reshape(-1, 1).long()
    pixels = images.shape[2] * images.shape[3]
    step = (pixels - count.gather(1, brightest)) // 255
    below = count.cumsum(1) - count
    # float32 division is exact enough to be rounded down: all numbers are below 2^24
    table = ((below + step // 2) / step.clamp(min=1)).floor_()
    level = torch.arange(256, device=images.device)
    # the first level has nothing below it, whatever rounding adds
    table = table.clamp_(max=255).masked_fill_(level == 0, 0)
    table = to_bytes(torch.where(step == 0, level.float(), table))
    return table.view(-1).index_select(0, place.reshape(-1)).view(images.shape)


def shear_x(images, slope, fill=0):
    """Shift each row to the left by `slope` times its distance from the top; `fill` comes in.

    Examples
    --------
    >>> shear_x(torch.ones(1, 1, 3, 3, dtype=torch.uint8), 0.9)[0, 0].tolist()
    [[1, 1, 1], [1, 1, 0], [1, 0, 0]]
    """
    return _warp(images, "shear_x", slope, fill)


def shear_y(images, slope, fill=0):
    """Shift each column up by `slope` times its distance from the left; `fill` comes in.

    Examples
    --------
    >>> shear_y(torch.ones(1, 1, 3, 3, dtype=torch.uint8), 0.9)[0, 0].tolist()
    [[1, 1, 1], [1, 1, 0], [1, 0, 0]]
    """
    return _warp(images, "shear_y", slope, fill)


def cubic_shear_x(images, slope, fill=0):
    """:func:`shear_x`, bicubic: see :func:`cubic_shear_y`.

    Examples
    --------
    >>> cubic_shear_x(torch.full((1, 1, 3, 3), 9, dtype=torch.uint8), 0.9)[0, 0].tolist()
    [[9, 9, 9], [9, 9, 0], [9, 0, 0]]
    """
    return cubic_shear_y(images.transpose(2, 3), slope, fill).transpose(2, 3).contiguous()


def cubic_shear_y(images, slope, fill=0):
    """:func:`shear_y`, bicubic, as Pillow's affine transform has it: fractions are cut off.

    Its cubic passes through the two pixels around a point, and the slope at each is the difference
    of its two neighbours; outside the image the pixels of the border are repeated.

    Examples
    --------
    >>> cubic_shear_y(torch.full((1, 1, 3, 3), 9, dtype=torch.uint8), 0.9)[0, 0].tolist()
    [[9, 9, 9], [9, 9, 0], [9, 0, 0]]
    """
    h, w = images.shape[-2:]
    device = images.device
    source = slope * (torch.arange(w, dtype=torch.float64) + 0.5)
    source = source + torch.arange(h, dtype=torch.float64)[:, None]  # row, in pixels' centres
    outside = ((source < -0.5) | (source >= h - 0.5)).to(device)
    row = source.floor()
    d = (source - row).to(device)
    column = torch.arange(w)
    pixels = images.flatten(2)
    v1, v2, v3, v4 = (
        pixels[:, :, ((row.long() + k).clamp(0, h - 1) * w + column).to(device)].double()
        for k in (-1, 0, 1, 2)
    )
    value = v2 + d * (v3 - v1 + d * (2 * (v1 - v2) + v3 - v4 + d * (v2 - v1 + v4 - v3)))
    return to_bytes(value.clamp_(0, 255)).masked_fill_(outside, fill)


def translate_x(images, pixels, fill=0):
    """Shift to the right by whole pixels (a fraction is cut off); `fill` comes in.

    Examples
    --------
    >>> translate_x(torch.tensor([[[[10, 100, 200]]]], dtype=torch.uint8), -1.9).flatten().tolist()
    [100, 200, 0]
    """
    return _shift(images, int(pixels), 3, fill)


def translate_y(images, pixels, fill=0):
    """Shift down by whole pixels (a fraction is cut off); `fill` comes in.

    Examples
    --------
    >>> translate_y(torch.tensor([[[[10], [100]]]], dtype=torch.uint8), 1).flatten().tolist()
    [0, 10]
    """
    return _shift(images, int(pixels), 2, fill)


def _shift(images, pixels, dim, fill):
    size = images.shape[dim]
    kept = max(0, size - abs(pixels))
    out = torch.full_like(images, fill)
    into, start = (size - kept, 0) if pixels > 0 else (0, size - kept)
    out.narrow(dim, into, kept).copy_(images.narrow(dim, start, kept))
    return out


def rotate(images, degrees, fill=0):
    """Turn counter-clockwise about the centre, to the nearest pixel; `fill` comes in.

    Examples
    --------
    >>> rotate(torch.tensor([[[[1, 2], [3, 4]]]], dtype=torch.uint8), 90).flatten().tolist()
    [2, 4, 1, 3]
    """
    return _warp(images, "rotate", degrees, fill)


def _warp(images, kind, magnitude, fill):
    h, w = images.shape[-2:]
    index, outside = _nearest(kind, float(magnitude), h, w, images.device)
    return images.flatten(2)[:, :, index].masked_fill_(outside, fill).view_as(images)


def _matrix(kind, m, h, w):
    """Where a pixel comes from: takes (x, y, 1), measured from the centre, to its source."""
    if kind == "shear_x":
        return (1.0, m, m * h / 2), (0.0, 1.0, 0.0)
    if kind == "shear_y":
        return (1.0, 0.0, 0.0), (m, 1.0, m * w / 2)
    angle = math.radians(-m)
    sin, cos = math.sin(angle), math.cos(angle)
    return (cos, sin, 0.0), (-sin, cos, 0.0)


@functools.lru_cache(maxsize=256)
def _nearest(kind, magnitude, h, w, device):
    """Index (h * w,) of each pixel's source, and which sources are outside.

    Some sources lie halfway between two pixels, and rounding decides: the
    float32 operations are those of an affine grid followed by grid_sample, on
    the CPU whatever the device.
    """
    x = torch.arange(w) + (0.5 - 0.5 * w)
    y = torch.arange(h) + (0.5 - 0.5 * h)
    base = torch.stack([*torch.meshgrid(x, y, indexing="xy"), torch.ones(h, w)], -1)
    matrix = torch.tensor(_matrix(kind, magnitude, h, w)).t() / torch.tensor([0.5 * w, 0.5 * h])
    source = base.view(1, h * w, 3).bmm(matrix[None])[0]
    column, row = (((source + 1) * torch.tensor([w / 2, h / 2])) - 0.5).round().unbind(1)
    outside = (column < 0) | (column >= w) | (row < 0) | (row >= h)
    index = (row.clamp(0, h - 1) * w + column.clamp(0, w - 1)).long()
    return index.to(device), outside.to(device)
