"""The few parts that every network of the book is made of."""

import torch
from torch import nn

from ..errors import InvalidValue, choose

#: The laws that :func:`initialise` draws from.
INITIAL_WEIGHTS = ("he-fan-out", "torch", "he-fan-in-grouped")


def conv(c_in, c_out, kernel=3, stride=1, groups=1):
    """Return a convolution without bias that keeps the size up to its stride (zero padding).

    Parameters
    ----------
    c_in, c_out : int
        Channels.
    kernel : int
        Its size along both axes, odd.
    stride, groups : int

    Returns
    -------
    torch.nn.Conv2d

    Raises
    ------
    InvalidValue
        If `groups` does not divide both channel counts.

    Examples
    --------
    >>> conv(16, 32, stride=2).weight.shape
    torch.Size([32, 16, 3, 3])

    Book: from_multigrid_to_networks, eq-networks-convolution
    """
    if c_in % groups or c_out % groups:
        raise InvalidValue(
            f"groups={groups} does not divide the channels {c_in} -> {c_out}: "
            "give a number of groups that divides both."
        )
    return nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)


def norm(kind, c):
    """Return batch norm over `c` channels, or the identity for ``"none"``.

    Parameters
    ----------
    kind : {"batch", "none"}
    c : int
        Channels.

    Raises
    ------
    UnknownName
        For another kind.

    Examples
    --------
    >>> norm("batch", 8), norm("none", 8)
    (BatchNorm2d(8, ...), Identity())

    Book: mgnet, eq-mgnet-b
    """
    choose("norm", kind, ("batch", "none"))
    return nn.BatchNorm2d(c) if kind == "batch" else nn.Identity()


def activation(kind):
    """Return ReLU, or the identity for ``"none"``: the linear network, which a solver is.

    Parameters
    ----------
    kind : {"relu", "none"}

    Raises
    ------
    UnknownName
        For another kind.

    Examples
    --------
    >>> activation("relu"), activation("none")
    (ReLU(), Identity())

    Book: mgnet, eq-mgnet-b
    """
    choose("activation", kind, ("relu", "none"))
    return nn.ReLU() if kind == "relu" else nn.Identity()


def stem(kind, c_in, c_out, norm_kind="batch", act="relu"):
    """Return the map from the image to the first data ``f``.

    ``"3x3"`` keeps the size; ``"7x7"`` is ImageNet's, a quarter of it: a 7x7
    convolution with stride 2 and a 3x3 max pool with stride 2.

    Parameters
    ----------
    kind : {"3x3", "7x7"}
    c_in, c_out : int
        Channels of the image and of the data.
    norm_kind : {"batch", "none"}
    act : {"relu", "none"}

    Raises
    ------
    UnknownName
        For another kind of stem, norm or activation.

    Examples
    --------
    >>> [stem(kind, 3, 16)(torch.zeros(2, 3, 32, 32)).shape[1:] for kind in ("3x3", "7x7")]
    [torch.Size([16, 32, 32]), torch.Size([16, 8, 8])]

    Book: mgnet, mgnet-algorithm
    """
    choose("stem", kind, ("3x3", "7x7"))
    if kind == "3x3":
        return nn.Sequential(conv(c_in, c_out), norm(norm_kind, c_out), activation(act))
    return nn.Sequential(
        conv(c_in, c_out, kernel=7, stride=2),
        norm(norm_kind, c_out),
        activation(act),
        nn.MaxPool2d(3, stride=2, padding=1),
    )


class Head(nn.Module):
    """Global average pool, then a linear layer with bias.

    Parameters
    ----------
    c, num_classes : int
        It takes features of shape ``(n, c, height, width)`` to ``(n, num_classes)``.

    Examples
    --------
    >>> Head(16, 10)(torch.zeros(2, 16, 7, 7)).shape
    torch.Size([2, 10])

    Book: mgnet, mgnet-algorithm
    """

    def __init__(self, c, num_classes):
        super().__init__()
        self.linear = nn.Linear(c, num_classes)

    def forward(self, u):
        return self.linear(u.mean((2, 3)))


def initialise(module, law="he-fan-out"):
    """Draw the weights of every convolution anew, in place, from torch's global generator.

    With ``k`` pixels of a kernel, ``c'`` channels out and ``s = c / groups`` channels that an
    output sees, the variance of a weight is

    - ``"he-fan-out"``: ``2 / (k c')``, normal. The usual start of a residual network. Its
      fan-out counts the channels of all groups, so grouped operators start small.
    - ``"torch"``: ``1 / (3 k s)``, uniform: PyTorch's default, the start of any code that calls
      no initialiser.
    - ``"he-fan-in-grouped"``: ``2 / (k s)``, normal. Each group has a fan-in of its own, so an
      operator's gain does not depend on the number of its groups.

    No paper of the book prints its law.

    Parameters
    ----------
    module : torch.nn.Module
    law : {"he-fan-out", "torch", "he-fan-in-grouped"}

    Returns
    -------
    torch.nn.Module
        `module`.

    Raises
    ------
    UnknownName
        If there is no such law.

    Examples
    --------
    >>> weight = initialise(conv(64, 64)).weight
    >>> bool(abs(weight.var() * 9 * 64 / 2 - 1) < 0.1)  # the variance is 2 / (9 c)
    True
    >>> weight = initialise(conv(512, 512, groups=512), "he-fan-in-grouped").weight
    >>> bool(abs(weight.var() * 9 / 2 - 1) < 0.1)
    True

    Book: spectra, eq-spectra-disc
    """
    choose("law of the initial weights", law, INITIAL_WEIGHTS)
    for m in module.modules():
        if not isinstance(m, nn.Conv2d) or m.weight.is_meta:  # meta has no values
            continue
        if law == "torch":
            m.reset_parameters()
        else:  # torch counts the fan-in of a group, but the fan-out of all groups together
            mode = "fan_out" if law == "he-fan-out" else "fan_in"
            nn.init.kaiming_normal_(m.weight, mode=mode, nonlinearity="relu")
    return module


def check_images(x, c_in):
    """Return `x` as a network computes with it; raise if it has not `c_in` channels.

    On a CPU the channels of a pixel are put side by side in memory ("channels last"), and every
    layer after it keeps that order. The library's convolutions are faster so, those in groups most.
    In single precision more arguments of a ReLU cross its kink than with channels
    first: single entries of a gradient differ by thousandths of the largest one, or a hundredth.

    Parameters
    ----------
    x : tensor
    c_in : int

    Returns
    -------
    tensor
        `x`, as floating-point numbers. Its shape is the same.

    Raises
    ------
    InvalidValue
        If `x` has not the shape ``(n, c_in, height, width)``.

    Examples
    --------
    >>> check_images(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), 3).dtype
    torch.float32
    """
    if x.ndim != 4 or x.shape[1] != c_in:
        raise InvalidValue(
            f"the network takes images of shape (n, {c_in}, height, width), "
            f"but was given {tuple(x.shape)}: change in_channels or the images."
        )
    x = x if torch.is_floating_point(x) else x.float()
    # Not contiguous(): it leaves images of one channel as they are, whose order has two names.
    return x.to(memory_format=torch.channels_last) if x.device.type == "cpu" else x


def check_size(f, levels):
    """Return `f`; raise if its size cannot be halved once a level.

    Parameters
    ----------
    f : tensor, shape (..., height, width)
    levels : int
        Of resolution; each has half the size of the one before, rounded up.

    Raises
    ------
    InvalidValue
        If some level would be left with a single pixel before the last one is reached.

    Examples
    --------
    >>> check_size(torch.zeros(1, 3, 5, 4), levels=4).shape  # 5 x 4, 3 x 2, 2 x 1, 1 x 1
    torch.Size([1, 3, 5, 4])

    Book: from_multigrid_to_networks, networks-points
    """
    size = tuple(f.shape[-2:])
    most = 1 + (max(size) - 1).bit_length()  # a side of s pixels halves ceil(log2 s) times
    if levels > most:
        raise InvalidValue(
            f"{levels} levels on a finest grid of {size[0]} x {size[1]}: it can be halved "
            f"{most - 1} times, so give at most {most} levels, or larger images."
        )
    return f
