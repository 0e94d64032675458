"""The memory of a training step against the literal transcription, counted tensor by tensor.

A forward and a backward pass on torch's device without values: what is alive at the worst moment
(images, activations and gradients), and separately the weights. No allocator, no optimiser;
momentum adds the weights once more. "batch in 24 GB" is the largest batch that fits by this count,
momentum included.
"""

from dataclasses import replace

import torch

from mgtutorial.models import CONFIGS, Lean, activations_in_training

from .literal import CASES, Literal

NAMES = tuple(CASES)
GB = 1e9


def network(name, size, in_channels, **changes):
    """The network of a name for images of a size, without values."""
    with torch.device("meta"):
        return replace(CONFIGS[name], in_channels=in_channels, **changes).build()


def sides(net):
    """All sides, on the same weights."""
    with torch.device("meta"):
        return {"literal": Literal(net), "mgtutorial": net, "mgtutorial, lean": Lean(net)}


def fixed(net):
    """Bytes that do not grow with the batch: weights, momentum and buffers."""
    weights = sum(p.numel() * p.element_size() for p in net.parameters())
    return 2 * weights + sum(b.numel() * b.element_size() for b in net.buffers())


def largest_batch(net, size, in_channels, memory):
    """The largest batch whose training step fits, by Newton's method; 0 if not one image does.

    What is alive at a moment is affine in the batch, so the worst of them is convex: from above
    each step comes down to the root, and no further. The worst moment of a large batch need not
    be that of a small one, so the growth between two small ones would not do.
    """

    def left(n):
        return memory - fixed(net) - activations_in_training(net, n, size, in_channels).peak

    n = 2
    while n > 0:
        here = left(n)
        step = int(here // (here - left(n + 1)))
        if step == 0:  # n fits, and n + 1 does not
            return n
        n += step
    return 0


def measure(names=NAMES, imagenet=True):
    """Yield a row for each network and side; counted once, as the count is exact."""
    for name in names:
        size, channels, n = CASES[name]
        net = network(name, size, channels)
        for side, of in sides(net).items():
            yield _row(f"{name}, {size}x{size}, batch {n}", side, of, net, n, size, channels)
    if imagenet:  # its stem has no transcription
        name, n = "mgiad-lam3-c64-g64", 512
        net = network(name, 224, 3, num_classes=1000, stem="7x7", transfer_norms="all")
        for side, of in (("mgtutorial", net), ("mgtutorial, lean", Lean(net))):
            yield _row(f"{name}, 224x224, batch {n}", side, of, net, n, 224, 3)


def _row(case, side, of, net, n, size, channels):
    kept, peak = activations_in_training(of, n, size, channels)
    batch = largest_batch(of, size, channels, 24 * GB)
    return {
        "case": case, "side": side, "unit": "B", "values": [peak],
        "facts": {"kept": kept, "weights and momentum": fixed(net), "batch in 24 GB": batch},
    }  # fmt: skip
