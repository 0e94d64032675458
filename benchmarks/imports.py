"""What a reader waits for: imports, and the commands that train nothing.

Each side is a new process, from its start to its end.
"""

import subprocess
import sys
from functools import partial

from .side_by_side import alternate

IMPORTS = {
    "mgtutorial": "import mgtutorial",
    "mgtutorial.linalg": "import mgtutorial.linalg",
    "mgtutorial.models": "import mgtutorial.models",
    "mgtutorial.reproduction": "import mgtutorial.reproduction",
    "Python": "",
    "NumPy": "import numpy",
    "torch": "import torch",
}
COMMANDS = {
    "mgtutorial --version": ["--version"],
    "mgtutorial tables --check": ["tables", "--check"],
    "mgtutorial count --table mgiad-table2": ["count", "--table", "mgiad-table2"],
}


def process(*arguments):
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def measure(repeat=5, imports=IMPORTS, commands=COMMANDS):
    cases = {
        "import": {name: partial(process, "-c", text) for name, text in imports.items()},
        "command": {
            name: partial(process, "-m", "mgtutorial", *rest) for name, rest in commands.items()
        },
    }
    for case, sides in cases.items():
        _, seconds = alternate(sides, repeat)
        for side, values in seconds.items():
            yield {"case": case, "side": side, "unit": "s", "values": values}
