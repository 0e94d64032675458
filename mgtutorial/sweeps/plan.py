"""A plan of runs as a file: which are wanted, in what order, at what cost.

A plan is a CSV file with one line per run and the columns :data:`COLUMNS`. It names runs, not
results: what has a record is done, whoever trained it; the rest is taken in the plan's order.
"""

import csv
from dataclasses import replace
from typing import NamedTuple

from .. import _text
from ..data import catalogue
from ..errors import DataNotFound, InvalidValue, MgtutorialError, choose
from ..models import registry
from ..training import devices, protocols
from ..training.workspace import Workspace
from .runs import name_of, run, survey

#: The columns of a plan; ``changes`` and ``gpu_minutes`` may be empty.
COLUMNS = (
    "priority", "network", "changes", "data", "budget", "protocol", "seed", "hours",
    "gpu_minutes", "why",
)  # fmt: skip


class Planned(NamedTuple):
    """One run of a plan.

    Attributes
    ----------
    priority : int
        The smaller, the sooner.
    name : str
        The network and what is changed in it.
    config : TrainConfig
    hours : float
        Estimated, on one thread of a CPU.
    gpu_minutes : float or None
        Estimated, on a GPU; None: not meant for one.
    why : str
        What the run is for.
    """

    priority: int
    name: str
    config: object
    hours: float
    gpu_minutes: float | None
    why: str


def read_plan(path, root=None):
    """Return the runs of a plan, the most urgent first; lines of equal priority in their order.

    Parameters
    ----------
    path : path
        That of the CSV file. Its column ``changes`` has fields of the network's config, as in
        ``group_size=4 correction=fas``; values are Python literals, or words.
    root : path, optional
        Where the data are; none are read.

    Returns
    -------
    list of Planned

    Raises
    ------
    InvalidValue
        With the number of the line, if there is no such file, a column is missing, or a value is
        not allowed; also if two lines are the same run.

    Book: reproduction, reproduction-plan
    """
    found, seen, read = [], {}, 0
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:  # Excel begins with a mark
            lines = csv.DictReader(file, strict=True)
            if missing := [c for c in COLUMNS if c not in (lines.fieldnames or ())]:
                raise InvalidValue(f"{path} is no plan: it has no column {missing[0]!r}.")
            for column in lines.fieldnames:
                if column not in COLUMNS:
                    raise InvalidValue(f"{path}: nobody reads the column {column!r} of a plan.")
            if len(lines.fieldnames) > len(COLUMNS):
                raise InvalidValue(f"{path} is no plan: it has a column twice.")
            read = lines.line_num
            for line in lines:
                read = lines.line_num
                found.append(_planned(line, f"{path}, line {read}", root))
                before = seen.setdefault(name_of(found[-1].config), read)
                if before != read:
                    raise InvalidValue(
                        f"{path}, line {read}: this run is on line {before} as well."
                    )
    except csv.Error as error:
        raise InvalidValue(
            f"{path}, line {read + 1}: this is no line of a CSV file ({error}); look at its quotes."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidValue(f"cannot read the plan {path} ({reason}): give a CSV file.") from None
    return sorted(found, key=lambda planned: planned.priority)


def _planned(line, place, root):
    if None in line:
        raise InvalidValue(f"{place}: it has more values than there are columns.")
    line = {column: line[column] or "" for column in COLUMNS}  # a short line lacks the last ones
    try:
        choose("data set", line["data"], catalogue.NAMES)
        choose("network", line["network"], registry.CONFIGS)
        info = catalogue.info(line["data"]).at(root)
        network = registry.CONFIGS[line["network"]].for_data_set(info)
        network = registry.changed(network, line["changes"])  # before a budget looks at it
        if network != network.with_ends(info):
            raise InvalidValue("changes: in_channels and num_classes are those of the data set.")
        config = protocols.configure(
            network, line["data"], line["budget"], root=root,
            seed=_number(line, "seed", int), protocol=line["protocol"] or "mgiad",
        )  # fmt: skip
        config = replace(config, model=registry.changed(config.model, line["changes"]))  # and after
        name = " ".join([line["network"], *line["changes"].split()])
        minutes = _number(line, "gpu_minutes", float) if line["gpu_minutes"] else None
        return Planned(
            _number(line, "priority", int), name, config, _number(line, "hours", float), minutes,
            line["why"],
        )  # fmt: skip
    except MgtutorialError as error:
        raise InvalidValue(f"{place}: {error}") from None


def _number(line, column, kind):
    try:
        if kind is int and not line[column].isdecimal():  # int() takes 1_0 as well
            raise ValueError
        value = kind(line[column])
        if 0 <= value < float("inf"):
            return value
    except (ValueError, TypeError):
        pass
    raise InvalidValue(f"{column}={line[column]!r}: give a number, at least 0.")


def sweep(path, workspace=None, *, workers=None, scheduler=None, dry_run=False, say=print):
    """Train the runs of a plan that have no record yet, in the plan's order.

    On a GPU only the lines with ``gpu_minutes`` count, as many as fit into the time limit.

    Parameters
    ----------
    path : path
        That of the plan: see :func:`read_plan`.
    workspace : Workspace, optional
        Its time limit is that of all runs together.
    workers, scheduler
        As in :func:`mgtutorial.sweeps.run`.
    dry_run : bool
        Only say what would be done.
    say : callable
        Called with each line for the reader.

    Raises
    ------
    InvalidValue
        If the plan cannot be read; or, once all other runs are done, if a run failed.
    Unfinished
        If the time limit, or a SIGTERM, came before the end.

    Book: reproduction, reproduction-plan
    """
    workspace = workspace or Workspace()
    if workspace.time_limit is not None:
        workspace = replace(workspace, time_limit=workspace.limit)  # which begins here
    planned = _at_hand(read_plan(path, workspace.root), workspace, say)
    names = {name_of(p.config): p.name for p in planned}
    by_digest = {name_of(p.config): p for p in planned}
    todo = [
        (r, by_digest[name_of(r.config)])
        for r in survey([p.config for p in planned], workspace, names=names)
        if r.record is None
    ]
    say(f"{path}: {len(planned)} runs, {len(todo)} to do")
    if devices.pick_device(workspace.device).type == "cuda":
        todo = _fitting(todo, workspace.limit.left if workspace.time_limit else None)
        minutes = sum(p.gpu_minutes for _, p in todo)
        say(f"on this GPU: {len(todo)} of them, {minutes:.0f} min estimated")
    for r, p in todo:
        share = r.left / r.config.epochs
        part = f", {r.epochs} epochs of them done" if r.epochs else ""
        say(f"  {p.priority:>3}  {r}, budget {r.config.budget}{part}: "
            f"{_text.estimate(3600 * p.hours * share)} on a CPU thread")  # fmt: skip
    if todo and not dry_run:
        records = run(
            [r.config for r, _ in todo], workspace, scheduler=scheduler, workers=workers,
            costs={r.digest: 3600 * p.hours / r.config.epochs for r, p in todo}, names=names,
        )  # fmt: skip
        for (r, _), record in zip(todo, records, strict=True):
            took = _text.duration(record.seconds)
            say(f"{r}: {record.metric} ({took}, run {record.digest})")
        say(f"records: {workspace.folder}")


def _at_hand(planned, workspace, say):
    """Return the runs whose data are here; say which data sets are not."""
    found, lacking = [], {}
    for p in planned:
        data = p.config.data
        if data not in lacking:
            try:
                p.config.task(workspace.root).training()
                lacking[data] = None
            except DataNotFound as error:
                lacking[data] = error
                say(f"{data}: its runs are left out, as {error}")
        if lacking[data] is None:
            found.append(p)
    return found


def _fitting(todo, seconds):
    """Return the runs meant for a GPU, in order, as many as fit into so many seconds."""
    left = float("inf") if seconds is None else seconds / 60
    found = []
    for r, p in todo:
        if p.gpu_minutes is not None and p.gpu_minutes <= left:
            left -= p.gpu_minutes
            found.append((r, p))
    return found
