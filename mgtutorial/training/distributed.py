"""One run on many processes: data-parallel training through Lightning Fabric.

Every process holds the whole network and takes an equal part of each batch; gradients are
averaged. The batches are those that one process alone would see: same images, same
order, same augmentation. The loop is that of :mod:`mgtutorial.training.loop`; here is only what
several processes need besides.

Fabric, in the extra ``cluster``, finds out who the other processes are, whoever started
them: torchrun, ``fabric run``, srun, or this program itself.
"""

import contextlib
import copy
import logging
import os
import re
import sys
import warnings
from dataclasses import replace
from datetime import timedelta

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from .._installing import how_to_install
from ..data import images as data
from ..errors import DeviceUnavailable, InvalidValue, MgtutorialError, real
from . import loop
from .devices import from_environment
from .workspace import Workspace


def train(
    config, workspace=None, *, devices=1, nodes=1, sync_batchnorm=None, checkpoint_path=None
):  # fmt: skip
    """Train one run on several processes; each returns the record that the first one wrote.

    Parameters
    ----------
    config : TrainConfig
        ``batch_size`` is that of all processes together, a multiple of their number.
    workspace : Workspace, optional
        Its device is "auto", "cpu" or "cuda".
    devices, nodes : int
        Processes on each machine, and machines. Under torchrun, torchrun's own numbers count.
        Where nobody has started the other processes of this machine, they are started.
    sync_batchnorm : bool, optional
        Whether batch norm takes its statistics over the whole batch. None: on GPUs only.
        Where it does not, the config's ``norm_parts`` becomes the number of processes,
        and the run is a different one from that of one process.
    checkpoint_path : path, optional
        As in :func:`mgtutorial.training.train`.

    Raises
    ------
    InvalidValue
        If Fabric is not installed, the batch cannot be shared, or synchronised batch norm
        is asked for on a CPU.
    DeviceUnavailable
        And all that :func:`mgtutorial.training.train` raises, on every process.
    """
    workspace = workspace or Workspace()
    kind = _kind(workspace.device)
    if sync_batchnorm and kind == "cpu":
        raise _shared(
            InvalidValue(
                "synchronised batch norm exists on GPUs only: without it each process takes the "
                "statistics of its part of the batch, and the record says so."
            )
        )
    shown = workspace.progress is not False
    team = Team(_launched(devices, nodes, kind, shown), "ddp", sync_batchnorm)
    # The processes stay together for another run; Fabric parts them when they end.
    config = replace(config, norm_parts=team.norm_parts(config.model))
    with _parting():
        return loop.train(config, workspace, checkpoint_path=checkpoint_path, team=team)


def _kind(device):
    """Return "cpu" or "cuda"."""
    if device not in ("auto", "cpu", "cuda"):
        raise InvalidValue(
            f"device {device!r}: several processes choose their devices themselves; "
            "give cpu, cuda or auto."
        )
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceUnavailable("device 'cuda' is not available here: use 'cpu', or 'auto'.")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def _launched(devices, nodes, kind, say=True):
    """Return a launched Fabric; all processes run from here on."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about packages that are of no concern here
            from lightning_fabric import Fabric
            from lightning_fabric.strategies import DDPStrategy
    except ImportError:
        raise InvalidValue(
            "one run on several devices needs Lightning Fabric, which is not installed: "
            f"{how_to_install('cluster')}."
        ) from None
    here = from_environment("LOCAL_WORLD_SIZE")
    if here:
        everywhere = from_environment("WORLD_SIZE", here)
        if everywhere % here:
            raise InvalidValue(
                f"WORLD_SIZE={everywhere} is no multiple of LOCAL_WORLD_SIZE={here}: each machine "
                "needs the same number of processes; leave both to torchrun."
            )
        given, (devices, nodes) = devices * nodes, (here, everywhere // here)
        if given not in (1, devices * nodes):
            raise InvalidValue(
                f"{given} processes were asked for and {devices * nodes} were started: "
                "leave --devices and --nodes to torchrun."
            )
    elif kind == "cpu" and devices > (most := max(2, os.cpu_count() or 1)):
        raise InvalidValue(
            f"{devices} processes were asked for, and this machine has {most} processors: ask for "
            "as many or fewer."
        )
    if kind == "cuda" and devices > torch.cuda.device_count():
        raise DeviceUnavailable(
            f"{devices} GPUs were asked for and {torch.cuda.device_count()} are here: "
            "ask for fewer, or for --device cpu."
        )
    if "LT_PRECISION" in os.environ:
        raise InvalidValue(
            "fabric run was given a precision: give it to mgtutorial, as it belongs to the record."
        )
    from_cli = "LT_DEVICES" in os.environ  # what `fabric run` was told is in the environment
    shape = {} if from_cli else {"devices": devices, "num_nodes": nodes}
    accelerator = "auto" if "LT_ACCELERATOR" in os.environ else kind
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)  # the command says enough
    try:
        patience = timedelta(seconds=_patience())
        strategy = "auto" if "LT_STRATEGY" in os.environ else DDPStrategy(timeout=patience)
        fabric = Fabric(accelerator=accelerator, strategy=strategy, **shape)
        if not isinstance(fabric.strategy, DDPStrategy):
            raise InvalidValue(
                f"strategy {os.environ['LT_STRATEGY']!r}: only ddp is known here; leave it out."
            )
        if os.environ.get("LT_CLI_USED") != "1":  # fabric run has started them all
            _say_wait(devices * nodes, here, say)
            fabric.launch()
    except MgtutorialError:
        raise
    except (ValueError, RuntimeError, KeyError, TypeError, OSError) as error:
        raise InvalidValue(
            f"the {devices * nodes} processes of the run did not come together ({_reason(error)}): "
            "start as many as --devices and --nodes, SLURM or torchrun say; if nobody has started "
            "others, unset WORLD_SIZE, RANK, MASTER_ADDR and the variables SLURM_NTASKS*."
        ) from error
    if not from_cli and fabric.world_size != devices * nodes:
        raise _shared(
            InvalidValue(
                f"{devices * nodes} processes were asked for and {fabric.world_size} were started: "
                "give SLURM's --ntasks-per-node the number of --devices, and srun the command."
            )
        )
    _be_patient()
    return fabric


# Seconds for all processes to come together, and then for one to wait for the others' work.
_PATIENCE, _LATER = 300.0, 6 * 3600


def _patience():
    """Return the seconds to wait for the others; the environment may set another number."""
    given = os.environ.get("MGTUTORIAL_PATIENCE", "").strip()
    try:
        return real("MGTUTORIAL_PATIENCE", float(given or _PATIENCE), 1.0, 1e6)
    except ValueError:  # no number, or one out of range
        raise InvalidValue(
            f"the environment variable MGTUTORIAL_PATIENCE is {given!r}: give seconds, from 1 to a "
            "million, or unset it."
        ) from None


# What processes started by this program find in their environment, besides their WORLD_SIZE.
_STARTED_HERE = "MGTUTORIAL_STARTED_HERE"


def _say_wait(n, torchrun, say=True):
    """Say what is awaited, where other processes have to be started by somebody else."""
    if from_environment("WORLD_SIZE", 1) <= 1 and "SLURM_NTASKS" not in os.environ:
        os.environ[_STARTED_HERE] = "1"
    elif say and not torchrun and n > 1 and _STARTED_HERE not in os.environ:
        print(f"waiting for {n} processes, at most {_patience():.0f} s", file=sys.stderr)


def _be_patient():
    """Let the processes, which are together now, wait for each other as long as an epoch takes."""
    if torch.distributed.is_initialized():
        torch.distributed.distributed_c10d._set_pg_timeout(timedelta(seconds=_LATER))


def _reason(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(". ")


@contextlib.contextmanager
def _parting():
    """Say in a sentence that another process of the group is gone."""
    try:
        yield
    except RuntimeError as error:
        lost = isinstance(error, torch.distributed.DistError)
        if isinstance(error, MgtutorialError) or not (
            lost or re.search(r"gloo|nccl|connection (closed|reset)", str(error), re.IGNORECASE)
        ):
            raise
        raise InvalidValue(
            f"another process of this run is gone ({_reason(error)}): what was reached is kept, "
            "and the same command goes on from the last epoch."
        ) from error


class Team:
    """The processes of one run, as one of them sees them; the counterpart of
    :class:`mgtutorial.training.devices.SingleProcess`.

    Parameters
    ----------
    fabric : lightning_fabric.Fabric
        Launched.
    strategy : str
        Its name, for the record.
    sync_batchnorm : bool, optional
        None: on GPUs only, as torch has none for CPUs.
    """

    def __init__(self, fabric, strategy, sync_batchnorm=None):
        self.fabric, self.rank, self.size = fabric, fabric.global_rank, fabric.world_size
        self.sync = fabric.device.type == "cuda" if sync_batchnorm is None else sync_batchnorm
        self.record = {"world_size": self.size, "strategy": strategy}

    def device(self, asked):
        """Return the device of this process."""
        return self.fabric.device

    def on_first(self, f):
        """Return, or raise, on every process what `f` does on the first, which alone calls it."""
        value = error = None
        if self.rank == 0:
            try:
                value = f()
            except MgtutorialError as raised:
                error = raised
        value, error = self.fabric.broadcast((value, error))
        if error is not None:
            raise _shared(error)
        return value

    def norm_parts(self, network):
        """Return how many parts of a batch this team's batch norm takes its statistics over."""
        with torch.device("meta"):
            has_norm = any(isinstance(m, _BatchNorm) for m in network.build().modules())
        return self.size if has_norm and not self.sync else 1

    def prepare(self, module, config):
        """Return the module, its batch norm synchronised if it is to be."""
        if any(isinstance(m, _BatchNorm) for m in module.modules()):
            self.record["batch_norm"] = "synchronised" if self.sync else "per process"
            if self.sync:
                module = torch.nn.SyncBatchNorm.convert_sync_batchnorm(module)
        return module

    def share(self, images, batch_size):
        """Return the images, so that this process gets its part of each batch.

        Raises
        ------
        InvalidValue
            If the parts are not equal, or one is empty.
        """
        if batch_size % self.size:
            raise _shared(
                InvalidValue(
                    f"a batch of {batch_size} images has no {self.size} equal parts: choose a "
                    f"batch size that is a multiple of {self.size}, the number of processes."
                )
            )
        if 0 < images.n % batch_size < self.size:
            raise _shared(
                InvalidValue(
                    f"the last batch of an epoch has {images.n % batch_size} images, fewer than "
                    f"there are processes ({self.size}): use another batch size or fewer processes."
                )
            )
        return Share(images, self.rank, self.size)

    def parallel(self, network, example):
        """Return the network whose gradients are averaged over the processes.

        Parameters
        ----------
        network : torch.nn.Module
            Compiled or not.
        example : torch.Tensor
            Inputs of a batch of one.
        """
        # DDP waits for the gradient of every parameter it knows; those that the papers' code
        # carries along unused never get one, and so it must not know them.
        idle = _without_gradient(network, example)
        for p in idle:
            p.requires_grad_(False)
        forward = self.fabric.setup_module(network, move_to_device=False)
        for p in idle:
            p.requires_grad_(True)
        # "Grad strides do not match bucket view strides": costs a copy of a 1 x 1 kernel.
        warnings.filterwarnings("ignore", "Grad strides do not match", UserWarning)
        return forward

    def total(self, *values):
        """Return the sum of each tensor or number over the processes, in float64 on the CPU."""
        own = [torch.as_tensor(v, dtype=torch.float64, device=self.fabric.device) for v in values]
        return [self.fabric.all_reduce(v, reduce_op="sum").cpu() for v in own]

    def agree(self, model):
        """Raise unless all processes have the same weights, as far as their sums tell."""
        sums = [p.detach().double().sum().nan_to_num() for p in model.parameters()]
        sums = torch.stack(sums).cpu()
        (apart,) = self.total(not sums.equal(self.fabric.broadcast(sums)))
        if apart:
            raise RuntimeError(f"the weights of {apart:.0f} processes are not the first one's.")


def _shared(error):
    """Mark an error that every process of the group raises alike."""
    error.shared = True
    return error


class Share:
    """Images of which one process takes its part of each batch.

    Parameters
    ----------
    images : Images or FolderImages
    rank, size : int
        Which part, of how many.

    Examples
    --------
    >>> digits = data.load("digits", "val")
    >>> parts = [next(data.batches(Share(digits, r, 2), 8, shuffle=False))[1] for r in (0, 1)]
    >>> torch.cat(parts).equal(digits.labels[:8])
    True
    """

    def __init__(self, images, rank, size):
        self.images, self.rank, self.size = images, rank, size

    def __getattr__(self, name):
        return getattr(self.images, name)

    def _part(self, batch):
        n = len(batch)
        return batch[self.rank * n // self.size : (self.rank + 1) * n // self.size]

    def epoch(self, order, batch_size, augmentation, seed):
        """Yield this process's part of each batch: see :meth:`mgtutorial.data.Images.epoch`."""
        if isinstance(self.images, data.Images) and augmentation != "none":
            # The augmentation draws for all images of a batch together, so every process
            # augments whole batches: thus the draws are those of one process alone.
            for x, y in self.images.epoch(order, batch_size, augmentation, seed):
                yield self._part(x), self._part(y)
            return
        own = torch.cat([self._part(batch) for batch in order.split(batch_size)])
        yield from self.images.epoch(own, batch_size // self.size, augmentation, seed)


def _without_gradient(network, example):
    """Return the parameters that no loss reaches."""
    network = getattr(network, "_orig_mod", network)  # what torch.compile wraps
    twin = copy.deepcopy(network).eval()  # so that no gradients or statistics are left behind
    twin(example).sum().backward()
    pairs = zip(network.parameters(), twin.parameters(), strict=True)
    return [p for p, t in pairs if p.requires_grad and t.grad is None]
