"""What a run will cost here: from a run like it, else from a few timed steps.

An estimate serves a plan and a progress bar; nothing else depends on it.
"""

import contextlib
from dataclasses import dataclass, replace
from statistics import median

import torch

from ..errors import MgtutorialError
from ..models.config import NetworkConfig, as_dict
from ..models.counting import count_macs
from ..training import records
from ..training.timing import per_sample


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


def estimated_costs(configs, images, past, device):
    """Estimate what runs will cost on a device.

    Parameters
    ----------
    configs : list of TrainConfig
    images : list
        For each config its training images: ``n`` and ``size`` are read.
    past : list of Record
        A record of the same network, on the same data set, with the same precision and kind
        of device, gives the measured cost; several give their median.
    device : torch.device

    Returns
    -------
    list of Cost
        For a network without such a record, estimated from its multiplications, at the speed at
        which a middling network of its kind among these trains here for half a second.
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
    kinds = {type(config.model).__name__ for config in configs}
    alike = [r for r in past if r.choices["model"].get("kind") in kinds]
    measured = _measured(alike, device)
    for config, those in zip(configs, images, strict=True):
        if seen := measured.get(_key(config)):
            runs = sorted(run for _, run in seen)
            basis = f"measured: run {runs[0]}" + (f" and {len(runs) - 1} more" if runs[1:] else "")
            found.append(Cost(median(s for s, _ in seen) * those.n, basis))
            continue
        kind = like(config, those.size)
        if kind not in speeds:
            same = [
                c for c, i in zip(configs, images, strict=True)
                if like(c, i.size) == kind and _key(c) not in measured
            ]  # fmt: skip
            middle = sorted(same, key=lambda c, size=those.size: macs(c, size))[len(same) // 2]
            speeds[kind] = macs(middle, those.size) / per_sample(middle, those.size, device)
        each = macs(config, those.size)
        basis = (
            f"estimated: {each / 1e6:.1f} M multiplications an image, "
            f"{speeds[kind] / 1e9:.2f} G/s in a timed step"
        )
        found.append(Cost(each * those.n / speeds[kind], basis))
    return found


def _key(config):
    """Return what two runs have in common that cost the same for each image on one device."""
    law = NetworkConfig.initial_weights  # where weights start makes no difference to the cost
    model = as_dict(replace(config.model, initial_weights=law))
    return records.digest([model, config.data, config.precision, config.compile, config.memory])


def _measured(past, device):
    """Return for each kind of run the (seconds per image, run) of its records."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    found = {}
    for r in past:
        if (r.device.type, r.device.name) == (device.type, name) and r.world_size == 1:
            each = r.seconds / (len(r.curve) * r.data.n)
            with contextlib.suppress(MgtutorialError):  # a network of another version
                found.setdefault(_key(r.config), []).append((each, r.digest))
    return found
