"""The tables that training runs can fill: for each row its network, and what is printed beside it.

Which tables there are, and what their rows are, is defined in :mod:`.papers`. A table's rows are
built when they are asked for. What the papers print is read by :mod:`.published`;
:mod:`.comparison` puts a table together with the records of the runs.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from ..data import catalogue
from ..errors import Names, UnknownName, choose
from ..models import registry
from . import published
from .papers.catalogue import FAMILIES, PAPER_OF, PAPERS
from .papers.paper import Figure


class Entry(NamedTuple):
    """What is printed in a row, if anything is, and the network of the row as it is named."""

    printed: published.Row | None
    network: object


@dataclass(frozen=True)
class Table:
    """A published table: its data set, and the networks of its rows.

    Attributes
    ----------
    name, title : str
    data : str
        The data set of :func:`mgtutorial.data.load`.
    protocol : str
        The paper whose protocol the budget ``paper`` follows, as
        :class:`mgtutorial.training.TrainConfig` has it.
    figure : Figure or None
        Which rows there are, if they are not those of one printed table.
    """

    name: str
    title: str
    data: str
    protocol: str
    figure: Figure | None = None

    @cached_property
    def rows(self):
        """Name of the row -> :class:`Entry`."""
        return self._printed() if self.figure is None else self._of_figure()

    def _printed(self):
        """The printed rows that have a network; for MGIC, those of the journal's version."""
        return {
            r.name: Entry(r, r.network)
            for r in published.rows(self.name)
            if r.network is not None and not r.arxiv
        }

    def _of_figure(self):
        """The figure's networks, each beside what the last of its printed tables says about it."""
        found = {}
        for name in self.figure.printed:
            rows = [r for r in published.rows(name) if not r.arxiv]
            if PAPER_OF[name].protocol != self.protocol:  # which its accuracies are due to
                rows = [replace(r, accuracy=None, std=None) for r in rows]
            found |= {r.name: r for r in rows}
        called = self.figure.called
        return {
            name: Entry(found.get(called.get(name, name)), registry.CONFIGS[name])
            for name in self.figure.networks
        }

    def entry(self, row):
        """Return the :class:`Entry` of a row.

        Raises
        ------
        UnknownName
            If there is no such row, here and in the methods below.
        """
        if row not in self.rows:
            choose(f"row of {self.name}", row, self.rows)
        return self.rows[row]

    def config(self, row):
        """Return the network of a row, as it is on the table's data set."""
        return self.entry(row).network.for_data_set(catalogue.info(self.data))


def _tables():
    for paper in PAPERS.values():
        for name in paper.trained:
            printed = paper.printed[name]
            yield name, Table(name, printed.title, printed.data, paper.protocol)
        for name, figure in paper.figures.items():
            yield name, Table(name, figure.title, figure.data, paper.protocol, figure)


TABLES = Names("table", _tables())


def network(name):
    """Return the config of a network by its name, or by that of a row that only a paper names.

    Raises
    ------
    UnknownName
        If no network and no row has this name.

    Examples
    --------
    >>> network("mgic-mobilenetv3-1.0-relu").hard_swish
    False
    """
    if name in registry.CONFIGS:
        return registry.CONFIGS[name]
    rows = {r: entry.network for table in TABLES.values() for r, entry in table.rows.items()}
    return Names("network", rows | registry.CONFIGS)[name]


def family(config):
    """Return the :class:`~.papers.paper.Family` of a network, given by its config.

    Raises
    ------
    UnknownName
        If no paper says how figures draw it.

    Examples
    --------
    >>> family(network("mgnet-g8")).label, family(network("mgnet-20")).label
    ('MgNet, grouped', 'MgNet')
    """
    for candidate in FAMILIES:
        if candidate.has(config):
            return candidate
    raise UnknownName(
        f"a {type(config).__name__} is of no family: a file of mgtutorial/reproduction/papers has "
        "to say how figures draw it."
    )


def protocol_of(name):
    """Return the protocol that a named network is published with.

    It is that of the paper to whose family it belongs; if only others train it, that of the first.

    Examples
    --------
    >>> protocol_of("mgnet-20"), protocol_of("mgnet-x0.71"), protocol_of("resnet56")
    ('mgiad', 'poly-mgnet', 'mgic')
    """
    own = next(p.protocol for p in PAPERS.values() if family(network(name)) in p.families)
    trained = [table.protocol for table in TABLES.values() if name in table.rows]
    return own if own in trained or not trained else trained[0]


def network_name(recorded):
    """Return the name of a recorded network, or its kind and widths if it has none.

    Examples
    --------
    >>> from mgtutorial.models import as_dict
    >>> network_name(as_dict(registry.named("mgnet-20", in_channels=1)))
    'mgnet-20'
    """
    of_tables = ((row, t.config(row)) for t in TABLES.values() for row in t.rows)
    return registry.name_of(registry.from_dict(recorded), also=of_tables)
