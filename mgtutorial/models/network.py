"""What every network for images does besides its mathematics: torch's conventions.

A stem, levels of resolution and a head; features before the head and on every level; another head;
a state_dict that says which network it belongs to.
"""

import warnings
from dataclasses import replace
from functools import partial

import torch
from torch import fx, nn
from torch._C._functorch import maybe_current_level
from torch.utils._python_dispatch import _get_current_dispatch_mode

from .. import multigrid
from ..errors import InvalidValue
from . import blocks
from .counting import activations_held

#: Fields of configs that change neither what a network's weights are nor what it does with them.
STARTS = ("initial_weights", "roots", "train_roots", "transfer_start")

#: Images with at least this many pixels along both axes are too large for the stem "3x3".
LARGE = 128


class Network(nn.Module):
    """Base of the networks for images: ``stem``, ``levels`` and ``head``, and a ``config``.

    Its ``state_dict`` carries the config in its metadata, which ``torch.save`` keeps; so weights
    of a network that would do something else with them are refused.

    Parameters
    ----------
    config : config of a network

    Examples
    --------
    >>> from mgtutorial.models import named
    >>> net = named("resnet20").build().eval()
    >>> x = torch.zeros(2, 3, 32, 32)
    >>> net(x).shape, net.forward_features(x).shape
    (torch.Size([2, 10]), torch.Size([2, 64, 8, 8]))
    >>> [u.shape[1] for u in net.forward_levels(x)]
    [16, 32, 64]
    >>> net.reset_classifier(7)(x).shape
    torch.Size([2, 7])

    Book: use, use-features
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        self._warned = False
        self._register_state_dict_hook(_write_config)
        self._register_load_state_dict_pre_hook(_check_config, with_module=True)

    def data(self, x):
        """The data ``f`` on the finest level, from images ``(n, in_channels, height, width)``."""
        x = check_images(self._check(x), self.config.in_channels)
        self._warn_of_stem(x)
        return check_size(self.stem(x), len(self.levels))

    def forward_features(self, x):
        """The features on the coarsest level, ``(n, c, height, width)``, from images."""
        x = self.data(x)
        for level in self.levels:
            x = level(x)
        return x

    def forward_levels(self, x):
        """The features of every level, from fine to coarse, for predictions at each pixel."""
        x, features = self.data(x), []
        for level in self.levels:
            x = level(x)
            features.append(x)
        return features

    def forward(self, x):
        return self.head(self.forward_features(x))

    def reset_classifier(self, num_classes):
        """Give the network a new last layer, with fresh weights; return the network.

        Parameters
        ----------
        num_classes : int
            0: none, so that the network returns the pooled features.

        Raises
        ------
        InvalidValue
        """
        self.config = replace(self.config, num_classes=num_classes)
        linear = blocks.classifier(self.head.width, num_classes)
        self.head.linear = linear.to(next(self.parameters()))
        return self

    def _check(self, x):
        """Return `x`, whole numbers in the weights' type; raise in clearer words than torch's.

        That is: for no tensor, no pixels, complex numbers or another precision.
        """
        x = check_type(x, _type_of_weights(self), "images")
        if isinstance(x, torch.Tensor) and not torch.jit.is_tracing() and 0 in x.shape[2:]:
            raise InvalidValue(
                f"images of shape {tuple(x.shape)} have no pixels: give larger ones."
            )
        return x

    def _warn_of_stem(self, x):
        looks = isinstance(x, torch.Tensor) and not x.is_meta and not torch.jit.is_tracing()
        if self._warned or not looks or torch.compiler.is_compiling() or _transformed():
            return
        watched = _get_current_dispatch_mode() is not None  # it would count what is run below
        if watched or getattr(self.config, "stem", None) != "3x3" or min(x.shape[-2:]) < LARGE:
            return
        self._warned = True
        size = tuple(x.shape[-2:])
        configs = (replace(self.config, stem=stem) for stem in ("3x3", "7x7"))
        now, then = (activations_held(c, 2, size).bytes / 2 / 2**20 for c in configs)
        warnings.warn(
            f"images of {size[0]} x {size[1]} with stem='3x3', which keeps their size: training "
            f"holds {now:.0f} MiB of activations an image, and {then:.0f} MiB with stem='7x7', "
            "which quarters it; named(name, data=...) chooses the stem for a data set.",
            stacklevel=3,
        )


def _write_config(module, state_dict, prefix, local_metadata):
    local_metadata["config"] = {"kind": type(module.config).__name__, **module.config.as_dict()}


def _check_config(module, state_dict, prefix, local_metadata, *_):
    """Refuse weights whose shapes fit, but which belong to a network that does something else."""
    theirs, config = local_metadata.get("config"), module.config
    if theirs is None:  # saved by an older version, or as a plain dictionary
        return
    ours = {"kind": type(config).__name__, **config.as_dict()}
    own = {prefix + name: v.shape for name, v in module.state_dict().items()}
    given = {name: getattr(v, "shape", None) for name, v in state_dict.items()}
    if any(given.get(name) != shape for name, shape in own.items()):
        return  # torch itself says what does not fit
    both = ours.keys() | theirs.keys()
    differ = sorted(k for k in both - {*STARTS} if ours.get(k) != theirs.get(k))
    if differ:
        fields = ((k, *(d.get(k, "the default") for d in (theirs, ours))) for k in differ)
        said = ", ".join(f"{k}={a!r} where this one has {b!r}" for k, a, b in fields)
        raise InvalidValue(
            f"the weights belong to a network with {said}, so it would compute something else: "
            "build the network of that config; dict(state_dict) forgets it, if you mean it."
        )


def _aliases(module):
    """Each other name of a shared weight, and its first one."""
    first = {}
    for name, p in module.named_parameters(remove_duplicate=False):
        known = first.setdefault(p, name)
        if known != name:
            yield name, known


def _write_once(module, state_dict, prefix, local_metadata):
    for name, _ in _aliases(module):
        state_dict.pop(prefix + name, None)  # a level inside this one may have done it


def _read_once(module, state_dict, prefix, *_):
    for name, first in _aliases(module):
        if prefix + first not in state_dict:
            continue
        one = state_dict[prefix + first]
        other = state_dict.setdefault(prefix + name, one)
        if other is one or other.shape != one.shape:
            continue
        if not ((other == one) | (other.isnan() & one.isnan())).all():
            raise InvalidValue(
                f"{prefix}{first} and {prefix}{name} are one weight here, and two in what is to be "
                "loaded: build the network that it was saved from, whose steps share nothing."
            )


class LevelModule(nn.Module):
    """A level of :mod:`mgtutorial.multigrid` as a module, so that hooks on it fire.

    What its steps share appears once in its ``state_dict``, under its first name; a ``state_dict``
    that has it several times can be loaded as well.

    A derived class has ``level()``, which shows its operators to the algorithm. Its smoothing
    steps run when the module is called, from a :class:`~mgtutorial.multigrid.State` to a state.

    Examples
    --------
    >>> from mgtutorial.models import named
    >>> net, seen = named("mgnet-20").build(), []
    >>> _ = net.levels[1].register_forward_hook(lambda m, s, out: seen.append(out.u.shape[1]))
    >>> _ = net(torch.zeros(2, 3, 32, 32))
    >>> seen
    [32]

    Book: use, use-features
    """

    def __init__(self):
        super().__init__()
        self._register_state_dict_hook(_write_once)
        self._register_load_state_dict_pre_hook(_read_once, with_module=True)

    def forward(self, s, post=False):
        level = self.level()
        return multigrid.relax(level.post if post else level.pre, s)

    def called(self):
        """The level, with steps that are calls to this module."""
        level = self.level()
        post = (partial(self, post=True),) if level.post else ()
        return replace(level, pre=(self,), post=post)


class StateNetwork(Network):
    """A network that takes states down its levels, not features alone.

    Examples
    --------
    >>> from mgtutorial.models import named
    >>> net = named("mgnet-20").build().eval()
    >>> [tuple(s.u.shape[1:]) for s in net.states(torch.zeros(1, 3, 32, 32))]
    [(16, 32, 32), (32, 16, 16), (64, 8, 8)]

    Book: use, use-features
    """

    def descend(self, f, visit=None):
        """The state on the coarsest level, from the data ``f`` on the finest.

        Parameters
        ----------
        f : tensor
            What the stem makes of images: ``data(x)``.
        visit : callable, optional
            As in :func:`mgtutorial.multigrid.backslash`.
        """
        s = multigrid.start(f, linear=True)
        return multigrid.backslash([m.called() for m in self.levels], s, visit)

    def forward_features(self, x):
        return self.descend(self.data(x)).u

    def states(self, x):
        """The state ``(u, r)`` of each level when it is left, from images.

        Nothing follows the coarsest level, so nobody has asked for its residual: it is None.
        """
        states = []
        self.descend(self.data(x), states.append)
        return [*states[:-1], multigrid.State(states[-1].u, None)]

    def forward_levels(self, x):
        return [s.u for s in self.states(x)]


def _type_of_weights(module):
    """The weights' type, even in an nn.DataParallel replica, which has them as plain attributes."""
    weights = (getattr(m, "weight", None) for m in module.modules())
    first = next(module.parameters(), None)
    return (next(w for w in weights if w is not None) if first is None else first).dtype


def check_type(x, own, what):
    """Return a tensor in a form that weights of the type `own` can read, from whole numbers, too.

    Parameters
    ----------
    x : tensor
    own : torch.dtype
    what : str
        What it holds, for the error message.

    Raises
    ------
    InvalidValue
        If it is not a tensor, or has complex numbers or another precision.

    Examples
    --------
    >>> check_type(torch.zeros(2, 3, dtype=torch.uint8), torch.float64, "points").dtype
    torch.float64

    Book: use, use-features
    """
    traced = isinstance(x, fx.Proxy) or torch.jit.is_tracing()
    if traced or torch.compiler.is_compiling():
        return x
    if not isinstance(x, torch.Tensor):
        raise InvalidValue(
            f"the network takes tensors, but was given a {type(x).__name__}: convert it, with "
            "torch.as_tensor."
        )
    if x.is_complex():
        raise InvalidValue(
            f"the {what} are of type {x.dtype}, and the network computes with real numbers: "
            "give their real and imaginary parts as channels of their own."
        )
    if not x.is_floating_point():
        return x.to(own)
    if x.dtype != own and not torch.is_autocast_enabled(x.device.type):
        raise InvalidValue(
            f"the {what} are of type {x.dtype} and the network's weights of {own}: give "
            f"{what}.to({own}), or call network.to({x.dtype}) first."
        )
    return x


def check_images(x, c_in):
    """Return `x` in the form a network computes with; raise if it does not have `c_in` channels.

    On a CPU the channels of a pixel are put side by side in memory ("channels last"), and every
    later layer keeps that order. This makes the library's convolutions faster, grouped ones most.

    Parameters
    ----------
    x : tensor
    c_in : int

    Returns
    -------
    tensor
        `x`, as floating-point numbers, with the same shape.

    Raises
    ------
    InvalidValue
        If `x` does not have the shape ``(n, c_in, height, width)``.

    Examples
    --------
    >>> check_images(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), 3).dtype
    torch.float32
    """
    if torch.jit.is_tracing():  # sizes are not numbers there; they were checked before
        return x
    if x.ndim != 4 or x.shape[1] != c_in:
        raise InvalidValue(
            f"the network takes images of shape (n, {c_in}, height, width), "
            f"but was given {tuple(x.shape)}: change in_channels or the images."
        )
    x = x if torch.is_floating_point(x) else x.float()
    if x.device.type != "cpu" or _transformed():
        return x
    # Not contiguous(): it leaves images of one channel, whose order has two names, as they are.
    return x.to(memory_format=torch.channels_last)


def _transformed():
    """Whether torch.func transforms the pass: under vmap, memory has no such order."""
    return not torch.compiler.is_compiling() and maybe_current_level() is not None


def check_size(f, levels):
    """Return `f`; raise if its size cannot be halved once per level.

    Parameters
    ----------
    f : tensor, shape (..., height, width)
    levels : int
        Resolution levels; each has half the size of the one before, rounded up.

    Raises
    ------
    InvalidValue
        If some level would be left with a single pixel before the last one is reached.

    Examples
    --------
    >>> check_size(torch.zeros(1, 3, 5, 4), levels=4).shape  # 5 x 4, 3 x 2, 2 x 1, 1 x 1
    torch.Size([1, 3, 5, 4])

    Book: from_multigrid_to_networks, networks-points
    """
    if torch.jit.is_tracing() or torch.compiler.is_compiling():  # sizes may not be numbers
        return f
    size = tuple(f.shape[-2:])
    most = 1 + (max(size) - 1).bit_length()  # a side of s pixels halves ceil(log2 s) times
    if levels > most:
        raise InvalidValue(
            f"{levels} levels on a finest grid of {size[0]} x {size[1]}: it can be halved "
            f"{most - 1} times, so give at most {most} levels, or larger images."
        )
    return f


# A symbolic trace does not know sizes: it keeps the checks as calls in its graph.
fx.wrap("check_images")
fx.wrap("check_size")
