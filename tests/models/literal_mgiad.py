"""MGiaD's Algorithms 2 and 3, transcribed line by line and independently of the package.

Every application of A is carried out where the algorithms write one.
"""

import torch
import torch.nn.functional as F

from .literal import batch_norm
from .literal_poly import polynomial


def mgiad(x, state, config, training):
    """Algorithm 3; `config` gives nothing but numbers and the names of the variants.

    With polynomial steps, which only Poly-MGiaD has, B is p(A).
    """
    bn = config.norm == "batch"
    s = F.relu if config.activation == "relu" else lambda v: v

    def norm(v, name):
        return batch_norm(v, state, name, training) if bn else v

    def transfer(v, name, normed, **options):
        if not normed:
            return F.conv2d(v, state[f"{name}.weight"], **options)
        return s(norm(F.conv2d(v, state[f"{name}.0.weight"], **options), f"{name}.1"))

    def widths(l):
        c = [config.lam * config.channels[l]]
        while c[-1] / 2 >= config.coarsest:
            c.append(c[-1] // 2)
        return c

    def apply(operator, v, l, k):
        c = widths(l)[k]
        groups = 1 if k == len(widths(l)) - 1 else c // config.group_size
        return F.conv2d(v, state[operator], padding=1, groups=groups)

    def A(v, l, k=0):
        return apply(f"levels.{l}.channel_levels.{k}.A.weight", v, l, k)

    def smooth(f, u, l, k, i, at):
        r = s(norm(f - A(u, l, k), f"{at}.smoothers.{i}.norm_in"))
        return u + s(
            norm(apply(f"{at}.smoothers.{i}.B.weight", r, l, k), f"{at}.smoothers.{i}.norm_out")
        )

    def polynomial_step(f, u, l, k, i, at):
        kind, placement, residual = config.each_step()[i]
        step = f"{at}.steps.{i}"
        r = f - A(u, l, k)
        if residual != "plain":
            r = norm(r, f"{step}.residual.0")
        if residual == "norm-relu":
            r = s(r)
        numbers = state[f"{step}.numbers"]
        first, second = polynomial(kind, config.parametrisation, numbers)
        e = first * r + (0 if second is None else second * A(r, l, k))
        if placement == "plain":
            return u + e
        if placement == "regular":
            return u + s(norm(e, f"{step}.update.0"))
        assert placement == "outside"
        return s(norm(u + e, f"{step}.outside.0"))

    if hasattr(config, "steps"):
        smooth = polynomial_step

    def sic(f, u, l, k, visit=0):
        """Algorithm 2, and gamma cycles on the next level, where the paper has one.

        The n-th visit of a level in a cycle has norms of its own.
        """
        at, K = f"levels.{l}.channel_levels.{k}", len(widths(l))
        at += f".again.{visit - 1}" if visit else ""
        for i in range(config.eta_pre):
            u = smooth(f, u, l, k, i, at)
        if k + 1 < K:
            groups, normed = widths(l)[k + 1], config.transfer_norms == "all"
            v = transfer(u, f"{at}.Pi", normed, groups=groups)
            g = transfer(f - A(u, l, k), f"{at}.R", normed, groups=groups) + A(v, l, k + 1)
            w, gamma = v, config.gamma if k + 2 < K else 1
            for j in range(gamma):
                w = sic(g, w, l, k + 1, gamma * visit + j)
            e = w if config.correction == "printed" else w - v
            u = u + transfer(e, f"{at}.P", True, groups=groups)
        for i in range(config.eta_post):
            u = smooth(f, u, l, k, config.eta_pre + i, at)
        return u

    f = s(norm(F.conv2d(x, state["stem.0.weight"], padding=1), "stem.1"))
    u = torch.zeros_like(f)
    for l, c in enumerate(config.channels):
        u = sic(f, u, l, 0)
        r = f - A(u, l)  # on the last level nobody reads it
        if l + 1 < len(config.channels):
            down = {"stride": 2, "padding": 1, "groups": config.lam * c}
            normed = config.transfer_norms != "none"
            r = transfer(r, f"levels.{l}.R", normed, **down)
            u = transfer(u, f"levels.{l}.Pi", normed, **down)
            f = r + A(u, l + 1)
    return u.mean((2, 3)) @ state["head.linear.weight"].T + state["head.linear.bias"]
