"""The entry of book/errata.md on separable kernels is shown here."""

import torch
from torch import nn

from mgtutorial.models.counting import count_weights


def test_mgiad_a_separable_kernel_is_of_rank_one_if_one_filter_serves_all():
    torch.manual_seed(0)
    s, c, c_out = 3, 6, 4
    depthwise = nn.Conv2d(c, c, s, groups=c, bias=False, dtype=torch.float64)
    pointwise = nn.Conv2d(c, c_out, 1, bias=False, dtype=torch.float64)
    assert count_weights(nn.Sequential(depthwise, pointwise)) == s**2 * c + c * c_out

    def ranks():  # of the kernels of the output channels, with s^2 rows and c columns
        filters = depthwise.weight.flatten(1).T
        kernels = filters * pointwise.weight.view(c_out, 1, c)
        x = torch.randn(1, c, s, s, dtype=torch.float64)
        both = pointwise(torch.nn.functional.conv2d(x, depthwise.weight, groups=c)).flatten()
        one = (kernels * x.flatten(2)[0].T).sum((1, 2))
        assert torch.allclose(one, both)  # they are the layer's
        return torch.linalg.matrix_rank(kernels).tolist()

    with torch.no_grad():
        assert ranks() == [min(s**2, c)] * c_out
        depthwise.weight[:] = depthwise.weight[0].clone()
        assert ranks() == [1] * c_out
