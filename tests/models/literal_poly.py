"""Poly-MgNet, transcribed plainly: every placement an equation, every residual computed anew."""

import torch
import torch.nn.functional as F

from .literal import batch_norm

# The numbers of each kind of step that the tests start from: x, or a and b.
FIXED = {"linear": (0.8,), "double": (1.3,), "repeated": (1.7,), "pair": (0.9, 1.1)}
# The steps whose numbers are alpha_0, ..., alpha_d.
COEFFICIENTS = {"p2": (0.9, -0.4, 0.3), "p3": (0.9, -0.4, 0.3, -0.1)}


def polynomial(kind, parametrisation, numbers):
    """The factors of r and of A r in p(A) r = first * r + second * A r."""
    if kind == "linear":
        return (1 / numbers[0] if parametrisation == "root" else numbers[0]), None
    if kind == "double":
        x = numbers[0]
        if parametrisation == "root":
            return 0, 1 / (x * x)
        if parametrisation == "reciprocal":
            return 0, x * x
        return 0, (x if parametrisation == "public" else -x)
    if parametrisation == "coefficients":
        s = numbers[0]
        return s, -(numbers[1] if kind == "pair" else s * s / 4)
    a = numbers[0]
    b = numbers[1] if kind == "pair" else torch.zeros_like(a)
    if parametrisation == "reciprocal":  # 1/(a + ib) is trained
        norm = a * a + b * b
        a, b = a / norm, -b / norm
    if parametrisation == "public":
        a, b = torch.abs(a), torch.abs(b)
    return 2 * a / (a * a + b * b), -1 / (a * a + b * b)


def poly_mgnet(x, state, channels, steps, parametrisation, training, end=True):
    """The level's steps are triples (kind, placement, residual)."""

    def relu(v):
        return F.relu(v)

    def conv(name, v, stride=1, groups=1):
        return F.conv2d(v, state[name], stride=stride, padding=1, groups=groups)

    f = relu(batch_norm(conv("stem.0.weight", x), state, "stem.1", training))
    u = torch.zeros_like(f)
    for level, c in enumerate(channels):
        at = f"levels.{level}"

        def A(v, at=at):
            return conv(f"{at}.A.weight", v)

        for i, (kind, placement, residual) in enumerate(steps):
            here = f"{at}.steps.{i}"

            def N(v, where, here=here):
                return batch_norm(v, state, f"{here}.{where}.0", training)

            r = f - A(u)
            if residual == "norm":
                r = N(r, "residual")
            if residual == "norm-relu":
                r = relu(N(r, "residual"))
            numbers = state[f"{here}.numbers"]
            if kind in COEFFICIENTS:
                first, A_term, power = numbers[0], 0, r
                for alpha in numbers[1:]:
                    power = A(power)
                    A_term = A_term + alpha * power
            else:
                first, second = polynomial(kind, parametrisation, numbers)
                A_term = 0 if second is None else second * A(r)
            p = first * r + A_term
            if placement == "regular":
                u = u + relu(N(p, "update"))
            elif placement == "outside":
                u = relu(N(u + p, "outside"))
            elif placement == "relu-outside":
                u = relu(u + N(p, "update"))
            elif placement == "relu-outside-bare":
                u = relu(u + p)
            elif placement == "plain":
                u = u + p
            elif placement == "norm-only":
                u = N(u + p, "outside")
            elif placement == "norm-A":
                u = u + first * r - N(-A_term, "on_A")
            elif placement == "norm-update":
                u = u + N(p, "update")
            else:
                raise AssertionError(placement)
        if level + 1 < len(channels):
            r = f - A(u)
            if end:
                r = relu(r)
            u = conv(f"{at}.Pi.weight", u, stride=2, groups=c)
            f = conv(f"{at}.R.1.weight", r, stride=2, groups=c)
            f = f + conv(f"levels.{level + 1}.A.weight", u)
    return u.mean((2, 3)) @ state["head.linear.weight"].T + state["head.linear.bias"]


def shaken(net, size):
    """The network in double precision, with norms that are not the identity, and its state."""
    net = net.double()
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(m.weight, 0.5 * size, 1.5 * size)
            torch.nn.init.uniform_(m.bias, -0.5 * size, 0.5 * size)
            m.running_mean.uniform_(-0.5 * size, 0.5 * size)
            m.running_var.uniform_(0.5 * size**2, 1.5 * size**2)
    state = {k: v.detach().clone() for k, v in net.state_dict().items()}
    for name, _ in net.named_parameters():
        state[name].requires_grad_()
    return net, state
