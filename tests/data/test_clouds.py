"""Clouds of points: their files, their splits, what is done to them, and what stops at the door."""

import sys

import numpy as np
import pytest
import torch

from mgtutorial.data import catalogue, clouds, load_clouds
from mgtutorial.data.clouds_in_memory import CloudPart, stretch_and_move
from mgtutorial.errors import DataDamaged, DataNotFound, InvalidValue, UnknownName

FILE = "modelnet10_points1024/modelnet10_points1024_q16.npz"


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("MGTUTORIAL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def make_file(root, **changes):
    """A small file in the format of the copy."""
    random, arrays = np.random.RandomState(0), {"class_names": np.array(list("abcdefghij"))}
    for part, n in (("train", 40), ("test", 20)):
        arrays[f"{part}_q"] = random.randint(-32767, 32768, (n, 1024, 3)).astype(np.int16)
        arrays[f"{part}_y"] = (np.arange(n) % 10).astype(np.int64)
    path = root / FILE
    path.parent.mkdir()
    np.savez_compressed(path, **arrays | changes)
    return arrays


def test_a_file_of_points_is_read_with_the_splits_of_images(root):
    arrays = make_file(root)
    whole, test = (load_clouds("modelnet10", split, root=root) for split in ("train", "test"))
    assert (whole.n, test.n, whole.size, whole.num_classes) == (40, 20, 1024, 10)
    assert whole.source == "file of points" and not whole.digest == test.digest
    assert np.array_equal(np.rint(whole.points.numpy() * 32767), arrays["train_q"])
    parts = [load_clouds("modelnet10", split, root=root) for split in ("fit", "val")]
    assert [p.n for p in parts] == [32, 8] and parts[1].labels.bincount().max() == 1
    together = torch.cat([p.points.flatten(1) for p in parts])
    assert torch.equal(together.sort(0).values, whole.points.flatten(1).sort(0).values)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"train_y": np.full(40, 10)}, "labels of 'modelnet10' .* go from 10 to 10, and there are"),
        ({"train_y": np.full(40, -1)}, "labels .* go from -1 to -1"),
        ({"train_q": np.zeros((40, 9, 3), np.int16)}, r"have the shape \(40, 9, 3\) in place of"),
        ({"train_q": np.zeros((40, 1024, 2), np.int16)}, r"the shape \(40, 1024, 2\)"),
        ({"train_y": np.zeros(39, np.int64)}, r"have the shape \(40, 1024, 3\) in place of \(39"),
        ({"train_q": np.zeros((40, 1024, 3))}, "cannot be read .train_q is float64"),
    ],
)
def test_a_file_with_something_else_is_one_sentence(root, changes, message):
    make_file(root, **changes)
    with pytest.raises(DataDamaged, match=message):
        load_clouds("modelnet10", root=root)


def test_coordinates_that_are_no_numbers_are_one_sentence():
    points = np.zeros((6, 128, 3), np.float32)
    points[4, 0, 0] = np.nan
    part = CloudPart(points, np.arange(6), catalogue.clouds("shapes"), "made")
    part = part._replace(classes=tuple("abcdef"))
    with pytest.raises(DataDamaged, match=r"cloud 4 of 'shapes' .made. has a coordinate"):
        part.check(catalogue.clouds("shapes"))


def test_a_broken_file_and_an_absent_one_are_one_sentence(root):
    with pytest.raises(DataNotFound, match=r"'modelnet10' is not in .* put the folders ModelNet10"):
        load_clouds("modelnet10", root=root)
    make_file(root)
    (root / FILE).write_bytes((root / FILE).read_bytes()[:1000])
    with pytest.raises(DataDamaged, match="cannot be read"):
        load_clouds("modelnet10", root=root)
    with pytest.raises(UnknownName, match="did you mean 'modelnet10'"):
        load_clouds("modelnet", root=root)


def test_meshes_without_their_reader_are_one_sentence(root, monkeypatch):
    (root / "ModelNet10/raw").mkdir(parents=True)
    monkeypatch.setitem(sys.modules, "torch_geometric", None)
    monkeypatch.setattr("mgtutorial.data.cloud_files.find_spec", lambda name: None)
    with pytest.raises(DataNotFound, match=r"torch_geometric, which reads them, is not .*\[clouds"):
        load_clouds("modelnet10", root=root)


def test_meshes_are_read_by_torch_geometric(root):
    pytest.importorskip("torch_geometric", reason="comes with the extra clouds")
    corners = "OFF\n4 4 0\n0 0 0\n4 0 0\n0 2 0\n0 0 1\n3 0 1 2\n3 0 1 3\n3 0 2 3\n3 1 2 3\n"
    names = ("bathtub", "bed", "chair", "desk", "dresser", "monitor", "night_stand", "sofa",
             "table", "toilet")  # fmt: skip
    for name in names:
        for part in ("train", "test"):
            folder = root / "ModelNet10/raw" / name / part
            folder.mkdir(parents=True)
            (folder / f"{name}_0001.off").write_text(corners)
    found = load_clouds("modelnet10", root=root)
    assert (found.n, found.source) == (10, "official meshes")
    assert found.classes == names and found.labels.tolist() == [*range(10)]
    assert found.points.shape == (10, 1024, 3) and found.points.abs().max() == 1
    assert load_clouds("modelnet10", root=root).digest == found.digest
    (root / "ModelNet10/raw/toilet").rename(root / "toilet")
    with pytest.raises(DataDamaged, match="has 9 folders in place of the 10 classes"):
        load_clouds("modelnet10", root=root)


def test_stretching_and_moving_is_one_map_for_each_cloud():
    points = torch.rand(500, 7, 3, dtype=torch.float64)
    moved = stretch_and_move(points, torch.Generator().manual_seed(1))
    ends = points[:, :2], moved[:, :2]
    factor = (ends[1][:, 0] - ends[1][:, 1]) / (ends[0][:, 0] - ends[0][:, 1])
    shift = moved[:, 0] - factor * points[:, 0]
    torch.testing.assert_close(points * factor[:, None] + shift[:, None], moved)
    assert factor.min() >= 2 / 3 and factor.max() <= 3 / 2 and shift.abs().max() <= 0.2
    assert factor.min() < 0.68 and factor.max() > 1.48  # all of the range
    again = stretch_and_move(points, torch.Generator().manual_seed(1))
    assert torch.equal(again, moved)


def test_an_epoch_has_each_cloud_once_and_is_drawn_at_the_call():
    shapes = load_clouds("shapes", "test")
    generator = torch.Generator().manual_seed(0)
    drawn = clouds.batches(shapes, 32, "none", generator)
    after = generator.get_state()
    points = torch.cat([p for p, _ in drawn])
    assert torch.equal(generator.get_state(), after)
    assert torch.equal(points.flatten(1).sort(0).values, shapes.points.flatten(1).sort(0).values)
    assert not torch.equal(points, shapes.points)
    plain = [*clouds.batches(shapes, 50)]
    assert torch.equal(torch.cat([p for p, _ in plain]), shapes.points)
    with pytest.raises(InvalidValue, match="pass one"):
        clouds.batches(shapes, 32, "stretch-and-move")
    for size in (0, -1, 2.5, True, 10**30):
        with pytest.raises(InvalidValue, match=r"batch_size=.* whole number"):
            clouds.batches(shapes, size)
    with pytest.raises(UnknownName, match="unknown augmentation 'turn'"):
        clouds.batches(shapes, 4, "turn", generator)


def test_made_shapes_are_balanced_and_never_the_same():
    train, test = load_clouds("shapes", "train"), load_clouds("shapes", "test")
    assert train.labels.bincount().tolist() == [40] * 6
    together = torch.cat([train.points, test.points]).flatten(1)
    assert len(torch.unique(together, dim=0)) == train.n + test.n
    assert together.abs().amax(1).min() == 1
    with pytest.raises(InvalidValue, match="cannot take 241 clouds of shapes/train"):
        train.take(241)
