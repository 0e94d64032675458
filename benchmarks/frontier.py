"""What the networks with runs of equal budget cost: processor time of a step, memory, a pass.

On random images of FashionMNIST's size, 128 at a time, on one thread. Memory is what is alive at
the worst moment of a training step, counted tensor by tensor, without allocator or optimiser.
"""

import torch

from mgtutorial.data import info
from mgtutorial.models import activations_in_training, counting
from mgtutorial.reproduction.budgets import written_network
from mgtutorial.reproduction.frontier import DATA, NETWORKS

from .networks import CHANNELS, CLASSES, SIZE, forward, step
from .side_by_side import alternate


def measure(batch=128, repeat=5, names=NETWORKS):
    torch.manual_seed(0)
    nets = {name: written_network(name, info(DATA)).build() for name in names}
    x, labels = torch.randn(batch, CHANNELS, SIZE, SIZE), torch.arange(batch) % CLASSES
    facts = {}
    for name, net in nets.items():
        with torch.device("meta"):
            without_values = written_network(name, info(DATA)).build()
        facts[name] = {
            "weights": counting.count_weights(net),
            "macs": counting.count_macs(net, SIZE, CHANNELS),
            "memory": activations_in_training(without_values, batch, SIZE, CHANNELS).peak,
        }
    for case, work in (("forward", forward), ("training step", lambda n, x: step(n, x, labels))):
        sides = {name: lambda net=net, work=work: work(net, x) for name, net in nets.items()}
        _, seconds = alternate(sides, repeat, processor=True)
        for name, values in seconds.items():
            yield {"case": f"{case}, {batch} images", "side": f"mgtutorial {name}", "unit": "s",
                   "values": values, "facts": facts[name]}  # fmt: skip
