"""Runs that may be compared with each other: those of equal budget on the same images."""

from collections import defaultdict
from dataclasses import replace
from typing import NamedTuple

from ..models import registry
from ..training import records


class Budget(NamedTuple):
    """What runs of equal budget have in common.

    Attributes
    ----------
    data, name : str
        The data set, and the budget's name.
    epochs, images : int
        Of the training.
    """

    data: str
    name: str
    epochs: int
    images: int

    @property
    def work(self):
        """How many images a run sees."""
        return self.epochs * self.images


def by_budget(runs):
    """Return the runs that may be compared, in groups, the longest training first.

    Parameters
    ----------
    runs : list of Record
        Runs for a choice on validation images, partial runs and smoke runs are left out.

    Returns
    -------
    list of (Budget, dict)
        The dictionary maps a network, as :func:`bare` returns it, to its runs by seed. If a run
        is recorded twice, the first record counts.

    Book: claims, claims-experiment
    """
    groups = defaultdict(lambda: defaultdict(dict))
    for run in runs:
        if run.tests_accuracy and not run.partial and run.budget != "smoke":
            budget = Budget(run.config.data, run.budget, run.epochs, run.data.n)
            groups[budget, _rest(run)][bare(run.config.model)].setdefault(run.seed, run)
    found = [(budget, own) for (budget, _), own in groups.items()]
    return sorted(found, key=lambda pair: -pair[0].work)


def _rest(run):
    """Return the digest of all choices but the network and the seed, and of the images.

    Each network has its own recipe, so under the budget ``fast`` its ideas and rate may differ.
    """
    own = {"model", "seed"} | ({"recipe", "lr"} if run.budget == "fast" else set())
    return records.digest([{k: v for k, v in run.choices.items() if k not in own}, run.data.digest])


def bare(config):
    """Return a network's config without what the data set and the protocol decide."""
    return replace(config, in_channels=1, num_classes=10, initial_weights="he-fan-out")


def written_network(text, info):
    """Return the config of a network, written as in plans of runs, for a data set.

    Parameters
    ----------
    text : str
        A name and what is changed, such as ``"mgnet-20 group_size=16"``.
    info : object
        As for :meth:`mgtutorial.models.NetworkConfig.for_data_set`.

    Raises
    ------
    UnknownName, InvalidValue
        If there is no such network, field or value.

    Examples
    --------
    >>> from mgtutorial.data import info
    >>> config = written_network("mgnet-20 group_size=16", info("cifar10"))
    >>> config.group_size, config.in_channels, bare(config).in_channels
    (16, 3, 1)
    """
    name, *changes = text.split()
    return registry.changed(registry.named(name, data=info), " ".join(changes))
