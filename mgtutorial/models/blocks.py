"""The few parts that every network of the book is made of."""

import math

import torch
from torch import fx, nn

from ..errors import InvalidValue, choose
from .batch_norm import BatchNorm2d

#: The norms: over a channel of all images, and over groups of channels or all of one image.
NORMS = ("batch", "group", "layer", "none")

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
    """Return a norm over `c` channels.

    ``"batch"`` takes mean and variance of a channel over all images; the others those of one
    image, so that they do not depend on its companions: ``"layer"`` over all channels and pixels,
    ``"group"`` over groups of 8 channels, or what divides both 8 and `c`.

    Parameters
    ----------
    kind : {"batch", "group", "layer", "none"}
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
    >>> norm("group", 20), norm("layer", 20)
    (GroupNorm(5, 20, ...), GroupNorm(1, 20, ...))

    Book: mgnet, eq-mgnet-b
    """
    choose("norm", kind, NORMS)
    if kind == "batch":
        return BatchNorm2d(c)
    if kind == "none":
        return nn.Identity()
    return nn.GroupNorm(1 if kind == "layer" else c // math.gcd(c, 8), c)


def exchange_norms(network, kind):
    """Put norms of another kind in the place of all batch norms of a network.

    Parameters
    ----------
    network : torch.nn.Module
        Anybody's.
    kind : {"batch", "group", "layer", "none"}
        ``"batch"`` leaves all as it is.

    Returns
    -------
    torch.nn.Module
        `network`, changed in place.

    Raises
    ------
    UnknownName
        For another kind.

    Examples
    --------
    >>> exchange_norms(nn.Sequential(conv(3, 16), nn.BatchNorm2d(16)), "group")[1]
    GroupNorm(2, 16, ...)

    Book: use, use-norms
    """
    choose("norm", kind, NORMS)
    for parent in network.modules() if kind != "batch" else ():
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, norm(kind, child.num_features))
    return network


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
    norm_kind : {"batch", "group", "layer", "none"}
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


def classifier(c, num_classes):
    """Return a linear layer with bias, or the identity for no classes.

    Parameters
    ----------
    c, num_classes : int

    Examples
    --------
    >>> classifier(16, 0)
    Identity()

    Book: use, use-features
    """
    return nn.Linear(c, num_classes) if num_classes else nn.Identity()


class Head(nn.Module):
    """Global average pool, then a linear layer with bias.

    Parameters
    ----------
    c, num_classes : int
        It takes features of shape ``(n, c, height, width)`` to ``(n, num_classes)``; without
        classes to ``(n, c)``.

    Examples
    --------
    >>> Head(16, 10)(torch.zeros(2, 16, 7, 7)).shape
    torch.Size([2, 10])

    Book: mgnet, mgnet-algorithm
    """

    def __init__(self, c, num_classes):
        super().__init__()
        self.width = c
        self.linear = classifier(c, num_classes)

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
    if torch.jit.is_tracing():  # sizes are no numbers there; they were checked before
        return x
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
    if torch.jit.is_tracing() or torch.compiler.is_compiling():  # sizes may be no numbers
        return f
    size = tuple(f.shape[-2:])
    most = 1 + (max(size) - 1).bit_length()  # a side of s pixels halves ceil(log2 s) times
    if levels > most:
        raise InvalidValue(
            f"{levels} levels on a finest grid of {size[0]} x {size[1]}: it can be halved "
            f"{most - 1} times, so give at most {most} levels, or larger images."
        )
    return f


# A symbolic trace does not know sizes: it keeps the checks as calls in its graph.
fx.wrap("check_images")
fx.wrap("check_size")
