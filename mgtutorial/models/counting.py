r"""Weights, multiplications and memory, counted on the network itself.

Everything here can be broken down into parts, by resolution level, channel level and role in
the algorithm (``A``, ``B``, a transfer, a norm, ...). The parts are read from the qualified
names of the modules, so a network says what its operators are by how it names them; the parts
always sum to the total.

A config may stand wherever a network is asked for. It is then built on the ``meta`` device, which
has shapes but no numbers: no memory, no random numbers, and an ImageNet network in a moment.
"""

from collections import Counter
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.flop_counter import flop_registry

from ..errors import InvalidValue, whole

#: Roles in the order in which tables show them.
ROLES = ("stem", "A", "B", "R", "Pi", "P", "blocks", "roots", "norms", "head", "unused", "other")


class Part(NamedTuple):
    """A part of a network; levels count from 1, the finest, and None means outside of them.

    Book: mgnet, eq-mgnet-weights
    """

    level: int | None
    channel_level: int | None
    role: str


def built(network):
    """Return a module as it is, and for a config its network, without values.

    It is built on the ``meta`` device: with shapes to count, but no memory and no random numbers.

    Parameters
    ----------
    network : torch.nn.Module or config

    Returns
    -------
    torch.nn.Module
        On the device "meta" if it was built here.

    Raises
    ------
    InvalidValue

    Examples
    --------
    >>> from mgtutorial import models
    >>> next(built(models.named("mgnet-20")).parameters()).device
    device(type='meta')

    Book: reproduction, reproduction-statements
    """
    if isinstance(network, nn.Module):
        return network
    if not hasattr(network, "build"):
        raise InvalidValue(
            f"{network!r} is no network: give a torch.nn.Module, or a config, as "
            "mgtutorial.models.named(name) returns it."
        )
    with torch.device("meta"), torch.inference_mode(False):
        return network.build()


def count_weights(network):
    """Return the number of trainable parameters, batch norm included.

    Parameters
    ----------
    network : torch.nn.Module or config

    Examples
    --------
    >>> count_weights(nn.Conv2d(16, 16, 3, bias=False))
    2304

    Book: mgnet, eq-mgnet-weights
    """
    return sum(p.numel() for p in built(network).parameters() if p.requires_grad)


def weights_by_part(network):
    """Return a dict from :class:`Part` to its number of trainable weights; they sum to the count.

    What several steps share counts once, where it is first met.

    Parameters
    ----------
    network : torch.nn.Module or config

    Examples
    --------
    >>> from mgtutorial import models
    >>> parts = weights_by_part(models.named("mgnet-20"))
    >>> parts[Part(3, None, "A")], sum(parts.values())
    (36864, 101242)

    Book: mgnet, eq-mgnet-weights
    """
    parts, seen = Counter(), set()
    for name, module in built(network).named_modules():
        for p in module.parameters(recurse=False):
            if p.requires_grad and id(p) not in seen:
                seen.add(id(p))
                parts[part_of(name, module)] += p.numel()
    return _ordered(parts)


def count_macs(network, size, in_channels=None):
    """Return the multiply-accumulate operations of one image's forward pass.

    Convolutions and linear layers count (norms, activations and pooling do not,
    as in the papers). Half a GMAC is one GFLOP in the MGiaD paper.

    Parameters
    ----------
    network : torch.nn.Module or config
    size : int or (int, int)
        Height and width of the image.
    in_channels : int, optional
        Default: the config's.

    Raises
    ------
    InvalidValue
        If a size is invalid, or if nothing says how many channels the images have.

    Examples
    --------
    >>> count_macs(nn.Conv2d(3, 16, 3, padding=1, bias=False), 32, in_channels=3)
    442368

    Book: mgnet, tab-mgnet-applications
    """
    return sum(macs_by_part(network, size, in_channels).values())


def macs_by_part(network, size, in_channels=None):
    """Return a dict from :class:`Part` to the multiplications of one image's forward pass.

    The sum is what torch counts for the whole pass. Anything that no convolution or linear
    layer of the network accounts for would appear under the role ``"other"``.

    Parameters
    ----------
    network, size, in_channels
        As for :func:`count_macs`.

    Examples
    --------
    >>> from mgtutorial import models
    >>> parts = macs_by_part(models.named("mgnet-20"), 32)
    >>> parts[Part(1, None, "A")], parts[Part(1, None, "B")]  # nu = 3: its first step is free
    (7077888, 7077888)

    Book: mgnet, tab-mgnet-applications
    """
    module, macs = built(network), Counter()
    for name, own in macs_by_module(module, size, in_channels).items():
        macs[part_of(name, module.get_submodule(name))] += own
    return _ordered(+macs)  # without what multiplies nothing


class Activations(NamedTuple):
    """What autograd holds between the forward and the backward pass.

    Book: mgic, mgic-memory
    """

    elements: int
    bytes: int


def activations_held(network, batch_size, size, in_channels=None):
    """Return what a forward pass in training mode keeps for the backward pass.

    Tensors that share memory count once; parameters and buffers, which are there anyway, do not
    count, but the batch of images does. The loss and the optimiser are not included.

    Parameters
    ----------
    network : torch.nn.Module or config
    batch_size : int
        At least 2: batch norm needs more than one value for each channel.
    size : int or (int, int)
        Height and width of the images.
    in_channels : int, optional
        Default: the config's.

    Returns
    -------
    Activations
        ``(elements, bytes)``

    Raises
    ------
    InvalidValue
        If the batch is too small, and as for :func:`count_macs`.

    Examples
    --------
    One linear layer keeps its input:

    >>> activations_held(nn.Sequential(nn.Conv2d(3, 16, 3)), 4, 32, in_channels=3)
    Activations(elements=12288, bytes=49152)

    Book: mgic, mgic-memory
    """
    module = built(network)
    images = _images(module, whole("batch_size", batch_size, 2), size, in_channels)
    own = {_storage(t) for t in (*module.parameters(), *module.buffers())}
    held = {}

    def pack(t):
        if _storage(t) not in own:
            held[_storage(t)] = t  # keeping the tensor keeps its address from being reused
        return t

    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t)
    with _left_alone(module, images.device, training=True), torch.enable_grad(), hooks:
        module(images)
    sizes = [(t.untyped_storage().nbytes(), t.element_size()) for t in held.values()]
    return Activations(sum(n // e for n, e in sizes), sum(n for n, _ in sizes))


def part_of(name, module):
    """Return the part of a network that a module belongs to, by its qualified name.

    Examples
    --------
    >>> tuple(part_of("levels.0.channel_levels.1.R.0", nn.Conv2d(8, 4, 1)))
    (1, 2, 'R')
    >>> part_of("levels.2.smoothers.0.norm_in", nn.BatchNorm2d(8)).role
    'norms'

    Book: reproduction, reproduction-statements
    """
    path = name.split(".")

    def position(container):
        here = path.index(container) + 1 if container in path else len(path)
        return int(path[here]) + 1 if here < len(path) and path[here].isdigit() else None

    return Part(position("levels"), position("channel_levels"), _role(path, module))


def _role(path, module):
    if isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
        return "norms"
    for role in ("stem", "head", "unused"):
        if path[0] == role:
            return role
    for word in reversed(path):  # the innermost name that says what it is
        if word in ("A", "B", "R", "Pi", "P"):
            return word
        if word in ("block", "blocks"):
            return "blocks"
        if word == "steps":  # a step's own weights are the numbers of its polynomial
            return "roots"
    return "other"


def macs_by_module(module, size, in_channels=None):
    """Return a dict from a module's name to its own multiplications in one image's forward pass.

    Modules without weights of their own do not appear; what none of the others accounts for comes
    last, under the network's own name, which is empty. What several places share appears under
    one of its names.

    Parameters
    ----------
    module : torch.nn.Module
    size, in_channels
        As for :func:`count_macs`.

    Examples
    --------
    >>> macs_by_module(nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU()), 32, 3)
    {'0': 442368, '': 0}

    Book: mgnet, tab-mgnet-applications
    """
    names = {
        m: name
        for name, m in module.named_modules(remove_duplicate=False)
        if name and not [*m.children()] and next(m.parameters(), None) is not None
    }
    products, images = _Products(), _images(module, 1, size, in_channels)
    hooks = [m.register_forward_pre_hook(products.enter) for m in names]
    hooks += [m.register_forward_hook(products.leave) for m in names]
    try:  # one image has no batch statistics
        left_alone = _left_alone(module, images.device, training=False)
        with left_alone, torch.no_grad(), torch.autocast("cpu", enabled=False), products:
            module(_zeros(images))
    finally:
        for hook in hooks:
            hook.remove()
    return {**{name: products.macs[m] for m, name in names.items()}, "": products.macs[None]}


class _Products(TorchDispatchMode):
    """Adds up the multiplications of operations by torch's formulas, under the module that runs.

    Convolutions are executed on the ``meta`` device, which has shapes only, and the rest on
    zeros: torch's own ``FlopCounterMode``, and most operations on ``meta``, would import torch's
    compiler, which takes seconds.
    """

    def __init__(self):
        super().__init__()
        self.macs, self.running = Counter(), None

    @classmethod
    def _should_skip_dynamo(cls):
        return False  # nothing here is compiled; if torch forgets this, counting is only slow

    def enter(self, module, _):
        self.running = module

    def leave(self, *_):
        self.running = None

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        formula = flop_registry.get(function.overloadpacket)
        place = _shape if function is torch.ops.aten.convolution.default else _zeros
        args, kwargs = tree_map(place, (args, kwargs or {}))
        if formula is None:
            with self:  # what it is made of may have one
                out = function.decompose(*args, **kwargs)
            return function(*args, **kwargs) if out is NotImplemented else out
        out = function(*args, **kwargs)
        self.macs[self.running] += formula(*args, **kwargs, out_val=out) // 2  # product and sum
        return tree_map(_zeros, out)


def _zeros(x):
    return torch.zeros_like(x, device="cpu") if isinstance(x, torch.Tensor) and x.is_meta else x


def _shape(x):
    return x.to("meta") if isinstance(x, torch.Tensor) else x


@contextmanager
def _left_alone(module, device, training):
    """Put all of a module into a mode, and leave modes, statistics and random numbers as they were.

    Counting is not a training step; and it gives the same in a caller's inference mode.
    """
    modes = {m: m.training for m in module.modules()}
    buffers = [(b, b.clone()) for b in module.buffers()] if training else ()
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(cuda), torch.inference_mode(False):
        try:
            module.train(training)
            yield
        finally:
            for m, mode in modes.items():
                m.training = mode
            for b, before in buffers:
                b.copy_(before)


def _images(module, n, size, in_channels):
    sides = size if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2:
        raise InvalidValue(f"size={size!r}: give the images' height and width, or one for both.")
    height, width = (whole("size", side) for side in sides)
    own = getattr(getattr(module, "config", None), "in_channels", None)
    if in_channels is own is None:
        raise InvalidValue(f"{type(module).__name__} has no channels of images: give in_channels.")
    c = whole("in_channels", own if in_channels is None else in_channels)
    p = next(module.parameters(), torch.zeros(()))  # without weights, torch's default
    with torch.inference_mode(False):  # else no graph could keep them
        return p.new_zeros(n, c, height, width)


def _storage(t):
    return t.untyped_storage()._cdata  # on the meta device every data address is 0


def _ordered(parts):
    """Stem first, then level by level, head last; within a level in the order of `ROLES`."""

    def place(part):
        outside = (0 if part.role in ("stem", "norms") else 2) if part.level is None else 1
        return outside, part.level or 0, part.channel_level or 0, ROLES.index(part.role)

    return {part: parts[part] for part in sorted(parts, key=place)}
