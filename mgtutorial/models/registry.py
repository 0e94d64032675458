"""The networks: each a frozen config dataclass and the module that it builds.

>>> named("mgnet-20", in_channels=1)
MgNetConfig(..., channels=(16, 32, 64), steps=3, in_channels=1, ...)
"""

import ast
from dataclasses import fields, replace
from importlib import import_module

from ..errors import InvalidValue, Names, choose
from .implicit_function import ImplicitConfig
from .lraspp import LRASPPConfig
from .mgic import TransfersConfig
from .mgic_text import MGICTextConfig
from .point_clouds import PointCloudConfig

#: The files of this folder that have an architecture: each names the networks of its paper in
#: ``NAMED``, for CIFAR-10 (those of ImageNet for ImageNet).
ARCHITECTURES = (
    "resnet",
    "mgnet",
    "mgiad",
    "poly_mgnet",
    "poly_mgiad",
    "constrained",
    "galerkin",
    "mgic_resnet",
    "mgic_mobilenetv3",
    "mgic_mobilenetv3_code",
    "ghostnet",
)

CONFIGS = Names(
    "network",
    (
        item
        for name in ARCHITECTURES
        for item in import_module(f"{__package__}.{name}").NAMED.items()
    ),
)

# Kinds of networks that no table names one by one.
_UNNAMED = (ImplicitConfig, PointCloudConfig, TransfersConfig, LRASPPConfig, MGICTextConfig)
_KINDS = Names(
    "kind of network", {c.__name__: c for c in (*map(type, CONFIGS.values()), *_UNNAMED)}
)


def named(name, *, data=None, **changes):
    """Return the config of a named network, with some of its fields changed.

    Parameters
    ----------
    name : str
        One of ``CONFIGS``.
    data : object, optional
        What the network is for, as :meth:`mgtutorial.models.NetworkConfig.for_data_set` takes it:
        it determines channels, classes, stem and norms, before the changes.
    **changes
        Fields, by name, and their new values.

    Raises
    ------
    UnknownName
        If there is no such network, or no such field.
    InvalidValue
        If `data` says too little.

    Examples
    --------
    >>> named("resnet20", num_classes=100).num_classes
    100
    >>> from mgtutorial.data import info
    >>> config = named("mgiad-lam1-c64-g8", data=info("imagenet"), num_classes=100)
    >>> config.stem, config.transfer_norms, config.num_classes
    ('7x7', 'all', 100)

    Book: reproduction, reproduction-statements
    """
    config = CONFIGS[name]
    if data is not None:
        config = config.for_data_set(data)
    for key in changes:
        choose(f"field of {type(config).__name__}", key, _names(config))
    return replace(config, **changes)


def changed(config, text):
    """Return a config with the changes that a text states, in the form that plans of runs use.

    Parameters
    ----------
    config : config of a network
    text : str
        Such as ``"group_size=4 correction=fas"``; values are Python literals, or words.

    Raises
    ------
    UnknownName
        If there is no such field.
    InvalidValue
        If a part of the text is not ``field=value``, or a field cannot have the value.

    Examples
    --------
    >>> changed(CONFIGS["mgnet-20"], "channels=(8,16,32) group_size=4").channels
    (8, 16, 32)

    Book: reproduction, reproduction-plan
    """
    found = {}
    for pair in text.split():
        name, equals, value = pair.partition("=")
        if not equals:
            raise InvalidValue(f"changes {pair!r}: give field=value, without blanks in the value.")
        choose("field of the network", name, [f.name for f in fields(config)])
        if name in found:
            raise InvalidValue(f"changes {text!r} has {name} twice.")
        try:
            found[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[name] = value
    return replace(config, **found)


def _names(config):
    """The names of a config's fields, including those of older versions."""
    return [*(f.name for f in fields(config)), *getattr(config, "old_names", ())]


def from_dict(d):
    """Return the config that :func:`mgtutorial.models.as_dict` wrote.

    Parameters
    ----------
    d : dict
        With the kind, the name of the config's class, under ``"kind"``.

    Raises
    ------
    UnknownName, InvalidValue
        If the kind or a field is unknown.

    Examples
    --------
    >>> from_dict({"kind": "MgNetConfig", "channels": [8, 16]}).channels
    (8, 16)
    >>> from mgtutorial.models import as_dict
    >>> from_dict(as_dict(CONFIGS["mgnet-20"])) == CONFIGS["mgnet-20"]
    True

    Book: reproduction, reproduction-statements
    """
    d = dict(d)
    kind = _KINDS[d.pop("kind", None)]
    unknown = set(d) - {*_names(kind)}
    if unknown:
        raise InvalidValue(f"{kind.__name__} has no field {', '.join(sorted(unknown))}.")
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in d.items()})


# What a data set and a protocol change in a network.
_FITTED = ("in_channels", "num_classes", "initial_weights")


def name_of(config, also=()):
    """Return the name of a network; its kind and widths if it has none.

    Its data set and its protocol, which change a network's ends and its start, do not matter.

    Parameters
    ----------
    config : config of a network
    also : iterable of (str, config)
        Further names besides those of :data:`CONFIGS`, which come first.

    Examples
    --------
    >>> name_of(named("mgnet-20", in_channels=1)), name_of(named("mgnet", channels=(8, 24)))
    ('mgnet-20', 'MgNet 8-24')

    Book: reproduction, reproduction-statements
    """
    for name, known in (*CONFIGS.items(), *also):
        if type(known) is type(config):
            fitted = {k: getattr(config, k) for k in _FITTED}
            if config == replace(known, **fitted):
                return name
    kind = type(config).__name__.removesuffix("Config")
    return " ".join([kind, "-".join(map(str, getattr(config, "channels", ())))]).strip()
