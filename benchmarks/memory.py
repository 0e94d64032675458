"""The memory of a training step against the literal transcription, counted tensor by tensor.

    python -m benchmarks.memory            # a minute; no numbers are computed

Forward and backward pass on torch's device without values: what is alive at the worst moment,
images, activations and gradients, and beside it the weights. No allocator, no optimiser; momentum
adds the weights once more. "batch in 24 GB" is the largest that fits by this count, momentum in it.
"""

import argparse
from dataclasses import replace

import torch

from benchmarks.literal import CASES, Literal
from mgtutorial.models import CONFIGS, Lean, activations_in_training

NAMES = tuple(CASES)
GB = 1e9


def network(name, size, in_channels, **changes):
    """The network of a name for images of a size, without values."""
    with torch.device("meta"):
        return replace(CONFIGS[name], in_channels=in_channels, **changes).build()


def sides(net):
    """Literal, fast and lean, on the same weights."""
    with torch.device("meta"):
        return {"literal": Literal(net), "fast": net, "lean": Lean(net)}


def fixed(net):
    """Bytes that do not grow with the batch: weights, momentum and buffers."""
    weights = sum(p.numel() * p.element_size() for p in net.parameters())
    return 2 * weights + sum(b.numel() * b.element_size() for b in net.buffers())


def largest_batch(net, size, in_channels, memory):
    """The largest batch whose training step fits, from the growth between two small ones."""
    two, four = (activations_in_training(net, n, size, in_channels).peak for n in (2, 4))
    each = (four - two) / 2
    return int((memory - fixed(net) - (two - 2 * each)) // each)


def measure(names=NAMES):
    """Yield a row for each network and side.

    Keys: `benchmark`, `case`, `side`, `kept` and `peak` (bytes), `ratio` (of the peak, to the
    literal's), `batch_24GB`.
    """
    for name in names:
        size, channels, n = CASES[name]
        net, literal = network(name, size, channels), None
        for side, of in sides(net).items():
            kept, peak = activations_in_training(of, n, size, channels)
            literal = literal or peak
            yield {
                "benchmark": "memory",
                "case": f"{name}, {size}x{size}, batch {n}",
                "side": side,
                "kept": kept,
                "peak": peak,
                "ratio": peak / literal,
                "batch_24GB": largest_batch(of, size, channels, 24 * GB),
            }
    yield from imagenet()


def imagenet(name="mgiad-lam3-c64-g64", n=512):
    """ImageNet's images, 224x224, by the same count (its stem has no transcription)."""
    net = network(name, 224, 3, num_classes=1000, stem="7x7", transfer_norms="all")
    for side, of in (("fast", net), ("lean", Lean(net))):
        kept, peak = activations_in_training(of, n, 224, 3)
        yield {
            "benchmark": "memory",
            "case": f"{name}, 224x224, batch {n}",
            "side": side,
            "kept": kept,
            "peak": peak + fixed(net),
            "ratio": None,
            "batch_24GB": largest_batch(of, 224, 3, 24 * GB),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=NAMES)
    a = parser.parse_args()
    print("| case | side | kept (MB) | peak (MB) | ratio | batch in 24 GB |")
    print("|---|---|---:|---:|---:|---:|")
    for r in measure(a.names):
        ratio = "" if r["ratio"] is None else f"{r['ratio']:.3f}"
        print(
            f"| {r['case']} | {r['side']} | {r['kept'] / 1e6:,.0f} | {r['peak'] / 1e6:,.0f} | "
            f"{ratio} | {r['batch_24GB']:,} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
