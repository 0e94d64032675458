"""The networks: each a frozen config dataclass and the module that it builds.

>>> named("mgnet-20", in_channels=1)
MgNetConfig(channels=(16, 32, 64), steps=3, in_channels=1, ...)
"""

from dataclasses import asdict, fields, replace

from ..errors import InvalidValue, choose
from . import mgiad, mgic_mobilenetv3, mgic_resnet, mgnet, poly_mgnet, resnet
from .mgiad import MGiaDConfig
from .mgic_mobilenetv3 import MGICMobileNetV3Config
from .mgic_resnet import MGICResNetConfig
from .mgnet import MgNetConfig
from .poly_mgnet import PolyMgNetConfig
from .resnet import ResNetConfig

# Each module names the networks of its paper, for CIFAR-10 (those of ImageNet for ImageNet).
CONFIGS = {
    **resnet.NAMED,
    **mgnet.NAMED,
    **mgiad.NAMED,
    **poly_mgnet.NAMED,
    **mgic_resnet.NAMED,
    **mgic_mobilenetv3.NAMED,
}

_KINDS = {
    c.__name__: c
    for c in (
        MgNetConfig,
        ResNetConfig,
        MGiaDConfig,
        PolyMgNetConfig,
        MGICResNetConfig,
        MGICMobileNetV3Config,
    )
}


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
    config = CONFIGS[choose("network", name, CONFIGS)]
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
    kind = _KINDS[choose("kind of network", d.pop("kind", None), _KINDS)]
    unknown = set(d) - {f.name for f in fields(kind)}
    if unknown:
        raise InvalidValue(f"{kind.__name__} has no field {', '.join(sorted(unknown))}.")
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in d.items()})


def name_of(config, also=()):
    """Return the name of a network, whatever its data set; its kind and widths if it has none.

    Parameters
    ----------
    config : config of a network
    also : iterable of (str, config)
        More names than those of :data:`CONFIGS`, which come first.

    Examples
    --------
    >>> name_of(named("mgnet-20", in_channels=1)), name_of(named("mgnet", channels=(8, 24)))
    ('mgnet-20', 'MgNet 8-24')
    """
    for name, known in (*CONFIGS.items(), *also):
        if type(known) is type(config):
            fitted = {k: getattr(config, k) for k in ("in_channels", "num_classes")}
            if config == replace(known, **fitted):
                return name
    kind = type(config).__name__.removesuffix("Config")
    return " ".join([kind, "-".join(map(str, getattr(config, "channels", ())))]).strip()
