"""The weight that a layer of torch computes with, where its attribute may be a different one.

Weight norm, spectral norm and pruning compute a weight afresh in each forward pass, some with
hooks, some with parametrisations; subclasses do so in ``forward``. A layer that is more than
torch's own is therefore run on small random inputs, in evaluation mode, and the convolution that it
calls is watched.
"""

import itertools
import sys
from typing import Any, NamedTuple

from ..errors import InvalidValue


class Used(NamedTuple):
    """The weight of a layer, and how it is used."""

    weight: Any
    stride: Any
    dilation: Any
    groups: int


def is_transposed(layer):
    """Whether a module is one of torch's transposed convolutions."""
    nn = sys.modules["torch"].nn
    return isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)


def is_convolution(layer):
    """Whether a module is one of torch's convolutions, and not a transposed one."""
    nn = sys.modules["torch"].nn
    return isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d)


def is_quantised(layer):
    """Whether a module is a convolution whose weight is packed as whole numbers."""
    # ask the class: asking a layer for its weight may make one, and change what it is made from
    return hasattr(layer, "kernel_size") and callable(getattr(type(layer), "weight", None))


def used(layer):
    """Return the weight that a convolution computes with in evaluation mode.

    Parameters
    ----------
    layer : torch.nn.Module
        A convolution or transposed convolution; its state is the same afterwards as before.

    Returns
    -------
    Used
        Where gradients are enabled, the weight keeps its graph.

    Raises
    ------
    InvalidValue
        If the weight does not exist yet (a lazy layer, the device meta), if it cannot be
        determined without the rest of the network, if it depends on the input, or if the layer
        does anything else to the numbers.
    """
    if is_quantised(layer):
        return Used(layer.weight().dequantize(), layer.stride, layer.dilation, layer.groups)
    for name, value in [*layer.named_parameters(), *layer.named_buffers()]:
        check_there(value, name)
    if _is_plain(layer):
        return Used(layer.weight, layer.stride, layer.dilation, layer.groups)
    if not layer._forward_pre_hooks and isinstance(vars(layer).get("weight"), _tensor()):
        if type(layer) in _own_types():
            raise InvalidValue(
                "its weight is neither a parameter nor a buffer: something outside of the layer "
                "makes it, so run the network and give the weight itself."
            )
    _watched(layer, 0)  # one of several hooks may show its effect a pass later
    first, second = _watched(layer, 1), _watched(layer, 2)
    both = (first.weight, second.weight)
    if not sys.modules["torch"].allclose(*both, rtol=0, atol=0, equal_nan=True):
        raise InvalidValue("its weight depends on the input, so that it is not linear.")
    return first


def check_there(value, name):
    """Raise if a tensor holds no numbers."""
    torch = sys.modules["torch"]
    if torch.nn.parameter.is_lazy(value):
        raise InvalidValue(f"{name} is not initialised yet: run the lazy network once on an input.")
    if value.device.type == "meta":
        raise InvalidValue(f"{name} lies on the device meta, which keeps no numbers.")


def _tensor():
    return sys.modules["torch"].Tensor


def _own_types():
    nn = sys.modules["torch"].nn
    plain = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    return (*plain, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def _is_plain(layer):
    """Whether nothing but torch's own code stands between the weight and its use."""
    held = {**layer._parameters, **layer._buffers}
    mended = {"forward", "_conv_forward", "__call__"} & vars(layer).keys()
    return (
        type(layer) in _own_types()
        and held.get("weight") is not None
        and not (layer._forward_pre_hooks or layer._forward_hooks or mended)
    )


def _watched(layer, seed):
    """Run a layer once and return what its one convolution used."""
    torch = sys.modules["torch"]
    from torch.overrides import TorchFunctionMode

    calls = []

    class Watch(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            kwargs = kwargs or {}
            result = function(*args, **kwargs)
            if function in _PLACES:
                named = dict(zip(_PLACES[function], args, strict=False)) | kwargs
                calls.append(named | {"result": result})
            return result

    _PLACES = {
        getattr(torch, f"conv{kind}{d}d"): names
        for d in (1, 2, 3)
        for kind, names in (
            ("", ("input", "weight", "bias", "stride", "padding", "dilation", "groups")),
            (
                "_transpose",
                ("input", "weight", "bias", "stride", "padding", "output_padding", "groups",
                 "dilation"),
            ),
        )
    }  # fmt: skip
    modes = {m: m.training for m in layer.modules()}
    before = vars(layer).get("weight")  # where hooks put what they have made
    x = _input(layer, seed)
    try:
        layer.eval()
        with Watch():
            y = layer(x)
    except Exception as error:  # of anybody's code
        raise InvalidValue(
            f"its weight could not be computed ({type(error).__name__}: {error})"[:200] + "."
        ) from error
    finally:
        for m, mode in modes.items():
            m.training = mode
        if before is not None:
            layer.weight = before
    if len(calls) != 1:
        raise InvalidValue(
            f"it is a {type(layer).__name__} that calls {len(calls) or 'no'} convolutions of "
            "torch, so that it has no one kernel."
        )
    (call,) = calls
    stride = _each(call.get("stride", 1), len(layer.kernel_size))
    step = _step(x, call["input"], layer)
    if step is None or not _adds_constants(y, call["result"]):
        raise InvalidValue(
            f"it is a {type(layer).__name__} that does more than convolve: its kernel alone "
            "would have another spectrum."
        )
    stride = tuple(s * t for s, t in zip(stride, step, strict=True))
    return Used(call["weight"], stride, call.get("dilation", 1), call.get("groups", 1))


def _step(x, taken, layer):
    """The steps at which a convolution was given the points of a layer's input, or None.

    All of them, with a margin around them (the layer does its own padding), or those that its
    stride leaves.
    """
    if not isinstance(taken, _tensor()) or taken.shape[:2] != x.shape[:2] or taken.ndim != x.ndim:
        return None
    x, taken = x.detach().cpu(), taken.detach().cpu()
    steps = [(1,) * len(layer.kernel_size)]
    if not is_transposed(layer):
        steps.append(tuple(layer.stride))
    for step in steps:
        some = x[(..., *(slice(None, None, s) for s in step))]
        room = [n - m for n, m in zip(taken.shape[2:], some.shape[2:], strict=True)]
        for offset in itertools.product(*(range(r + 1) for r in room)):
            places = zip(offset, some.shape[2:], strict=True)
            if _close(taken[(..., *(slice(o, o + m) for o, m in places))], some):
                return step
    return None


def _adds_constants(y, result):
    """Whether a layer returns what its convolution gave, up to a number for each channel."""
    if not isinstance(y, _tensor()) or y.shape != result.shape or y.dtype.is_complex < (
        result.dtype.is_complex
    ):  # fmt: skip
        return False
    y, result = y.detach().cpu(), result.detach().cpu()
    offset = (y - result).mean(tuple(range(2, y.ndim)), keepdim=True)
    return _close(y - offset, result)


def _close(a, b):
    """Whether two tensors agree, up to the rounding of half precision.

    Values that are not finite pass: the kernel is refused for them later.
    """
    return not float((a - b).abs().max()) > 0.02 * float(b.abs().max())


def _input(layer, seed):
    """A small random input for a layer."""
    torch = sys.modules["torch"]
    numbers = [p for p in layer.parameters() if p.is_floating_point() or p.is_complex()]
    like = numbers[0] if numbers else torch.zeros(())
    pads = [p for p in _each(layer.padding, len(layer.kernel_size)) if isinstance(p, int)]
    sizes = [
        d * (k - 1) + 1 + 2 * s + max(pads, default=0)
        for d, k, s in zip(layer.dilation, layer.kernel_size, layer.stride, strict=True)
    ]
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(1, layer.in_channels, *sizes, generator=random)
    return x.to(like.device, like.dtype)


def _each(value, n):
    return value if isinstance(value, tuple | list) else (value,) * n
