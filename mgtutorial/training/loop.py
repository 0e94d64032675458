"""One visible training loop, from a config to a record.

``train(config)`` loads the data, trains, writes a checkpoint after each epoch, reads the
test set once at the end and appends a record. Called again it goes on where it was
stopped, on a CPU bit for bit; once the record exists it only returns it.
"""

import contextlib
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from ..data import images as data
from ..errors import InvalidValue, RecordsUnwritable
from ..models.counting import count_macs, count_weights
from . import checkpoints, protocols, records, schedules, time_limits
from . import progress as displays
from .devices import autocast, describe, dtype_of, exact
from .team import SingleProcess


def train(
    config, *, runs=None, root=None, device="auto", checkpoint_path=None, progress=None,
    time_limit=None, team=None,
):  # fmt: skip
    """Train as `config` says and return the record of the run.

    Parameters
    ----------
    config : TrainConfig
    runs : path, optional
        Folder of the results files; default ``results/runs``.
    root : path, optional
        Where the data are.
    device : str
        ``"auto"`` takes a GPU where there is one.
    checkpoint_path : path, optional
        Default: named by the run's digest, in ``checkpoints`` beside `runs`.
    progress : bool or callable, optional
        Whether to show the progress; default: on a terminal and in a live notebook. A
        callable shows it itself, see :mod:`mgtutorial.training.progress`.
    time_limit : float or Limit, optional
        Seconds after which to stop, at the end of an epoch.
    team : Team, optional
        Of processes that share this run, see :mod:`mgtutorial.training.distributed`.

    Returns
    -------
    dict
        The record; from the results file if the run is there already.

    Raises
    ------
    CheckpointMismatch
        If the checkpoint belongs to another run.
    DataNotFound, DataDamaged, DeviceUnavailable, RecordsUnwritable
    Unfinished
        If the time limit, or a SIGTERM, stopped it after an epoch; the same call goes on.
    InvalidValue
        If the training diverges, or if not one epoch fits into the time limit.
    KeyboardInterrupt
        Ctrl-C: at most the running epoch is lost.

    Examples
    --------
    >>> import tempfile
    >>> from mgtutorial.training import protocols
    >>> config = protocols.configure("mgnet-20", "digits", "smoke", epochs=1)
    >>> record = train(config, runs=tempfile.mkdtemp())
    >>> record["weights"], record["partial"]
    (100954, True)
    """
    from filelock import FileLock

    team = team or SingleProcess()
    limit = time_limits.as_limit(time_limit)
    device = team.device(device)
    images = training_images(config, root, device)
    if (config.model.in_channels, config.model.num_classes) != (
        images.channels,
        images.num_classes,
    ):
        raise InvalidValue(
            f"the network is for {config.model.in_channels} channels and "
            f"{config.model.num_classes} classes, but {config.data} has {images.channels} and "
            f"{images.num_classes}: use protocols.configure(), which fits it."
        )
    run = run_digest(config, images)
    results = records.file_of(config.budget, runs)
    if (record := team.first(lambda: records.find(run, results))) is not None:
        return record
    path = Path(checkpoint_path or checkpoint_of(run, runs))
    team.first(lambda: _check_places(results, path))
    # A second program that wants the same run waits and then finds its record; the lock
    # of a program that was killed is free.
    lock = FileLock(f"{path}.lock") if team.rank == 0 else contextlib.nullcontext()
    with lock, limit.listening(), exact(config, device):
        if (record := team.first(lambda: records.find(run, results))) is None:
            shown = displays.one(progress if team.rank == 0 else False)
            record = _train(config, run, images, root, device, path, shown, limit, team)
            record = team.first(lambda: records.append(record, results))
        return record


def checkpoint_of(run, runs=None):
    """Return where the checkpoint of a run lies, unless another place is asked for."""
    return records.file_of("any", runs).parent.parent / "checkpoints" / f"{run}.pt"


def _check_places(results, path):
    """Stop now rather than after hours, if there is nowhere to write to."""
    records.check_writable(results)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        open(f"{path}.lock", "ab").close()
    except OSError as error:
        raise RecordsUnwritable(
            f"cannot write the checkpoint {path} ({error.strerror}): make its folder writable, "
            "or give another path."
        ) from error


def training_images(config, root=None, device="cpu"):
    """Return the images that a config trains on."""
    images = data.load(config.data, config.split, root=root, device=device)
    return images if config.n_train is None else images.take(config.n_train)


def run_digest(config, images):
    """Return the name of a run: one digest of its config and of its training images."""
    return records.digest({"config": config.as_dict(), "data": images.digest})


def _train(config, run, images, root, device, path, bar, limit, team):
    with torch.random.fork_rng(devices=[]):  # leave the caller's random numbers alone
        torch.manual_seed(config.seed)
        model = config.model.build()
    dtype = dtype_of(config)
    model = model.to(device, dtype, memory_format=torch.channels_last)
    model = team.prepare(model, config)
    optimiser = torch.optim.SGD(
        model.parameters(), config.lr, config.momentum, weight_decay=config.weight_decay
    )
    order = torch.Generator().manual_seed(config.seed)
    scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "float16")
    held = (
        data.load(config.data, "val", root=root, device=device) if config.split == "fit" else None
    )

    parts = {"model": model, "optimiser": optimiser, "scaler": scaler}
    curve = []
    if (state := team.first(lambda: _resume(path, run, config))) is not None:
        for name, part in parts.items():
            part.load_state_dict(state[name])
        order.set_state(state["order"])
        curve = state["curve"]
    network = torch.compile(model) if config.compile else model
    forward = team.parallel(network, images.size)
    own = team.share(images, config.batch_size)
    done = len(curve)
    steps = -(-images.n // config.batch_size)
    with bar(total=config.epochs * images.n, initial=done * images.n) as shown:
        for epoch in range(done, config.epochs):
            team.first(lambda: limit.check(_expected(limit, curve, config, images, device, team)))
            begun, loss_sum, right, seen = time.perf_counter(), 0.0, 0, 0
            model.train()
            batches = data.batches(
                own, config.batch_size, config.augmentation, generator=order,
                normalisation=config.normalisation,
            )  # fmt: skip
            for step, (x, y) in enumerate(batches):
                for group in optimiser.param_groups:
                    group["lr"] = schedules.learning_rate(config, epoch, step / steps)
                with autocast(config, device):
                    z = forward(x.to(dtype).contiguous(memory_format=torch.channels_last))
                    loss = F.cross_entropy(z, y)
                optimiser.zero_grad(set_to_none=True)
                # The mean over the processes is the mean over the batch if a process with
                # fewer of its images counts less; for one process alone the factor is 1.
                batch = min(config.batch_size, images.n - step * config.batch_size)
                scaler.scale(loss * (team.size * len(y) / batch)).backward()
                scaler.step(optimiser)
                scaler.update()
                # Sums stay on the device: reading one would wait for it.
                loss_sum += loss.detach() * len(y)
                right += (z.detach().argmax(1) == y).sum()
                seen += len(y)
                shown.update(batch)
                if step % 20 == 19:
                    shown.say(
                        f"epoch {epoch + 1}/{config.epochs}, "
                        f"loss {loss_sum / seen:.3f}, {right / seen:.1%}"
                    )
            loss_sum, right = team.total(loss_sum, right)
            row = {
                "epoch": epoch + 1,
                "lr": schedules.learning_rate(config, epoch, (steps - 1) / steps),
                "loss": loss_sum / images.n,
                "train_accuracy": right / images.n,
            }
            if row["loss"] != row["loss"]:
                raise InvalidValue(
                    f"the loss is not a number in epoch {epoch + 1}: the training diverged; "
                    f"a smaller rate than lr={config.lr} may hold."
                )
            team.agree(model)
            if held is not None:
                row["val_accuracy"] = team.first(lambda: accuracy(network, held, config, device))
            row["seconds"] = round(time.perf_counter() - begun, 3)
            curve.append(row)
            limit.epochs += 1
            states = {name: part.state_dict() for name, part in parts.items()}
            owner = {"run": run, "config": config.as_dict()}
            state = {**owner, **states, "order": order.get_state(), "curve": curve}
            team.first(lambda state=state: checkpoints.save(path, state))
            shown.epoch(row)
    name, final = ("val", held) if held is not None else ("test", None)
    if final is None:  # the test set is read once, here
        final = data.load(config.data, "test", root=root, device=device)
    return {
        "schema": records.SCHEMA,
        "digest": run,
        "config": config.as_dict(),
        "config_digest": records.digest(config.as_dict()),
        "data": {"digest": images.digest, "source": images.source, "n": images.n},
        "evaluated_on": {"split": name, "digest": final.digest, "n": final.n},
        "seed": config.seed,
        "budget": config.budget,
        "epochs": config.epochs,
        "partial": protocols.partial(config),
        "curve": curve,
        f"{name}_accuracy": team.first(lambda: accuracy(network, final, config, device)),
        "train_accuracy": curve[-1]["train_accuracy"],
        "weights": count_weights(model),
        "macs": count_macs(model, images.size),
        "seconds": round(sum(row["seconds"] for row in curve), 3),
        "device": describe(device),
        **team.record,
        **records.circumstances(),
    }


def _resume(path, run, config):
    checkpoints.tidy(path)
    return checkpoints.load(path, run, config.as_dict())


def _expected(limit, curve, config, images, device, team):
    """Return the seconds that the next epoch is expected to take."""
    if limit.end is None:
        return 0.0
    if curve:
        return max(row["seconds"] for row in curve[-3:])
    from . import timing

    return timing.per_image(config, images.size, device) * images.n / team.size


@torch.no_grad()
def accuracy(model, images, config, device, batch_size=500):
    """Return the fraction of `images` that `model` classifies rightly, in evaluation mode."""
    model.eval()
    dtype = dtype_of(config)
    right = 0
    whole = data.batches(images, batch_size, shuffle=False, normalisation=config.normalisation)
    for x, y in whole:
        with autocast(config, device):
            z = model(x.to(dtype).contiguous(memory_format=torch.channels_last))
        right += int((z.argmax(1) == y).sum())
    return right / images.n
