"""The first step of a compiled network, from an empty cache of the compiler and from a full one.

Each is measured once, in a new process: the wall time, on all cores, of the step in which
everything is compiled.
"""

import os
import subprocess
import sys
import tempfile
import time

import torch

from .literal import case
from .step import NAMES, step


def first(name, backend, batch=None):
    """Return the case and the seconds of the first step of a network of this process."""
    c = case(name, batch)
    net = torch.compile(c.network.train(), dynamic=False, backend=backend)
    begun = time.perf_counter()
    step(net, c.x, c.y)
    return str(c), time.perf_counter() - begun


def measure(names=NAMES, backend="inductor", batch=None):
    """Yield a row for each network and state of the cache."""
    for name in names:
        with tempfile.TemporaryDirectory() as cache:
            for state in ("empty", "full"):
                call = f"first({name!r}, {backend!r}, {batch})"
                code = f"from benchmarks.compiling import first; print(*{call}, sep=';')"
                done = subprocess.run(
                    [sys.executable, "-c", code], check=True, text=True, stdout=subprocess.PIPE,
                    env=os.environ | {"TORCHINDUCTOR_CACHE_DIR": cache, "OMP_NUM_THREADS": "1"},
                )  # fmt: skip
                which, seconds = done.stdout.strip().rsplit("\n", 1)[-1].split(";")
                side = f"mgtutorial, {state} cache"
                yield {"case": which, "side": side, "unit": "s", "values": [float(seconds)]}
