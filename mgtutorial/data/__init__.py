"""Data sets, and batches made on the training device.

>>> from mgtutorial.data import load
>>> load("digits", "test").n
359
"""

from .._torchvision import torchvision
from .catalogue import NAMES, PUBLISHED, DataSet, info
from .clouds import load_clouds
from .clouds_in_memory import Clouds
from .image_folders import FolderImages
from .images import SPLITS, batches, load
from .in_memory import Images
from .sample import load_sample
from .sources import available, how_to_get

__all__ = [
    "NAMES",
    "PUBLISHED",
    "SPLITS",
    "Clouds",
    "DataSet",
    "FolderImages",
    "Images",
    "available",
    "batches",
    "how_to_get",
    "info",
    "load",
    "load_clouds",
    "load_sample",
    "torchvision",
]
