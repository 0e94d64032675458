r"""MgNet with Galerkin's operators: every coarse A is made from the fine one and the restriction.

A solver seldom gets its coarse operators in any other way: :math:`A' = R A R^T`. In MgNet each
`A` is free. Here only that of the first level is, and the others follow from it; a transfer to half
the size and a kernel of 3 x 3 give a kernel of 3 x 3 again.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import fx, nn

from ..errors import InvalidValue
from .mgnet import MgNet, MgNetConfig


def galerkin_kernel(A, R):
    r"""Return the kernel of :math:`R A R^T` in the interior of an image.

    Parameters
    ----------
    A : tensor, shape (c, c, 3, 3)
        Of a convolution that keeps the size.
    R : tensor, shape (c', 1, 3, 3)
        Of a depthwise convolution that halves the size; `c'` is a multiple of `c`.

    Returns
    -------
    tensor, shape (c', c', 3, 3)
        At each frequency of rank at most `4 c`: four fine waves look the same on the coarse grid.

    Examples
    --------
    Full weighting and linear interpolation take the second difference, along each line, to itself:

    >>> line = torch.tensor([0.25, 0.5, 0.25])
    >>> second = torch.zeros(1, 1, 3, 3)
    >>> second[0, 0, 1] = torch.tensor([-1.0, 2.0, -1.0])
    >>> 8 * galerkin_kernel(second, (line[:, None] * line)[None, None]).sum(2)
    tensor([[[-0.5000,  1.0000, -0.5000]]])

    Book: transposes, transposes-galerkin
    """
    n, c = R.shape[0], A.shape[0]
    delta = torch.zeros(n, n, 5, 5, dtype=A.dtype, device=A.device)
    delta[:, :, 2, 2] = torch.eye(n, dtype=A.dtype, device=A.device)
    fine = F.conv_transpose2d(delta, R, stride=2, padding=1, groups=c)
    coarse = F.conv2d(F.conv2d(fine, A, padding=1), R, stride=2, padding=1, groups=c)
    # Image i is the response to a unit in channel i; a kernel reads where that writes.
    return coarse[:, :, 1:4, 1:4].flip(2, 3).transpose(0, 1)


fx.wrap("galerkin_kernel")  # a symbolic trace does not know sizes


class GalerkinOperator(nn.Module):
    """The operator of a coarse level; it has no weights of its own.

    Parameters
    ----------
    A : torch.nn.Conv2d or GalerkinOperator
        Of the finer level.
    R : torch.nn.Conv2d
        From that level to this one.

    Examples
    --------
    >>> from mgtutorial.models import blocks
    >>> operator = GalerkinOperator(blocks.conv(4, 4), blocks.conv(4, 8, stride=2, groups=4))
    >>> operator.weight.shape, list(operator.parameters())
    (torch.Size([8, 8, 3, 3]), [])

    Book: transposes, transposes-galerkin
    """

    def __init__(self, A, R):
        super().__init__()
        self._made_of = (A, R)  # in a tuple: they belong to the finer level

    @property
    def weight(self):
        A, R = self._made_of
        return galerkin_kernel(A.weight, R.weight)

    def forward(self, u):
        return F.conv2d(u, self.weight, padding=1)


@dataclass(frozen=True)
class GalerkinConfig(MgNetConfig):
    """What defines an MgNet with Galerkin's operators: the fields of an :class:`MgNetConfig`.

    Raises
    ------
    InvalidValue
        As there; also for groups in `A`, and for dense transfers, which have a norm.

    Examples
    --------
    Of the operators A, those of the second and third levels are gone:

    >>> from mgtutorial.models import count_weights, named
    >>> count_weights(named("mgnet-20")) - count_weights(named("galerkin-20"))
    46080

    Book: transposes, transposes-galerkin
    """

    def __post_init__(self):
        super().__post_init__()
        if self.transfers == "dense" or (self.group_size and self.grouped != "B"):
            raise InvalidValue(
                "Galerkin's operators need depthwise transfers and an A that couples all channels: "
                "leave transfers and group_size at their defaults, or give grouped='B'."
            )

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return GalerkinMgNet(self)


class GalerkinMgNet(MgNet):
    """The network of a :class:`GalerkinConfig`.

    Examples
    --------
    >>> net = GalerkinConfig(channels=(8, 16), in_channels=1).build()
    >>> net(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 10])

    Book: transposes, transposes-galerkin
    """

    def __init__(self, config):
        super().__init__(config)
        for fine, coarse in zip(self.levels, self.levels[1:], strict=False):
            coarse.A = GalerkinOperator(fine.A, fine.R)

    def _replicate_for_data_parallel(self):  # the copies' operators would be made from ours
        raise InvalidValue(
            "nn.DataParallel cannot copy operators that are made of others: use "
            "torch.nn.parallel.DistributedDataParallel."
        )


NAMED = {"galerkin-20": GalerkinConfig((16, 32, 64), steps=3, unused_transfers=True)}
