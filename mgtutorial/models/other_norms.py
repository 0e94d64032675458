"""Other norms in place of batch norms, wherever these stand in a network."""

import torch
from torch import nn

from ..errors import InvalidValue

# Of torch's batch norms for every dimension; of lazy ones, too, once they are initialised.
_PLAIN = (nn.BatchNorm2d.forward, nn.SyncBatchNorm.forward)


def exchange(network, make, *plain):
    """Put another norm in place of each batch norm; one used in several places stays one.

    Parameters
    ----------
    network : torch.nn.Module
    make : callable
        The norm for a number of channels: a ``torch.nn.GroupNorm``, or the identity. It gets the
        batch norm's `eps`, precision and device, and weights if the batch norm has them.
    *plain : function
        The ``forward`` of batch norms that do nothing else, besides torch's.

    Returns
    -------
    torch.nn.Module
        `network`, changed in place; for a lone batch norm, the norm that replaces it.

    Raises
    ------
    InvalidValue
        If a batch norm does something else besides, or is not initialised yet. Then nothing has
        been changed.

    Examples
    --------
    >>> exchange(nn.Sequential(nn.BatchNorm1d(4, eps=0.1)), lambda c: nn.GroupNorm(1, c))[0]
    GroupNorm(1, 4, eps=0.1, ...)

    Book: use, use-norms
    """
    others = {
        m: _other(m, name or "the network", make, (*_PLAIN, *plain))
        for name, m in network.named_modules()
        if isinstance(m, nn.modules.batchnorm._BatchNorm)
    }
    for parent in [*network.modules()]:
        for name, child in parent._modules.items():  # named_children() has each child once
            if child in others:
                setattr(parent, name, others[child])
    return others.get(network, network)


def _other(m, name, make, plain):
    if not m.num_features:
        raise InvalidValue(f"{name} is not initialised yet: run the lazy network once on an input.")
    if getattr(m.forward, "__func__", None) not in plain:
        raise InvalidValue(
            f"{name} is a {type(m).__name__}, a batch norm that does something else besides, which "
            "another norm would not: exchange it yourself."
        )
    other = make(m.num_features)
    if isinstance(other, nn.GroupNorm):
        own = next((t for t in (m.weight, m.running_mean) if t is not None), torch.empty(0))
        like = {"device": own.device, "dtype": own.dtype}
        other = nn.GroupNorm(other.num_groups, other.num_channels, m.eps, m.affine, **like)
    return other.train(m.training)
