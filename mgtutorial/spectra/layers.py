"""The convolutions in a torch network, as operators.

Any module will do: a ResNet of torchvision, a network of :mod:`mgtutorial.models`. A kernel is the
one that the network computes with in evaluation mode (:mod:`._effective`).
"""

import sys
from dataclasses import dataclass, replace

from ..errors import InvalidValue
from ._effective import is_convolution, is_quantised, is_transposed, used
from .convolutions import Convolution, double


class Convolutions(dict):
    """Convolutions by name, and what is not among them.

    Attributes
    ----------
    passed_over : dict of str to str
        A sentence for each layer, or tensor of a file, that has no operator here: why not.
    weights : str
        Where the weights come from.

    Examples
    --------
    >>> import torch
    >>> found = Convolutions()
    >>> found.add("a", lambda: Convolution(torch.ones(1, 1, 3)))
    >>> found.add("b", lambda: Convolution(torch.ones(3)))
    >>> list(found), list(found.passed_over)
    (['a'], ['b'])

    Book: spectra, spectra-own
    """

    def __init__(self, items=(), weights=""):
        super().__init__(items)
        self.passed_over, self.weights = {}, weights

    def add(self, name, make):
        """Add what `make` returns, or the reason given by the :class:`InvalidValue` it raises."""
        try:
            self[name] = make()
        except InvalidValue as error:
            self.passed_over[name] = str(error)

    def checked(self, what):
        """Return this if it has a convolution, otherwise raise :class:`InvalidValue`."""
        if self:
            return self
        name, reason = next(iter(self.passed_over.items()), (None, None))
        where = f"{name}: " if name else ""  # a layer alone has no name
        why = f": {where}{reason}" if reason else f" {NO_CONVOLUTION}"
        raise InvalidValue(f"{what} contains no convolution{why}")


NO_CONVOLUTION = "(torch.nn.Conv1d, Conv2d or Conv3d): give a network that has one."


@dataclass(frozen=True, eq=False)
class Transposed:
    """A transposed convolution: the adjoint of a convolution, up to a complex conjugation.

    Attributes
    ----------
    adjoint : Convolution
        It has the same singular values and, with stride 1, the conjugate eigenvalues. Its input is
        the output of the transposed convolution.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.ConvTranspose2d(8, 4, 2, stride=2))
    >>> A = convolutions_in(net, transposed=True)["0"]
    >>> A.c_in, A.c_out, A.adjoint.c_in
    (8, 4, 4)

    Book: spectra, spectra-own
    """

    adjoint: Convolution

    @property
    def c_in(self):
        """Input channels."""
        return self.adjoint.c_out

    @property
    def c_out(self):
        """Output channels."""
        return self.adjoint.c_in

    def __getattr__(self, name):
        if name in ("d", "sizes", "stride", "dilation", "groups", "kernel"):
            return getattr(self.adjoint, name)
        raise AttributeError(name)


def as_convolution(layer, **options):
    """Return the :class:`~mgtutorial.spectra.Convolution` of a layer, or of a weight.

    Parameters
    ----------
    layer : torch.nn.Conv1d, Conv2d or Conv3d, Convolution, tensor or array
        A layer's weight keeps its graph, so that what is computed from it can be differentiated.
    **options
        Fields of a Convolution: to go with a weight, or to replace a layer's own.

    Raises
    ------
    InvalidValue
        For any other module (:func:`convolutions_in` looks inside), for a layer whose weight cannot
        be determined, and as for Convolution.

    Examples
    --------
    >>> import torch
    >>> A = as_convolution(torch.nn.Conv2d(16, 32, 3, stride=2, padding=1))
    >>> A.c_in, A.c_out, A.stride, A.output_shape((8, 6))
    (16, 32, (2, 2), (4, 3))

    Book: symbols, eq-sym-convolution
    """
    if isinstance(layer, Convolution):
        return replace(layer, **options) if options else layer
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(layer, torch.nn.Module):
        return Convolution(layer, **options)
    if not is_convolution(layer):
        raise InvalidValue(
            f"{type(layer).__name__} is not a convolution: give a torch.nn.Conv1d, Conv2d or "
            "Conv3d, or a weight (that of a transposed convolution has the same singular values); "
            "convolutions_in(module) finds those inside a module."
        )
    weight, *how = used(layer)
    fields = dict(zip(("stride", "dilation", "groups"), how, strict=True))
    fields |= {"padding": layer.padding, "padding_mode": layer.padding_mode}
    return Convolution(weight, **fields | options)


def convolutions_in(module, transposed=False):
    """Return the convolutions inside a module, by their qualified names.

    Parameters
    ----------
    module : torch.nn.Module
    transposed : bool
        True lists transposed convolutions as well, each as the :class:`Transposed` of its adjoint.

    Returns
    -------
    dict of str to Convolution
        In the order of ``named_modules``. Kernels are detached. The attribute `passed_over` says
        which layers, by name, could not be used, and why.

    Raises
    ------
    InvalidValue
        If there is none.

    Examples
    --------
    >>> from torch import nn
    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 1))
    >>> {name: A.sizes for name, A in convolutions_in(net).items()}
    {'0': (3, 3), '2': (1, 1)}

    Book: symbols, symbols-own
    """
    found = Convolutions()
    for name, layer in module.named_modules():
        if is_convolution(layer) or is_quantised(layer) or (transposed and is_transposed(layer)):
            found.add(name, lambda layer=layer: _detached(layer))
            continue
        for own, value in layer.named_parameters(recurse=False):
            lazy = sys.modules["torch"].nn.parameter.is_lazy(value)
            if not lazy and value.ndim in (4, 5) and not is_transposed(layer):
                found.passed_over[f"{name}.{own}" if name else own] = (
                    f"it has {value.ndim} dimensions and belongs to a {type(layer).__name__}, "
                    "which is no convolution of torch."
                )
    return found.checked(type(module).__name__)


def _detached(layer):
    """A layer as an operator that needs no gradient."""
    torch = sys.modules["torch"]
    with torch.no_grad():
        if not is_transposed(layer) and not getattr(layer, "transposed", False):
            if is_quantised(layer):
                weight, *how = used(layer)
                return Convolution(weight, *how, layer.padding, layer.padding_mode)
            A = as_convolution(layer)
            return replace(A, kernel=A.kernel.detach())
        weight, *how = used(layer)
        # the transposed operator is the adjoint of the one with the conjugate kernel
        weight = weight.detach().conj().resolve_conj()
        return Transposed(Convolution(weight, *how, layer.padding))


def input_grids(module, x):
    """Return the grids on which the convolutions of a module work when its input is `x`.

    Parameters
    ----------
    module : torch.nn.Module
        Run once, in evaluation mode; its state is the same afterwards as before.
    x : tensor
        A batch of inputs; one of zeros will do.

    Returns
    -------
    dict of str to tuple of int
        By qualified name, in the order of use. For a layer used on several grids, the first.

    Examples
    --------
    >>> import torch
    >>> first, second = torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.Conv2d(4, 4, 3)
    >>> net = torch.nn.Sequential(first, torch.nn.MaxPool2d(2), second)
    >>> input_grids(net, torch.zeros(1, 1, 8, 6))
    {'0': (8, 6), '2': (4, 3)}

    Book: symbols, symbols-own
    """
    import torch

    names = {layer: name for name, layer in module.named_modules() if is_convolution(layer)}
    training = {m: m.training for m in module.modules()}
    grids = {}

    def note(layer, inputs, named):
        given = inputs[0] if inputs else named["input"]
        grids.setdefault(names[layer], tuple(given.shape[-len(layer.kernel_size) :]))

    handles = [layer.register_forward_pre_hook(note, with_kwargs=True) for layer in names]
    try:
        with torch.no_grad():
            module.eval()(x)
    finally:
        for handle in handles:
            handle.remove()
        for m, mode in training.items():
            m.training = mode
    return grids


def fold_norm(layer, norm, before=False):
    r"""Return a convolution combined with a batch norm, as it is in evaluation mode.

    The norm multiplies channel `c` by :math:`\gamma_c / \sqrt{\mathrm{var}_c + \epsilon}`; what it
    adds is left out, like a bias.

    Parameters
    ----------
    layer
        As for :func:`as_convolution`.
    norm : torch.nn.BatchNorm1d, BatchNorm2d or BatchNorm3d
    before : bool
        Whether the norm comes before the convolution, as in pre-activation networks.

    Raises
    ------
    InvalidValue
        For a norm without running statistics, or with a different number of channels.

    Examples
    --------
    >>> import torch
    >>> norm, conv = torch.nn.BatchNorm2d(4, eps=0.0), torch.nn.Conv2d(2, 4, 3)
    >>> _ = norm.running_var.fill_(4.0)
    >>> torch.equal(fold_norm(conv, norm).kernel, conv.weight / 2)
    True

    Book: symbols, symbols-smoothing
    """
    A = as_convolution(layer)
    channels = A.c_in if before else A.c_out
    if getattr(norm, "running_var", None) is None:
        raise InvalidValue(
            f"{type(norm).__name__} has no running statistics, so that it is not linear in "
            "evaluation mode: give a batch norm that tracks them."
        )
    if len(norm.running_var) != channels:
        raise InvalidValue(
            f"a norm of {len(norm.running_var)} channels beside a convolution of {channels}: give "
            "the one that belongs to it (before=True if it comes before the convolution)."
        )
    scale = (norm.running_var + norm.eps).rsqrt()
    scale = scale if norm.weight is None else scale * norm.weight
    scale = scale if hasattr(A.kernel, "detach") else double(scale)
    if before:  # every row of a group reads the same channels
        rows = [o // (A.c_out // A.groups) for o in range(A.c_out)]
        scale = scale.reshape(A.groups, -1)[rows]
    else:
        scale = scale.reshape(A.c_out, 1)
    return replace(A, kernel=A.kernel * scale.reshape(*scale.shape, *[1] * A.d))
