"""Weights and multiplications, counted on the network itself."""

import torch
from torch.utils.flop_counter import FlopCounterMode


def count_weights(network):
    """Return the number of trainable parameters, batch norm included.

    Parameters
    ----------
    network : torch.nn.Module or config
        A config is built on the ``meta`` device: no memory, no random numbers.

    Examples
    --------
    >>> count_weights(torch.nn.Conv2d(16, 16, 3, bias=False))
    2304
    """
    return sum(p.numel() for p in _module(network).parameters() if p.requires_grad)


def count_macs(network, size, in_channels=None):
    """Return the multiply-accumulate operations of one image's forward pass.

    Convolutions and linear layers count (norms, activations and pooling do not,
    as in the papers). One GFLOP in the MGiaD paper is two GMAC.

    Parameters
    ----------
    network : torch.nn.Module or config
    size : int or (int, int)
        Height and width of the image.
    in_channels : int, optional
        Default: the config's.

    Examples
    --------
    >>> count_macs(torch.nn.Conv2d(3, 16, 3, padding=1, bias=False), 32, in_channels=3)
    442368
    """
    height, width = (size, size) if isinstance(size, int) else size
    module = _module(network)
    c = in_channels or module.config.in_channels
    p = next(module.parameters())
    x = torch.zeros(1, c, height, width, device=p.device, dtype=p.dtype)
    training = module.training
    module.eval()  # one image has no batch statistics
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module(x)
    finally:
        module.train(training)
    return counter.get_total_flops() // 2  # torch counts a multiplication and an addition


def _module(network):
    if isinstance(network, torch.nn.Module):
        return network
    with torch.device("meta"):
        return network.build()
