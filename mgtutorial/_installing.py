"""What to type when something is not installed: never a package name that nobody owns."""

import re
from functools import cache
from importlib import metadata

from ._paths import checkout

_ADDRESS = "git+https://github.com/mgtutorial/mgtutorial"


def how_to_install(extra):
    """Return what to type to install an extra of this package.

    The package is on no index, so its bare name would fetch whatever anyone puts there.

    Parameters
    ----------
    extra : str
        As named in ``pyproject.toml``.

    Examples
    --------
    >>> "cluster" in how_to_install("cluster")
    True
    """
    if (root := checkout()) is not None:
        return f"type in {root}: pip install -e '.[{extra}]'"
    return f"type: pip install 'mgtutorial[{extra}] @ {_ADDRESS}'"


def missing(module):
    """Return what to say about a module that cannot be imported.

    Only packages that this one itself requires may be suggested: any other name may be a slip of
    the pen, and the package of that name somebody's trap.

    Parameters
    ----------
    module : str
        As in ``ModuleNotFoundError.name``.

    Examples
    --------
    >>> missing("sklearn")
    'the package scikit-learn is not installed: type: pip install scikit-learn'
    >>> missing("mynet.layers")
    "there is no module 'mynet.layers' here: is its name right, and is it in this folder?"
    """
    package = str(module).partition(".")[0]
    package = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "pyyaml"}.get(package, package)
    package = package.replace("_", "-")
    if package.lower() not in _asked_for():
        return f"there is no module {module!r} here: is its name right, and is it in this folder?"
    return f"the package {package} is not installed: type: pip install {package}"


@cache
def _asked_for():
    """Return the names of the packages that this one's metadata ask for."""
    try:
        lines = metadata.requires("mgtutorial") or []
    except metadata.PackageNotFoundError:
        lines = []
    names = {re.split(r"[^\w.-]", line, maxsplit=1)[0].lower() for line in lines}
    return names - {"mgtutorial"}
