"""Others' networks that MGIC's tables quote, as torchvision builds them: counted and printed."""

from typing import NamedTuple

from .._torchvision import torchvision
from ..models import counting
from . import published

#: Row of a table: the function of ``torchvision.models``, and its width.
BUILT = {
    "mgic-table5": {"resnet50": ("resnet50", None), "resnext50": ("resnext50_32x4d", None)},
    "mgic-table7": {
        "mobilenetv2-0.35x": ("mobilenet_v2", 0.35),
        "shufflenetv2-0.5x": ("shufflenet_v2_x0_5", None),
        "mobilenetv3-small-0.75x": ("mobilenet_v3_small", 0.75),
        "mobilenetv2-0.6x": ("mobilenet_v2", 0.6),
        "shufflenetv2-1.0x": ("shufflenet_v2_x1_0", None),
        "mobilenetv3-large-0.75x": ("mobilenet_v3_large", 0.75),
        "mobilenetv2-1.0x": ("mobilenet_v2", None),
        "shufflenetv2-1.5x": ("shufflenet_v2_x1_5", None),
        "mobilenetv3-large-1.0x": ("mobilenet_v3_large", None),
    },
}


class Other(NamedTuple):
    """A quoted network: its row, the printed millions of weights, ours, and the multiplications."""

    name: str
    printed: float
    weights: int
    products: float
    macs: int


def others(table):
    """Return the others' networks in a table, counted for images of 224 x 224 pixels.

    Parameters
    ----------
    table : str
        A key of :data:`BUILT`.

    Returns
    -------
    list of Other
        `products` are the printed multiplications for one image.

    Examples
    --------
    >>> [f"{row.name}: {row.printed} M, {row.weights:,}" for row in others("mgic-table5")]
    ['resnet50: 25.6 M, 25,557,032', 'resnext50: 25.0 M, 25,028,904']
    """
    import torch

    rows = {row.name: row for row in published.rows(table)}
    found = []
    for name, (function, width) in BUILT[table].items():
        with torch.device("meta"):
            scaled = {} if width is None else {"width_mult": width}
            net = getattr(torchvision().models, function)(**scaled)
        weights, macs = counting.count_weights(net), counting.count_macs(net, 224, 3)
        row = rows[name]
        found.append(Other(name, row.weights / 1e6, weights, row.products, macs))
    return found
