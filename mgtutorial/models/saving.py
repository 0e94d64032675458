"""Weights and their config in one file, which runs no code when it is read.

The format is safetensors; the config is in the file's metadata, so that :func:`load` can build
the network.
"""

import json
from collections.abc import Mapping
from contextlib import contextmanager

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from .. import __version__, _atomic
from .._paths import given
from ..errors import InvalidValue, MgtutorialError
from .config import as_dict
from .network import Network
from .registry import from_dict

#: What a file says about itself: no text of a user's may have these names.
_OWN = ("config", "mgtutorial", "format")

#: What a layer does with its weights, besides what their shapes say.
_HOW = ("stride", "padding", "dilation", "padding_mode", "eps")


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
        reads it. The names ``config``, ``format`` and ``mgtutorial`` are reserved.

    Raises
    ------
    InvalidValue
        If a config comes without weights or with those of another network, or the network is not
        one of this package, or no longer the one that its config builds; if `about` has anything
        but texts; if the file cannot be written.

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
    for key, text in about.items():
        if key in _OWN or not isinstance(text, str):
            raise InvalidValue(
                f"{key}={text!r}: what the file is to say is a text, under another name than "
                f"{', '.join(_OWN)}."
            )
    if module:
        _check_as_built(network)
    # what does not fit is reported now, while still at hand; a shared weight is written once
    state = with_weights(config, network.state_dict() if weights is None else weights).state_dict()
    tensors = {name: v.contiguous() for name, v in state.items()}
    own = dict(zip(_OWN, (json.dumps(as_dict(config)), __version__, "pt"), strict=True))
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
        With ``reset_classifier`` for other classes, and ``train()`` to go on training. Its weights
        have the file's types: a network saved in double precision comes back in double precision.

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
    """Return what a file says besides its weights: texts by name, ``config`` among them.

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


def _check_as_built(network):
    """Raise if a module of a network was exchanged, or does not work as its config says."""
    with torch.device("meta"):
        built = {name: _how(module) for name, module in network.config.build().named_modules()}
    here = {name: _how(module) for name, module in network.named_modules()}
    for name in {**built, **here}:
        mine, theirs = here.get(name, {}), built.get(name, {})
        for key in {**mine, **theirs}:
            if mine.get(key) != theirs.get(key):
                raise InvalidValue(
                    f"{name or 'the network'} has {key} {mine.get(key, 'none')}, and its config "
                    f"builds {theirs.get(key, 'none')}, so that load() would make another network "
                    "of the file: save with torch.save(network.state_dict(), path)."
                )


def _how(module):
    """The kind of a module (any batch norm is as good as another), and how it uses its weights."""
    kind = "BatchNorm" if isinstance(module, _BatchNorm) else type(module).__name__
    return {"kind": kind} | {
        key: v for key in _HOW if (v := getattr(module, key, None)) is not None
    }


@contextmanager
def _opened(path, device="cpu"):
    """Open a file of weights; whatever is wrong with it is reported in one sentence."""
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

    Its floating-point numbers have the types that they have in the file. No memory is requested for
    weights that are not there: a config may name any size.

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
    if not isinstance(state, Mapping):
        raise InvalidValue(f"the weights are a {type(state).__name__}: give a state_dict.")
    with torch.device("meta"):
        empty = config.build()
    shell = empty.state_dict()
    # a weight that steps share may stand under each of its names, as older versions wrote it
    shared = dict(empty.named_parameters(remove_duplicate=False)) | shell
    for name, value in state.items():
        tensor = isinstance(value, torch.Tensor) and not torch.nn.parameter.is_lazy(value)
        if not tensor or value.layout is not torch.strided:
            kind = value.layout if tensor else type(value).__name__
            raise InvalidValue(f"{name} is of kind {kind}, and a dense tensor is needed.")
    for name in {**shell, **state}:
        needed, theirs = (tuple(d[name].shape) if name in d else None for d in (shared, state))
        if needed != theirs:
            raise InvalidValue(
                f"{name} has shape {'none' if theirs is None else theirs} there, and "
                f"{'none' if needed is None else needed} is needed."
            )
    for name, value in state.items():
        if value.is_complex() or (
            shared[name].is_floating_point() and not value.is_floating_point()
        ):
            raise InvalidValue(f"{name} is of type {value.dtype}, and real numbers are needed.")
        if value.is_meta or value.untyped_storage().nbytes() < value.nbytes:
            raise InvalidValue(f"{name} repeats fewer numbers than it has entries.")
    with torch.random.fork_rng(devices=[]):  # the weights to be thrown away cost no draws
        network = config.build()
    for name, own in (*network.named_parameters(), *network.named_buffers()):
        kind = state[name].dtype if name in state else own.dtype
        if own.is_floating_point() and kind.is_floating_point and kind.itemsize > 1:
            own.data = own.data.to(kind)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise InvalidValue(str(error).splitlines()[-1].strip()) from error
    return network.eval()
