"""What a run meets before hours are spent, and what torch raises in one, as sentences."""

import contextlib
import copy
import os
import shutil

import torch

from ..errors import InvalidValue, MgtutorialError


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
