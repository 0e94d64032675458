"""One run: from a config to a record.

>>> from mgtutorial.training import configure
>>> configure("mgnet-20", "digits", "smoke").epochs
4
"""

from .clouds import CloudsConfig
from .coarse_channels import CoarseConfig
from .devices import pick_device
from .loop import evaluate, train
from .plane import PlaneConfig
from .progress import Board
from .protocols import TrainConfig, configure, settings
from .recipe import learning_rate
from .record import Epoch, Metric, Record, Samples
from .records import all_runs, digest
from .segmentation import SegmentationConfig
from .shipped import pretrained
from .snapshots import Snapshots
from .tasks import Classification, Task
from .time_limits import TimeLimit
from .weights import convolutions_of, trained
from .workspace import Workspace

__all__ = [
    "Board",
    "Classification",
    "CloudsConfig",
    "CoarseConfig",
    "Epoch",
    "Metric",
    "PlaneConfig",
    "Record",
    "Samples",
    "SegmentationConfig",
    "Snapshots",
    "Task",
    "TimeLimit",
    "TrainConfig",
    "Workspace",
    "all_runs",
    "configure",
    "convolutions_of",
    "digest",
    "evaluate",
    "learning_rate",
    "pick_device",
    "pretrained",
    "settings",
    "train",
    "trained",
]
