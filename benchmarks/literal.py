"""The networks of the benchmarks, each beside the literal transcription of its paper.

The transcription is that of the tests: functional torch, a dictionary of weights, every application
of A carried out where the algorithm writes one.
"""

from dataclasses import dataclass, replace

import torch
from torch import nn

from mgtutorial.models import CONFIGS
from tests.models import literal, literal_mgiad

# Name: height and width of the images, their channels, the batch.
CASES = {
    "mgnet-20": (28, 1, 128),
    "mgiad-20-g4": (28, 1, 128),
    "mgnet": (32, 3, 64),
    "mgiad-lam1-c64-g4": (32, 3, 64),
    "mgiad-lam3-c64-g4": (32, 3, 128),
}


class Literal(nn.Module):
    """The transcription with the weights of a network, copied; it trains, or is in eval mode."""

    def __init__(self, network):
        super().__init__()
        self.config, self.own = network.config, {}
        # A B that steps share is one tensor here, too.
        copies = {id(p): nn.Parameter(p.detach().clone()) for p in network.parameters()}
        for i, p in enumerate(copies.values()):
            self.register_parameter(f"p{i}", p)
        self.own = {n: copies[id(p)] for n, p in network.named_parameters(remove_duplicate=False)}
        self.own |= {n: b.clone() for n, b in network.named_buffers()}

    def forward(self, x):
        config = self.config
        if hasattr(config, "lam"):
            return literal_mgiad.mgiad(x, self.own, config, self.training)
        return literal.mgnet(x, self.own, config.channels, config.steps, self.training)

    def gradient(self, name):
        """The gradient of a parameter, by its name in the network."""
        return self.own[name].grad


@dataclass
class Case:
    """One network with its literal twin, images and labels."""

    name: str
    network: nn.Module
    literal: Literal
    x: torch.Tensor
    y: torch.Tensor

    def __str__(self):
        n, _, size, _ = self.x.shape
        return f"{self.name}, {size}x{size}, batch {n}"


def case(name, batch_size=None):
    """Return a :class:`Case` of :data:`CASES` with random weights, images and labels."""
    size, channels, n = CASES[name]
    n = batch_size or n
    torch.manual_seed(0)
    network = replace(CONFIGS[name], in_channels=channels).build()
    x, y = torch.randn(n, channels, size, size), torch.randint(0, 10, (n,))
    return Case(name, network, Literal(network), x, y)
