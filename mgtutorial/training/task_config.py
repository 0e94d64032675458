"""What the configs of tasks other than classifying images share: SGD in single precision."""

from typing import ClassVar

from ..errors import MOST_RATE, MOST_SEED, InvalidValue, choose, real, whole
from ..models.config import plain_fields


class TaskConfig:
    """Base of a frozen config with ``model``, ``epochs``, ``batch_size``, ``lr``, ``on``, ...

    Attributes
    ----------
    kind : type
        The class of the network's config.
    what : str
        What is learned, for messages.
    counts : tuple of str
        The fields that are whole numbers, at least 1.
    splits : dict of str to str
        What the metric can be measured on -> ``"train"``, or ``"fit"`` for making choices.
    file : str
        Name of the file of records of all budgets, beside the folder ``runs``.
    """

    kind: ClassVar[type]
    what: ClassVar[str]
    counts: ClassVar = ("n", "epochs", "batch_size")
    splits: ClassVar[dict]
    file: ClassVar[str]

    schedule: ClassVar = "constant"
    weight_decay: ClassVar = 0.0
    precision: ClassVar = "float32"
    compile: ClassVar = False
    memory: ClassVar = "fast"
    norm_parts: ClassVar = 1

    def check_numbers(self):
        """Turn all numbers into plain Python ones.

        Raises
        ------
        UnknownName, InvalidValue
            If one is out of range, or `on` is not one of `splits`.
        """
        samples = next(iter(self.splits)).split()[-1]  # "images" of "test images"
        choose(f"set of {samples}", self.on, self.splits)
        plain = {name: whole(name, getattr(self, name)) for name in self.counts}
        plain["seed"] = whole("seed", self.seed, least=0, most=MOST_SEED)
        plain["lr"] = real("lr", self.lr, most=MOST_RATE, positive=True)
        plain["momentum"] = real("momentum", self.momentum, most=1.0)
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    @property
    def split(self):
        """``"fit"`` for a run that is for making a choice, else ``"train"``."""
        return self.splits[self.on]

    def results_in(self, runs):
        """Return the file of the records, beside the folder `runs`."""
        return (runs.parent if runs.name == "runs" else runs) / self.file

    def as_dict(self):
        """Return the config as plain data."""
        own = {name: value for name, value in vars(self).items() if name != "model"}
        return {"network": plain_fields(self.model), **own}

    @classmethod
    def from_dict(cls, plain):
        """Return the config that :meth:`as_dict` wrote.

        Raises
        ------
        InvalidValue
            If it is from another version.
        """
        own = {k: v for k, v in plain.items() if k != "network"}
        try:
            return cls(model=cls.kind(**plain["network"]), **own)
        except (KeyError, TypeError) as error:
            raise InvalidValue(f"no config of {cls.what}: {error}.") from error
