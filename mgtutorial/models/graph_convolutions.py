"""The graph convolutions of DGCNN and of diffGCN: :mod:`.point_clouds` says what they compute."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import fx, nn

from . import blocks
from .neighbours import Graph, neighbour_max, neighbour_sums

#: Of diffGCN, and how many features of a point each makes of one.
OPERATORS = {"all": 7, "gradient": 3}


class Differences(NamedTuple):
    """A graph with the weights of its difference operators, each (rows, k).

    Book: point_clouds, eq-clouds-diff
    """

    graph: Graph
    weights: tuple

    def apply(self, x):
        """Return the differences of features ``(rows, c)``, one operator after the other."""
        sums = neighbour_sums(x, self.weights, self.graph)
        pairs = zip(sums, self.weights, strict=True)
        return [s - w.sum(1, keepdim=True) * x for s, w in pairs]


def differences_on(graph, operators="all"):
    """Return the :class:`Differences` of a graph.

    Parameters
    ----------
    graph : Graph
    operators : {"all", "gradient"}

    Examples
    --------
    >>> from mgtutorial.models.neighbours import graph_of
    >>> len(differences_on(graph_of(torch.rand(2, 20, 3), k=4)).weights)
    6

    Book: point_clouds, eq-clouds-diff
    """
    apart, (clouds, size, _) = graph.offsets, graph.points.shape
    length = apart.square().sum(2).sqrt()
    h = length.view(clouds, -1).mean(1).clamp(min=1e-12)  # one number for each cloud
    h, k = h[:, None].expand(-1, size).reshape(-1, 1), graph.neighbours.shape[1]
    first = tuple(apart[:, :, a] / (k * h) for a in range(3))
    second = tuple(apart[:, :, a] ** 2 / (k * h * h) for a in range(3))
    return Differences(graph, first if operators == "gradient" else first + second)


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
        Of a layer before the last one, with norm and ReLU on the edges; 0: none.

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
        Each reads all operators of its own channels.

    Examples
    --------
    >>> from mgtutorial.models.neighbours import graph_of
    >>> graph = differences_on(graph_of(torch.rand(2, 20, 3), k=4), "all")
    >>> DiffConv(8, 16)(torch.rand(40, 8), graph).shape
    torch.Size([40, 16])

    Book: point_clouds, eq-clouds-diff
    """

    def __init__(self, c_in, c_out, operators="all", groups=1):
        super().__init__()
        self.mass = operators == "all"
        self.conv = blocks.conv(OPERATORS[operators] * c_in, c_out, kernel=1, groups=groups)

    def forward(self, x, differences):
        return _mapped(x, differences, self.conv.weight, self.conv.groups, self.mass)


def _mapped(x, differences, weight, groups, mass):
    matrices = weight.view(groups, len(weight) // groups, -1, x.shape[1] // groups).unbind(2)
    y = product(x, matrices[0]) if mass else 0.0
    for d, matrix in zip(differences.apply(x), matrices[mass:], strict=True):
        y = y + product(d, matrix)  # not all side by side: the cache holds one of them
    return y


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
for _name in ("neighbour_max", "product", "_mapped"):
    fx.wrap(_name)
