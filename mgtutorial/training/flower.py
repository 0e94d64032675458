r"""A function of the plane, to be learned from its values: that of MGIC's Figure 4, or nearly.

The zero set of :math:`f(x, y)` describes a curve *implicitly*; a network that learns
:math:`f` from points knows the curve. The paper's function is not in the text at hand. Ours is
a flower with five petals,

.. math:: f(x, y) = 0.3 + 0.1 \cos 5\theta - r, \qquad
   (x, y) = (\tfrac12 + r \cos\theta,\; \tfrac12 + r \sin\theta),

positive inside and negative outside. The protocol is the paper's: points from the unit
square, batches of 128, the mean squared error, gradient descent with a constant rate.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch
import torch.nn.functional as F

from ..errors import InvalidValue, choose
from ..models.config import plain_fields
from ..models.implicit_function import ImplicitConfig
from .tasks import Task

#: Points, epochs and rate of each budget. The rate of the shorter ones was the best of six on
#: held-out points, after five epochs of the narrow MGIC network; those runs are recorded, too.
BUDGETS = MappingProxyType(
    {
        "smoke": (4_096, 3, 0.003),
        "demo": (50_000, 3, 0.003),
        "short": (50_000, 15, 0.003),
        "paper": (50_000, 1000, 1e-4),
    }
)
_SPLITS = {"test points": "train", "held-out points": "fit"}


def flower(points):
    """Return the values of the function at points of the unit square.

    Parameters
    ----------
    points : torch.Tensor
        (n, 2), in [0, 1].

    Returns
    -------
    torch.Tensor
        (n,), between about -0.5 and 0.4.

    Examples
    --------
    >>> flower(torch.tensor([[0.5, 0.5], [0.8, 0.5], [1.0, 1.0]])).sign()
    tensor([ 1.,  1., -1.])
    """
    x, y = (points - 0.5).unbind(1)
    return 0.3 + 0.1 * torch.cos(5 * torch.atan2(y, x)) - torch.hypot(x, y)


def points(n, seed):
    """Return `n` independent points, uniform in the unit square, (n, 2) in float32."""
    return torch.rand(n, 2, generator=torch.Generator().manual_seed(seed))


def grid(n=200):
    """Return the midpoints of ``n x n`` cells of the unit square, (n², 2): the test points."""
    ticks = (torch.arange(n) + 0.5) / n
    return torch.cartesian_prod(ticks, ticks)


@dataclass(frozen=True)
class FlowerConfig:
    """Every choice that determines a run on the flower; its digest names the run.

    Attributes
    ----------
    model : ImplicitConfig
    budget : str
        The budget that the numbers below come from.
    n, epochs, batch_size, seed : int
        The seed is that of the weights, the points and their order.
    lr, momentum : float
        Of stochastic gradient descent; the rate is constant.
    on : {"test points", "held-out points"}
        What the error is measured on; 10,000 held-out points serve choices.
    """

    model: ImplicitConfig
    budget: str = "smoke"
    n: int = 4_096
    epochs: int = 3
    lr: float = 0.003
    batch_size: int = 128
    momentum: float = 0.9
    seed: int = 0
    on: str = "test points"

    data: ClassVar = "flower"
    schedule: ClassVar = "constant"
    weight_decay: ClassVar = 0.0
    precision: ClassVar = "float32"
    compile: ClassVar = False
    memory: ClassVar = "fast"
    norm_parts: ClassVar = 1

    def __post_init__(self):
        choose("budget", self.budget, BUDGETS)
        choose("set of points", self.on, _SPLITS)

    @property
    def split(self):
        """``"fit"`` for a run that serves a choice, else ``"train"``."""
        return _SPLITS[self.on]

    @property
    def partial(self):
        """Whether the run stops below its budget."""
        n, epochs, _ = BUDGETS[self.budget]
        return self.n < n or self.epochs < epochs

    def count(self, split):
        """Return the number of points that the error is measured on."""
        return 10_000 if split == "val" else 40_000

    def as_dict(self):
        """Return the config as plain data."""
        own = {name: value for name, value in vars(self).items() if name != "model"}
        return {"network": plain_fields(self.model), "function": "flower", **own}

    @classmethod
    def from_dict(cls, plain):
        """Return the config that :meth:`as_dict` wrote.

        Raises
        ------
        InvalidValue
            If it is of another version.
        """
        own = {k: v for k, v in plain.items() if k not in ("network", "function")}
        try:
            return cls(model=ImplicitConfig(**plain["network"]), **own)
        except (KeyError, TypeError) as error:
            raise InvalidValue(f"no config of a function of the plane: {error}.") from error

    def identity(self, samples):
        """Return the plain data whose digest names the run: the points follow from the seed."""
        return self.as_dict()

    def results_in(self, runs):
        """Return the file of the records: one for all budgets, beside the folder `runs`."""
        return runs.parent / "implicit_function.jsonl"

    def task(self, root=None, device="cpu"):
        """Return the :class:`Task` of the run."""
        return FunctionOfThePlane(self, root, device)


class Points:
    """Points and the function's values there.

    Parameters
    ----------
    at : torch.Tensor
        (n, 2).
    """

    digest, source, size = None, "computed", None

    def __init__(self, at):
        self.at, self.values, self.n = at, flower(at), len(at)

    def epoch(self, order, batch_size, augmentation, seed):
        """Yield points and values in an order; there is nothing to augment."""
        for batch in order.split(batch_size):
            yield self.at[batch], self.values[batch]


class FunctionOfThePlane(Task):
    """Points and values: the mean squared error is both the loss and the metric."""

    metric = "mse"

    def training(self):
        return self._points(points(self.config.n, self.config.seed))

    def evaluation(self, split):
        n = self.config.count(split)
        if split == "val":
            return self._points(points(n, self.config.seed + 1_000_000))
        return self._points(grid())

    def _points(self, at):
        return Points(at.to(self.device))

    def batches(self, samples, order=None):
        if order is None:
            return [(samples.at, samples.values)]
        drawn = torch.randperm(samples.n, generator=order)
        return samples.epoch(drawn, self.config.batch_size, "none", 0)

    def example(self, n, size=None):
        at = points(n, 0).to(self.device)
        return at, flower(at)

    def loss(self, outputs, targets):
        return F.mse_loss(outputs, targets)

    def tally(self, outputs, targets):
        return F.mse_loss(outputs, targets).double() * len(targets)
