r"""A function of the plane, learned from its values: an experiment like that of MGIC's Figure 4.

The zero set of :math:`f(x, y)` describes a curve *implicitly*; a network that learns
:math:`f` from points knows the curve. The paper's function, in its section 4.2, is
:math:`\cos x \sin 20y`; it is not built yet. Ours is a flower with five petals,

.. math:: f(x, y) = 0.3 + 0.1 \cos 5\theta - r, \qquad
   (x, y) = (\tfrac12 + r \cos\theta,\; \tfrac12 + r \sin\theta),

positive inside and negative outside. The protocol is the paper's, but for the momentum, which
is ours: points from the unit square, batches of 128, the mean squared error, a constant rate.
"""

import contextlib
import time
from dataclasses import asdict
from types import MappingProxyType

import torch
import torch.nn.functional as F

from .. import _paths
from ..errors import InvalidValue, choose
from ..models.counting import count_weights
from . import checkpoints, loop, records, time_limits
from . import progress as displays

#: Points, epochs and rate of each budget. The rate of the shorter ones was the best of six on
#: held-out points, after five epochs of the narrow MGIC network; those runs are recorded, too.
BUDGETS = MappingProxyType(
    {
        "smoke": (4_096, 3, 0.003),
        "demo": (50_000, 3, 0.003),
        "short": (50_000, 15, 0.003),
        "paper": (50_000, 1000, 1e-4),
    }
)
BATCH, MOMENTUM = 128, 0.9


def flower(points):
    """Return the values of the function at points of the unit square.

    Parameters
    ----------
    points : torch.Tensor
        (n, 2), in [0, 1].

    Returns
    -------
    torch.Tensor
        (n,), between about -0.5 and 0.4.

    Examples
    --------
    >>> flower(torch.tensor([[0.5, 0.5], [0.8, 0.5], [1.0, 1.0]])).sign()
    tensor([ 1.,  1., -1.])
    """
    x, y = (points - 0.5).unbind(1)
    return 0.3 + 0.1 * torch.cos(5 * torch.atan2(y, x)) - torch.hypot(x, y)


def points(n, seed):
    """Return `n` independent points, uniform in the unit square, (n, 2) in float32."""
    return torch.rand(n, 2, generator=torch.Generator().manual_seed(seed))


def grid(n=200):
    """Return the midpoints of ``n x n`` cells of the unit square, (n², 2): the test points."""
    ticks = (torch.arange(n) + 0.5) / n
    return torch.cartesian_prod(ticks, ticks)


def results():
    """Return the file of the records."""
    return _paths.results_dir() / "implicit_function.jsonl"


def recorded():
    """Return the records that came with the package, then those that were made since."""
    files = dict.fromkeys((_paths.shipped() / results().name, results()))
    return [r for file in files for r in records.read(file)]


def fit(config, budget="smoke", seed=0, *, lr=None, epochs=None, held_out=False, progress=None):
    """Train a network on the flower and return the record.

    A run that is recorded is not repeated, and one that was stopped goes on from its last
    epoch; runs of the budget ``smoke`` leave nothing behind.

    Parameters
    ----------
    config : ImplicitConfig
    budget : {"smoke", "demo", "short", "paper"}
    seed : int
        Of the weights, the points and their order.
    lr, epochs : optional
        Instead of the budget's.
    held_out : bool
        Measure on 10,000 held-out points, for choices, and not on the test points.
    progress : bool, optional
        Default: on a terminal and in a live notebook.

    Returns
    -------
    dict
        ``curve`` has the mean squared error over each epoch; ``mse`` is that of the network
        after the last one, in evaluation mode, on the points that ``on`` names.

    Raises
    ------
    UnknownName
        If there is no such budget.
    InvalidValue
        If the training diverges.
    RecordsUnwritable, KeyboardInterrupt

    Examples
    --------
    >>> from mgtutorial.models.implicit_function import ImplicitConfig
    >>> record = fit(ImplicitConfig(0.6, "dense"))
    >>> record["curve"][0] > record["curve"][-1]
    True
    """
    n, usual_epochs, usual_lr = BUDGETS[choose("budget", budget, BUDGETS)]
    choice = {
        "network": asdict(config),
        "function": "flower",
        "budget": budget,
        "n": n,
        "epochs": epochs or usual_epochs,
        "lr": lr or usual_lr,
        "batch_size": BATCH,
        "momentum": MOMENTUM,
        "seed": seed,
        "on": "held-out points" if held_out else "test points",
    }
    run = records.digest(choice)
    if budget == "smoke":
        return _record(choice, run, _train(config, choice, run, None, progress))
    if (found := next((r for r in recorded() if r["digest"] == run), None)) is not None:
        return found
    path = loop.checkpoint_of(run)
    records.check_writable(results())
    path.parent.mkdir(parents=True, exist_ok=True)
    state = _train(config, choice, run, path, progress)
    return records.append(_record(choice, run, state), results())


@contextlib.contextmanager
def _one_thread():
    """A second thread has too little to do on 128 points, and waits for the first."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train(config, choice, run, path, progress):
    """Return the network, the curve and the seconds."""
    given = points(choice["n"], choice["seed"])
    values = flower(given)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(choice["seed"])
        net = config.build()
    optimiser = torch.optim.SGD(net.parameters(), choice["lr"], choice["momentum"])
    order = torch.Generator().manual_seed(choice["seed"])
    curve, seconds = [], 0.0
    if path and (state := checkpoints.load(path, run, choice)) is not None:
        net.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        order.set_state(state["order"])
        curve, seconds = state["curve"], state["seconds"]
    limit = time_limits.as_limit(None)  # a SIGTERM stops after the epoch
    total, done = choice["epochs"], len(curve)
    with (
        _one_thread(),
        limit.listening(),
        displays.one(progress)(total * len(given), done * len(given)) as shown,
    ):
        for epoch in range(done, total):
            limit.check(0)
            begun, loss_sum = time.perf_counter(), 0.0
            net.train()
            for batch in torch.randperm(len(given), generator=order).split(BATCH):
                loss = F.mse_loss(net(given[batch]), values[batch])
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                loss_sum += loss.item() * len(batch)
                shown.update(len(batch))
            curve.append(loss_sum / len(given))
            shown.say(f"epoch {epoch + 1}/{total}, mean squared error {curve[-1]:.2e}")
            if curve[-1] != curve[-1]:
                raise InvalidValue(
                    f"the loss is not a number in epoch {epoch + 1}: the training diverged; "
                    f"a smaller rate than lr={choice['lr']} may hold."
                )
            seconds += time.perf_counter() - begun
            if path:
                state = {"model": net.state_dict(), "optimiser": optimiser.state_dict()}
                state |= {"order": order.get_state(), "curve": curve, "seconds": seconds}
                checkpoints.save(path, {"run": run, "config": choice, **state})
    return net.eval(), curve, seconds


@torch.no_grad()
def _record(choice, run, state):
    net, curve, seconds = state
    at = points(10_000, choice["seed"] + 1_000_000) if "held" in choice["on"] else grid()
    return {
        "schema": records.SCHEMA,
        "digest": run,
        **choice,
        "curve": [float(f"{loss:.4g}") for loss in curve],
        "mse": float(f"{F.mse_loss(net(at), flower(at)):.6g}"),
        "weights": count_weights(net),
        "seconds": round(seconds, 1),
        "device": {"type": "cpu", "threads": 1},
        **records.circumstances(),
    }
