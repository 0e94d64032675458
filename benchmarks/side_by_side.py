"""The clock: sides take turns in one process, so the machine's other work affects all alike."""

import gc
import time


def timed(function, *arguments):
    """Return the result, the wall time and the processor time."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    result = function(*arguments)
    return result, time.perf_counter() - wall, time.process_time() - cpu


def alternate(sides, repeat, warm=1, processor=False):
    """Call each side in turn, `repeat` times over; return what each gave last, and its times.

    Parameters
    ----------
    sides : dict
        Name -> function without arguments.
    repeat : int
    warm : int
        Rounds before, which are not counted: they fill caches and start workers.
    processor : bool
        Processor time of all threads, in place of wall time.

    Returns
    -------
    (dict, dict)
        Name -> last result; name -> seconds, a list.
    """
    results, seconds = {}, {name: [] for name in sides}
    for i in range(warm + repeat):
        for name, function in sides.items():
            results.pop(name, None)  # what is still held would be memory that the next lacks
            results[name], wall, cpu = timed(function)
            if i >= warm:
                seconds[name].append(cpu if processor else wall)
    return results, seconds
