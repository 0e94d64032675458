"""The environment in .venv: exactly what constraints.txt says, by the first installer that can.

It uses nothing but the standard library: it runs before there is an environment.
"""

import ast
import os
import shutil
import sys

from tools.running import (
    PYTHON,
    ROOT,
    VENV,
    Stop,
    ask,
    digest,
    one_at_a_time,
    read,
    remove,
    run,
    say,
    step,
    variables,
    write,
)

MADE = VENV / "mgtutorial.json"  # what .venv was made for; "ready" is set last
# What a task starts or a notebook cannot do without: all there, or .venv is made anew.
NEEDED = ("jupyter_book", "ipykernel", "torch", "torchvision", "pytest", "xdist", "mgtutorial")


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


def setup():
    """Bring .venv to constraints.txt, unless it is there."""
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
        package = ("--no-build-isolation", "--editable", ".[book,test,cluster,onnx]")
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
        return shutil.which("uv", path=variables()["PATH"])  # which begins with .venv
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
