r"""The difference operators of diffGCN on a graph, and a linear map of what they make of features.

Each operator is a sparse matrix with a row for each point and `k + 1` entries in the row: first
for the point itself, then for its neighbours. A convolution is a learned combination of them,

.. math:: y_i = \sum_q W_q \sum_{j} w^q_{ij} x_j .

All operators of one cloud are applied to its features at once, and the map follows while the
results are in the processor's cache. The results are not kept: the backward pass computes them a
second time, and uses the transposed matrices, whose entries are sorted once for all layers.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from .neighbours import Graph, is_recorded

#: Sets of diffGCN's operators, and how many features each makes of one feature of a point.
OPERATORS = {"all": 7, "gradient": 3}


class Differences(NamedTuple):
    """A graph with its operators.

    Attributes
    ----------
    graph : Graph
    weights : torch.Tensor
        (rows, q, k + 1), for q operators: of a point itself, then of its neighbours.
    matrix, transposed : Rows or None
        All operators as one sparse matrix, for the fast routine, and its transpose, for gradients.

    Book: point_clouds, eq-clouds-diff
    """

    graph: Graph
    weights: torch.Tensor
    matrix: tuple | None = None
    transposed: tuple | None = None

    def apply(self, x):
        """Return what each operator makes of features ``(rows, c)``: ``(rows, q, c)``."""
        entries = _entries(self.graph)
        edges = x.index_select(0, entries.flatten()).unflatten(0, (-1, entries.shape[1]))
        return torch.stack([(w[:, :, None] * edges).sum(1) for w in self.weights.unbind(1)], 1)


class Rows(NamedTuple):
    """A sparse matrix for each cloud of a batch, row by row.

    Attributes
    ----------
    columns, weights : torch.Tensor
        (clouds, entries): where the entries stand, and what they are.
    begin : torch.Tensor
        (clouds, rows): where the entries of a row begin.

    Book: point_clouds, clouds-time
    """

    columns: torch.Tensor
    begin: torch.Tensor
    weights: torch.Tensor

    @staticmethod
    def sums(x, columns, begin, weights):
        """Return the product of one cloud's matrix with `x`."""
        return F.embedding_bag(columns, x, begin, mode="sum", per_sample_weights=weights)


def differences_on(graph, operators="all"):
    """Return the :class:`Differences` of a graph.

    Parameters
    ----------
    graph : Graph
    operators : {"all", "gradient"}
        The identity, first and second differences; or the first differences alone.

    Examples
    --------
    >>> from mgtutorial.models.neighbours import graph_of
    >>> line = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [3, 0, 0], [7, 0, 0]]])
    >>> differences = differences_on(graph_of(line, k=1), "gradient")
    >>> differences.apply(line[0, :, :1])[:, 0].T  # with one neighbour, lengths of edges
    tensor([[1., 1., 2., 4.]])

    Book: point_clouds, eq-clouds-diff
    """
    apart, (clouds, size, _) = graph.offsets.transpose(1, 2), graph.points.shape
    k = graph.neighbours.shape[1]
    h = (apart.square().sum(1).mean(1) + 1e-24).sqrt().view(-1, 1, 1)  # of each point
    far = apart / (k * h)
    if operators == "all":
        far = torch.cat([far, apart.square() / (k * h * h)], 1)
    weights = torch.cat([-far.sum(2, keepdim=True), far], 2)
    if operators == "all":
        itself = F.one_hot(torch.zeros_like(graph.neighbours[:, :1]), k + 1)
        weights = torch.cat([itself.to(weights), weights], 1)
    if not _is_quick(weights):
        return Differences(graph, weights)
    columns = _entries(graph).view(clouds, size, -1) - size * torch.arange(clouds)[:, None, None]
    matrix = _rows(columns, weights)
    if not torch.is_grad_enabled():
        return Differences(graph, weights, matrix)
    return Differences(graph, weights, matrix, _transposed(columns, weights))


def _entries(graph):
    """A point and its neighbours, as rows of the features: (rows, k + 1)."""
    rows = graph.neighbours.shape[0]  # not len(): a program may be recorded
    own = torch.arange(rows, device=graph.neighbours.device)
    return torch.cat([own[:, None], graph.neighbours], 1)


def _rows(columns, weights):
    """The rows of the operators: of the first point, of the second, and so on."""
    (clouds, size, entries), q = columns.shape, weights.shape[1]
    columns = columns[:, :, None].expand(-1, -1, q, -1)
    begin = torch.arange(0, size * q * entries, entries).expand(clouds, -1)
    return Rows(columns.reshape(clouds, -1), begin, weights.reshape(clouds, -1))


def _transposed(columns, weights):
    """The rows of the transposed matrix, one for each point."""
    (clouds, _, entries), q = columns.shape, weights.shape[1]
    order = columns.flatten(1).argsort(stable=True)
    count = torch.stack([own.bincount(minlength=columns.shape[1]) for own in columns.flatten(1)])
    found = q * (order // entries)[:, :, None] + torch.arange(q)
    weights = weights.transpose(1, 2).reshape(clouds, -1, q)
    weights = weights.gather(1, order[:, :, None].expand(-1, -1, q))
    return Rows(found.flatten(1), q * (count.cumsum(1) - count), weights.flatten(1))


def map_differences(x, differences, weight):
    r"""Return :math:`\sum_q W_q D_q x`, group by group.

    Parameters
    ----------
    x : torch.Tensor
        (rows, groups * c).
    differences : Differences
        With q operators.
    weight : torch.Tensor
        (groups, c', q, c).

    Returns
    -------
    torch.Tensor
        (rows, groups * c').

    Examples
    --------
    >>> from mgtutorial.models.neighbours import graph_of
    >>> differences = differences_on(graph_of(torch.rand(2, 20, 3), k=4))
    >>> map_differences(torch.rand(40, 6), differences, torch.ones(3, 5, 7, 2)).shape
    torch.Size([40, 15])

    Book: point_clouds, clouds-time
    """
    weights = differences.weights
    if differences.matrix is not None and x.dtype == weight.dtype == weights.dtype:
        graded = torch.is_grad_enabled()
        if not graded or (differences.transposed is not None and not weights.requires_grad):
            return _Mapped.apply(x, _dense(weight), differences)
    d = differences.apply(x).unflatten(2, (weight.shape[0], weight.shape[3]))
    return torch.einsum("nqgi,goqi->ngo", d, weight).flatten(1)


def _dense(weight):
    """Groups as one matrix, with zeros; while it is small, copying costs more than multiplying."""
    own = torch.eye(len(weight), dtype=weight.dtype, device=weight.device)
    return torch.einsum("goqi,gh->goqhi", weight, own).flatten(2).flatten(0, 1)


class _Mapped(torch.autograd.Function):
    """One cloud after another, so that the results of its operators stay in the cache."""

    @staticmethod
    def forward(ctx, x, matrix, differences):
        ctx.save_for_backward(x, matrix)
        ctx.differences = differences
        clouds = x.detach().chunk(len(differences.graph.points))
        return torch.cat(
            [
                F.linear(Rows.sums(x, *rows).view(len(x), -1), matrix)
                for x, *rows in zip(clouds, *differences.matrix, strict=True)
            ]
        )

    @staticmethod
    def backward(ctx, grad):
        x, matrix = (tensor.detach() for tensor in ctx.saved_tensors)
        differences, found, grad_matrix = ctx.differences, [], torch.zeros_like(matrix)
        clouds, width = len(differences.graph.points), x.shape[1]
        each = zip(x.chunk(clouds), grad.chunk(clouds), strict=True)
        there, back = (
            zip(*rows, strict=True) for rows in (differences.matrix, differences.transposed)
        )
        for (x, grad), rows, columns in zip(each, there, back, strict=True):
            grad_matrix.addmm_(grad.T, Rows.sums(x, *rows).view(len(x), -1))
            found.append(Rows.sums((grad @ matrix).view(-1, width), *columns))
        return torch.cat(found), grad_matrix, None


def _is_quick(x):
    """Whether sums along edges use the routine for sparse rows that torch has for CPUs."""
    return x.device.type == "cpu" and not is_recorded()
