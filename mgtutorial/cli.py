"""The command ``mgtutorial``: data, train, reproduce.

A mistake that the user can mend ends in one sentence and exit code 2; Ctrl-C in 130.
"""

import argparse
import sys
from pathlib import Path

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
    try:
        arguments.run(arguments)
    except MgtutorialError as error:
        print(f"mgtutorial: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("mgtutorial: stopped; the same command goes on from the last epoch.", file=sys.stderr)
        return 130
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="mgtutorial", description="Multigrid and neural networks: data, training, tables."
    )
    parser.add_argument("--version", action="version", version=f"mgtutorial {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    data = commands.add_parser("data", help="list the data sets and how to get them")
    data.add_argument("--download", metavar="NAME", help="fetch one, its digest checked")
    data.set_defaults(run=_data)

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
    train.add_argument("--precision", default="float32", help="float32, bfloat16 or float16")
    train.add_argument("--compile", action="store_true", help="use torch.compile")
    train.add_argument("--checkpoint", help="its path (default: named by the run)")
    train.set_defaults(run=_train)

    reproduce = commands.add_parser("reproduce", help="train and show a published table")
    reproduce.add_argument("table", help="a table, such as mgiad-table2")
    reproduce.add_argument("--rows", help="comma-separated rows (default: all)")
    reproduce.add_argument("--seeds", default="0", help="comma-separated seeds (default: 0)")
    reproduce.add_argument("--dry-run", action="store_true", help="only show the plan")
    reproduce.set_defaults(run=_reproduce)

    for command in (train, reproduce):
        command.add_argument("--data", help="data set (default: digits, or the table's own)")
        command.add_argument("--budget", default="smoke", help="smoke, demo, short or paper")
        command.add_argument("--device", default="auto", help="cpu, cuda, or auto")
        command.add_argument("--runs", help="folder of the results files")
        command.add_argument("--quiet", action="store_true", help="no progress display")
    for command in (data, train, reproduce):
        command.add_argument("--root", help="folder of the data sets (default: MGTUTORIAL_DATA)")
    return parser


def _data(arguments):
    from . import data

    if arguments.download:
        images = data.load(arguments.download, "train", root=arguments.root, download=True)
        print(f"{images.name}: {images.n:,} training images ({images.source})")
        return
    for row in data.available(arguments.root):
        print(f"{row.name:14} {row.state:12} {row.where}")
        if row.how:
            print(f"{'':14} {'':12} {row.how}")


def _train(arguments):
    from . import protocols, train

    given = {
        name: getattr(arguments, name)
        for name in ("epochs", "batch_size", "lr", "seed", "split", "precision", "compile")
        if getattr(arguments, name) is not None
    }
    config = protocols.configure(
        arguments.model, arguments.data or "digits", arguments.budget, root=arguments.root, **given
    )
    record = train.train(config, checkpoint_path=arguments.checkpoint, **_options(arguments))
    split = record["evaluated_on"]["split"]
    print(
        f"{arguments.model} on {config.data} ({record['data']['source']}), "
        f"budget {config.budget}{', partial' if record['partial'] else ''}: "
        f"{split} accuracy {record[f'{split}_accuracy']:.2%} after {record['epochs']} epochs "
        f"({record['weights']:,} weights, {record['seconds']:.0f} s, run {record['digest']})"
    )


def _reproduce(arguments):
    from . import reproduce, tables

    rows = arguments.rows.split(",") if arguments.rows else None
    try:
        seeds = [int(s) for s in arguments.seeds.split(",")]
    except ValueError:
        raise InvalidValue(
            f"seeds {arguments.seeds!r}: give whole numbers with commas between, such as 0,1,2."
        ) from None
    name, budget, runs, root = arguments.table, arguments.budget, arguments.runs, arguments.root
    configs = reproduce.plan(name, budget, rows=rows, seeds=seeds, data=arguments.data, root=root)
    todo = reproduce.missing(configs, runs=runs, root=root)
    print(f"{name}, budget {budget}: {len(configs)} runs, {len(todo)} to do")
    for c in todo:
        network = tables.network_name(c.as_dict()["model"])
        print(f"  {network} on {c.data}, {c.epochs} epochs, seed {c.seed}")
    if arguments.dry_run:
        return
    reproduce.check(name)  # before hours are spent
    done = reproduce.run(configs, **_options(arguments))
    given = {"budget": budget, "seeds": seeds, "rows": rows, "data": arguments.data}
    places = {k: str(Path(v).absolute()) for k, v in (("runs", runs), ("root", root)) if v}
    given = {k: v for k, v in given.items() if v is not None} | places
    output = reproduce.execute(name, given)
    print(tables.markdown(tables.join(name, done, rows), name))
    print(f"executed notebook: {output}")


def _options(arguments):
    return {
        "runs": arguments.runs,
        "root": arguments.root,
        "device": arguments.device,
        "progress": False if arguments.quiet else None,
    }
