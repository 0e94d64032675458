"""A strided 1x1 convolution of few channels that avoids a fault in the library beneath torch."""

import torch.nn.functional as F
from torch import nn

#: Fewer channels than this do not fill a vector register of today's processors.
FEW = 16


class NarrowStrided(nn.Conv2d):
    """A 1x1 convolution that first takes the pixels its stride leaves, then has stride 1.

    The function is that of :class:`torch.nn.Conv2d`. With fewer than 16 channels, images stored
    channels last and more than one thread, the gradient of a strided 1x1 kernel is written past
    the end of its workspace (oneDNN 3.x, its issue 6035): an odd batch on two threads ends the
    process. Wide layers are not affected, and keep torch's kernel, which is a fifth faster.

    Examples
    --------
    >>> import torch
    >>> conv, x = NarrowStrided(8, 16, 1, stride=2, bias=False), torch.rand(3, 8, 7, 7)
    >>> torch.allclose(conv(x), nn.Conv2d.forward(conv, x), atol=1e-6)
    True

    Book: from_multigrid_to_networks, eq-networks-convolution
    """

    def forward(self, x):
        rows, columns = self.stride
        x = x[:, :, ::rows, ::columns]
        return F.conv2d(x, self.weight, self.bias, groups=self.groups)
