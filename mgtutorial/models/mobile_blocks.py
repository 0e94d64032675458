"""The parts of MobileNetV3: inverted bottlenecks whose pointwise convolutions may be grouped.

References
----------
.. [1] A. Howard et al., Searching for MobileNetV3, ICCV (2019).
"""

import torch
from torch import nn

from ..errors import InvalidValue
from . import blocks
from .config import is_whole


def round_width(c, multiple=8):
    """Return the multiple of 8 nearest to `c`, at least 8 and at least 90 % of `c`.

    Parameters
    ----------
    c : float
        A number of channels, times a multiplier.
    multiple : int
        A number other than 8; GhostNet has 4.

    Examples
    --------
    >>> [round_width(c) for c in (9.6, 14.4, 24, 100)]
    [16, 16, 24, 104]

    Book: mgic, mgic-networks
    """
    nearest = max(multiple, int(c + multiple / 2) // multiple * multiple)
    return nearest + multiple if nearest < 0.9 * c else nearest


def group_number(c, m, s_g, grouping="size"):
    """Return the number of groups that couple `c` channels with `m` hidden ones.

    ``"size"``: the greatest divisor of both widths up to `s_g` is the number of the `c`
    channels in a group. ``"number"``: the least number of groups that divides both widths and
    ``c/2``, and leaves at most `s_g` of the `c` in each.

    Parameters
    ----------
    c, m : int
        Channels, and hidden channels.
    s_g : int
        At most this many of the `c` channels are in a group.
    grouping : {"size", "number"}

    Raises
    ------
    InvalidValue
        If no number of groups does what `grouping="number"` asks for.

    Examples
    --------
    The example in the paper's Table 6 is one group of 40 channels; but 10 groups of 8, which the
    rule by size gives for 80 channels, do not divide 184 hidden ones.

    >>> group_number(40, 120, 64), group_number(80, 184, 64), group_number(80, 184, 64, "number")
    (1, 10, 2)

    Book: mgic, mgic-networks
    """
    if grouping == "size":
        return c // max(s for s in range(1, min(s_g, c) + 1) if not (c % s or m % s))
    for number in range(-(-c // s_g), c + 1):
        if not (c // 2 % number or c % number or m % number):
            return number
    raise InvalidValue(
        f"group_size={s_g}: no number of groups divides {c} channels, their half and {m} hidden "
        f'ones, and leaves so few in a group; give a larger group_size, or grouping="size".'
    )


class UnevenPointwise(nn.Module):
    """A 1x1 convolution whose number of groups divides only one of its two widths.

    The other width is shared out as evenly as possible: there the first groups have one channel
    more. So it is two ordinary grouped convolutions side by side, and every channel of the
    uneven width is coupled with as many channels of the even one.

    Examples
    --------
    >>> conv = UnevenPointwise(80, 184, groups=10)  # 4 groups of 19 and 6 of 18
    >>> sum(p.numel() for p in conv.parameters()), 80 * 184 // 10
    (1472, 1472)
    >>> conv(torch.zeros(1, 80, 4, 4)).shape
    torch.Size([1, 184, 4, 4])

    Book: mgic, mgic-networks
    """

    def __init__(self, c_in, c_out, groups):
        super().__init__()
        more = max(c_in % groups, c_out % groups)  # one of the two is 0
        self.split, self.parts = [], nn.ModuleList()
        for number, extra in ((more, 1), (groups - more, 0)):
            a, b = (number * (c // groups + (extra and c % groups > 0)) for c in (c_in, c_out))
            self.split.append(a)
            self.parts.append(blocks.conv(a, b, kernel=1, groups=number))

    def forward(self, x):
        pieces = x.split(self.split, dim=1)
        return torch.cat([f(pieces[i]) for i, f in enumerate(self.parts)], dim=1)


def pointwise(c_in, c_out, groups):
    """Return a 1x1 convolution in `groups` groups, which may be uneven on one side.

    Parameters
    ----------
    c_in, c_out, groups : int
        `groups` divides at least one of the two.

    Returns
    -------
    torch.nn.Conv2d or UnevenPointwise

    Examples
    --------
    >>> pointwise(16, 32, 4).weight.shape, type(pointwise(80, 184, 10)).__name__
    (torch.Size([32, 4, 1, 1]), 'UnevenPointwise')

    Book: mgic, mgic-networks
    """
    if c_in % groups or c_out % groups:
        return UnevenPointwise(c_in, c_out, groups)
    return blocks.conv(c_in, c_out, kernel=1, groups=groups)


class SqueezeExcite(nn.Module):
    """Weigh each channel by what the means of all channels say.

    Parameters
    ----------
    c : int
    bias : bool
        Whether the two 1x1 convolutions have one; if so, the inner width is a multiple of 8.
    multiple : int
        A number other than this 8.

    Examples
    --------
    >>> SqueezeExcite(40, bias=False)(torch.zeros(1, 40, 4, 4)).shape
    torch.Size([1, 40, 4, 4])

    Book: mgic, mgic-networks
    """

    def __init__(self, c, bias, multiple=8):
        super().__init__()
        inner = round_width(c / 4, multiple) if bias else c // 4
        self.reduce = nn.Conv2d(c, inner, 1, bias=bias)
        self.expand = nn.Conv2d(inner, c, 1, bias=bias)

    def forward(self, x):
        s = self.expand(torch.relu(self.reduce(x.mean((2, 3), keepdim=True))))
        # torch's own hard sigmoid always has 1/6 in single precision in its derivative
        return x * nn.functional.relu6(s + 3) / 6


class InvertedBottleneck(nn.Module):
    """``x + BN K3 S act BN K2 act BN K1 x``: to ``m`` channels, depthwise, and back to ``c``.

    ``S`` is the squeeze-and-excitation, if `squeeze` makes one. ``K1`` and its norm and
    activation are left out if ``m = c``. The branch alone, without ``x +``, can lead to
    another width.

    Parameters
    ----------
    c, m : int
        Channels, and hidden channels.
    kernel : int
        Of the depthwise convolution.
    groups : int
        Of the two pointwise ones.
    squeeze, act : callable
        Make a module: from the number of hidden channels, and from nothing. `squeeze` may be None.
    c_out : int, optional
        Channels of the result; default: `c`.
    stride : int
        Of the depthwise convolution; the branch alone can lead to another resolution, too.

    Examples
    --------
    >>> block = InvertedBottleneck(16, 64, 3, 1, None, nn.ReLU)
    >>> block(torch.zeros(1, 16, 8, 8)).shape
    torch.Size([1, 16, 8, 8])

    Book: mgic, mgic-networks
    """

    def __init__(self, c, m, kernel, groups, squeeze, act, c_out=None, stride=1):
        super().__init__()
        self.c = c if c_out is None else c_out
        self.shortcut = self.c == c and stride == 1
        parts = []
        if m != c:
            parts += [pointwise(c, m, groups), blocks.norm("batch", m), act()]
        parts += [blocks.conv(m, m, kernel, stride, groups=m), blocks.norm("batch", m), act()]
        if squeeze is not None:
            parts.append(squeeze(m))
        parts += [pointwise(m, self.c, groups), blocks.norm("batch", self.c)]
        self.branch = nn.Sequential(*parts)

    def forward(self, x):
        return x + self.branch(x) if self.shortcut else self.branch(x)


class DepthwiseConnector(nn.Module):
    """A 3x3 filter for each output channel, which reads one input channel.

    Where the new width is a multiple of the old one, this is the usual depthwise
    convolution; from 16 to 24 channels, say, every other channel is read twice.

    Parameters
    ----------
    c_in, c_out, stride : int

    Examples
    --------
    >>> DepthwiseConnector(16, 24, stride=2).source.tolist()[:6]
    [0, 0, 1, 2, 2, 3]

    Book: mgic, mgic-networks
    """

    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv = blocks.conv(c_out, c_out, stride=stride, groups=c_out)
        self.register_buffer("source", torch.arange(c_out) * c_in // c_out, persistent=False)

    def forward(self, x):
        return self.conv(x[:, self.source])


class MobileHead(nn.Module):
    """``K2 act mean act BN K1``, with a linear layer for the classes after it.

    Parameters
    ----------
    c, features, hidden, num_classes : int
        Channels at the input, after ``K1`` and after ``K2``, and classes.
    act : callable
        Makes the activation.

    Examples
    --------
    >>> import torch
    >>> MobileHead(16, 96, 128, 10, nn.Hardswish)(torch.zeros(2, 16, 7, 7)).shape
    torch.Size([2, 10])

    Book: mgic, mgic-networks
    """

    def __init__(self, c, features, hidden, num_classes, act):
        super().__init__()
        self.features = nn.Sequential(
            blocks.conv(c, features, kernel=1), blocks.norm("batch", features), act()
        )
        self.hidden = nn.Sequential(nn.Linear(features, hidden), act())
        self.width = hidden
        self.linear = blocks.classifier(hidden, num_classes)

    def forward(self, x):
        return self.linear(self.hidden(self.features(x).mean((2, 3))))


def by_resolution(block, config, c):
    """Return the blocks of a config's bottlenecks, those of one resolution together.

    Parameters
    ----------
    block : callable
        Makes one from the config, a row of `bottlenecks` and the number of channels that enter; its
        ``c`` is the number of channels that leave.
    config : config with ``bottlenecks``
    c : int
        Channels that enter the first.

    Returns
    -------
    torch.nn.ModuleList of torch.nn.Sequential

    Book: mgic, mgic-networks
    """
    levels = nn.ModuleList([nn.Sequential()])
    for row in config.bottlenecks:
        if row[4] > 1 and len(levels[-1]):
            levels.append(nn.Sequential())
        levels[-1].append(block(config, row, c))
        c = levels[-1][-1].c
    return levels


def check_bottlenecks(config, second="expansion", kind=float):
    """Make tuples of a config's `bottlenecks`; raise if they or its `width` are out of range.

    Parameters
    ----------
    config : config with ``width`` and ``bottlenecks``
    second : str
        What the second number of a row is, for the error message.
    kind : type
        int: it must be a whole number.

    Raises
    ------
    InvalidValue

    Book: mgic, mgic-networks
    """
    rows = config.bottlenecks if isinstance(config.bottlenecks, list | tuple) else ()
    rows = tuple(tuple(row) if isinstance(row, list) else row for row in rows)
    object.__setattr__(config, "bottlenecks", rows)
    if not config.width > 0:
        raise InvalidValue(f"width={config.width}: it must be above 0.")
    if not rows or not all(is_row(row, kind) for row in rows):
        raise InvalidValue(
            f"bottlenecks={rows}: give rows (kernel, {second}, channels, squeeze, stride) "
            "of positive numbers, with an odd kernel."
        )


def is_row(row, kind):
    """Whether a row of a table is (kernel, number of a kind, channels, squeeze, stride).

    Examples
    --------
    >>> is_row((3, 16, 16, False, 1), int), is_row((4, 16, 16, False, 1), int), is_row(3, int)
    (True, False, False)

    Book: mgic, mgic-networks
    """
    if not isinstance(row, tuple) or len(row) != 5:
        return False
    kernel, second, c, _, stride = row
    whole = all(is_whole(v) and v > 0 for v in (kernel, c, stride))
    number = is_whole(second) if kind is int else isinstance(second, int | float)
    return whole and kernel % 2 == 1 and number and second > 0
