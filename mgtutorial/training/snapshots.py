"""Weights of small networks at some epochs of their training, as files that come with the package.

``results/spectra/NAME.npz`` holds the operators `A` at a few epochs and the whole network at the
last one: convolutions in half precision, all else in single precision, no pickled object.
``experiments/train_spectra.py`` makes the files.
"""

import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .. import _atomic, _paths
from ..errors import DataDamaged, InvalidValue, choose
from ..models import registry


def available():
    """Return the names of the training runs that came with the package.

    Examples
    --------
    >>> "mgnet-20" in available()
    True
    """
    return sorted(path.stem for path in (_paths.packaged_results() / "spectra").glob("*.npz"))


def load(name):
    """Return the snapshots of a training run that came with the package.

    Raises
    ------
    UnknownName
        If there is none with this name.
    DataDamaged
        If its file is damaged.

    Examples
    --------
    >>> load("mgnet-20").epochs[0]
    0
    """
    choose("training", name, available())
    return read(_paths.packaged_results() / "spectra" / f"{name}.npz")


def read(path):
    """Return the :class:`Snapshots` in a file that :func:`save` wrote."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        about = json.loads(str(arrays.pop("about")))
    except Exception as error:  # zip, numpy and json raise many types for a damaged file
        raise DataDamaged(
            f"{path} holds no snapshots ({type(error).__name__}): restore it, or make it again "
            "with experiments/train_spectra.py."
        ) from error
    return Snapshots(about, arrays)


def save(path, about, states):
    """Write snapshots.

    Parameters
    ----------
    path : path
    about : dict
        Plain data; its ``config`` is that of the training.
    states : dict of int to dict of str to tensor
        For each epoch the entries of the network's state that are to be kept; for the last one,
        all.
    """
    arrays = {
        f"{epoch}/{name}": _small(value.detach().cpu().numpy())
        for epoch, state in states.items()
        for name, value in state.items()
    }
    text = np.array(json.dumps(about))
    path = _paths.given(path)
    _atomic.replace(path, lambda file: np.savez_compressed(file, about=text, **arrays))


def _small(value):
    return value.astype(np.float16) if value.ndim == 4 else value


@dataclass(frozen=True)
class Snapshots:
    """A training run at some of its epochs.

    Attributes
    ----------
    about : dict
        ``config``: the training's, as plain data; ``record``: the run's digest;
        ``test_accuracy``, ``seconds``; ``start``: the sum of squares of each `A` at the start.
    arrays : dict of str to array
        By epoch and qualified name, such as ``"5/levels.0.A.weight"``.
    """

    about: dict
    arrays: dict

    @cached_property
    def config(self):
        """The config of the network."""
        return registry.from_dict(self.about["config"]["model"])

    @cached_property
    def epochs(self):
        """The epochs that are there: 0, the start, to the last."""
        return (0, *sorted({int(name.split("/")[0]) for name in self.arrays}))

    @cached_property
    def start(self):
        """The network at the start, made anew from its seed as the training made it.

        Raises
        ------
        InvalidValue
            If this version of torch draws other weights from the seed.
        """
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.about["config"]["seed"])
            network = self.config.build()
        for name, size in self.about["start"].items():
            ours = float((network.get_parameter(name).detach().double() ** 2).sum())
            if abs(ours - size) > 1e-5 * size:
                raise InvalidValue(
                    f"the start of this training cannot be made again: torch {torch.__version__} "
                    f"draws another {name} from the seed; use the epochs from 1 on."
                )
        return network.eval()

    @cached_property
    def end(self):
        """The trained network after the last epoch, in evaluation mode."""
        import torch

        network = self.config.build()
        state = {name: torch.from_numpy(value) for name, value in self._at(self.epochs[-1]).items()}
        network.load_state_dict(state)
        return network.eval()

    def operators(self, epoch):
        """Return the kernels of all `A` at an epoch by qualified name, (c, c / groups, 3, 3)."""
        found = self._at(epoch)
        return {
            name.removesuffix(".weight"): value.astype(float)
            for name, value in found.items()
            if is_operator(name)
        }

    def roots(self, epoch):
        """Return the roots of a Poly-MgNet at an epoch, one array per level."""
        import torch

        network = self.config.build()
        state = {name: torch.from_numpy(value) for name, value in self._at(epoch).items()}
        network.load_state_dict(state, strict=False)
        return [np.concatenate(level.roots()) for level in network.levels]

    def _at(self, epoch):
        if epoch not in self.epochs:
            kept = ", ".join(map(str, self.epochs))
            raise InvalidValue(f"epoch {epoch!r} was not kept: give one of {kept}.")
        if epoch == 0:
            return {name: v.numpy() for name, v in self.start.state_dict().items()}
        prefix = f"{epoch}/"
        return {n.removeprefix(prefix): v for n, v in self.arrays.items() if n.startswith(prefix)}


def is_operator(name):
    """Return whether a qualified name is that of the weight of an `A`.

    Examples
    --------
    >>> is_operator("levels.0.A.weight"), is_operator("levels.0.smoothers.1.B.weight")
    (True, False)
    """
    return name.endswith(".A.weight")
