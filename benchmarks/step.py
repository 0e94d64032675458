"""A training step against the literal transcription: processor time of one thread.

A step is: gradients zeroed, forward pass, cross entropy and backward pass; the optimiser's part is
the same for all sides. ``difference`` is that between the gradient and the literal's in double
precision, in units of the largest entry of the latter. An argument within rounding of ReLU's kink
may fall on the other side of it, which shows here as a few thousandths, for the literal as well.
``alike`` is the difference when each activation of the exact run decides as that of the side did,
and ``other`` is how many would have decided otherwise. ``first`` is the wall time of the first
step, in which a compiled side is compiled.
"""

import copy
import time

import torch
import torch.nn.functional as F

from mgtutorial.models import Lean
from tests.models import signs

from .literal import Literal, case
from .side_by_side import alternate

NAMES = ("mgnet-20", "mgiad-20-g4", "mgnet", "mgiad-lam1-c64-g4")


def step(network, x, y, precision=torch.float32):
    """One training step, but for the optimiser's part."""
    network.zero_grad(set_to_none=True)
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        z = network(x)
        loss = F.cross_entropy(z if z.dtype == torch.float64 else z.float(), y)
    loss.backward()


def sides(c, compiled):
    """Return the network and the precision of each side by its name."""
    nets = {
        "literal": c.literal,
        "mgtutorial": copy.deepcopy(c.network),
        "mgtutorial, lean": Lean(copy.deepcopy(c.network)),
    }
    if compiled:
        nets["mgtutorial, compiled"] = torch.compile(copy.deepcopy(c.network), dynamic=False)
    found = {name: (net.train(), torch.float32) for name, net in nets.items()}
    found["mgtutorial, bfloat16"] = (copy.deepcopy(c.network).train(), torch.bfloat16)
    return found


def gradients(network):
    """The gradients of a side by the parameters' names."""
    if isinstance(network, Literal):
        return network.gradients()
    network = getattr(network, "network", getattr(network, "_orig_mod", network))
    return {n: p.grad for n, p in network.named_parameters()}


def difference(ours, exact):
    """The largest difference of two gradients, in units of the largest entry of the second."""
    names = [n for n, g in exact.items() if g is not None and ours[n] is not None]
    largest = max(exact[n].abs().max() for n in names)
    return float(max((ours[n] - exact[n]).abs().max() for n in names) / largest)


def measure(names=NAMES, repeat=5, compiled=True, batch=None):
    """Yield a row for each network and side."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name in names:
            yield from _measure(case(name, batch), repeat, compiled)
    finally:
        torch.set_num_threads(threads)


def compare(c, found):
    """The facts on each side's gradient, after a step of it; the first step's wall time."""
    facts, decided = {side: {} for side in found}, {}
    for side, (net, precision) in found.items():
        begun = time.perf_counter()
        if side in ("literal", "mgtutorial"):
            with signs.Recorded() as decided[side]:
                step(net, c.x, c.y, precision)
        else:
            step(net, c.x, c.y, precision)
        facts[side]["first"] = time.perf_counter() - begun
    exact = c.literal.double().train()
    step(exact, c.x.double(), c.y)
    for side, (net, _) in found.items():
        facts[side]["difference"] = difference(gradients(net), exact.gradients())
    for side, recorded in decided.items():
        facts[side]["other"] = signs.replayed(lambda: step(exact, c.x.double(), c.y), recorded)
        facts[side]["alike"] = difference(gradients(found[side][0]), exact.gradients())
    return facts


def _measure(c, repeat, compiled):
    found = sides(c, compiled)
    facts = compare(c, found)
    calls = {
        side: lambda net=net, precision=precision: step(net, c.x, c.y, precision)
        for side, (net, precision) in found.items()
    }
    _, seconds = alternate(calls, repeat, processor=True)
    for side, values in seconds.items():
        yield {
            "case": str(c), "side": side, "unit": "s", "values": values, "facts": facts[side],
        }  # fmt: skip
