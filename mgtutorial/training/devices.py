"""What computes a run: a device, at some precision, in one process unless there are several."""

import contextlib
import math
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import torch

from ..errors import DeviceUnavailable, InvalidValue, MgtutorialError, whole
from ..models.counting import activations_held
from ..models.lean import Lean


def pick_device(device):
    """Return the torch device that a name stands for; ``"auto"`` takes a GPU where there is one.

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
        if device.type == "meta":  # which has shapes and no numbers
            raise RuntimeError
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise DeviceUnavailable(
            f"device {str(device)!r} is not available here: use 'cpu', or 'auto' for what there is."
        ) from None
    return device


def check_memory(config, samples, device, stages, parts=1):
    """Raise if what a step keeps for its backward pass is more than the device has in all.

    Parameters
    ----------
    config : TrainConfig or another
    samples
        With ``size``, that of the images.
    device : torch.device
    stages : iterable of (int, int or None)
        Batch sizes, and sides of the images; None: that of the samples.
    parts : int
        Processes that share each batch.

    Raises
    ------
    InvalidValue
        Before anything is built that would fill the memory, or get the program killed.
    """
    if not hasattr(config.model, "in_channels"):  # no network for images
        return
    have, kind = _memory(device), config.precision
    # half precision keeps half as much, lean steps a third; a compiler decides for itself
    share = (0.5 if kind in ("float16", "bfloat16") else 1.0) * (
        0.3 if config.memory == "lean" else 1
    )
    for batch_size, side in stages:
        n, size = min(batch_size, samples.n) // parts, side or samples.size
        points = math.prod(size) if isinstance(size, tuple) else size**2
        if config.compile or 256 * n * points < have / 32:
            continue  # far away: nothing has to be counted
        kept = activations_held(config.model, 2, size).bytes / 2 * share * n
        if kept > have:
            raise InvalidValue(
                f"batch_size={batch_size}: a step keeps {kept / 2**30:.3g} GiB for its backward "
                f"pass, and {device} has {have / 2**30:.3g} GiB in all: give a smaller batch size, "
                f"below {int(n * have / kept) * parts:,}, or --memory lean."
            )


def _memory(device):
    """Return the bytes of memory that a device has, or that this process may use of them."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    found = [math.inf]
    with contextlib.suppress(AttributeError, ValueError, OSError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with contextlib.suppress(ImportError, OSError):
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        found += [limit] * (limit != resource.RLIM_INFINITY)
    with contextlib.suppress(OSError, ValueError):  # of a container
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(number for number in found if number > 0)


def dtype_of(config):
    """Return the type of a run's weights and images."""
    return torch.float64 if config.precision == "float64" else torch.float32


@dataclass(frozen=True)
class Device:
    """What a run was computed on: ``"cuda"`` with the GPU's name, ``"cpu"`` with its threads.

    The layout is the order of features in memory (:func:`mgtutorial.models.network.check_images`):
    sums are taken in another order, so the last digits differ. None stands for channels first.
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
    """Return the context in which a run is computed: the same, whatever the caller has set.

    It sets the default type and device, gradients and autocast; on a GPU also which algorithms
    cuDNN may choose, and whether factors are rounded to 10 bits (TF32), as recent GPUs do unless
    told otherwise. A run of the budget ``paper`` tells them otherwise; the others have torch's own
    defaults. A record says which it was (:func:`describe`).
    """
    threads, dtype, before = torch.get_num_threads(), torch.get_default_dtype(), _cuda_settings()
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.enable_grad())
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if torch.is_autocast_enabled(device.type):
            stack.enter_context(torch.autocast(device.type, enabled=False))
        torch.set_default_dtype(torch.float32)
        if device.type == "cuda":
            _set_cuda(**_DEFAULTS, convolutions=config.budget != "paper", products=False)
        try:
            yield
        finally:
            torch.set_num_threads(threads)  # a resumed run has those of its checkpoint
            torch.set_default_dtype(dtype)
            _set_cuda(**before)


_DEFAULTS = MappingProxyType({"enabled": True, "benchmark": False, "deterministic": False})


def _cuda_settings():
    return {name: getattr(torch.backends.cudnn, name) for name in _DEFAULTS} | tf32()


def _set_cuda(convolutions, products, **cudnn):
    for name, value in cudnn.items():
        setattr(torch.backends.cudnn, name, value)
    _set_tf32(convolutions, products)


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
    """Return what a record says about a torch device; call it in the run's context."""
    if device.type == "cuda":
        return Device(
            "cuda", name=torch.cuda.get_device_name(device), cuda=torch.version.cuda,
            cudnn=torch.backends.cudnn.version(), tf32=tf32(),
        )  # fmt: skip
    return Device(device.type, threads=torch.get_num_threads(), layout="channels last")


def autocast(config, device):
    """Return the context that gives a run's forward pass mixed precision, if it is to have it."""
    if config.precision in ("float32", "float64"):
        return contextlib.nullcontext()
    return torch.autocast(device.type, getattr(torch, config.precision))


def executed(network, config, device):
    """Return what computes the network in a run: the network as it is, lean, or compiled.

    Raises
    ------
    DeviceUnavailable
        If it is to be compiled, and torch cannot do so.

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
    """Return ``torch.compile(network)`` for one batch size at a time.

    Raises
    ------
    DeviceUnavailable
        If torch cannot do so: for this Python, or on a CPU without a C++ compiler.
    """
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    on_cpu = torch.device(device).type == "cpu" and os.name == "posix"
    if on_cpu and shutil.which(compiler) is None:  # found out here at once, by torch in a minute
        raise DeviceUnavailable(
            f"compile: torch needs a C++ compiler on a CPU, and {compiler!r} is not there: install "
            "one, name it in the variable CXX, or leave compile out."
        )
    try:
        return torch.compile(network, dynamic=False, **options)
    except RuntimeError as error:  # a Python or a system that it does not know
        raise DeviceUnavailable(
            f"compile: torch cannot compile here ({error}): leave compile out."
        ) from error


@contextlib.contextmanager
def sentences(config, device):
    """Turn what torch raises for want of a compiler or of memory into sentences.

    Parameters
    ----------
    config : TrainConfig or another
    device : torch.device

    Raises
    ------
    InvalidValue
    """
    try:
        yield
    except MgtutorialError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise InvalidValue(
                f"torch.compile cannot compile this network here ({_short(text)}): install a C++ "
                "compiler, such as g++, or leave --compile out."
            ) from error
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate" in text:
            raise InvalidValue(
                f"the memory of {device} does not hold a step with batch_size={config.batch_size} "
                f"({_short(text) or 'out of memory'}): give a smaller batch size."
            ) from error
        raise


def _short(text):
    return text if len(text) <= 160 else f"{text[:160]}..."


def shared(devices=1, nodes=1):
    """Return whether several processes share a run: on request, or because torchrun started them.

    Examples
    --------
    >>> shared(devices=2)
    True
    """
    for name, value in (("devices", devices), ("nodes", nodes)):
        whole(name, value)
    return devices * nodes > 1 or from_environment("WORLD_SIZE", 1) > 1


def from_environment(name, default=0):
    """Return the whole number that a launcher of processes has put into the environment.

    Raises
    ------
    InvalidValue
        If it is not a number.

    Examples
    --------
    >>> from_environment("NOBODY_SETS_THIS", 1)
    1
    """
    given = os.environ.get(name, "").strip()
    if not given:
        return default
    if not given.isdecimal() or len(given) > 9:
        raise InvalidValue(
            f"the environment variable {name} is {given!r}: torchrun and its like put a whole "
            "number there; unset it, if nobody has started several processes."
        )
    return int(given)


class SingleProcess:
    """The team of one: what :class:`.distributed.Team` is for several processes."""

    rank, size = 0, 1
    record = MappingProxyType({})  # what the record says about it

    def device(self, asked):
        """Return the device of this process."""
        return pick_device(asked)

    def on_first(self, f):
        """Return what `f` returns on the first process, which alone calls it."""
        return f()

    def share(self, images, batch_size):
        """Return the images, so that this process gets its part of each batch."""
        return images

    def parallel(self, network, example):
        """Return the network whose gradients are averaged over the processes."""
        return network

    def prepare(self, module, config):
        """Return the module, its batch norm made ready for several processes."""
        if config.norm_parts != 1:
            raise InvalidValue(
                f"norm_parts={config.norm_parts}: such a run needs that many processes; "
                "start them with torchrun, or with --devices."
            )
        return module

    def total(self, *values):
        """Return the sum of each tensor or number over the processes, in float64 on the CPU."""
        return [torch.as_tensor(v, dtype=torch.float64).cpu() for v in values]

    def agree(self, model):
        """Raise unless all processes have the same weights."""
