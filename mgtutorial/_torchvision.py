"""The one place that imports torchvision.

Where torch is a CPU build and torchvision is not, torchvision's compiled part
cannot load, and its import stops with ``operator torchvision::nms does not
exist``. Data sets, transforms and models need none of that part: it is enough
that the schemas of two operators are known, so they are declared and the
import is tried again. On a healthy installation none of this happens.
"""

import functools
import importlib
import sys

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_KEEP = []  # the declarations vanish when their Library object is collected


@functools.cache
def torchvision():
    """Import torchvision and return it.

    ``torchvision.ops`` and ``torchvision.io.read_image`` may be unusable (see
    the module's docstring); ``datasets``, ``transforms`` and ``models`` always work.

    Returns
    -------
    module

    Raises
    ------
    RuntimeError
        Whatever torchvision raises for a reason other than the missing operators.

    Examples
    --------
    >>> torchvision().datasets.FashionMNIST.__name__
    'FashionMNIST'
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
    for name in [m for m in sys.modules if m == "torchvision" or m.startswith("torchvision.")]:
        del sys.modules[name]
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        library.define(schema)
    _KEEP.append(library)
    return importlib.import_module("torchvision")
