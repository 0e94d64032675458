"""Where the states of networks are in the contents of a file, and what else it holds."""

import re
import sys
from collections.abc import Mapping

#: The keys under which weights are stored, in the order in which they are looked for.
KEYS = (
    "state_dict", "model_state_dict", "model", "net", "network", "params",
    "module", "weights", "model_state", "state",
)  # fmt: skip
#: Words in the keys of whatever else training needs.
_OTHER = re.compile(
    r"opts?|optims?|optimi[sz]ers?|sched|schedulers?|scalers?|amp|rng|loops|callbacks",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
#: The ending of a name under which a module keeps something that is not a weight.
EXTRA = "_extra_state"
#: Names of a layer's weight, or of one of its parts.
PART = re.compile(
    r"(?:(.*)\.)?(weight(?:_g|_v|_orig|_u|_mask)?|parametrizations\.weight\.[\w.]+)", re.DOTALL
)
#: Parts of names that wrappers add.
_WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
_BESIDES = "it is not a dictionary of weights, or it is something else that training keeps."
_LOOSE = "it lies beside the weights that were read."


def sort(content, path=()):
    """Return the states in a mapping, best first, and why anything else with arrays is not one."""
    if {"state", "param_groups"} <= content.keys():  # an optimiser's, under whatever name
        return [], {".".join(path): _BESIDES} if _holds_arrays(content) else {}
    found, rest, known = [], {}, False
    for key, value in content.items():
        where = (*path, str(key))
        if is_tensor(value) or where[-1].endswith(EXTRA):
            continue
        words = _WORD.findall(key) if isinstance(key, str) else ()
        if isinstance(value, Mapping) and len(path) < 3 and not any(map(_OTHER.fullmatch, words)):
            inside, others = sort(value, where)
            known = known or (bool(inside) and key in KEYS)
            found += inside
            rest |= others
        elif _holds_arrays(value):
            rest[".".join(where)] = _BESIDES
    order = {key: i for i, key in enumerate(KEYS)}
    found.sort(key=lambda one: order.get(one[0].partition(".")[0], len(KEYS)))
    own = {k: v for k, v in content.items() if is_tensor(v) or str(k).endswith(EXTRA)}
    loose = [key for key, value in own.items() if _is_array(value)]
    told = any(_has_weights(state) for _, state in found)  # by the names of their tensors
    if loose and not known and (_has_weights(own) or not told):
        return [(".".join(path), _bare(own)), *found], rest
    return found, rest | {".".join((*path, str(key))): _LOOSE for key in loose}


def is_tensor(value):
    return isinstance(value, sys.modules["torch"].Tensor)


def is_lazy(value):
    return sys.modules["torch"].nn.parameter.is_lazy(value)


def _is_array(value):
    return is_tensor(value) and (value.ndim >= 2 or is_lazy(value))


def _has_weights(state):
    return any(_is_array(value) and PART.fullmatch(str(key)) for key, value in state.items())


def _holds_arrays(value):
    """Whether there is an array in plain data, however deep."""
    stack, seen = [value], set()
    while stack:
        value = stack.pop()
        if _is_array(value):
            return True
        if isinstance(value, Mapping | list | tuple) and id(value) not in seen:
            seen.add(id(value))  # plain data may contain itself
            stack += value.values() if isinstance(value, Mapping) else value
    return False


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
