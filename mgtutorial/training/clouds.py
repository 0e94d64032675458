"""A task: to classify clouds of points, as in MGIC's section 4.5.

The paper prints no setting of this training. The settings are taken from the public code of DGCNN,
one of the networks that are compared (WangYueFt/dgcnn@2355c94, pytorch/main.py): SGD with momentum
0.9, weight decay 1e-4 and a greatest rate of 0.1, batches of 32, labels smoothed by 0.2, each axis
stretched and the cloud moved. That code trains for 250 epochs. The budgets here are shorter, so the
rate follows one cycle.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch
import torch.nn.functional as F

from ..data import catalogue
from ..data.clouds import batches, load_clouds
from ..errors import MOST_RATE, InvalidValue, choose, real, whole
from ..models.point_clouds import PointCloudConfig
from .task_config import TaskConfig
from .tasks import Task

#: The data and the epochs of each budget.
BUDGETS = MappingProxyType(
    {"smoke": ("shapes", 3), "demo": ("modelnet10", 5), "short": ("modelnet10", 15)}
)


@dataclass(frozen=True)
class CloudsConfig(TaskConfig):
    """Every choice that determines a run on clouds; its digest names the run.

    Attributes
    ----------
    model : PointCloudConfig
    data : str
        A key of :data:`mgtutorial.data.catalogue.CLOUDS`.
    budget : str
        The budget that the numbers below come from where no others were given.
    epochs, batch_size, seed : int
        The seed is that of the weights, of the order and of the augmentation.
    lr, momentum, weight_decay : float
        Of stochastic gradient descent; `lr` is the peak of the one cycle.
    augmentation : str
        One of :data:`mgtutorial.data.clouds_in_memory.POLICIES`.
    smoothing : float
        Of the labels, in [0, 1).
    n_train : int or None
        The number of training clouds, stratified; None takes all.
    on : {"test clouds", "validation clouds"}
        What the accuracy is measured on; the latter are for making choices.

    Raises
    ------
    UnknownName, InvalidValue
        If a value is out of range.
    """

    model: PointCloudConfig
    data: str = "shapes"
    budget: str = "smoke"
    epochs: int = 3
    lr: float = 0.1
    batch_size: int = 32
    momentum: float = 0.9
    weight_decay: float = 1e-4
    augmentation: str = "stretch-and-move"
    smoothing: float = 0.2
    n_train: int | None = None
    seed: int = 0
    on: str = "test clouds"

    kind: ClassVar = PointCloudConfig
    what: ClassVar = "clouds of points"
    splits: ClassVar = {"test clouds": "train", "validation clouds": "fit"}
    file: ClassVar = "point_clouds.jsonl"
    counts: ClassVar = ("epochs", "batch_size")
    schedule: ClassVar = "one-cycle"

    def __post_init__(self):
        info = catalogue.clouds(self.data)
        choose("budget", self.budget, BUDGETS)
        choose("augmentation", self.augmentation, ("none", info.augmentation))
        self.check_numbers()
        if self.n_train is not None:
            object.__setattr__(self, "n_train", whole("n_train", self.n_train))
        plain = {"weight_decay": real("weight_decay", self.weight_decay, most=MOST_RATE)}
        plain["smoothing"] = real("smoothing", self.smoothing, below=1.0)
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    @property
    def partial(self):
        """Whether the run stops short of its budget."""
        data, epochs = BUDGETS[self.budget]
        return self.data != data or self.epochs < epochs or self.n_train is not None

    def identity(self, samples):
        """Return the plain data whose digest names the run on these training clouds."""
        return {**self.as_dict(), "clouds": samples.digest}

    def task(self, root=None, device="cpu"):
        """Return the :class:`Task` of the run."""
        return ClassifiedClouds(self, root, device)


class ClassifiedClouds(Task):
    """Clouds and their classes: cross-entropy, and the fraction that is classified correctly."""

    metric = "accuracy"

    def training(self):
        config = self.config
        clouds = self._load(config.split)
        if config.model.num_classes != clouds.num_classes:
            raise InvalidValue(
                f"the network is for {config.model.num_classes} classes and {config.data} has "
                f"{clouds.num_classes}: use point_clouds.configure(), which fits it."
            )
        return clouds if config.n_train is None else clouds.take(config.n_train)

    def evaluation(self, split):
        return self._load(split)

    def _load(self, split):
        return load_clouds(
            self.config.data, split, root=self.root, device=self.device,
            progress=self.progress is not False,
        )  # fmt: skip

    def batches(self, samples, order=None, batch_size=None):
        if order is None:
            drawn = batches(samples, 32)
        else:
            size = batch_size or self.config.batch_size
            drawn = batches(samples, size, self.config.augmentation, order)
        return ((self.ready(x), y) for x, y in drawn)

    def example(self, n, size=None):
        points = torch.rand(n, size, 3, generator=torch.Generator().manual_seed(0))
        labels = torch.zeros(n, dtype=torch.int64, device=self.device)
        return self.ready(points.to(self.device)), labels

    def macs(self, model, size=None):
        return model.macs(size)

    def loss(self, outputs, targets):
        return F.cross_entropy(outputs, targets, label_smoothing=self.config.smoothing)

    def tally(self, outputs, targets):
        return (outputs.argmax(1) == targets).sum()
