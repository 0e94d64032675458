"""The networks: each a frozen config dataclass and the module that it builds.

>>> named("mgnet-20", in_channels=1)
MgNetConfig(..., channels=(16, 32, 64), steps=3, in_channels=1, ...)
"""

from .mgiad import MGiaD, MGiaDConfig
from .mgic import MGIC, TransferChain
from .mgic_mobilenetv3 import MGICMobileNetV3, MGICMobileNetV3Config
from .mgic_resnet import MGICResNet, MGICResNetConfig
from .mgnet import MgNet, MgNetConfig
from .poly_mgnet import PolyMgNet, PolyMgNetConfig
from .registry import CONFIGS, as_dict, from_dict, named
from .resnet import ResNet, ResNetConfig

__all__ = [
    "CONFIGS",
    "MGIC",
    "MGICMobileNetV3",
    "MGICMobileNetV3Config",
    "MGICResNet",
    "MGICResNetConfig",
    "MGiaD",
    "MGiaDConfig",
    "MgNet",
    "MgNetConfig",
    "PolyMgNet",
    "PolyMgNetConfig",
    "ResNet",
    "ResNetConfig",
    "TransferChain",
    "as_dict",
    "from_dict",
    "named",
]
