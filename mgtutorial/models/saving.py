"""Weights and their config in one file, which runs no code when it is read.

The format is safetensors; the config stands in the file's metadata, so that :func:`load` can build
the network.
"""

import json
from contextlib import contextmanager

import torch

from .. import __version__, _atomic
from .._paths import given
from ..errors import InvalidValue, MgtutorialError
from .config import as_dict
from .network import Network
from .registry import from_dict


def save(path, network, weights=None, **about):
    """Write a network's weights and config to a file.

    Parameters
    ----------
    path : path
        Usually with the suffix ``.safetensors``.
    network : Network or config
    weights : dict of str to tensor, optional
        A ``state_dict``; by default the network's own. A config needs one.
    **about : str
        What else the file is to say, such as ``record="0123456789abcdef"``; :func:`metadata`
        reads it.

    Raises
    ------
    InvalidValue
        If a config comes without weights or with those of another network, or the network is none
        of this package; if the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from mgtutorial.models import named
    >>> net = named("mgnet-20").build().eval()
    >>> path = f"{tempfile.mkdtemp()}/net.safetensors"
    >>> save(path, net)
    >>> load(path).config == net.config
    True

    Book: use, use-saving
    """
    from safetensors.torch import save as tensors_as_bytes

    module = isinstance(network, Network)
    config = network.config if module else network
    if not hasattr(config, "as_dict") or (weights is None and not module):
        raise InvalidValue(
            f"save() was given a {type(network).__name__}: give a network that a config has built, "
            "or a config and its weights."
        )
    if weights is None:
        weights = network.state_dict()
    else:
        with_weights(config, weights)  # what does not fit is said now, while it is still at hand
    tensors = {name: v.detach().cpu().contiguous() for name, v in weights.items()}
    own = {"config": json.dumps(as_dict(config)), "mgtutorial": __version__, "format": "pt"}
    try:
        _atomic.replace(given(path), tensors_as_bytes(tensors, {**about, **own}))
    except OSError as error:
        raise InvalidValue(
            f"cannot write {path} ({error.strerror or error}): give the path of a file, in a "
            "folder that can be written."
        ) from error


def load(path, device="cpu"):
    """Return the network that :func:`save` wrote, in evaluation mode.

    Parameters
    ----------
    path : path
    device : str or torch.device

    Returns
    -------
    Network
        With ``reset_classifier`` for other classes, and ``train()`` to go on with.

    Raises
    ------
    InvalidValue
        If there is no such file, it was not written by :func:`save`, or weights and config do not
        belong together.

    Book: use, use-saving
    """
    with _opened(path, device) as file:
        config = (file.metadata() or {}).get("config")
        state = {name: file.get_tensor(name) for name in file.keys()}
        config = from_dict(json.loads(config)) if config else None
    if config is None:
        raise InvalidValue(
            f"{path} has weights but no config: build their network yourself and give it these "
            "weights with load_state_dict; save() then writes both."
        )
    try:
        return with_weights(config, state).to(device)
    except InvalidValue as error:
        raise InvalidValue(f"the weights of {path} do not fit its config: {error}") from error


def metadata(path):
    """Return what a file says beside its weights: texts by name, ``config`` among them.

    Parameters
    ----------
    path : path

    Raises
    ------
    InvalidValue
        If there is no such file, or it was not written by :func:`save`.

    Examples
    --------
    >>> import tempfile
    >>> from mgtutorial.models import named
    >>> path = f"{tempfile.mkdtemp()}/net.safetensors"
    >>> save(path, named("mgnet-20").build(), trained_on="nothing")
    >>> metadata(path)["trained_on"]
    'nothing'

    Book: use, use-saving
    """
    with _opened(path) as file:
        return file.metadata() or {}


@contextmanager
def _opened(path, device="cpu"):
    """A file of weights; whatever is wrong with it is one sentence."""
    from safetensors import SafetensorError, safe_open

    path = given(path)
    if not path.is_file():
        raise InvalidValue(f"there is no file {path}: give the path of a network that was saved.")
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            yield file
    except (SafetensorError, ValueError, TypeError, RecursionError) as error:
        said = error if isinstance(error, MgtutorialError) else type(error).__name__
        raise InvalidValue(
            f"{path} is no network that this version reads ({said}): give a file that save() wrote."
        ) from error


def with_weights(config, state):
    """Return the network of a config with weights from a file, in evaluation mode, on the CPU.

    Nothing is asked of the memory that is not in the file: a config may name any size.

    Parameters
    ----------
    config : config of a network
    state : dict of str to tensor

    Raises
    ------
    InvalidValue
        If these are not the weights of that network.

    Examples
    --------
    >>> from mgtutorial.models import named
    >>> net = named("mgnet-20").build()
    >>> with_weights(net.config, net.state_dict()).training
    False

    Book: use, use-saving
    """
    with torch.device("meta"):
        empty = config.build()
    # a weight that steps share may stand under each of its names, as older versions wrote it
    shared = {name: tuple(p.shape) for name, p in empty.named_parameters(remove_duplicate=False)}
    shell = {name: tuple(v.shape) for name, v in empty.state_dict().items()}
    theirs = {name: tuple(v.shape) for name, v in state.items()}
    for name in {**shell, **theirs}:
        needed = shell.get(name, shared.get(name))
        if needed != theirs.get(name):
            raise InvalidValue(
                f"{name} has shape {theirs.get(name, 'none')} there, and "
                f"{'none' if needed is None else needed} is needed."
            )
    for name, value in state.items():
        if value.is_meta or value.untyped_storage().nbytes() < value.nbytes:
            raise InvalidValue(f"{name} repeats fewer numbers than it has entries.")
    with torch.random.fork_rng(devices=[]):  # the weights to be thrown away cost no draws
        network = config.build()
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise InvalidValue(str(error).splitlines()[-1].strip()) from error
    return network.eval()
