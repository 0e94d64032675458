"""Rows of measurements: what a subject yields, what becomes of it in JSON, and the bars.

A subject is a module with ``measure()``, which yields a dict for each side of each case. The
harness adds the number of repetitions, the median and the quartiles.
"""

import contextlib
import csv
import json
import os
import platform
import statistics
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mgtutorial

SCHEMA = 1
HERE = Path(__file__).parent
BARS = HERE / "bars.csv"
SUBJECTS = (
    "step", "compiling", "inference", "memory", "data", "poisson", "spectra", "import", "book",
    "peaks", "networks", "frontier", "torchvision", "mobile", "pages",
)  # fmt: skip
#: Of what times depend on; only what is installed is named.
PACKAGES = ("torch", "torchvision", "numpy", "scipy", "pyamg", "onnxruntime")
UNITS = ("s", "B", "1/s", "images/s", "B/s", "flop/s")


def row(given):
    """Return a row with its statistics; raise ValueError if it is not what README.md asks for.

    Parameters
    ----------
    given : dict
        With ``case``, ``side``, ``unit`` and ``values``; ``facts`` may be left out.
    """
    needed = {"case", "side", "unit", "values"}
    if not needed <= given.keys() <= needed | {"facts"}:
        raise ValueError(f"a row needs {sorted(needed)}, may have facts, and has {sorted(given)}")
    values = [float(v) for v in given["values"]]
    if given["unit"] not in UNITS:
        raise ValueError(f"unit {given['unit']!r}: choose one of {', '.join(UNITS)}")
    if not values or min(values) <= 0:
        raise ValueError(f"{given['case']}, {given['side']}: the values are {values}")
    low, median, high = (
        statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else 3 * values
    )
    return {
        "case": given["case"], "side": given["side"], "unit": given["unit"], "n": len(values),
        "median": significant(median), "quartiles": [significant(low), significant(high)],
        "best": significant(max(values) if more_is_better(given["unit"]) else min(values)),
        "facts": given.get("facts", {}),
    }  # fmt: skip


def significant(x):
    """Four digits say all that a clock does."""
    return float(f"{x:.4g}")


def more_is_better(unit):
    return unit.endswith("/s")


def subject(rows, title, load, seconds):
    """Return what the JSON file holds of a subject: its rows and under which circumstances."""
    return {
        "title": title, "machine": machine(), "versions": versions(),
        "load": list(load), "seconds": round(seconds), "rows": rows,
    }  # fmt: skip


def machine():
    """Return what was measured on, in words: no name of a host, no path."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = dict(line.split(":", 1) for line in cpuinfo.read_text().splitlines() if ":" in line)
        model = {k.strip(): v.strip() for k, v in lines.items()}.get("model name", model)
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, OMP_NUM_THREADS: {threads}"


def load():
    """Return how many other tasks would run at this moment, if they could."""
    with contextlib.suppress(OSError):  # at once; an average over a minute remembers what is over
        return int(Path("/proc/loadavg").read_text().split()[3].split("/")[0]) - 1
    return round(os.getloadavg()[0])


def versions():
    found = {"python": platform.python_version(), "mgtutorial": mgtutorial.__version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def write(path, subjects):
    """Put subjects into a JSON file; those that are there and were not measured now stay."""
    path = Path(path)
    old = read(path) if path.exists() else {}
    whole = {"schema": SCHEMA, "subjects": {**old, **subjects}}
    path.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read(path):
    """Return the subjects of a JSON file."""
    whole = json.loads(Path(path).read_text(encoding="utf-8"))
    if whole.get("schema") != SCHEMA:
        raise ValueError(f"{path} has schema {whole.get('schema')}, and this reads {SCHEMA}")
    return whole["subjects"]


def ratio(side, against):
    """Return how many times better a row's median is than another's, or than a number's."""
    other = against if isinstance(against, float) else against["median"]
    return side["median"] / other if more_is_better(side["unit"]) else other / side["median"]


def bars(path=BARS):
    """Return the lines of the file of bars."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def missed(subjects, lines):
    """Return a sentence for each bar that the subjects measured do not reach.

    A bar whose row is not among those of a subject that was measured is missed, too.
    """
    found = []
    for bar in lines:
        if bar["subject"] not in subjects:
            continue
        sides = {r["side"]: r for r in subjects[bar["subject"]]["rows"] if r["case"] == bar["case"]}
        where = f"{bar['subject']}, {bar['case']}"
        try:
            against = float(bar["against"])
        except ValueError:
            against = sides.get(bar["against"])
        if bar["side"] not in sides or against is None:
            found.append(f"{where}: {bar['side']} against {bar['against']} was not measured.")
            continue
        got, least = ratio(sides[bar["side"]], against), float(bar["least"])
        if got < least:
            found.append(
                f"{where}: {bar['side']} is {got:.2f} times better than {bar['against']}, "
                f"and the bar is {least:g}."
            )
    return found


def table(rows):
    """Return the rows as a table of Markdown; ratios are to the first side of each case."""
    head = ("case", "side", "n", "median", "quartiles", "of the first", "")
    out = [f"| {' | '.join(head)} |", "|---|---|---:|---:|---|---:|---|"]
    first = {}
    for r in rows:
        head = first.setdefault(r["case"], r)
        low, high = (quantity(q, r["unit"]) for q in r["quartiles"])
        facts = ", ".join(f"{k} {fact(v)}" for k, v in r["facts"].items())
        out.append(
            f"| {r['case']} | {r['side']} | {r['n']} | {quantity(r['median'], r['unit'])} "
            f"| {low} to {high} | {r['median'] / head['median']:.2f} | {facts} |"
        )
    return "\n".join(out)


def fact(value):
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else value


def quantity(x, unit):
    """Return a number with its unit, scaled to be read."""
    if unit == "s":
        for name, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
            if x >= size:
                return f"{x / size:.3g} {name}"
    for name, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if x >= size:
            return f"{x / size:.3g} {name}{unit}"
    return f"{x:.3g} {unit}"
