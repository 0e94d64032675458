"""What is shown while runs train: a bar for one run, or one bar for many.

A run reports through ``bar(total, initial)``, a context manager whose value has
``update(samples)``, ``say(text)`` and ``epoch(number, line)``; the last says that an epoch is over
and its checkpoint written.
"""

import contextlib
import os
import sys
import threading


def _wanted(progress):
    """Return whether to show anything, and whether something can move there."""
    live = sys.stderr.isatty() or "ipykernel" in sys.modules
    if progress is None:
        progress = live and os.environ.get("MGTUTORIAL_STATIC") != "1"
    return progress, live


def one(progress=None):
    """Return ``bar(total, initial)`` for a single run.

    Parameters
    ----------
    progress : bool or callable, optional
        None: on a terminal and in a live notebook. A callable is itself such a ``bar``.
    """
    if callable(progress):
        return progress
    from tqdm.auto import tqdm

    progress, live = _wanted(progress)

    class Bar(tqdm):
        def say(self, text):
            self.set_postfix_str(text, refresh=False)

        def epoch(self, number, line):
            if progress:
                self.write(line, file=sys.stderr)

    def bar(total, initial):
        return Bar(
            total=total, initial=initial, unit=" images", unit_scale=True,
            disable=not (progress and live), dynamic_ncols=True,
        )  # fmt: skip

    return bar


class Board:
    """One display for many runs: a bar over their estimated seconds, a line for each epoch.

    Parameters
    ----------
    runs : dict
        Run's digest -> (its name for a reader, its estimated seconds, the fraction done).
    progress : bool, optional
        None: on a terminal and in a live notebook.
    """

    def __init__(self, runs, progress=None):
        from tqdm.auto import tqdm

        self.names = {run: name for run, (name, _, _) in runs.items()}
        self.seconds = {run: max(cost, 1e-3) for run, (_, cost, _) in runs.items()}
        self.done = {run: fraction for run, (_, _, fraction) in runs.items()}
        self.progress, live = _wanted(progress)
        self.lock = threading.Lock()  # messages from workers come in another thread
        self.shown = tqdm(
            total=1.0, disable=not (self.progress and live), dynamic_ncols=True,
            initial=self._fraction(),
            bar_format="{percentage:3.0f}%|{bar}| {desc} [{elapsed}<{remaining}{postfix}]",
        )  # fmt: skip

    def _fraction(self):
        whole = sum(self.seconds.values())
        return sum(self.seconds[r] * f for r, f in self.done.items()) / whole if whole else 1.0

    def set(self, run, fraction, text=None):
        """Say what fraction of a run is done; what a killed worker lost is taken off again."""
        with self.lock:
            self.done[run] = fraction
            finished = sum(f >= 1 for f in self.done.values())
            self.shown.set_description_str(f"{finished}/{len(self.done)} runs", refresh=False)
            if text:
                self.shown.set_postfix_str(text, refresh=False)
            self.shown.update(self._fraction() - self.shown.n)

    def line(self, run, text):
        """Print a line about a run above the bar."""
        if self.progress:
            with self.lock:
                self.shown.write(f"{self.names[run]}: {text}", file=sys.stderr)

    def epoch(self, run, number, line):
        """Print the line of an epoch."""
        self.line(run, line)

    def bar(self, run):
        """Return ``bar(total, initial)`` for one of the runs, trained in this process."""

        @contextlib.contextmanager
        def bar(total, initial):
            yield _Part(self, run, total, initial)

        return bar

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.shown.close()


class _Part:
    def __init__(self, board, run, total, initial):
        self.board, self.run, self.total, self.n, self.text = board, run, total, initial, None

    def update(self, samples):
        self.n += samples
        # The run is done when its record is written, not when its last image was seen.
        self.board.set(self.run, min(self.n / self.total, 0.999), self.text)

    def say(self, text):
        self.text = f"{self.board.names[self.run]}: {text}"

    def epoch(self, number, line):
        self.board.epoch(self.run, number, line)
