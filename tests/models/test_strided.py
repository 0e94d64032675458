"""A strided 1x1 convolution of few channels has torch's values, and leaves the process alive."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.models import blocks
from mgtutorial.models.strided import FEW, NarrowStrided

STEP = """
import torch
from mgtutorial.models import ResNetConfig
torch.set_num_threads({threads})
torch.manual_seed(0)
net = ResNetConfig(channels=({c}, 32), blocks=(1, 1)).build()
net(torch.randn({n}, 3, 16, 16)).square().sum().backward()
print("alive")
"""


@settings(deadline=None)
@given(
    st.integers(1, FEW - 1), st.integers(1, 20), st.integers(2, 3), st.integers(1, 5),
    st.integers(1, 9),
)  # fmt: skip
def test_values_and_gradients_are_those_of_torchs_own_layer(c_in, c_out, stride, n, side):
    conv = blocks.conv(c_in, c_out, kernel=1, stride=stride).double()
    x = torch.randn(n, c_in, side, side, dtype=torch.float64, requires_grad=True)
    got, want = conv(x), F.conv2d(x, conv.weight, stride=stride)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-13)
    g = torch.randn_like(got)
    ours = torch.autograd.grad(got, (x, conv.weight), g)
    torchs = torch.autograd.grad(want, (x, conv.weight), g)
    torch.testing.assert_close(ours, torchs, rtol=0, atol=1e-12)


def test_only_narrow_strided_1x1_kernels_are_of_the_kind():
    def kind(*args, **more):
        return isinstance(blocks.conv(*args, **more), NarrowStrided)

    assert kind(FEW - 1, 8, kernel=1, stride=2)
    assert not kind(FEW, 8, kernel=1, stride=2)
    assert not kind(8, 8, kernel=1) and not kind(8, 8, kernel=3, stride=2)


@pytest.mark.parametrize("c", [3, 8])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_narrow_network_survives_an_odd_batch_on_any_number_of_threads(c, threads):
    code = STEP.format(threads=threads, c=c, n=3)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "alive\n", done.stderr
