"""Which layers of a network get a spectrum, on which grid, and what it will cost.

All of this is known before work on the first layer begins.
"""

import math
import os
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from .._text import estimate, printable
from ..errors import InvalidValue, choose
from ..linalg._numbers import is_complex, is_whole
from ._frequencies import output_grid
from .layers import Transposed, convolutions_in

#: Layers of up to so many channels have a default grid with so many points along a side.
SIDES = ((64, 16), (256, 8), (math.inf, 4))
#: By default eigenvalues are left out above this many multiplications (half a second, one core)...
_EIGENVALUES = 1.5e8
#: ... and a whole layer above this many for its singular values (a few seconds).
_SINGULAR = 1.2e10


class Task(NamedTuple):
    """The spectrum of one layer, before it is computed.

    Attributes
    ----------
    name : str
    A : Convolution or Transposed
    shape, grid : tuple of int
        The periodic grid of the layer's input, and that of the convolution's (for a transposed
        layer, the finer one).
    eigenvalues : bool
    seconds : float
        Rough time on one core.
    lines : int
        Lines in the CSV.

    Examples
    --------
    >>> import torch
    >>> (task,) = planned(torch.nn.Conv2d(3, 8, 3), size=8).tasks
    >>> task.shape, task.eigenvalues
    ((8, 8), False)

    Book: spectra, spectra-own
    """

    name: str
    A: Any
    shape: tuple
    grid: tuple
    eigenvalues: bool
    seconds: float
    lines: int


class Plan(NamedTuple):
    """What will be computed, and what will not.

    Attributes
    ----------
    tasks : list of Task
    left_out : dict of str to str
        For each layer that was chosen but is not among them, the reason why.
    without_eigenvalues : list of str
        Layers whose eigenvalues the default leaves out.
    weights : str

    Examples
    --------
    >>> import torch
    >>> planned(torch.nn.Conv2d(3, 8, 3), size=8).lines
    99

    Book: spectra, spectra-own
    """

    tasks: list
    left_out: dict
    without_eigenvalues: list
    weights: str

    @property
    def seconds(self):
        """Rough time on the cores of this machine."""
        asked = os.environ.get("OMP_NUM_THREADS", "")
        cores = max(1, int(asked) if asked.isdigit() else os.cpu_count() or 1)
        return sum(task.seconds for task in self.tasks) / cores

    @property
    def lines(self):
        """Lines in the CSV."""
        return sum(task.lines for task in self.tasks)


def planned(network, layers=None, size=None, eigenvalues=True):
    """Return the plan of :func:`mgtutorial.spectra.spectra`, with the same parameters.

    Parameters
    ----------
    network : module, or dict of str to Convolution or Transposed
    layers : sequence of str, optional
    size : int, optional
        By default each layer has a grid of its own: 16 points a side for up to 64 channels, 8 for
        up to 256, 4 for more; a single one along an axis where the kernel has a single entry, and
        more where the kernel reaches further.
    eigenvalues : bool

    Returns
    -------
    Plan

    Raises
    ------
    UnknownName
        If there is no layer of that name.
    InvalidValue
        If none of the layers can be done, or if `layers` is a single string.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Conv2d(8, 8, 3, dilation=6))
    >>> plan = planned(net, size=8)
    >>> [task.name for task in plan.tasks], list(plan.left_out)
    (['0'], ['1'])

    Book: spectra, spectra-own
    """
    found = network if isinstance(network, dict) else convolutions_in(network, transposed=True)
    plan = Plan([], {}, [], getattr(found, "weights", ""))
    for name in _chosen(found, layers):
        try:
            task = _task(name, found[name], size, eigenvalues)
        except InvalidValue as error:
            plan.left_out[name] = str(error)
            continue
        plan.tasks.append(task)
        if eigenvalues and not task.eigenvalues and _is_square(task.A):
            plan.without_eigenvalues.append(name)
    if not plan.tasks:
        name, why = next(iter(plan.left_out.items()))
        raise InvalidValue(f"layer {printable(name)}: {why}")
    return plan


def _chosen(found, layers):
    """Names of the layers asked for, in the network's order."""
    wanted, reasons = set(), getattr(found, "passed_over", {})
    if isinstance(layers, str):
        raise InvalidValue(f"layers = {layers!r}: give a list of names, such as [{layers!r}].")
    for asked in layers or ["*"]:
        some = [name for name in found if name == asked or fnmatchcase(name, asked)]
        if not some and asked in reasons:
            raise InvalidValue(f"layer {printable(asked)}: {reasons[asked]}")
        wanted.update(some or [choose("layer", asked, found)])
    return [name for name in found if name in wanted]


def _task(name, A, size, eigenvalues):
    turned = isinstance(A, Transposed)
    B = A.adjoint if turned else A
    grid = (size,) * B.d if size is not None else _grid(B)
    if turned and is_whole(size, 1):
        grid = tuple(size * s for s in B.stride)
    out = output_grid(B, grid)
    # along an axis on which the kernel has a single entry, one frequency stands for all
    frequencies = _rows(B, math.prod(n for n, k in zip(out, B.sizes, strict=True) if k > 1))
    rows, columns = B.c_out // B.groups, B.kernel.shape[1] * math.prod(B.stride)
    small, large = sorted((rows, columns))
    singular = frequencies * B.groups * small**2 * large
    both = frequencies * B.groups * rows**3
    with_eigenvalues = eigenvalues and _is_square(A)
    seconds = frequencies * B.groups * (1e-5 + 2.1e-9 * small**1.7 * large)
    if size is None:
        with_eigenvalues = with_eigenvalues and both <= _EIGENVALUES
        if singular > _SINGULAR:
            raise InvalidValue(
                f"its singular values on a grid of {' x '.join(map(str, grid))} points take "
                f"{estimate(seconds)} of one core: give a --size to have them."
            )
    seconds += frequencies * B.groups * 2e-8 * rows**2.7 * with_eigenvalues
    lines = _rows(B, math.prod(out)) * (B.groups * small + B.c_out * with_eigenvalues)
    shape = out if turned else tuple(grid)
    return Task(name, A, shape, tuple(grid), bool(with_eigenvalues), seconds, lines)


def _rows(B, points):
    """How many frequencies of a grid suffice: one of each opposite pair, for a real kernel."""
    return points if is_complex(B.kernel) else points // 2 + 1


def _is_square(A):
    return A.c_in == A.c_out and max(A.stride) == 1


def _grid(B):
    """The default grid of a convolution."""
    width = max(B.c_out, B.c_in)
    side = next(side for most, side in SIDES if width <= most)
    return tuple(
        s * -(-max(side, reach + 1) // s) if k > 1 else s
        for k, reach, s in zip(B.sizes, B.reach, B.stride, strict=True)
    )
