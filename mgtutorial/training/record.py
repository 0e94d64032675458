"""What was measured, and how it was made: one run, one record.

A new field gets a default here and is described in ``results/README.md``; nothing else has to know
of it. Lines of an older schema are lifted to this one when they are read, never on the disk.
"""

import math
import re
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cached_property

from ..errors import InvalidValue, real, whole
from .clouds import CloudsConfig
from .coarse_channels import CoarseConfig
from .devices import Device
from .plane import PlaneConfig
from .protocols import TrainConfig
from .segmentation import SegmentationConfig

SCHEMA = 2

# These are written in per cent, other metrics as plain numbers.
_SHARES = ("accuracy", "mIoU")


@dataclass(frozen=True)
class Metric:
    """What counts in the end.

    Attributes
    ----------
    name : str
        ``"accuracy"``, ``"mse"``, ...
    value : float
        After the last epoch; a share is in [0, 1].
    split : {"test", "val"}
        On which samples; ``"val"`` are those for making choices.

    Examples
    --------
    >>> print(Metric("accuracy", 0.93294, "test"))
    test accuracy 93.29%
    """

    name: str
    value: float
    split: str

    def __str__(self):
        return f"{self.split} {self.name} {written(self.name, self.value)}"


def written(name, value):
    """Return the value of a metric as a text.

    Examples
    --------
    >>> written("accuracy", 0.5), written("mse", 0.000573379)
    ('50.00%', '5.73e-04')
    """
    return f"{value:.2%}" if name in _SHARES else f"{value:.2e}"


@dataclass(frozen=True)
class Samples:
    """Images or points: how many, from where, and the digest of their content."""

    n: int
    digest: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Epoch:
    """One epoch of a run.

    Attributes
    ----------
    epoch : int
        From 1.
    loss : float
        Mean over the epoch, with augmentation, while the weights change.
    lr : float
        At its last step.
    train : float or None
        The metric, taken as `loss` is.
    val : float or None
        The metric after the epoch, in runs for making a choice.
    seconds : float or None
        Of wall time.
    at_rest : bool
        Whether the epoch left every weight as it was, bit for bit, at a rate that only falls: then
        it is the last one, unless a recipe keeps an average or changes its batches later. The
        running statistics of the norms, which evaluation mode takes from the last batches, would be
        no better after a later epoch.
    """

    epoch: int
    loss: float
    lr: float
    train: float | None = None
    val: float | None = None
    seconds: float | None = None
    at_rest: bool = False

    @classmethod
    def from_json(cls, plain):
        """Return the epoch from plain data, of today's schema or of schema 1."""
        old = {"train_accuracy": "train", "val_accuracy": "val"}
        return _made(cls, {old.get(name, name): value for name, value in plain.items()})

    def to_json(self):
        """Return the epoch as plain data."""
        return _plain(self)


@dataclass(frozen=True)
class Record:
    """One run.

    Attributes
    ----------
    digest : str
        The run's name, made of its choices and its training data.
    choices : dict
        Every choice that determines the run, as the plain data that its digest is made of.
    data, evaluated_on : Samples
        What was trained on, and what the metric is measured on.
    metric : Metric
    curve : tuple of Epoch
    weights : int
        Trainable parameters.
    macs : int or None
        Multiplications of one image's forward pass.
    seconds : float
        Of all epochs.
    device : Device
    finished : str
        Date and time, UTC.
    versions : dict
    commit : str or None
        ``+`` after it: the code differed from it.
    partial : bool
        Whether the run stopped short of its budget.
    world_size : int
        Processes that shared the run.
    strategy, batch_norm : str or None
        How they shared it, and over what their batch norm took its statistics.
    details : dict or None
        Parts of the metric by name, such as the IoU of each class.
    """

    digest: str
    choices: dict
    data: Samples
    evaluated_on: Samples
    metric: Metric
    curve: tuple
    weights: int
    macs: int | None
    seconds: float
    device: Device
    finished: str
    versions: dict
    commit: str | None
    partial: bool = False
    world_size: int = 1
    strategy: str | None = None
    batch_norm: str | None = None
    details: dict | None = None

    @cached_property
    def config(self):
        """The choices as the config object of this version, fields that came later filled in.

        Raises
        ------
        UnknownName, InvalidValue
            If the choices are those of another version.
        """
        named_by = {
            "function": PlaneConfig,
            "filters": CoarseConfig,
            "crop": SegmentationConfig,
            "smoothing": CloudsConfig,
        }
        kind = next((kind for key, kind in named_by.items() if key in self.choices), TrainConfig)
        return kind.from_dict(self.choices)

    @property
    def budget(self):
        """The budget of the run."""
        return self.choices["budget"]

    @property
    def epochs(self):
        """Number of epochs."""
        return self.choices["epochs"]

    @property
    def at_rest(self):
        """The epoch from which the weights were at rest, or None."""
        last = self.curve[-1] if self.curve else None
        return last.epoch if last is not None and last.at_rest else None

    @property
    def epochs_text(self):
        """The number of epochs, for a reader, and the one from which the weights were at rest."""
        rest = f", weights at rest from {self.at_rest}" if self.at_rest else ""
        return f"{self.epochs}{rest}"

    @property
    def seed(self):
        """The run's seed."""
        return self.choices["seed"]

    @property
    def tests_accuracy(self):
        """Whether it says how many test images are classified correctly."""
        return (self.metric.name, self.metric.split) == ("accuracy", "test")

    @classmethod
    def from_json(cls, plain):
        """Return the record from plain data, of this schema or an older one.

        Raises
        ------
        InvalidValue
            If it is of a newer schema, lacks what a record has, or says what no record can say.
        """
        schema = whole("schema", plain.get("schema", 1))
        if schema > SCHEMA:
            raise InvalidValue(
                f"it has schema {schema}, this version of mgtutorial knows up to {SCHEMA}: "
                "update mgtutorial."
            )
        try:
            plain = dict(plain if schema == SCHEMA else _lifted(plain))
            for name, kind in _PARTS.items():
                plain[name] = _made(kind, plain[name])
            plain["curve"] = tuple(map(Epoch.from_json, plain["curve"]))
            found = _made(cls, plain)
            found._check()
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            kind = "" if isinstance(error, InvalidValue) else f"{type(error).__name__}: "
            raise InvalidValue(
                f"it is no record of a run ({kind}{str(error).rstrip('.')}): "
                "restore the line, or delete it."
            ) from error
        return found

    def _check(self):
        """Raise unless the numbers are ones that a run can have: a line may come from anywhere."""
        if not _NAME.fullmatch(self.digest):
            raise InvalidValue(f"digest={self.digest!r}: a digest has letters and digits only")
        for name in ("budget", "data", "epochs", "seed"):
            if name not in self.choices and "function" not in self.choices:
                raise InvalidValue(f"its choices have no {name}")
        share = 1.0 if self.metric.name in _SHARES else float("inf")
        real(self.metric.name, self.metric.value, most=share)
        for name, least in (("weights", 0), ("world_size", 1)):
            whole(name, getattr(self, name), least, 2**63)
        if self.macs is not None:
            whole("macs", self.macs, 0, 2**63)
        whole("n", self.data.n)
        whole("n", self.evaluated_on.n)
        real("seconds", self.seconds)
        for name, value in (self.details or {}).items():
            real(name, value, least=-math.inf)
        check_curve(self.curve, self.choices.get("epochs"))

    def to_json(self):
        """Return the record as plain data of this schema; fields at their defaults are left out."""
        return {"schema": SCHEMA, **_plain(self)}


def check_curve(curve, epochs=None):
    """Raise unless these are the first epochs of a run, at most so many, each with its numbers.

    Parameters
    ----------
    curve : sequence of Epoch
    epochs : int, optional
        Of the whole run.

    Raises
    ------
    InvalidValue

    Examples
    --------
    >>> check_curve([Epoch(1, 2.3, 0.1)], epochs=1)
    >>> check_curve([Epoch(2, 2.3, 0.1)], epochs=2)
    Traceback (most recent call last):
    ...
    mgtutorial.errors.InvalidValue: the curve has epoch 2 in place of epoch 1
    """
    if epochs is not None and len(curve) > epochs:
        raise InvalidValue(f"the curve has {len(curve)} epochs and the run {epochs}")
    for number, row in enumerate(curve, 1):
        if row.epoch != number:
            raise InvalidValue(f"the curve has epoch {row.epoch} in place of epoch {number}")
        real("lr", row.lr)
        for name in ("loss", "train", "val", "seconds"):
            value = getattr(row, name)
            if value is not None or name == "loss":
                real(name, value, least=0.0 if name == "seconds" else float("-inf"))


#: What may name a run: nothing that a page, a table or a file name could take for a command.
_NAME = re.compile(r"[\w][\w .-]{0,63}", re.ASCII)
_PARTS = {"data": Samples, "evaluated_on": Samples, "metric": Metric, "device": Device}


def _made(kind, plain):
    known = {f.name for f in fields(kind)}  # a later version may add fields that have a default
    return kind(**{name: value for name, value in plain.items() if name in known})


def _plain(value):
    if is_dataclass(value):
        pairs = ((f, getattr(value, f.name)) for f in fields(value))
        return {f.name: _plain(v) for f, v in pairs if f.default is MISSING or v != f.default}
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _lifted(old):
    """Return the plain data of schema 1 as those of schema 2."""
    if "function" in old:
        return _lifted_plane(old)
    on = old["evaluated_on"]
    split = on["split"]
    metric = {"name": "accuracy", "value": old[f"{split}_accuracy"], "split": split}
    return {**old, "choices": old["config"], "metric": metric}


def _lifted_plane(old):
    """As :func:`_lifted`, for functions of the plane, whose choices lay among the fields."""
    names = ("network", "function", "budget", "n", "epochs", "lr", "batch_size", "momentum",
             "seed", "on")  # fmt: skip
    config = PlaneConfig.from_dict({name: old[name] for name in names})
    split = "val" if config.split == "fit" else "test"
    rows = enumerate(old["curve"], 1)
    return {
        **old,
        "choices": config.as_dict(),
        "data": {"n": old["n"]},
        "evaluated_on": {"n": config.count(split)},
        "metric": {"name": "mse", "value": old["mse"], "split": split},
        "curve": [{"epoch": i, "loss": mse, "lr": old["lr"], "train": mse} for i, mse in rows],
        "macs": None,
        "partial": config.partial,
    }
