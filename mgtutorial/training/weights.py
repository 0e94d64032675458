"""Networks and weights as a command meets them: by path, by name, by import.

A file is loaded as weights only: one from elsewhere can hold tensors, but run nothing. A name
``module:callable`` imports the module and calls the callable, so it runs what is in there.
"""

import importlib
import sys
from pathlib import Path

from .._torchvision import torchvision
from ..errors import CheckpointMismatch, InvalidValue, choose
from ..spectra.convolutions import Convolution
from ..spectra.layers import convolutions_in
from .workspace import load_checkpoint


def convolutions_of(source, network=None):
    """Return the convolutions of a network by name, wherever the network is.

    Parameters
    ----------
    source : module, path or str
        A torch module; a checkpoint of this project; a file with a ``state_dict``, of which the
        four-dimensional tensors are taken; the name of a network of ours; or ``"module:callable"``,
        whose import and call give a network (``"torchvision.models:resnet18"``).
    network : str, optional
        A name or ``"module:callable"`` whose network takes the ``state_dict``. Without it every
        tensor counts as a convolution with stride 1 and without groups, as the file does not say.

    Returns
    -------
    dict of str to Convolution

    Raises
    ------
    UnknownName
        If there is no such file or name.
    InvalidValue
        If the file is not one that torch loads as weights only, if it does not fit `network`, if
        there is no convolution, or if a weight is NaN or infinite.

    Examples
    --------
    >>> list(convolutions_of("mgnet-20"))[:2]
    ['stem.0', 'levels.0.A']
    """
    if not isinstance(source, str | Path):
        module = source
    elif network is not None:
        module = _filled(_network(network), _state(source), source, network)
    elif Path(source).is_file():
        state = _content(source)
        if {"run", "config", "model"} <= set(state):
            module = trained(source)
        else:
            return _bare(_state(source, state), source)
    else:
        module = _network(str(source))
    _check_finite(module.state_dict())
    return convolutions_in(module)


def _content(path):
    import torch

    try:
        # weights_only: a file from elsewhere can hold tensors, but run nothing
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for a file that it cannot read
        raise InvalidValue(
            f"{path} is no file of weights that torch loads safely ({type(error).__name__}): save "
            "torch.save(network.state_dict(), path)."
        ) from error
    if not isinstance(content, dict):
        raise InvalidValue(
            f"{path} holds a {type(content).__name__}: save a dictionary of weights, "
            "torch.save(network.state_dict(), path)."
        )
    return content


def _state(path, content=None):
    """The tensors of a file, also if they lie one level down, as many programs save them."""
    if not Path(path).is_file():
        raise InvalidValue(f"there is no file {path}: give the path of a state_dict.")
    content = _content(path) if content is None else content
    for key in ("state_dict", "model"):
        if isinstance(content.get(key), dict):
            content = content[key]
    return {name: value for name, value in content.items() if hasattr(value, "ndim")}


def _bare(state, path):
    """Convolutions of the tensors in a state_dict."""
    kernels = {n: v for n, v in state.items() if v.ndim == 4 and v.is_floating_point()}
    if not kernels:
        raise InvalidValue(
            f"{path} contains no convolution: none of its {len(state)} tensors has four dimensions."
        )
    _check_finite(kernels)
    return {name.removesuffix(".weight"): Convolution(value) for name, value in kernels.items()}


def _check_finite(state):
    for name, value in state.items():
        if not value.isfinite().all():
            raise InvalidValue(
                f"{name} has entries that are NaN or infinite, so that there is no spectrum: look "
                "at the training that it comes from."
            )


def _network(name):
    """The network of a name of ours, or of ``module:callable``."""
    from ..models import registry

    if ":" not in name:
        if "/" in name or Path(name).suffix:
            raise InvalidValue(f"there is no file {name}: give the path of a checkpoint.")
        return registry.CONFIGS[choose("file or network", name, registry.CONFIGS)].build()
    where, _, what = name.partition(":")
    if where.partition(".")[0] == "torchvision":
        torchvision()  # one that does not fit the torch beside it is mended first
    sys.path.insert(0, "")  # the user's own files lie in the working folder
    try:
        made = getattr(importlib.import_module(where), what, None)
    finally:
        sys.path.remove("")
    if made is None:
        raise InvalidValue(f"{where} has no {what!r}: give module:callable.")
    made = made if hasattr(made, "state_dict") or not callable(made) else made()
    if not hasattr(made, "named_modules"):
        raise InvalidValue(
            f"{name} gives a {type(made).__name__}: give a function without arguments that returns "
            "a torch module, or a module."
        )
    return made


def _filled(module, state, path, name):
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        first = [line.strip() for line in str(error).splitlines()[1:]] or [str(error)]
        raise InvalidValue(
            f"{path} does not fit {name}: {first[0].rstrip('. ')}; give the network it was saved "
            "from."
        ) from error
    return module


def trained(path):
    """Return the trained network of a checkpoint, in evaluation mode, on the CPU.

    Parameters
    ----------
    path : path
        Written by :func:`mgtutorial.training.train`.

    Raises
    ------
    CheckpointMismatch
        If there is no such file, or it is no checkpoint of this project.
    """
    from ..models import registry

    if (state := load_checkpoint(path)) is None:
        raise CheckpointMismatch(f"there is no checkpoint {path}: give the path of one.")
    module = registry.from_dict(state["config"]["model"]).build()
    module.load_state_dict(state["model"])
    return module.eval()
