r"""A task: a class for each pixel, as in MGIC's section 4.4.

The loss is the cross-entropy of the pixels that have a label. The metric is the mean over the
classes of the intersection over union, :math:`|T_c \cap A_c| / |T_c \cup A_c|`, with :math:`T_c`
the pixels of class c and :math:`A_c` those that the network assigns to it, over all images
together. The text has DeepLabV3's augmentation and optimiser [2]_: scaling from 0.5 to 2,
mirroring, cropping, and a rate that falls as :math:`(1 - t)^{0.9}`.

References
----------
.. [1] M. Eliasof, J. Ephrath, L. Ruthotto and E. Treister, MGIC: Multigrid-in-channels
   neural network architectures, SIAM J. Sci. Comput. 45 (2023). Section 4.4, Table 9.
.. [2] L.-C. Chen, G. Papandreou, F. Schroff and H. Adam, Rethinking atrous convolution for semantic
   image segmentation, arXiv:1706.05587 (2017).
"""

from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import ClassVar

import torch
import torch.nn.functional as F

from ..data import masks
from ..data.mask_sets import IGNORED
from ..errors import MOST_RATE, InvalidValue, choose, real, whole
from ..models.counting import count_macs
from ..models.lraspp import LRASPPConfig
from .recipe import SCHEDULES
from .task_config import TaskConfig
from .tasks import Task

#: What each budget sets. That of the paper is DeepLabV3's for Cityscapes: 90,000 steps, as epochs.
BUDGETS = MappingProxyType(
    {
        "smoke": {"data": "shapes", "epochs": 4, "batch_size": 8, "crop": (32, 48)},
        "demo": {"data": "camvid", "epochs": 8},
        "short": {"data": "camvid", "epochs": 120},
        "paper": {
            "data": "cityscapes", "epochs": 484, "batch_size": 16, "crop": (768, 768),
            "lr": 0.007, "schedule": "poly", "weight_decay": 1e-4,
        },
    }
)  # fmt: skip


@dataclass(frozen=True)
class SegmentationConfig(TaskConfig):
    """Every choice that determines a segmentation run; its digest names the run.

    Attributes
    ----------
    model : LRASPPConfig
    data : str
        A key of :data:`mgtutorial.data.catalogue.MASKS`.
    budget : str
        The budget that the numbers below come from where no others were given.
    epochs, batch_size, seed : int
        The seed is that of the weights, the order and the augmentation.
    lr, momentum, weight_decay : float
        Of stochastic gradient descent.
    schedule : {"poly", "one-cycle", "cosine", "constant"}
    crop : (int, int)
        Height and width of the windows that are trained on: multiples of the output stride.
    augmentation : {"none", "flip", "scale-crop-flip"}
        As in :func:`mgtutorial.data.masks.batches`; images stay whole except with the last one.
    n : int or None
        The number of training images; None takes all.
    on : {"test images", "validation images"}
        What the metric is measured on; the latter are for making choices.

    Raises
    ------
    UnknownName, InvalidValue
        If a value is out of range.
    """

    model: LRASPPConfig
    data: str = "camvid"
    budget: str = "short"
    epochs: int = 120
    lr: float = 0.05
    batch_size: int = 8
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: str = "poly"
    crop: tuple = (176, 240)
    augmentation: str = "scale-crop-flip"
    n: int | None = None
    seed: int = 0
    on: str = "test images"

    kind: ClassVar = LRASPPConfig
    what: ClassVar = "a segmentation"
    splits: ClassVar = {"test images": "train", "validation images": "fit"}
    file: ClassVar = "segmentation.jsonl"
    counts: ClassVar = ("epochs", "batch_size")

    def __post_init__(self):
        choose("budget", self.budget, BUDGETS)
        choose("schedule", self.schedule, [s for s in SCHEDULES if s != "step"])
        choose("augmentation", self.augmentation, masks.POLICIES)
        info = masks.info(self.data)
        self.check_numbers()
        plain = {"weight_decay": real("weight_decay", self.weight_decay, most=MOST_RATE)}
        if self.n is not None:
            plain["n"] = whole("n", self.n)
        plain["crop"] = masks.window(self.crop)
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        stride = self.model.output_stride
        if any(side % stride for side in self.crop):
            raise InvalidValue(
                f"crop={self.crop}: the network's strides divide a side by {stride}; give height "
                "and width as multiples of it."
            )
        theirs, ours = (info.channels, info.classes), self.model
        if (ours.in_channels, ours.num_classes) != theirs:
            raise InvalidValue(
                f"the network is for {ours.in_channels} channels and {ours.num_classes} classes, "
                f"but {self.data} has {theirs[0]} and {theirs[1]}: use segmentation.configure(), "
                "which fits it."
            )

    @property
    def partial(self):
        """Whether the run stops short of its budget."""
        return self.epochs < BUDGETS[self.budget]["epochs"] or self.n is not None

    def identity(self, samples):
        """Return the plain data whose digest names the run."""
        return {**self.as_dict(), "images": samples.digest}

    def as_dict(self):
        """Return the config as plain data."""
        return {**super().as_dict(), "crop": list(self.crop)}

    def task(self, root=None, device="cpu"):
        """Return the :class:`Task` of the run."""
        return Segmentation(self, root, device)


class Segmentation(Task):
    """Images and masks: cross-entropy of the labelled pixels, mean intersection over union."""

    metric = "mIoU"
    memory_format = torch.channels_last

    def training(self):
        samples = self.evaluation(self.config.split)
        return samples if self.config.n is None else samples.take(self.config.n)

    def evaluation(self, split):
        return masks.load(self.config.data, split, self.root, self.progress is not False)

    def batches(self, samples, order=None, batch_size=None):
        config, stride = self.config, self.config.model.output_stride
        if order is None:
            drawn = masks.batches(samples, 8, multiple=stride)
        else:
            size = batch_size or config.batch_size
            drawn = masks.batches(
                samples, size, config.augmentation, config.crop, order, multiple=stride
            )
        return ((self.ready(x.to(self.device)), y.to(self.device)) for x, y in drawn)

    def example(self, n, size=None):
        x = torch.zeros(n, self.config.model.in_channels, *self.config.crop, device=self.device)
        x += torch.linspace(-1, 1, n, device=self.device)[:, None, None, None]
        return self.ready(x), torch.zeros(n, *self.config.crop, dtype=torch.int64).to(self.device)

    def macs(self, model, size=None):
        stride = self.config.model.output_stride
        return count_macs(model, tuple(side + -side % stride for side in size))

    def loss(self, outputs, targets):
        total = F.cross_entropy(outputs, targets, ignore_index=IGNORED, reduction="sum")
        return total / (targets != IGNORED).sum().clamp(min=1)

    def tally(self, outputs, targets):
        """Return how many pixels of each class (rows) are said to be of each (columns)."""
        classes, known = outputs.shape[1], targets != IGNORED
        pairs = classes * targets[known] + outputs.argmax(1)[known]
        return torch.bincount(pairs, minlength=classes**2).view(classes, classes)

    def score(self, total, n):
        present = total.sum(0) + total.sum(1) > 0
        return float(ious(total)[present].mean())

    def details(self, total, n):
        """Return each class's intersection over union, and the share of correct pixels."""
        names = masks.info(self.config.data).labels
        found = dict(zip(names, ious(total).tolist(), strict=True))
        found["pixels"] = float(total.diagonal().sum() / total.sum().clamp(min=1))
        return {name: round(value, 4) for name, value in found.items()}


def ious(total):
    """Return the intersection over union of each class, from counts of (label, answer).

    Parameters
    ----------
    total : torch.Tensor
        (classes, classes).

    Returns
    -------
    torch.Tensor
        float64 (classes,); 0 for a class that neither occurs nor is predicted anywhere.

    Examples
    --------
    >>> ious(torch.tensor([[3, 1], [0, 4]])).tolist()
    [0.75, 0.8]
    """
    right = total.diagonal().double()
    return right / (total.sum(0) + total.sum(1) - right).clamp(min=1)


def configure(model, budget="short", seed=0, **changes):
    """Return the :class:`SegmentationConfig` of a budget, with the network fitted to its data set.

    Parameters
    ----------
    model : LRASPPConfig
    budget : {"smoke", "demo", "short", "paper"}
    seed : int
    **changes
        Fields of the config that are to differ.

    Raises
    ------
    UnknownName, InvalidValue
        If there is no such field, or a value is out of range.

    Examples
    --------
    >>> config = configure(LRASPPConfig(), "smoke")
    >>> config.data, config.model.num_classes
    ('shapes', 3)
    """
    for name in changes:
        choose("training option", name, [f.name for f in fields(SegmentationConfig)])
    chosen = BUDGETS[choose("budget", budget, BUDGETS)] | changes
    model = model.with_ends(masks.info(chosen["data"]))
    return SegmentationConfig(model, budget=budget, seed=seed, **chosen)
