"""A training step against the literal transcription: processor time of one thread.

    python -m benchmarks.step                       # two minutes on an idle machine
    python -m benchmarks.step --compile mgnet-20    # with a compiled side: a minute more each

A step is zeroed gradients, forward pass, cross entropy and backward pass; the optimiser's is the
same for all sides. The sides take turns. "difference" is the largest of a gradient's entries, in
units of the largest gradient.
"""

import argparse
import copy
import statistics
import time

import torch
import torch.nn.functional as F

from benchmarks.literal import case
from benchmarks.side_by_side import circumstances, timed
from mgtutorial.models import Lean

NAMES = ("mgnet-20", "mgiad-20-g4", "mgnet", "mgiad-lam1-c64-g4")


def step(network, x, y, precision=torch.float32):
    """One training step, but for the optimiser's part."""
    network.zero_grad(set_to_none=True)
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        loss = F.cross_entropy(network(x).float(), y)
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


def difference(c, network):
    """The largest difference to the literal gradients, in units of the largest gradient."""
    ours = dict(getattr(network, "network", network).named_parameters())
    pairs = [(p.grad, c.literal.gradient(n.removeprefix("_orig_mod."))) for n, p in ours.items()]
    pairs = [(a, b) for a, b in pairs if a is not None and b is not None]
    largest = max(b.abs().max() for _, b in pairs)
    return float(max((a - b).abs().max() for a, b in pairs) / largest)


def measure(names=NAMES, repetitions=5, compile=False, bfloat16=False):
    """Yield a row for each network and side.

    Keys: `benchmark`, `case`, `side`, `seconds` (the least processor time), `median`, `worst`, `n`,
    `ratio` (the literal's least time by this one), `ratio_of_medians`, `difference` (None for
    bfloat16) and `first` (wall time of the first step, what is compiled with it).
    """
    for name in names:
        c = case(name)
        found, times, first = sides(c, compile, bfloat16), {}, {}
        for side, (net, precision) in found.items():
            begun = time.perf_counter()
            step(net, c.x, c.y, precision)
            first[side] = time.perf_counter() - begun
        apart = {side: difference(c, net) for side, (net, _) in found.items() if side != "bfloat16"}
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
                "difference": apart.get(side),
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
        apart = "" if r["difference"] is None else f"{r['difference']:.0e}"
        print(
            f"| {r['case']} | {r['side']} | {r['seconds']:.3f} | {r['median']:.3f} | "
            f"{r['worst']:.3f} | {r['n']} | {r['ratio']:.2f} | {apart} | {r['first']:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
