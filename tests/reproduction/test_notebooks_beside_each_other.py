"""Notebooks of tables, several at a time: none hears of what another's kernel was started with."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from mgtutorial.reproduction import notebooks


@pytest.mark.parametrize("before", [None, "0"])
def test_kernels_know_that_nothing_moves_and_the_variable_is_put_back(monkeypatch, before):
    monkeypatch.delenv("MGTUTORIAL_STATIC", raising=False)
    if before is not None:
        monkeypatch.setenv("MGTUTORIAL_STATIC", before)
    together, ended = Barrier(2), Event()

    def one(long):
        with notebooks._kernels:
            together.wait(30)
            seen = os.environ["MGTUTORIAL_STATIC"]
            together.wait(30)
            if long:  # the other one has left
                ended.wait(30)
            return seen, os.environ.get("MGTUTORIAL_STATIC")

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(one, True), pool.submit(one, False)
        assert second.result(60) == ("1", "1")
        ended.set()
        assert first.result(60) == ("1", "1")
    assert os.environ.get("MGTUTORIAL_STATIC") == before
