"""The trained network that comes with the package is what its record says."""

import pytest
import torch

from mgtutorial import _paths, models
from mgtutorial.data import batches, load
from mgtutorial.errors import DataDamaged, MgtutorialError, UnknownName
from mgtutorial.models import saving
from mgtutorial.training import pretrained, records, shipped

NAMES = ["mgiad-20-g4"]


def test_they_are_there_and_small():
    assert shipped.available() == NAMES
    assert all(file.stat().st_size < 500_000 for file in shipped.folder().iterdir())
    with pytest.raises(UnknownName, match="did you mean 'mgiad-20-g4'"):
        pretrained("mgiad-20-g5")


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_that_of_its_record(name):
    network, record = pretrained(name)
    assert not network.training and models.count_weights(network) == record.weights
    assert network.config == record.config.model == models.named(name, in_channels=1)
    assert records.run_digest(record.config, record.data) == record.digest
    assert (record.data.n, record.metric.split, record.partial) == (60_000, "test", False)


@pytest.mark.parametrize("name", NAMES)
def test_on_the_whole_test_set_it_has_the_accuracy_of_its_record(name):
    try:
        test = load("fashion-mnist", "test")
    except MgtutorialError as error:
        pytest.skip(str(error))
    network, record = pretrained(name)
    with torch.no_grad():
        right = sum(
            int((network(x).argmax(1) == y).sum()) for x, y in batches(test, 500, shuffle=False)
        )
    assert test.digest == record.evaluated_on.digest
    assert abs(right / test.n - record.metric.value) <= 2 / test.n  # ties, in single precision


def test_a_file_without_a_record_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(_paths, "packaged_results", lambda: tmp_path)
    (tmp_path / "trained").mkdir()
    net = models.named("mgnet-20").build()
    models.save(tmp_path / "trained" / "mine.safetensors", net)
    with pytest.raises(DataDamaged, match="holds no record of its run"):
        pretrained("mine")
    models.save(tmp_path / "trained" / "mine.safetensors", net, record="{}")
    with pytest.raises(DataDamaged, match="holds no record of its run"):
        pretrained("mine")
    assert saving.metadata(tmp_path / "trained" / "mine.safetensors")["record"] == "{}"
