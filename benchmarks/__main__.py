"""Measure subjects and print their tables.

python -m benchmarks [SUBJECT ...] [--check] [--json F]
"""

import argparse
import importlib
import sys
import time
from pathlib import Path

from . import rows

#: What one types, where it is no name for a file of Python.
FILES = {"import": "imports", "data": "data_pipeline", "torchvision": "torchvision_spectra"}


def measure(name):
    """Return what a subject measures, as rows.subject, printing rows as they come."""
    module = importlib.import_module(f".{FILES.get(name, name)}", __package__)
    title = module.__doc__.split("\n", 1)[0]
    load, begun, found = rows.load(), time.monotonic(), []
    for given in module.measure():
        found.append(rows.row(given))
        last = found[-1]
        print(
            f"{last['case']}: {last['side']}: {rows.quantity(last['median'], last['unit'])}",
            file=sys.stderr,
        )
    return rows.subject(found, title, (load, rows.load()), time.monotonic() - begun)


def there():
    """Return the subjects that have a file."""
    here = Path(__file__).parent
    return [name for name in rows.SUBJECTS if (here / f"{FILES.get(name, name)}.py").exists()]


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.split("\n", 1)[0]
    )
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"of {', '.join(there())}")
    parser.add_argument("--check", action="store_true", help="exit code 1 if a bar is missed")
    parser.add_argument("--json", metavar="F", help="put what was measured into this file")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.subjects) - set(there()):
        parser.error(f"no subject {', '.join(sorted(unknown))}: choose of {', '.join(there())}")
    found = {}
    for name in asked.subjects or there():
        found[name] = measure(name)
        about = found[name]
        load = " to ".join(map(str, about["load"]))
        print(f"\n## {about['title']}\n\n{about['machine']}; other tasks: {load}\n")
        print(rows.table(about["rows"]), flush=True)
        if asked.json:
            rows.write(asked.json, {name: about})
    lines = rows.bars()
    missed = rows.missed(found, lines)
    held = sum(bar["subject"] in found for bar in lines) - len(missed)
    print(f"\n{held} bars are held, {len(missed)} missed.")
    for sentence in missed:
        print(f"MISSED: {sentence}")
    return int(asked.check and bool(missed))


if __name__ == "__main__":
    sys.exit(main())
