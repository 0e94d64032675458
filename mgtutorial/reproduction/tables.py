"""The tables that training runs can fill: for each row its network, and what is printed beside it.

What the papers print is read by :mod:`.published`; :mod:`.comparison` puts a table
together with the records of the runs.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from ..data import catalogue
from ..errors import choose
from ..models import registry
from . import published
from .papers import printed_table


class Entry(NamedTuple):
    """What is printed in a row, if anything is, and the config of the row's network."""

    printed: published.Row | None
    config: object


@dataclass(frozen=True)
class Table:
    """A published table: its data set, and the networks of its rows.

    Attributes
    ----------
    title : str
    data : str
        The data set of :func:`mgtutorial.data.images.load`.
    rows : dict
        Name of the row -> :class:`Entry`.
    protocol : str
        The paper whose protocol the budget ``paper`` follows, as
        :class:`mgtutorial.training.protocols.TrainConfig` has it.
    """

    title: str
    data: str
    rows: dict
    protocol: str = "mgiad"

    @property
    def classes(self):
        """Number of classes of the table's data set."""
        return catalogue.info(self.data).classes

    def config(self, row):
        """Return the network of a row, as it is on the table's data set."""
        config = self.rows[choose("row", row, self.rows)].config
        return config.for_data_set(catalogue.info(self.data))


def _of_print(name):
    """The table of a published one: its rows with a network, of MGIC the journal's version."""
    described = printed_table.PRINTED[name]
    rows = {
        r.name: Entry(r, r.config)
        for r in published.rows(name)
        if r.config is not None and not r.arxiv
    }
    protocol = "mgic" if name.startswith("mgic") else "mgiad"
    return Table(described.title, described.data, rows, protocol)


def _figure7():
    """MGiaD's Figure 7, accuracy over weights: the numbers that are printed stand elsewhere."""
    names = ["resnet18", "resnet20", "mgnet", "mgnet-20"]
    names += [f"mgnet-g{g}" for g in (4, 8, 16, 32, 64)]
    names += [f"mgic-resnet56-c{s_c}-g{s_g}" for s_c, s_g in ((64, 16), (16, 8))]
    names += [f"mgiad-lam{lam}-c64-g{g}" for lam in (3, 2) for g in (4, 8)]
    names += [f"mgiad-lam1-c{c}-g{g}" for c in (64, 32, 16) for g in (4, 8)]
    names += [f"mgiad-lam1-c64-g{g}-post{eta}" for g in (4, 8) for eta in (2, 3)]
    # MGIC's own accuracies were reached under another protocol.
    printed = {
        r.name: replace(r, accuracy=None, std=None) if table.startswith("mgic") else r
        for table in ("mgic-table3", "mgic-table12", "mgiad-text", "mgiad-table1")
        for r in published.rows(table)
        if not r.arxiv
    }
    rows = {name: Entry(printed.get(name), registry.CONFIGS[name]) for name in names}
    return Table("MGiaD, Figure 7: CIFAR-10, accuracy over weights", "cifar10", rows)


def _poly_mgnet():
    """Poly-MgNet's trade-off: its accuracies are not printed in the text at hand."""
    printed = {r.name: r for r in published.rows("poly-mgnet")}
    printed["resnet18"] = printed["resnet18-summary"]
    names = [name for name in registry.CONFIGS if name.startswith("poly-mgnet")]
    names += ["resnet18", "mgnet"]
    names += [name for name in registry.CONFIGS if name.startswith("mgnet-x")]
    rows = {name: Entry(printed.get(name), registry.CONFIGS[name]) for name in names}
    return Table(printed_table.PRINTED["poly-mgnet"].title, "cifar10", rows, "poly-mgnet")


_BY_PRINT = (
    "mgiad-table1",
    "mgiad-table2",
    "mgiad-table3-cifar100",
    "mgiad-table3-tiny-imagenet",
    "mgiad-table3-imagenet",
    "mgic-table3",
    "mgic-table12",
    "mgic-table5",
    "mgic-table7",
)
TABLES = {name: _of_print(name) for name in _BY_PRINT}
TABLES |= {"mgiad-figure7": _figure7(), "poly-mgnet": _poly_mgnet()}

#: Tables that their notebooks make as a whole, without runs on images: name -> title.
WHOLE = {
    "mgic-table1": "MGIC, Table 1: weights of the transfers alone",
    "mgic-table2": "MGIC, Table 2: a function of the plane, not the paper's, with blocks of ours",
    "mgic-table8": "MGIC, Table 8: inference times",
}


def _same_network(recorded, config):
    """Whether a run's network is the row's, but for its data set and its protocol's start."""
    recorded = registry.from_dict(recorded)
    fitted = {k: getattr(recorded, k) for k in ("in_channels", "num_classes", "initial_weights")}
    return recorded == replace(config, **fitted)


def network_name(recorded):
    """Return the name of a recorded network, or its kind and widths if it has none.

    Examples
    --------
    >>> network_name(registry.as_dict(registry.named("mgnet-20", in_channels=1)))
    'mgnet-20'
    """
    config = registry.from_dict(recorded)
    of_tables = ((name, row.config) for t in TABLES.values() for name, row in t.rows.items())
    for name, known in (*registry.CONFIGS.items(), *of_tables):
        if type(known) is type(config) and _same_network(recorded, known):
            return name
    kind = type(config).__name__.removesuffix("Config")
    return " ".join([kind, "-".join(map(str, getattr(config, "channels", ())))]).strip()
