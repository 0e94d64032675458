"""The recorded counts are those of the networks, and a wrong network is told from the right one."""

import pytest
from torch import nn

from mgtutorial import _paths
from mgtutorial.errors import InvalidValue
from mgtutorial.reproduction import expected_counts, published
from mgtutorial.reproduction.tables import TABLES


def test_every_row_of_every_table_has_recorded_counts_that_its_network_has(tmp_path, monkeypatch):
    recorded = expected_counts._path().read_text(encoding="utf-8")
    monkeypatch.setattr(expected_counts, "_path", lambda: tmp_path / "expected_counts.csv")
    assert expected_counts.write().read_text(encoding="utf-8") == recorded
    assert len(recorded.splitlines()) == 1 + sum(len(table.rows) for table in TABLES.values())


def test_a_row_without_a_record_says_how_to_make_one(tmp_path, monkeypatch):
    path = tmp_path / "expected_counts.csv"
    path.write_text("table,row,weights,macs\nmgiad-table2,mgnet-20,100954,34603264\n")
    monkeypatch.setattr(expected_counts, "_path", lambda: path)
    assert expected_counts.counts("mgiad-table2", "mgnet-20") == (100_954, 34_603_264)
    with pytest.raises(InvalidValue, match=r"resnet20 in mgiad-table2 .* count --write"):
        expected_counts.check("mgiad-table2", ["resnet20"])


def test_counts_are_written_in_a_checkout_only(monkeypatch):
    monkeypatch.setattr(_paths, "checkout", lambda: None)
    with pytest.raises(InvalidValue, match="checkout"):
        expected_counts.write()


def test_one_batch_norm_more_is_another_network():
    def spoilt(config):
        net = config.build()
        net.stem.append(nn.BatchNorm2d(config.channels[0]))
        return net

    with pytest.raises(expected_counts.WrongNetwork, match="a different network"):
        expected_counts.check("mgiad-table2", ["mgnet-20"], network=spoilt)


def test_one_convolution_applied_twice_is_another_network():
    def spoilt(config):
        net = config.build()
        forward = net.levels[0].A.forward
        net.levels[0].A.forward = lambda x: forward(forward(x))
        return net

    with pytest.raises(expected_counts.WrongNetwork, match="multiplications"):
        expected_counts.check("mgiad-table2", ["mgnet-20"], network=spoilt)


def test_the_recorded_weights_are_those_of_the_published_rows():
    for name, table in TABLES.items():
        for row, entry in table.rows.items():
            if entry.printed is not None and entry.printed.verdict == "matched":
                weights, _ = expected_counts.counts(name, row)
                assert published.rounds_to(weights, entry.printed.printed, entry.printed.unit)
