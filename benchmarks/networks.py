"""Networks with a recorded accuracy: a forward pass and a training step, and what bounds them.

On random images of FashionMNIST's size, beside the networks one would take from torchvision, at the
same size. `macs` are the multiplications of one image's forward pass; `bytes` are what the
operations of the pass, as torch executes them one by one, read and write for one image: each tensor
counts once per operation, so what could be fused is included. Both are counted, not timed.
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mgtutorial import models
from mgtutorial._torchvision import torchvision
from mgtutorial.models import counting

from .side_by_side import alternate

SIZE, CHANNELS, CLASSES = 28, 1, 10
OURS = ("resnet20", "mgnet-20", "mgiad-20-g16", "mgiad-20-g8", "mgiad-20-g4")
THEIRS = ("resnet18", "mobilenet_v3_small", "mobilenet_v3_large")
#: Operations that only give a tensor another shape or another name.
VIEWS = ("view", "detach", "t", "alias", "expand", "slice", "select", "as_strided", "permute")


def networks(ours=OURS, theirs=THEIRS):
    """Return the networks by name: those of this package, and torchvision's for gray images."""
    ends = {"in_channels": CHANNELS, "num_classes": CLASSES}
    found = {f"mgtutorial {name}": models.named(name, **ends).build() for name in ours}
    for name in theirs:
        net = getattr(torchvision().models, name)(num_classes=CLASSES)
        stem = next(m for m in net.modules() if isinstance(m, nn.Conv2d))
        first = stem.weight.data[:, :CHANNELS].clone()
        stem.in_channels, stem.weight = CHANNELS, nn.Parameter(first)
        found[f"torchvision {name}"] = net
    return found


class Traffic(TorchDispatchMode):
    """Adds up the bytes that operations read and write, each tensor once an operation."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        if function._schema.name.removeprefix("aten::").rstrip("_") not in VIEWS:
            for tensor in tree_leaves((args, kwargs, out)):
                if isinstance(tensor, torch.Tensor):
                    self.bytes += tensor.numel() * tensor.element_size()
        return out


def traffic(net, x):
    """Return the bytes of a forward pass of evaluation."""
    with torch.no_grad(), Traffic() as mode:
        net.eval()(x)
    return mode.bytes


def forward(net, x):
    with torch.no_grad():
        return net.eval()(x)


def step(net, x, labels):
    """A forward and a backward pass of training."""
    net.train().zero_grad(set_to_none=True)
    F.cross_entropy(net(x), labels).backward()


def measure(batch=64, repeat=7, ours=OURS, theirs=THEIRS):
    torch.manual_seed(0)
    nets = networks(ours, theirs)
    x, labels = torch.randn(batch, CHANNELS, SIZE, SIZE), torch.arange(batch) % CLASSES
    facts = {
        name: {
            "weights": counting.count_weights(net),
            "macs": counting.count_macs(net, SIZE, CHANNELS),
            "bytes": traffic(net, x) // batch,
            "threads": torch.get_num_threads(),
        }
        for name, net in nets.items()
    }
    for case, work in (("forward", forward), ("training step", lambda n, x: step(n, x, labels))):
        sides = {name: lambda net=net, work=work: work(net, x) for name, net in nets.items()}
        _, seconds = alternate(sides, repeat)
        for side, values in seconds.items():
            yield {"case": f"{case}, {batch} images", "side": side, "unit": "s",
                   "values": values, "facts": facts[side]}  # fmt: skip
