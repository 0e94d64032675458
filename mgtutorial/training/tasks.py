"""What a run learns: its samples, its loss, its metric. The loop is the same for all tasks.

A config makes its task, ``config.task(root, device)``. A new one (labels for pixels, point clouds)
is a subclass of :class:`Task` and a config that makes it.
"""

import torch
import torch.nn.functional as F

from ..data import images as data
from ..errors import InvalidValue
from ..models.counting import count_macs
from . import devices


class Task:
    """The samples, the loss and the metric of a run; nothing is loaded before it is asked for.

    Parameters
    ----------
    config : TrainConfig or another
        That of the run.
    root : path, optional
        Where the data are.
    device : str or torch.device
        Where the samples are to live.

    Attributes
    ----------
    metric : str
        Its name, for the record.
    memory_format : torch.memory_format
        Of the network and its inputs.
    progress : bool, optional
        Whether reading data may show its progress; None: on a terminal.
    """

    metric = None
    memory_format = torch.contiguous_format
    progress = None

    def __init__(self, config, root=None, device="cpu"):
        self.config, self.root, self.device = config, root, torch.device(device)
        self.dtype = devices.dtype_of(config)

    def ready(self, module_or_inputs):
        """Return a network, or inputs, in the type and the memory format of this run."""
        if isinstance(module_or_inputs, torch.nn.Module):
            return module_or_inputs.to(self.device, self.dtype, memory_format=self.memory_format)
        return module_or_inputs.to(self.dtype).contiguous(memory_format=self.memory_format)

    def training(self):
        """Return the training samples: an object with ``n``, ``digest`` and ``source``."""
        raise NotImplementedError

    def evaluation(self, split):
        """Return the samples of ``"val"`` or ``"test"``."""
        raise NotImplementedError

    def batches(self, samples, order=None, batch_size=None):
        """Return one epoch of (inputs, targets).

        Parameters
        ----------
        samples
            What :meth:`training` or :meth:`evaluation` returned, or a process's share of it.
        order : torch.Generator, optional
            Draws the order and the augmentation, all at this call; None: for evaluation.
        batch_size : int, optional
            In training; default: the config's.
        """
        raise NotImplementedError

    def example(self, n, size=None):
        """Return made-up inputs and targets of a batch of `n`; `size` is that of the images."""
        raise NotImplementedError

    def coarsened(self, inputs, side):
        """Return inputs on a grid with `side` points along each side, where the task has grids."""
        raise NotImplementedError

    def macs(self, model, size=None):
        """Return the multiplications of one sample's forward pass, or None."""
        return None

    def loss(self, outputs, targets):
        """Return the mean loss of a batch."""
        raise NotImplementedError

    def tally(self, outputs, targets):
        """Return a tensor for a batch whose sum over all batches gives the metric."""
        raise NotImplementedError

    def score(self, total, n):
        """Return the metric, a float, from the sum of the tallies over `n` samples."""
        return float(total) / n

    def details(self, total, n):
        """Return what the tallies' sum says besides the metric: names and numbers, or None."""
        return None


class Classification(Task):
    """Images and their classes: cross-entropy, and the fraction that is classified correctly."""

    metric = "accuracy"
    memory_format = torch.channels_last

    def training(self):
        config = self.config
        images = self._load(config.split)
        theirs, ours = (images.channels, images.num_classes), config.model
        if (ours.in_channels, ours.num_classes) != theirs:
            raise InvalidValue(
                f"the network is for {ours.in_channels} channels and {ours.num_classes} classes, "
                f"but {config.data} has {theirs[0]} and {theirs[1]}: use protocols.configure(), "
                "which fits it."
            )
        return images if config.n_train is None else images.take(config.n_train)

    def evaluation(self, split):
        return self._load(split)

    def _load(self, split):
        return data.load(
            self.config.data, split, root=self.root, device=self.device,
            progress=self.progress is not False,
        )  # fmt: skip

    def batches(self, samples, order=None, batch_size=None):
        if order is None:
            drawn = data.batches(
                samples, 500, shuffle=False, normalisation=self.config.normalisation
            )
        else:
            config = self.config
            drawn = data.batches(
                samples, batch_size or config.batch_size, config.augmentation,
                generator=order, normalisation=config.normalisation,
            )  # fmt: skip
        return ((self.ready(x), y) for x, y in drawn)

    def example(self, n, size=None):
        shape = (n, self.config.model.in_channels, size, size)
        x = torch.zeros(shape, device=self.device)
        x += torch.linspace(-1, 1, n, device=self.device)[:, None, None, None]
        return self.ready(x), torch.zeros(n, dtype=torch.int64, device=self.device)

    def coarsened(self, inputs, side):
        if side == inputs.shape[-1]:
            return inputs
        return F.interpolate(inputs, size=(side, side), mode="area")  # means over cells

    def macs(self, model, size=None):
        return count_macs(model, size)

    def loss(self, outputs, targets):
        recipe = self.config.recipe
        smoothing = recipe.label_smoothing if recipe else 0.0
        return F.cross_entropy(outputs, targets, label_smoothing=smoothing)

    def tally(self, outputs, targets):
        return (outputs.argmax(1) == targets).sum()
