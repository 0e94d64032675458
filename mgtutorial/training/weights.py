"""Networks and weights as a command meets them: by path, by name, by import.

A file is loaded as weights only: one from elsewhere can hold tensors, but run nothing. A name
``module:callable`` imports the module and calls the callable, so it runs what is in there.
"""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path

from .._torchvision import torchvision
from ..errors import CheckpointMismatch, InvalidValue, MgtutorialError, choose
from ..spectra import weight_files
from ..spectra.layers import Convolutions, convolutions_in
from .workspace import load_checkpoint

#: The seed for the random weights of a network that is built here.
SEED = 0


def convolutions_of(source, network=None):
    """Return the convolutions of a network by name, wherever the network is.

    Parameters
    ----------
    source : module, path or str
        A torch module; a checkpoint of this project; a file of weights, of torch or in the format
        safetensors (:mod:`mgtutorial.spectra.weight_files`); the name of a network of ours; or
        ``"module:callable"``, which is imported and called to give a network
        (``"torchvision.models:resnet18"``), built after ``torch.manual_seed(0)``.
    network : str, optional
        A name or ``"module:callable"`` whose network takes the weights of a file. Without it every
        weight counts as a convolution with stride 1 and without groups, as the file does not say.

    Returns
    -------
    Convolutions
        A dict of str to Convolution or Transposed. Its attribute `passed_over` says by name what
        could not be taken, and why; `weights` says where the weights are from.

    Raises
    ------
    UnknownName
        If there is no such file or name.
    InvalidValue
        If the file is not one that torch loads as weights only, if it does not fit `network`, or if
        there is no convolution.

    Examples
    --------
    >>> found = convolutions_of("mgnet-20")
    >>> list(found)[:2], found.weights
    (['stem.0', 'levels.0.A'], 'untrained, seed 0')
    """
    if not isinstance(source, str | Path):
        return _named(convolutions_in(source, transposed=True), "of the module given")
    path = _file(source)
    if path is None and network is not None:
        raise InvalidValue(f"there is no file {source}: give the path of a state_dict.")
    if path is None:
        ours = str(source).partition(":")[1] == ""
        module = _network(str(source))
        weights = f"untrained, seed {SEED}" if ours else f"as {source} makes them, seed {SEED}"
        return _named(convolutions_in(module, transposed=True), weights)
    content, weights = weight_files.read(path), f"from {path}"
    if network is None and _is_ours(content):
        return _named(convolutions_in(trained(path), transposed=True), weights)
    inside, left_out = weight_files.states(content), weight_files.left_out(content)
    if not inside:
        keys = ", ".join(map(repr, list(content)[:8])) or "nothing"
        raise InvalidValue(
            f"{path} contains no weights: it holds {keys}; save torch.save(network.state_dict(), "
            "path)."
        )
    if network is None:
        found = _named(_alone(inside).checked(str(path)), weights)
        found.passed_over |= left_out
        return found
    module, errors = _network(network), []
    for key, state in inside:
        try:
            left_out |= weight_files.fill(module, state, path, network)
        except InvalidValue as error:
            errors.append(error)
            continue
        found = _named(convolutions_in(module, transposed=True), weights)
        found.passed_over |= left_out
        return _others(found, key, inside)
    raise errors[0]


def _is_ours(content):
    """Whether a file is a checkpoint of this project: others have a config and a run, too."""
    config = content.get("config")
    model = config.get("model") if isinstance(config, Mapping) else None
    known = {"run", "model"} <= content.keys() and isinstance(model, Mapping)
    return known and "kind" in model


def _named(found, weights):
    found.weights = weights
    return found


def _alone(inside):
    """Return convolutions of a file's states: of the one named as networks are, else of all."""
    key, state = inside[0]
    if len(inside) == 1 or key in ("", *weight_files.KEYS):
        return _others(weight_files.convolutions_alone(state), key, inside)
    found = Convolutions()
    for key, state in inside:
        some = weight_files.convolutions_alone(state)
        found.update({f"{key}.{name}": A for name, A in some.items()})
        found.passed_over |= {f"{key}.{name}": why for name, why in some.passed_over.items()}
    return found


def _others(found, key, inside):
    for other, _ in inside:
        if other != key:
            found.passed_over[other] = weight_files.also(key or "no key")
    return found


def _file(source):
    """Return the path of a file, or None; raise for a path that leads to no file."""
    source = str(source)
    for path in (Path(source), Path(source).expanduser()):
        try:
            if path.is_file():
                open(path, "rb").close()
                return path
            if path.exists():
                kind = "folder" if path.is_dir() else "device or pipe"
                if kind != "folder" or weight_files.is_path(source):
                    raise InvalidValue(f"{path} is a {kind}: give a file of weights.")
        except (OSError, ValueError, RuntimeError) as error:
            if isinstance(error, InvalidValue):
                raise
            why = getattr(error, "strerror", None) or error
            raise InvalidValue(f"{source} cannot be read ({why}): give another path.") from error
    if weight_files.is_path(source):
        raise InvalidValue(f"there is no file {source}: give the path of a checkpoint.")
    return None


def _network(name):
    """Return the network of a name of ours, or of ``module:callable``, built from a fixed seed."""
    import torch

    from ..models import registry

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        if ":" in name:
            return _imported(name)
        if weight_files.is_path(name):
            raise InvalidValue(f"there is no file {name}: give the path of a checkpoint.")
        return registry.CONFIGS[choose("file or network", name, registry.CONFIGS)].build()


def _imported(name):
    """Return what ``module:callable`` gives: a torch module."""
    where, _, what = name.partition(":")
    words = [*where.split("."), *what.split(".")]
    if not all(word.isidentifier() for word in words):
        raise InvalidValue(
            f"there is no file {name}, and it is no module:callable: give a path, or names such as "
            "torchvision.models:resnet18."
        )
    made = _called(name, lambda: _attribute(where, what))
    if isinstance(made, type) or (callable(made) and not hasattr(made, "named_modules")):
        made = _called(name, made)
    while any(hasattr(made, "named_modules") and hasattr(made, inner) for inner in _INNER):
        inner = next(inner for inner in _INNER if hasattr(made, inner))
        if type(made).__name__ not in ("OptimizedModule", "DataParallel", "AveragedModel",
                                       "DistributedDataParallel"):  # fmt: skip
            break
        made = getattr(made, inner)
    if not hasattr(made, "named_modules"):
        raise InvalidValue(
            f"{name} gives a {type(made).__name__}: give a function without arguments that returns "
            "a torch module, or a module."
        )
    return made


_INNER = ("_orig_mod", "module")


def _attribute(where, what):
    torchvision_first = where.partition(".")[0] == "torchvision"
    if torchvision_first:
        torchvision()  # one that does not fit the torch beside it is mended first
    sys.path.insert(0, "")  # the user's own files lie in the working folder
    try:
        try:
            made = importlib.import_module(where)
        except RuntimeError as error:
            if "operator torchvision::nms" not in str(error):
                raise
            torchvision()  # the user's file imports it
            made = importlib.import_module(where)
    finally:
        sys.path.remove("")
    for word in what.split("."):
        made = getattr(made, word, None)
        if made is None:
            raise InvalidValue(f"{where} has no {what!r}: give module:callable.")
    return made


def _called(name, do):
    """Run anybody's code; what it raises becomes one sentence."""
    try:
        return do()
    except MgtutorialError:
        raise
    except ModuleNotFoundError as error:
        missing, where = str(error.name), name.partition(":")[0]
        whose = (
            "" if where == missing or where.startswith(f"{missing}.") else f"{where} imports it: "
        )
        raise InvalidValue(
            f"there is no module {missing} here: {whose}check the spelling, and that you are in "
            "the folder it lies in or have installed what it belongs to."
        ) from error
    except (Exception, SystemExit) as error:
        raise InvalidValue(
            f"{name} cannot be made ({type(error).__name__}: {error}"[:300] + "): give a function "
            "without arguments that returns a torch module."
        ) from error


def trained(path):
    """Return the trained network of a checkpoint, in evaluation mode, on the CPU.

    Parameters
    ----------
    path : path
        Written by :func:`mgtutorial.training.train`.

    Raises
    ------
    CheckpointMismatch
        If there is no such file, it is not a checkpoint of this project, or its weights are not
        those of its network.
    """
    from ..models import registry
    from ..models.saving import with_weights

    if (state := load_checkpoint(path)) is None:
        raise CheckpointMismatch(f"there is no checkpoint {path}: give the path of one.")
    try:
        config, weights = registry.from_dict(state["config"]["model"]), dict(state["model"])
        {name: v.shape for name, v in weights.items()}
    except (KeyError, TypeError, AttributeError, ValueError, NotImplementedError) as error:
        raise CheckpointMismatch(
            f"checkpoint {path} holds no network of this project ({type(error).__name__}: "
            f"{error}): give one that mgtutorial train has written."
        ) from error
    try:
        return with_weights(config, weights)
    except InvalidValue as error:
        raise CheckpointMismatch(
            f"checkpoint {path} does not fit its own network: {error}"
        ) from error
