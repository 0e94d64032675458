"""Galerkin's operators in MgNet: the kernel is that of the product, and nothing else is changed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mgtutorial import models
from mgtutorial.errors import InvalidValue
from mgtutorial.models import GalerkinConfig, MgNetConfig
from mgtutorial.models.galerkin import galerkin_kernel
from mgtutorial.spectra.symbols import symbol

from ..project.prose import says


@pytest.mark.parametrize("c, n", [(1, 1), (2, 2), (3, 6), (2, 8)])
def test_the_kernel_is_that_of_the_product_in_the_interior(c, n):
    torch.manual_seed(n)
    A, R = torch.randn(c, c, 3, 3).double(), torch.randn(n, 1, 3, 3).double()
    v = torch.randn(2, n, 9, 8, dtype=torch.float64)
    up = F.conv_transpose2d(v, R, stride=2, padding=1, output_padding=1, groups=c)
    product = F.conv2d(F.conv2d(up, A, padding=1), R, stride=2, padding=1, groups=c)
    ours = F.conv2d(v, galerkin_kernel(A, R), padding=1)
    assert product.shape == ours.shape
    inside = (..., slice(1, -1), slice(1, -1))
    torch.testing.assert_close(ours[inside], product[inside], rtol=0, atol=1e-11)


def test_the_transposed_a_makes_the_transposed_kernel():
    torch.manual_seed(0)
    A, R = torch.randn(3, 3, 3, 3).double(), torch.randn(6, 1, 3, 3).double()
    K = galerkin_kernel(A, R)
    transposed = galerkin_kernel(A.transpose(0, 1).flip(2, 3), R)
    torch.testing.assert_close(K.transpose(0, 1).flip(2, 3), transposed, rtol=0, atol=1e-12)


@pytest.mark.parametrize("c, n, rank", [(1, 8, 4), (1, 3, 3), (2, 12, 8)])
def test_four_fine_waves_pass_at_each_frequency(c, n, rank):
    torch.manual_seed(1)
    K = galerkin_kernel(torch.randn(c, c, 3, 3).double(), torch.randn(n, 1, 3, 3).double())
    ranks = np.linalg.matrix_rank(symbol(K.numpy(), (5, 5)), tol=1e-9)
    assert ranks.max() == rank


def test_the_network_is_mgnet_with_these_operators():
    torch.manual_seed(0)
    ours = GalerkinConfig((4, 8, 16), steps=2).build().double()
    theirs = MgNetConfig((4, 8, 16), steps=2).build().double()
    state = {k: v.clone() for k, v in ours.state_dict().items()}
    for level, module in enumerate(ours.levels):
        state[f"levels.{level}.A.weight"] = module.A.weight.detach()
    theirs.load_state_dict(state)
    x = torch.randn(3, 3, 12, 12, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-12)
    ours(x).square().sum().backward()
    own = [p.grad is not None for p in ours.parameters()]
    assert all(own) and ours.levels[0].R.weight.grad.abs().max() > 0


def test_counts():
    ours, theirs = models.named("galerkin-20"), models.named("mgnet-20")
    saved = models.count_weights(theirs) - models.count_weights(ours)
    assert saved == 9 * (32**2 + 64**2) == 46_080
    assert models.count_weights(ours) == 55_162
    says("transposes", "55,162 weights")


@pytest.mark.parametrize("changes", [{"transfers": "dense"}, {"group_size": 2}])
def test_what_has_no_such_kernel_is_a_sentence(changes):
    with pytest.raises(InvalidValue, match="Galerkin's operators need"):
        replace(GalerkinConfig((8, 16)), **changes)
