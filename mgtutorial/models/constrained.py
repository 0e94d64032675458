r"""The constrained model as a network: B is the transpose of A, and ReLU keeps u nonnegative.

On each level the features solve :math:`\min_{u \ge 0} \|A u - f\|_2` approximately, by steps of
the projected Landweber iteration,

.. math:: u \leftarrow \sigma\bigl(u + \omega A^T (f - A u)\bigr), \qquad \sigma(t) = \max(t, 0),

with one trained number :math:`\omega` per step and nothing else besides `A`: no ``B``, no norms.
For every learned `A` a step enlarges no error as long as :math:`0 < \omega \le 2 / \|A\|_2^2`.
Training may leave this range, unless the network is *bounded*:

.. math:: \omega = \frac{2}{1 + e^{-t}} \cdot \frac{1}{\|A\|_2^2}, \qquad t \text{ trained},

where the norm comes from one step of the power method for :math:`A^T A` per pass, which goes on
where the last one ended [2]_. Between the levels stand MgNet's transfers, each with a norm: without
norms, the features of a fresh network fade from level to level.

References
----------
.. [1] J. He, J. Xu, L. Zhang, J. Zhu, An interpretive constrained linear model for ResNet and
   MgNet, Neural Networks 162 (2023): the model.
.. [2] T. Miyato, T. Kataoka, M. Koyama, Y. Yoshida, Spectral normalization for generative
   adversarial networks, ICLR 2018: the norm along with the training, there of a matrix of weights.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from .. import multigrid
from ..linalg.transposes import projected
from . import blocks, mgnet
from .config import NetworkConfig
from .network import LevelModule

#: Points of the periodic images on which norms are taken, and initial steps of the power method.
GRID, POWERS = (8, 8), 30
#: A norm's square is taken to be at least this: with a zero operator any step is harmless.
LEAST = torch.finfo(torch.float32).eps


@dataclass(frozen=True)
class ConstrainedConfig(NetworkConfig):
    r"""What defines a network of the constrained model.

    Attributes
    ----------
    channels : tuple of int
        Channels on each level; each level halves the resolution.
    steps : int
        Steps on each level, at least 1.
    in_channels, num_classes : int
    stem : {"3x3", "7x7"}
    norm : {"batch", "group", "layer", "none"}
        In the stem and after each transfer; the steps have none.
    activation : {"relu", "none"}
        "none" leaves out the constraint (and the other ReLUs): the Landweber iteration.
    bounded : bool
        True keeps every :math:`\omega` between 0 and :math:`2 / \|A\|_2^2` (the norm on periodic
        images, estimated), whatever the training does.

    Raises
    ------
    InvalidValue
        If a number is out of range, or `bounded` is neither True nor False.
    UnknownName
        For any other stem, norm or activation.

    Examples
    --------
    MgNet's weights without those of B and of the steps' norms:

    >>> from mgtutorial.models import count_weights, named
    >>> count_weights(named("constrained-20")), count_weights(named("mgnet-20"))
    (51619, 101242)

    Book: transposes, transposes-network
    """

    channels: tuple = (64, 128, 256, 256)
    steps: int = 2
    in_channels: int = 3
    num_classes: int = 10
    stem: str = "3x3"
    norm: str = "batch"
    activation: str = "relu"
    bounded: bool = field(default=False, metadata={"later": True})

    unused_transfers: ClassVar = False

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "channels", mgnet.check_widths("channels", self.channels))
        self.check_whole(1, "steps")
        self.check_images("stem", "norm", "activation")

    @property
    def widths(self):
        """Channels on each level: `channels` itself."""
        return self.channels

    def build(self):
        """Return the network, with fresh weights from torch's global generator."""
        return Constrained(self)


class ResolutionLevel(LevelModule):
    r"""One level: `A`, a number :math:`\omega` for each step, and the transfers.

    Parameters
    ----------
    c : int
        Channels.
    c_next : int or None
        Those of the next level; None on the last one, which has no transfers.
    config : ConstrainedConfig

    Examples
    --------
    >>> level = ResolutionLevel(8, 16, ConstrainedConfig())
    >>> len(level.level().pre), len(level.steps)
    (2, 2)

    Book: transposes, transposes-network
    """

    def __init__(self, c, c_next, config):
        super().__init__()
        self.A = blocks.conv(c, c)
        self.steps = nn.ParameterList(torch.empty(()) for _ in range(config.steps))
        self.constrained, self.bounded = config.activation == "relu", config.bounded
        if config.bounded:  # where the power method is
            self.register_buffer("wave", torch.empty(1, c, *GRID))
        self.R = self.Pi = None
        if c_next:
            self.R = nn.Sequential(mgnet.transfer(c, c_next), blocks.norm(config.norm, c_next))
            self.Pi = nn.Sequential(  # the coarse level's start is not negative either
                mgnet.transfer(c, c_next),
                blocks.norm(config.norm, c_next),
                blocks.activation(config.activation),
            )

    def start_omegas(self):
        r"""Set every :math:`\omega` to :math:`1 / \|A\|_2^2` for the current weights.

        The norm is that on periodic images of 8 x 8 points; in a bounded network, an estimate.
        """
        from ..spectra.symbols import singular_values  # it brings SciPy

        if self.A.weight.is_meta:
            return
        if self.bounded:
            start = 0.0  # half of the range
            nn.init.normal_(self.wave)
            with torch.no_grad():
                for _ in range(POWERS):
                    self._advance()
        else:
            weight = self.A.weight.detach().double().cpu().numpy()
            start = float(singular_values(weight, GRID).max()) ** -2
        for number in self.steps:
            number.data.fill_(start)

    def _advance(self):
        """One step of the power method for ``A^T A`` on periodic images, in place."""
        v = self._periodic(self.A.weight, self.wave)
        adjoint = self.A.weight.transpose(0, 1).flip(2, 3)
        v = self._periodic(adjoint, v)
        size = v.norm()
        self.wave.copy_(torch.where(size > 0, v / size, self.wave))  # A = 0 gives no direction

    @staticmethod
    def _periodic(kernel, v):
        return F.conv2d(F.pad(v, (1, 1, 1, 1), mode="circular"), kernel)

    def forward(self, s, post=False):
        if self.bounded and self.training:
            with torch.no_grad():
                self._advance()
        return super().forward(s, post)

    def omegas(self):
        r"""Return the :math:`\omega` of each step, as tensors without dimensions."""
        if not self.bounded:
            return list(self.steps)
        # a copy, since the next pass writes into it
        square = self._periodic(self.A.weight, self.wave.clone()).square().sum()
        return [2 * torch.sigmoid(t) / square.clamp_min(LEAST) for t in self.steps]

    def adjoint(self, r):
        """Return ``A^T r``: the transposed convolution, also with zeros around the image."""
        return F.conv_transpose2d(r, self.A.weight, padding=1)

    def level(self):
        steps = [
            multigrid.correct(self.A, lambda r, omega=omega: omega * self.adjoint(r))
            for omega in self.omegas()
        ]
        pre = [projected(step) for step in steps] if self.constrained else steps
        return multigrid.Level(self.A, pre, R=self.R, Pi=self.Pi, linear=True)


class Constrained(mgnet.MgNet):
    """The network of a :class:`ConstrainedConfig`: an MgNet with other levels.

    Examples
    --------
    >>> config = ConstrainedConfig(channels=(8, 16), in_channels=1)
    >>> net = config.build()
    >>> net(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 10])
    >>> all(bool((s.u >= 0).all()) for s in net.states(torch.randn(5, 1, 28, 28)))
    True

    Book: transposes, transposes-network
    """

    def __init__(self, config):
        super().__init__(config)
        for level in self.levels:
            level.start_omegas()

    def _levels(self, config):
        for c, c_next in zip(config.channels, (*config.channels[1:], None), strict=True):
            yield ResolutionLevel(c, c_next, config)


NAMED = {
    "constrained": ConstrainedConfig(),
    "constrained-20": ConstrainedConfig((16, 32, 64), steps=3),
}
