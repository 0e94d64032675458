"""What computes a run: a device, at a precision, and one process, unless there are several."""

import contextlib
import os
import shutil
import sys
from dataclasses import dataclass
from types import MappingProxyType

import torch

from ..errors import DeviceUnavailable, InvalidValue
from ..models.lean import Lean


def pick_device(device):
    """Return the torch device of a name; ``"auto"`` takes a GPU where there is one.

    Raises
    ------
    DeviceUnavailable
        If the device is not there.

    Examples
    --------
    >>> pick_device("cpu")
    device(type='cpu')
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(device)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):
        raise DeviceUnavailable(
            f"device {str(device)!r} is not available here: use 'cpu', or 'auto' for what there is."
        ) from None
    return device


def dtype_of(config):
    """Return the type of a run's weights and images."""
    return torch.float64 if config.precision == "float64" else torch.float32


@dataclass(frozen=True)
class Device:
    """What a run was computed on: ``"cuda"`` with the GPU's name, ``"cpu"`` with its threads.

    The layout is the order of features in memory (:func:`mgtutorial.models.blocks.check_images`):
    sums are in another order, so the last digits differ. None stands for channels first.
    """

    type: str
    name: str | None = None
    threads: int | None = None
    cuda: str | None = None
    cudnn: int | None = None
    tf32: dict | None = None
    layout: str | None = None

    def __str__(self):
        return self.name or f"CPU, {self.threads} thread(s)"


@contextlib.contextmanager
def exact(config, device):
    """Return the context in which a float32 run of the budget ``paper`` has no TF32.

    On recent GPUs convolutions round their factors to 10 bits, unless told otherwise. The other
    budgets leave what is set as it is; a record says what it was (:func:`describe`).
    """
    if config.budget != "paper" or device.type != "cuda":
        yield
        return
    before = tf32()
    _set_tf32(False, False)
    try:
        yield
    finally:
        _set_tf32(**before)


def tf32():
    """Return whether convolutions and matrix products of float32 may use TF32."""
    return {
        "convolutions": torch.backends.cudnn.allow_tf32,
        "products": torch.backends.cuda.matmul.allow_tf32,
    }


def _set_tf32(convolutions, products):
    torch.backends.cudnn.allow_tf32 = convolutions
    torch.backends.cuda.matmul.allow_tf32 = products


def describe(device):
    """Return what a record says of a torch device; call it in the run's context."""
    if device.type == "cuda":
        return Device(
            "cuda", name=torch.cuda.get_device_name(device), cuda=torch.version.cuda,
            cudnn=torch.backends.cudnn.version(), tf32=tf32(),
        )  # fmt: skip
    return Device(device.type, threads=torch.get_num_threads(), layout="channels last")


def autocast(config, device):
    """Return the context in which a run's forward pass is of mixed precision, if it is."""
    if config.precision in ("float32", "float64"):
        return contextlib.nullcontext()
    return torch.autocast(device.type, getattr(torch, config.precision))


def executed(network, config, device):
    """Return what computes the network in a run: it as it is, lean, or compiled.

    Raises
    ------
    DeviceUnavailable
        If it is to be compiled, and torch cannot.

    Examples
    --------
    >>> from mgtutorial.training import protocols
    >>> config = protocols.configure("mgnet-20", "digits", "smoke", memory="lean")
    >>> type(executed(config.model.build(), config, "cpu")).__name__
    'Lean'
    """
    if config.memory == "lean":
        return Lean(network)
    return compiled(network, device) if config.compile else network


def compiled(network, device, **options):
    """Return ``torch.compile(network)`` for one size of a batch at a time.

    Raises
    ------
    DeviceUnavailable
        If torch cannot: for this Python, or on a CPU without a C++ compiler.
    """
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if torch.device(device).type == "cpu" and shutil.which(compiler) is None:
        raise DeviceUnavailable(
            f"compile: torch needs a C++ compiler on a CPU, and {compiler!r} is not there: install "
            "one, name it in the variable CXX, or leave compile out."
        )
    try:
        return torch.compile(network, dynamic=False, **options)
    except RuntimeError as error:  # a Python or a system that it does not know
        raise DeviceUnavailable(
            f"compile: torch cannot here ({error}): leave compile out."
        ) from error


def shared(devices=1, nodes=1):
    """Return whether a run is to be shared: asked for, or started by torchrun on several processes.

    Examples
    --------
    >>> shared(devices=2)
    True
    """
    return devices * nodes > 1 or int(os.environ.get("WORLD_SIZE", "1")) > 1


class SingleProcess:
    """The team of one: what :class:`.distributed.Team` does for several processes."""

    rank, size = 0, 1
    record = MappingProxyType({})  # what the record says about it

    def device(self, asked):
        """Return the device of this process."""
        return pick_device(asked)

    def on_first(self, f):
        """Return what `f` returns on the first process, which alone calls it."""
        return f()

    def share(self, images, batch_size):
        """Return the images, of whose batches this process gets its part."""
        return images

    def parallel(self, network, example):
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

    def total(self, *values):
        """Return each tensor's, or number's, sum over the processes, in float64 on the CPU."""
        return [torch.as_tensor(v, dtype=torch.float64).cpu() for v in values]

    def agree(self, model):
        """Raise unless all processes have the same weights."""
