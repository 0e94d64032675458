"""The machine's peaks: products of matrices in single precision, and copies of memory.

They are the two sides of the roofline: no program multiplies faster than the one or moves bytes
faster than the other, on that number of threads.
"""

import torch

from .side_by_side import alternate


def measure(n=2048, size=2**28, repeat=9):
    """`n` rows and columns; `size` bytes are read, and as many written."""
    threads = torch.get_num_threads()
    a, b = torch.rand(n, n), torch.rand(n, n)
    source, target = torch.rand(size // 4), torch.empty(size // 4)
    work = {
        "product of matrices": (lambda: a @ b, 2 * n**3, "flop/s"),
        "copy": (lambda: target.copy_(source), 2 * size, "B/s"),
    }
    _, seconds = alternate({name: function for name, (function, *_) in work.items()}, repeat)
    for name, (_, amount, unit) in work.items():
        yield {"case": name, "side": "torch", "unit": unit,
               "values": [amount / t for t in seconds[name]],
               "facts": {"threads": threads}}  # fmt: skip
