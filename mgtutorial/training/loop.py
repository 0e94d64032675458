"""One visible training loop, from a config to a record.

``train(config)`` loads the data, trains, writes a checkpoint after each epoch, reads the
test set once at the end and appends a record. Called again, it goes on from where it was
stopped, on a CPU bit for bit; once the record exists, it only returns it. What is learned, and from
what, depends on the config's task (:mod:`mgtutorial.training.tasks`).
"""

import math
import time
from dataclasses import replace

import torch

from ..errors import InvalidValue
from ..models.counting import count_weights
from . import progress, records, timing
from .devices import (
    SingleProcess,
    autocast,
    check_memory,
    describe,
    exact,
    executed,
    sentences,
)
from .recipe import Recipe, falls, learning_rate
from .record import Epoch, Metric, Record, Samples, written
from .workspace import Kept, Workspace


def train(config, workspace=None, *, checkpoint_path=None, team=None):
    """Train as `config` says and return the record of the run.

    Parameters
    ----------
    config : TrainConfig or another
        With a ``task``.
    workspace : Workspace, optional
        Folders of results and data, device, display and time limit.
    checkpoint_path : path, optional
        Default: named by the run's digest, in the workspace.
    team : Team, optional
        The processes that share this run: see :mod:`mgtutorial.training.distributed`.

    Returns
    -------
    Record
        From the results file if the run is there already.

    Raises
    ------
    CheckpointMismatch
        If the checkpoint belongs to another run.
    DataNotFound, DataDamaged, DeviceUnavailable, RecordsUnwritable
    Unfinished
        If the time limit, or a SIGTERM, stopped it after an epoch; the same call continues it.
    InvalidValue
        If the training diverges, or if not even one epoch fits into the time limit.
    KeyboardInterrupt
        On Ctrl-C: at most the current epoch is lost.

    Examples
    --------
    >>> import tempfile
    >>> from mgtutorial.training import protocols
    >>> config = protocols.configure("mgnet-20", "digits", "smoke", epochs=1)
    >>> record = train(config, Workspace(tempfile.mkdtemp()))
    >>> record.weights, record.partial
    (100954, True)
    """
    workspace, team = workspace or Workspace(), team or SingleProcess()
    task = config.task(workspace.root, team.device(workspace.device))
    task.progress = workspace.progress
    samples, limit = task.training(), workspace.limit
    run = records.run_digest(config, samples)
    checkpoint = checkpoint_path or workspace.checkpoint_of(run)
    kept = Kept(run, config, workspace.results_of(config), checkpoint, team)
    if (record := kept.record()) is not None:
        return record
    shown = workspace.progress is not False
    with (
        limit.listening(), kept.lock(limit, say=shown), exact(config, task.device),
        sentences(config, task.device),
    ):  # fmt: skip
        if (record := kept.record()) is None:
            bar = progress.one(workspace.progress if team.rank == 0 else False)
            record = kept.append(_train(config, task, samples, kept, bar, limit, team))
        return record


def _train(config, task, samples, kept, bar, limit, team):
    recipe = getattr(config, "recipe", None) or Recipe()
    check_memory(config, samples, task.device, recipe.stages(config), team.size)
    with torch.random.fork_rng(devices=[]):  # leave the caller's random numbers alone
        torch.manual_seed(config.seed)
        model = config.model.build()
    model = team.prepare(task.ready(model), config)
    optimiser, average = recipe.optimiser(model, config), recipe.averaged(model)
    order = torch.Generator().manual_seed(config.seed)
    scaler = torch.amp.GradScaler(task.device.type, enabled=config.precision == "float16")
    held_out = task.evaluation("val") if config.split == "fit" else None

    parts = {"model": model, "optimiser": optimiser, "scaler": scaler}
    if average is not None:
        parts["average"] = average
    curve = kept.resume(parts, order)
    recipe.check_batches(model, task, samples, team.size)
    network = executed(model, config, task.device)
    tested = network if average is None else average.module
    forward = team.parallel(network, task.example(1, samples.size)[0])
    # A rate that only falls ends below the weights' resolution: then nothing changes any more.
    with bar(total=config.epochs * samples.n, initial=len(curve) * samples.n) as shown:
        for epoch in range(len(curve), config.epochs):
            if curve and curve[-1].at_rest:
                break
            _stop_in_time(limit, curve, config, samples, task, team)
            begun, loss_sum, tally, seen = time.perf_counter(), 0.0, 0, 0
            batch_size, side = recipe.batch_size(epoch, config.batch_size), recipe.side(epoch)
            own = team.share(samples, batch_size)
            steps = -(-samples.n // batch_size)
            # A scaler skips steps that overflow: then standing still means nothing.
            watched = falls(config) and not scaler.is_enabled() and recipe.may_rest(epoch)
            before = [p.detach().clone() for p in model.parameters()] if watched else []
            model.train()
            for step, (x, y) in enumerate(task.batches(own, order, batch_size)):
                rate = learning_rate(config, epoch, step / steps)
                for group in optimiser.param_groups:
                    group["lr"] = rate * group.get("factor", 1.0)
                if side is not None:
                    x = task.coarsened(x, side)
                with autocast(config, task.device):
                    z = forward(x)
                    loss = task.loss(z, y)
                optimiser.zero_grad(set_to_none=True)
                # The mean over the processes is the mean over the batch if a process with
                # fewer of its samples counts less; for one process alone the factor is 1.
                batch = min(batch_size, samples.n - step * batch_size)
                scaler.scale(loss * (team.size * len(y) / batch)).backward()
                scaler.step(optimiser)
                scaler.update()
                if average is not None:
                    average.update_parameters(model)
                # Sums stay on the device: reading one would wait for it.
                loss_sum += loss.detach() * len(y)
                tally += task.tally(z.detach(), y)
                seen += len(y)
                shown.update(batch)
                if step % 20 == 19:
                    score = written(task.metric, task.score(tally, seen))
                    shown.say(
                        f"epoch {epoch + 1}/{config.epochs}, loss {loss_sum / seen:.3g}, {score}"
                    )
            loss_sum, tally = team.total(loss_sum, tally)
            row = Epoch(
                epoch + 1,
                loss=float(loss_sum) / samples.n,
                lr=learning_rate(config, epoch, (steps - 1) / steps),
                train=task.score(tally, samples.n),
            )
            if not math.isfinite(row.loss):
                raise InvalidValue(
                    f"the loss is {row.loss} in epoch {row.epoch}: the training diverged; "
                    f"a smaller rate than lr={config.lr} may help."
                )
            team.agree(model)
            if held_out is not None:
                row = replace(row, val=_score(tested, task, held_out, team))
            if before and all(map(torch.equal, before, model.parameters())):
                row = replace(row, at_rest=True)
            curve.append(replace(row, seconds=round(time.perf_counter() - begun, 3)))
            limit.epochs += 1
            kept.save(parts, order, curve)
            shown.epoch(row.epoch, _line(curve[-1], task))

    split, final = "val", held_out
    if final is None:  # the test set is read once, here
        split, final = "test", task.evaluation("test")
    tally = team.on_first(lambda: _tally(tested, task, final))
    metric = Metric(task.metric, task.score(tally, final.n), split)
    details = task.details(tally, final.n)
    return _record(config, kept.run, task, model, samples, final, metric, curve, team, details)


def _stop_in_time(limit, curve, config, samples, task, team):
    """Raise if the next epoch must not begin; of several processes the first one decides."""
    team.on_first(lambda: limit.check(_expected(limit, curve, config, samples, task, team)))


def _expected(limit, curve, config, samples, task, team):
    """Return the seconds that the next epoch is expected to take."""
    if limit.end is None:
        return 0.0
    if curve:
        return max(row.seconds for row in curve[-3:])
    return timing.per_sample(config, samples.size, task.device) * samples.n / team.size


def _score(network, task, samples, team):
    return team.on_first(lambda: evaluate(network, task, samples))


def evaluate(network, task, samples):
    """Return the metric of a network on samples of its task, in evaluation mode.

    Each of its modules is left in the mode it was in.
    """
    modes = {m: m.training for m in network.modules()}
    try:
        return task.score(_tally(network, task, samples), samples.n)
    finally:
        for m, mode in modes.items():
            m.training = mode


@torch.no_grad()
def _tally(network, task, samples):
    network.eval()
    tally, numbers = 0, torch.tensor(True, device=task.device)
    for x, y in task.batches(samples):
        with autocast(task.config, task.device):
            z = network(x)
        tally += task.tally(z, y)
        numbers = numbers & ~z.isnan().any()  # read once, after the last batch
    if not numbers:  # the losses are those before each step: the last steps may have diverged
        raise InvalidValue(
            "some outputs of the network are no numbers: the training diverged; a smaller rate "
            "may help."
        )
    return tally


def _line(row, task):
    held_out = "" if row.val is None else f", validation {written(task.metric, row.val)}"
    training = f"training {written(task.metric, row.train)}"
    return f"epoch {row.epoch}: loss {row.loss:.4g}, {training}{held_out}, {row.seconds:.0f} s"


def _record(config, run, task, model, samples, final, metric, curve, team, details):
    return Record(
        digest=run,
        choices=config.as_dict(),
        data=Samples(samples.n, samples.digest, samples.source),
        evaluated_on=Samples(final.n, final.digest, final.source),
        metric=metric,
        curve=tuple(curve),
        weights=count_weights(model),
        macs=task.macs(model, samples.size),
        seconds=round(sum(row.seconds for row in curve), 3),
        device=describe(task.device),
        partial=config.partial,
        details=details,
        **team.record,
        **records.circumstances(),
    )
