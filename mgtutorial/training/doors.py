"""What a run meets before hours are spent, and what torch raises in one, as sentences."""

import contextlib
import copy
import math
import os
import shutil
from pathlib import Path

import torch

from ..errors import InvalidValue, MgtutorialError
from ..models.counting import activations_held


def check_smallest_batch(model, task, samples, batch_size, parts=1, side=None):
    """Raise if batch norm would meet a part of a batch in which a channel has one value.

    Parameters
    ----------
    model : torch.nn.Module
        Ready for the task.
    task : Task
    samples
        With ``n`` and ``size``.
    batch_size : int
    parts : int
        Processes that share each batch.
    side : int, optional
        Of the images, where they are coarsened; default: the samples'.

    Raises
    ------
    InvalidValue
    """
    last = samples.n % batch_size or min(batch_size, samples.n)
    if last // parts != 1 or not any(_norms(model)):
        return
    twin = copy.deepcopy(model).train()  # so that no statistics stay
    try:
        with torch.no_grad():
            twin(task.example(1, side or samples.size)[0])
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise InvalidValue(
            f"batch_size={batch_size}: the last batch of {samples.n} images leaves one image to a "
            "process, and where its grid is one point, batch norm has no variance; choose another "
            "batch size."
        ) from error


def check_memory(config, samples, device, stages, parts=1):
    """Raise if what a step keeps for its backward pass is more than the device has in all.

    Parameters
    ----------
    config : TrainConfig or another
    samples
        With ``size``, of images.
    device : torch.device
    stages : iterable of (int, int or None)
        Sizes of batches, and sides of the images; None: the samples'.
    parts : int
        Processes that share each batch.

    Raises
    ------
    InvalidValue
        Before anything is built that would fill the memory, or have the program killed.
    """
    if not hasattr(config.model, "in_channels"):  # no network for images
        return
    have, kind = _memory(device), config.precision
    # half the precision keeps half of it, lean steps a third; a compiler decides itself
    share = (0.5 if kind in ("float16", "bfloat16") else 1.0) * (
        0.3 if config.memory == "lean" else 1
    )
    for batch_size, side in stages:
        n, size = min(batch_size, samples.n) // parts, side or samples.size
        if config.compile or 256 * n * size**2 < have / 32:
            continue  # far away: nothing has to be counted
        kept = activations_held(config.model, 2, size).bytes / 2 * share * n
        if kept > have:
            raise InvalidValue(
                f"batch_size={batch_size}: a step keeps {kept / 2**30:.3g} GiB for its backward "
                f"pass, and {device} has {have / 2**30:.3g} GiB in all: give a smaller batch size, "
                f"below {int(n * have / kept) * parts:,}, or --memory lean."
            )


def _memory(device):
    """The bytes that a device has, or that this process may have of them."""
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


def _norms(model):
    return (isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in model.modules())


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
    if config.compile and device.type == "cpu" and os.name == "posix":
        wanted = os.environ.get("CXX", "g++"), "g++", "clang++"
        if not any(map(shutil.which, wanted)):  # found out here in no time, by torch in a minute
            raise InvalidValue(
                f"torch.compile needs a C++ compiler, and there is no {wanted[0]} here: install "
                "one, or leave --compile out."
            )
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
