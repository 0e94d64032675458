"""What ``mgtutorial reproduce`` does: plan, train what is missing, execute, show."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from .. import _paths, _text
from ..errors import DataNotFound, InvalidValue, choose
from ..sweeps import costs as estimates
from ..sweeps.runs import name_of, run, survey
from ..training import devices, records, time_limits
from ..training.workspace import Workspace
from . import comparison, expected_counts, notebooks, planning, rendering
from .papers.catalogue import MADE_BY_NOTEBOOK
from .tables import TABLES


@dataclass(frozen=True)
class Request:
    """What the command was asked for; :func:`reproduce` carries it out."""

    names: tuple
    budget: str = "smoke"
    rows: tuple | None = None
    seeds: tuple = (0,)
    data: str | None = None
    workspace: Workspace = field(default_factory=Workspace)
    scheduler: str | None = None
    workers: int | None = None
    dry_run: bool = False


def reproduce(request, say=print):
    """Plan, train, execute and show the tables of a request.

    Parameters
    ----------
    request : Request
    say : callable
        Called with each line for the reader.

    Raises
    ------
    UnknownName, InvalidValue, DataNotFound, Unfinished
    """
    workspace = request.workspace
    if workspace.time_limit is not None:
        workspace = replace(workspace, time_limit=workspace.limit)  # which begins here
    configs, names, rows_of, planned = {}, {}, {}, {}
    for name, rows in _chosen(request, say):
        if name in MADE_BY_NOTEBOOK:
            configs[name] = []
            continue
        try:
            plan = planning.plan(
                name, request.budget, rows=rows, seeds=request.seeds, data=request.data,
                root=workspace.root,
            )  # fmt: skip
        except DataNotFound as error:
            if request.names != ("all",):
                raise
            say(f"{name}: left out, as {error}")
            continue
        for sentence in plan.left_out:
            say(f"{name}: {sentence}")
        configs[name], planned[name] = plan.configs, plan.rows
        rows_of[name] = rows
        for row, config in zip(plan.rows, plan.configs, strict=True):
            names.setdefault(name_of(config), row + " narrowed" * (request.budget == "smoke"))
    every = [c for those in configs.values() for c in those]
    surveyed = survey(every, workspace, names=names)
    costs = _costs(request, surveyed, workspace.time_limit)
    _shown(request, configs, surveyed, costs, say)
    _in_time(costs, workspace.time_limit)
    if request.dry_run:
        return
    to_do = {name_of(r.config) for r in surveyed if r.record is None}
    for name, those in configs.items():  # before hours are spent
        notebooks.check_notebook(name, notebooks.folder(workspace))
        if to_do & set(map(name_of, those)):
            expected_counts.check(name, rows_of[name])
    done = run(
        every, workspace, scheduler=request.scheduler, workers=request.workers,
        costs={run: cost.epoch for run, cost in costs.items()}, names=names,
    )  # fmt: skip
    found = dict(zip(map(name_of, every), done, strict=True))
    own = {name: [found[name_of(c)] for c in those] for name, those in configs.items()}
    with ThreadPoolExecutor(request.workers or 1) as pool:  # the work is done by their kernels
        executed = {name: pool.submit(_execute, request, name, own[name]) for name in own}
        for name, (path, now) in ((name, job.result()) for name, job in executed.items()):
            _show(request, name, planned.get(name), own[name], path, say)
            say(f"executed notebook: {path}" + ("" if now else " (nothing has changed since)"))


def _chosen(request, say):
    """Return (table, its rows) for each table that is to be made."""
    if request.names == ("all",):
        names, absent = [], []
        for name in (*TABLES, *MADE_BY_NOTEBOOK):
            try:
                notebooks.notebook_of(name)
            except InvalidValue:
                absent.append(name)
            else:
                names.append(name)
        if not names:
            notebooks.notebook_of(absent[0])  # raises, and says what a wheel lacks
        for name in absent:
            say(f"{name}: no notebook yet")
    else:
        known = [*TABLES, *MADE_BY_NOTEBOOK, "all"]
        names = [choose("table", n, known) for n in dict.fromkeys(request.names)]
        if "all" in names:
            raise InvalidValue("'all' stands for every table: give it alone.")
    if request.rows is None:
        return [(name, None) for name in names]
    names = [name for name in names if name in TABLES]
    if not names:
        raise InvalidValue(f"{request.names[0]} is made as a whole: it has no rows to choose from.")
    if len(names) == 1:
        return [(names[0], request.rows)]
    known = {row: None for name in names for row in TABLES[name].rows}
    for row in request.rows:
        choose("row", row, known)
    parts = ((n, tuple(r for r in request.rows if r in TABLES[n].rows)) for n in names)
    return [(name, rows) for name, rows in parts if rows]


def _costs(request, surveyed, limit):
    """Return the estimated cost of each run that is to be done, by its digest.

    Runs of ``smoke`` take seconds, and an estimate would take as long: they get none, unless a
    time limit needs it.
    """
    todo = [r for r in surveyed if r.record is None]
    if request.budget == "smoke" and limit is None:
        return {}
    past = records.all_runs()
    if request.workspace.runs:
        past += records.read(request.workspace.folder)
    device = devices.pick_device(request.workspace.device)
    found = estimates.estimated_costs([r.config for r in todo], todo, past, device)
    return dict(zip((r.digest for r in todo), found, strict=True))


def _shown(request, configs, surveyed, costs, say):
    """Show the plan and what it costs."""

    def cost(runs):
        if not costs:
            return "not timed"
        return _text.estimate(sum(costs[r.digest].epoch * r.left for r in runs))

    by_name = {name_of(r.config): r for r in surveyed}
    for name, those in configs.items():
        if name in MADE_BY_NOTEBOOK:
            say(f"{name}: made by its notebook as a whole")
            continue
        own = [by_name[name_of(c)] for c in those]
        left = [r for r in own if r.record is None]
        on = f" on one {_worker(request)}" if costs else ""
        text = f", {cost(left)}{on}" if left else ""
        say(f"{name}, budget {request.budget}: {len(own)} runs, {len(left)} to do{text}")
        for r in left:
            part = f", {r.epochs} of them done" if r.epochs else ""
            basis = f": {cost([r])} ({costs[r.digest].basis})" if costs else ""
            say(f"  {r}{part}{basis}")
    todo = [r for r in surveyed if r.record is None]
    if todo and len(configs) > 1:
        say(f"together: {len(todo)} runs to do, {cost(todo)}; what tables share is trained once")


def _in_time(costs, limit):
    """Raise if no run has an epoch that fits into the time limit."""
    if costs and limit and (shortest := min(c.epoch for c in costs.values())) > limit.left:
        raise time_limits.TooShort(
            f"a time limit of {_text.exactly(limit.seconds)} is too short for one epoch of any "
            f"of these runs ({_text.estimate(shortest)}): nothing was started; give a "
            "longer one."
        )


def _worker(request):
    device = devices.pick_device(request.workspace.device)
    return "GPU" if device.type == "cuda" else "process"


def _execute(request, name, found):
    """Execute a table's notebook if something is new; return its path and whether it was run."""
    at, place = request.workspace, notebooks.folder(request.workspace)
    if at.progress is not False:
        print(f"{name}: its notebook, unless nothing has changed ...", file=sys.stderr)
    if name in MADE_BY_NOTEBOOK:
        return notebooks.run_if_changed(name, {"budget": request.budget}, [], place)
    given = {"budget": request.budget, "seeds": list(request.seeds), "data": request.data,
             "rows": _rows_of(request, name)}  # fmt: skip
    places = {k: str(_paths.given(v).absolute()) for k in ("runs", "root") if (v := getattr(at, k))}
    given = {k: v for k, v in given.items() if v is not None} | places
    if at.device != "auto":
        given["device"] = at.device
    return notebooks.run_if_changed(name, given, found, place)


def _rows_of(request, name):
    return [r for r in request.rows if r in TABLES[name].rows] if request.rows else None


def _show(request, name, rows, found, path, say):
    if name in MADE_BY_NOTEBOOK:
        say(notebooks.table_of(path))
    elif request.budget == "smoke":
        say(rendering.trials(comparison.trains(rows, found)))
    else:
        say(rendering.text(comparison.compare(name, found, _rows_of(request, name))))
