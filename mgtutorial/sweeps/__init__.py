"""Many runs: what is done of them, what the rest costs, and doing it.

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
