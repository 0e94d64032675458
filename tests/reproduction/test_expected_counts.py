"""The recorded counts are those of the networks, and a wrong network is told from the right one."""

import pytest
from torch import nn

from mgtutorial.reproduction import expected_counts, published
from mgtutorial.reproduction.tables import TABLES


@pytest.mark.parametrize("table", TABLES)
def test_every_row_of_every_table_has_recorded_counts_that_its_network_has(table):
    # Figure 7 and Poly-MgNet repeat networks of other tables; three rows of each will do.
    rows = list(TABLES[table].rows)
    for row in rows:
        assert expected_counts.counts(table, row)
    expected_counts.check(table, rows[:3])


def test_one_batch_norm_more_is_another_network():
    def spoilt(config):
        net = config.build()
        net.stem.append(nn.BatchNorm2d(config.channels[0]))
        return net

    with pytest.raises(expected_counts.WrongNetwork, match="another network"):
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
