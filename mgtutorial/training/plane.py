"""A task: to learn a function of the unit square from its values at random points.

The protocol is that of MGIC's section 4.2: 50,000 points, batches of 128, the mean squared
error, gradient descent with a constant rate.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch
import torch.nn.functional as F

from ..data.plane_functions import FUNCTIONS, function
from ..errors import choose
from ..models.implicit_function import ImplicitConfig
from .task_config import TaskConfig
from .tasks import Task

#: Points and epochs of each budget.
BUDGETS = MappingProxyType(
    {"smoke": (4_096, 3), "demo": (50_000, 3), "short": (50_000, 15), "paper": (50_000, 1000)}
)
PAPER_RATE = 1e-4
#: The rate of the shorter budgets, chosen on held-out points after five epochs of networks with
#: alpha = 0.6; those runs are recorded, too. For the first function it has the least geometric mean
#: of the errors of the three printed blocks. For the last two functions it is that of the first.
RATES = MappingProxyType(
    {"cos-sin": 0.001, "flower": 0.003, "signed-distance": 0.001, "photograph": 0.001}
)


def points(n, seed):
    """Return `n` independent points, uniform in the unit square, (n, 2) in float32."""
    return torch.rand(n, 2, generator=torch.Generator().manual_seed(seed))


def grid(n=200):
    """Return the midpoints of ``n x n`` cells of the unit square, (n², 2): the test points."""
    ticks = (torch.arange(n) + 0.5) / n
    return torch.cartesian_prod(ticks, ticks)


@dataclass(frozen=True)
class PlaneConfig(TaskConfig):
    """Every choice that determines a run on a function of the plane; its digest names the run.

    Attributes
    ----------
    model : ImplicitConfig
    function : str
        A key of :data:`mgtutorial.data.plane_functions.FUNCTIONS`.
    budget : str
        The budget that the numbers below come from where no others were given.
    n, epochs, batch_size, seed : int
        The seed is that of the weights, the points and their order.
    lr, momentum : float
        Of stochastic gradient descent; the rate is constant.
    on : {"test points", "held-out points"}
        What the error is measured on; 10,000 held-out points are for making choices.
    """

    model: ImplicitConfig
    function: str = "cos-sin"
    budget: str = "smoke"
    n: int = 4_096
    epochs: int = 3
    lr: float = 0.003
    batch_size: int = 128
    momentum: float = 0.9
    seed: int = 0
    on: str = "test points"

    kind: ClassVar = ImplicitConfig
    what: ClassVar = "a function of the plane"
    splits: ClassVar = {"test points": "train", "held-out points": "fit"}
    file: ClassVar = "implicit_function.jsonl"
    #: Folder of the runs under the printed protocol: the curves of a thousand epochs are long.
    printed: ClassVar = "implicit_function_paper"

    def __post_init__(self):
        choose("function of the plane", self.function, FUNCTIONS)
        choose("budget", self.budget, BUDGETS)
        self.check_numbers()

    @property
    def data(self):
        """The name of what is learned."""
        return self.function

    @property
    def partial(self):
        """Whether the run stops short of its budget."""
        n, epochs = BUDGETS[self.budget]
        return self.n < n or self.epochs < epochs

    def count(self, split):
        """Return the number of points that the error is measured on."""
        return 10_000 if split == "val" else 40_000

    def results_in(self, runs):
        """Return the file of the records; runs under the printed protocol have one per width."""
        usual = super().results_in(runs)
        if self.budget != "paper":
            return usual
        return usual.parent / self.printed / f"{self.model.alpha:g}.jsonl"

    def identity(self, samples):
        """Return the plain data whose digest names the run: the points follow from the seed."""
        return self.as_dict()

    def task(self, root=None, device="cpu"):
        """Return the :class:`Task` of the run."""
        return FunctionOfThePlane(self, root, device)


class Points:
    """Points and a function's values there.

    Parameters
    ----------
    at : torch.Tensor
        (n, 2).
    f : callable
        From points to values.
    """

    digest, source, size = None, "computed", None

    def __init__(self, at, f):
        self.at, self.values, self.n = at, f(at), len(at)

    def epoch(self, order, batch_size, augmentation, seed):
        """Yield points and values in a given order; there is nothing to augment."""
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
        return Points(at.to(self.device), function(self.config.function))

    def batches(self, samples, order=None, batch_size=None):
        if order is None:
            return [(samples.at, samples.values)]
        drawn = torch.randperm(samples.n, generator=order)
        return samples.epoch(drawn, batch_size or self.config.batch_size, "none", 0)

    def example(self, n, size=None):
        at = points(n, 0).to(self.device)
        return at, function(self.config.function)(at)

    def macs(self, model, size=None):
        return model.macs

    def loss(self, outputs, targets):
        return F.mse_loss(outputs, targets)

    def tally(self, outputs, targets):
        return F.mse_loss(outputs, targets).double() * len(targets)
