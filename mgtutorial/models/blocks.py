"""The few parts that every network of the book is made of."""

import math

import torch
import torch.autograd.forward_ad as fwd
import torch.nn.functional as F
from torch import fx, nn
from torch._C._functorch import maybe_current_level

from ..errors import InvalidValue, choose
from .other_norms import exchange
from .strided import FEW, NarrowStrided

#: The norms: over a channel of all images, and over groups of channels or all of one image.
NORMS = ("batch", "group", "layer", "none")

#: The laws that :func:`initialise` draws from.
INITIAL_WEIGHTS = ("he-fan-out", "torch", "he-fan-in-grouped")


def conv(c_in, c_out, kernel=3, stride=1, groups=1):
    """Return a convolution without bias that, but for its stride, keeps the size (zero padding).

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
        words = f"groups={groups} does not divide the channels {c_in} -> {c_out}"
        raise InvalidValue(f"{words}: give a number of groups that divides both.")
    kind = NarrowStrided if kernel == 1 < stride and c_in < FEW else nn.Conv2d
    return kind(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)


def norm(kind, c):
    """Return a norm over `c` channels.

    ``"batch"`` takes mean and variance of a channel over all images; the others take those of one
    image, so they do not depend on the rest of the batch: ``"layer"`` over all channels and pixels,
    ``"group"`` over groups of 8 channels, or of the greatest number dividing both 8 and `c`.

    Parameters
    ----------
    kind : {"batch", "group", "layer", "none"}
    c : int
        Channels.

    Raises
    ------
    UnknownName
        For any other kind.

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
    """Replace all of torch's batch norms in any network by norms of another kind.

    They keep `eps`, precision, device and whether there are weights; the weights start afresh.

    Parameters
    ----------
    network : torch.nn.Module
    kind : {"batch", "group", "layer", "none"}
        ``"batch"`` leaves everything as it is.

    Returns
    -------
    torch.nn.Module
        `network`, changed in place; for a lone batch norm, the norm that replaces it.

    Raises
    ------
    UnknownName, InvalidValue
        For any other kind, and as for :func:`mgtutorial.models.other_norms.exchange`.

    Examples
    --------
    >>> exchange_norms(nn.Sequential(conv(3, 16), nn.BatchNorm2d(16)), "group")[1]
    GroupNorm(2, 16, ...)

    Book: use, use-norms
    """
    choose("norm", kind, NORMS)
    if kind == "batch":
        return network
    return exchange(network, lambda c: norm(kind, c), BatchNorm2d.forward)


def activation(kind):
    """Return ReLU, or for ``"none"`` the identity, as in a linear network, which is a solver.

    Parameters
    ----------
    kind : {"relu", "none"}

    Raises
    ------
    UnknownName
        For any other kind.

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

    ``"3x3"`` keeps the size; ``"7x7"``, ImageNet's, reduces each side to a quarter: a 7x7
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
        For any other kind of stem, norm or activation.

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
    """Return a linear layer with bias, or the identity if there are no classes.

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
        classes, to ``(n, c)``.

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


class BatchNorm2d(nn.BatchNorm2d):
    r"""torch's batch norm, with exact statistics where a pixel's channels lie side by side.

    For that order in memory ("channels last"), in training on a CPU in single precision, torch 2.13
    adds all values of a channel one after the other: for 128 images of 28 x 28 points mean and
    variance are off by 5e-6 and 2e-5. Here each pixel first gets statistics of its own over the
    images, from the same loop in torch, and then

    .. math:: \mu = \overline{\mu_p}, \qquad \sigma^2 = \overline{\sigma_p^2 + (\mu_p - \mu)^2}

    over the pixels :math:`p`, in double precision: these are off by 1e-7 and take hardly more time,
    as the sums are short and memory is read in the same order. This matters for the ReLU behind
    it: an argument that rounding carries across zero changes a gradient by far more than rounding.

    All else is torch's. The sums of its backward pass are as long, but have terms of both signs.

    Parameters
    ----------
    num_features : int
        Channels.
    eps, momentum, affine, track_running_stats, device, dtype
        As for ``torch.nn.BatchNorm2d``.

    Examples
    --------
    >>> x = torch.rand(64, 8, 16, 16).add(3).to(memory_format=torch.channels_last)
    >>> exact = nn.BatchNorm2d(8).double()(x.double())
    >>> bool((BatchNorm2d(8)(x) - exact).abs().max() < 3e-6)
    True

    Book: mgnet, eq-mgnet-b
    """

    def forward(self, x):
        if isinstance(x, fx.Proxy):  # a symbolic trace does not enter torch's own modules
            return x.tracer.create_proxy("call_module", x.tracer.path_of_module(self), (x,), {})
        if not self._serves(x):
            return super().forward(x)
        with torch.no_grad():
            mean, variance = statistics(x)
            self._take_note(mean, variance, x.numel() // x.shape[1])
        return _Normalise.apply(
            x, self.weight, self.bias, mean.to(x.dtype), variance.to(x.dtype), self.eps
        )

    def _serves(self, x):
        """Whether `x` is such a case, and a plain tensor with values, not merely traced."""
        return (
            (self.training and self.affine and self.running_mean is not None)
            and type(x) is torch.Tensor
            and not (torch.jit.is_tracing() or torch.compiler.is_compiling())
            and maybe_current_level() is None  # torch.func needs torch's own
            and x.device.type == "cpu"
            and x.dtype == self.weight.dtype == torch.float32
            and x.ndim == 4
            and x.shape[1] == self.num_features
            and x.shape[2] * x.shape[3] > 1  # else there is one pixel, and the sums are torch's
            and x.numel() > 0
            and x.is_contiguous(memory_format=torch.channels_last)
            and fwd._current_level < 0  # and so does forward mode
        )

    def _take_note(self, mean, variance, n):
        self.num_batches_tracked.add_(1)
        new = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.mul_(1 - new).add_(mean, alpha=new)
        self.running_var.mul_(1 - new).add_(variance, alpha=new * n / (n - 1))


def statistics(x):
    """Return the mean and variance of each channel, in double precision, by way of the pixels.

    Parameters
    ----------
    x : tensor, shape (n, c, height, width)
        Channels last.

    Returns
    -------
    tensor, tensor
        Of shape ``(c,)``; the variance is the biased one, a sum divided by the number of values.

    Examples
    --------
    >>> x = torch.tensor([1.0, 2.0, 3.0, 6.0]).view(2, 1, 1, 2)
    >>> mean, variance = statistics(x)
    >>> float(mean), float(variance)
    (3.0, 3.5)

    Book: mgnet, eq-mgnet-b
    """
    n, c, height, width = x.shape
    values = x.permute(0, 2, 3, 1).reshape(n, -1)
    each = torch.batch_norm_update_stats(values, None, None, 0.0)
    means, variances = (v.double().view(height * width, c) for v in each)
    mean, between = torch.batch_norm_update_stats(means, None, None, 0.0)
    return mean, variances.mean(0) + between


class _Normalise(torch.autograd.Function):
    """Normalises by given statistics, its argument's own, which are differentiated as well."""

    @staticmethod
    def forward(x, weight, bias, mean, variance, eps):
        return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, weight, _, mean, variance, eps = inputs
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps = eps

    @staticmethod
    def backward(ctx, gradient):
        x, weight, mean, variance = ctx.saved_tensors
        ours = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, None, None, mean, (variance + ctx.eps).rsqrt(), True, ctx.eps,
            list(ctx.needs_input_grad[:3]),
        )  # fmt: skip
        return *ours, None, None, None


def initialise(module, law="he-fan-out"):
    """Draw the weights of every convolution anew, in place, from torch's global generator.

    With ``k`` pixels in a kernel, ``c'`` output channels and ``s = c / groups`` input channels that
    each output sees, the variance of a weight is

    - ``"he-fan-out"``: ``2 / (k c')``, normal. The usual start of a residual network. Its
      fan-out counts the channels of all groups, so grouped operators start small.
    - ``"torch"``: ``1 / (3 k s)``, uniform: PyTorch's default, when code calls no initialiser.
    - ``"he-fan-in-grouped"``: ``2 / (k s)``, normal. Each group has a fan-in of its own, so an
      operator's gain does not depend on the number of its groups.

    None of the book's papers prints its law.

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
