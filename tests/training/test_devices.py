"""A run of the budget `paper` has no TF32, and a record of a GPU says what was set."""

import contextlib

import pytest
import torch

from mgtutorial.training import devices, protocols

GPU = torch.device("cuda")


def configure(budget):
    return protocols.configure("mgnet-20", "digits", budget)


@pytest.fixture
def flags():
    """Put the two flags, which a build for the CPU has as well, back after the test."""
    before = devices.tf32()
    yield
    devices._set_tf32(**before)


@pytest.mark.usefixtures("flags")
@pytest.mark.parametrize("convolutions", [True, False])
@pytest.mark.parametrize("products", [True, False])
def test_tf32_in_a_run_is_what_its_budget_says_and_as_before_after_it(convolutions, products):
    devices._set_tf32(convolutions, products)
    before = {"convolutions": convolutions, "products": products}
    assert devices.tf32() == before
    with devices.exact(configure("paper"), GPU):
        assert devices.tf32() == {"convolutions": False, "products": False}
    assert devices.tf32() == before
    with contextlib.suppress(KeyboardInterrupt), devices.exact(configure("paper"), GPU):
        raise KeyboardInterrupt
    assert devices.tf32() == before
    with devices.exact(configure("short"), GPU):  # torch's own default, whatever was set
        assert devices.tf32() == {"convolutions": True, "products": False}
    with devices.exact(configure("paper"), torch.device("cpu")):
        assert devices.tf32() == before
    assert devices.tf32() == before


@pytest.mark.usefixtures("flags")
def test_a_record_of_a_gpu_says_what_decides_its_rounding(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "some GPU")
    with devices.exact(configure("paper"), GPU):
        said = devices.describe(GPU)
    assert said.tf32 == {"convolutions": False, "products": False}
    assert said.cuda == torch.version.cuda
    assert said.cudnn == torch.backends.cudnn.version()
    plain = devices.describe(torch.device("cpu"))
    assert (plain.type, plain.cuda, plain.tf32) == ("cpu", None, None) and plain.threads


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.usefixtures("flags")
def test_convolutions_on_a_gpu_are_of_single_precision():
    torch.manual_seed(0)
    x, w = torch.randn(8, 256, 32, 32), torch.randn(256, 256, 3, 3)
    wanted = torch.conv2d(x.double(), w.double())
    devices._set_tf32(True, True)
    with devices.exact(configure("paper"), GPU):
        ours = torch.conv2d(x.cuda(), w.cuda()).cpu()
    assert (ours - wanted).norm() / wanted.norm() < 1e-5  # TF32: about 3e-4
