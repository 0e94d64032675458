"""What a training step takes here."""

import time

import torch
import torch.nn.functional as F

from ..models.counting import count_macs
from . import devices

# On a CPU, where larger batches gain little per image, a timed step has from 4 to 32 images,
# as many as keep it at so many multiplications forward.
_SHORT = 2e9


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
    >>> from mgtutorial.training import protocols
    >>> config = protocols.configure("mgnet-20", "digits", "smoke")
    >>> 0 < per_image(config, 8, torch.device("cpu"), least=0) < 1
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = config.model.build()
    dtype = devices.dtype_of(config)
    model = model.to(device, dtype, memory_format=torch.channels_last).train()
    n = config.batch_size
    if device.type != "cuda":
        n = min(n, max(4, min(32, int(_SHORT / count_macs(config.model, size)))))
    x = torch.zeros(n, config.model.in_channels, size, size, device=device, dtype=dtype)
    x += torch.linspace(-1, 1, n, device=device, dtype=dtype)[:, None, None, None]
    x = x.contiguous(memory_format=torch.channels_last)
    y = torch.zeros(n, dtype=torch.int64, device=device)

    def step():
        with devices.autocast(config, device):
            loss = F.cross_entropy(model(x), y)
        model.zero_grad(set_to_none=True)
        loss.backward()
        loss.item()  # wait for the device

    times = []
    with devices.exact(config, device):
        step()
        while not times or sum(times) < least:
            begun = time.perf_counter()
            step()
            times.append(time.perf_counter() - begun)
    return min(times) / n  # the fastest is the least disturbed by what else runs here
