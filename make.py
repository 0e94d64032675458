#!/usr/bin/env python3
"""The whole build as one program; `make TASK` only calls `python3 make.py TASK`.

It needs nothing but Python 3.11. Every task first brings .venv to the exact
environment of constraints.txt, so each one goes from a fresh clone to its
result, and does only what is left to do when it is repeated.
"""

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent
WINDOWS = os.name == "nt"
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")
MADE = VENV / "mgtutorial.json"  # what .venv was made for; "ready" is set last
BUILD = ROOT / "_build"
INDEX = BUILD / "html/index.html"
BUILT = BUILD / "book.json"  # what the pages were built from
CACHE = BUILD / ".jupyter_cache"  # the outputs of executed notebooks
# What a task starts or a notebook cannot do without: all there, or .venv is made anew.
NEEDED = ("jupyter_book", "ipykernel", "torch", "torchvision", "pytest", "xdist", "mgtutorial")


class Stop(Exception):
    """A reason to stop, as a sentence for the person who typed the command."""

    def __init__(self, sentence, code=1):
        super().__init__(sentence)
        self.code = code


# ------------------------------------------------------------ saying and running


def say(text):
    print(f"[make] {text}", flush=True)


@contextmanager
def step(what, usually):
    """Say what starts, how long it usually takes, and how long it took."""
    say(f"{what} (usually {usually}) ...")
    start = time.monotonic()
    yield
    minutes, seconds = divmod(time.monotonic() - start, 60)
    say(f"... which took {f'{minutes:.0f} min ' if minutes else ''}{seconds:.1f} s.")


def environment(**changes):
    """Return the variables our programs run with: of .venv, and of no other Python."""
    # With the last, which containers often set, each worker and kernel compiles torch anew.
    dropped = ("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE")
    env = {name: os.environ[name] for name in os.environ if name not in dropped}
    env["VIRTUAL_ENV"] = str(VENV)
    env["PATH"] = str(PYTHON.parent) + os.pathsep + env.get("PATH", "")
    env["JUPYTER_PREFER_ENV_PATH"] = "1"  # over a kernel of the same name in the home folder
    # Threads that wait for work sleep: on a busy machine, ten times as fast as spinning.
    env.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return {**env, **changes}


def run(*command, **changes):
    """Run a command in the root folder, its output on the screen; return its exit code."""
    return subprocess.run(list(map(str, command)), cwd=ROOT, env=environment(**changes)).returncode


def ask(*command):
    """Run a command quietly; return whether it succeeded, and what it printed."""
    quietly = {"cwd": ROOT, "env": environment(), "capture_output": True, "text": True}
    try:
        done = subprocess.run(list(map(str, command)), **quietly)
        return done.returncode == 0, done.stdout
    except OSError:  # there is no such program
        return False, ""


@contextmanager
def one_at_a_time(name):
    """Wait while a task in another window does the same; a killed task leaves no lock."""
    folder = hashlib.sha256(str(ROOT).encode()).hexdigest()[:16]
    with open(Path(tempfile.gettempdir()) / f"mgtutorial-{folder}-{name}.lock", "a") as held:
        if not WINDOWS:  # which has no such locks
            import fcntl

            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                say(f"Waiting for another task that is busy with the {name} ...")
                fcntl.flock(held, fcntl.LOCK_EX)
        yield


def digest(*parts):
    """Return one short name for the contents of files and folders, and for other values."""
    whole = hashlib.sha256()
    for part in parts:
        if not isinstance(part, Path):
            whole.update(json.dumps(part, sort_keys=True).encode())
            continue
        for file in [part] if part.is_file() else sorted(part.rglob("*")):
            if file.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(file.parts):
                whole.update(f"\0{file.relative_to(ROOT).as_posix()}\0".encode())
                whole.update(file.read_bytes())
    return whole.hexdigest()[:16]


def write(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def read(path):
    """Return what `write` wrote, or an empty dict where there is nothing whole."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def remove(path):
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


# --------------------------------------------------------------- the environment


def wanted():
    """Return what .venv must be made for: this folder, this Python, these packages."""
    import tomllib  # not at the top: an older Python must come as far as saying so

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {
        # A copied or moved .venv still points to the package in its old folder.
        "root": str(ROOT),
        "python": "{}.{}".format(*sys.version_info),
        # Not the whole file: a changed rule of the linter reinstalls nothing.
        "packages": digest(ROOT / "constraints.txt", project["project"], project["build-system"]),
    }


def why_anew(made, want):
    """Return why an existing .venv can be neither used nor brought up to date, or None."""
    starts, python = ask(PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    if made.get("ready") is False:
        return "an earlier installation was interrupted"
    if not starts:
        return "its Python does not start"
    if made.get("root", want["root"]) != want["root"]:
        return "it was made for another folder"
    if python.strip() != want["python"]:
        return f"it has Python {python.strip()}, and this is {want['python']}"
    if made == {**want, "ready": True} and not have(*NEEDED):
        return "a part of it is missing"
    return None


def have(*modules):
    """Return whether .venv has these modules: found, not imported, which takes seconds."""
    find = "import sys, importlib.util as u; sys.exit(not all(map(u.find_spec, sys.argv[1:])))"
    return ask(PYTHON, "-c", find, *modules)[0]


def setup(args=()):
    """bring .venv to constraints.txt (every task below does this first)"""
    with one_at_a_time("environment"):
        want, made = wanted(), read(MADE)
        reason = why_anew(made, want) if VENV.exists() else "it is not there"
        if not reason and made == {**want, "ready": True}:
            return
        if reason:
            create(reason)
        write(MADE, {**want, "ready": False})
        # setuptools first, as pinned: an isolated build would fetch the newest.
        what = "the package and all it needs, 2 GB,"
        package = ("--no-build-isolation", "--editable", ".[book,test,cluster]")
        install(what, "10 s to 5 min", ("setuptools",), package)
        show = "import torch; print(torch.__version__, 'CUDA' if torch.version.cuda else 'the CPU')"
        imports, torch = ask(PYTHON, "-c", show)
        if not imports:
            raise Stop("torch was installed and does not import: repeat this, to begin anew.")
        say("This is torch {}, built for {}.".format(*torch.strip().split(maxsplit=1)))
        write(MADE, {**want, "ready": True})


def create(reason):
    """Make an empty .venv that has pip."""
    with step(f"Making .venv, as {reason}", "5 s"):
        remove(VENV)
        write(MADE, {"ready": False})
        # Debian keeps a part of venv in a package of its own; uv brings its own.
        uv = ("uv", "venv", "--seed", "--allow-existing", "--python", sys.executable, VENV)
        if not ask(sys.executable, "-m", "venv", VENV)[0] and not ask(*uv)[0]:
            python = f"{sys.executable} cannot make a virtual environment"
            raise Stop(f"{python}: install its venv module (Debian: apt-get install python3-venv).")


def install(what, usually, *batches, python=None, pins="constraints.txt"):
    """Install batches of requirements, as pinned, with the first installer that can."""
    for name, command in installers(python or PYTHON):
        with step(f"Installing {what} with {name}", usually):
            failed = any(run(*command, "-c", pins, *batch) for batch in batches)
        if not failed:
            return
        say(f"It did not work with {name}.")
    raise Stop("See that the network, or pip's index, can be reached, and repeat the command.")


def installers(python):
    """Yield the installers of packages for `python` as (name, command), the best first."""
    # On a terminal they show their own progress; a log has no use for it.
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    settings = pip_settings()
    if uv := find_uv():
        if "cert" in settings:
            os.environ.setdefault("SSL_CERT_FILE", settings["cert"])
        command = [uv, "pip", "install", "--python", python, *quiet, *uv_options(settings)]
        # Which torch: that of a folder of wheels which pip is configured for;
        # else the build that PyTorch has for this machine's processor or GPU;
        # else the package index, which has only CUDA builds for Linux.
        pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
        torch = next(pin for pin in pins if pin.startswith("torch=="))
        at_hand = ask(*command, "--dry-run", "--no-index", "--no-deps", torch)[0]
        if sys.platform != "darwin" and not at_hand:
            yield "uv, torch from PyTorch", [*command, "--torch-backend", "auto"]
        yield "uv", command
    # pip is quiet about warnings, and not about errors, when told so twice.
    other = [] if python == PYTHON else ["--python", python]
    yield "pip", [PYTHON, "-m", "pip", *other, "install", *quiet, *quiet]


def find_uv():
    """Return a uv that runs, fetched into .venv if need be; None if there is none to be had."""
    if os.environ.get("MGTUTORIAL_INSTALLER") == "pip":
        return None
    fetch = (PYTHON, "-m", "pip", "install", "-c", "constraints.txt", "uv")
    if ask("uv", "--version")[0] or ask(*fetch)[0]:
        return shutil.which("uv", path=environment()["PATH"])  # which begins with .venv
    say("uv, which installs ten times as fast as pip, is not to be had here.")
    return None


def pip_settings():
    """Return what pip's files and PIP_* variables say; uv reads neither."""
    settings = {}
    for python in (PYTHON, sys.executable):
        works, listing = ask(python, "-m", "pip", "config", "list")
        if works:
            lines = dict(line.split("=", 1) for line in listing.splitlines() if "=" in line)
            # The later section overrides the earlier one, as in pip itself.
            for section in ("global.", "install.", ":env:."):
                for key in (key for key in lines if key.startswith(section)):
                    settings[key.removeprefix(section)] = str(ast.literal_eval(lines[key]))
            break
    return settings


def uv_options(settings):
    """Return the indexes and folders of wheels that pip uses, as options of uv."""
    names = {
        "index-url": "--default-index",
        "extra-index-url": "--index",
        "find-links": "--find-links",
        "trusted-host": "--allow-insecure-host",
    }
    pairs = [(names[key], v) for key in names for v in settings.get(key, "").split()]
    # Like pip, take the best version of all indexes, not of the first that has one.
    options = ["--index-strategy", "unsafe-best-match", *(x for pair in pairs for x in pair)]
    return [*options, "--no-index"] if settings.get("no-index") in ("1", "true") else options


# ----------------------------------------------------------------------- the tasks


def book(args=()):
    """execute the notebooks, build the pages (--fresh: keep no outputs)"""
    setup()
    with one_at_a_time("book"):
        # A notebook's outputs depend on more than its cells, which are all that the
        # cache compares; so it is kept for one state of the rest. Runs of the budget
        # "smoke" do not count: the build itself may append them.
        kinds = (".csv", ".jsonl", ".npz")
        results = sorted(f for f in (ROOT / "results").rglob("*")
                         if f.suffix in kinds and f.name != "smoke.jsonl")  # fmt: skip
        behind = digest(ROOT / "mgtutorial", *results, surroundings(), wanted())
        pages = digest(*(ROOT / x for x in ("book", "notebooks", "_config.yml", "_toc.yml")))
        want = {"behind": behind, "pages": pages}
        owner = CACHE / "behind.json"
        if "--fresh" in args or read(owner) != behind:
            remove(CACHE)
        elif read(BUILT) == want and INDEX.exists():
            say(f"The book is up to date. Open {INDEX.as_uri()}")
            return
        usually = "10 s, outputs kept" if CACHE.exists() else "2 to 5 min"
        for stale in (BUILT, INDEX.parent, BUILD / ".doctrees"):  # no page outlives its source
            remove(stale)
        write(owner, behind)
        # What `make reproduce` has trained need not be trained again.
        trained, wanted_at = BUILD / "smoke/runs/smoke.jsonl", ROOT / "results/runs/smoke.jsonl"
        if trained.exists() and not wanted_at.exists():
            shutil.copyfile(trained, wanted_at)
        with step("Executing the notebooks and building the book", usually):
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
    """run the tests and the docstrings' examples (arguments go to pytest)"""
    setup()
    workers = min(os.cpu_count() or 1, 4)
    # One thread each, or the workers fight over the cores.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    options = ("-n", workers, "-m", "not book", "--durations", "10")
    with step(f"Testing with {workers} workers", "1 to 4 min"):
        failed = run(PYTHON, "-m", "pytest", *options, *args, **threads)
    if failed:
        raise Stop("The tests did not pass.", failed)


def reproduce(args=()):
    """take every published table from its networks to its notebook, in small"""
    setup()
    with one_at_a_time("reproduction"):
        # Runs are found by their configuration: those of other code must not be there.
        parts = ("mgtutorial", "notebooks/reproduce", "results/published")
        parts += ("results/expected_counts.csv",)
        behind = digest(*(ROOT / part for part in parts), wanted())
        smoke = BUILD / "smoke"
        if read(smoke / "behind.json") != behind:
            remove(smoke)
            write(smoke / "behind.json", behind)
        options = ("--budget", "smoke", "--device", "cpu", "--runs", smoke / "runs", "--quiet")
        options += ("--workers", min(os.cpu_count() or 1, 4), "--time-limit", "20m")
        with step("Reproducing all tables in small", "3 to 8 min"):
            failed = run(PYTHON, "-m", "mgtutorial", "reproduce", "all", *options, *args)
    if failed:
        raise Stop("The tables were not reproduced, for the reason above.", failed)


def check_book(args=()):
    """hold the pages to their tests in a browser, built first if need be"""
    book()
    in_ci = {"MGTUTORIAL_REQUIRE_BROWSER": "1"} if os.environ.get("CI") else {}  # never skipped
    with step("Checking the pages", "2 to 4 min"):
        tests = sorted(str(file.relative_to(ROOT)) for file in ROOT.glob("tests/test_book*.py"))
        failed = run(
            PYTHON, "-m", "pytest", *tests, "-m", "book", "--durations", "5", *args, **in_ci
        )
    for what, measured in read(BUILD / "check-book.json").items():
        say(f"{what}: {measured}")
    if failed:
        raise Stop("The book did not pass its tests.", failed)


def pdf(args=()):
    """print the whole book to one file, _build/*.pdf, built first if need be"""
    book()
    needed = ("pypdf", "selenium")
    if not have(*needed):
        install("what printing needs", "5 s", needed)
    with step("Printing the book", "1 to 3 min"):
        failed = run(PYTHON, "book/_ext/printing.py", *args)
    if failed:
        raise Stop("The book was not printed, for the reason above.", failed)


def colab(args=()):
    """run notebooks as Colab would (--all; else what changed, and two more)"""
    setup()
    sys.path.insert(0, str(ROOT / "tests"))
    from colab import environment, wheel

    which = "all" if "--all" in args else "some"
    with one_at_a_time("colab"):
        environment(sys.modules[__name__])
        wheel(sys.modules[__name__])
        with step(
            f"Running {which} notebooks outside the repository, from the wheel", "1 to 15 min"
        ):
            options = ("-rA", "--show-capture", "no", "--durations", "0")
            rest = [arg for arg in args if arg != "--all"]
            tests = ("tests/test_colab.py", *options, *rest)
            failed = run(PYTHON, "-m", "pytest", *tests, MGTUTORIAL_COLAB=which)
    if failed:
        raise Stop("A notebook does not run as Colab would run it.", failed)


def cells(args=()):
    """write the cells that notebooks share, from their template"""
    if run(sys.executable, "tools/cells.py"):
        raise Stop("The cells were not written, for the reason above.")


def lint(args=()):
    """check the code's style with ruff (--fix: mend it)"""
    setup()
    if not have("ruff"):
        install("ruff", "5 s", ("ruff",))
    mend, check = (["--fix"], []) if "--fix" in args else ([], ["--check"])
    faults = run(PYTHON, "-m", "ruff", "check", *mend), run(PYTHON, "-m", "ruff", "format", *check)
    if any(faults):
        raise Stop("Most of what is listed above is mended by: python make.py lint --fix")


def clean(args=()):
    """remove what builds and tests left (--all: .venv too)"""
    names = ["_build", "build", ".pytest_cache", ".ruff_cache", ".hypothesis"]
    names += [".venv", "mgtutorial.egg-info"] if "--all" in args else []
    for name in names:
        remove(ROOT / name)


def help(args=()):
    """show this list"""
    say("make TASK ARGS='...', or where there is no make: python make.py TASK ...")
    for name, task in TASKS.items():
        print(f"  {name:12}{task.__doc__}")


TASKS = (setup, book, test, reproduce, check_book, pdf, colab, cells, lint, clean, help)
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
