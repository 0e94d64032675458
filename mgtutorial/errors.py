"""The errors a user can put right: each is one sentence, and ends the command line with its code.

Every class is an :class:`MgtutorialError` (which the command ``mgtutorial`` catches), and those
about what was given are the built-in exception that Python code would expect, too. What a caller
gives is checked on entry against what is allowed: names by :func:`choose`, numbers by :func:`whole`
and :func:`real`.
"""

import math
import sys
from difflib import get_close_matches
from numbers import Integral, Real


class MgtutorialError(Exception):
    """Base of the errors that say what was given, what is allowed and what to do."""

    code = 2  # the command line's exit code

    # OSError subclasses would otherwise print "[Errno None] ..."
    def __str__(self):
        return str(self.args[0]) if self.args else ""


class MgtutorialWarning(UserWarning):
    """What a user should know but need not put right now."""


class UnknownName(MgtutorialError, ValueError):
    """A name that is in no list: a data set, a budget, a table, a model."""


class InvalidValue(MgtutorialError, ValueError):
    """A value outside what is allowed."""


class DataNotFound(MgtutorialError, FileNotFoundError):
    """A data set that is not on this machine."""


class DataDamaged(MgtutorialError, OSError):
    """A data file whose digest is not the expected one."""


class CheckpointMismatch(MgtutorialError, ValueError):
    """A checkpoint that belongs to another configuration."""


class RecordsUnwritable(MgtutorialError, OSError):
    """A results file that cannot be written."""


class LockUnavailable(MgtutorialError, OSError):
    """A place where programs cannot lock each other out."""


class Unfinished(MgtutorialError):
    """A run that stopped between two epochs, as it was told to; the same command continues it."""

    code = 75  # what sysexits.h calls "try again later"


class DeviceUnavailable(MgtutorialError, RuntimeError):
    """A device that was asked for but is not there."""


def program(main):
    """Run the `main` of a program beside the package, printing errors that its user can put right.

    Parameters
    ----------
    main : callable

    Raises
    ------
    SystemExit
        With the code of the error, if one is raised.
    """
    try:
        main()
    except MgtutorialError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.code) from None


def choose(kind, given, allowed):
    """Return `given` if it is in `allowed`, else raise :class:`UnknownName`.

    Parameters
    ----------
    kind : str
        What the name stands for, as the message should call it ("data set").
    given : str
    allowed : iterable of str

    Raises
    ------
    UnknownName
        With the nearest names first, then all names, or the first of them if there are many.

    Examples
    --------
    >>> choose("budget", "short", ["smoke", "short"])
    'short'
    >>> choose("budget", "shrot", ["smoke", "short"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    mgtutorial.errors.UnknownName: unknown budget 'shrot': did you mean 'short'? Allowed: ...
    """
    allowed = list(allowed)
    if given in allowed:
        return given
    asked = str(given).lower()
    near = [name for name in allowed if asked and asked in name.lower()]
    near = near[:3] or get_close_matches(asked, allowed, n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    rest = f", ... ({len(allowed)} in all)" if len(allowed) > _MOST else ""
    listed = ", ".join(name[:80] for name in allowed[:_MOST])
    asked = repr(given) if len(str(given)) <= 200 else f"{str(given)[:200]!r}..."
    raise UnknownName(f"unknown {kind} {asked}: {hint}Allowed: {listed}{rest}.")


_MOST = 24  # names in one message


class Names(dict):
    """A dictionary of named things: a missing one raises :class:`UnknownName`, not ``KeyError``.

    Parameters
    ----------
    kind : str
        What its keys name, as for :func:`choose`.
    items : mapping or iterable of pairs

    Raises
    ------
    UnknownName
        On looking up a name that is not there; ``in`` and ``get`` behave as in ``dict``.

    Examples
    --------
    >>> Names("budget", {"short": 15})["shrot"]  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    mgtutorial.errors.UnknownName: unknown budget 'shrot': did you mean 'short'? Allowed: ...
    """

    def __init__(self, kind, items=()):
        super().__init__(items)
        self.kind = kind

    def __missing__(self, name):
        choose(self.kind, name, self)


#: The greatest number of anything that is accepted: the largest signed integer of 32 bits.
MOST = 2**31 - 1

#: The largest seed that torch takes with every sign and offset.
MOST_SEED = 2**63 - 1

#: The largest rate or weight decay in a training: twice as much is infinite in float32.
MOST_RATE = 3e38


def whole(name, value, least=1, most=MOST):
    """Return a whole number as Python's ``int``.

    Parameters
    ----------
    name : str
        What it is, for the error message.
    value : int or numpy.integer
    least, most : int

    Raises
    ------
    InvalidValue

    Examples
    --------
    >>> import numpy as np
    >>> whole("epochs", np.int64(3))
    3
    >>> whole("epochs", 2.5)
    Traceback (most recent call last):
    ...
    mgtutorial.errors.InvalidValue: epochs=2.5: it must be a whole number, at least 1.
    """
    if isinstance(value, Integral) and not isinstance(value, bool) and least <= value <= most:
        return int(value)
    upper = f" and at most {most}" if isinstance(value, Integral) and value > most else ""
    raise InvalidValue(f"{name}={value!r}: it must be a whole number, at least {least}{upper}.")


def real(name, value, least=0.0, most=math.inf, positive=False, below=math.inf):
    """Return a finite number as Python's ``float``.

    Parameters
    ----------
    name : str
    value : float, int or a NumPy scalar
    least, most : float
    positive : bool
        Whether zero is refused as well.
    below : float
        Like `most`, but itself refused.

    Raises
    ------
    InvalidValue

    Examples
    --------
    >>> real("lr", 1)
    1.0
    >>> real("lr", float("inf"))
    Traceback (most recent call last):
    ...
    mgtutorial.errors.InvalidValue: lr=inf: it must be a finite number, at least 0.
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError:  # a whole number of 400 digits
            found = math.inf
        within = least <= found <= most and found < below
        if math.isfinite(found) and within and (found > 0 or not positive):
            return found
    kind = "positive, finite number" if positive else "finite number"
    floor = "" if positive or least == -math.inf else f", at least {least:g}"
    upper = "" if most == math.inf else f", at most {most:g}"
    upper += "" if below == math.inf else f", below {below:g}"
    raise InvalidValue(f"{name}={value!r}: it must be a {kind}{floor}{upper}.")
