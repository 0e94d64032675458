"""The runs of a plan: how much of each is done, and doing the rest.

A run that has a record is never trained again.
"""

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import NamedTuple

from ..data import catalogue
from ..errors import (
    InvalidValue,
    LockUnavailable,
    MgtutorialError,
    RecordsUnwritable,
    Unfinished,
    whole,
)
from ..models import registry
from ..models.counting import count_macs
from ..training import loop, records, time_limits
from ..training.progress import Board
from ..training.workspace import Workspace, epochs_done


@dataclass(frozen=True)
class Run:
    """One run of a plan.

    Attributes
    ----------
    config : TrainConfig
    digest : str
    n : int
        Training images.
    size : int
        Their side.
    record : Record or None
        Its record, if it is done.
    epochs : int
        How many are in its checkpoint.
    network : str
        Its name, for a reader.
    """

    config: object
    digest: str
    n: int
    size: int
    record: object
    epochs: int
    network: str

    @property
    def left(self):
        """Epochs that are still to be trained."""
        return 0 if self.record else self.config.epochs - self.epochs

    def __str__(self):
        c = self.config
        return f"{self.network} on {c.data}, {c.epochs} epochs, seed {c.seed}"


def survey(configs, workspace=None, *, names=None):
    """Return the :class:`Run` of each config: how much of it is done, and what is left.

    Parameters
    ----------
    configs : list of TrainConfig
    workspace : Workspace, optional
        Folders of results and data.
    names : dict, optional
        Digest of a config -> name of its network; default: that of
        :func:`mgtutorial.models.name_of`.

    Returns
    -------
    list of Run
        Each run once, however many configs it serves.
    """
    workspace = workspace or Workspace()
    images, known, found = {}, {}, {}
    for c in configs:
        key = (c.data, c.split, c.n_train)
        if key not in images:
            images[key] = _counted(c, workspace)
        results = workspace.results_of(c)
        if results not in known:
            known[results] = {r.digest: r for r in records.read(results)}
        run = records.run_digest(c, images[key])
        record = known[results].get(run)
        done = 0 if record else epochs_done(workspace.checkpoint_of(run))
        network = (names or {}).get(name_of(c)) or registry.name_of(c.model)
        found.setdefault(run, Run(c, run, images[key].n, images[key].size, record, done, network))
    return list(found.values())


class _Counted(NamedTuple):
    """Training images by their name and numbers alone, so that their pixels may go."""

    digest: str
    n: int
    size: int


_MADE = {}  # those without files: while Python runs, what a function makes stays what it is


def _counted(config, workspace):
    key = (config.data, config.split, config.n_train)
    if key in _MADE:
        return _MADE[key]
    task = config.task(workspace.root)
    task.progress = workspace.progress
    those = task.training()
    found = _Counted(those.digest, those.n, those.size)
    if config.data in catalogue.SETS and not catalogue.info(config.data).in_files:
        _MADE[key] = found
    return found


def missing(configs, workspace=None):
    """Return those configs that have no record yet."""
    return [r.config for r in survey(configs, workspace) if r.record is None]


def run(configs, workspace=None, *, scheduler=None, workers=None, costs=None, names=None):
    """Train each config that has no record yet; return all their records, in their order.

    One display shows them all. Without `scheduler` and `workers` they are trained in this
    process, one after the other; but where there are several GPUs, and dask, each GPU has
    a worker (:mod:`mgtutorial.sweeps.driver`).

    Parameters
    ----------
    configs : list of TrainConfig
    workspace : Workspace, optional
        Its time limit is that of all runs together.
    scheduler : str, optional
        Address of a dask scheduler.
    workers : int, optional
        Of a cluster on this machine.
    costs : dict, optional
        Digest -> estimated seconds of an epoch, for the display; default: multiplications.
    names : dict, optional
        As in :func:`survey`.

    Raises
    ------
    Unfinished
        If the time limit, or a SIGTERM, came before the end.
    InvalidValue
        Once all other runs are done, if a run failed.
    """
    if workers is not None:
        whole("workers", workers)  # at least one has to do the work
    workspace = workspace or Workspace()
    surveyed = survey(configs, workspace, names=names)
    todo = [r for r in surveyed if r.record is None]
    limit = workspace.limit
    if todo:
        weights = costs or {r.digest: count_macs(r.config.model, r.size) * r.n for r in todo}
        shown = {
            r.digest: (str(r), weights[r.digest] * r.left, r.epochs / r.config.epochs)
            for r in todo
        }  # fmt: skip
        with Board(shown, workspace.progress) as board, limit.listening():
            if scheduler is not None or workers is not None or _spread(todo, workspace.device):
                from . import driver

                driver.run(
                    [r.config for r in todo], replace(workspace, time_limit=limit),
                    scheduler=scheduler, workers=workers, board=board,
                )  # fmt: skip
            else:
                _one_after_the_other(todo, board, replace(workspace, time_limit=limit))
    found = {name_of(r.config): r.record for r in survey(configs, workspace)}
    return [found[name_of(c)] for c in configs]


def name_of(config):
    """Return the digest of a config: a key for it, whatever its fields hold."""
    return records.digest(config.as_dict())


def _one_after_the_other(todo, board, workspace):
    done, failed, later = 0, [], None
    for r in todo:
        try:
            loop.train(r.config, replace(workspace, progress=board.bar(r.digest)))
        except Unfinished as error:
            raise Unfinished(f"{done} of {len(todo)} runs are done; {error}") from None
        except time_limits.TooShort as error:
            later = error  # an epoch of another network may be shorter
        except (RecordsUnwritable, LockUnavailable):
            raise  # so would the others end, each after an epoch
        except MgtutorialError as error:  # a run that diverges, or a damaged checkpoint: its own
            failed.append(f"{r}: {error}")
        else:
            done += 1
            board.set(r.digest, 1.0)
    if failed:
        raise InvalidValue(f"{len(failed)} of {len(todo)} runs failed: {'; '.join(failed)}")
    if later is not None:
        raise later


def _spread(todo, device):
    """Return whether there is a reason to spread runs over GPUs, and the means."""
    if len(todo) < 2 or device not in ("auto", "cuda") or find_spec("distributed") is None:
        return False
    from .workers import visible_gpus

    return len(visible_gpus()) > 1
