"""What `mgtutorial spectrum` takes for every network of torchvision: processor time.

Classification, detection and segmentation, built without weights one at a time, at the default
grids, with files and figures. Layers of more than 1,024 channels have rows of their own.
"""

import contextlib
import gc
import io
import tempfile
import warnings

import torch

from mgtutorial._torchvision import torchvision
from mgtutorial.errors import InvalidValue
from mgtutorial.spectra import command, convolutions_in, planned

from .side_by_side import timed

NARROW = 1024
PARTS = {"up to 1,024 channels": False, "wider": True}


def networks():
    """Yield the task and the name of each network."""
    models = torchvision().models
    for task, module in (
        ("classification", models),
        ("detection", models.detection),
        ("segmentation", models.segmentation),
    ):
        for name in models.list_models(module=module):
            yield task, name


def built(task, name):
    """Return a network, its weights drawn from a fixed seed."""
    weights = {"weights": None} if task == "classification" else dict.fromkeys(
        ("weights", "weights_backbone")
    )  # fmt: skip
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # on how two of them begin
        return torchvision().models.get_model(name, **weights)


def run(found, name):
    """Do what the command does, and return what it left out."""
    plan = planned(found)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        with contextlib.redirect_stderr(io.StringIO()):
            command.run(found, name, folder=folder)
    return plan


def measure(chosen=None):
    """Yield a row for each network and part of its layers, and one for the sum of each part."""
    totals = {part: [0, 0.0, 0, 0] for part in PARTS}
    for task, name in networks():
        if chosen is not None and name not in chosen:
            continue
        found = convolutions_in(built(task, name), transposed=True)
        for part, wide in PARTS.items():
            some = {n: A for n, A in found.items() if (max(A.c_in, A.c_out) > NARROW) == wide}
            if not some:
                continue
            those = type(found)(some, found.weights)
            try:
                plan, _, seconds = timed(run, those, name)
            except InvalidValue:  # none of them is done by default
                continue
            facts = {"layers": len(plan.tasks), "left_out": sorted(plan.left_out),
                     "without_eigenvalues": len(plan.without_eigenvalues)}  # fmt: skip
            yield {"case": f"{task}, {part}", "side": f"mgtutorial, {name}", "unit": "s",
                   "values": [seconds], "facts": facts}  # fmt: skip
            for i, more in enumerate((1, seconds, len(plan.tasks), len(plan.left_out))):
                totals[part][i] += more
        del found
        gc.collect()
    for part, (n, seconds, layers, left_out) in totals.items():
        if n:
            yield {"case": f"all, {part}", "side": "mgtutorial", "unit": "s", "values": [seconds],
                   "facts": {"networks": n, "layers": layers, "left_out": left_out}}  # fmt: skip
