r"""Files of weights from any source: their tensors, and which convolutions follow from these alone.

A file (torch's, or in the format safetensors) is loaded as weights only: it can hold tensors, but
run nothing. Programs save their weights one level down (under ``model``, ``net``, ``params``, ...)
and under names that wrappers have lengthened (``module.``, ``_orig_mod.``); both are understood.
"""

import contextlib
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

from ..errors import InvalidValue
from ._contents import EXTRA, PART, is_lazy, is_tensor, sort
from ._contents import KEYS as KEYS
from ._parts import weight
from .convolutions import Convolution
from .layers import Convolutions

#: The greatest number of entries of a kernel: 1 GiB in single precision.
MOST = 2**28
_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin", ".tar", ".safetensors", ".pkl", ".npz")
_HELP = "save torch.save(network.state_dict(), path)."


def read(path):
    """Return what a file of weights holds.

    Parameters
    ----------
    path : path
        Of a file written by ``torch.save``, or in the format safetensors.

    Returns
    -------
    dict

    Raises
    ------
    InvalidValue
        If it is not a file, or not one that can be loaded safely.

    Examples
    --------
    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     torch.save({"net": torch.nn.Conv1d(1, 1, 3).state_dict()}, f"{folder}/a.pt")
    ...     [list(state) for _, state in states(read(f"{folder}/a.pt"))]
    [['weight', 'bias']]

    Book: spectra, spectra-own
    """
    import torch

    try:
        with open(path, "rb") as file:
            head = file.read(9)
        if head[8:] == b"{" and not head.startswith(b"PK"):
            from safetensors.torch import load_file

            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one sentence says what is wrong
            # opened here, as torch takes the format from a path's suffix
            with _allowed(_harmless()), open(path, "rb") as file:
                content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # both raise many types for a file that they cannot read
        held = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f": it holds {held[1]}" if held else ""
        raise InvalidValue(
            f"{path} is no file of weights that torch loads safely ({type(error).__name__}{what}): "
            f"{_HELP}"
        ) from error
    if not isinstance(content, Mapping):
        raise InvalidValue(
            f"{path} holds a {type(content).__name__}: save a dictionary of weights, "
            "torch.save(network.state_dict(), path)."
        )
    return content


def _allowed(kinds):
    """torch's context in which a file may hold these types; the first releases have none."""
    import torch

    return getattr(torch.serialization, "safe_globals", contextlib.nullcontext)(kinds)


def _harmless():
    """Types other than tensors that programs save and that run nothing when they are loaded."""
    import argparse

    import numpy as np
    import torch

    kinds = {type(np.dtype(code)) for code in "?bhilqBHILQefdFDU"}
    scalar = np.float64(0).__reduce__()[0]
    array = np.zeros(0).__reduce__()[0]
    lazy = (torch.nn.parameter.UninitializedParameter, torch.nn.parameter.UninitializedBuffer)
    return [argparse.Namespace, np.ndarray, np.dtype, scalar, array, *kinds, *lazy]


def states(content):
    """Return the dictionaries of weights in the contents of a file, best first.

    Parameters
    ----------
    content : mapping

    Returns
    -------
    list of (str, dict of str to tensor)
        The key (dotted, where it lies deeper; "" for the contents themselves) and the state, its
        names without what wrappers add. A module's extra state is included, tensor or not.

    Book: spectra, spectra-own
    """
    return sort(content)[0]


def left_out(content):
    """Return what in the contents of a file holds tensors but is not a state, and why.

    Parameters
    ----------
    content : mapping

    Returns
    -------
    dict of str to str
        A sentence for each key. Vectors and single numbers, of which training has many, are not
        mentioned.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Conv1d(1, 1, 3)
    >>> left_out({"net": net.state_dict(), "input": net.weight, "loss": torch.ones(3)})
    {'input': 'it lies beside the weights that were read.'}

    Book: spectra, spectra-own
    """
    return sort(content)[1]


def numbers(value):
    """Return a tensor from a file as one to compute with.

    Raises
    ------
    InvalidValue
        If it holds no numbers, or more than anyone's kernel does.

    Book: spectra, spectra-own
    """
    import torch

    from ._effective import check_there

    check_there(value, "it")
    if value.numel() > MOST:
        raise InvalidValue(f"it has {value.numel():.2g} entries, more than {MOST:.2g}.")
    value = value.detach()
    if value.is_quantized:
        return value.dequantize()
    value = value.to_dense() if value.layout is not torch.strided else value
    if value.dtype.itemsize < 2 and value.is_floating_point():
        try:
            return value.float()
        except Exception as error:  # types of four bits or fewer have no arithmetic
            raise InvalidValue(
                f"it is of type {value.dtype}, which torch cannot convert."
            ) from error
    return value


def convolutions_alone(state):
    """Return the convolutions of a state whose network is not known.

    Every weight of three to five dimensions counts as a convolution with stride 1 and without
    groups, as the file does not record these.

    Parameters
    ----------
    state : dict of str to tensor

    Returns
    -------
    Convolutions

    Examples
    --------
    >>> import torch
    >>> state = {"a.weight": torch.ones(2, 2, 3), "mask": torch.ones(1, 1, 2, 2)}
    >>> found = convolutions_alone(state)
    >>> list(found), found.passed_over
    (['a'], {'mask': "its name does not end in 'weight': it may be anything."})

    Book: spectra, spectra-own
    """
    found, layers, others = Convolutions(), {}, {}
    for name, value in state.items():
        layer, part = PART.fullmatch(name).groups() if PART.fullmatch(name) else (None, None)
        if part is not None:
            layers.setdefault(layer or "", {})[part] = value
        elif is_tensor(value) and value.ndim in (4, 5):
            others[name] = value
    scales = {_scaled(name): name for name in state}
    low_rank = {name.partition(".lora_")[0] for name in state if ".lora_" in name}
    for layer, parts in layers.items():
        name, bias = layer or "weight", state.get(f"{layer}.bias" if layer else "bias")
        main = max(parts.values(), key=lambda v: v.ndim)
        lazy = any(map(is_lazy, parts.values()))
        if not (lazy or 3 <= main.ndim <= 5) or (
            bias is not None and not lazy and bias.shape == main.shape
        ):
            continue  # a matrix, a vector, or a layer norm over images
        if any(layer in (base, f"{base}.base_layer") or layer.startswith(f"{base}.lora_")
               for base in low_rank):  # fmt: skip
            found.passed_over[name] = "it is one part of a weight with a low-rank update."
            continue
        if layer in scales and not main.is_quantized:
            found.passed_over[name] = (
                f"{scales[layer]} scales it in a way that the file does not say: give the network, "
                "with --network."
            )
            continue
        found.add(name, lambda parts=parts: Convolution(_floats(_made(parts))))
    if not found and not found.passed_over:  # a dictionary of kernels under names of its own
        for name, value in list(others.items()):
            if "mask" not in name.lower():
                del others[name]
                found.add(name, lambda value=value: Convolution(_floats(numbers(value))))
    for name in others:
        found.passed_over[name] = "its name does not end in 'weight': it may be anything."
    return found


#: Names that say that a weight is stored in other units: of a sibling, or of a part of it.
_SCALE = re.compile(
    r"(?:(.*?)\.)?"
    r"(?:weight\.quant_\w+(?:\..*)?|(?:weight[._])?(?:(?:nested_)?absmax|scale\w*|scb|gain))",
    re.IGNORECASE | re.DOTALL,
)


def _scaled(name):
    """The layer whose weight a tensor scales, judging by its name, or None."""
    return (found[1] or "") if (found := _SCALE.fullmatch(name)) else None


def _made(parts):
    return weight({name: numbers(value) for name, value in parts.items()})


def _floats(value):
    if not (value.is_floating_point() or value.is_complex()):
        raise InvalidValue(f"it is of type {value.dtype}: whole numbers are no weights.")
    return value


def fill(module, state, path, name):
    """Load a state into a network; its names may have one prefix more, or one less.

    Parameters
    ----------
    module : torch.nn.Module
    state : dict of str to tensor
    path, name : str
        Those of the file and of the network, for error messages.

    Returns
    -------
    dict of str to str
        What is in the state but not in the network, what the network has of its own rather than
        from the file, and why: sentences by name.

    Raises
    ------
    InvalidValue
        If the network has parameters that the state lacks, or has in a different shape or kind.

    Book: spectra, spectra-own
    """
    mine, variants = module.state_dict(), list(_variants(state))
    prefix, names = max(variants, key=lambda one: len(mine.keys() & one[1].keys()))
    ready = {k: _fitting(state[old], mine.get(k), k, path, name) for k, old in names.items()}
    # entries that are not tensors (extra state, packed parameters) and not in the file stay
    own = {k: v for k, v in mine.items() if not is_tensor(v) and k not in ready}
    try:
        missing, unexpected = module.load_state_dict({**own, **ready}, strict=False)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]] or [str(error)]
        raise _misfit(path, name, lines[0].rstrip(". ")) from error
    except Exception as error:  # a module may raise anything about its extra state
        raise _misfit(path, name, f"{type(error).__name__}: {error}") from error
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    if missing or not mine.keys() & ready.keys():
        raise _misfit(path, name, f"it lacks {', '.join(missing[:3])} (of {len(missing)})")
    for key in unexpected:
        layer = _scaled(key)
        scaled = ".".join(filter(None, (layer, "weight")))
        if layer is not None and scaled in names and state[names[scaled]].dtype.itemsize < 2:
            raise _misfit(path, name, f"{key} scales {scaled} there, and not here")
    taken = {old for new, old in names.items() if new not in unexpected}
    rest, passed_over = [k for k in state if k not in taken and k != "n_averaged"], {}
    for other, theirs in variants:
        fits = mine.keys() & theirs.keys()
        if len(fits) == len(mine.keys() & names.keys()) and not taken & {*theirs.values()}:
            passed_over[other] = also(prefix or "no prefix")
            rest = [k for k in rest if k not in theirs.values()]
    if rest:
        passed_over[", ".join(rest[:3])] = f"{name} has no such weights ({len(rest)})."
    for key in own:
        if key.endswith(EXTRA):
            passed_over[key] = "the file does not have it, so it is that of a new network."
    return passed_over


def also(read):
    """Return the sentence about weights in a file other than those that were read.

    Book: spectra, spectra-own
    """
    return f"the file has these weights too; those of {read} were read."


def _fitting(value, own, key, path, name):
    """A tensor from a file as one to load in place of `own`; anything else as it is."""
    if not is_tensor(value):
        return value
    try:
        value = numbers(value)
    except InvalidValue as error:
        raise InvalidValue(f"{path} does not fit {name}: {key}: {error}") from error
    theirs, needed = value.dtype, own.dtype if is_tensor(own) else value.dtype
    if theirs.is_complex and not needed.is_complex:
        raise InvalidValue(f"{path} does not fit {name}: {key} is complex there, real here.")
    real = theirs.is_floating_point or theirs.is_complex
    mask = theirs.itemsize == 1 and key.endswith("_mask")  # of pruning: zeros and ones
    if not (real or mask) and (needed.is_floating_point or needed.is_complex):
        raise InvalidValue(
            f"{path} does not fit {name}: {key} is of type {theirs}: whole numbers are no weights."
        )
    return value


def _misfit(path, name, why):
    return InvalidValue(
        f"{path} does not fit {name}: {why[:200]}; give the network it was saved from."
    )


def _variants(state):
    """The prefix, and the state's names by other names: without ``module``, or inside a prefix."""
    yield "", {key: key for key in state}
    yield "", {".".join(p for p in key.split(".") if p != "module"): key for key in state}
    for first in dict.fromkeys(key.partition(".")[0] for key in state):
        inside = [key for key in state if key.startswith(f"{first}.")]
        yield first, {key.removeprefix(f"{first}."): key for key in inside}


def is_path(source):
    """Whether a word looks like the path of a file of weights rather than a name to import.

    Examples
    --------
    >>> [is_path(word) for word in ("runs/12:30/x.pt", "C:\\\\net.pt", "run:2.pt", "mynet:make")]
    [True, True, True, False]
    """
    return bool(re.search(r"[/\\]", source)) or Path(source).suffix.lower() in _SUFFIXES
