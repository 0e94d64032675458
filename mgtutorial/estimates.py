"""What a run will cost here: from a run like it, else from a few timed steps.

An estimate serves a plan and a bar; nothing else depends on it.
"""

import contextlib
import time
from dataclasses import dataclass
from statistics import median

import torch
import torch.nn.functional as F

from . import models, records, train
from .counting import count_macs
from .errors import MgtutorialError

# On a CPU, where larger batches gain little per image, a timed step has from 4 to 32 images,
# as many as keep it at so many multiplications forward.
_SHORT = 2e9


@dataclass(frozen=True)
class Cost:
    """The estimated cost of a run.

    Attributes
    ----------
    epoch : float
        Seconds of one epoch.
    basis : str
        Where the number comes from, for a reader.
    """

    epoch: float
    basis: str


def per_image(config, size, device, least=0.5):
    """Return the seconds that training takes for each image, timed on steps of this network.

    Parameters
    ----------
    config : TrainConfig
    size : int
        Height and width of the images.
    device : torch.device
    least : float
        Seconds of timing; a warm-up step comes before it.

    Examples
    --------
    >>> from mgtutorial import protocols
    >>> config = protocols.configure("mgnet-20", "digits", "smoke")
    >>> 0 < per_image(config, 8, torch.device("cpu"), least=0) < 1
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = config.model.build()
    dtype = train.dtype_of(config)
    model = model.to(device, dtype, memory_format=torch.channels_last).train()
    n = config.batch_size
    if device.type != "cuda":
        n = min(n, max(4, min(32, int(_SHORT / count_macs(config.model, size)))))
    x = torch.zeros(n, config.model.in_channels, size, size, device=device, dtype=dtype)
    x += torch.linspace(-1, 1, n, device=device, dtype=dtype)[:, None, None, None]
    x = x.contiguous(memory_format=torch.channels_last)
    y = torch.zeros(n, dtype=torch.int64, device=device)

    def step():
        with train.autocast(config, device):
            loss = F.cross_entropy(model(x), y)
        model.zero_grad(set_to_none=True)
        loss.backward()
        loss.item()  # wait for the device

    step()
    times = []
    while not times or sum(times) < least:
        begun = time.perf_counter()
        step()
        times.append(time.perf_counter() - begun)
    return min(times) / n  # the fastest is the least disturbed by what else runs here


def costs(configs, images, past, device):
    """Estimate what runs cost on a device.

    Parameters
    ----------
    configs : list of TrainConfig
    images : list
        For each config its training images: ``n`` and ``size`` are read.
    past : list of dict
        Records: one of the same network, on the same data set, precision and kind of
        device measures the cost; the median of several.
    device : torch.device

    Returns
    -------
    list of Cost
        For a network without such a record: its multiplications, at the speed at which
        a middling network of its kind among these trains here for half a second.
    """
    speeds = {}  # kind of network, size, ... -> multiplications a second
    sizes = {}

    def macs(config, size):
        key = (config.model, size)
        if key not in sizes:
            sizes[key] = count_macs(config.model, size)
        return sizes[key]

    def like(config, size):
        return type(config.model), size, config.precision, config.batch_size

    found = []
    measured = _measured(past, device)
    for config, those in zip(configs, images, strict=True):
        if seen := measured.get(_key(config.as_dict())):
            runs = sorted(run for _, run in seen)
            basis = f"measured: run {runs[0]}" + (f" and {len(runs) - 1} more" if runs[1:] else "")
            found.append(Cost(median(s for s, _ in seen) * those.n, basis))
            continue
        kind = like(config, those.size)
        if kind not in speeds:
            same = [
                c for c, i in zip(configs, images, strict=True)
                if like(c, i.size) == kind and _key(c.as_dict()) not in measured
            ]  # fmt: skip
            middle = sorted(same, key=lambda c, size=those.size: macs(c, size))[len(same) // 2]
            speeds[kind] = macs(middle, those.size) / per_image(middle, those.size, device)
        each = macs(config, those.size)
        basis = (
            f"estimated: {each / 1e6:.1f} M multiplications an image, "
            f"{speeds[kind] / 1e9:.2f} G/s in a timed step"
        )
        found.append(Cost(each * those.n / speeds[kind], basis))
    return found


def _key(plain):
    """Return what two runs share that cost the same for each image, on one device."""
    model = models.as_dict(models.from_dict(plain["model"]))  # fields that are new are filled in
    return records.digest([model, *(plain[k] for k in ("data", "precision", "compile"))])


def _measured(past, device):
    """Return for each kind of run the (seconds an image, run) of its records."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    found = {}
    for r in past:
        where = r["device"]
        if (where["type"], where.get("name")) == (device.type, name) and "world_size" not in r:
            each = r["seconds"] / (r["epochs"] * r["data"]["n"])
            with contextlib.suppress(MgtutorialError):  # a network of another version
                found.setdefault(_key(r["config"]), []).append((each, r["digest"]))
    return found
