#!/usr/bin/env python3
"""The whole build as one program; `make TASK` only calls `python3 make.py TASK`.

It needs nothing but Python 3.11. Every task first brings .venv to the exact
environment of constraints.txt (tools/environment.py), so each one leads from a
fresh clone to its result and, when repeated, does only what is left to do.
"""

import json
import os
import sys

from tools import environment, freshness
from tools.environment import have
from tools.running import (
    PYTHON,
    ROOT,
    Stop,
    ask,
    digest,
    one_at_a_time,
    read,
    remove,
    run,
    say,
    step,
    write,
)

BUILD = ROOT / "_build"
INDEX = BUILD / "html/index.html"
BUILT = BUILD / "book.json"  # what the pages were built from
CACHE = BUILD / ".jupyter_cache"  # the outputs of executed notebooks
# Each worker has one thread, or they would fight over the cores.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def setup(args=()):
    """bring .venv up to date with constraints.txt (every task below does this first)"""
    environment.setup()


def book(args=()):
    """execute the notebooks, build the pages (--fresh: keep no outputs)"""
    environment.setup()
    with one_at_a_time("book"):
        # What all notebooks depend on; tools/freshness.py says what each depends on besides.
        common = digest(surroundings(), environment.wanted())
        parts = ("mgtutorial", "book", "notebooks", "_config.yml", "_toc.yml")
        want = {"of": digest(common, *freshness.results(ROOT), *(ROOT / x for x in parts))}
        if "--fresh" in args:
            remove(CACHE)
        elif read(BUILT) == want and INDEX.exists():
            say(f"The book is up to date. Open {INDEX.as_uri()}")
            return
        for stale in (BUILT, INDEX.parent, BUILD / ".doctrees"):  # no page outlives its source
            remove(stale)
        workers = min(os.cpu_count() or 1, 4)
        with step(f"Executing what is new in the notebooks with {workers} workers", "0 to 3 min"):
            command = ("-m", "tools.execute", common, "--workers", workers)
            failed = run(PYTHON, *command, **ONE_THREAD, MGTUTORIAL_STATIC="1")
        if failed:
            raise Stop("A notebook has the fault that is shown above: no page was built.")
        with step("Building the pages", "20 s"):
            strict = ("-W", "-n", "--keep-going")  # a warning is an error, and all are shown
            failed = run(PYTHON.parent / "jupyter-book", "build", ".", *strict)
        if failed or not INDEX.exists():
            raise Stop("The book has the faults that are marked WARNING or ERROR above.")
        write(BUILT, want)
    say(f"The book is built. Open {INDEX.relative_to(ROOT)} in a browser: {INDEX.as_uri()}")


def surroundings():
    """Return which data sets are here, by name, and the variables that the package reads."""
    names = "{p.name for place in places() if place.is_dir() for p in place.iterdir()}"
    listing = f"from mgtutorial.data.cache import places; print(sorted({names}))"
    worked, here = ask(PYTHON, "-c", listing)
    if not worked:
        raise Stop("mgtutorial does not import: `make test` says why.")
    return [here, {k: v for k, v in os.environ.items() if k.startswith("MGTUTORIAL_")}]


def test(args=()):
    """run the tests and docstring examples (--weekly: long ones too; the rest goes to pytest)"""
    environment.setup()
    workers = min(os.cpu_count() or 1, 4)
    which = "not book" if "--weekly" in args else "not book and not weekly"
    rest = [arg for arg in args if arg != "--weekly"]
    # Neighbouring tests share fixtures, and a worker that is done takes tests from the others.
    options = ("-n", workers, "--dist", "worksteal", "-m", which, "--durations", "10")
    with step(f"Testing with {workers} workers", "5 to 15 min"):
        failed = run(PYTHON, "-m", "pytest", *options, *rest, **ONE_THREAD)
    if failed:
        raise Stop("The tests did not pass.", failed)


def reproduce(args=()):
    """take every published table from networks to notebook, at small scale (--sample: some rows)"""
    environment.setup()
    rest = [arg for arg in args if arg != "--sample"]
    calls = [("all",)] if len(rest) == len(args) else sample()
    with one_at_a_time("reproduction"):
        # Runs are found by their configuration: those made by other code must not be there.
        parts = ("mgtutorial", "notebooks/reproduce", "results/published")
        parts += ("results/expected_counts.csv",)
        behind = digest(*(ROOT / part for part in parts), environment.wanted())
        smoke = BUILD / "smoke"
        if read(smoke / "behind.json") != behind:
            remove(smoke)
            write(smoke / "behind.json", behind)
        options = ("--budget", "smoke", "--device", "cpu", "--runs", smoke / "runs", "--quiet")
        options += ("--workers", min(os.cpu_count() or 1, 4))
        with step("Reproducing the tables at small scale", "2 to 8 min"):
            program = (PYTHON, "-m", "mgtutorial", "reproduce")
            codes = [run(*program, *call, *options, *rest) for call in calls]
    failed = next(filter(None, codes), 0)  # the code of the first that failed
    if failed:
        raise Stop("The tables were not reproduced, for the reason above.", failed)


def sample():
    """Return what to reproduce instead of everything: a few tables, a row for each kind of network.

    Together they have every kind of network that any table has; what only notebooks make is added.
    """
    listing = (
        "from mgtutorial.reproduction.tables import TABLES; "
        "from mgtutorial.reproduction.papers.catalogue import MADE_BY_NOTEBOOK; "
        "kind = lambda table, row: type(table.config(row)).__name__; "
        "of = {n: {kind(t, row): row for row in t.rows} for n, t in TABLES.items()}; "
        "print(json.dumps([of, list(MADE_BY_NOTEBOOK)]))"
    )
    worked, told = ask(PYTHON, "-c", "import json; " + listing)
    if not worked:
        raise Stop("mgtutorial does not import: `make test` says why.")
    rows, made = json.loads(told)
    tables, left = [], {kind for own in rows.values() for kind in own}
    while left:  # the table that has most of what is left
        tables.append(max(rows, key=lambda name: len(left & rows[name].keys())))
        left -= rows[tables[-1]].keys()
    chosen = ",".join(row for name in tables for row in rows[name].values())
    return (*tables, "--rows", chosen), tuple(made)


def check_book(args=()):
    """run the tests of the pages in a browser (--weekly: all pages; --screenshots: of each)"""
    book()
    given = {"MGTUTORIAL_REQUIRE_BROWSER": "1"} if os.environ.get("CI") else {}  # never skipped
    rest = [arg for arg in args if arg not in ("--screenshots", "--weekly")]
    if "--weekly" in args:
        given["MGTUTORIAL_WEEKLY"] = "1"
    if "--screenshots" in args:
        remove(BUILD / "screenshots")
        given["MGTUTORIAL_SCREENSHOTS"] = "1"
    workers = min(os.cpu_count() or 1, 4)
    with step(f"Checking the pages with {workers} browsers", "2 to 4 min"):
        options = ("-n", workers, "--dist", "worksteal", "-m", "book", "--durations", "5")
        failed = run(PYTHON, "-m", "pytest", "tests/book", *options, *rest, **ONE_THREAD, **given)
    for what, measured in read(BUILD / "check-book.json").items():
        say(f"{what}: {measured}")
    if failed:
        raise Stop("The book did not pass its tests.", failed)


def pdf(args=()):
    """print the whole book to one file, _build/*.pdf (built first if need be)"""
    book()
    needed = ("pypdf", "selenium")
    if not have(*needed):
        environment.install("what printing needs", "5 s", needed)
    with step("Printing the book", "1 to 3 min"):
        failed = run(PYTHON, "-m", "tools.print_book", *args)
    if failed:
        raise Stop("The book was not printed, for the reason above.", failed)


def colab(args=()):
    """run notebooks as Colab would (--all of them; else those that changed, and two more)"""
    environment.setup()
    from tools import colab

    which = "all" if "--all" in args else "some"
    with one_at_a_time("colab"):
        colab.setup()
        colab.wheel()
        with step(
            f"Running {which} notebooks outside the repository, from the wheel", "1 to 15 min"
        ):
            workers = min(os.cpu_count() or 1, 4)
            options = ("-n", workers, "-rA", "--show-capture", "no", "--durations", "0")
            rest = [arg for arg in args if arg != "--all"]
            tests = ("tests/project/test_colab.py", *options, *rest)
            failed = run(PYTHON, "-m", "pytest", *tests, MGTUTORIAL_COLAB=which)
    if failed:
        raise Stop("A notebook does not run as Colab would run it.", failed)


def lab(args=()):
    """run notebooks in a real JupyterLab and move their sliders there, in a browser"""
    environment.setup()
    if not have("jupyterlab"):
        environment.install("JupyterLab", "10 s to 1 min", ("jupyterlab",))
    given = {"MGTUTORIAL_LAB": "1"}
    if os.environ.get("CI"):
        given["MGTUTORIAL_REQUIRE_BROWSER"] = "1"
    with step("Running two notebooks in JupyterLab", "1 to 2 min"):
        tests = ("tests/book/test_jupyterlab.py", "--durations", "0", *args)
        failed = run(PYTHON, "-m", "pytest", *tests, **ONE_THREAD, **given)
    if failed:
        raise Stop("A notebook does not run in JupyterLab.", failed)


def cells(args=()):
    """write the cells that notebooks share, from their template"""
    if run(sys.executable, "tools/cells.py"):
        raise Stop("The cells were not written, for the reason above.")


def lint(args=()):
    """check the code's style with ruff (--fix: correct it)"""
    environment.setup()
    if not have("ruff"):
        environment.install("ruff", "5 s", ("ruff",))
    mend, check = (["--fix"], []) if "--fix" in args else ([], ["--check"])
    faults = run(PYTHON, "-m", "ruff", "check", *mend), run(PYTHON, "-m", "ruff", "format", *check)
    if any(faults):
        raise Stop("Most of what is listed above can be fixed with: python make.py lint --fix")


def clean(args=()):
    """remove what builds and tests left behind (--all: .venv too)"""
    names = ["_build", "build", ".pytest_cache", ".ruff_cache", ".hypothesis"]
    names += [".venv", "mgtutorial.egg-info"] if "--all" in args else []
    for name in names:
        remove(ROOT / name)


def help(args=()):
    """show this list"""
    say("make TASK ARGS='...', or where there is no make: python make.py TASK ...")
    for name, task in TASKS.items():
        print(f"  {name:12}{task.__doc__}")


TASKS = (setup, book, test, reproduce, check_book, pdf, colab, lab, cells, lint, clean, help)
TASKS = {task.__name__.replace("_", "-"): task for task in TASKS}


def main(name="help", *args):
    try:
        if sys.version_info < (3, 11):  # noqa: UP036 - this file is what finds it out
            version = "{}.{}".format(*sys.version_info)
            raise Stop(f"Python 3.11 or newer is needed, and this is {version}: set PYTHON.", 2)
        if name not in TASKS:
            raise Stop(f"There is no task {name!r}: choose one of {', '.join(TASKS)}.", 2)
        TASKS[name](args)
    except Stop as reason:
        say(reason)
        return reason.code
    except KeyboardInterrupt:
        say("Interrupted: the same command finishes what was begun.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
