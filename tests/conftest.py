"""What tests of several files share."""

import gc

import pytest


def pytest_collection_finish():
    """What was collected stays to the end: the collector of garbage need not walk through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def places(tmp_path, monkeypatch):
    """An empty root and an empty cache folder for each test; no network either."""
    (tmp_path / "root").mkdir()
    monkeypatch.setenv("MGTUTORIAL_DATA", str(tmp_path / "root"))
    monkeypatch.setenv("MGTUTORIAL_CACHE", str(tmp_path / "cache"))
    return tmp_path
