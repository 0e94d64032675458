"""What the configs of the small tasks share: SGD at a constant rate, in single precision."""

from typing import ClassVar

from ..errors import MOST_SEED, InvalidValue, real, whole
from ..models.config import plain_fields


class ConstantRate:
    """Base of a frozen config with ``model``, ``epochs``, ``batch_size``, ``lr``, ... and no more
    of a training than that.

    Attributes
    ----------
    kind : type
        Of the network's config.
    what : str
        What is learned, for a sentence.
    counts : tuple of str
        The fields that are whole numbers, at least 1.
    """

    kind: ClassVar[type]
    what: ClassVar[str]
    counts: ClassVar = ("n", "epochs", "batch_size")

    schedule: ClassVar = "constant"
    weight_decay: ClassVar = 0.0
    precision: ClassVar = "float32"
    compile: ClassVar = False
    memory: ClassVar = "fast"
    norm_parts: ClassVar = 1

    def check_numbers(self):
        """Make plain Python's numbers of all of them.

        Raises
        ------
        InvalidValue
            If one is out of its range.
        """
        plain = {name: whole(name, getattr(self, name)) for name in self.counts}
        plain["seed"] = whole("seed", self.seed, least=0, most=MOST_SEED)
        plain["lr"] = real("lr", self.lr, positive=True)
        plain["momentum"] = real("momentum", self.momentum, most=1.0)
        for name, value in plain.items():
            object.__setattr__(self, name, value)

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
            If it is of another version.
        """
        own = {k: v for k, v in plain.items() if k != "network"}
        try:
            return cls(model=cls.kind(**plain["network"]), **own)
        except (KeyError, TypeError) as error:
            raise InvalidValue(f"no config of {cls.what}: {error}.") from error
