"""What tests of several files share."""

import gc

import pytest

from .weekly import is_weekly


@pytest.hookimpl(tryfirst=True)  # before others choose by it
def pytest_collection_modifyitems(items):
    """Mark what runs each week only."""
    for item in items:
        if is_weekly(item.nodeid):
            item.add_marker("weekly")


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
