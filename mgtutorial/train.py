"""One visible training loop, from a config to a record.

``train(config)`` loads the data, trains, writes a checkpoint after each epoch, reads the
test set once at the end and appends a record. Called again it goes on where it was
stopped, bit for bit; once the record exists it only returns it.
"""

import contextlib
import os
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from . import checkpoint, data, protocols, records
from .counting import count_macs, count_weights
from .errors import DeviceUnavailable, InvalidValue


def train(config, *, runs=None, root=None, device="auto", checkpoint_path=None, progress=None):
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
    progress : bool, optional
        Whether to show the progress; default: on a terminal and in a live notebook.

    Returns
    -------
    dict
        The record; from the results file if the run is there already.

    Raises
    ------
    CheckpointMismatch
        If the checkpoint belongs to another run.
    DataNotFound, DataDamaged, DeviceUnavailable, RecordsUnwritable
    KeyboardInterrupt
        Ctrl-C: at most the running epoch is lost.

    Examples
    --------
    >>> import tempfile
    >>> from mgtutorial import protocols
    >>> config = protocols.configure("mgnet-20", "digits", "smoke", epochs=1)
    >>> record = train(config, runs=tempfile.mkdtemp())
    >>> record["weights"], record["partial"]
    (100954, True)
    """
    from filelock import FileLock

    device = pick_device(device)
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
    if (record := records.find(run, results)) is not None:
        return record
    records.check_writable(results)
    path = Path(checkpoint_path or results.parent.parent / "checkpoints" / f"{run}.pt")
    path.parent.mkdir(parents=True, exist_ok=True)
    # A second process that wants the same run waits and then finds its record; the lock
    # of a process that was killed is free.
    with FileLock(f"{path}.lock"):
        if (record := records.find(run, results)) is None:
            record = _train(config, run, images, root, device, path, _show(progress))
            records.append(record, results)
        return record


def training_images(config, root=None, device="cpu"):
    """Return the images that a config trains on."""
    images = data.load(config.data, config.split, root=root, device=device)
    return images if config.n_train is None else images.take(config.n_train)


def run_digest(config, images):
    """Return the name of a run: one digest of its config and of its training images."""
    return records.digest({"config": config.as_dict(), "data": images.digest})


def _train(config, run, images, root, device, path, bar):
    with torch.random.fork_rng(devices=[]):  # leave the caller's random numbers alone
        torch.manual_seed(config.seed)
        model = config.model.build()
    model = model.to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(
        model.parameters(), config.lr, config.momentum, weight_decay=config.weight_decay
    )
    order = torch.Generator().manual_seed(config.seed)
    scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "float16")
    held = (
        data.load(config.data, "val", root=root, device=device) if config.split == "fit" else None
    )
    forward = torch.compile(model) if config.compile else model

    parts = {"model": model, "optimiser": optimiser, "scaler": scaler}
    curve = []
    if (state := checkpoint.load(path, run, config.as_dict())) is not None:
        for name, part in parts.items():
            part.load_state_dict(state[name])
        order.set_state(state["order"])
        curve = state["curve"]
    done = len(curve)
    steps = -(-images.n // config.batch_size)
    with bar(total=config.epochs * images.n, initial=done * images.n) as shown:
        for epoch in range(done, config.epochs):
            begun, loss_sum, right = time.perf_counter(), 0.0, 0
            model.train()
            batches = data.batches(images, config.batch_size, config.augmentation, generator=order)
            for step, (x, y) in enumerate(batches):
                for group in optimiser.param_groups:
                    group["lr"] = protocols.learning_rate(config, epoch, step / steps)
                with _autocast(config, device):
                    z = forward(x.contiguous(memory_format=torch.channels_last))
                    loss = F.cross_entropy(z, y)
                optimiser.zero_grad(set_to_none=True)
                scaler.scale(loss).backward()
                scaler.step(optimiser)
                scaler.update()
                # Sums stay on the device: reading one would wait for it.
                loss_sum += loss.detach() * len(y)
                right += (z.detach().argmax(1) == y).sum()
                shown.update(len(y))
                if step % 20 == 19:
                    seen = (step + 1) * config.batch_size
                    shown.set_description_str(f"epoch {epoch + 1}/{config.epochs}", refresh=False)
                    shown.set_postfix_str(f"loss {loss_sum / seen:.3f}, {right / seen:.1%}")
            row = {
                "epoch": epoch + 1,
                "lr": protocols.learning_rate(config, epoch, (steps - 1) / steps),
                "loss": float(loss_sum) / images.n,
                "train_accuracy": float(right) / images.n,
            }
            if row["loss"] != row["loss"]:
                raise InvalidValue(
                    f"the loss is not a number in epoch {epoch + 1}: the training diverged; "
                    f"a smaller rate than lr={config.lr} may hold."
                )
            if held is not None:
                row["val_accuracy"] = accuracy(forward, held, config, device)
            row["seconds"] = round(time.perf_counter() - begun, 3)
            curve.append(row)
            states = {name: part.state_dict() for name, part in parts.items()}
            owner = {"run": run, "config": config.as_dict()}
            checkpoint.save(path, {**owner, **states, "order": order.get_state(), "curve": curve})
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
        f"{name}_accuracy": accuracy(forward, final, config, device),
        "train_accuracy": curve[-1]["train_accuracy"],
        "weights": count_weights(model),
        "macs": count_macs(model, images.size),
        "seconds": round(sum(row["seconds"] for row in curve), 3),
        "device": _describe(device),
        **records.circumstances(),
    }


@torch.no_grad()
def accuracy(model, images, config, device, batch_size=500):
    """Return the fraction of `images` that `model` classifies rightly, in evaluation mode."""
    model.eval()
    right = 0
    for x, y in data.batches(images, batch_size, shuffle=False):
        with _autocast(config, device):
            z = model(x.contiguous(memory_format=torch.channels_last))
        right += int((z.argmax(1) == y).sum())
    return right / images.n


def pick_device(device):
    """Return the torch device of a name; ``"auto"`` takes a GPU where there is one.

    Raises
    ------
    DeviceUnavailable
        If the device is not there.

    Examples
    --------
    >>> pick_device("cpu")
    device(type='cpu')
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(device)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):
        raise DeviceUnavailable(
            f"device {str(device)!r} is not available here: use 'cpu', or 'auto' for what there is."
        ) from None
    return device


def _describe(device):
    if device.type == "cuda":
        return {"type": "cuda", "name": torch.cuda.get_device_name(device)}
    return {"type": device.type, "threads": torch.get_num_threads()}


def _autocast(config, device):
    if config.precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, getattr(torch, config.precision))


def _show(progress):
    """Return the progress display: a tqdm bar, or its silent stand-in."""
    from tqdm.auto import tqdm

    live = sys.stderr.isatty() or "ipykernel" in sys.modules
    if progress is None:
        progress = live and os.environ.get("MGTUTORIAL_STATIC") != "1"

    class Bar(tqdm):
        def epoch(self, row):
            if not progress:
                return
            held = f", validation {row['val_accuracy']:.2%}" if "val_accuracy" in row else ""
            self.write(
                f"epoch {row['epoch']}: loss {row['loss']:.4f}, "
                f"training {row['train_accuracy']:.2%}{held}, {row['seconds']:.0f} s",
                file=sys.stderr,
            )

    def bar(total, initial):
        return Bar(
            total=total, initial=initial, unit=" images", unit_scale=True,
            disable=not (progress and live), dynamic_ncols=True,
        )  # fmt: skip

    return bar
