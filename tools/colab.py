"""An environment like Colab's: what the package requires, Colab's ipywidgets, and no more.

`make colab` makes it before running tests/project/test_colab.py, in the process of the Python
that .venv was made with.
"""

import subprocess
import sys
import tomllib

from tools import environment
from tools.running import PYTHON as OURS
from tools.running import ROOT, Stop, ask, digest, read, remove, step, variables, write

FOLDER = ROOT / "_build" / "colab"
PYTHON = FOLDER / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
WHEELS = ROOT / "_build" / "wheel"

# What Colab has of Jupyter, which is older than ours; the rest is as pinned in constraints.txt.
JUPYTER = ("ipykernel==6.17.1", "ipython==7.34.0", "ipython-genutils==0.2.0")
# Alone, as the notebook server that it asks for serves no kernel.
WIDGETS = ("ipywidgets==7.7.1",)


def setup():
    """Make the environment, unless it is there."""
    want = {"of": digest(environment.wanted(), JUPYTER, WIDGETS)}
    if read(FOLDER / "made.json") == want and ask(PYTHON, "-c", "import torch")[0]:
        return
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = [line for line in project["dependencies"] if not line.startswith("ipywidgets")]
    with step("Making an environment like Colab's", "3 s"):
        remove(FOLDER)
        # Without pip: the one that a notebook calls is a stand-in that the test sees.
        uv = ("uv", "venv", "--python", sys.executable, FOLDER)
        if not ask(sys.executable, "-m", "venv", "--without-pip", FOLDER)[0]:
            if not ask(*uv)[0]:
                raise Stop(f"{sys.executable} cannot make a virtual environment.")
    pins = FOLDER / "constraints.txt"
    named = tuple(line.partition("==")[0] for line in JUPYTER + WIDGETS)
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins.write_text("\n".join(x for x in lines if not x.startswith(named)) + "\n", encoding="utf-8")
    # Exactly the build of torch that .venv has, or none: another would be gigabytes of CUDA.
    version = "from importlib.metadata import version; print(version('torch'))"
    torch = f"torch=={ask(OURS, '-c', version)[1].strip()}"
    batches = ((torch, *own, *JUPYTER), ("--no-deps", *WIDGETS))
    environment.install("what Colab has", "10 s to 5 min", *batches, python=PYTHON, pins=pins)
    write(FOLDER / "made.json", want)


def wheel():
    """Build the package's wheel; return where it is."""
    remove(WHEELS)
    remove(ROOT / "build")  # what setuptools left there would go into the wheel
    code = f"from setuptools import build_meta as b; b.build_wheel({str(WHEELS)!r})"
    with step("Building the wheel", "3 s"):
        quietly = {"cwd": ROOT, "env": variables(), "capture_output": True, "text": True}
        WHEELS.mkdir(parents=True)
        command = [str(OURS), "-W", "ignore", "-c", code]
        done = subprocess.run(command, **quietly)
        if done.returncode:
            raise Stop(f"The wheel was not built: {done.stderr[-1000:]}")
    remove(ROOT / "build")
    return next(WHEELS.glob("*.whl"))
