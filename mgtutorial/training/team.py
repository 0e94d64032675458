"""The team of one process."""

from types import MappingProxyType

from ..errors import InvalidValue
from .devices import pick_device


class SingleProcess:
    """The team of one: what :class:`mgtutorial.training.Team` does for several processes."""

    rank, size = 0, 1
    record = MappingProxyType({})  # what the record says about it

    def device(self, asked):
        """Return the device of this process."""
        return pick_device(asked)

    def first(self, f):
        """Return what `f` returns on the first process, which alone calls it."""
        return f()

    def share(self, images, batch_size):
        """Return the images, of whose batches this process gets its part."""
        return images

    def parallel(self, network, size):
        """Return the network whose gradients are averaged over the processes."""
        return network

    def prepare(self, module, config):
        """Return the module, its batch norm made ready for several processes."""
        if config.norm_parts != 1:
            raise InvalidValue(
                f"norm_parts={config.norm_parts}: such a run is one of so many processes; "
                "start them with torchrun, or with --devices."
            )
        return module

    def total(self, *numbers):
        """Return each number's sum over the processes."""
        return [float(n) for n in numbers]

    def agree(self, model):
        """Raise unless all processes have the same weights."""
