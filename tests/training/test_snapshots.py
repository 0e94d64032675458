"""The snapshots of trained networks that come with the package, and how they are kept."""

from collections import Counter

import numpy as np
import pytest
import torch

from mgtutorial import _paths, models
from mgtutorial.errors import DataDamaged, InvalidValue, UnknownName
from mgtutorial.spectra.symbols import singular_values
from mgtutorial.training import records, snapshots

NAMES = ["mgiad-20-g4", "mgnet-20", "poly-mgnet-20-g4", "poly-mgnet-20-q2", "poly-mgnet-skeleton"]


def test_the_snapshots_are_there_and_small():
    assert snapshots.available() == NAMES
    sizes = [
        (_paths.packaged_results() / "spectra" / f"{name}.npz").stat().st_size for name in NAMES
    ]
    assert max(sizes) < 600_000 and sum(sizes) < 1_500_000


@pytest.mark.parametrize("name", NAMES)
def test_snapshots_fit_their_network_and_their_record(name):
    run = snapshots.load(name)
    assert run.epochs[0] == 0 and run.epochs[-1] == run.about["config"]["epochs"]
    record = next(r for r in records.all_runs() if r.digest == run.about["record"])
    assert record.choices == run.about["config"]
    assert record.metric.value == run.about["test_accuracy"]
    end = run.end.state_dict()  # the whole network loads
    for epoch in run.epochs:
        kernels = run.operators(epoch)
        assert kernels.keys() == {n.removesuffix(".weight") for n in end if ".A." in n}
        assert all(np.isfinite(k).all() for k in kernels.values())
    for name, kernel in run.operators(run.epochs[-1]).items():
        np.testing.assert_array_equal(kernel, end[f"{name}.weight"].numpy().astype(float))


def test_half_precision_moves_a_spectrum_by_no_more_than_rounding():
    torch.manual_seed(0)
    kernel = torch.randn(16, 16, 3, 3).numpy() / 12
    stored = kernel.astype(np.float16)
    a, b = (singular_values(k.astype(float), (8, 8)) for k in (kernel, stored))
    assert np.abs(a - b).max() < 2e-3 * a.max()  # Weyl: at most the norm of the difference


def test_the_start_is_that_of_the_training(tmp_path):
    """What a snapshot calls its start is what train starts from."""
    run = snapshots.load("poly-mgnet-20-q2")
    first, again = run.start.state_dict(), snapshots.load("poly-mgnet-20-q2").start.state_dict()
    assert all(torch.equal(first[n], again[n]) for n in first)
    about = {**run.about, "start": {n: 1.01 * v for n, v in run.about["start"].items()}}
    with pytest.raises(InvalidValue, match="cannot be made again"):
        _ = snapshots.Snapshots(about, run.arrays).start


def test_roots_come_with_their_epochs():
    run = snapshots.load("poly-mgnet-skeleton")
    for epoch in run.epochs:
        for x in run.roots(epoch):
            assert x.shape == (4,) and Counter(x.imag > 0)[True] == Counter(x.imag < 0)[True]
    a, b = (np.concatenate(run.roots(e)) for e in (0, run.epochs[-1]))
    assert np.abs(a - b).max() > 0.1


def test_what_is_saved_is_read(tmp_path):
    net = models.named("mgnet-20", in_channels=1).build()
    about = {"config": {"model": models.as_dict(net.config), "seed": 0}, "start": {}}
    snapshots.save(tmp_path / "a.npz", about, {1: net.state_dict()})
    run = snapshots.read(tmp_path / "a.npz")
    for name, value in net.state_dict().items():
        np.testing.assert_allclose(run.end.state_dict()[name], value, rtol=1e-3, atol=1e-6)
    with pytest.raises(InvalidValue, match="epoch 2 was not kept: give one of 0, 1"):
        run.operators(2)


def test_damaged_snapshots_and_unknown_names(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK no zip")
    with pytest.raises(DataDamaged, match="train_spectra"):
        snapshots.read(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", about=np.array([{}], dtype=object))  # a pickle: refused
    with pytest.raises(DataDamaged):
        snapshots.read(tmp_path / "b.npz")
    with pytest.raises(UnknownName, match="did you mean 'mgnet-20'"):
        snapshots.load("mgnet20")
