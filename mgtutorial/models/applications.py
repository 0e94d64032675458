r"""How often an algorithm, taken literally, applies each :math:`A`, and what that costs."""

import math
from collections import Counter
from itertools import pairwise

from torch import nn

from ..errors import InvalidValue
from .counting import built, macs_by_module, part_of
from .mgiad import MGiaDConfig
from .mgnet import MgNetConfig
from .poly_mgnet import PolynomialSteps


def literal_macs(network, size, in_channels=None):
    r"""Return the number of multiplications that the papers' algorithm takes as written.

    A program that follows it line by line applies :math:`A` once for each residual and
    once more in :math:`f' = R(f - A u) + A' u'`. Ours carries the residual along, as every
    level starts with one, and applies :math:`A` to a correction only if the next residual is read
    (:mod:`mgtutorial.multigrid`): :func:`~mgtutorial.models.count_macs` gives less. The difference
    is, for each :math:`A`, the cost of one application on the grid of its level times the number of
    applications that are written but not executed.

    Parameters
    ----------
    network : torch.nn.Module or config
        An MgNet or MGiaD, or its config.
    size, in_channels
        As for :func:`~mgtutorial.models.count_macs`.

    Raises
    ------
    InvalidValue
        If the network is of another kind.

    Examples
    --------
    >>> from mgtutorial import models
    >>> literal_macs(models.named("mgnet"), 32), models.count_macs(models.named("mgnet"), 32)
    (701082112, 484026880)

    Book: mgnet, tab-mgnet-applications
    """
    module = built(network)
    written = applications_written(getattr(module, "config", module))
    operators = {}
    for name, m in module.named_modules():
        part = part_of(name, m)
        if part.role == "A" and isinstance(m, nn.Conv2d):
            operators[part.level, part.channel_level or 1] = m
    if operators.keys() != written.keys():
        raise _no_literal(module.config)  # Galerkin's operators are made anew each time
    executed, handles = Counter(), []
    for level, A in operators.items():
        handles.append(A.register_forward_hook(lambda *_, at=level: executed.update([at])))
    grid = []  # of the finest level
    handles.append(module.stem.register_forward_hook(lambda *a: grid.extend(a[-1].shape[-2:])))
    try:
        macs = macs_by_module(module, size, in_channels)
    finally:
        for handle in handles:
            handle.remove()
    cost = {}
    for (level, k), A in operators.items():  # A keeps the size of its level
        cost[level, k] = A.weight.numel() * math.prod(-(-side // 2 ** (level - 1)) for side in grid)
    return sum(macs.values()) + sum((n - executed[at]) * cost[at] for at, n in written.items())


def applications_written(config):
    r"""Return how often an algorithm, followed line by line, applies each :math:`A`.

    On level :math:`l` of MgNet there are :math:`\nu` residuals in the steps, one for the transfer,
    and for :math:`l > 1` the term :math:`A_l u_l` of its right-hand side. In MGiaD each channel
    level :math:`k` has :math:`\eta_{pre} + \eta_{post}` steps, one residual for the next channel
    level if there is one, and for :math:`k > 1` the term :math:`\hat A_k \hat u_k`; the finest one
    also serves the transfer between resolutions. With :math:`\gamma > 1` each visit to a level has
    these steps and this residual, and each visit to the level before it has this term.

    Parameters
    ----------
    config : MgNetConfig or MGiaDConfig

    Returns
    -------
    dict
        From (level, channel level), both counted from 1, to the number of applications.

    Raises
    ------
    InvalidValue
        For a config of any other kind.

    Examples
    --------
    >>> from mgtutorial import models
    >>> applications_written(models.named("mgnet-20"))
    {(1, 1): 4, (2, 1): 5, (3, 1): 5}

    Book: mgnet, tab-mgnet-applications
    """
    if isinstance(config, MGiaDConfig) and not isinstance(config, PolynomialSteps):
        smoothing, both = config.eta_pre + config.eta_post, True
        steps = {
            (l, k): n * (smoothing + (k < len(widths))) + before
            for l, widths in enumerate(config.channel_widths, 1)
            for k, (before, n) in enumerate(pairwise((0, *config.visits(len(widths)))), 1)
        }
    elif isinstance(config, MgNetConfig):
        both = config.fas
        steps = {(l, 1): nu for l, nu in enumerate(config.steps_by_level, 1)}
    else:
        raise _no_literal(config)
    return {(l, k): n + (k == 1) + (k == 1 and l > 1 and both) for (l, k), n in steps.items()}


def _no_literal(config):
    return InvalidValue(
        f"{type(config).__name__} does not describe an algorithm with FAS transfers that "
        "could be carried out literally: give a network of the kind MgNet or MGiaD."
    )
