"""The readers of ModelNet10: its meshes, by torch_geometric, and a file of points."""

import zipfile
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from .._installing import how_to_install
from ..errors import DataDamaged, DataNotFound, MgtutorialError
from . import cache
from .clouds_in_memory import CloudPart, in_unit_box
from .readers import Found, Reader, first_place


@dataclass(frozen=True)
class Meshes(Reader):
    """The reader of ModelNet's meshes, from which points are drawn uniformly by area.

    It is torch_geometric's, which is an extra. The meshes lie in ``FOLDER/raw/CLASS/train`` and
    ``test``, as that library unpacks them; it keeps what it makes of them in ``FOLDER/processed``.

    Attributes
    ----------
    folder : str
        Under the root.
    which : str
        ``"10"`` or ``"40"``.
    """

    folder: str
    which: str
    source = "official meshes"

    def locate(self, info, root):
        path = first_place(f"{self.folder}/raw", root)
        return path and Found("ready", str(path.parent))

    def read(self, info, train, root, progress):
        if find_spec("torch_geometric") is None:
            raise DataNotFound(
                f"the meshes of {info.name!r} are here, and torch_geometric, which reads them, is "
                f"not installed: {how_to_install('clouds')}."
            )
        folder = first_place(f"{self.folder}/raw", root).parent
        classes = tuple(sorted(p.name for p in (folder / "raw").iterdir() if p.is_dir()))
        if len(classes) != info.classes:  # it would fetch them all, unasked
            raise DataDamaged(
                f"{folder / 'raw'} has {len(classes)} folders in place of the {info.classes} "
                f"classes of {info.name!r}: unpack the meshes again."
            )
        import torch
        from torch_geometric.datasets import ModelNet
        from torch_geometric.transforms import SamplePoints

        with torch.random.fork_rng(devices=[]):  # the points are the same for everybody
            torch.manual_seed(0 if train else 1)
            meshes = ModelNet(str(folder), self.which, train, transform=SamplePoints(info.size))
            found = [(mesh.pos.numpy(), int(mesh.y)) for mesh in meshes]
        points = in_unit_box(np.stack([p for p, _ in found]).astype(np.float64))
        return CloudPart(points, np.array([y for _, y in found]), classes, self.source)


@dataclass(frozen=True)
class PointFile(Reader):
    """The reader of an npz file with clouds as 16-bit integers.

    Its keys are ``class_names`` and, for each part, ``PART_q`` (n, points, 3), the coordinates in
    32,767ths of half the longest side of the cloud's box, from its middle, and ``PART_y`` (n,).

    Attributes
    ----------
    pattern : str
        Where the file is, under the root.
    """

    pattern: str
    source = "file of points"

    def locate(self, info, root):
        path = first_place(self.pattern, root)
        return path and Found("local copy, not the official files", str(path))

    def read(self, info, train, root, progress):
        path = first_place(self.pattern, root)
        listed, part = cache.check_sums(path), "train" if train else "test"
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as z:
                whole, labels = z[f"{part}_q"], z[f"{part}_y"]
                classes = tuple(str(c) for c in z["class_names"])
            if whole.dtype != np.int16 or labels.dtype.kind not in "iu" or labels.ndim != 1:
                raise ValueError(f"{part}_q is {whole.dtype} and {part}_y {labels.dtype}")
        except MgtutorialError:
            raise
        except (*cache.BROKEN, zipfile.BadZipFile) as error:
            hint = "" if listed else ", no digest lies beside it"
            raise DataDamaged(
                f"the data file {path} cannot be read ({error}{hint}): fetch it again."
            ) from error
        return CloudPart(
            (whole / np.float32(32767)).astype(np.float32), labels.astype(np.int64), classes,
            self.source,
        )  # fmt: skip
