"""The runs behind a published table: which they are, what is done of them, and doing the rest.

A run that has a record is never trained again. The command is in :mod:`mgtutorial.jobs`,
the notebooks are in :mod:`mgtutorial.execution`.
"""

from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec

from . import checkpoint, limits, protocols, records, tables, train
from .counting import count_macs
from .errors import InvalidValue, Unfinished, choose
from .execution import check, execute, notebook_of
from .models.narrow import narrowed
from .progress import Board

__all__ = ["Run", "check", "data_of", "execute", "missing", "notebook_of", "plan", "run", "survey"]

# ------------------------------------------------------------------------ what to do


def plan(table, budget, *, rows=None, seeds=(0,), data=None, root=None):
    """Return the configs of the runs that a table needs at a budget.

    For ``smoke`` the networks are narrowed (:func:`mgtutorial.models.narrow.narrowed`): it
    proves the path. The other budgets train the networks that the table counts.

    Parameters
    ----------
    table : str
        A name of :data:`mgtutorial.tables.TABLES`.
    budget : str
    rows : sequence of str, optional
        Default: every row whose network can take the images.
    seeds : sequence of int
    data : str, optional
        Default: the table's own data set; for ``smoke`` the embedded digits.
    root : path, optional
        Where the data are.

    Returns
    -------
    list of TrainConfig

    Raises
    ------
    UnknownName, DataNotFound
    InvalidValue
        If a row of `rows` has a network whose levels the images cannot carry.

    Examples
    --------
    >>> [c.data for c in plan("mgiad-table2", "smoke", rows=["mgnet-20"], seeds=[0, 1])]
    ['digits', 'digits']
    """
    return [config for _, config in planned(table, budget, rows, seeds, data, root)[0]]


def planned(table, budget, rows, seeds, data, root):
    """Return (row, config) for each run, and a sentence for each row that is left out."""
    described = tables.TABLES[choose("table", table, tables.TABLES)]
    choose("budget", budget, protocols.BUDGETS)
    for row in rows or ():
        choose(f"row of {table}", row, described.rows)
    data = data or data_of(table, budget)
    found, left_out = [], []
    for row in rows or described.rows:
        network = described.config(row)
        if budget == "smoke":
            network = narrowed(network)
        elif data != described.data:
            network = described.rows[row].config
        config = protocols.configure(network, data, budget, root=root, protocol=described.protocol)
        if data != described.data and (why := _unfit(config.model, _side(data, root))):
            if rows:
                raise InvalidValue(f"{row} cannot be trained on {data}: {why}")
            left_out.append(f"{row} is counted, not trained, on {data}: {why}")
            continue
        found += [(row, replace(config, seed=seed)) for seed in dict.fromkeys(seeds)]
    return found, left_out


@cache
def _side(data, root):
    from . import data as sets

    return sets.load(data, "test", root=root).size


@cache
def _unfit(network, size):
    """Return why a network cannot take images of a size, or None."""
    try:
        count_macs(network, size)
    except InvalidValue as error:
        return str(error)


def data_of(table, budget):
    """Return the data set of a budget: the paper's, but for ``smoke`` one that is embedded.

    Networks that halve the resolution too often for the digits' 8 x 8 pixels get synthetic images
    of 32 x 32.
    """
    described = tables.TABLES[table]
    if budget != "smoke":
        return described.data
    first = narrowed(described.config(next(iter(described.rows))))
    return "synthetic" if _unfit(first, 8) else "digits"


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
    record : dict or None
        Its record, if it is done.
    epochs : int
        So many are in its checkpoint.
    network : str
        Its name, for a reader.
    """

    config: object
    digest: str
    n: int
    size: int
    record: dict | None
    epochs: int
    network: str

    @property
    def left(self):
        """Epochs that are still to be trained."""
        return 0 if self.record else self.config.epochs - self.epochs

    def __str__(self):
        c = self.config
        return f"{self.network} on {c.data}, {c.epochs} epochs, seed {c.seed}"


def survey(configs, *, runs=None, root=None, names=None):
    """Return the :class:`Run` of each config: what is done of it, and what is left.

    Parameters
    ----------
    configs : list of TrainConfig
    runs, root : path, optional
        Folders of results and data.
    names : dict, optional
        Digest of a config -> name of its network; default: that of
        :func:`mgtutorial.tables.network_name`.

    Returns
    -------
    list of Run
        Each run once, however many configs it serves.
    """
    images, known, found = {}, {}, {}
    for c in configs:
        key = (c.data, c.split, c.n_train)
        if key not in images:  # kept by their names and numbers; the pixels may go
            those = train.training_images(c, root)
            images[key] = _Counted(those.digest, those.n, those.size)
        results = records.file_of(c.budget, runs)
        if results not in known:
            known[results] = {r.get("digest"): r for r in reversed(records.read(results))}
        run = train.run_digest(c, images[key])
        record = known[results].get(run)
        done = 0 if record else checkpoint.epochs_done(train.checkpoint_of(run, runs))
        network = (names or {}).get(name_of(c)) or tables.network_name(c.as_dict()["model"])
        found.setdefault(run, Run(c, run, images[key].n, images[key].size, record, done, network))
    return list(found.values())


@dataclass(frozen=True)
class _Counted:
    digest: str
    n: int
    size: int


def missing(configs, *, runs=None, root=None):
    """Return those configs that have no record yet."""
    return [r.config for r in survey(configs, runs=runs, root=root) if r.record is None]


# ------------------------------------------------------------------------ doing it


def run(
    configs, *, runs=None, root=None, device="auto", progress=None, time_limit=None,
    scheduler=None, workers=None, costs=None, names=None,
):  # fmt: skip
    """Train each config that has no record yet; return all their records, in their order.

    One display shows them all. Without `scheduler` and `workers` they are trained in this
    process, one after the other; only where there are several GPUs, and dask, each GPU has
    a worker (:mod:`mgtutorial.sweep`).

    Parameters
    ----------
    configs : list of TrainConfig
    runs, root : path, optional
        Folders of results and data.
    device : str
    progress : bool, optional
        Default: on a terminal and in a live notebook.
    time_limit : float or Limit, optional
        Seconds for all runs together.
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
        When all others are done, if a run failed.
    """
    surveyed = survey(configs, runs=runs, root=root, names=names)
    todo = [r for r in surveyed if r.record is None]
    limit = limits.as_limit(time_limit)
    places = {"runs": runs, "root": root, "device": device}
    if todo:
        weights = costs or {r.digest: count_macs(r.config.model, r.size) * r.n for r in todo}
        shown = {
            r.digest: (str(r), weights[r.digest] * r.left, r.epochs / r.config.epochs)
            for r in todo
        }  # fmt: skip
        with Board(shown, progress) as board, limit.listening():
            if scheduler is not None or workers is not None or _spread(todo, device):
                from . import sweep

                sweep.run(
                    [r.config for r in todo], scheduler=scheduler, workers=workers,
                    time_limit=limit, board=board, **places,
                )  # fmt: skip
            else:
                _one_after_the_other(todo, board, limit, places)
    found = {name_of(r.config): r.record for r in survey(configs, runs=runs, root=root)}
    return [found[name_of(c)] for c in configs]


def name_of(config):
    """Return the digest of a config: a key for it, whatever its fields hold."""
    return records.digest(config.as_dict())


def _one_after_the_other(todo, board, limit, places):
    done, failed, later = 0, [], None
    for r in todo:
        try:
            train.train(r.config, progress=board.bar(r.digest), time_limit=limit, **places)
        except Unfinished as error:
            raise Unfinished(f"{done} of {len(todo)} runs are done; {error}") from None
        except limits.TooShort as error:
            later = error  # an epoch of another network may be shorter
        except InvalidValue as error:  # a run that diverges costs no other
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
    from .cluster import visible_gpus

    return len(visible_gpus()) > 1
