"""The papers' algorithms, transcribed line by line and independently of the package.

Only functional torch, a dictionary of weights, and every application of A carried out:
what the package's networks are held against. Nothing here is fast or shared.
"""

import torch
import torch.nn.functional as F


def batch_norm(x, state, name, training):
    """Batch norm from its definition; in training mode it updates the running statistics."""
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    if training:
        n = x.numel() // x.shape[1]
        mean = x.mean((0, 2, 3))
        variance = ((x - mean[None, :, None, None]) ** 2).mean((0, 2, 3))
        running_mean, running_var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        with torch.no_grad():
            running_mean.mul_(0.9).add_(0.1 * mean)
            running_var.mul_(0.9).add_(0.1 * variance * n / (n - 1))
    else:
        mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    shape = (None, slice(None), None, None)
    return (x - mean[shape]) / torch.sqrt(variance[shape] + 1e-5) * weight[shape] + bias[shape]


def mgnet(x, state, channels, nu, training, fas=True):
    """MGiaD, Algorithm 1 with Eqs. 8 and 9: MgNet with the full approximation scheme."""

    def conv(name, v, stride=1, groups=1):
        return F.conv2d(v, state[name], stride=stride, padding=1, groups=groups)

    f = F.relu(batch_norm(conv("stem.0.weight", x), state, "stem.1", training))
    u = torch.zeros_like(f)
    for level, c in enumerate(channels):
        at = f"levels.{level}"

        def A(v, at=at):
            return conv(f"{at}.A.weight", v)

        for i in range(nu):
            step = f"{at}.smoothers.{i}"
            r = f - A(u)
            r = F.relu(batch_norm(r, state, f"{step}.norm_in", training))
            r = F.relu(batch_norm(conv(f"{step}.B.weight", r), state, f"{step}.norm_out", training))
            u = u + r
        if level + 1 < len(channels):
            coarse_A = state[f"levels.{level + 1}.A.weight"]
            r = conv(f"{at}.R.weight", f - A(u), stride=2, groups=c)
            if fas:
                u = conv(f"{at}.Pi.weight", u, stride=2, groups=c)
                f = r + F.conv2d(u, coarse_A, padding=1)
            else:
                u, f = torch.zeros_like(r), r
    return u.mean((2, 3)) @ state["head.linear.weight"].T + state["head.linear.bias"]
