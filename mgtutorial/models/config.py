"""What the configs of all networks share: checks, plain data, changes of ends and widths."""

from dataclasses import dataclass, field, fields, replace
from functools import wraps
from math import isfinite
from numbers import Integral, Real
from types import NoneType
from typing import get_args

from ..errors import InvalidValue, choose, whole
from .blocks import INITIAL_WEIGHTS, NORMS

#: What a field of each type can be, in words.
WORDS = {
    int: "a whole number",
    float: "a finite number",
    bool: "True or False",
    str: "a name",
    tuple: "a tuple",
    NoneType: "None",
}

#: What the parts that several networks share can be.
PARTS = {"stem": ("3x3", "7x7"), "norm": NORMS, "activation": ("relu", "none")}

#: The fields of a config that are widths, or in proportion to one.
WIDTHS = ("channels", "width", "coarsest", "group_size")

#: The largest whole number in a config, and the most numbers in a row: a network with more of
#: anything is a slip, or comes from a file that was made to fill the memory.
MOST, LONGEST = 2**16, 1000


@dataclass(frozen=True)
class NetworkConfig:
    """Base of the configs: a frozen dataclass that says what defines a network, and builds it.

    A network that takes images has the fields `in_channels` and `num_classes`. A field that was
    added after runs had been recorded is ``field(default=..., metadata={"later": True})``. A config
    with a ``__post_init__`` of its own calls this one first.

    Attributes
    ----------
    initial_weights : {"he-fan-out", "torch", "he-fan-in-grouped"}
        The law of the convolutions' initial weights
        (:func:`mgtutorial.models.blocks.initialise`); keyword-only. It changes no shape, and so no
        count.

    Raises
    ------
    InvalidValue
        If a field is not of its type, or holds a number above 65,536; lists become tuples.
    UnknownName
        If there is no such law.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Config(NetworkConfig):
    ...     in_channels: int = 3
    ...     num_classes: int = 10
    ...     stem: str = "3x3"
    >>> class Grey:  # what a record of a data set has, in short
    ...     name, channels, classes, stem = "grey", 1, 4, "3x3"
    >>> Config().for_data_set(Grey)
    Config(initial_weights='he-fan-out', in_channels=1, num_classes=4, stem='3x3')

    Book: mgnet, mgnet-algorithm
    """

    initial_weights: str = field(default="he-fan-out", kw_only=True, metadata={"later": True})

    def __post_init__(self):
        for f in fields(self):
            given = getattr(self, f.name)
            object.__setattr__(self, f.name, _of_type(f.name, given, f.type))
            _check_sizes(f.name, getattr(self, f.name))
        choose("law of the initial weights", self.initial_weights, INITIAL_WEIGHTS)

    def check_whole(self, least, *names):
        """Raise unless each of these fields is a whole number and at least `least`.

        Parameters
        ----------
        least : int
        *names : str

        Raises
        ------
        InvalidValue
        """
        for name in names:
            whole(name, getattr(self, name), least)

    def check_images(self, *parts):
        """Raise unless `in_channels` and `num_classes` are numbers and `parts` are as PARTS allows.

        Without classes a network returns the pooled features.

        Parameters
        ----------
        *parts : {"stem", "norm", "activation"}
            Those of these fields that the network has.

        Raises
        ------
        UnknownName, InvalidValue
        """
        self.check_whole(1, "in_channels")
        self.check_whole(0, "num_classes")
        for name in parts:
            choose(name, getattr(self, name), PARTS[name])

    def check_levels(self, *names):
        """Raise unless all of these fields have one positive number for each level.

        Parameters
        ----------
        *names : str

        Raises
        ------
        InvalidValue
        """
        for name in names:
            value = getattr(self, name)
            if not value or not all(is_whole(v) and v >= 1 for v in value):
                raise InvalidValue(f"{name}={value}: give one positive number for each level.")
        if len({len(getattr(self, name)) for name in names}) > 1:
            given = " and ".join(f"{name}={getattr(self, name)}" for name in names)
            raise InvalidValue(f"{given}: all need one number for each level.")

    def as_dict(self):
        """Return the fields as plain data, without the later ones that have their defaults.

        So the digests of older runs stay what they were.

        Returns
        -------
        dict
            Tuples become lists.
        """
        return plain_fields(self)

    def for_data_set(self, info):
        """Return the config with the channels, the classes and the stem of a data set.

        A stem that is not ``"3x3"`` belongs to the network and stays.

        Parameters
        ----------
        info : object
            With ``name``, ``channels``, ``classes`` and ``stem``, such as a record of
            :mod:`mgtutorial.data.catalogue`.

        Raises
        ------
        InvalidValue
            If the network does not take images.
        """
        fitted = self.with_ends(info)
        return replace(fitted, stem=info.stem) if getattr(self, "stem", None) == "3x3" else fitted

    def with_ends(self, info):
        """Return the config with the channels and the classes of a data set, nothing else changed.

        Parameters
        ----------
        info : object
            As for :meth:`for_data_set`.

        Raises
        ------
        InvalidValue
            If the network does not take images.
        """
        missing = [k for k in ("name", "channels", "classes", "stem") if not hasattr(info, k)]
        if missing:
            raise InvalidValue(
                f"the data set {info!r} does not say its {', '.join(missing)}: give a record of "
                "the catalogue, mgtutorial.data.info(name), or an object with these attributes."
            )
        if not hasattr(self, "in_channels"):
            raise InvalidValue(
                f"{type(self).__name__} is no network for images, so it does not fit the data set "
                f"{info.name!r}: choose another network."
            )
        return replace(self, in_channels=info.channels, num_classes=info.classes)


def is_whole(value):
    """Whether `value` is a whole number, Python's or NumPy's, and not a truth value.

    Examples
    --------
    >>> is_whole(3), is_whole(3.0), is_whole(True)
    (True, False, False)

    Book: use, use-configs
    """
    return isinstance(value, Integral) and not isinstance(value, bool)


def _of_type(name, value, annotation):
    """Return `value` in the form that a field's type has; raise if it is of another type."""
    kinds = get_args(annotation) or (annotation,)
    if not all(kind in WORDS for kind in kinds):
        return value
    if int in kinds and is_whole(value):
        return int(value)
    number = isinstance(value, Real) and not isinstance(value, bool)
    if float in kinds and number and isfinite(value):
        return value
    if tuple in kinds and isinstance(value, list):
        return tuple(value)
    if isinstance(value, tuple(kind for kind in kinds if kind not in (int, float))):
        return value
    said = " or ".join(WORDS[kind] for kind in kinds)
    raise InvalidValue(f"{name}={value!r}: it must be {said}.")


def _check_sizes(name, value):
    """Raise if a field holds a larger number than any network has, or a longer row of them."""
    row = value if isinstance(value, tuple | list) else (value,)
    if len(row) > LONGEST:
        raise InvalidValue(f"{name} has {len(row):,} entries: give at most {LONGEST:,}.")
    for entry in row:
        if isinstance(entry, tuple | list):
            _check_sizes(name, entry)
        elif isinstance(entry, Integral) and abs(entry) > MOST:
            raise InvalidValue(
                f"{name}={entry!r}: no network has so many of anything: give at most {MOST:,}."
            )


def formerly(**names):
    """Return a decorator for configs whose fields had other names, which are still accepted.

    Records keep the old names, so the digests of older runs stay what they were.

    Parameters
    ----------
    **names
        For each old name, the name of the field today.

    Examples
    --------
    >>> @formerly(s_g="group_size")
    ... @dataclass(frozen=True)
    ... class Config(NetworkConfig):
    ...     group_size: int = 8
    >>> Config(s_g=4), Config(group_size=4).s_g, replace(Config(), s_g=2).as_dict()
    (Config(initial_weights='he-fan-out', group_size=4), 4, {'s_g': 2})

    Book: use, use-names
    """

    def decorate(cls):
        made = cls.__init__

        @wraps(made)
        def __init__(self, *args, **given):
            # `replace` gives all fields, and besides them those to be changed, under either name.
            old = {names[k]: given.pop(k) for k in list(given) if k in names}
            made(self, *args, **given | old)

        cls.__init__, cls.old_names = __init__, names
        for old, new in names.items():
            setattr(cls, old, property(lambda self, new=new: getattr(self, new)))
        return cls

    return decorate


def plain_fields(config):
    """Return the fields of a dataclass as plain data; see :meth:`NetworkConfig.as_dict`.

    Parameters
    ----------
    config : dataclass instance

    Returns
    -------
    dict

    Book: reproduction, reproduction-statements
    """
    values = {f.name: getattr(config, f.name) for f in fields(config)}
    for f in fields(config):
        if f.metadata.get("later") and values[f.name] == f.default:
            del values[f.name]
    recorded = {new: old for old, new in getattr(config, "old_names", {}).items()}
    return {recorded.get(k, k): _plain(v) for k, v in values.items()}


def _plain(value):
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def as_dict(config):
    """Return a config as the plain data that JSON knows, its kind included.

    A field that was added later is left out if it has its default: see
    :meth:`mgtutorial.models.NetworkConfig.as_dict`.

    Parameters
    ----------
    config : dataclass
        Of a kind that :data:`mgtutorial.models.CONFIGS` has.

    Examples
    --------
    >>> from mgtutorial import models
    >>> as_dict(models.named("mgnet-20"))["kind"]
    'MgNetConfig'

    Book: reproduction, reproduction-statements
    """
    return {"kind": type(config).__name__, **config.as_dict()}


def narrowed(config, by=(4, 2)):
    """Return the config with its widths divided by the first number of `by` that all groups allow.

    Levels, steps, groups and the sharing of weights stay as they are, so a run of the small
    network, which takes seconds, goes through every line of code that a run of the large one goes
    through. A stem for large images becomes the one for small images.

    Parameters
    ----------
    config : config of a network
    by : tuple of int

    Returns
    -------
    config
        If no number fits, with the widths of `config`.

    Examples
    --------
    >>> from mgtutorial.models import named
    >>> small = narrowed(named("mgiad-lam1-c64-g8"))
    >>> small.channels, small.coarsest, small.group_size
    ((16, 32, 64, 64), 16, 2)

    Book: reproduction, tab-budgets
    """
    if getattr(config, "stem", None) == "7x7":
        config = replace(config, stem="3x3")
    for divisor in by:
        changes = {
            name: _divided(getattr(config, name), divisor)
            for name in WIDTHS
            if getattr(config, name, None) is not None
        }
        try:
            return replace(config, **changes)
        except InvalidValue:
            continue
    return config


def _divided(value, by):
    if isinstance(value, tuple):  # ratios of widths stay whole
        first = max(1, value[0] // by)
        return tuple(c * first // value[0] for c in value)
    return value / by if isinstance(value, float) else max(1, value // by)
