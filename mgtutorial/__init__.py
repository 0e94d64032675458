"""Multigrid and neural networks, one algorithm: the package behind the book.

Importing the package is silent, offline and quick; a submodule (and torch
with it) is imported when it is first used.

>>> import mgtutorial
>>> mgtutorial.__version__
'0.1.0'
"""

import importlib
import pkgutil

__version__ = "0.1.0"

# Every public submodule is an attribute, imported on first use.
_SUBMODULES = frozenset(m.name for m in pkgutil.iter_modules(__path__) if m.name[0] != "_")


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_SUBMODULES})
