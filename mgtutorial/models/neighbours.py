r"""Graphs of nearest neighbours on clouds of points, and what a layer takes from neighbours.

A cloud is a tensor ``(points, 3)``. The clouds of a batch are stacked as rows, and for each row the
graph holds the rows of its `k` nearest neighbours in its own cloud, itself excluded. What is taken
along its edges, for features :math:`x` with a row for each point, is the maximum

.. math:: \max_{j \in N(i)} x_j.

On a CPU, autograd's own backward pass through it visits every edge; the one here visits only those
that won. Nothing else differs, and a test checks that the two are equal.
"""

from typing import NamedTuple

import numpy as np
import scipy
import torch

from ..errors import InvalidValue


class Graph(NamedTuple):
    """The neighbours of all points of a batch of clouds.

    Attributes
    ----------
    points : torch.Tensor
        (n, points, 3).
    neighbours : torch.Tensor
        int64 (n * points, k): rows of the stacked clouds.

    Book: point_clouds, clouds-graph
    """

    points: torch.Tensor
    neighbours: torch.Tensor

    @property
    def offsets(self):
        """From each point to its neighbours: (n * points, k, 3)."""
        rows = self.points.reshape(-1, 3)
        return rows[self.neighbours] - rows[:, None]


def check_clouds(points, k):
    """Return `points` in the form a network computes with; raise if they are not clouds.

    Parameters
    ----------
    points : torch.Tensor
    k : int
        Neighbours of each point.

    Returns
    -------
    torch.Tensor
        Floating-point numbers (n, points, 3).

    Raises
    ------
    InvalidValue
        If the shape is different, if there is no cloud, if a point does not have `k` others in its
        cloud, or if a coordinate is not a finite number.

    Examples
    --------
    >>> check_clouds(torch.zeros(2, 8, 3), k=8)
    Traceback (most recent call last):
    ...
    mgtutorial.errors.InvalidValue: a cloud of 8 points: each needs 8 neighbours beside itself, ...

    Book: point_clouds, clouds-graph
    """
    if is_recorded():  # sizes may not be numbers there; they were checked before
        return points
    if points.ndim != 3 or points.shape[2] != 3:
        raise InvalidValue(
            f"the network takes clouds of shape (n, points, 3), but was given "
            f"{tuple(points.shape)}: put the three coordinates last."
        )
    if not len(points):
        raise InvalidValue("a batch without clouds: give at least one.")
    if points.shape[1] <= k:
        raise InvalidValue(
            f"a cloud of {points.shape[1]} points: each needs {k} neighbours beside itself, so "
            f"give at least {k + 1} points, or a smaller k."
        )
    points = points if torch.is_floating_point(points) else points.float()
    if not points.isfinite().all():
        bad = (~points.isfinite()).any(2).any(1).nonzero()[0].item()
        raise InvalidValue(
            f"cloud {bad} of the batch has a coordinate that is no finite number: leave the point "
            "out, or the cloud."
        )
    return points


def nearest(points, k):
    """Return the `k` nearest neighbours of each point in its cloud, itself excluded.

    On a CPU they are found by a tree for each cloud; elsewhere, and where a program is recorded,
    from all distances. Of neighbours at the same distance any may be taken.

    Parameters
    ----------
    points : torch.Tensor
        (n, points, 3), as :func:`check_clouds` returns them.
    k : int

    Returns
    -------
    torch.Tensor
        int64 (n, points, k).

    Examples
    --------
    >>> line = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [3, 0, 0], [7, 0, 0]]])
    >>> nearest(line, 1)[0, :, 0]
    tensor([1, 0, 1, 2])

    Book: point_clouds, clouds-graph
    """
    if is_recorded() or points.device.type != "cpu":
        return nearest_of_all(points, k)
    found = np.empty((*points.shape[:2], k), np.int64)
    # NumPy does not have all of torch's precisions
    held = points.detach() if points.dtype != torch.bfloat16 else points.detach().float()
    for cloud, own in zip(held.numpy(), found, strict=True):
        near = scipy.spatial.cKDTree(cloud, leafsize=32).query(cloud, k + 1)[1]
        # if points coincide, the tree may name another one before the point itself
        itself = near == np.arange(len(cloud))[:, None]
        itself[~itself.any(1), -1] = True
        own[:] = near[~itself].reshape(len(cloud), k)
    return torch.from_numpy(found)


def nearest_of_all(points, k):
    """As :func:`nearest`, from all distances between the points of a cloud.

    Examples
    --------
    >>> points = torch.rand(2, 50, 3)
    >>> ours, theirs = nearest_of_all(points, 5), nearest(points, 5)
    >>> torch.equal(ours.sort(2).values, theirs.sort(2).values)
    True

    Book: point_clouds, clouds-graph
    """
    apart = (points[:, :, None] - points[:, None]).square().sum(3)
    itself = torch.eye(points.shape[1], dtype=torch.bool, device=points.device)
    return apart.masked_fill(itself, torch.inf).topk(k, largest=False).indices


def graph_of(points, k):
    """Return the :class:`Graph` of the `k` nearest neighbours.

    Parameters
    ----------
    points : torch.Tensor
        (n, points, 3).
    k : int

    Raises
    ------
    InvalidValue
        As :func:`check_clouds` says.

    Examples
    --------
    >>> graph_of(torch.rand(2, 50, 3), k=10).neighbours.shape
    torch.Size([100, 10])

    Book: point_clouds, clouds-graph
    """
    points = check_clouds(points, k)
    clouds, size = points.shape[:2]
    first = torch.arange(clouds, device=points.device) * size
    rows = (nearest(points, k) + first[:, None, None]).reshape(clouds * size, k)
    return Graph(points, rows)


def neighbour_max(x, graph):
    r"""Return :math:`\max_{j \in N(i)} x_j` in each feature.

    Parameters
    ----------
    x : torch.Tensor
        (rows, c).
    graph : Graph

    Returns
    -------
    torch.Tensor
        (rows, c).

    Examples
    --------
    >>> line = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [3, 0, 0], [7, 0, 0]]])
    >>> neighbour_max(line[0, :, :1], graph_of(line, 2)).T
    tensor([[3., 3., 1., 3.]])

    Book: point_clouds, eq-clouds-edge
    """
    near = graph.neighbours
    quick = x.device.type == "cpu" and x.dtype == torch.float32 and not is_recorded()
    quick = quick and torch.is_grad_enabled() and x.requires_grad
    # No row can be written behind an infinity; it shows in the sum, and so does a NaN.
    if not (quick and x.detach().sum().isfinite()):
        return x.index_select(0, near.flatten()).view(*near.shape, -1).amax(1)
    with torch.no_grad():
        winner = _winners(x, near, graph.points.shape[1])
    return x.gather(0, winner)


def _winners(x, near, size):
    """The row of the greatest neighbour, for each row and feature: int64 (rows, c).

    A finite number of single precision leaves the last 29 bits of a double free. The number of the
    row is written there, so the greatest of the doubles says which row it is from.
    """
    rows = torch.arange(len(x))[:, None]
    marked = (x.double().view(torch.int64) | rows).view(torch.float64)
    winner = torch.empty(x.shape, dtype=torch.int64)
    for start in range(0, len(x), size):  # one cloud at a time, which the processor's cache holds
        own = near[start : start + size].T
        edges = marked.index_select(0, own.flatten()).view(*own.shape, -1)
        winner[start : start + size] = edges.amax(0).view(torch.int64)
    return winner.bitwise_and_(2**29 - 1)


def is_recorded():
    """Whether the program is being recorded: then it runs later, on clouds with other numbers.

    Examples
    --------
    >>> is_recorded()
    False

    Book: point_clouds, clouds-time
    """
    return torch.jit.is_tracing() or torch.compiler.is_compiling()
