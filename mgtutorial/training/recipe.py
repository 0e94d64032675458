"""How a run takes its steps: the rate over its epochs, and what a fast training does beyond SGD.

Each field of a :class:`Recipe` is one idea, off by default; a config without a recipe is trained at
one batch size and one resolution, as ever.
"""

import copy
import math
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..errors import MOST_RATE, InvalidValue, choose, real, whole
from ..models.config import plain_fields
from .orthogonalised import OrthogonalisedSGD

#: The schedules that :func:`learning_rate` knows.
SCHEDULES = ("cosine", "step", "one-cycle", "constant", "poly")


def falls(config):
    """Return whether the rate of a config only falls, from the first epoch to the last."""
    return config.schedule in ("step", "cosine")


def learning_rate(config, epoch, fraction):
    r"""Return the rate in epoch `epoch` (from 0) at `fraction` in [0, 1) of it.

    ``cosine`` and ``step`` change between epochs, as the papers' code does;
    ``one-cycle`` changes at every step: linearly up to the peak over the first quarter
    of the run, or the recipe's ``warm_up``, then along a cosine to zero [1]_. ``poly``
    falls at every step, as the power 0.9 of what is left of the run [2]_.

    References
    ----------
    .. [1] L. N. Smith and N. Topin, Super-convergence (2018).
    .. [2] L.-C. Chen et al., Rethinking atrous convolution for semantic image segmentation (2017).

    Examples
    --------
    >>> from types import SimpleNamespace as C
    >>> config = C(lr=0.1, epochs=4, schedule="one-cycle")
    >>> [round(learning_rate(config, e, 0.0), 3) for e in range(4)]
    [0.0, 0.1, 0.075, 0.025]
    """
    if config.schedule == "constant":
        return config.lr
    if config.schedule == "step":
        return config.lr * 0.1 ** (epoch // config.step_epochs)
    if config.schedule == "cosine":
        return config.lr * 0.5 * (1 + math.cos(math.pi * epoch / config.epochs))
    if config.schedule == "poly":
        return config.lr * (1 - (epoch + fraction) / config.epochs) ** 0.9
    recipe = getattr(config, "recipe", None)
    t, peak = (epoch + fraction) / config.epochs, recipe.warm_up if recipe else 0.25
    if t < peak:
        return config.lr * t / peak
    return config.lr * 0.5 * (1 + math.cos(math.pi * (t - peak) / (1 - peak)))


@dataclass(frozen=True)
class Recipe:
    """The ideas of a fast training; all defaults together are plain SGD.

    Attributes
    ----------
    warm_up : float
        Fraction of the run, in (0, 1), during which a ``one-cycle`` rate rises.
    decay_norms : bool
        False: no weight decay on norms and biases.
    label_smoothing : float
        In [0, 1): the share of each label that is spread over all classes.
    average : float
        In [0, 1): weights and statistics are averaged over steps, with this decay, and the
        average is evaluated; 0: the last ones are.
    sides : tuple of (int, int)
        (first epoch from 0, side of the images in pixels): images are averaged down to that. The
        network is trained on coarse grids first, as nested iteration does. Before the first
        entry, and without one, images keep their size.
    batches : tuple of (int, int)
        (first epoch from 0, batch size), likewise; otherwise the config's.
    orthogonal_lr : float
        Peak rate of the orthogonalised steps (:mod:`.orthogonalised`) that dense kernels take,
        over the same schedule; 0: SGD for all.

    Raises
    ------
    InvalidValue
        If a value is out of range, or the stages of a run are not in order.

    Examples
    --------
    >>> recipe = Recipe(sides=((0, 14), (2, 28)))
    >>> [recipe.side(epoch) for epoch in range(4)]
    [14, 14, 28, 28]
    """

    warm_up: float = field(default=0.25, metadata={"later": True})
    decay_norms: bool = field(default=True, metadata={"later": True})
    label_smoothing: float = field(default=0.0, metadata={"later": True})
    average: float = field(default=0.0, metadata={"later": True})
    sides: tuple = field(default=(), metadata={"later": True})
    batches: tuple = field(default=(), metadata={"later": True})
    orthogonal_lr: float = field(default=0.0, metadata={"later": True})

    def __post_init__(self):
        # plain Python's numbers, so that a run has one name however its numbers were computed
        plain = {n: real(n, getattr(self, n), below=1.0) for n in ("label_smoothing", "average")}
        plain["warm_up"] = real("warm_up", self.warm_up, positive=True, below=1.0)
        plain["orthogonal_lr"] = real("orthogonal_lr", self.orthogonal_lr, most=MOST_RATE)
        if self.decay_norms not in (True, False):
            raise InvalidValue(f"decay_norms={self.decay_norms!r}: give True or False.")
        plain["decay_norms"] = bool(self.decay_norms)
        plain |= {name: _stages(name, getattr(self, name)) for name in ("sides", "batches")}
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    def as_dict(self):
        """Return what differs from the defaults as plain data."""
        return plain_fields(self)

    @classmethod
    def from_dict(cls, plain):
        """Return the recipe that :meth:`as_dict` wrote."""
        for name in plain:
            choose("part of a recipe", name, cls.__dataclass_fields__)
        return cls(**plain)

    def side(self, epoch):
        """Return the side of the images in an epoch, or None for their own."""
        return _at(self.sides, epoch, None)

    def batch_size(self, epoch, usual):
        """Return the batch size in an epoch; `usual` is the config's."""
        return _at(self.batches, epoch, usual)

    def may_rest(self, epoch):
        """Return whether a run is over if its weights rest in an epoch.

        An average still comes closer to weights that rest, and a later stage may move them again.

        Examples
        --------
        >>> recipe = Recipe(sides=((0, 14), (2, 28)))
        >>> [recipe.may_rest(epoch) for epoch in range(4)]
        [False, False, True, True]
        """
        begun = (first for first, _ in self.sides + self.batches)
        return not self.average and epoch >= max(begun, default=0)

    def stages(self, config):
        """Return each pair of (batch size, side of the images) that a run has, once."""
        epochs = range(config.epochs)
        return {(self.batch_size(e, config.batch_size), self.side(e)) for e in epochs}

    def check_batches(self, model, task, samples, parts=1):
        """Raise if batch norm would meet a part of a batch in which a channel has only one value.

        Parameters
        ----------
        model : torch.nn.Module
            Ready for the task.
        task : Task
            Its config says how many epochs there are, and the usual batch size.
        samples
            With ``n`` and ``size``.
        parts : int
            Processes that share each batch.

        Raises
        ------
        InvalidValue
        """
        if not any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in model.modules()):
            return
        for batch_size, side in self.stages(task.config):
            last = samples.n % batch_size or min(batch_size, samples.n)
            if last // parts == 1:
                _check_one(model, task, samples, batch_size, side or samples.size)

    def optimiser(self, model, config):
        """Return the optimiser of a network's parameters.

        Parameters
        ----------
        model : torch.nn.Module
        config : TrainConfig or another
            With its ``lr``, ``momentum`` and ``weight_decay``.

        Returns
        -------
        torch.optim.Optimizer
            A group whose rate is not the schedule's has the ratio of the two as its ``"factor"``.
        """
        if self.decay_norms and not self.orthogonal_lr:  # as ever: one group, torch's own step
            return _sgd(model.parameters(), config, weight_decay=config.weight_decay)
        chosen = defaultdict(list)  # (parts of an orthogonalised step, decayed) -> parameters
        parts = _dense_kernels(model) if self.orthogonal_lr else {}
        for p in model.parameters():
            chosen[parts.get(p, 0), self.decay_norms or p.ndim > 1].append(p)
        groups = [
            {
                "params": those,
                "convolution_groups": g,
                "factor": self.orthogonal_lr / config.lr if g else 1.0,
                "weight_decay": config.weight_decay if decayed else 0.0,
            }
            for (g, decayed), those in chosen.items()
        ]
        if self.orthogonal_lr:
            return OrthogonalisedSGD(groups, config.lr, config.momentum)
        return _sgd(groups, config)

    def averaged(self, model):
        """Return the running average of a network, or None if there is to be none."""
        if not self.average:
            return None
        return AveragedModel(
            model, multi_avg_fn=get_ema_multi_avg_fn(self.average), use_buffers=True
        )


def _stages(name, given):
    """Return pairs of (first epoch, positive number), the epochs rising."""
    try:
        stages = tuple((whole(name, first, least=0), whole(name, value)) for first, value in given)
        if all(a[0] < b[0] for a, b in pairwise(stages)):
            return stages
    except (TypeError, ValueError):  # no pairs, or no whole numbers
        pass
    raise InvalidValue(
        f"{name}={given!r}: give pairs of a first epoch, from 0 and rising, and a whole number."
    )


def _check_one(model, task, samples, batch_size, side):
    """Raise if a network cannot be trained on one image of a given side."""
    twin = copy.deepcopy(model).train()  # so that no statistics are left behind
    try:
        with torch.no_grad():
            twin(task.example(1, side)[0])
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise InvalidValue(
            f"batch_size={batch_size}: the last batch of {samples.n} images leaves one image to a "
            "process, and where its grid is one point, batch norm has no variance; choose another "
            "batch size."
        ) from error


def _at(stages, epoch, usual):
    begun = [value for first, value in stages if first <= epoch]
    return begun[-1] if begun else usual


def _sgd(parameters, config, **options):
    # each operation in one call for all tensors: the same bits, and fewer calls for small tensors
    return torch.optim.SGD(parameters, config.lr, config.momentum, foreach=True, **options)


def _dense_kernels(model):
    """Return kernel -> groups, for convolutions that have more than one channel in a group."""
    return {
        m.weight: m.groups
        for m in model.modules()
        if isinstance(m, torch.nn.Conv2d) and m.in_channels > m.groups
    }
