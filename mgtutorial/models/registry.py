"""The networks: each a frozen config dataclass and the module that it builds.

>>> named("mgnet-20", in_channels=1)
MgNetConfig(channels=(16, 32, 64), steps=3, in_channels=1, ...)
"""

from dataclasses import asdict, fields, replace
from importlib import import_module

from ..errors import InvalidValue, Names, choose

#: The files of this folder that have an architecture: each names the networks of its paper in
#: ``NAMED``, for CIFAR-10 (those of ImageNet for ImageNet).
ARCHITECTURES = (
    "resnet",
    "mgnet",
    "mgiad",
    "poly_mgnet",
    "mgic_resnet",
    "mgic_mobilenetv3",
)

CONFIGS = Names(
    "network",
    (
        item
        for name in ARCHITECTURES
        for item in import_module(f"{__package__}.{name}").NAMED.items()
    ),
)

_KINDS = Names("kind of network", ((type(c).__name__, type(c)) for c in CONFIGS.values()))


def named(name, **changes):
    """Return the config of a named network, with some of its fields changed.

    Raises
    ------
    UnknownName
        If there is no such network, or no such field.

    Examples
    --------
    >>> named("resnet20", num_classes=100).num_classes
    100
    """
    config = CONFIGS[name]
    for key in changes:
        choose(f"field of {type(config).__name__}", key, [f.name for f in fields(config)])
    return replace(config, **changes)


def as_dict(config):
    """Return a config as the plain data that JSON knows, its kind included.

    A field that came later, ``field(default=..., metadata={"later": True})``, is left out at
    its default: so the digests of older runs stay what they were.

    Examples
    --------
    >>> from_dict(as_dict(CONFIGS["mgnet-20"])) == CONFIGS["mgnet-20"]
    True
    """
    values = asdict(config)
    kept = [
        f.name
        for f in fields(config)
        if not (f.metadata.get("later") and getattr(config, f.name) == f.default)
    ]
    plain = {k: list(values[k]) if isinstance(values[k], tuple) else values[k] for k in kept}
    return {"kind": type(config).__name__, **plain}


def from_dict(d):
    """Return the config that :func:`as_dict` wrote.

    Raises
    ------
    UnknownName, InvalidValue
        If the kind or a field is unknown.
    """
    d = dict(d)
    kind = _KINDS[d.pop("kind", None)]
    unknown = set(d) - {f.name for f in fields(kind)}
    if unknown:
        raise InvalidValue(f"{kind.__name__} has no field {', '.join(sorted(unknown))}.")
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in d.items()})
