r"""Trained interpolations: the two-grid factor, differentiated by local Fourier analysis.

For a symmetric stencil `A`, a smoother with a scalar symbol :math:`\tilde S` and Galerkin's coarse
operator, the cycle :math:`S^\nu K S^\nu` acts on the :math:`2^d` harmonics of a low frequency.
In the energy norm the correction is an orthogonal projection whose rank is one less,

.. math:: \hat K = I - \frac{w w^*}{w^* w}, \qquad w_\alpha = \tilde A(\theta^\alpha)^{1/2}\,
    \overline{\tilde P(\theta^\alpha)},

so the factor is the greatest eigenvalue of :math:`\hat S^\nu \hat K \hat S^\nu`, a Hermitian matrix
of size :math:`2^d`, and torch differentiates it with respect to the kernel of `P`. Whatever the
kernel, the factor is not below the second greatest :math:`|\tilde S(\theta^\alpha)|^{2\nu}`:
one coarse unknown can take care of one harmonic.

References
----------
.. [1] A. Katrutsa, T. Daulbaev, I. Oseledets, Black-box learning of multigrid parameters,
   J. Comput. Appl. Math. 368 (2020).
.. [2] D. Greenfeld, M. Galun, R. Basri, I. Yavneh, R. Kimmel, Learning to optimize multigrid PDE
   solvers, ICML 2019.
"""

from itertools import product
from typing import NamedTuple

import numpy as np

from ..errors import InvalidValue
from .fourier import _values_at
from .stencils import Stencil
from .transfers import Prolongation


class Analysis(NamedTuple):
    """A smoother's and an operator's symbols on the harmonics of low frequencies.

    Attributes
    ----------
    theta : array, shape (count, 2^d, d)
        The harmonics of each low frequency.
    a, s : array, shape (count, 2^d)
        The symbol of `A`, and that of the smoother to the power `nu`.

    Book: two_grid_theory, eq-two-grid-lfa
    """

    theta: np.ndarray
    a: np.ndarray
    s: np.ndarray

    @property
    def bound(self):
        """The factor no interpolation beats at these frequencies; over all it may be greater."""
        return float((np.sort(np.abs(self.s), axis=1)[:, -2] ** 2).max())


def analyse(A, smoother, nu=1, samples=32):
    r"""Return the symbols on the harmonics of ``samples ** d`` low frequencies.

    Parameters
    ----------
    A : Stencil
        Symmetric, with a symbol that is positive except at zero.
    smoother : callable
        The symbol of a smoothing step, real-valued: Jacobi's, or a polynomial's.
    nu : int
        Steps before the correction, and as many after it.
    samples : int
        Along each axis, shifted by half a step so that zero is left out.

    Returns
    -------
    Analysis

    Raises
    ------
    InvalidValue
        If a symbol is not real, or that of `A` not positive, at one of the frequencies, or if
        that of the smoother consists of matrices.

    Examples
    --------
    >>> from mgtutorial.linalg import jacobi_symbol, poisson
    >>> A = poisson(8).A
    >>> round(analyse(A, jacobi_symbol(A, 4 / 5), samples=64).bound, 2)
    0.36

    Book: two_grid_theory, eq-two-grid-lfa
    """
    axis = (np.arange(samples) + 0.5) * np.pi / samples - np.pi / 2
    low = np.stack(np.meshgrid(*[axis] * A.d, indexing="ij"), -1).reshape(-1, A.d)
    theta = low[:, None, :] + np.pi * np.array(list(product((0, 1), repeat=A.d)))
    waves = np.moveaxis(theta, -1, 0)
    a, s = (_values_at(f, waves, theta.shape[:-1]).astype(complex) for f in (A.symbol, smoother))
    if s.shape != a.shape:
        raise InvalidValue("the smoother mixes harmonics: give a smoother whose symbol is numbers.")
    if max(np.abs(a.imag).max() / np.abs(a).max(), np.abs(s.imag).max()) > 1e-10:
        raise InvalidValue("a symbol is not real: give a symmetric stencil and a smoother like it.")
    if a.real.min() <= 0:
        raise InvalidValue("the symbol of A is not positive: there is no energy norm.")
    return Analysis(theta, a.real, s.real**nu)


def galerkin_factors(found, kernel):
    r"""Return the factor of the two-grid cycle at each low frequency, differentiable in `kernel`.

    Parameters
    ----------
    found : Analysis
    kernel : tensor of float64
        Of the interpolation, with an odd number of entries along each of the `d` axes.

    Returns
    -------
    tensor, shape (count,)

    Examples
    --------
    >>> import torch
    >>> from mgtutorial.linalg import jacobi_symbol, poisson
    >>> A = poisson(8, d=1).A
    >>> linear = torch.tensor([0.5, 1.0, 0.5], dtype=torch.float64)
    >>> found = analyse(A, jacobi_symbol(A, 2 / 3))
    >>> round(float(galerkin_factors(found, linear).max()), 6)  # Theorem 4 of Coarsening
    0.111111

    Book: two_grid_theory, eq-two-grid-lfa
    """
    import torch

    reach = [np.arange(size) - size // 2 for size in kernel.shape]
    offsets = np.stack(np.meshgrid(*reach, indexing="ij"), -1).reshape(-1, kernel.ndim)
    phase = torch.from_numpy(found.theta @ offsets.T)
    flat = kernel.reshape(-1)
    p = torch.complex(torch.cos(phase) @ flat, -(torch.sin(phase) @ flat))
    w = torch.from_numpy(np.sqrt(found.a)) * p
    w = w / torch.linalg.vector_norm(w, dim=-1, keepdim=True)
    s = torch.from_numpy(found.s)
    scaled = s * w
    matrix = (
        torch.diag_embed((s**2).to(w.dtype)) - scaled[..., :, None] * scaled[..., None, :].conj()
    )
    return torch.linalg.eigvalsh(matrix)[..., -1]


class Trained(NamedTuple):
    """What :func:`train_interpolation` made.

    Attributes
    ----------
    kernel : array
        Of the interpolation; its entries sum to ``2 ** d``.
    losses : list of float
        The greatest factor before each step.

    Book: two_grid_theory, two-grid-learned
    """

    kernel: np.ndarray
    losses: list

    def prolongation(self, boundary="periodic"):
        """Return the interpolation as an operator on grids."""
        return Prolongation(Stencil.from_kernel(self.kernel, boundary))


def train_interpolation(found, kernel, steps=300, rate=0.02):
    r"""Train a symmetric interpolation for the two-grid factor, by Adam.

    The loss is the greatest factor over the frequencies, smoothed by a sum of exponentials. The
    kernel keeps its symmetry about each axis, and the weights of every fine point sum to one, so
    that constants are preserved: without that, the factor tends to 1 for smooth waves.

    Parameters
    ----------
    found : Analysis
    kernel : array
        The start, symmetric about each axis, of odd size. Zeros may become anything, but the
        weights for no kind of fine point may sum to zero.
    steps : int
    rate : float
        The learning rate of Adam; it falls to zero along a cosine.

    Returns
    -------
    Trained

    Raises
    ------
    InvalidValue
        For a kernel with an even number of entries along an axis, with entries that are not
        finite, or with weights that sum to zero.

    Examples
    --------
    >>> from mgtutorial.linalg import jacobi_symbol, poisson
    >>> A = poisson(8, d=1).A
    >>> found = analyse(A, jacobi_symbol(A, 2 / 3), nu=2, samples=8)
    >>> linear = np.array([0.0, 0.5, 1.0, 0.5, 0.0])
    >>> trained = train_interpolation(found, linear, steps=200)
    >>> trained.losses[0] > 0.05 > trained.losses[-1]
    True

    Book: two_grid_theory, two-grid-learned
    """
    import torch

    kernel = np.asarray(kernel, dtype=float)
    if any(size % 2 == 0 for size in kernel.shape):
        raise InvalidValue(f"a kernel of shape {kernel.shape}: give odd sizes, with a centre.")
    quarter = kernel[tuple(slice(size // 2, None) for size in kernel.shape)]
    free = torch.tensor(quarter, requires_grad=True)
    kinds = sum(
        2**i * (np.abs(grid - size // 2) % 2)
        for i, (grid, size) in enumerate(zip(np.indices(kernel.shape), kernel.shape, strict=True))
    )
    parities = [torch.from_numpy((kinds == kind).astype(float)) for kind in range(2**kernel.ndim)]
    optimiser = torch.optim.Adam([free], lr=rate)
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)

    def whole():
        out = free
        for axis in range(kernel.ndim):
            out = torch.cat([out.flip(axis).narrow(axis, 0, out.shape[axis] - 1), out], axis)
        total = torch.zeros_like(out)
        for own in parities:  # points of one kind share their weights among their coarse points
            total = total + own * (own * out).sum()
        return out / total

    if not whole().isfinite().all():
        raise InvalidValue(
            "the start's entries are not finite, or its weights for one kind of fine point sum to "
            "zero, so that they cannot be scaled to sum to one: give another start."
        )
    losses = []
    with torch.enable_grad():
        for _ in range(steps):
            optimiser.zero_grad()
            factors = galerkin_factors(found, whole())
            losses.append(float(factors.detach().max()))
            (torch.logsumexp(60 * factors, 0) / 60).backward()
            optimiser.step()
            plan.step()
    losses.append(float(galerkin_factors(found, whole()).max().detach()))
    return Trained(whole().detach().numpy(), losses)
