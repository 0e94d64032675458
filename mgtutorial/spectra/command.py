"""What ``mgtutorial spectrum`` does with the convolutions of a network, step by step.

It says first what cannot be done, then how long the rest takes; Ctrl-C keeps what is done.
"""

import sys
import time

from .._text import estimate, printable
from ..errors import InvalidValue
from . import planning, report, written

MOST_LINES = 2**25  # of a CSV: some 2 GB
DRAWN, CHOSEN = 5, 25  # layers that a command draws: of all, or of those asked for by name


def run(found, source, layers=None, size=None, eigenvalues=True, folder=".", form="svg"):
    """Print a table of spectra, and write their figures and numbers.

    Parameters
    ----------
    found : Convolutions
    source : str
        What the convolutions belong to; the files are named after it.
    layers, size, eigenvalues
        As for :func:`mgtutorial.spectra.planned`.
    folder, form
        As for :func:`mgtutorial.spectra.write`.

    Raises
    ------
    InvalidValue, UnknownName, RecordsUnwritable
        Before any work is done.
    KeyboardInterrupt
        With a message, once what has been done so far is written.

    Book: spectra, spectra-own
    """
    plan = planning.planned(found, layers, size, eigenvalues)
    if plan.lines > MOST_LINES:
        raise InvalidValue(
            f"the CSV would have {plan.lines:,} lines, more than {MOST_LINES:,}: take a smaller "
            "grid, or fewer layers at a time."
        )
    written.check_folder(folder)
    left_out = plan.left_out | ({} if layers else found.passed_over)
    for name, why in left_out.items():
        _tell(f"left out: {printable(name)}: {printable(why, 400)}")
    n, done, drawn = len(plan.tasks), [], CHOSEN if layers else DRAWN
    if plan.seconds > 5 or plan.lines > 10**6:
        _tell(f"{n} layers: {estimate(plan.seconds)}, and a CSV of {plan.lines:,} lines")

    def write():
        where = "" if size is None else f" on a periodic grid of {size} points a side"
        print(f"{printable(source)}: {len(done)} layers{where}\n\n{report.table(done)}\n")
        _say_what_is_missing(done, plan, left_out)
        if len(done) > drawn:
            print(f"drawn: the first {drawn} layers; choose others with --layer")
        for path in written.write(done, folder, written.stem_of(source), form, drawn):
            print(f"written: {path}")

    try:
        _all(plan, done)
    except KeyboardInterrupt:
        if done:
            write()
        raise KeyboardInterrupt(f"{len(done)} of {n} layers are done and kept.") from None
    write()


def _all(plan, done):
    """Add the spectra of a plan to a list, and say how much longer it will take."""
    begun, spent = time.monotonic(), 0.0
    for i, task in enumerate(plan.tasks, 1):
        done.append(report.spectrum_of(task, plan.weights))
        spent += task.seconds
        rest = sum(t.seconds for t in plan.tasks[i:]) * (time.monotonic() - begun) / spent
        left = f", {estimate(rest)} left" if rest > 5 else ""
        _tell(f"{printable(task.name)}: done ({i} of {len(plan.tasks)}{left})")


def _say_what_is_missing(done, plan, left_out):
    names = {s.name for s in done}
    if without := [printable(name) for name in plan.without_eigenvalues if name in names]:
        print(f"no eigenvalues, which take long (--size N computes them): {', '.join(without)}")
    if left_out:
        print(f"left out: {', '.join(map(printable, left_out))}")


def _tell(text):
    print(text, file=sys.stderr, flush=True)
