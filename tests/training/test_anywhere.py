"""A run is the same run whatever surrounds it, and says in a sentence what it cannot do there."""

import contextlib
import errno
import json
import os
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from mgtutorial import _locks, models
from mgtutorial.errors import (
    DeviceUnavailable,
    InvalidValue,
    LockUnavailable,
    Unfinished,
    UnknownName,
)
from mgtutorial.models.counting import activations_held
from mgtutorial.training import devices, distributed, loop, protocols, records
from mgtutorial.training.plane import PlaneConfig
from mgtutorial.training.time_limits import TimeLimit
from mgtutorial.training.workspace import Workspace, load_checkpoint, save_checkpoint

SMALL = models.MgNetConfig(channels=(4, 8), steps=1)


def configure(**changes):
    return protocols.configure(SMALL, "digits", "smoke", **{"epochs": 1, "n_train": 64} | changes)


def train(folder, **changes):
    return loop.train(configure(**changes), Workspace(folder / "runs", device="cpu"))


# --- numbers


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), "0.1", None, 10**400])
@pytest.mark.parametrize("name", ["lr", "momentum", "weight_decay"])
def test_what_is_no_finite_number_is_refused(name, value):
    with pytest.raises(InvalidValue, match=f"{name}=.*finite"):
        configure(**{name: value})
    if name != "weight_decay":
        with pytest.raises(InvalidValue, match=f"{name}="):
            PlaneConfig(models.ImplicitConfig(), **{name: value})


@pytest.mark.parametrize("name", ["lr", "weight_decay"])
def test_a_rate_that_float32_does_not_have_is_refused(name):
    with pytest.raises(InvalidValue, match=rf"{name}=1e\+39: .* at most 3e\+38"):
        configure(**{name: 1e39})


def test_data_are_named_once():
    with pytest.raises(UnknownName, match="unknown training option 'data'"):
        configure(data="cifar10")


@pytest.mark.parametrize("given", [5, (5, 5), "ab", ((0.5,), ("x",)), ((0.5,), (float("nan"),))])
def test_a_normalisation_is_two_numbers_a_channel(given):
    with pytest.raises(InvalidValue, match=r"normalisation=.* the 1 channels of digits"):
        configure(normalisation=given)


@pytest.mark.parametrize("name", ["epochs", "batch_size", "seed", "n_train", "step_epochs"])
@pytest.mark.parametrize("value", [-1, 0.5, True, "1", 10**23, float("inf")])
def test_what_is_no_whole_number_in_its_range_is_refused(name, value):
    with pytest.raises(InvalidValue, match=f"{name}="):
        configure(**{name: value})


def test_a_run_has_one_name_however_its_numbers_were_computed():
    plain = configure(lr=1.0, epochs=2, batch_size=32, seed=3, normalisation=((0.5,), (0.5,)))
    same = configure(
        lr=1, epochs=np.int64(2), batch_size=np.uint8(32), seed=np.int32(3),
        normalisation=(np.full(1, 0.5), [np.float32(0.5)]), compile=np.bool_(False),
    )  # fmt: skip
    assert json.dumps(plain.as_dict()) == json.dumps(same.as_dict())
    wide = replace(plain, model=replace(plain.model, channels=(np.int64(4), np.int64(8))))
    assert records.digest(wide.as_dict()) == records.digest(plain.as_dict())


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), "9m"])
def test_a_time_limit_is_a_number(seconds):
    with pytest.raises(InvalidValue, match="time limit"):
        _ = Workspace(time_limit=seconds).limit


@pytest.mark.parametrize("option", [{"devices": 0}, {"devices": -2}, {"nodes": 0}, {"nodes": 1.5}])
def test_no_process_is_no_number_of_processes(option):
    with pytest.raises(InvalidValue, match="at least 1"):
        devices.shared(**option)


def test_more_processes_than_processors_are_refused():
    with pytest.raises(InvalidValue, match=r"10000 processes .* processors"):
        distributed.train(configure(), Workspace(device="cpu"), devices=10_000)


# --- the last batch


@pytest.mark.parametrize("batch_size", [1, 63, 21])
def test_a_batch_of_one_image_on_a_grid_of_one_point_is_said_before_the_first_epoch(
    tmp_path, batch_size, monkeypatch
):
    deep = models.MgNetConfig(channels=(4,) * 4, steps=1)  # 8, 4, 2, 1 pixels
    config = protocols.configure(deep, "digits", "smoke", n_train=64, batch_size=batch_size)
    with pytest.raises(InvalidValue, match=r"one image.*another batch size"):
        loop.train(config, Workspace(tmp_path / "runs", device="cpu"))
    assert not list(tmp_path.rglob("*.pt"))


def test_a_batch_of_one_image_is_none_the_worse_on_a_larger_grid(tmp_path):
    assert train(tmp_path, batch_size=63).epochs == 1


# --- what the caller has set


@contextlib.contextmanager
def _default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextlib.contextmanager
def _default_device():
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


SETTINGS = {
    "the default type": _default_dtype,
    "the default device": _default_device,
    "no gradients": torch.no_grad,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_a_run_is_the_same_whatever_the_caller_has_set(tmp_path, setting):
    plain = train(tmp_path / "plain")
    with setting():
        other = train(tmp_path / "other")
    assert other.digest == plain.digest and other.metric == plain.metric
    assert [row.loss for row in other.curve] == [row.loss for row in plain.curve]


@pytest.mark.parametrize("name", ["benchmark", "deterministic"])
def test_the_choice_of_algorithms_on_a_gpu_is_the_runs(name):
    before = getattr(torch.backends.cudnn, name)
    setattr(torch.backends.cudnn, name, True)
    try:
        with devices.exact(configure(), torch.device("cuda")):
            assert not getattr(torch.backends.cudnn, name)
        assert getattr(torch.backends.cudnn, name)
    finally:
        setattr(torch.backends.cudnn, name, before)


def test_a_resumed_run_has_the_threads_of_its_checkpoint(tmp_path, monkeypatch):
    with pytest.raises(Unfinished):
        loop.train(
            configure(epochs=2),
            Workspace(tmp_path / "runs", device="cpu", time_limit=_after_one_epoch()),
        )
    (path,) = tmp_path.rglob("*.pt")
    before = torch.get_num_threads()
    state = load_checkpoint(path)
    state.pop("digest")
    save_checkpoint(path, state | {"threads": before + 1})
    record = train(tmp_path, epochs=2)
    assert record.device.threads == before + 1 and torch.get_num_threads() == before


def _after_one_epoch():
    limit = TimeLimit()
    limit._asked = lambda: limit.epochs >= 1
    return limit


# --- no compiler, no memory


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "smaller batch"),
        (MemoryError(), "smaller batch size"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 12 GB"), "smaller batch size"),
    ],
)
def test_memory_that_does_not_suffice_is_a_sentence(error, words):
    with (
        pytest.raises(InvalidValue, match=words),
        devices.sentences(configure(), torch.device("cpu")),
    ):
        raise error


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("memory", ["fast", "lean"])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_batch_that_no_memory_holds_is_refused_before_the_work(
    precision, memory, parts, tmp_path, monkeypatch
):
    """And the number in the sentence is the first that is refused, of all processes together."""
    config = configure(batch_size=1000, n_train=1000, precision=precision, memory=memory)
    samples, cpu = config.task(None).training(), torch.device("cpu")
    one = activations_held(config.model, 2, samples.size).bytes / 2
    one *= (0.5 if precision == "bfloat16" else 1) * (0.3 if memory == "lean" else 1)
    monkeypatch.setattr(devices, "_memory", lambda device: 400.5 * one)
    stages = [(64, None), (1000, None)]
    with pytest.raises(InvalidValue, match=rf"batch_size=1000: .* below {400 * parts}, or") as said:
        devices.check_memory(config, samples, cpu, stages, parts)
    assert "GiB in all" in str(said.value)
    devices.check_memory(config, samples, cpu, [(400 * parts, None)], parts)
    devices.check_memory(replace(config, compile=memory != "lean"), samples, cpu, stages[:1], parts)
    if (precision, memory, parts) == ("float32", "fast", 1):
        with pytest.raises(InvalidValue, match="in all"):
            loop.train(config, Workspace(tmp_path / "runs", device="cpu"))


def test_memory_is_what_this_process_may_have(monkeypatch):
    resource = pytest.importorskip("resource", reason="no limits of processes on Windows")
    whole = devices._memory(torch.device("cpu"))
    assert 2**28 < whole < 2**50
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (12345, 12345))
    assert devices._memory(torch.device("cpu")) == 12345


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="a bug"):
        with devices.sentences(configure(), torch.device("cpu")):
            raise RuntimeError("a bug")


@pytest.mark.parametrize("path", ["/nonexistent", ""])
def test_without_a_compiler_a_compiled_run_is_one_sentence(tmp_path, monkeypatch, path):
    monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("CXX", "/nonexistent/g++")
    with pytest.raises(DeviceUnavailable, match=r"C\+\+ compiler.*leave compile out"):
        train(tmp_path, compile=True)


@pytest.mark.parametrize("module", ["torch._inductor.exc", "torch._dynamo.exc"])
def test_what_torch_cannot_compile_is_one_sentence(module):
    error = type("SomeError", (RuntimeError,), {"__module__": module})("C++ compile error\n" * 99)
    with pytest.raises(InvalidValue, match=r"torch\.compile cannot") as caught:
        with devices.sentences(configure(), torch.device("cpu")):
            raise error
    assert len(str(caught.value)) < 400


# --- locks


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EIO])
def test_a_file_system_without_locks_is_a_sentence_and_no_wait(tmp_path, monkeypatch, number):
    import fcntl

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    begun = time.monotonic()
    with pytest.raises(LockUnavailable, match="local disk"):
        train(tmp_path)
    with pytest.raises(LockUnavailable):
        records.append(records.all_runs()[0], tmp_path / "a.jsonl")
    assert time.monotonic() - begun < 60
    assert records.read(tmp_path / "runs") == []


def test_a_wait_for_a_lock_ends_when_the_time_is_up_or_an_end_is_asked_for(tmp_path, capfd):
    path = tmp_path / "x.lock"
    held, free = threading.Event(), threading.Event()

    def other():
        with _locks.hold(path):
            held.set()
            free.wait(60)

    thread = threading.Thread(target=other)
    thread.start()
    held.wait(60)
    try:
        for limit in (TimeLimit(0.1), TimeLimit(asked=lambda: True)):
            with pytest.raises(Unfinished, match="another program"):
                with _locks.hold(path, limit.check_wait):
                    pytest.fail("two hold one lock")
        assert "waiting for another program" in capfd.readouterr().err
    finally:
        free.set()
        thread.join()
    with _locks.hold(path):  # free again
        pass


@pytest.mark.parametrize("given", ["abc", "nan", "inf", "-1", "0", "1e9"])
def test_a_patience_that_is_no_time_is_a_sentence(given, monkeypatch):
    monkeypatch.setenv("MGTUTORIAL_PATIENCE", given)
    with pytest.raises(InvalidValue, match=r"MGTUTORIAL_PATIENCE is .*give seconds"):
        distributed._patience()


@pytest.mark.parametrize(("given", "seconds"), [("", 300), (" 5 ", 5), ("2.5", 2.5)])
def test_a_patience_from_the_environment(given, seconds, monkeypatch):
    monkeypatch.setenv("MGTUTORIAL_PATIENCE", given)
    assert distributed._patience() == seconds
