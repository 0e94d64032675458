"""Training configurations: the budgets, the papers' protocols, the learning rates.

``paper`` is what a paper's text prints; where the text is silent, what its authors' public code
has; else a choice. ``results/published/protocols.csv`` has the source of every field. The shorter
budgets use one cycle of the learning rate; no verdict on the papers' accuracies is drawn from them.
"""

from dataclasses import dataclass, field, fields, replace

from ..data import catalogue
from ..data.images import checked_normalisation
from ..errors import MOST_RATE, MOST_SEED, InvalidValue, choose, real, whole
from ..models import registry
from ..models.config import as_dict, plain_fields
from .recipe import SCHEDULES, Recipe
from .recipes import recipe_of
from .tasks import Classification

PRECISIONS = ("float32", "bfloat16", "float16", "float64")

BUDGETS = {
    "smoke": "400 training images, 4 epochs: shows that it runs, says nothing about accuracy",
    "demo": "10,000 training images, 3 epochs",
    "short": "all training images, 15 epochs",
    "fast": "the recipe of a kind of network on a data set, from which no verdict on a "
    "printed accuracy is drawn",
    "paper": "the paper's protocol: printed, from its authors' code, or chosen",
}

# The peaks of demo and short have the best accuracy on the validation images among those tried,
# or one within its standard error of it: the runs with split "fit" in results/runs. In the 52
# steps of smoke, deep networks of few channels lower their loss only at a small rate.
_SETTINGS = {
    "smoke": {
        "schedule": "one-cycle",
        "lr": 0.01,
        "batch_size": 32,
        "epochs": 4,
        "n_train": 400,
    },
    "demo": {
        "schedule": "one-cycle",
        "lr": 0.1,
        "batch_size": 128,
        "epochs": 3,
        "n_train": 10_000,
    },
    "short": {"schedule": "one-cycle", "lr": 0.2, "batch_size": 128, "epochs": 15},
}

# The constants of the code's CIFAR-10, with which it normalises Tiny ImageNet as well.
_CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
_MGIC = {
    "": {
        "schedule": "step",
        "step_epochs": 30,
        "lr": 0.001,
        "batch_size": 128,
        "epochs": 100,
        "initial_weights": "he-fan-out",
    },
    "cifar10": {"augmentation": "crop-flip"},
    "imagenet": {"lr": 0.1, "batch_size": 256, "augmentation": "resized-crop"},
}
# What a protocol sets for all data sets, and what for one of them; momentum and weight decay are
# the same in all. A test checks every number against results/published/protocols.csv.
_PAPERS = {
    # MGiaD, section 4. Where its text is silent: the first author's later code.
    "mgiad": {
        "": {
            "schedule": "cosine",
            "lr": 0.05,
            "batch_size": 128,
            "epochs": 400,
            "initial_weights": "torch",
        },
        "fashion-mnist": {"schedule": "step", "step_epochs": 25, "augmentation": "none"},
        "cifar10": {"augmentation": "cifar10-code", "normalisation": _CIFAR10},
        "cifar100": {
            "augmentation": "cifar100",
            "normalisation": ((0.5074, 0.4867, 0.4411), (0.2011, 0.1987, 0.2025)),
        },
        "tiny-imagenet": {"augmentation": "resized-crop", "normalisation": _CIFAR10},
        "imagenet": {"batch_size": 512, "augmentation": "resized-crop"},
    },
    # MGIC, section 4.3 of the journal version; the first version trains for longer.
    "mgic": _MGIC,
    "mgic-first": _MGIC | {"": _MGIC[""] | {"epochs": 180}},
    # Poly-MgNet: the authors' code, as the text at hand prints no protocol.
    "poly-mgnet": {
        "": {
            "schedule": "cosine",
            "lr": 0.1,
            "batch_size": 128,
            "epochs": 400,
            "initial_weights": "torch",
        },
        "cifar10": {"augmentation": "cifar10-code", "normalisation": _CIFAR10},
    },
}
#: The data sets of each paper's protocol.
PROTOCOLS = {name: tuple(d for d in paper if d) for name, paper in _PAPERS.items()}
#: What may differ in a run under a protocol: the seed, and how its program is executed.
FREE = ("seed", "compile", "memory")
# What differs besides for some networks: a field of the config, its value, the changes.
_NETWORKS = {("mgiad", "imagenet"): ("lam", 3, {"batch_size": 256})}  # for want of memory


def _later(default):
    """A field that came later: older records do not have it, and keep their digests."""
    return field(default=default, metadata={"later": True})


@dataclass(frozen=True)
class TrainConfig:
    """Every choice that determines a run; its digest names the run.

    Attributes
    ----------
    model : config of a network
    data : str
        A name for :func:`mgtutorial.data.load`.
    budget : str
        The budget that the numbers below come from where no others were given.
    epochs, batch_size : int
    lr : float
        The initial rate; for ``"one-cycle"`` its peak.
    schedule : {"cosine", "step", "one-cycle", "constant", "poly"}
    step_epochs : int
        ``"step"`` divides the rate by 10 each time this many epochs have passed.
    momentum, weight_decay : float
        Of stochastic gradient descent.
    augmentation : str
        A policy of :mod:`mgtutorial.data.augmentation`.
    n_train : int or None
        The number of training images, stratified; None takes all.
    split : {"train", "fit"}
        ``"train"``: all training images, the test set read once at the end.
        ``"fit"``: all but the validation images, which are read after each epoch, to make choices.
    seed : int
        Of the initial weights, the order of the images and their augmentation.
    precision : {"float32", "bfloat16", "float16", "float64"}
        The two with 16 bits are mixed: weights stay in float32.
    compile : bool
        Whether ``torch.compile`` is used.
    memory : {"fast", "lean"}
        ``"lean"`` keeps less for the backward pass and recomputes the rest: see
        :class:`mgtutorial.models.Lean`. Not with `compile`.
    norm_parts : int
        Batch norm takes its statistics over this many equal parts of a batch: 1, or the number of
        processes that each have statistics of their own (:mod:`mgtutorial.training.distributed`).
    protocol : {"mgiad", "mgic", "mgic-first", "poly-mgnet"}
        The paper whose protocol the budget ``paper`` follows; ``smoke``, ``demo`` and ``short`` are
        the same for all. MGIC's first version differs from the journal's in the number of epochs.
    normalisation : (tuple of float, tuple of float) or None
        Mean and deviation of the grey values in [0, 1], one number per channel; None: those of the
        :class:`mgtutorial.data.catalogue.DataSet`.
    recipe : Recipe or None
        What the training does beyond that; None: nothing.
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
    norm_parts: int = _later(1)
    protocol: str = _later("mgiad")
    normalisation: tuple | None = _later(None)
    recipe: object = _later(None)  # Recipe or None
    memory: str = _later("fast")

    def __post_init__(self):
        choose("data set", self.data, catalogue.NAMES)
        choose("budget", self.budget, BUDGETS)
        choose("schedule", self.schedule, SCHEDULES)
        choose("split", self.split, ("train", "fit"))
        choose("protocol", self.protocol, _PAPERS)
        choose("precision", self.precision, PRECISIONS)
        # plain Python's numbers, so that a run has one name however its numbers were computed
        plain = {n: whole(n, getattr(self, n)) for n in ("epochs", "batch_size", "step_epochs")}
        plain["norm_parts"] = whole("norm_parts", self.norm_parts)
        plain["seed"] = whole("seed", self.seed, least=0, most=MOST_SEED)
        plain["lr"] = real("lr", self.lr, most=MOST_RATE, positive=True)
        plain["momentum"] = real("momentum", self.momentum, most=1.0)
        plain["weight_decay"] = real("weight_decay", self.weight_decay, most=MOST_RATE)
        if self.n_train is not None:
            plain["n_train"] = whole("n_train", self.n_train)
        if self.compile not in (True, False):
            raise InvalidValue(f"compile={self.compile!r}: give True or False.")
        plain["compile"] = bool(self.compile)
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        choose("memory", self.memory, ("fast", "lean"))
        if self.compile and self.memory == "lean":
            raise InvalidValue(
                "memory='lean' and compile: torch's compiler decides itself what it keeps for the "
                "backward pass; give one of the two."
            )
        if self.normalisation is not None:
            constants = checked_normalisation(catalogue.info(self.data), self.normalisation)
            object.__setattr__(self, "normalisation", constants)
        if self.recipe is not None and not isinstance(self.recipe, Recipe):
            raise InvalidValue(f"recipe={self.recipe!r}: give a Recipe, or None.")

    def as_dict(self):
        """Return the config as plain data."""
        plain = plain_fields(self) | {"model": as_dict(self.model)}
        return plain if self.recipe is None else plain | {"recipe": self.recipe.as_dict()}

    @classmethod
    def from_dict(cls, plain):
        """Return the config that :meth:`as_dict` wrote; fields that came later are filled in.

        Raises
        ------
        UnknownName, InvalidValue
            If the config, or its network, is from another version.
        """
        if "model" not in plain:
            raise InvalidValue("not a training config of this version: it has no network.")
        for name in plain:
            choose("training option", name, [f.name for f in fields(cls)])
        plain = plain | {"model": registry.from_dict(plain["model"])}
        if plain.get("recipe") is not None:
            plain["recipe"] = Recipe.from_dict(plain["recipe"])
        return cls(**plain)

    @property
    def partial(self):
        """Whether a run stops short of its budget: fewer epochs, or fewer training images.

        Examples
        --------
        >>> configure("mgnet-20", "digits", "smoke").partial
        False
        >>> configure("mgnet-20", "digits", "smoke", n_train=100).partial
        True
        """
        whole = settings(self.budget, self.data, self.protocol)
        if self.budget == "fast":
            whole = recipe_of(self.model, self.data)
        infinite = float("inf")  # None stands for all images
        wanted = whole.get("n_train") or infinite
        return self.epochs < whole["epochs"] or (self.n_train or infinite) < wanted

    def identity(self, images):
        """Return the plain data whose digest names the run on these training images."""
        return {"config": self.as_dict(), "data": images.digest}

    def results_in(self, runs):
        """Return the file of the records in the folder `runs`: one for each budget."""
        return runs / f"{self.budget}.jsonl"

    def task(self, root=None, device="cpu"):
        """Return the :class:`mgtutorial.training.Task` of the run."""
        return Classification(self, root, device)


def configure(model, data_name, budget="short", *, root=None, **changes):
    """Return the :class:`TrainConfig` of a budget, with the network fitted to the data set.

    Parameters
    ----------
    model : str or config of a network
        A name of :data:`mgtutorial.models.CONFIGS`, which becomes the network that the papers use
        on the data set; or a config, of which only input channels and number of classes change. The
        budget ``paper`` also sets the law of its initial weights, which belongs to the protocol.
    data_name, budget : str
    root : path, optional
        Where the data are: see :func:`mgtutorial.data.load`. None are read; but where only
        some of the classes of a data set are there, the network gets that many outputs.
    **changes
        Fields of :class:`TrainConfig` that are to differ from the budget's; not ``data``.

    Raises
    ------
    UnknownName
    InvalidValue
        If a number is out of range, or if the network does not take images.

    Examples
    --------
    >>> config = configure("mgnet-20", "digits", "smoke", seed=1)
    >>> config.model.in_channels, config.seed
    (1, 1)
    >>> configure("mgiad-lam3-c64-g8", "imagenet", "paper", root="nowhere").batch_size
    256
    """
    choose("budget", budget, BUDGETS)
    for name in changes:
        choose("training option", name, [f.name for f in fields(TrainConfig) if f.name != "data"])
    info = catalogue.info(data_name).at(root)
    if isinstance(model, str):
        model = registry.CONFIGS[model].for_data_set(info)
    else:
        model = model.with_ends(info)
    protocol = changes.pop("protocol", "mgiad")
    chosen = settings(budget, data_name, protocol)
    if budget == "fast":
        chosen |= recipe_of(model, data_name)
    if budget == "paper":
        model = replace(model, initial_weights=initial_weights(protocol))
        chosen |= for_network(model, data_name, protocol)
    return TrainConfig(model=model, data=data_name, budget=budget, **(chosen | changes))


def settings(budget, data_name, protocol="mgiad"):
    """Return the fields of a ``TrainConfig`` that a budget sets for a data set.

    What ``fast`` sets for a network is in :func:`.recipes.recipe_of`.

    Parameters
    ----------
    budget, data_name : str
    protocol : str
        The paper that the budget ``paper`` follows.

    Examples
    --------
    >>> settings("paper", "fashion-mnist")["schedule"]
    'step'
    >>> settings("paper", "cifar10", "mgic")["epochs"]
    100
    """
    choose("budget", budget, BUDGETS)
    paper = _PAPERS[choose("protocol", protocol, _PAPERS)]
    info = catalogue.info(data_name)
    chosen = {"augmentation": info.augmentation}
    if budget != "paper":
        return chosen | _SETTINGS.get(budget, {})
    chosen |= {"normalisation": own_normalisation(data_name), "protocol": protocol}
    chosen |= paper[""] | paper.get(data_name, {})
    del chosen["initial_weights"]  # a field of the network
    return chosen


def own_normalisation(data_name):
    info = catalogue.info(data_name)
    return info.mean, info.std


def initial_weights(protocol):
    """Return the law of the initial weights of a paper's networks.

    Parameters
    ----------
    protocol : str

    Returns
    -------
    str
        One that :func:`mgtutorial.models.blocks.initialise` knows.

    Examples
    --------
    >>> initial_weights("poly-mgnet"), initial_weights("mgic")
    ('torch', 'he-fan-out')
    """
    return _PAPERS[choose("protocol", protocol, _PAPERS)][""]["initial_weights"]


def for_network(model, data_name, protocol):
    """Return what a protocol changes for some networks on a data set."""
    name, value, differing = _NETWORKS.get((protocol, data_name), ("", None, {}))
    return differing if getattr(model, name, None) == value else {}
