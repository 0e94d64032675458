r"""torch's batch norm, with exact statistics where a pixel's channels lie side by side in memory.

For that order ("channels last") torch 2.13 adds all values of a channel one after the other, on a
CPU in the precision of the features: for 128 images of 28 x 28 points in float32, mean and variance
are off by 5e-6 and 2e-5. Here each pixel first has statistics of its own over the images, made by
the same loop of torch, and then

.. math:: \mu = \overline{\mu_p}, \qquad \sigma^2 = \overline{\sigma_p^2 + (\mu_p - \mu)^2}

over the pixels :math:`p`, in double precision: off by 1e-7, in hardly more time, as the sums are
short and memory is read in the same order. What matters is the ReLU behind it: an argument that
rounding carries over zero changes a gradient by far more than rounding.

The backward pass is torch's. Its sums are as long, but have terms of both signs; a gradient with a
large mean over the images would lose digits there.
"""

import torch
import torch.autograd.forward_ad as fwd
import torch.nn.functional as F
from torch import fx, nn


class BatchNorm2d(nn.BatchNorm2d):
    """torch's batch norm, to whose values it comes closer than torch in one case.

    That is: in training, on a CPU, in single precision, channels last. Everything else is torch's,
    and so are arguments, buffers and names.

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
        """Whether `x` has the case, and is a tensor with values that nobody only looks at."""
        return (
            self.training
            and self.affine
            and self.running_mean is not None
            and type(x) is torch.Tensor
            and x.device.type == "cpu"
            and x.dtype == self.weight.dtype == torch.float32
            and x.ndim == 4
            and x.shape[1] == self.num_features
            and x.shape[2] * x.shape[3] > 1  # else there is one pixel, and the sums are torch's
            and x.numel() > 0
            and x.is_contiguous(memory_format=torch.channels_last)
            and not torch.jit.is_tracing()
            and not torch.compiler.is_compiling()
            and fwd._current_level < 0  # forward mode differentiates torch's
        )

    def _take_note(self, mean, variance, n):
        self.num_batches_tracked.add_(1)
        new = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.mul_(1 - new).add_(mean, alpha=new)
        self.running_var.mul_(1 - new).add_(variance, alpha=new * n / (n - 1))


def statistics(x):
    """Return mean and variance of each channel, in double precision, by way of the pixels.

    Parameters
    ----------
    x : tensor, shape (n, c, height, width)
        Channels last.

    Returns
    -------
    tensor, tensor
        Of shape ``(c,)``; the variance is that of the values themselves, divided by their number.

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
    """Normalises by statistics that are those of its argument; they are differentiated, too."""

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
