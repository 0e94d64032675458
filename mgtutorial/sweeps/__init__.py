"""Many runs: which are done, what the rest cost, and doing them.

>>> from mgtutorial.sweeps import missing
>>> missing([])
[]
"""

from .costs import Cost, estimated_costs
from .plan import Planned, read_plan, sweep
from .runs import Run, missing, run, survey

__all__ = [
    "Cost",
    "Planned",
    "Run",
    "estimated_costs",
    "missing",
    "read_plan",
    "run",
    "survey",
    "sweep",
]
