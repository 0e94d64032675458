"""Training configurations: the budgets, the papers' protocols, the learning rates.

``paper`` is what the papers print; the shorter budgets use one cycle of the learning
rate and are never compared with the papers' accuracies.
"""

import math
from dataclasses import dataclass, fields, replace

from . import data, models
from .errors import InvalidValue, choose

SCHEDULES = ("cosine", "step", "one-cycle", "constant")

BUDGETS = {
    "smoke": "seconds: proves the path, says nothing about accuracy",
    "demo": "10,000 training images, 3 epochs",
    "short": "all training images, 15 epochs",
    "paper": "the protocol that the paper prints",
}

# The peaks of demo and short are those with the best accuracy on the validation images,
# among those tried: the runs with split "fit" in results/runs.
_SETTINGS = {
    "smoke": {"schedule": "one-cycle", "lr": 0.1, "batch_size": 32, "epochs": 4},
    "demo": {
        "schedule": "one-cycle",
        "lr": 0.1,
        "batch_size": 128,
        "epochs": 3,
        "n_train": 10_000,
    },
    "short": {"schedule": "one-cycle", "lr": 0.2, "batch_size": 128, "epochs": 15},
    # MGiaD, section 4: batch 128, 400 epochs, SGD with momentum 0.9, weight decay 1e-4,
    # rate 0.05 with cosine annealing ...
    "paper": {"schedule": "cosine", "lr": 0.05, "batch_size": 128, "epochs": 400},
}
# ... and on FashionMNIST the rate times 0.1 every 25 epochs.
_PAPER_BY_DATA = {"fashion-mnist": {"schedule": "step", "step_epochs": 25}}


@dataclass(frozen=True)
class TrainConfig:
    """Every choice that determines a run; its digest names the run.

    Attributes
    ----------
    model : config of a network
    data : str
        A name of :func:`mgtutorial.data.load`.
    budget : str
        The budget that the numbers below come from.
    epochs, batch_size : int
    lr : float
        The initial rate; for ``"one-cycle"`` its peak.
    schedule : {"cosine", "step", "one-cycle", "constant"}
    step_epochs : int
        ``"step"`` divides the rate by 10 after each of so many epochs.
    momentum, weight_decay : float
        Of stochastic gradient descent.
    augmentation : str
        A policy of :mod:`mgtutorial.augment`.
    n_train : int or None
        So many training images, stratified; None takes all.
    split : {"train", "fit"}
        ``"train"``: all training images, the test set read once at the end.
        ``"fit"``: all but the validation images, and these after each epoch: for choices.
    seed : int
        Of the initial weights, the order of the images and their augmentation.
    precision : {"float32", "bfloat16", "float16"}
    compile : bool
        Whether ``torch.compile`` is used.
    """

    model: object
    data: str = "digits"
    budget: str = "smoke"
    epochs: int = 1
    batch_size: int = 128
    lr: float = 0.05
    schedule: str = "cosine"
    step_epochs: int = 25
    momentum: float = 0.9
    weight_decay: float = 1e-4
    augmentation: str = "none"
    n_train: int | None = None
    split: str = "train"
    seed: int = 0
    precision: str = "float32"
    compile: bool = False

    def __post_init__(self):
        choose("data set", self.data, data.NAMES)
        choose("budget", self.budget, BUDGETS)
        choose("schedule", self.schedule, SCHEDULES)
        choose("split", self.split, ("train", "fit"))
        choose("precision", self.precision, ("float32", "bfloat16", "float16"))
        for name in ("epochs", "batch_size", "step_epochs"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise InvalidValue(f"{name}={value!r}: it must be a whole number, at least 1.")
        if not self.lr > 0:
            raise InvalidValue(f"lr={self.lr}: the learning rate must be positive.")

    def as_dict(self):
        """Return the config as plain data."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return plain | {"model": models.as_dict(self.model)}


def configure(model, data_name, budget="short", *, root=None, **changes):
    """Return the :class:`TrainConfig` of a budget, with the network fitted to the data set.

    Parameters
    ----------
    model : str or config of a network
        A name of :data:`mgtutorial.models.CONFIGS`, or a config. Its input channels and
        its number of classes become those of the data set.
    data_name, budget : str
    root : path, optional
        Where the data are, see :func:`mgtutorial.data.load`.
    **changes
        Fields of :class:`TrainConfig` that shall differ from the budget's.

    Raises
    ------
    UnknownName, InvalidValue, DataNotFound

    Examples
    --------
    >>> config = configure("mgnet-20", "digits", "smoke", seed=1)
    >>> config.model.in_channels, config.seed
    (1, 1)
    """
    choose("budget", budget, BUDGETS)
    for name in changes:
        choose("training option", name, [f.name for f in fields(TrainConfig)])
    if isinstance(model, str):
        model = models.named(model)
    images = data.load(data_name, "test", root=root)
    model = replace(model, in_channels=images.channels, num_classes=images.num_classes)
    chosen = settings(budget, data_name) | changes
    return TrainConfig(model=model, data=data_name, budget=budget, **chosen)


def settings(budget, data_name):
    """Return the fields of a ``TrainConfig`` that a budget sets for a data set.

    Examples
    --------
    >>> settings("paper", "fashion-mnist")["schedule"]
    'step'
    """
    chosen = dict(_SETTINGS[choose("budget", budget, BUDGETS)])
    if budget == "paper":
        chosen |= _PAPER_BY_DATA.get(data_name, {})
    return chosen | {"augmentation": data.augmentation_of(data_name)}


def partial(config):
    """Return whether a run stops below its budget: fewer epochs, or fewer training images.

    Examples
    --------
    >>> partial(configure("mgnet-20", "digits", "smoke"))
    False
    >>> partial(configure("mgnet-20", "digits", "smoke", n_train=100))
    True
    """
    whole = settings(config.budget, config.data)
    infinite = float("inf")  # None stands for all images
    wanted = whole.get("n_train") or infinite
    return config.epochs < whole["epochs"] or (config.n_train or infinite) < wanted


def learning_rate(config, epoch, fraction):
    r"""Return the rate in epoch `epoch` (from 0) at `fraction` in [0, 1) of it.

    ``cosine`` and ``step`` change between epochs, as the papers' code does;
    ``one-cycle`` changes at every step: linearly up to the peak over the first quarter
    of the run, then along a cosine to zero [1]_.

    References
    ----------
    .. [1] L. N. Smith and N. Topin, Super-convergence (2018).

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
    t, peak = (epoch + fraction) / config.epochs, 0.25
    if t < peak:
        return config.lr * t / peak
    return config.lr * 0.5 * (1 + math.cos(math.pi * (t - peak) / (1 - peak)))
