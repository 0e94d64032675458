"""The networks: each a frozen config dataclass and the module that it builds.

>>> named("mgnet-20", in_channels=1)
MgNetConfig(..., channels=(16, 32, 64), steps=3, in_channels=1, ...)
"""

from . import blocks
from .alive import activations_alive, activations_in_training
from .applications import applications_written, literal_macs
from .config import NetworkConfig, as_dict, narrowed
from .constrained import Constrained, ConstrainedConfig
from .counting import (
    activations_held,
    built,
    count_macs,
    count_weights,
    macs_by_part,
    weights_by_part,
)
from .fused import Fused, fuse
from .galerkin import GalerkinConfig, GalerkinMgNet
from .ghostnet import GhostNet, GhostNetConfig
from .implicit_function import ImplicitConfig
from .lean import Lean
from .lraspp import LRASPP, LRASPPConfig, atrous, take_encoder
from .mgiad import MGiaD, MGiaDConfig
from .mgic import MGIC, TransferChain, TransfersConfig, group_numbers, halvings
from .mgic_mobilenetv3 import MGICMobileNetV3, MGICMobileNetV3Config
from .mgic_mobilenetv3_code import MGICMobileNetV3Code, MGICMobileNetV3CodeConfig
from .mgic_resnet import MGICResNet, MGICResNetConfig
from .mgic_text import MGICText, MGICTextConfig
from .mgnet import MgNet, MgNetConfig
from .network import Network
from .point_clouds import PointCloudConfig
from .poly_mgiad import PolyMGiaD, PolyMGiaDConfig
from .poly_mgnet import PolyMgNet, PolyMgNetConfig
from .poly_placements import placements_of_code
from .poly_roots import spectrum
from .poly_steps import PLACEMENTS, PolyStep
from .registry import CONFIGS, from_dict, name_of, named
from .resnet import BasicBlock, ResNet, ResNetConfig
from .saving import load, save
from .sic import SiC

__all__ = [
    "CONFIGS",
    "LRASPP",
    "MGIC",
    "PLACEMENTS",
    "BasicBlock",
    "Constrained",
    "ConstrainedConfig",
    "Fused",
    "GalerkinConfig",
    "GalerkinMgNet",
    "GhostNet",
    "GhostNetConfig",
    "ImplicitConfig",
    "LRASPPConfig",
    "Lean",
    "MGICMobileNetV3",
    "MGICMobileNetV3Code",
    "MGICMobileNetV3CodeConfig",
    "MGICMobileNetV3Config",
    "MGICResNet",
    "MGICResNetConfig",
    "MGICText",
    "MGICTextConfig",
    "MGiaD",
    "MGiaDConfig",
    "MgNet",
    "MgNetConfig",
    "Network",
    "NetworkConfig",
    "PointCloudConfig",
    "PolyMGiaD",
    "PolyMGiaDConfig",
    "PolyMgNet",
    "PolyMgNetConfig",
    "PolyStep",
    "ResNet",
    "ResNetConfig",
    "SiC",
    "TransferChain",
    "TransfersConfig",
    "activations_alive",
    "activations_held",
    "activations_in_training",
    "applications_written",
    "as_dict",
    "atrous",
    "blocks",
    "built",
    "count_macs",
    "count_weights",
    "from_dict",
    "fuse",
    "group_numbers",
    "halvings",
    "literal_macs",
    "load",
    "macs_by_part",
    "name_of",
    "named",
    "narrowed",
    "placements_of_code",
    "save",
    "spectrum",
    "take_encoder",
    "weights_by_part",
]
