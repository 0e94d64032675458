"""What the configs of all networks have in common: checks, plain data, a data set to fit to."""

from dataclasses import dataclass, field, fields, replace

from ..errors import InvalidValue, choose
from .blocks import INITIAL_WEIGHTS

#: What the parts that several networks share can be.
PARTS = {"stem": ("3x3", "7x7"), "norm": ("batch", "none"), "activation": ("relu", "none")}


@dataclass(frozen=True)
class NetworkConfig:
    """Base of the configs: a frozen dataclass says what defines a network, and builds it.

    A network that takes images has the fields `in_channels` and `num_classes`. A field that came
    later than recorded runs is ``field(default=..., metadata={"later": True})``. A config with a
    ``__post_init__`` of its own calls this one first.

    Attributes
    ----------
    initial_weights : {"he-fan-out", "torch", "he-fan-in-grouped"}
        The law of the convolutions' first weights (:func:`mgtutorial.models.blocks.initialise`),
        by name only. It changes no shape, so it changes no count.

    Raises
    ------
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
        choose("law of the initial weights", self.initial_weights, INITIAL_WEIGHTS)

    def check_whole(self, least, *names):
        """Raise unless each of these fields is a whole number, at least `least`.

        Parameters
        ----------
        least : int
        *names : str

        Raises
        ------
        InvalidValue
        """
        for name in names:
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise InvalidValue(
                    f"{name}={value!r}: it must be a whole number, at least {least}."
                )

    def check_images(self, *parts):
        """Raise unless `in_channels` and `num_classes` are positive and `parts` are among PARTS.

        Parameters
        ----------
        *parts : {"stem", "norm", "activation"}
            The fields that the network has of them.

        Raises
        ------
        UnknownName, InvalidValue
        """
        self.check_whole(1, "in_channels", "num_classes")
        for name in parts:
            choose(name, getattr(self, name), PARTS[name])

    def check_levels(self, *names):
        """Make tuples of these fields; raise unless all have one positive number for each level.

        Parameters
        ----------
        *names : str

        Raises
        ------
        InvalidValue
        """
        for name in names:
            value = tuple(getattr(self, name))
            object.__setattr__(self, name, value)
            if not value or min(value) < 1:
                raise InvalidValue(f"{name}={value}: give one positive number for each level.")
        if len({len(getattr(self, name)) for name in names}) > 1:
            given = " and ".join(f"{name}={getattr(self, name)}" for name in names)
            raise InvalidValue(f"{given}: all need one number for each level.")

    def as_dict(self):
        """Return the fields as plain data, without the later ones that are at their defaults.

        So the digests of older runs stay what they were.

        Returns
        -------
        dict
            Tuples have become lists.
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
        changes = {"stem": info.stem} if getattr(self, "stem", None) == "3x3" else {}
        return replace(self.with_ends(info), **changes)

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
        if not hasattr(self, "in_channels"):
            raise InvalidValue(
                f"{type(self).__name__} is no network for images, so it does not fit the data set "
                f"{info.name!r}: choose another network."
            )
        return replace(self, in_channels=info.channels, num_classes=info.classes)


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
    return {k: _plain(v) for k, v in values.items()}


def _plain(value):
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def as_dict(config):
    """Return a config as the plain data that JSON knows, its kind included.

    A field that came later is left out at its default, see
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
