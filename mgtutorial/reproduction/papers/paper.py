"""What there is to know about a paper: the form that each file of this folder fills in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Family:
    """Networks that the figures draw alike.

    Attributes
    ----------
    label, colour, marker : str
        ``colour`` is a name of :data:`mgtutorial.figures.COLOURS`.
    config : type
        The class of the networks' configs.
    only : callable
        From a config of that class to whether it belongs here.
    """

    label: str
    colour: str
    marker: str
    config: type
    only: Callable = lambda config: True

    def has(self, config):
        """Return whether the network of a config is of this family."""
        return isinstance(config, self.config) and self.only(config)


@dataclass(frozen=True)
class Figure:
    """A figure, or a comparison, whose rows stand in no one printed table.

    Attributes
    ----------
    title, data : str
    networks : tuple of str
        Names of :data:`mgtutorial.models.CONFIGS`, in the order of the rows.
    printed : tuple of str
        The printed tables that say something about these networks; a later one wins. The
        accuracies of another paper's tables, which its own protocol gave, are left out.
    called : mapping
        Network -> the row of a printed table that is about it under another name.
    """

    title: str
    data: str
    networks: tuple
    printed: tuple = ()
    called: Mapping = field(default_factory=dict)


@dataclass(frozen=True)
class Paper:
    """A paper: what it prints, what of it can be trained, and how.

    Attributes
    ----------
    title : str
    protocol : str
        What the budget ``paper`` follows: a protocol of :mod:`mgtutorial.training.protocols`.
    printed : mapping
        Name -> :class:`~.printed_table.Printed`: the tables that print weights.
    trained : tuple of str
        Those of `printed` that training runs can fill.
    figures : mapping
        Name -> :class:`Figure`, which training runs can fill as well.
    families : tuple of Family
    made_by_notebook : mapping
        Name -> title: tables that their notebooks make as a whole, without runs on images.
    """

    title: str
    protocol: str
    printed: Mapping
    trained: tuple = ()
    figures: Mapping = field(default_factory=dict)
    families: tuple = ()
    made_by_notebook: Mapping = field(default_factory=dict)
