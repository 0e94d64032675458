r"""A trained network for inference: its norms folded into the convolutions before them.

In evaluation mode a batch norm is :math:`y \mapsto s y + t`, two numbers for each channel. After a
convolution, :math:`s (K x) + t = (s K) x + t` is one convolution with other weights and a bias:
exact, and one pass over the features less. A norm that stands *before* a convolution, as that of a
residual does, is not folded: an activation stands between them, and the residual is used elsewhere.

On a CPU the weights are also put, once, into the order in which the library's convolutions read
them. Otherwise that is done in every call, which takes half of the time of a single image; and for
a single image torch leaves that library for a loop over the groups.
"""

import copy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..errors import InvalidValue


class Fused(nn.Module):
    """A network for inference, made by :func:`fuse`. It has no gradients.

    Parameters
    ----------
    network : torch.nn.Module
        With its norms folded.

    Book: mgnet, eq-mgnet-b
    """

    def __init__(self, network):
        super().__init__()
        self.network = network

    def train(self, mode=True):
        """Raise if it shall be trained: its norms are gone."""
        if mode:
            raise InvalidValue(
                "a fused network cannot be trained: its batch norms are folded into the weights; "
                "train the network that it was made from."
            )
        return super().train(False)

    @torch.no_grad()
    def forward(self, x):
        return self.network(x)


def fuse(network):
    """Return a copy of a network for inference, with the norms that follow a convolution folded.

    The pairs are those in an ``nn.Sequential``, and the members that a module's `followed` names:
    ``(("B", "norm_out"),)``. Steps that share a ``B`` get one each, as their norms differ.

    Parameters
    ----------
    network : torch.nn.Module
        In either mode; it stays as it is.

    Returns
    -------
    Fused
        In evaluation mode, its outputs those of `network` there, to rounding.

    Raises
    ------
    InvalidValue
        If a norm keeps no running statistics: then there is nothing to fold.

    Examples
    --------
    >>> from mgtutorial.models import MgNetConfig
    >>> net = MgNetConfig(channels=(8, 16), in_channels=1).build().eval()
    >>> x = torch.rand(2, 1, 8, 8)
    >>> bool((fuse(net)(x) - net(x)).abs().max() < 1e-5)
    True

    Book: mgnet, eq-mgnet-b
    """
    if hasattr(network, "_orig_mod"):
        raise InvalidValue("fuse the network itself, then compile: a compiled one cannot be fused.")
    fused = copy.deepcopy(network).eval().requires_grad_(False)
    for name, module in list(fused.named_modules()):
        for conv, norm in _pairs(module):
            _fold(module, conv, norm, name)
    packed = {}  # an A that several places share stays one
    for module in list(fused.modules()):
        for name, member in list(module.named_children()):
            if isinstance(member, nn.Conv2d) and Packed.serves(member):
                setattr(module, name, packed.setdefault(id(member), Packed(member)))
    return Fused(fused).eval()


def _pairs(module):
    """The names of members of `module` that are applied one after the other."""
    yield from getattr(module, "followed", ())
    if isinstance(module, nn.Sequential):
        yield from pairwise(name for name, _ in module.named_children())


def _fold(module, conv, norm, name):
    k, n = getattr(module, conv), getattr(module, norm)
    if not isinstance(k, nn.Conv2d) or not isinstance(n, nn.BatchNorm2d):
        return
    if n.running_mean is None:
        raise InvalidValue(
            f"the norm {f'{name}.{norm}'.lstrip('.')} keeps no running statistics, so there is "
            "nothing to fold: train with norms that do."
        )
    setattr(module, conv, fuse_conv_bn_eval(k, n))
    setattr(module, norm, nn.Identity())


class Packed(nn.Module):
    """A convolution on a CPU whose weights have the order in which oneDNN reads them.

    Parameters
    ----------
    conv : torch.nn.Conv2d
        In float32, without gradients.

    Examples
    --------
    >>> conv = nn.Conv2d(8, 8, 3, padding=1, groups=2).requires_grad_(False)
    >>> x = torch.rand(1, 8, 4, 4)
    >>> bool((Packed(conv)(x) - conv(x)).abs().max() < 1e-6)
    True

    Book: mgnet, eq-mgnet-b
    """

    def __init__(self, conv):
        super().__init__()
        self.conv, self.packed = conv, {}
        self.how = (conv.padding, conv.stride, conv.dilation, conv.groups)

    @staticmethod
    def serves(conv):
        """Whether the convolution is of the kind, and torch has the library."""
        return (
            torch.backends.mkldnn.is_available()
            and hasattr(torch._C._nn, "mkldnn_reorder_conv2d_weight")
            and conv.weight.device.type == "cpu"
            and conv.weight.dtype == torch.float32
            and conv.padding_mode == "zeros"
            and not isinstance(conv.padding, str)
        )

    def forward(self, x):
        if torch.compiler.is_compiling():  # torch's compiler puts weights in order itself
            return self.conv(x)
        shape = tuple(x.shape)
        if shape not in self.packed:  # the best order depends on the size
            self.packed[shape] = torch._C._nn.mkldnn_reorder_conv2d_weight(
                self.conv.weight.to_mkldnn(), *self.how, shape
            )
        return torch.ops.mkldnn._convolution_pointwise(
            x, self.packed[shape], self.conv.bias, *self.how, "none", [], ""
        )
