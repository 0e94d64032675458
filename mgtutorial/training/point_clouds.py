"""The runs of MGIC's Table 11: networks that classify clouds of points, and their records."""

from dataclasses import fields, replace

import numpy as np

from .. import _paths
from ..data import catalogue
from ..errors import choose
from ..models.point_clouds import NAMED
from . import records
from .clouds import BUDGETS, CloudsConfig


def configure(model, budget="short", seed=0, **changes):
    """Return the :class:`CloudsConfig` of a budget, with the network fitted to its data.

    Parameters
    ----------
    model : str or PointCloudConfig
        A key of :data:`mgtutorial.models.point_clouds.NAMED`, or a config.
    budget : {"smoke", "demo", "short"}
    seed : int
    **changes
        Other fields of the config.

    Raises
    ------
    UnknownName, InvalidValue

    Examples
    --------
    >>> configure("dgcnn", "smoke").model.num_classes
    6
    """
    data, epochs = BUDGETS[choose("budget", budget, BUDGETS)]
    for name in changes:
        choose("training option", name, [f.name for f in fields(CloudsConfig)])
    if isinstance(model, str):
        model = NAMED[choose("network for clouds", model, NAMED)]
    data = changes.pop("data", data)
    model = replace(model, num_classes=catalogue.clouds(data).classes)
    chosen = {"epochs": epochs} | changes
    return CloudsConfig(model, data, budget, seed=seed, **chosen)


def recorded():
    """Return the records that came with the package, then those that were made since."""
    return records.all_runs(CloudsConfig.file)


def pictures():
    """Return some test clouds with what recorded networks say about them, or None.

    ``experiments/point_clouds.py`` packs them.

    Returns
    -------
    dict or None
        ``points`` (n, 96, 3) in 127ths, ``labels`` (n,), ``classes``; which of the test clouds
        these are (``of``), the ``truth`` of all, and in ``said`` what each network takes them for.
    """
    path = _paths.packaged_results() / "point_clouds.npz"
    if not path.exists():
        return None
    with np.load(path) as file:
        found = {name: file[name] for name in file.files}
    runs = {r.digest: r for r in recorded()}
    names = {c.layer: name for name, c in reversed(NAMED.items()) if not c.hidden}
    found["said"] = {
        names[runs[d].config.model.layer]: found.pop(d)
        for d in [*found]
        if d in runs and runs[d].seed == 0
    }
    return found
