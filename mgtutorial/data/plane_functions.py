r"""Functions on the unit square, to be learned from their values at points.

The first is the one of MGIC's section 4.2, :math:`\cos x \sin 20y`. The others ask for other
things: a *flower*, smooth except at one point, whose zero set is a curve with petals; the *signed
distance* to a star, which has kinks where the nearest edge changes; and a *photograph*, which has
edges everywhere. The zero set of the second and the third describes a curve *implicitly*.

References
----------
.. [1] M. Eliasof, J. Ephrath, L. Ruthotto and E. Treister, MGIC: Multigrid-in-channels
   neural network architectures, SIAM J. Sci. Comput. 45 (2023). Section 4.2.
"""

import math
from functools import cache
from types import MappingProxyType

import torch
import torch.nn.functional as F

from ..errors import choose


def cos_sin(points):
    r"""Return :math:`\cos x \sin 20 y`, the function of MGIC's section 4.2.

    Parameters
    ----------
    points : torch.Tensor
        (n, 2), in [0, 1].

    Returns
    -------
    torch.Tensor
        (n,), in [-1, 1].

    Examples
    --------
    >>> cos_sin(torch.tensor([[0.0, math.pi / 40], [0.0, 0.0]]))
    tensor([1., 0.])

    Book: mgic_worlds, worlds-functions
    """
    x, y = points.unbind(1)
    return torch.cos(x) * torch.sin(20 * y)


def flower(points):
    r"""Return :math:`0.3 + 0.1 \cos 5\theta - r`, in polar coordinates around the middle.

    Parameters
    ----------
    points : torch.Tensor
        (n, 2), in [0, 1].

    Returns
    -------
    torch.Tensor
        (n,), between about -0.5 and 0.4; positive inside the flower.

    Examples
    --------
    >>> flower(torch.tensor([[0.5, 0.5], [0.8, 0.5], [1.0, 1.0]])).sign()
    tensor([ 1.,  1., -1.])

    Book: mgic_worlds, worlds-functions
    """
    x, y = (points - 0.5).unbind(1)
    return 0.3 + 0.1 * torch.cos(5 * torch.atan2(y, x)) - torch.hypot(x, y)


def star(n=5, outer=0.4, inner=0.18):
    """Return the corners of a star around the middle of the unit square, (2 n, 2), in float64."""
    k = torch.arange(2 * n, dtype=torch.float64)
    r = torch.where(k % 2 == 0, outer, inner)
    angle = math.pi * (k / n + 0.5)
    return 0.5 + torch.stack([r * angle.cos(), r * angle.sin()], dim=1)


def signed_distance(points, corners=None):
    """Return the distance to a polygon, positive inside and negative outside.

    Parameters
    ----------
    points : torch.Tensor
        (n, 2).
    corners : torch.Tensor, optional
        (m, 2), in order around the polygon; default: a star with five points.

    Returns
    -------
    torch.Tensor
        (n,).

    Examples
    --------
    >>> square = torch.tensor([[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]])
    >>> signed_distance(torch.tensor([[0.5, 0.5], [0.9, 0.5]]), square)
    tensor([ 0.3000, -0.1000])

    Book: mgic_worlds, worlds-functions
    """
    a = (star() if corners is None else corners).to(points)
    edge = a.roll(-1, 0) - a
    to = points[:, None] - a  # (n, m, 2), from each corner
    along = ((to * edge).sum(2) / (edge * edge).sum(1)).clamp(0, 1)
    distance = (to - along[..., None] * edge).norm(dim=2).amin(1)
    # even-odd rule: a ray to the right meets an edge if the edge passes the ray's height
    y, (x0, y0), (x1, y1) = points[:, 1:], a.T, a.roll(-1, 0).T
    passes = (y0 <= y) != (y1 <= y)
    crossing = x0 + (y - y0) / torch.where(y1 == y0, torch.ones_like(y0), y1 - y0) * (x1 - x0)
    inside = (passes & (points[:, :1] < crossing)).sum(1) % 2 == 1
    return torch.where(inside, distance, -distance)


def photograph(points):
    """Return the grey values of a photograph, linearly interpolated between its pixels.

    It is the middle of the picture of a temple that comes with scikit-learn, on 128 x 128 pixels.

    Parameters
    ----------
    points : torch.Tensor
        (n, 2), in [0, 1]; y points up.

    Returns
    -------
    torch.Tensor
        (n,), in [-1, 1] from black to white.

    Examples
    --------
    >>> bool(photograph(torch.rand(1000, 2)).abs().max() <= 1)
    True

    Book: mgic_worlds, worlds-functions
    """
    at = torch.stack([2 * points[:, 0] - 1, 1 - 2 * points[:, 1]], dim=1)
    pixels = _pixels().to(points)
    return F.grid_sample(
        pixels, at[None, None], padding_mode="border", align_corners=False
    ).flatten()


@cache
def _pixels(n=128):
    from PIL import Image
    from sklearn.datasets import load_sample_image

    picture = Image.fromarray(load_sample_image("china.jpg")).convert("L")
    side, left = min(picture.size), (picture.width - min(picture.size)) // 2
    top = (picture.height - side) // 2
    picture = picture.crop((left, top, left + side, top + side)).resize(
        (n, n), Image.Resampling.BOX
    )
    values = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return values.view(1, 1, n, n).double() / 127.5 - 1


#: By the names that a run's record uses.
FUNCTIONS = MappingProxyType(
    {
        "cos-sin": cos_sin,
        "flower": flower,
        "signed-distance": signed_distance,
        "photograph": photograph,
    }
)


def function(name):
    """Return the function on the unit square with this name.

    Parameters
    ----------
    name : str
        A key of `FUNCTIONS`.

    Raises
    ------
    UnknownName
        If there is no such function.

    Examples
    --------
    >>> function("cos-sin")(torch.zeros(1, 2))
    tensor([0.])

    Book: mgic_worlds, worlds-functions
    """
    return FUNCTIONS[choose("function of the plane", name, FUNCTIONS)]
