"""When a run has to stop early: its time is up, or somebody politely asks it to end.

Either way it stops between two epochs, where the checkpoint has just been written, and
the same command goes on from there.
"""

import contextlib
import math
import signal
import threading
import time

from .._text import duration, estimate, exactly
from ..errors import InvalidValue, Unfinished, real

# An epoch may take longer than the longest of the last ones.
_MARGIN = 1.1


class TooShort(InvalidValue):
    """A time limit into which not even one epoch fits."""


class TimeLimit:
    """How long a command may still go on; one limit serves all of its runs.

    Parameters
    ----------
    seconds : float, optional
        From now; None: no limit.
    asked : callable, optional
        Returns whether somebody else asks the run to stop.

    Examples
    --------
    >>> TimeLimit().check(1e9)
    >>> TimeLimit(5).check(60)
    Traceback (most recent call last):
    ...
    mgtutorial.training.time_limits.TooShort: a time limit of 5 s is too short ...
    """

    def __init__(self, seconds=None, asked=None):
        if seconds is not None:  # below zero where a worker's time was up before it began
            seconds = real("time limit", seconds, least=-math.inf)
        self.seconds = seconds
        self.end = None if seconds is None else time.monotonic() + seconds
        self.epochs = 0  # since the limit began
        self.signal = None
        self._listens = False
        self._asked = asked or (lambda: False)

    @property
    def left(self):
        """Seconds that are left; infinity without a limit."""
        return float("inf") if self.end is None else self.end - time.monotonic()

    @property
    def asked(self):
        """Whether a signal, or another process, asks for an end."""
        return self.signal is not None or self._asked()

    def check(self, epoch):
        """Raise if the next epoch must not begin.

        Parameters
        ----------
        epoch : float
            The seconds that it is expected to take.

        Raises
        ------
        Unfinished
            If the run has to stop here; it can go on later.
        TooShort
            If not even one epoch fits into the whole limit: going on later would not help.
        """
        if self.asked:
            raise Unfinished(
                f"stopped after a whole epoch, as {self._why}: the same command goes on."
            )
        if epoch * (_MARGIN if self.epochs else 1) <= self.left:
            return
        if not self.epochs:
            raise TooShort(
                f"a time limit of {exactly(self.seconds)} is too short for one epoch, which takes "
                f"{estimate(epoch)} here: nothing was started; give a longer one."
            )
        raise Unfinished(
            f"stopped after a whole epoch, as the next one takes {estimate(epoch)} and "
            f"{duration(max(self.left, 0))} of the time limit are left: the same command goes on."
        )

    def check_wait(self):
        """Raise if the wait for another program must end.

        Raises
        ------
        Unfinished
        """
        if self.asked or self.left <= 0:
            why = self._why if self.asked else "the time is up"
            raise Unfinished(
                f"stopped, as {why} and another program is still at work on this run: "
                "the same command goes on, or finds the record."
            )

    @property
    def _why(self):
        return f"{self.signal} was received" if self.signal else "it was asked to stop"

    @contextlib.contextmanager
    def listening(self):
        """Take a first SIGTERM as a request to stop after the epoch; a second one stops at once.

        Only the main thread can listen; elsewhere nothing changes.
        """
        if self._listens or threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number, frame):
            self.signal = signal.Signals(number).name
            signal.signal(number, before)

        before = signal.signal(signal.SIGTERM, note)
        self._listens = True
        try:
            yield
        finally:
            self._listens = False
            signal.signal(signal.SIGTERM, before)
