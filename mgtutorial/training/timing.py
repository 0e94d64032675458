"""How long a training step takes here."""

import torch

from . import devices

# On a CPU, where larger batches gain little per sample, a timed step has from 4 to 32 samples,
# as many as keep it to this many multiplications forward.
_SHORT = 2e9


def per_sample(config, size, device, least=0.5):
    """Return the seconds that training takes for each sample, timed on steps of this network.

    Parameters
    ----------
    config : TrainConfig or another
    size : int or None
        Height and width of the images, if it learns from images.
    device : torch.device
    least : float
        Seconds of timing; a warm-up step comes before it.

    Examples
    --------
    >>> from mgtutorial.training import protocols
    >>> config = protocols.configure("mgnet-20", "digits", "smoke")
    >>> 0 < per_sample(config, 8, torch.device("cpu"), least=0) < 1
    True
    """
    from torch.utils.benchmark import Timer  # takes a tenth of a second, and few time anything

    task = config.task(device=device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = config.model.build()
    n = config.batch_size
    if device.type != "cuda" and (macs := task.macs(model, size)):
        n = min(n, max(4, min(32, int(_SHORT / macs))))
    model = task.ready(model).train()
    x, y = task.example(n, size)

    def step():
        with devices.autocast(config, device):
            loss = task.loss(model(x), y)
        model.zero_grad(set_to_none=True)
        loss.backward()
        loss.item()  # wait for the device

    # Timer's own default is one thread.
    timer = Timer("step()", globals={"step": step}, num_threads=torch.get_num_threads())
    with devices.exact(config, device):
        step()
        # The fastest is the least disturbed by what else runs here.
        return min(timer.blocked_autorange(min_run_time=least).times) / n
