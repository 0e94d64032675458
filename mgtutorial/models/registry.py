"""The networks: each a frozen config dataclass and the module that it builds.

>>> named("mgnet-20", in_channels=1)
MgNetConfig(channels=(16, 32, 64), steps=3, in_channels=1, ...)
"""

from dataclasses import fields, replace

from ..errors import InvalidValue, choose
from . import mgiad, mgic_mobilenetv3, mgic_resnet, mgnet, poly_mgnet, resnet
from .implicit_function import ImplicitConfig
from .mgiad import MGiaDConfig
from .mgic import TransfersConfig
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
        ImplicitConfig,
        TransfersConfig,
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

    A field that came later is left out at its default, see
    :meth:`mgtutorial.models.config.NetworkConfig.as_dict`.

    Examples
    --------
    >>> from_dict(as_dict(CONFIGS["mgnet-20"])) == CONFIGS["mgnet-20"]
    True
    """
    return {"kind": type(config).__name__, **config.as_dict()}


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
