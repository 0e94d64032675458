"""The command ``mgtutorial``: data, count, spectrum, train, reproduce, sweep, tables.

A mistake that the user can put right ends in one sentence and exit code 2, Ctrl-C in code 130, and
a run that stopped before its end, as it was told to, in code 75.
"""

import argparse
import atexit
import contextlib
import gc
import os
import signal
import sys
import warnings

from . import __version__
from ._installing import missing
from .errors import InvalidValue, MgtutorialError, MgtutorialWarning


def main(argv=None):
    """Run the command and return its exit code.

    Examples
    --------
    >>> main(["train", "--model", "mgnet-20", "--budget", "smokey"])
    2
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # a terminal that is ASCII only
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            arguments = _parser().parse_args(argv)
        except SystemExit:  # --help is an output like any other
            _flush()
            raise
        with warnings.catch_warnings():
            warnings.simplefilter("once", MgtutorialWarning)
            warnings.showwarning = _told
            arguments.run(arguments)
        _flush()
    except BrokenPipeError:  # the reader has seen enough, as in `| head`
        _forget_output()
        return 141
    except MgtutorialError as error:
        return _said(error)
    except ModuleNotFoundError as error:
        print(f"mgtutorial: {missing(error.name)}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        if argv is None:  # a process on its way out: a second Ctrl-C would only make it noisy
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        goes_on = arguments.run in (_train, _reproduce, _sweep)
        said = "the same command goes on from the last epoch." if goes_on else "nothing is kept."
        if _speaks():  # Ctrl-C reaches every process of a run
            print(f"mgtutorial: stopped; {str(stop) or said}", file=sys.stderr)
        return 130
    except OSError as error:
        _forget_output()
        what = "write the output" if error.filename is None else f"read or write {error.filename}"
        print(f"mgtutorial: cannot {what} ({error.strerror or error}).", file=sys.stderr)
        return 2
    return 0


def _flush():
    """Write out what was printed, here where a full disk can still be reported in a sentence."""
    if sys.stdout is not None:  # as `>&-` leaves it: nobody wants to read
        sys.stdout.flush()


def _forget_output():
    """Keep Python, when it ends, from writing any more to where nothing can be written."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _told(message, category, filename, lineno, file=None, line=None):
    """Print a warning as a sentence, without the line of our source that it comes from."""
    name = "" if issubclass(category, MgtutorialWarning) else f"{category.__name__}: "
    print(f"mgtutorial: {name}{message}", file=sys.stderr)


@contextlib.contextmanager
def _nothing_collected():
    """Collect no garbage: the search for it takes a third of a short command's time.

    It would run, again and again and at the end of the process, through all that was imported and
    parsed, which lives until then.
    """
    was_on = gc.isenabled()
    gc.disable()
    atexit.register(gc.freeze)
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _said(error):
    """Print an error once, however many processes share the run; return the exit code."""
    if getattr(error, "shared", False) and not _speaks():
        return 0  # the first process says it, and ends with its code
    from ._text import printable

    # it may hold names from anybody's files: no control character reaches the terminal
    lines = [printable(line, 5000) for line in str(error).splitlines()]
    print("mgtutorial: " + "\n".join(lines), file=sys.stderr)
    return error.code


def _speaks():
    rank = os.environ.get("RANK") or os.environ.get("SLURM_PROCID")
    return (rank or os.environ.get("LOCAL_RANK") or "0") == "0"


def _parser():
    parser = argparse.ArgumentParser(
        prog="mgtutorial", description="Multigrid and neural networks: data, training, tables."
    )
    parser.add_argument("--version", action="version", version=f"mgtutorial {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    data = commands.add_parser("data", help="list the data sets and how to get them")
    data.add_argument("--download", metavar="NAME", help="fetch one and check its digest")
    data.set_defaults(run=_data)

    count = commands.add_parser("count", help="count weights and multiplications exactly")
    count.add_argument("network", nargs="?", help="a named network, counted by level and role")
    count.add_argument("--table", help="one published table (default: all)")
    count.add_argument("--rows", help="comma-separated rows of the table (default: all)")
    count.add_argument("--data", help="with a network: for this data set's images and classes")
    count.add_argument("--size", type=int, help="with a network: pixels along a side")
    count.add_argument(
        "--batch-size", type=int, help="with a network: for counting the memory held (default: 128)"
    )
    count.add_argument("--format", default="table", help="table, json or csv")
    count.add_argument(
        "--write", action="store_true", help="record the present counts of every table's networks"
    )
    count.set_defaults(run=_count)

    spectrum = commands.add_parser(
        "spectrum", help="eigenvalues and singular values of a network's convolutions"
    )
    spectrum.add_argument(
        "source",
        metavar="CHECKPOINT",
        help="a checkpoint, a file of weights, a named network, or module:callable to import",
    )
    spectrum.add_argument(
        "--network", help="the network of a state_dict: a name, or module:callable to import"
    )
    spectrum.add_argument(
        "--layer",
        action="append",
        help="a layer, or a pattern such as 'levels.*.A'; may be repeated (default: all)",
    )
    spectrum.add_argument(
        "--size",
        type=int,
        help="points along a side of the periodic grid (default: 16; 8 and 4 for wide layers)",
    )
    spectrum.add_argument(
        "--singular", action="store_true", help="singular values only: quicker for wide layers"
    )
    spectrum.add_argument("--output", default=".", help="folder for figure and CSV (default: here)")
    spectrum.add_argument("--format", default="svg", help="format of the figure: svg or png")
    spectrum.set_defaults(run=_spectrum)

    train = commands.add_parser("train", help="train one network and append its record")
    train.add_argument("--model", required=True, help="a named network, such as mgnet-20")
    train.add_argument("--epochs", type=int, help="if fewer than the budget's, the run is partial")
    train.add_argument("--batch-size", type=int)
    train.add_argument("--lr", type=float, help="initial rate, or the peak of a one-cycle schedule")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument(
        "--split",
        default="train",
        help="train (all images, test set at the end) or fit (validation split, to make choices)",
    )
    train.add_argument(
        "--precision", default="float32", help="float32, bfloat16, float16 or float64"
    )
    train.add_argument(
        "--protocol",
        help="whose protocol the budget paper follows: mgiad, mgic, mgic-first, poly-mgnet",
    )
    train.add_argument("--compile", action="store_true", help="use torch.compile")
    train.add_argument(
        "--memory",
        choices=("fast", "lean"),
        help="lean keeps less for the backward pass and recomputes the rest",
    )
    train.add_argument("--checkpoint", help="path of the checkpoint (default: named after the run)")
    train.add_argument(
        "--devices", type=int, default=1, help="GPUs, or CPU processes, that share the run"
    )
    train.add_argument("--nodes", type=int, default=1, help="machines, each with as many --devices")
    train.add_argument(
        "--sync-batchnorm",
        action=argparse.BooleanOptionalAction,
        help="batch norm over the whole batch (default: on GPUs)",
    )
    train.set_defaults(run=_train)

    reproduce = commands.add_parser("reproduce", help="train and show published tables")
    reproduce.add_argument(
        "tables", nargs="*", metavar="TABLE", help="such as mgiad-table2, or all; none lists them"
    )
    reproduce.add_argument("--rows", help="comma-separated rows (default: all)")
    reproduce.add_argument("--seeds", default="0", help="comma-separated seeds (default: 0)")
    reproduce.add_argument("--dry-run", action="store_true", help="only show the plan")
    reproduce.add_argument(
        "--workers", type=int, help="train this many runs at a time (default: one for each GPU)"
    )
    reproduce.add_argument("--scheduler", help="address of a dask scheduler, e.g. tcp://host:8786")
    reproduce.set_defaults(run=_reproduce)

    sweep = commands.add_parser("sweep", help="train the runs of a plan that have no record yet")
    sweep.add_argument("--plan", required=True, metavar="CSV", help="such as experiments/plan.csv")
    sweep.add_argument("--dry-run", action="store_true", help="only show what there is to do")
    sweep.add_argument("--workers", type=int, help="train this many runs at a time")
    sweep.add_argument("--scheduler", help="address of a dask scheduler, e.g. tcp://host:8786")
    sweep.set_defaults(run=_sweep)

    tables = commands.add_parser("tables", help="check the pages against the records")
    what = tables.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="fail if a page says something else")
    what.add_argument("--write", action="store_true", help="rewrite what is made from records")
    tables.add_argument("--book", metavar="FOLDER", help="a checkout of the project")
    tables.set_defaults(run=_tables)

    for command in (train, reproduce):
        command.add_argument("--data", help="data set (default: digits, or the table's own)")
        command.add_argument("--budget", default="smoke", help="smoke, demo, short, fast or paper")
    for command in (train, reproduce, sweep):
        command.add_argument("--device", default="auto", help="cpu, cuda, or auto")
        command.add_argument(
            "--time-limit", metavar="TIME", help="stop within TIME, after a whole epoch: 9m, 1h30m"
        )
        command.add_argument("--runs", help="folder of the results files")
        command.add_argument("--quiet", action="store_true", help="no progress display")
    for command in (data, train, reproduce, sweep):
        command.add_argument("--root", help="folder of the data sets (default: MGTUTORIAL_DATA)")
    return parser


def _data(arguments):
    from .data import catalogue, sources
    from .data import images as data

    if (name := arguments.download) is not None:
        if name in catalogue.CLOUDS | catalogue.MASKS:
            how = sources.how_to_get(name, arguments.root) or "it is made when asked for"
            raise InvalidValue(f"nothing here fetches {name!r}: {how}.")
        images = data.load(name, "train", root=arguments.root, download=True)
        print(f"{images.name}: {images.n:,} training images ({images.source})")
        return
    for row in sources.available(arguments.root):
        print(f"{row.name:14} {row.state:12} {row.where}")
        if row.how:
            print(f"{'':14} {'':12} {row.how}")


@_nothing_collected()
def _count(arguments):
    from ._text import listed
    from .reproduction import count_report

    a = arguments
    of_network = [a.data is not None, a.size is not None, a.batch_size is not None]
    if any(of_network) and not a.network:
        raise InvalidValue(
            "--data, --size and --batch-size belong to a network: name one, as in mgtutorial count "
            "mgnet-20 --size 64."
        )
    if a.write:
        if a.network or a.table or a.rows is not None:
            raise InvalidValue("--write counts every table: give no network, table or rows.")
        from .reproduction import expected_counts

        print(f"written: {expected_counts.write()}")
        return
    if a.network and (a.table or a.rows is not None):
        raise InvalidValue("a network and a table were given: count one or the other.")
    if a.network:
        images = 128 if a.batch_size is None else a.batch_size
        text = count_report.of_network(a.network, a.data, a.size, images, a.format)
    else:
        text = count_report.of_tables(a.table, listed(a.rows, "rows"), a.format)
    print(text)


def _spectrum(arguments):
    from .spectra import command, written
    from .training.weights import convolutions_of

    a = arguments
    written.choose_format(a.format)
    found = convolutions_of(a.source, a.network)
    command.run(found, a.source, a.layer, a.size, not a.singular, a.output, a.format)


def _train(arguments):
    from datetime import UTC, datetime

    from .training import devices, distributed, loop, protocols

    names = "epochs batch_size lr seed split precision compile memory protocol".split()
    given = {n: value for n in names if (value := getattr(arguments, n)) is not None}
    config = protocols.configure(
        arguments.model, arguments.data or "digits", arguments.budget, root=arguments.root, **given
    )
    workspace, path = _workspace(arguments), arguments.checkpoint
    begun = datetime.now(UTC).isoformat(timespec="seconds")
    if config.precision == "float16" and devices.pick_device(arguments.device).type == "cpu":
        print("float16 on a CPU is several times as slow as float32", file=sys.stderr)
    if devices.shared(arguments.devices, arguments.nodes):
        shape = {k: getattr(arguments, k) for k in ("devices", "nodes", "sync_batchnorm")}
        record = distributed.train(config, workspace, checkpoint_path=path, **shape)
        if not _speaks():
            return
    elif arguments.sync_batchnorm:
        raise InvalidValue(
            "--sync-batchnorm: one process has nothing to synchronise; give --devices too."
        )
    else:
        record = loop.train(config, workspace, checkpoint_path=path)
    before = "recorded before, nothing was trained now: " * (record.finished < begun)
    rest = f", the weights at rest from epoch {record.at_rest}," if record.at_rest else ""
    print(
        f"{before}{arguments.model} on {config.data} ({record.data.source}), "
        f"budget {config.budget}{', partial' if record.partial else ''}: "
        f"{record.metric} after {record.epochs} epochs{rest} "
        f"({record.weights:,} weights, {record.seconds:.0f} s, run {record.digest})\n"
        f"record: {workspace.results_of(config)}"
    )


def _reproduce(arguments):
    from ._text import listed, seeds_of
    from .reproduction.command import Request, reproduce
    from .reproduction.papers.catalogue import MADE_BY_NOTEBOOK
    from .reproduction.tables import TABLES

    if not arguments.tables:
        if arguments.rows is not None:
            raise InvalidValue("rows were given without their table: name it, too.")
        titles = {name: table.title for name, table in TABLES.items()}
        for name, title in (titles | MADE_BY_NOTEBOOK).items():
            print(f"{name:28} {title}")
        return
    reproduce(
        Request(
            names=tuple(arguments.tables),
            budget=arguments.budget,
            rows=None if arguments.rows is None else tuple(listed(arguments.rows, "rows")),
            seeds=tuple(seeds_of(arguments.seeds)),
            data=arguments.data,
            scheduler=arguments.scheduler,
            workers=arguments.workers,
            dry_run=arguments.dry_run,
            workspace=_workspace(arguments),
        )
    )


def _sweep(arguments):
    from .sweeps.plan import sweep

    a = arguments
    sweep(a.plan, _workspace(a), workers=a.workers, scheduler=a.scheduler, dry_run=a.dry_run)


@_nothing_collected()
def _tables(arguments):
    from .reproduction import status_page

    if arguments.write:
        print("\n".join(f"written: {path}" for path in status_page.write(arguments.book)))
    elif found := status_page.contradictions(arguments.book):
        raise InvalidValue("the pages and the records differ:\n" + "\n".join(found))
    else:
        print("The pages say what the records say.")


def _workspace(arguments):
    from . import _text
    from .training.workspace import Workspace

    a = arguments
    limit = None if a.time_limit is None else _text.seconds(a.time_limit)
    return Workspace(a.runs, a.root, a.device, False if a.quiet else None, limit)
