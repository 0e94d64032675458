"""A count is remembered for the code and the config that it was made with, and for no other."""

import json
import shutil
from dataclasses import dataclass, replace

import pytest

from mgtutorial import models
from mgtutorial.models import counting
from mgtutorial.reproduction import published, remembered_counts
from mgtutorial.reproduction.tables import TABLES


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A memory of its own, empty."""
    monkeypatch.setattr(remembered_counts, "FOLDER", tmp_path / "counts")
    return tmp_path / "counts"


class Counter:
    """Counts how often it is asked to count."""

    def __init__(self, network):
        self.network, self.asked = network, 0

    def __call__(self):
        self.asked += 1
        return counting.count_weights(self.network)


NETWORK = models.named("mgnet-20")


def another_process():
    remembered_counts._known.cache_clear()


def test_a_count_is_made_once_for_all_processes(folder):
    counter = Counter(NETWORK)
    for _ in range(2):
        assert remembered_counts.count(NETWORK, None, counter) == 101_242
        another_process()
    assert counter.asked == 1
    (file,) = folder.iterdir()
    assert file.stem == remembered_counts.CODE


def test_another_config_or_data_set_misses_the_memory():
    counter = Counter(NETWORK)
    others = [replace(NETWORK, steps=2), replace(NETWORK, num_classes=100)]
    for key in [(NETWORK, None), (NETWORK, "cifar10"), *((other, None) for other in others)]:
        remembered_counts.count(*key, counter)
    assert counter.asked == 4


@pytest.mark.parametrize("file", ["models/mgnet.py", "models/counting.py", "multigrid.py"])
def test_other_code_misses_the_memory(tmp_path, monkeypatch, file):
    counter = Counter(NETWORK)
    remembered_counts.count(NETWORK, None, counter)
    package = tmp_path / "mgtutorial"
    shutil.copytree(remembered_counts.PACKAGE, package, ignore=shutil.ignore_patterns("*.pyc"))
    assert remembered_counts.digest_of_code(package) == remembered_counts.CODE
    with (package / file).open("a") as code:
        code.write("\n# one line more\n")
    changed = remembered_counts.digest_of_code(package)
    assert changed != remembered_counts.CODE
    monkeypatch.setattr(remembered_counts, "CODE", changed)
    remembered_counts.count(NETWORK, None, counter)
    assert counter.asked == 2


def test_a_new_file_of_code_misses_the_memory(tmp_path):
    package = tmp_path / "mgtutorial"
    shutil.copytree(remembered_counts.PACKAGE, package)
    (package / "models" / "toy.py").write_text("")
    assert remembered_counts.digest_of_code(package) != remembered_counts.CODE


def test_a_build_that_was_replaced_while_python_ran_is_not_remembered(monkeypatch, folder):
    right = type(NETWORK).build
    monkeypatch.setattr(type(NETWORK), "build", lambda self: right(self))
    counter = Counter(NETWORK)
    for _ in range(2):
        remembered_counts.count(NETWORK, None, counter)
    assert counter.asked == 2 and not folder.exists()


def test_a_class_from_elsewhere_is_not_remembered(folder):
    @dataclass(frozen=True)
    class Own:
        def build(self):
            return NETWORK.build()

    counter = Counter(NETWORK)
    for _ in range(2):
        remembered_counts.count(Own(), None, counter)
    assert counter.asked == 2 and not folder.exists()


def test_a_line_that_was_not_finished_is_counted_again(folder):
    counter = Counter(NETWORK)
    remembered_counts.count(NETWORK, None, counter)
    (file,) = folder.iterdir()
    file.write_text(file.read_text()[:-5])
    another_process()
    assert remembered_counts.count(NETWORK, None, counter) == 101_242 and counter.asked == 2


def test_a_folder_that_cannot_be_written_costs_time_only(folder):
    folder.write_text("a file where the folder should be")
    counter = Counter(NETWORK)
    assert remembered_counts.count(NETWORK, None, counter) == 101_242


def test_old_files_go(folder, monkeypatch):
    folder.mkdir()
    for i in range(30):
        (folder / f"{i:016}.jsonl").write_text(json.dumps(["x", i]) + "\n")
    remembered_counts.count(NETWORK, None, Counter(NETWORK))
    assert len(list(folder.iterdir())) == remembered_counts.KEPT + 1


def test_remembered_counts_of_rows_are_those_of_the_networks():
    for table in ("mgiad-table1", "mgic-table12", "poly-mgnet"):
        described = TABLES[table]
        for row in list(described.rows)[:3]:
            plain = counting.count_weights(described.config(row))
            named = described.entry(row).network
            assert published.weights(named, described.data) == plain
            another_process()
            assert published.weights(named, described.data) == plain


def test_a_count_beside_its_print_is_not_made_again(monkeypatch):
    def show():
        (row,) = (r for r in published.rows("mgiad-table1") if r.name == "mgnet")
        return row.counted, row.difference, row.verdict

    first = show()
    another_process()
    monkeypatch.setattr(published, "count_weights", None)  # calling it would fail
    assert show() == first and first[0] == 2_750_666


def test_a_row_of_a_table_is_shown_without_building_a_network(monkeypatch):
    from mgtutorial.reproduction import comparison, rendering

    monkeypatch.setattr(published, "count_weights", None)  # calling it would fail
    shown = rendering.markdown(comparison.compare("mgiad-table1", [], rows=["mgnet"]))
    assert "2,750,666" in shown
