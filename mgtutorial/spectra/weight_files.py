r"""Files of weights, by whomever: what tensors they hold, and which convolutions can be told alone.

A file is loaded as weights only (torch's, or the format safetensors): it can hold tensors, but run
nothing. Programs save their weights one level down (under ``model``, ``net``, ``params``, ...) and
under names that wrappers have lengthened (``module.``, ``_orig_mod.``); both are understood.

A weight that a network makes anew in each pass is saved as its parts. From the file alone follow

* weight norm: :math:`w = g\, v / \|v\|`, the norm over all axes but one,
* spectral norm: :math:`w = v / (p^T V q)` with the saved vectors `p`, `q` and `v` as a matrix `V`,
* pruning: the weight times its mask.

References
----------
.. [1] T. Salimans and D. P. Kingma, Weight normalization, NeurIPS 2016.
.. [2] T. Miyato et al., Spectral normalization for generative adversarial networks, ICLR 2018.
"""

import contextlib
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

from ..errors import InvalidValue
from .convolutions import Convolution
from .layers import Convolutions

#: Under these keys lie the weights, in the order in which they are looked for.
KEYS = (
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "params",
    "module",
    "weights",
    "model_state",
    "state",
)
#: Keys that begin so hold what a training needs besides.
_OTHER = re.compile(r"opt|sched|scaler|amp|rng|loops|callbacks", re.IGNORECASE)
#: Parts of names that wrappers add.
_WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
#: The most entries of a kernel: 1 GiB in single precision.
MOST = 2**28
_HELP = "save torch.save(network.state_dict(), path)."


def read(path):
    """Return what a file of weights holds.

    Parameters
    ----------
    path : path
        Of ``torch.save``, or of the format safetensors.

    Returns
    -------
    dict

    Raises
    ------
    InvalidValue
        If it is no file, or none that can be loaded safely.

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

    with open(path, "rb") as file:
        head = file.read(9)
    try:
        if head[8:] == b"{" and not head.startswith(b"PK"):
            from safetensors.torch import load_file

            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one sentence says what is wrong
            # opened here, as torch takes a path's suffix for its format
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
    """Types beside tensors that programs save and that run nothing when they are loaded."""
    import argparse

    import numpy as np
    import torch

    kinds = {type(np.dtype(code)) for code in "?bhilqBHILQefdFDU"}
    scalar = np.float64(0).__reduce__()[0]
    array = np.zeros(0).__reduce__()[0]
    lazy = (torch.nn.parameter.UninitializedParameter, torch.nn.parameter.UninitializedBuffer)
    return [argparse.Namespace, np.ndarray, np.dtype, scalar, array, *kinds, *lazy]


def states(content, path=()):
    """Return the dictionaries of weights inside the content of a file, best first.

    Parameters
    ----------
    content : mapping

    Returns
    -------
    list of (str, dict of str to tensor)
        The key (with points, where it lies deeper; "" for the content itself) and the state, its
        names without what wrappers add.

    Book: spectra, spectra-own
    """
    own = {key: v for key, v in content.items() if _is_tensor(v)}
    if any(v.ndim >= 2 or _is_lazy(v) for v in own.values()):
        return [(".".join(path), _bare(own))]
    found = []
    for key, value in content.items():
        deeper = isinstance(value, Mapping) and len(path) < 3
        if deeper and not (isinstance(key, str) and _OTHER.match(key)):
            found += states(value, (*path, str(key)))
    order = {key: i for i, key in enumerate(KEYS)}
    return sorted(found, key=lambda one: order.get(one[0].partition(".")[0], len(KEYS)))


def _is_tensor(value):
    import torch

    return isinstance(value, torch.Tensor)


def _is_lazy(value):
    import torch

    return torch.nn.parameter.is_lazy(value)


def _bare(state):
    """Names as strings, without the parts that wrappers add."""
    names = [key if isinstance(key, str) else str(key) for key in state]
    short = [".".join(p for p in name.split(".") if p not in _WRAPPERS) for name in names]
    inside = [name for name in short if name != "n_averaged"]  # of torch's averaged models
    while inside and all(name.startswith("module.") for name in inside):
        inside = [name.removeprefix("module.") for name in inside]
        short = [name.removeprefix("module.") for name in short]
    for chosen in (short, names):
        if len(set(chosen)) == len(state):
            return dict(zip(chosen, state.values(), strict=True))
    return {f"{name} ({type(key).__name__})": v for name, (key, v) in zip(names, state.items())}  # noqa: B905


def numbers(value):
    """Return a tensor of a file as one to compute with.

    Raises
    ------
    InvalidValue
        If it holds no numbers, or more than anybody's kernel does.

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
        except Exception as error:  # types of four bits and less have no arithmetic
            raise InvalidValue(
                f"it is of type {value.dtype}, which torch cannot convert."
            ) from error
    return value


def convolutions_alone(state):
    """Return the convolutions of a state whose network is not known.

    Every weight of three to five dimensions counts as a convolution with stride 1 and without
    groups, as the file does not say.

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
        layer, part = _PART.fullmatch(name).groups() if _PART.fullmatch(name) else (None, None)
        if part is not None:
            layers.setdefault(layer or "", {})[part] = value
        elif value.ndim in (4, 5):
            others[name] = value
    low_rank = {name.partition(".lora_")[0] for name in state if ".lora_" in name}
    for layer, parts in layers.items():
        name, bias = layer or "weight", state.get(f"{layer}.bias" if layer else "bias")
        main = max(parts.values(), key=lambda v: v.ndim)
        lazy = any(map(_is_lazy, parts.values()))
        if not (lazy or 3 <= main.ndim <= 5) or (
            bias is not None and not lazy and bias.shape == main.shape
        ):
            continue  # a matrix, a vector, or a layer norm over images
        if any(layer in (base, f"{base}.base_layer") or layer.startswith(f"{base}.lora_")
               for base in low_rank):  # fmt: skip
            found.passed_over[name] = "it is one part of a weight with a low-rank update."
            continue
        found.add(name, lambda parts=parts: Convolution(_floats(_weight(parts))))
    if not found and not found.passed_over:  # a dictionary of kernels under names of its own
        for name, value in list(others.items()):
            if "mask" not in name.lower():
                del others[name]
                found.add(name, lambda value=value: Convolution(_floats(numbers(value))))
    for name in others:
        found.passed_over[name] = "its name does not end in 'weight': it may be anything."
    return found


_PART = re.compile(
    r"(?:(.*)\.)?(weight(?:_g|_v|_orig|_u|_mask)?|parametrizations\.weight\.[\w.]+)", re.DOTALL
)


def _floats(value):
    if not (value.is_floating_point() or value.is_complex()):
        raise InvalidValue(f"it is of type {value.dtype}: whole numbers are no weights.")
    return value


def _weight(parts):
    """The weight that a layer uses, from the parts of it that a file holds."""
    new = "parametrizations.weight."
    short = {name.removeprefix(new): numbers(value) for name, value in parts.items()}
    kinds = (
        (("weight",), lambda w: w),
        (("weight_g", "weight_v"), _weight_norm),
        (("original0", "original1"), _weight_norm),
        (("weight_orig", "weight_mask"), lambda w, mask: w * mask),
        (("weight_orig", "weight_u", "weight_v"), _spectral_norm),
        (("original", "0._u", "0._v"), _spectral_norm),
    )
    for names, make in kinds:
        if set(short) == set(names) and len(short) == len(parts):
            return make(*(short[name] for name in names))
    raise InvalidValue(
        f"it is made of {', '.join(parts)} in a way that the file does not say: give the network, "
        "with --network."
    )


def _weight_norm(g, v):
    kept = [axis for axis in range(v.ndim) if g.ndim == v.ndim and g.shape[axis] > 1]
    fits = len(kept) <= 1 and (not kept or g.shape[kept[0]] == v.shape[kept[0]])
    if not fits or (g.numel() != 1 and g.ndim != v.ndim):
        raise InvalidValue(
            f"it is made of parts of shapes {tuple(g.shape)} and {tuple(v.shape)}, which are not "
            "those of weight norm: give the network, with --network."
        )
    axes = [axis for axis in range(v.ndim) if axis not in kept]
    v = v.double() if not v.is_complex() else v
    size = abs(v).square().sum(axes, keepdim=True).sqrt()
    return g.reshape(g.shape if g.ndim == v.ndim else [1] * v.ndim) * v / size


def _spectral_norm(v, left, right):
    """Divide by the norm that the saved vectors see; the axis of the rows is that which fits."""
    found = []
    for axis in range(min(2, v.ndim)):  # 1 for transposed convolutions
        V = v.movedim(axis, 0).reshape(v.shape[axis], -1).double()
        if (len(left), len(right)) == tuple(V.shape):
            image = V @ right.double()
            sigma = left.double() @ image
            found.append((float(sigma / image.norm()), sigma))
    if not found:
        raise InvalidValue(
            f"it has shape {tuple(v.shape)}, which is not that of its vectors of spectral norm, "
            f"{len(left)} and {len(right)}: give the network, with --network."
        )
    return v / max(found, key=lambda one: one[0])[1]


def fill(module, state, path, name):
    """Load a state into a network; its names may have a prefix more, or less.

    Parameters
    ----------
    module : torch.nn.Module
    state : dict of str to tensor
    path, name : str
        Of the file and of the network, for errors.

    Returns
    -------
    list of str
        Names of the state that the network does not have.

    Raises
    ------
    InvalidValue
        If the network has parameters that the state lacks, or of another shape or kind.

    Book: spectra, spectra-own
    """
    mine = module.state_dict()
    state = max(_variants(state), key=lambda some: len(mine.keys() & some.keys()))
    ready = {}
    for key, value in state.items():
        try:
            ready[key] = numbers(value)
        except InvalidValue as error:
            raise InvalidValue(f"{path} does not fit {name}: {key}: {error}") from error
        own = mine.get(key)
        if ready[key].is_complex() and own is not None and not own.is_complex():
            raise InvalidValue(f"{path} does not fit {name}: {key} is complex there, real here.")
    try:
        # entries that are no tensors (extra state, packed parameters) stay as they are
        extra = {k: v for k, v in mine.items() if not _is_tensor(v)}
        missing, unexpected = module.load_state_dict({**extra, **ready}, strict=False)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]] or [str(error)]
        raise _misfit(path, name, lines[0].rstrip(". ")) from error
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    if missing or not mine.keys() & ready.keys():
        raise _misfit(path, name, f"it lacks {', '.join(missing[:3])} (of {len(missing)})")
    return [key for key in unexpected if key != "n_averaged"]


def _misfit(path, name, why):
    return InvalidValue(
        f"{path} does not fit {name}: {why[:200]}; give the network it was saved from."
    )


def _variants(state):
    """The same state under other names: without ``module``, or from inside one name."""
    yield state
    yield {".".join(p for p in k.split(".") if p != "module"): v for k, v in state.items()}
    for first in dict.fromkeys(key.partition(".")[0] for key in state):
        yield {
            key.removeprefix(f"{first}."): v
            for key, v in state.items()
            if key.startswith(f"{first}.")
        }


def is_path(source):
    """Whether a word looks like the path of a file of weights rather than a name to import.

    Examples
    --------
    >>> [is_path(word) for word in ("runs/12:30/x.pt", "C:\\\\net.pt", "run:2.pt", "mynet:make")]
    [True, True, True, False]
    """
    suffixes = (".pt", ".pth", ".ckpt", ".bin", ".tar", ".safetensors", ".pkl", ".npz")
    return bool(re.search(r"[/\\]", source)) or Path(source).suffix.lower() in suffixes
