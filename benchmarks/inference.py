"""Inference against the literal transcription in evaluation mode, fused and compiled.

    python -m benchmarks.inference              # a minute on an idle machine
    python -m benchmarks.inference --compile    # and compiled: a minute more for each line

Processor time of one thread for a pass without gradients. The sides take turns. "difference" is the
largest of the outputs, in units of the largest output.
"""

import argparse
import copy
import statistics
import time

import torch

from benchmarks.literal import case
from benchmarks.side_by_side import circumstances, timed
from mgtutorial.models import fuse

NAMES = ("mgnet-20", "mgiad-20-g4", "mgnet", "mgiad-lam1-c64-g4")
BATCHES = (1, 128)


def passes(network, x, times):
    """`times` forward passes; return the last one's result."""
    with torch.no_grad():
        for _ in range(times):
            out = network(x)
    return out


def measure(names=NAMES, batches=BATCHES, repetitions=5, compile=False):
    """Yield a row for each network, batch and side.

    Keys: `benchmark`, `case`, `side`, `seconds` (of one pass, the least processor time), `median`,
    `worst`, `n`, `ratio` (the literal's least time by this one), `difference` and `first` (wall
    time of the first pass, what is compiled or reordered with it).
    """
    for name in names:
        for batch in batches:
            yield from _measure(name, batch, repetitions, compile)


def _measure(name, batch, repetitions, compile):
    c = case(name, batch)
    passes(c.network.train(), torch.randn(16, *c.x.shape[1:]), 3)  # statistics that are not trivial
    c.literal.own |= {n: b.clone() for n, b in c.network.named_buffers()}
    found = {"literal": c.literal.eval(), "eager": c.network.eval(), "fused": fuse(c.network)}
    if compile:
        own = copy.deepcopy(found["fused"].network)
        found["fused, compiled"] = torch.compile(own, dynamic=False, options={"freezing": True})
    times, first, out = {}, {}, {}
    for side, net in found.items():
        begun = time.perf_counter()
        out[side] = passes(net, c.x, 1)
        first[side] = time.perf_counter() - begun
    each = 20 if batch == 1 else 1
    for _ in range(repetitions):
        for side, net in found.items():
            times.setdefault(side, []).append(timed(passes, net, c.x, each)[2] / each)
    for side, of in times.items():
        yield {
            "benchmark": "inference",
            "case": str(c),
            "side": side,
            "seconds": min(of),
            "median": statistics.median(of),
            "worst": max(of),
            "n": len(of),
            "ratio": min(times["literal"]) / min(of),
            "difference": float(
                (out[side] - out["literal"]).abs().max() / out["literal"].abs().max()
            ),
            "first": first[side],
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--compile", action="store_true", help="also compiled")
    parser.add_argument("--repetitions", type=int, default=5)
    a = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{circumstances(torch)}, one thread\n")
    print("| case | side | ms | median | worst | n | ratio | difference | first (s) |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for r in measure(a.names, a.batches, a.repetitions, a.compile):
        print(
            f"| {r['case']} | {r['side']} | {1e3 * r['seconds']:.2f} | {1e3 * r['median']:.2f} | "
            f"{1e3 * r['worst']:.2f} | {r['n']} | {r['ratio']:.2f} | {r['difference']:.0e} | "
            f"{r['first']:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
