"""The runs of MGIC's Figure 4: networks that learn a function of the plane, and their records."""

import contextlib
import csv
import tempfile
from pathlib import Path

import numpy as np
import torch

from .. import _paths
from ..errors import choose
from . import loop, records
from .plane import BUDGETS, PAPER_RATE, RATES, PlaneConfig
from .workspace import Workspace

_SURFACES = "implicit_function_surfaces.npz"
_SETTLED = "implicit_function_settled.csv"


def recorded():
    """Return the records that came with the package, then those that were made since.

    Examples
    --------
    >>> sorted({record.metric.name for record in recorded()})
    ['mse']
    """
    return records.all_runs(PlaneConfig.file) + records.all_runs(PlaneConfig.printed)


def surfaces():
    """Return what some of the recorded networks have learned: their values on a grid.

    Returns
    -------
    dict
        Digest of a run -> values (n, n) in float32 at the midpoints of ``n x n`` cells of the unit
        square, the first axis along x.

    Examples
    --------
    >>> {values.shape for values in surfaces().values()}
    {(100, 100)}
    """
    with np.load(_paths.packaged_results() / _SURFACES) as file:
        return {digest: file[digest].astype(np.float32) for digest in file.files}


def settle(network, at):
    """Give the norms of a network the statistics of all points, in place of running means.

    At a constant rate the running means of the last batches are noisy, and an error in evaluation
    mode contains that noise.

    Parameters
    ----------
    network : torch.nn.Module
    at : torch.Tensor
        (n, 2), the points that it was trained on.

    Returns
    -------
    torch.nn.Module
        `network`, in evaluation mode.

    Examples
    --------
    >>> from mgtutorial.models import ImplicitConfig
    >>> network, at = ImplicitConfig().build(), torch.rand(50_000, 2)
    >>> ours = network.train()(at).detach()
    >>> bool((settle(network, at)(at) - ours).abs().max() < 0.001)
    True
    """
    before = {m: m.momentum for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)}
    try:
        for m in before:
            m.reset_running_stats()
            m.momentum = None  # of a single batch: its own statistics
        with torch.no_grad():
            network.train()(at)
    finally:
        for m, momentum in before.items():
            m.momentum = momentum
    return network.eval()


def settled():
    """Return the errors of recorded networks whose norms were settled: digest -> float.

    Examples
    --------
    >>> 0 < min(settled().values()) < 1
    True
    """
    with open(_paths.packaged_results() / _SETTLED, newline="", encoding="utf-8") as file:
        return {row["digest"]: float(row["mse"]) for row in csv.DictReader(file, strict=True)}


def configure(
    model, budget="smoke", seed=0, *, function="cos-sin", lr=None, epochs=None, held_out=False
):
    """Return the :class:`mgtutorial.training.PlaneConfig` of a budget.

    Parameters
    ----------
    model : ImplicitConfig
    budget : {"smoke", "demo", "short", "paper"}
    seed : int
        Of the weights, the points and their order.
    function : str
        A key of :data:`mgtutorial.data.plane_functions.FUNCTIONS`.
    lr, epochs : optional
        Instead of the budget's.
    held_out : bool
        Measure on 10,000 held-out points, for making choices, and not on the test points.

    Raises
    ------
    UnknownName
        If there is no such budget, or no such function.
    """
    n, usual_epochs = BUDGETS[choose("budget", budget, BUDGETS)]
    usual_lr = PAPER_RATE if budget == "paper" else RATES[choose("function", function, RATES)]
    return PlaneConfig(
        model, function, budget, n,
        usual_epochs if epochs is None else epochs, usual_lr if lr is None else lr, seed=seed,
        on="held-out points" if held_out else "test points",
    )  # fmt: skip


def fit(model, budget="smoke", seed=0, *, progress=None, **changes):
    """Train a network on a function and return the record.

    A run that is recorded is not repeated, and one that was stopped goes on from its last
    epoch; runs of the budget ``smoke`` leave nothing behind.

    Parameters
    ----------
    model : ImplicitConfig
    budget, seed
        As in :func:`configure`.
    progress : bool or callable, optional
        As in :class:`mgtutorial.training.Workspace`.
    **changes
        The other parameters of :func:`configure`.

    Returns
    -------
    Record
        The metric is the mean squared error of the network after the last epoch.

    Raises
    ------
    UnknownName
        And what :func:`mgtutorial.training.train` raises.

    Examples
    --------
    >>> from mgtutorial.models import ImplicitConfig
    >>> record = fit(ImplicitConfig(0.6, "mobilenetv3"))
    >>> record.curve[0].loss > record.curve[-1].loss
    True
    """
    config = configure(model, budget, seed, **changes)
    workspace = Workspace(device="cpu", progress=progress)
    with _one_thread():
        if budget == "smoke":
            with tempfile.TemporaryDirectory() as folder:
                return loop.train(config, workspace.at(Path(folder) / "runs"))
        run = records.digest(config.identity(None))
        found = next((r for r in recorded() if r.digest == run), None)
        return found or loop.train(config, workspace)


@contextlib.contextmanager
def _one_thread():
    """Use one thread: a second one has too little to do on 128 points, and waits for the first."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
