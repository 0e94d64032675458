"""What the public code of Poly-MgNet runs under its own names for placements.

Its names and ours agree in half the settings. Elsewhere a branch of the code is never reached,
or stands for something else in a polynomial of several steps.
"""

from ..errors import InvalidValue, choose
from .poly_mgnet import POLYNOMIALS

#: For a name of the code: the placement of each step with real roots but the last, and of the last.
_ALONE = {  # where no pair follows: q2 and g4
    "regular": ("regular", "regular"),
    "outside": ("outside", "outside"),
    "relu-outside": ("norm-update", "relu-outside"),
}
_LINEAR_TYPES = (
    "regular",
    "double",
    "outside",
    "double-outside",
    "relu-outside",
    "double-relu-outside",
    "relu-outside-nobn",  # a branch that is never reached: it runs as relu-outside
)
_QUAD_TYPES = {
    "regular": "regular",
    "plain": "plain",
    "outside": "outside",
    "norelu": "norm-only",
    "relu-outside": "relu-outside",
    "norelu-bninside": "norm-update",
    "norelu-bninside-out": "norm-update",
}
_STOP = ("inside", "relu-outside-bnin", "relu-outside-bn")


def placements_of_code(polynomial, linear_type, quad_type="outside"):
    """Return the placement of each step that the public code runs, in our names.

    Parameters
    ----------
    polynomial : {"q2", "g4", "g6", "g8"}
    linear_type, quad_type : str
        The code's own names, for the steps with real roots and for the pair that g6 and g8 end
        with. In the code a name with ``double`` gives double steps, and any other gives linear
        ones, whatever the polynomial.

    Returns
    -------
    tuple of str
        As :class:`~mgtutorial.models.PolyMgNetConfig` takes them for `placement`.

    Raises
    ------
    UnknownName
        For a name that the code does not have.
    InvalidValue
        For one with which the code stops, or does not smooth at all.

    Examples
    --------
    >>> placements_of_code("g4", "double-outside"), placements_of_code("q2", "outside")
    (('plain', 'outside'), ('outside', 'outside'))
    >>> placements_of_code("g6", "double-relu-outside", "norelu")
    ('norm-update', 'norm-update', 'norm-only')

    References
    ----------
    .. [1] The public code of Poly-MgNet, vanbetteray/Poly-MgNet, commit 8c36589.

    Book: poly_mgnet, poly-mgnet-names
    """
    steps = POLYNOMIALS[choose("polynomial", polynomial, POLYNOMIALS)]
    choose("linear_type of the public code", linear_type, _LINEAR_TYPES)
    choose("quad_type of the public code", quad_type, (*_QUAD_TYPES, *_STOP))
    if (polynomial, linear_type) == ("q2", "double"):
        raise InvalidValue(
            "linear_type='double' with q2: the public code has no such branch and leaves u as it "
            "is; give 'regular'."
        )
    if quad_type in _STOP:
        raise InvalidValue(
            f"quad_type={quad_type!r}: with it the public code stops; give one of "
            f"{', '.join(_QUAD_TYPES)}."
        )
    name = linear_type.removeprefix("double-").removesuffix("-nobn").replace("double", "regular")
    inner, last = _ALONE[name]
    if name == "outside" and polynomial != "q2":
        inner = "plain"
    if steps[-1] == "repeated":
        return (*(inner for _ in steps[:-1]), _QUAD_TYPES[quad_type])
    return (*(inner for _ in steps[:-1]), last)
