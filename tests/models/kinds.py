"""One small network of each kind, and images for it."""

from dataclasses import replace

import torch

from mgtutorial import models

KINDS = {
    "resnet": models.ResNetConfig((1, 1), (8, 16)),
    "resnet-padding": models.ResNetConfig((1, 1), (8, 16), shortcut="padding"),
    "mgnet": models.MgNetConfig((8, 16)),
    "mgnet-dense": models.MgNetConfig((8, 8), transfers="dense"),
    "mgiad": models.MGiaDConfig((8, 16), coarsest=4, group_size=2),
    "mgiad-fas": models.MGiaDConfig((8, 16), coarsest=4, group_size=2, correction="fas"),
    "mgiad-w": models.MGiaDConfig((8, 16), coarsest=2, group_size=2, gamma=2),
    "poly-mgnet-q2": models.PolyMgNetConfig((8, 16)),
    "poly-mgnet-g6": models.PolyMgNetConfig((8, 16), "g6"),
    "poly-mgnet-p3": models.PolyMgNetConfig((8, 16), ("p3",)),
    "poly-mgiad": models.PolyMGiaDConfig((8, 16), coarsest=4, group_size=2),
    "galerkin": models.GalerkinConfig((8, 16)),
    "constrained": models.ConstrainedConfig((8, 16)),
    "constrained-bounded": models.ConstrainedConfig((8, 16), bounded=True),
    "mgic-resnet": models.MGICResNetConfig((1, 1), (8, 16), group_size=4, coarsest=8),
    "ghostnet": models.GhostNetConfig(
        1.0, ((3, 16, 16, False, 1), (5, 40, 24, True, 2)), hidden=32, num_classes=10
    ),
    "mgic-mobilenetv3": models.MGICMobileNetV3Config(
        bottlenecks=((3, 1, 16, False, 1), (5, 2.3, 80, True, 2)), coarsest=32, num_classes=10
    ),
    "mgic-mobilenetv3-code": models.MGICMobileNetV3CodeConfig(
        bottlenecks=((3, 1, 16, False, 1), (5, 3, 40, True, 2)), coarsest=32, num_classes=10
    ),
}
ROOTS = {"roots": ("uniform", 0.5, 1.0), "parametrisation": "root"}  # of a size near 1


def small(name, **changes):
    """A network of a kind in evaluation mode, whose norms have seen images."""
    torch.manual_seed(0)
    config = KINDS[name]
    if isinstance(config, models.PolyMgNetConfig | models.PolyMGiaDConfig):
        changes = {**ROOTS, **changes}
    net = replace(config, **changes).build()
    net(torch.randn(8, 3, 16, 16))
    return net.eval()


X = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
