"""The papers of this folder, collected: a file that has a ``PAPER`` is one of them.

>>> list(PAPERS)
['mgiad', 'mgic', 'poly_mgnet']
>>> PRINTED["mgiad-table2"].title
'MGiaD, Table 2: FashionMNIST'
"""

from importlib import import_module
from pkgutil import iter_modules

from ...errors import Names

_HERE = __package__


def _papers():
    for module in sorted(m.name for m in iter_modules(import_module(_HERE).__path__)):
        if module != "catalogue":
            paper = getattr(import_module(f"{_HERE}.{module}"), "PAPER", None)
            if paper is not None:
                yield module, paper


#: Name of the file -> :class:`~.paper.Paper`.
PAPERS = Names("paper", _papers())

#: Name -> :class:`~.printed_table.Printed`, of all papers.
PRINTED = Names("table", (item for paper in PAPERS.values() for item in paper.printed.items()))

#: Name of such a table -> its paper.
PAPER_OF = Names("table", ((name, p) for p in PAPERS.values() for name in p.printed))

#: Tables that their notebooks make as a whole: name -> title.
MADE_BY_NOTEBOOK = {k: v for p in PAPERS.values() for k, v in p.made_by_notebook.items()}

#: All families of networks.
FAMILIES = tuple(family for paper in PAPERS.values() for family in paper.families)
