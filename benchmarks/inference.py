"""Inference against the literal transcription in evaluation mode, fused and compiled.

Processor time of one thread for a pass without gradients. ``difference`` is the largest one between
the outputs and the transcription's, in units of the largest of the latter; ``first`` is the wall
time of the first pass, in which a side is compiled or its weights are put in order.
"""

import copy
import time

import torch

from mgtutorial.models import fuse

from .literal import case
from .side_by_side import alternate

NAMES = ("mgnet-20", "mgiad-20-g4", "mgnet", "mgiad-lam1-c64-g4")
BATCHES = (1, 128)


def passes(network, x, times):
    """`times` forward passes; return the last one's result."""
    with torch.no_grad():
        for _ in range(times):
            out = network(x)
    return out


def measure(names=NAMES, batches=BATCHES, repeat=5, compiled=True):
    """Yield a row for each network, batch and side."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name in names:
            for batch in batches:
                yield from _measure(case(name, batch), repeat, compiled)
    finally:
        torch.set_num_threads(threads)


def _measure(c, repeat, compiled):
    passes(c.network.train(), torch.randn(16, *c.x.shape[1:]), 3)  # statistics that are not trivial
    c.literal.own |= {n: b.clone() for n, b in c.network.named_buffers()}
    found = {
        "literal": c.literal.eval(),
        "mgtutorial": c.network.eval(),
        "mgtutorial, fused": fuse(c.network),
    }
    if compiled:
        own = copy.deepcopy(found["mgtutorial, fused"].network)
        found["mgtutorial, fused and compiled"] = torch.compile(
            own, dynamic=False, options={"freezing": True}
        )
    first = {}
    for side, net in found.items():
        begun = time.perf_counter()
        passes(net, c.x, 1)
        first[side] = time.perf_counter() - begun
    each = 20 if len(c.x) == 1 else 1
    calls = {side: lambda net=net: passes(net, c.x, each) for side, net in found.items()}
    out, seconds = alternate(calls, repeat, processor=True)
    for side, values in seconds.items():
        apart = (out[side] - out["literal"]).abs().max() / out["literal"].abs().max()
        yield {
            "case": str(c), "side": side, "unit": "s", "values": [v / each for v in values],
            "facts": {"difference": float(apart), "first": first[side]},
        }  # fmt: skip
