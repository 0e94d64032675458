r"""Networks for clouds of points, as in MGIC's Table 10: one network, three graph convolutions.

All features live at the points, 64 at each. Six graph convolutions and two maps of single points
are followed by the maximum over the cloud and a small classifier. A *graph convolution* (G-conv)
takes features of a point and of its `k` nearest neighbours, and is followed by batch norm and
ReLU. Table 11 has three of them:

.. math::

    \text{DGCNN:} \quad & \max_{j \in N(i)} \bigl(W_1 x_i + W_2 (x_j - x_i)\bigr), \\
    \text{diffGCN:} \quad & W_0 x_i + \sum_{a=1}^{3} W_a (D_a x)_i + \sum_{a=1}^{3} V_a (L_a x)_i,

and MGIC's cycle over channels around the latter, with the differences along the edges

.. math::

    (D_a x)_i = \frac1{k h_i} \sum_{j \in N(i)} (p_j - p_i)_a (x_j - x_i), \qquad
    (L_a x)_i = \frac1{k h_i^2} \sum_{j \in N(i)} (p_j - p_i)_a^2 (x_j - x_i),

where :math:`h_i` is the root mean square length of the point's own edges. So in no row of an
operator do the absolute values of the entries sum to more than 2.

**What section 4.5 leaves open, and what is chosen here.** It prints the rows of the network, the
widths, `k` and the number of points, and names three papers. It does not print what is inside
a G-conv, nor :math:`s_g` and :math:`s_c`, nor any setting of the training.

- *The graph*: the text speaks of "the adjacency matrix" of a network, just one: the nearest points
  in space, the same for all layers. DGCNN itself finds new neighbours among the features.
- *EdgeConv*: one linear map, as DGCNN's classification network has in each layer. Norm and ReLU
  follow the maximum, according to the text of section 4.5; DGCNN has them before it. If the norm's
  weights are not negative, norm and ReLU commute with the maximum, up to their statistics. A hidden
  layer of twice the width, 2c - 2c - c, is the only reading found whose count rounds to the printed
  0.16 million (``"dgcnn-hidden"``).
- *diffGCN's operators*: mass, gradient and Laplacian, as in that paper's abstract. Its public code
  (BGUCompSci/DiffGCNs.py@f473ad4, DiffGCN.py) writes down seven features, which are those above,
  and executes three of them, the gradient (``"diffgcn-gradient"``). The code averages over edges
  into and out of a point; here the edges are those to its `k` neighbours. Dividing by :math:`h_i`
  is ours: with one number for the whole cloud, isolated points get large rows, and what a layer
  makes of them grows from layer to layer.
  The code has a new graph for each block, and pooling, which Table 10 does not have.
- *MGIC*: its block keeps the width, so the first G-conv, from 3 to 64, has none. Each group reads
  what all operators make of its own channels. The paper typically chooses :math:`s_c = s_g`
  (section 3.4); with this, 16 is the power of two that comes nearest to the printed count.

The linear map of an EdgeConv is applied before its edges are formed,
:math:`(W_1 - W_2) x_i + \max_j W_2 x_j`: exactly the same, and :math:`k` times fewer products.

References
----------
.. [1] M. Eliasof, J. Ephrath, L. Ruthotto and E. Treister, MGIC: Multigrid-in-channels
   neural network architectures, SIAM J. Sci. Comput. 45 (2023). Section 4.5, Tables 10 and 11.
.. [2] Y. Wang et al., Dynamic graph CNN for learning on point clouds, ACM Trans. Graph. (2019).
.. [3] M. Eliasof and E. Treister, DiffGCN: Graph convolutional networks via differential
   operators and algebraic multigrid pooling, NeurIPS (2020).
"""

from dataclasses import dataclass, replace
from functools import partial

from torch import fx, nn

from .. import multigrid
from ..errors import InvalidValue, choose
from . import blocks, mgic
from .config import NetworkConfig
from .differences import OPERATORS, differences_on
from .graph_convolutions import DiffConv, EdgeConv, GraphConv, Rowwise
from .neighbours import graph_of
from .network import _type_of_weights, check_type

LAYERS = ("edge-conv", "diff-gcn", "mgic-diff-gcn")


@dataclass(frozen=True)
class PointCloudConfig(NetworkConfig):
    """What defines a network of MGIC's Table 10.

    Attributes
    ----------
    layer : {"edge-conv", "diff-gcn", "mgic-diff-gcn"}
        The G-conv: DGCNN's, diffGCN's, or MGIC's cycle around the latter.
    width, k : int
        Features of a point, and its neighbours.
    operators : {"all", "gradient"}
        Of diffGCN: mass, gradient and second differences, or the gradient alone.
    hidden : int
        Width of a hidden layer on the edges of an EdgeConv; 0 for none.
    group_size, coarsest : int
        Of MGIC: channels in a group, and the width at which they are no longer halved.
    num_classes : int

    Raises
    ------
    UnknownName, InvalidValue
        If a name is unknown, a number is below 1, or if width, groups and halvings do not fit.

    Examples
    --------
    >>> from mgtutorial.models import count_weights
    >>> {name: count_weights(config) for name, config in NAMED.items()}
    {'dgcnn': 63882, 'diffgcn': 167242, 'mgic-diffgcn': 95722, 'dgcnn-hidden': 155914,
     'diffgcn-gradient': 84554, 'mgic-diffgcn-gradient': 59114}

    Book: point_clouds, clouds-counts
    """

    layer: str = "edge-conv"
    width: int = 64
    k: int = 10
    operators: str = "all"
    hidden: int = 0
    group_size: int = 16
    coarsest: int = 16
    num_classes: int = 10

    def __post_init__(self):
        super().__post_init__()
        choose("graph convolution", self.layer, LAYERS)
        choose("operators of diffGCN", self.operators, OPERATORS)
        self.check_whole(1, "width", "k", "group_size", "coarsest", "num_classes")
        self.check_whole(0, "hidden")
        if self.hidden and self.layer != "edge-conv":
            raise InvalidValue(
                f"hidden={self.hidden}: the hidden layer is one of an EdgeConv; with "
                f"layer={self.layer!r} give 0."
            )
        if self.layer == "mgic-diff-gcn":
            mgic.group_numbers(self.widths, self.group_size)

    @property
    def widths(self):
        """Widths of MGIC's channel levels."""
        return mgic.halvings(self.width, self.coarsest)

    def convolution(self, c_in, c_out, groups=1):
        """Return the G-conv from `c_in` features to `c_out`, with its norm and ReLU."""
        if self.layer == "edge-conv":
            layer = EdgeConv(c_in, c_out, self.hidden)
        else:
            layer = DiffConv(c_in, c_out, self.operators, groups)
        return GraphConv(layer, c_out)

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return PointCloudNetwork(self)


class GraphMGIC(mgic.MGIC):
    """MGIC's block around a block that also needs the graph: the same one on all channel levels.

    Examples
    --------
    >>> import torch
    >>> config = PointCloudConfig("mgic-diff-gcn")
    >>> block = GraphMGIC(lambda c, g: config.convolution(c, c, g), (64, 32), (4, 1))
    >>> graph = differences_on(graph_of(torch.rand(2, 20, 3), k=4), "all")
    >>> block(torch.rand(40, 64, 1, 1), graph).shape
    torch.Size([40, 64, 1, 1])

    Book: point_clouds, clouds-network
    """

    def forward(self, x, graph):
        levels = [
            replace(m.level(), post=(partial(_step, m.block, graph),)) for m in self.channel_levels
        ]
        return multigrid.cycle(levels, multigrid.State(x, 0.0, 0.0)).u


def _step(block, graph, s):
    return multigrid.State(block(s.u, graph), s.f)


class PointCloudNetwork(nn.Module):
    """The network of a :class:`PointCloudConfig`, from ``(n, points, 3)`` to ``(n, classes)``.

    Examples
    --------
    >>> import torch
    >>> PointCloudConfig("mgic-diff-gcn").build()(torch.rand(2, 128, 3)).shape
    torch.Size([2, 10])

    Book: point_clouds, clouds-network
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        c = config.width
        self.first = config.convolution(3, c)
        self.blocks = nn.ModuleList(_block(config) for _ in range(5))
        self.mlps = nn.ModuleList(_mlp(c) for _ in range(2))
        self.head = nn.Sequential(
            *(_mlp(c) for _ in range(3)), nn.Flatten(), nn.Linear(c, config.num_classes)
        )
        _multiply_matrices(self)
        mgic.initialise(self, config.initial_weights)

    def macs(self, points, literal=False):
        """Return the multiplications by weights in one cloud's forward pass, norms aside.

        Parameters
        ----------
        points : int
        literal : bool
            Count an EdgeConv's map on each edge, as it is written, rather than at each point.
        """
        per_point, once = 0, sum(m.weight.numel() for m in _linear(self.head))
        for module in (self.first, *self.blocks, *self.mlps):
            for m in module.modules():
                if isinstance(m, EdgeConv):
                    edges = self.config.k - 1
                    per_point += literal * edges * m.conv.weight.numel()
                    per_point += edges * (m.last.weight.numel() if m.last is not None else 0)
                elif isinstance(m, nn.Conv2d):
                    per_point += m.weight.numel()
        return points * per_point + once

    def features(self, points):
        """The features of the points before the maximum: (n, points, width)."""
        points = check_type(points, _type_of_weights(self), "points")
        graph = graph_of(points, self.config.k)
        clouds = graph.points
        if self.config.layer != "edge-conv":
            graph = differences_on(graph, self.config.operators)
        x = self.first(clouds.flatten(0, 1)[:, :, None, None], graph)
        for block in self.blocks[:2]:
            x = block(x, graph)
        x = self.mlps[0](x)
        for block in self.blocks[2:]:
            x = block(x, graph)
        return self.mlps[1](x).view(clouds.shape[0], clouds.shape[1], -1)

    def forward(self, points):
        return self.head(self.features(points).amax(1)[:, :, None, None])


def _block(config):
    c = config.width
    if config.layer != "mgic-diff-gcn":
        return config.convolution(c, c)
    groups = mgic.group_numbers(config.widths, config.group_size)
    return GraphMGIC(lambda w, g: config.convolution(w, w, g), config.widths, groups)


def _mlp(c):
    return nn.Sequential(blocks.conv(c, c, kernel=1), nn.BatchNorm2d(c), nn.ReLU())


def _linear(module):
    return (m for m in module.modules() if isinstance(m, nn.Conv2d | nn.Linear))


def _multiply_matrices(module):
    for name, child in module.named_children():
        if type(child) is nn.Conv2d:
            rowwise = Rowwise(
                child.in_channels, child.out_channels, 1, groups=child.groups, bias=False,
                device="meta",
            )  # fmt: skip
            rowwise.weight = child.weight
            setattr(module, name, rowwise)
        else:
            _multiply_matrices(child)


# A symbolic trace knows no sizes: it keeps these calls in its graph.
fx.wrap("graph_of")
fx.wrap("differences_on")

#: The rows of MGIC's Table 11, and more readings of what is inside a G-conv.
NAMED = {
    "dgcnn": PointCloudConfig(),
    "diffgcn": PointCloudConfig("diff-gcn"),
    "mgic-diffgcn": PointCloudConfig("mgic-diff-gcn"),
    "dgcnn-hidden": PointCloudConfig(hidden=128),
    "diffgcn-gradient": PointCloudConfig("diff-gcn", operators="gradient"),
    "mgic-diffgcn-gradient": PointCloudConfig("mgic-diff-gcn", operators="gradient"),
}
