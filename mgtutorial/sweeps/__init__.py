"""Many runs: what is done of them, what the rest costs, and doing it.

>>> from mgtutorial.sweeps import missing
>>> missing([])
[]
"""

from .costs import Cost, estimated_costs
from .runs import Run, missing, run, survey

__all__ = [
    "Cost",
    "Run",
    "estimated_costs",
    "missing",
    "run",
    "survey",
]
