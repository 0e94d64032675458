"""A training step against the literal transcription: processor time of one thread.

    python -m benchmarks.step                       # two minutes on an idle machine
    python -m benchmarks.step --compile mgnet-20    # with a compiled side: a minute more each

A step is zeroed gradients, forward pass, cross entropy and backward pass; the optimiser's is the
same for all sides. The sides take turns. "difference" is that of the gradient to the literal's in
double precision, in units of its largest entry. An argument within rounding of ReLU's kink may fall
on the other side of it, which shows here as some thousandths. With channels last it happens in most
steps, with channels first, as in the transcription, in few.
"""

import argparse
import copy
import statistics
import time

import torch
import torch.nn.functional as F

from benchmarks.literal import Literal, case
from benchmarks.side_by_side import circumstances, timed
from mgtutorial.models import Lean

NAMES = ("mgnet-20", "mgiad-20-g4", "mgnet", "mgiad-lam1-c64-g4")


def step(network, x, y, precision=torch.float32):
    """One training step, but for the optimiser's part."""
    network.zero_grad(set_to_none=True)
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        z = network(x)
        loss = F.cross_entropy(z if z.dtype == torch.float64 else z.float(), y)
    loss.backward()


def sides(c, compile=False, bfloat16=False):
    """Return the step of each side by its name."""
    nets = {
        "literal": c.literal,
        "fast": copy.deepcopy(c.network),
        "lean": Lean(copy.deepcopy(c.network)),
    }
    if compile:
        nets["compiled"] = torch.compile(copy.deepcopy(c.network), dynamic=False)
    found = {name: (net.train(), torch.float32) for name, net in nets.items()}
    if bfloat16:
        found["bfloat16"] = (copy.deepcopy(c.network).train(), torch.bfloat16)
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


def measure(names=NAMES, repetitions=5, compile=False, bfloat16=False):
    """Yield a row for each network and side.

    Keys: `benchmark`, `case`, `side`, `seconds` (the least processor time), `median`, `worst`, `n`,
    `ratio` (the literal's least time by this one), `ratio_of_medians`, `difference` and `first`
    (wall time of the first step, what is compiled with it).
    """
    for name in names:
        c = case(name)
        found, times, first = sides(c, compile, bfloat16), {}, {}
        for side, (net, precision) in found.items():
            begun = time.perf_counter()
            step(net, c.x, c.y, precision)
            first[side] = time.perf_counter() - begun
        exact = c.literal.double().train()
        step(exact, c.x.double(), c.y)
        exact = exact.gradients()
        apart = {side: difference(gradients(net), exact) for side, (net, _) in found.items()}
        for _ in range(repetitions):
            for side, (net, precision) in found.items():
                _, _, cpu = timed(step, net, c.x, c.y, precision)
                times.setdefault(side, []).append(cpu)
        for side, of in times.items():
            yield {
                "benchmark": "step",
                "case": str(c),
                "side": side,
                "seconds": min(of),
                "median": statistics.median(of),
                "worst": max(of),
                "n": len(of),
                "ratio": min(times["literal"]) / min(of),
                "ratio_of_medians": statistics.median(times["literal"]) / statistics.median(of),
                "difference": apart[side],
                "first": first[side],
            }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--compile", action="store_true", help="also compiled")
    parser.add_argument("--bfloat16", action="store_true", help="also in bfloat16")
    parser.add_argument("--repetitions", type=int, default=5)
    a = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{circumstances(torch)}, one thread\n")
    print("| case | side | seconds | median | worst | n | ratio | difference | first (s) |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for r in measure(a.names, a.repetitions, a.compile, a.bfloat16):
        times = " | ".join(f"{r[key]:.3f}" for key in ("seconds", "median", "worst"))
        rest = f"{r['n']} | {r['ratio']:.2f} | {r['difference']:.0e} | {r['first']:.1f}"
        print(f"| {r['case']} | {r['side']} | {times} | {rest} |", flush=True)


if __name__ == "__main__":
    main()
