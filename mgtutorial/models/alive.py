"""How much memory a pass through a network needs at any one time, counted tensor by tensor.

:func:`mgtutorial.models.counting.activations_held` counts what training keeps. At inference nothing
is kept: a result is freed once its last reader has gone. What counts is the moment at which most is
alive; for a training step, forward and backward, that moment is counted here, too. On the ``meta``
device this takes no memory and is exact for a program as written; with an allocator that rounds, or
a compiler that fuses, the figure may be higher or lower.
"""

import weakref
from typing import NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..errors import whole
from .counting import Activations, _images, _left_alone, _storage, built


def activations_alive(network, batch_size, size, in_channels=None):
    """Return the most that a forward pass in evaluation mode holds at any one time.

    The images count; parameters and buffers do not. Tensors that share memory count once.

    Parameters
    ----------
    network : torch.nn.Module or config
    batch_size : int
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
        As for :func:`mgtutorial.models.count_macs`, and for a batch without images.

    Examples
    --------
    The results of two of the three layers are alive at a time, each with 4 x 8 x 8 numbers:

    >>> from torch import nn
    >>> three = nn.Sequential(*(nn.Conv2d(4, 4, 1) for _ in range(3)))
    >>> activations_alive(three, 1, 8, in_channels=4).elements  # and the caller has the images
    768

    Book: mgic, mgic-memory
    """
    module = built(network)
    images = _images(module, whole("batch_size", batch_size), size, in_channels)
    alive = _Alive({_storage(t) for t in (*module.parameters(), *module.buffers())})
    with _left_alone(module, images.device, training=False), torch.no_grad(), alive:
        alive.see(images)
        module(images)
    return Activations(alive.peak // images.element_size(), alive.peak)


class Training(NamedTuple):
    """Bytes of a training step: those kept for the backward pass, and the peak, gradients included.

    Book: mgic, mgic-memory
    """

    kept: int
    peak: int


def activations_in_training(network, batch_size, size, in_channels=None):
    """Return what a training step keeps after its forward pass, and the most that it ever holds.

    Images and gradients count; parameters, buffers and the optimiser do not.

    Parameters
    ----------
    network : torch.nn.Module or config
        What is counted is what its forward pass makes, whoever makes it.
    batch_size : int
    size : int or (int, int)
        Height and width of the images.
    in_channels : int, optional
        Default: the config's.

    Returns
    -------
    Training
        ``(kept, peak)``

    Raises
    ------
    InvalidValue
        As for :func:`mgtutorial.models.count_macs`, and for a batch without images.

    Examples
    --------
    >>> from torch import nn
    >>> two = nn.Sequential(nn.Conv2d(4, 4, 1, bias=False), nn.Conv2d(4, 4, 1, bias=False))
    >>> activations_in_training(two, 1, 8, in_channels=4).kept // (4 * 8 * 8 * 4)  # and the result
    3

    Book: mgic, mgic-memory
    """
    module = built(network)
    images = _images(module, whole("batch_size", batch_size), size, in_channels)
    alive = _Alive({_storage(t) for t in (*module.parameters(), *module.buffers())})
    gradients = [(p, p.grad) for p in module.parameters()]
    module.zero_grad(set_to_none=True)
    try:
        with _left_alone(module, images.device, training=True), torch.enable_grad(), alive:
            alive.see(images)
            out = module(images)
            kept = alive.now
            if out.requires_grad:  # in a frozen network nothing does
                out.sum().backward()
    finally:
        for p, gradient in gradients:
            p.grad = gradient
    return Training(kept, alive.peak)


class _Alive(TorchDispatchMode):
    """Follows every result from the operation that makes it to the end of its storage."""

    def __init__(self, own):
        super().__init__()
        self.own, self.sizes = own, {}
        self.now = self.peak = 0

    @classmethod
    def _should_skip_dynamo(cls):
        return False  # else the first operation imports torch's compiler, which takes seconds

    def see(self, t):
        storage = _storage(t)
        if storage in self.own or storage in self.sizes:
            return
        self.sizes[storage] = t.untyped_storage().nbytes()
        self.now += self.sizes[storage]
        self.peak = max(self.peak, self.now)
        # A tensor may go while another still has its storage: autograd keeps results this way.
        weakref.finalize(t.untyped_storage(), self._gone, storage).atexit = False

    def _gone(self, storage):
        self.now -= self.sizes.pop(storage)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        given = {id(a) for a in tree_leaves((args, kwargs))}
        for t in tree_leaves(out):
            if isinstance(t, torch.Tensor) and id(t) not in given:  # not results of in-place work
                self.see(t)
        return out
