"""The workers of a sweep."""

import os
import signal

import pytest

from mgtutorial.errors import InvalidValue
from mgtutorial.sweeps import workers


def test_workers_have_one_thread_and_keep_freed_memory(monkeypatch):
    pytest.importorskip("distributed", reason="dask is in the extra 'cluster'")
    names = ("OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    with workers.connect(None, 1, "cpu") as client:
        (found,) = client.run(lambda: [os.environ.get(name) for name in names]).values()
    assert found == ["1", None]


def test_each_worker_has_a_gpu_or_a_thread_of_its_own():
    given = workers.environments(2, "auto", gpus=["0", "1", "2"])
    assert given == [{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"}]
    assert len(workers.environments(None, "auto", gpus=["4", "7"])) == 2
    assert [e["OMP_NUM_THREADS"] for e in workers.environments(3, "cpu", gpus=["0"])] == ["1"] * 3
    with pytest.raises(InvalidValue, match="5 workers were asked for and 2 GPUs are here"):
        workers.environments(5, "auto", gpus=["0", "1"])
    with pytest.raises(InvalidValue, match="workers=0"):
        workers.environments(0)


def test_ctrl_c_is_for_the_process_that_the_workers_belong_to():
    pytest.importorskip("distributed")
    with workers.connect(None, 1, "cpu") as client:
        (found,) = client.run(lambda: signal.getsignal(signal.SIGINT)).values()
    assert found == signal.SIG_IGN
