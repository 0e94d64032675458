"""What benchmarks that put this package beside a reference have in common.

The sides take turns, and of each the fastest of the repetitions counts, so that what else the
machine does disturbs all alike. Beside the wall time stands the processor time of the same
repetition.
"""

import gc
import os
import platform
import time


def timed(function, *arguments):
    """Return the result, the wall time and the processor time."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    result = function(*arguments)
    return result, time.perf_counter() - wall, time.process_time() - cpu


def circumstances(*packages):
    """Return what was measured on, in a line: Python, `packages`, cores, and the load now."""
    versions = [f"Python {platform.python_version()}"]
    versions += [f"{package.__name__} {package.__version__}" for package in packages]
    load = os.getloadavg()[0]
    return f"{', '.join(versions)}, {os.cpu_count()} cores, load {load:.1f} at the start"
