"""The command ``mgtutorial``: data, count, spectrum, train, reproduce, tables.

A mistake that the user can mend ends in one sentence and exit code 2; Ctrl-C in 130; a run
that stopped before its end, as it was told to, in 75.
"""

import argparse
import contextlib
import os
import sys

from . import __version__
from .errors import InvalidValue, MgtutorialError


def main(argv=None):
    """Run the command and return its exit code.

    Examples
    --------
    >>> main(["train", "--model", "mgnet-20", "--budget", "smokey"])
    2
    """
    arguments = _parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # a terminal that is ASCII only
            stream.reconfigure(errors="backslashreplace")
    try:
        arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except MgtutorialError as error:
        return _said(error)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        package = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "pyyaml"}.get(
            package, package
        )
        # advice to install is given for what the project asks for, not for any word
        advice = f": type: pip install {package}" if package in _asked_for() else ""
        print(
            f"mgtutorial: the package {package} is needed for this and is not installed{advice}.",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt as stop:
        goes_on = arguments.run in (_train, _reproduce)
        said = "the same command goes on from the last epoch." if goes_on else "nothing is kept."
        print(f"mgtutorial: stopped; {str(stop) or said}", file=sys.stderr)
        return 130
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        print(f"mgtutorial: cannot write the output ({error.strerror}).", file=sys.stderr)
        with contextlib.suppress(OSError):  # what is left in the buffer goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 2
    return 0


def _asked_for():
    """Names of the packages that this one asks for, in its extras, too."""
    import re
    from importlib.metadata import PackageNotFoundError, requires

    try:
        lines = requires("mgtutorial") or []
    except PackageNotFoundError:
        return set()
    return {re.match(r"[\w.-]+", line)[0].lower() for line in lines}


def _said(error):
    """Print an error once, however many processes share the run; return the exit code."""
    if getattr(error, "shared", False) and not _speaks():
        return 0  # the first process says it, and ends with its code
    from ._text import printable

    # names from anybody's files stand in it: no control character reaches the terminal
    lines = [printable(line, 5000) for line in str(error).splitlines()]
    print("mgtutorial: " + "\n".join(lines), file=sys.stderr)
    return error.code


def _speaks():
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="mgtutorial", description="Multigrid and neural networks: data, training, tables."
    )
    parser.add_argument("--version", action="version", version=f"mgtutorial {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    data = commands.add_parser("data", help="list the data sets and how to get them")
    data.add_argument("--download", metavar="NAME", help="fetch one, its digest checked")
    data.set_defaults(run=_data)

    count = commands.add_parser("count", help="weights and multiplications, exactly")
    count.add_argument("network", nargs="?", help="a named network, by level and role")
    count.add_argument("--table", help="one published table (default: all)")
    count.add_argument("--rows", help="comma-separated rows of the table (default: all)")
    count.add_argument("--data", help="with a network: for this data set's images and classes")
    count.add_argument("--size", type=int, help="with a network: pixels of a side")
    count.add_argument(
        "--batch-size", type=int, help="with a network: for the memory held (default: 128)"
    )
    count.add_argument("--format", default="table", help="table, json or csv")
    count.add_argument(
        "--write", action="store_true", help="record what every table's networks have now"
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
        help="points of a side of the periodic grid (default: 16; 8 and 4 for wide layers)",
    )
    spectrum.add_argument(
        "--singular", action="store_true", help="singular values only: quicker for wide layers"
    )
    spectrum.add_argument("--output", default=".", help="folder of figure and CSV (default: here)")
    spectrum.add_argument("--format", default="svg", help="of the figure: svg or png")
    spectrum.set_defaults(run=_spectrum)

    train = commands.add_parser("train", help="train one network and append its record")
    train.add_argument("--model", required=True, help="a named network, such as mgnet-20")
    train.add_argument("--epochs", type=int, help="if fewer than the budget's, it is partial")
    train.add_argument("--batch-size", type=int)
    train.add_argument("--lr", type=float, help="initial rate, or the peak of one cycle")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument(
        "--split",
        default="train",
        help="train (all images, test set at the end) or fit (validation split, for choices)",
    )
    train.add_argument(
        "--precision", default="float32", help="float32, bfloat16, float16 or float64"
    )
    train.add_argument(
        "--protocol",
        help="whose protocol budget paper follows: mgiad, mgic, mgic-first, poly-mgnet",
    )
    train.add_argument("--compile", action="store_true", help="use torch.compile")
    train.add_argument("--checkpoint", help="its path (default: named by the run)")
    train.add_argument(
        "--devices", type=int, default=1, help="GPUs, or CPU processes, that share the run"
    )
    train.add_argument("--nodes", type=int, default=1, help="machines, each with --devices")
    train.add_argument(
        "--sync-batchnorm",
        action=argparse.BooleanOptionalAction,
        help="batch norm over the whole batch (default: on GPUs)",
    )
    train.set_defaults(run=_train)

    reproduce = commands.add_parser("reproduce", help="train and show published tables")
    reproduce.add_argument(
        "tables", nargs="*", metavar="TABLE", help="such as mgiad-table2; or all; none lists them"
    )
    reproduce.add_argument("--rows", help="comma-separated rows (default: all)")
    reproduce.add_argument("--seeds", default="0", help="comma-separated seeds (default: 0)")
    reproduce.add_argument("--dry-run", action="store_true", help="only show the plan")
    reproduce.add_argument(
        "--workers", type=int, help="train so many runs at a time (default: one for each GPU)"
    )
    reproduce.add_argument("--scheduler", help="address of a dask scheduler, as tcp://host:8786")
    reproduce.set_defaults(run=_reproduce)

    tables = commands.add_parser("tables", help="hold the pages against the records")
    what = tables.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="fail if a page says something else")
    what.add_argument("--write", action="store_true", help="write the status page anew")
    tables.add_argument("--book", metavar="FOLDER", help="a checkout of the project")
    tables.set_defaults(run=_tables)

    for command in (train, reproduce):
        command.add_argument("--data", help="data set (default: digits, or the table's own)")
        command.add_argument("--budget", default="smoke", help="smoke, demo, short or paper")
        command.add_argument("--device", default="auto", help="cpu, cuda, or auto")
        command.add_argument(
            "--time-limit", metavar="TIME", help="stop after a whole epoch, as in 9m or 1h30m"
        )
        command.add_argument("--runs", help="folder of the results files")
        command.add_argument("--quiet", action="store_true", help="no progress display")
    for command in (data, train, reproduce):
        command.add_argument("--root", help="folder of the data sets (default: MGTUTORIAL_DATA)")
    return parser


def _data(arguments):
    from .data import images as data
    from .data import sources

    if arguments.download:
        images = data.load(arguments.download, "train", root=arguments.root, download=True)
        print(f"{images.name}: {images.n:,} training images ({images.source})")
        return
    for row in sources.available(arguments.root):
        print(f"{row.name:14} {row.state:12} {row.where}")
        if row.how:
            print(f"{'':14} {'':12} {row.how}")


def _count(arguments):
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
        raise InvalidValue("a network and a table were given: count either of them.")
    if a.network:
        images = 128 if a.batch_size is None else a.batch_size
        text = count_report.of_network(a.network, a.data, a.size, images, a.format)
    else:
        text = count_report.of_tables(a.table, _words("rows", a.rows), a.format)
    print(text)


def _words(option, text):
    """The words between commas, or None where the option was not given."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise InvalidValue(f"--{option} {text!r}: give names with commas between.")
    return words


def _spectrum(arguments):
    from .spectra import command, written
    from .training.weights import convolutions_of

    a = arguments
    written.choose_format(a.format)
    found = convolutions_of(a.source, a.network)
    command.run(found, a.source, a.layer, a.size, not a.singular, a.output, a.format)


def _train(arguments):
    from .training import devices, distributed, loop, protocols

    given = {
        name: getattr(arguments, name)
        for name in (
            "epochs",
            "batch_size",
            "lr",
            "seed",
            "split",
            "precision",
            "compile",
            "protocol",
        )
        if getattr(arguments, name) is not None
    }
    config = protocols.configure(
        arguments.model, arguments.data or "digits", arguments.budget, root=arguments.root, **given
    )
    workspace, path = _workspace(arguments), arguments.checkpoint
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
    print(
        f"{arguments.model} on {config.data} ({record.data.source}), "
        f"budget {config.budget}{', partial' if record.partial else ''}: "
        f"{record.metric} after {record.epochs} epochs "
        f"({record.weights:,} weights, {record.seconds:.0f} s, run {record.digest})"
    )


def _reproduce(arguments):
    from .reproduction.command import Request, reproduce
    from .reproduction.papers.catalogue import MADE_BY_NOTEBOOK
    from .reproduction.tables import TABLES

    if not arguments.tables:
        titles = {name: table.title for name, table in TABLES.items()}
        for name, title in (titles | MADE_BY_NOTEBOOK).items():
            print(f"{name:28} {title}")
        return
    try:
        seeds = [int(s) for s in arguments.seeds.split(",")]
    except ValueError:
        raise InvalidValue(
            f"seeds {arguments.seeds!r}: give whole numbers with commas between, such as 0,1,2."
        ) from None
    reproduce(
        Request(
            names=tuple(arguments.tables),
            budget=arguments.budget,
            rows=tuple(_words("rows", arguments.rows) or ()) or None,
            seeds=tuple(seeds),
            data=arguments.data,
            scheduler=arguments.scheduler,
            workers=arguments.workers,
            dry_run=arguments.dry_run,
            workspace=_workspace(arguments),
        )
    )


def _tables(arguments):
    from .reproduction import status_page

    if arguments.write:
        print(f"written: {status_page.write(arguments.book)}")
    elif found := status_page.contradictions(arguments.book):
        raise InvalidValue("the pages and the records differ:\n" + "\n".join(found))
    else:
        print("The pages say what the records say.")


def _workspace(arguments):
    from . import _text
    from .training.workspace import Workspace

    a = arguments
    limit = _text.seconds(a.time_limit) if a.time_limit else None
    return Workspace(a.runs, a.root, a.device, False if a.quiet else None, limit)
