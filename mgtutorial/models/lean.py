r"""Training with less memory: what is cheap to compute is not kept for the backward pass.

A smoothing step :math:`u + S N B S N r` keeps four fields of features for its gradient: the two
that its norms read, and the two that its activations give, which convolutions read. The latter are
a norm and an activation away from the former. :class:`Lean` lets them go and computes them
again when the backward pass asks for them, by the same operations on the same numbers, so the
gradients are the same, bit for bit. Two fields per step remain.

torch does not check whether a tensor has been changed in the meantime if somebody else keeps it, as
here; so that is checked here, both for what is kept and for what is used to recompute something.
"""

import weakref

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode

from ..errors import InvalidValue

_aten = torch.ops.aten
# Norms: (x, weight, bias, running mean, running variance, training, momentum, eps).
_NORMS = (_aten.native_batch_norm.default, _aten.cudnn_batch_norm.default)
# Functions of each number by itself, cheap compared with a convolution.
_ACTIVATIONS = (
    _aten.relu.default,
    _aten.hardswish.default,
    _aten.hardtanh.default,  # ReLU6
)


class Lean(nn.Module):
    """A network that keeps less for its backward pass and recomputes the rest: the same function.

    Outputs of batch norms, and of activations that follow one, are not kept. This is for a network
    that is executed as written; torch's compiler decides for itself what to keep.

    Parameters
    ----------
    network : torch.nn.Module
        Its parameters stay its own. Evaluation and training mode can be set here or there.

    Raises
    ------
    InvalidValue
        For a compiled network.
    RuntimeError
        In the backward pass, like torch's: if a tensor that it needs was changed in place.

    Examples
    --------
    >>> from mgtutorial.models import MgNetConfig, activations_in_training
    >>> net = MgNetConfig(channels=(8, 16), in_channels=1).build()
    >>> kept = [activations_in_training(n, 2, 16, 1).kept for n in (net, Lean(net))]
    >>> kept[1] < kept[0]
    True

    Book: mgic, mgic-memory
    """

    def __init__(self, network):
        super().__init__()
        if hasattr(network, "_orig_mod"):
            raise InvalidValue(
                "a compiled network cannot be lean: torch's compiler decides itself what it keeps "
                "for the backward pass; give memory='lean' or compile, not both."
            )
        self.network = network

    def forward(self, x):
        if not torch.is_grad_enabled():
            return self.network(x)
        ledger = _Ledger()
        with saved_tensors_hooks(ledger.pack, _unpack), ledger:
            return self.network(x)


class _Recipe:
    """How a tensor is computed; computed once for all of its readers in a backward pass."""

    def __init__(self, make, sources):
        self.make, self.sources = make, sources
        self.readers, self.left, self.value = 0, 0, None

    def read(self):
        if self.value is None:
            for source in self.sources:
                _unchanged(*source)
            with torch.no_grad():
                self.value, self.left = self.make(), self.readers
        value = self.value
        self.left -= 1
        if not self.left:
            self.value = None
        return value


class _Ledger(TorchDispatchMode):
    """Sees each operation of a forward pass, and knows which results have a recipe."""

    def __init__(self):
        super().__init__()
        self.entries = {}

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        out = op(*args, **(kwargs or {}))
        if op in _NORMS:
            self._enter(out[0], _norm_again(op, args))
        elif op in _ACTIVATIONS and (known := self._look_up(args[0])) is not None:
            self._enter(out, _Recipe(_after(op, known.make, args[1:]), known.sources))
        return out

    def _enter(self, out, recipe):
        # The address of a storage that is gone may be reused: the reference tells.
        self.entries[_key(out)] = (
            recipe,
            weakref.ref(out.untyped_storage()),
            out._version,
            _form(out),
        )

    def _look_up(self, t):
        recipe, alive, version, form = self.entries.get(_key(t), (None,) * 4)
        if recipe is None or alive() is None or (t._version, _form(t)) != (version, form):
            return None
        return recipe

    def pack(self, t):
        recipe = self._look_up(t)
        if recipe is None:
            return _noted(t)
        recipe.readers += 1
        return recipe


def _unpack(kept):
    return kept.read() if isinstance(kept, _Recipe) else _unchanged(*kept)


def _noted(t):
    """A tensor and its version, which increases with each change in place."""
    return t, None if t.is_inference() else t._version  # nobody counts the changes of those


def _unchanged(t, version):
    if version not in (None, t._version):
        raise RuntimeError(
            "one of the variables needed for gradient computation has been modified by an inplace "
            f"operation: one of shape {tuple(t.shape)} is at version {t._version}; expected "
            f"version {version} instead. Call backward before what the network read is changed."
        )
    return t


def _norm_again(op, args):
    x, weight, bias, mean, variance, training, momentum, eps = args
    if training:  # by its batch's statistics, which have been noted already
        mean = variance = None
    sources = [_noted(t) for t in (x, weight, bias, mean, variance) if t is not None]
    args = (x.detach(), weight, bias, mean, variance, training, momentum, eps)
    return _Recipe(lambda: op(*args)[0], sources)


def _after(op, make, rest):
    return lambda: op(make(), *rest)


def _key(t):
    return t.untyped_storage()._cdata


def _form(t):
    return t.shape, t.stride(), t.storage_offset()
