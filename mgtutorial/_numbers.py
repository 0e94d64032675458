"""Numbers at the door: plain Python's, in their range, or a sentence."""

import math
from numbers import Integral, Real

from .errors import InvalidValue

#: What still counts as a whole number of something: more fits into no machine's integer.
MOST = 2**31 - 1

#: The largest seed that torch takes with every sign and offset.
MOST_SEED = 2**63 - 1


def whole(name, value, least=1, most=MOST):
    """Return a whole number as Python's ``int``.

    Parameters
    ----------
    name : str
        What it is, for the sentence.
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


def real(name, value, least=0.0, most=math.inf, positive=False):
    """Return a finite number as Python's ``float``.

    Parameters
    ----------
    name : str
    value : float, int or a NumPy scalar
    least, most : float
    positive : bool
        Whether zero is refused, too.

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
        if math.isfinite(found) and least <= found <= most and (found > 0 or not positive):
            return found
    kind = "positive, finite number" if positive else "finite number"
    floor = "" if positive or least == -math.inf else f", at least {least:g}"
    upper = "" if most == math.inf else f", at most {most:g}"
    raise InvalidValue(f"{name}={value!r}: it must be a {kind}{floor}{upper}.")


def plain(value):
    """Return what a NumPy scalar holds, for JSON.

    Raises
    ------
    TypeError
        If `value` is something else, as :func:`json.dumps` wants it.
    """
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    raise TypeError(f"a {type(value).__name__} has no place in JSON")
