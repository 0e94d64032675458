"""Section 4.4's networks line by line: MobileNetV3's or MGIC's encoder, and the LR-ASPP head."""

import torch
import torch.nn.functional as F

from .literal import batch_norm
from .literal_mgic import mgic_block, rounded, widths_of


def lraspp(x, state, config, training):
    """MobileNetV3's section 6.4 around MGIC's Algorithm 1; `config` gives nothing but numbers."""

    def norm(name, v):
        return batch_norm(v, state, name, training)

    def conv(name, v, stride=1, groups=1, rate=1):
        weight = state[f"{name}.weight"]
        padding = rate * (weight.shape[-1] // 2)
        return F.conv2d(v, weight, None, stride, padding, rate, groups)

    def hard_sigmoid(v):
        return torch.clamp(v + 3, 0, 6) / 6

    def hard_swish(v):
        return v * hard_sigmoid(v)

    def bottleneck(v, at, m, c_out, act, squeeze, groups=1, stride=1, rate=1):
        y, place = v, 0
        if m != v.shape[1]:
            y = act(norm(f"{at}.branch.1", conv(f"{at}.branch.0", y, groups=groups)))
            place = 3
        y = conv(f"{at}.branch.{place}", y, stride, m, rate)
        y = act(norm(f"{at}.branch.{place + 1}", y))
        place += 3
        if squeeze:
            s = y.mean((2, 3), keepdim=True)
            for name in ("reduce", "expand"):
                name = f"{at}.branch.{place}.{name}"
                s = conv(name, s) + state[f"{name}.bias"].view(-1, 1, 1)
                s = F.relu(s) if name.endswith("reduce") else hard_sigmoid(s)
            y, place = y * s, place + 1
        y = norm(f"{at}.branch.{place + 1}", conv(f"{at}.branch.{place}", y, groups=groups))
        return y

    mgic = config.block == "mgic"
    v = norm("stem.1", conv("stem.0", x, stride=2))
    v = F.relu(v) if mgic else hard_swish(v)
    stride_now, level, position, low = 2, 0, 0, None
    for number, (_, t, c, squeeze, stride) in enumerate(config.bottlenecks):
        c_in, m = v.shape[1], rounded(v.shape[1] * t)
        if stride == 2 and number > 0:
            if stride_now == config.output_stride // 2:
                low = v
            level, position = level + 1, 0
        stride_now *= stride
        at = f"levels.{level}.{position}"
        position += 1
        # what would be finer than the output stride keeps the grid, and spreads its kernels
        rate = max(stride_now // config.output_stride, 1)
        step = 1 if rate > 1 else stride
        act = hard_swish if c >= config.swish_from else F.relu
        if not mgic:
            y = bottleneck(v, at, m, c, act, squeeze, stride=step, rate=rate)
            v = v + y if c == c_in and stride == 1 else y
            continue
        if c != c_in or stride == 2:
            v = norm(f"{at}.Pi.1", conv(f"{at}.Pi.0", v, stride=step))
        widths = widths_of(c, config.coarsest, strictly=False)
        hidden = [m // 2**j for j in range(len(widths))]
        groups = [
            min(
                g for g in range(1, c_j + 1)
                if c_j // 2 % g == c_j % g == m_j % g == 0 and c_j / g <= config.group_size
            )
            for c_j, m_j in zip(widths, hidden, strict=True)
        ]  # fmt: skip
        groups[-1] = 1

        def block(v, at, j, g, hidden=hidden, act=act, squeeze=squeeze, rate=rate):
            y = bottleneck(v, at, hidden[j], v.shape[1], act, squeeze and j == 0, g, rate=rate)
            return v + y

        v = mgic_block(v, state, f"{at}.block", groups, block, training, norm_R=True)
    if low is None:
        raise AssertionError("no level has half the output stride")
    if config.features:
        v = hard_swish(norm("last.1", conv("last.0", v)))
    s = torch.sigmoid(conv("head.scale", v.mean((2, 3), keepdim=True)))
    v = F.relu(norm("head.project.1", conv("head.project.0", v))) * s
    y = linear(up(v, low.shape[2:]), state, "head.high") + linear(low, state, "head.low")
    return up(y, x.shape[2:])


def linear(v, state, name):
    """A class's score at each pixel is a weighted sum of the channels there."""
    weight = state[f"{name}.weight"][:, :, 0, 0]
    return torch.einsum("oi,nihw->nohw", weight, v) + state[f"{name}.bias"].view(-1, 1, 1)


def up(v, size):
    """Bilinear interpolation, one axis after the other, as a product with hat functions."""
    for axis, n in ((2, size[0]), (3, size[1])):
        old = v.shape[axis]
        # centres of the new cells in units of the old ones; constant beyond the outermost centres
        at = ((torch.arange(n, dtype=v.dtype) + 0.5) * old / n - 0.5).clamp(0, old - 1)
        hats = (1 - (at[:, None] - torch.arange(old, dtype=v.dtype)).abs()).clamp(min=0)
        v = torch.tensordot(v, hats, dims=([axis], [1])).movedim(-1, axis)
    return v
