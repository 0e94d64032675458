"""What the papers print: one paper a file, data only.

>>> from mgtutorial.reproduction import PAPERS
>>> sorted(PAPERS)
['mgiad', 'mgic', 'poly_mgnet']
"""

from .catalogue import FAMILIES, PAPERS, PRINTED

__all__ = [
    "FAMILIES",
    "PAPERS",
    "PRINTED",
]
