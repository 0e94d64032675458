"""The papers' algorithms, transcribed line by line and independently of the package.

Only functional torch, a dictionary of weights, and every application of A carried out:
what the package's networks are held against. Nothing here is fast or shared.
"""

import re

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


def mgnet(x, state, channels, nu, training, fas=True, group_size=None, grouped="A and B"):
    """MGiaD, Algorithm 1 with Eqs. 8 and 9: MgNet with the full approximation scheme.

    `nu` is one number of steps, or one for each level; `group_size` that of A and B, or
    of B alone.
    """

    def conv(name, v, stride=1, groups=1):
        return F.conv2d(v, state[name], stride=stride, padding=1, groups=groups)

    def groups_of(c):
        return 1 if group_size is None else c // group_size

    f = F.relu(batch_norm(conv("stem.0.weight", x), state, "stem.1", training))
    u = torch.zeros_like(f)
    for level, c in enumerate(channels):
        at = f"levels.{level}"

        def A(v, level=level):
            groups = 1 if grouped == "B" else groups_of(channels[level])
            return conv(f"levels.{level}.A.weight", v, groups=groups)

        for i in range(nu if isinstance(nu, int) else nu[level]):
            step = f"{at}.smoothers.{i}"
            r = f - A(u)
            r = F.relu(batch_norm(r, state, f"{step}.norm_in", training))
            r = conv(f"{step}.B.weight", r, groups=groups_of(c))
            u = u + F.relu(batch_norm(r, state, f"{step}.norm_out", training))
        if level + 1 < len(channels):
            r = conv(f"{at}.R.weight", f - A(u), stride=2, groups=c)
            if fas:
                u = conv(f"{at}.Pi.weight", u, stride=2, groups=c)
                f = r + A(u, level + 1)
            else:
                u, f = torch.zeros_like(r), r
    return u.mean((2, 3)) @ state["head.linear.weight"].T + state["head.linear.bias"]


def tensors(net):
    """Each parameter and each buffer under all of its names; a state_dict has a shared B once."""
    return {**dict(net.named_parameters(remove_duplicate=False)), **dict(net.named_buffers())}


def hold_against(net, transcription, x, training, idle=None):
    """Assert that `net` computes what ``transcription(x, state, training)`` does, in float64.

    Outputs and statistics of the norms to 1e-12; gradients to 1e-12 of the largest one, and to
    1e-9 of the largest entry of each tensor. The norms are made to differ from the identity.
    Parameters in whose names the pattern `idle` is found must be without influence: their
    gradients are zero up to rounding.
    """
    net.double().train(training)
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(m.weight, 0.5, 1.5)
            torch.nn.init.uniform_(m.bias, -0.5, 0.5)
            m.running_mean.uniform_(-0.5, 0.5)
            m.running_var.uniform_(0.5, 1.5)
    # A parameter under several names (a B that steps share) is one tensor there, too.
    leaves = {id(p): p.detach().clone().requires_grad_() for p in net.parameters()}
    named = net.named_parameters(remove_duplicate=False)
    state = {name: b.clone() for name, b in net.named_buffers()}
    state |= {name: leaves[id(p)] for name, p in named}
    ours, theirs = net(x), transcription(x, state, training)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    weights = torch.randn(ours.shape, dtype=torch.float64)
    (ours * weights).sum().backward()
    (theirs * weights).sum().backward()
    largest = max(p.grad.abs().max() for p in net.parameters() if p.grad is not None)
    for name, p in net.named_parameters():
        expected = leaves[id(p)].grad
        if p.grad is None:
            # No path through our network. The transcription may add and subtract the same A' u'
            # (a last level with a single step): its gradient is then zero up to rounding.
            assert expected is None or expected.abs().max() < 1e-12 * largest, name
            continue
        difference = (p.grad - expected).abs().max()
        assert difference <= 1e-12 * largest, name
        if idle and re.search(idle, name):
            assert expected.abs().max() < 1e-12 * largest, name
            continue
        assert difference <= 1e-9 * expected.abs().max(), name
    for name, b in net.named_buffers():
        if "running" in name:
            torch.testing.assert_close(b, state[name], rtol=0, atol=1e-12, msg=name)
