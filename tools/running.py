"""What every task does: say what happens, run a program, keep files, wait for another window.

It uses nothing but the standard library: it runs before there is an environment.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WINDOWS = os.name == "nt"
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")


class Stop(Exception):
    """A reason to stop, as a sentence for the person who typed the command."""

    def __init__(self, sentence, code=1):
        super().__init__(sentence)
        self.code = code


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


def variables(**changes):
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
    """Run a command in the root folder, its output on the screen; return its exit code.

    Whoever ends this program ends the command with it, and all that the command has started.
    """
    given = {"cwd": ROOT, "env": variables(**changes)}
    if WINDOWS:
        return subprocess.run(list(map(str, command)), **given).returncode
    process = subprocess.Popen(list(map(str, command)), start_new_session=True, **given)

    def end(number, frame):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        sys.exit(128 + number)

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in signals}
    try:
        return process.wait()
    finally:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:  # it ignores the signal, as what nohup starts does SIGINT
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()
        for number, handler in before.items():
            signal.signal(number, handler)


def ask(*command):
    """Run a command quietly; return whether it succeeded, and what it printed."""
    quietly = {"cwd": ROOT, "env": variables(), "capture_output": True, "text": True}
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


def digest(*parts, root=None):
    """Return one short name for the contents of files and folders, and for other values."""
    whole = hashlib.sha256()
    for part in parts:
        if not isinstance(part, Path):
            whole.update(json.dumps(part, sort_keys=True).encode())
            continue
        for file in [part] if part.is_file() else sorted(part.rglob("*")):
            if file.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(file.parts):
                whole.update(f"\0{file.relative_to(root or ROOT).as_posix()}\0".encode())
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
