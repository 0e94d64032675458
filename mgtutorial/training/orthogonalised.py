"""Steepest descent in the spectral norm for the kernels that steps share, SGD for the rest."""

import torch

# The odd quintic whose five-fold composition takes singular values in [0.01, 1] to about 1 [1]_.
_A, _B, _C = 3.4445, -4.7750, 2.0315


def orthogonalised(M, steps=5):
    r"""Return matrices with the singular vectors of `M` and singular values near one.

    One step is :math:`X \leftarrow a X + b\, (X X^T) X + c\, (X X^T)^2 X`, a polynomial in
    :math:`X X^T` like Newton's and Schulz's, but steeper at zero: after five steps each singular
    value between 1 % and 100 % of the Frobenius norm is between 0.68 and 1.14 [1]_.

    Parameters
    ----------
    M : torch.Tensor
        (..., m, n).
    steps : int

    Returns
    -------
    torch.Tensor
        Of the shape and type of `M`; zero stays zero.

    References
    ----------
    .. [1] K. Jordan et al., Muon: An optimizer for hidden layers in neural networks (2024).

    Examples
    --------
    >>> X = orthogonalised(torch.tensor([[3.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    >>> bool(((torch.linalg.svdvals(X) - 0.9).abs() < 0.25).all())
    True
    """
    wide = M.shape[-2] <= M.shape[-1]
    X = M if wide else M.mT
    # Squares of small numbers underflow: so scale by a power of two, which costs no bit of X.
    exponent = torch.frexp(X.abs().amax((-2, -1), keepdim=True)).exponent
    X = torch.ldexp(X, -exponent.clamp(-126, 126))
    X = X / X.flatten(-2).norm(dim=-1)[..., None, None].clamp(min=torch.finfo(M.dtype).tiny)
    for _ in range(steps):
        G = X @ X.mT
        X = _A * X + (_B * G + _C * (G @ G)) @ X
    return X if wide else X.mT


class OrthogonalisedSGD(torch.optim.Optimizer):
    r"""SGD with Nesterov's momentum, whose step is orthogonalised for some kernels.

    For a convolution of one group, its kernel reshaped to (c_out, c_in k k), the step is the
    matrix nearest the gradient that has all singular values one: of all steps of spectral norm
    one, that which lowers the loss most, to first order. Of several groups each has its own.

    Parameters
    ----------
    groups : list of dict
        Parameter groups of torch. A group with ``"convolution_groups": g``, above 0, has kernels
        whose steps are orthogonalised in `g` parts.
    lr, momentum, weight_decay : float
        As in torch.optim.SGD.
    """

    def __init__(self, groups, lr, momentum=0.9, weight_decay=0.0):
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(groups, {**defaults, "convolution_groups": 0})

    @torch.no_grad()
    def step(self, closure=None):
        """Take one step; return what `closure`, which computes the gradients anew, returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._move(p, group)
        return loss

    def _move(self, p, group):
        g = p.grad.add(p, alpha=group["weight_decay"])
        state = self.state[p]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(p)
        m = state["momentum_buffer"].mul_(group["momentum"]).add_(g)
        d = g.add_(m, alpha=group["momentum"])
        if parts := group["convolution_groups"]:
            d = orthogonalised(d.reshape(parts, p.shape[0] // parts, -1)).reshape(p.shape)
        p.add_(d, alpha=-group["lr"])
