"""The graph convolutions of DGCNN and of diffGCN: :mod:`.point_clouds` says what they compute."""

import torch
import torch.nn.functional as F
from torch import fx, nn

from . import blocks
from .differences import OPERATORS, map_differences
from .neighbours import neighbour_max


def product(x, weight):
    """Return the product of features with a matrix, group by group.

    Parameters
    ----------
    x : torch.Tensor
        (rows, groups * c).
    weight : torch.Tensor
        (groups, c', c).

    Returns
    -------
    torch.Tensor
        (rows, groups * c').

    Examples
    --------
    >>> product(torch.ones(2, 6), torch.ones(3, 4, 2)).shape
    torch.Size([2, 12])

    Book: point_clouds, clouds-counts
    """
    if len(weight) == 1:
        return F.linear(x, weight[0])
    return torch.einsum("ngi,goi->ngo", x.unflatten(1, (len(weight), -1)), weight).flatten(1)


class Rowwise(nn.Conv2d):
    """A 1x1 convolution of images with a single pixel each, as a product of matrices.

    Examples
    --------
    >>> conv, x = Rowwise(8, 4, 1, groups=2, bias=False), torch.rand(5, 8, 1, 1)
    >>> torch.allclose(conv(x), nn.Conv2d.forward(conv, x), atol=1e-6)
    True

    Book: point_clouds, clouds-counts
    """

    def forward(self, x):
        weight = self.weight.view(self.groups, -1, self.weight.shape[1])
        return product(x.flatten(1), weight)[:, :, None, None]


class EdgeConv(nn.Module):
    """DGCNN's edge convolution, ``max_j (W_1 x_i + W_2 (x_j - x_i))``.

    Parameters
    ----------
    c_in, c_out : int
    hidden : int
        Width of a layer before the last one, with norm and ReLU on the edges; 0: none.

    Examples
    --------
    >>> from mgtutorial.models.neighbours import graph_of
    >>> graph = graph_of(torch.rand(2, 20, 3), k=4)
    >>> EdgeConv(8, 16)(torch.rand(40, 8), graph).shape
    torch.Size([40, 16])

    Book: point_clouds, eq-clouds-edge
    """

    def __init__(self, c_in, c_out, hidden=0):
        super().__init__()
        self.conv = blocks.conv(2 * c_in, hidden or c_out, kernel=1)
        self.norm = nn.BatchNorm2d(hidden) if hidden else None
        self.last = blocks.conv(hidden, c_out, kernel=1) if hidden else None

    def forward(self, x, graph):
        c = self.conv.in_channels // 2
        own, far = self.conv.weight[:, :c, 0, 0], self.conv.weight[:, c:, 0, 0]
        own, far = F.linear(x, own - far), F.linear(x, far)
        if self.last is None:
            return own + neighbour_max(far, graph)
        k = graph.neighbours.shape[1]
        edges = own[:, None] + far.index_select(0, graph.neighbours.flatten()).unflatten(0, (-1, k))
        edges = F.relu(self.norm(edges.flatten(0, 1)[:, :, None, None]))
        return self.last(edges)[:, :, 0, 0].unflatten(0, (-1, k)).amax(1)


class DiffConv(nn.Module):
    """diffGCN's convolution: a linear map of features and of their differences.

    Parameters
    ----------
    c_in, c_out : int
    operators : {"all", "gradient"}
    groups : int
        Each reads what all operators make of its own channels.

    Examples
    --------
    >>> from mgtutorial.models.differences import differences_on
    >>> from mgtutorial.models.neighbours import graph_of
    >>> graph = differences_on(graph_of(torch.rand(2, 20, 3), k=4), "all")
    >>> DiffConv(8, 16)(torch.rand(40, 8), graph).shape
    torch.Size([40, 16])

    Book: point_clouds, eq-clouds-diff
    """

    def __init__(self, c_in, c_out, operators="all", groups=1):
        super().__init__()
        self.operators = OPERATORS[operators]
        self.conv = blocks.conv(self.operators * c_in, c_out, kernel=1, groups=groups)

    def forward(self, x, differences):
        weight = self.conv.weight.flatten(1).unflatten(1, (self.operators, -1))
        return map_differences(x, differences, weight.unflatten(0, (self.conv.groups, -1)))


class GraphConv(nn.Module):
    """A graph convolution, batch norm and ReLU, on features ``(rows, c, 1, 1)``.

    Examples
    --------
    >>> from mgtutorial.models.neighbours import graph_of
    >>> graph = graph_of(torch.rand(2, 20, 3), k=4)
    >>> GraphConv(EdgeConv(8, 16), 16)(torch.rand(40, 8, 1, 1), graph).shape
    torch.Size([40, 16, 1, 1])

    Book: point_clouds, clouds-network
    """

    def __init__(self, layer, c):
        super().__init__()
        self.layer, self.norm = layer, nn.BatchNorm2d(c)

    def forward(self, x, graph):
        return F.relu(self.norm(self.layer(x.flatten(1), graph)[:, :, None, None]))


# A symbolic trace knows no sizes: it keeps these calls in its graph.
for _name in ("neighbour_max", "product", "map_differences"):
    fx.wrap(_name)
