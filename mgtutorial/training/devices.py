"""The device of a run, its precision, and what a record says of them."""

import contextlib

import torch

from ..errors import DeviceUnavailable


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
    """Return what a record says of the device, as plain data; call it in the run's context."""
    if device.type == "cuda":
        return {
            "type": "cuda",
            "name": torch.cuda.get_device_name(device),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "tf32": tf32(),
        }
    return {"type": device.type, "threads": torch.get_num_threads()}


def autocast(config, device):
    """Return the context in which a run's forward pass is of mixed precision, if it is."""
    if config.precision in ("float32", "float64"):
        return contextlib.nullcontext()
    return torch.autocast(device.type, getattr(torch, config.precision))
