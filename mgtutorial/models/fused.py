r"""A trained network for inference: its norms folded into the convolutions before them.

In evaluation mode a batch norm is :math:`y \mapsto s y + t`, two numbers for each channel. After a
convolution, :math:`s (K x) + t = (s K) x + t` is one convolution with other weights and a bias:
this is exact, and saves a pass over the features. A norm *before* a convolution, such as that of a
residual, is not folded: an activation stands between them, and the residual is used elsewhere.

On a CPU the weights are also put, once, into the order in which the library's convolutions read
them. Otherwise this is done in every call, which takes half of the time for a single image; and for
a single image torch abandons that library in favour of a loop over the groups.
"""

import copy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils._python_dispatch import _get_current_dispatch_mode

from ..errors import InvalidValue
from .blocks import BatchNorm2d
from .graph_convolutions import Rowwise
from .implicit_function import Pointwise
from .strided import NarrowStrided

#: The types that compute torch's own convolution and norm. A subclass may do something else.
CONVOLUTIONS = (nn.Conv2d, NarrowStrided, Pointwise, Rowwise)
NORMS = (nn.BatchNorm2d, BatchNorm2d)


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
        """Raise if it is to be trained: its norms are gone."""
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
    ``(("B", "norm_out"),)``. Steps that share a ``B`` get one each, as their norms differ. Only
    torch's and this project's own convolutions and norms are folded: a subclass, or one with a hook
    or a parametrisation, may compute something else and stays as it is.

    Parameters
    ----------
    network : torch.nn.Module
        In either mode; it stays as it is.

    Returns
    -------
    Fused
        In evaluation mode; its outputs are those of `network` in that mode, up to rounding.

    Raises
    ------
    InvalidValue
        If a norm keeps no running statistics (then there is nothing to fold), or for a compiled
        network.

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
        for name, member in list(module._modules.items()):  # one may have two names
            if _is_plain(member, CONVOLUTIONS) and Packed.serves(member):
                setattr(module, name, packed.setdefault(id(member), Packed(member)))
    return Fused(fused).eval()


def _pairs(module):
    """The names of members of `module` that are applied one after the other."""
    yield from getattr(module, "followed", ())
    if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
        yield from pairwise(module._modules)


def _is_plain(module, types):
    """Whether a module is of one of the types itself, and computes what its class does."""
    changed = {"forward", "_conv_forward"} & vars(module).keys() if module is not None else ()
    return type(module) in types and not (
        module._forward_hooks or module._forward_pre_hooks or changed
    )


def _fold(module, conv, norm, name):
    k, n = getattr(module, conv), getattr(module, norm)
    if not _is_plain(k, CONVOLUTIONS) or not _is_plain(n, NORMS):
        return
    if n.running_mean is None:
        raise InvalidValue(
            f"the norm {f'{name}.{norm}'.lstrip('.')} keeps no running statistics, so there is "
            "nothing to fold: train with norms that do."
        )
    setattr(module, conv, fuse_conv_bn_eval(k, n))
    setattr(module, norm, nn.Identity())


def _version(weight):
    """What changes when a weight is changed in place (through ``.data``, that cannot be seen)."""
    return None if weight is None or weight.is_inference() else weight._version


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

    KEPT = 8  # shapes: each has a copy of the weights

    def __init__(self, conv):
        super().__init__()
        self.conv, self.packed = conv, {}
        self.how = (conv.padding, conv.stride, conv.dilation, conv.groups)

    def __getattr__(self, name):
        """What asks for the weights, or for the number of channels, gets the convolution's."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("conv"), name)

    @staticmethod
    def serves(conv):
        """Whether the convolution is of this kind, and torch has the library."""
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
        if _get_current_dispatch_mode() is not None:  # counters have no formula for the other
            return self.conv(x)
        own = self.conv.weight, self.conv.bias
        kind = x.shape, x.dtype, x.device, *map(id, own), *map(_version, own)
        if kind not in self.packed:
            if not self._takes(x):
                return self.conv(x)
            if len(self.packed) == self.KEPT:
                self.packed.clear()
            weight = self.conv.weight.to_mkldnn()  # the best order depends on the size
            order = torch._C._nn.mkldnn_reorder_conv2d_weight(weight, *self.how, tuple(x.shape))
            self.packed[kind] = order, own  # which keeps the ids from being reused
        order, (_, bias) = self.packed[kind]
        return torch.ops.mkldnn._convolution_pointwise(x, order, bias, *self.how, "none", [], "")

    def _takes(self, x):
        """Whether these are images of a precision and on a device that can be packed for."""
        weight = self.conv.weight
        alike = x.dtype == weight.dtype == torch.float32 and x.is_cpu and weight.is_cpu
        return alike and x.dim() == 4 and x.numel() > 0

    # Other weights, another precision, a copy or a file: the weights are put in order anew.

    def _load_from_state_dict(self, *arguments, **options):
        self.packed.clear()
        super()._load_from_state_dict(*arguments, **options)

    def _apply(self, *arguments, **options):
        self.packed.clear()
        return super()._apply(*arguments, **options)

    def __getstate__(self):
        return {**self.__dict__, "packed": {}}
