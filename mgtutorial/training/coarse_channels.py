r"""A task: to take the channels of real features to a few and back, by MGIC's transfers alone.

MGIC's Table 1: images go through the first convolution of a trained network, its 64 channels
through the restrictions to 8 channels, and back through the prolongations. The loss is the mean
squared error. The map is linear, :math:`x \mapsto Mx` at each pixel, so only the second moments
:math:`C` of the features matter: the error of `M` is :math:`\operatorname{tr}(I-M)C(I-M)^T`, and
no map of rank 8 does better than the first eight principal components.

References
----------
.. [1] M. Eliasof, J. Ephrath, L. Ruthotto and E. Treister, MGIC: Multigrid-in-channels
   neural network architectures, SIAM J. Sci. Comput. 45 (2023). Section 4.1, Table 1, Figure 3.
"""

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F

from .. import _paths
from ..data import catalogue
from ..data import images as data
from ..errors import InvalidValue
from ..models.mgic import TransfersConfig
from ..spectra.convolutions import Convolution
from .task_config import TaskConfig
from .tasks import Task


def packaged_convolution():
    """Return the first convolution that comes with the package.

    It is 7x7 with stride 2 from 3 to 64 channels, like that of ResNet-50, and was trained here on
    CIFAR-10 (``experiments/coarse_channels.py``).

    Returns
    -------
    mgtutorial.spectra.Convolution

    Examples
    --------
    >>> packaged_convolution().kernel.shape
    torch.Size([64, 3, 7, 7])
    """
    with np.load(_paths.packaged_results() / "first_convolution.npz") as file:
        return Convolution(torch.from_numpy(file["kernel"]), stride=int(file["stride"]), padding=3)


def packaged_moments():
    """Return the second moments of the features after :func:`packaged_convolution`.

    They are those of 1,024 training and of 1,024 test images of CIFAR-10, in units of the training
    features' mean square.

    Returns
    -------
    torch.Tensor, torch.Tensor
        (64, 64), in float64.

    Examples
    --------
    >>> training, test = packaged_moments()
    >>> round(training.trace().item() / 64, 6)
    1.0
    """
    with np.load(_paths.packaged_results() / "first_convolution.npz") as file:
        return torch.from_numpy(file["training"]), torch.from_numpy(file["test"])


def remember(convolution):
    """Return the digest of a convolution's kernel, under which runs in this process find it.

    Parameters
    ----------
    convolution : mgtutorial.spectra.Convolution

    Examples
    --------
    >>> len(remember(packaged_convolution()))
    16
    """
    kernel = convolution.kernel.detach().float().contiguous().numpy()
    digest = hashlib.sha256(kernel.tobytes()).hexdigest()[:16]
    _remembered[digest] = convolution
    return digest


_remembered = {}


def _convolution_of(filters):
    if filters not in _remembered:
        remember(packaged_convolution())
    if filters not in _remembered:
        raise InvalidValue(
            f"filters={filters!r}: no convolution with this digest is at hand; load its file with "
            "transfers_alone.first_convolution() and give it to remember()."
        )
    return _remembered[filters]


@dataclass(frozen=True)
class CoarseConfig(TaskConfig):
    """Every choice that determines a run of the transfers alone; its digest names the run.

    Attributes
    ----------
    model : TransfersConfig
    filters : str
        Digest of the first convolution's kernel, from :func:`remember`.
    data : str
        The data set whose images are used.
    budget : str
    n, n_test : int
        Images to learn from, and to measure on.
    epochs, batch_size, seed : int
        `batch_size` counts images; the seed is that of the weights and of the order.
    lr, momentum : float
        Of stochastic gradient descent; the rate is constant.
    on : {"test images", "validation images"}
        What the error is measured on; the latter are for making choices.

    Raises
    ------
    UnknownName, InvalidValue
        If a value is out of range.
    """

    model: TransfersConfig
    filters: str
    data: str = "cifar10"
    budget: str = "short"
    n: int = 1024
    n_test: int = 1024
    epochs: int = 50
    lr: float = 0.1
    batch_size: int = 4
    momentum: float = 0.9
    seed: int = 0
    on: str = "test images"

    kind: ClassVar = TransfersConfig
    what: ClassVar = "the transfers alone"
    splits: ClassVar = {"test images": "train", "validation images": "fit"}
    file: ClassVar = "coarse_channels.jsonl"
    counts: ClassVar = ("n", "n_test", "epochs", "batch_size")
    partial: ClassVar = False

    def __post_init__(self):
        catalogue.info(self.data)
        self.check_numbers()

    def identity(self, samples):
        """Return the plain data whose digest names the run."""
        return {**self.as_dict(), "images": samples.digest}

    def task(self, root=None, device="cpu"):
        """Return the :class:`Task` of the run."""
        return CoarseChannels(self, root, device)


class Features:
    """The features of images after a first convolution.

    Parameters
    ----------
    images : mgtutorial.data.Images
    convolution : mgtutorial.spectra.Convolution
    scale : float, optional
        What they are divided by; default: their root mean square.
    """

    def __init__(self, images, convolution, scale=None):
        info = catalogue.info(images.name)
        mean, std = (torch.tensor(v)[:, None, None] for v in (info.mean, info.std))
        x = (images.images.float() / 255 - mean) / std
        channels = convolution.kernel.shape[1]
        if channels != x.shape[1]:
            raise InvalidValue(
                f"the first convolution reads {channels} channels and the images of "
                f"{images.name} have {x.shape[1]}: give images that fit it."
            )
        with torch.no_grad():
            maps = convolution(x)
        self.scale = maps.double().square().mean().sqrt().item() if scale is None else scale
        self.maps, self.n = maps / self.scale, len(maps)
        self.digest, self.source, self.size = images.digest, images.source, x.shape[2]

    def epoch(self, order, batch_size, augmentation, seed):
        """Yield features, which are their own targets, in a given order."""
        for batch in order.split(batch_size):
            yield self.maps[batch], self.maps[batch]


class CoarseChannels(Task):
    """Features as their own targets: the mean squared error is both the loss and the metric.

    Features are divided by the root mean square of the training features, so an error is the
    fraction of the mean square that is lost.
    """

    metric = "mse"

    def __init__(self, config, root=None, device="cpu"):
        super().__init__(config, root, device)
        self.convolution, self.scale = _convolution_of(config.filters), None

    def training(self):
        features = self._features(self.config.split, self.config.n)
        self.scale = features.scale
        return features

    def evaluation(self, split):
        if self.scale is None:
            self.training()
        return self._features(split, self.config.n_test)

    def _features(self, split, n):
        images = data.load(self.config.data, split, root=self.root)
        return Features(images.take(min(n, images.n)), self.convolution, self.scale)

    def batches(self, samples, order=None, batch_size=None):
        if order is None:
            return ((maps, maps) for maps in samples.maps.split(256))
        drawn = torch.randperm(samples.n, generator=order)
        return samples.epoch(drawn, batch_size or self.config.batch_size, "none", 0)

    def example(self, n, size=None):
        maps = torch.zeros(n, self.config.model.c, size // 2, size // 2)
        return maps, maps

    def loss(self, outputs, targets):
        return F.mse_loss(outputs, targets)

    def tally(self, outputs, targets):
        return F.mse_loss(outputs, targets).double() * len(targets)
