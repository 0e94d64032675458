"""MGIC's Algorithm 1 and its networks, transcribed line by line and independently.

The loop on the way down ends where the levels end; as printed it restricts once more.
"""

import torch
import torch.nn.functional as F

from .literal import batch_norm


def widths_of(c, s_c, strictly):
    widths = [c, c // 2]
    while widths[-1] >= s_c if strictly else widths[-1] > s_c:
        widths.append(widths[-1] // 2)
    return widths


def mgic_block(x, state, at, groups, cnn_block, training, norm_R=False):
    """Algorithm 1; ``cnn_block(x, name, j, groups)`` is the block of level j."""
    n = len(groups) - 1
    xs, ys = [x], [None]
    for j in range(n):
        y = F.conv2d(
            xs[j], state[f"{at}.channel_levels.{j}.R{'.0' * norm_R}.weight"], groups=groups[j]
        )
        if norm_R:
            y = batch_norm(y, state, f"{at}.channel_levels.{j}.R.1", training)
        xs.append(y)
        ys.append(y)
    xs[n] = cnn_block(xs[n], f"{at}.channel_levels.{n}.block", n, 1)
    for j in reversed(range(n)):
        e = F.conv2d(
            xs[j + 1] - ys[j + 1], state[f"{at}.channel_levels.{j}.P.0.weight"], groups=groups[j]
        )
        xs[j] = xs[j] + batch_norm(e, state, f"{at}.channel_levels.{j}.P.1", training)
        xs[j] = cnn_block(xs[j], f"{at}.channel_levels.{j}.block", j, groups[j])
    return xs[0]


def mgic_resnet(x, state, config, training):
    """The residual networks; `config` gives nothing but numbers."""

    def conv(name, v, stride=1, groups=1):
        weight = state[f"{name}.weight"]
        padding = weight.shape[-1] // 2
        return F.conv2d(v, weight, stride=stride, padding=padding, groups=groups)

    def norm(name, v):
        return batch_norm(v, state, name, training)

    def basic(v, at, j, groups):
        y = F.relu(norm(f"{at}.norm1", conv(f"{at}.conv1", v, groups=groups)))
        return F.relu(v + norm(f"{at}.norm2", conv(f"{at}.conv2", y, groups=groups)))

    def bottleneck(v, at, j, groups):
        y = F.relu(norm(f"{at}.norm1", conv(f"{at}.conv1", v, groups=groups)))
        y = F.relu(norm(f"{at}.norm2", conv(f"{at}.conv2", y, groups=groups)))
        return F.relu(v + norm(f"{at}.norm3", conv(f"{at}.conv3", y, groups=groups)))

    cnn_block = {"basic": basic, "bottleneck": bottleneck}[config.block]
    v = F.relu(norm("stem.1", conv("stem.0", x, stride=2 if config.stem == "7x7" else 1)))
    if config.stem == "7x7":
        v = F.max_pool2d(v, 3, stride=2, padding=1)
    for level, (repeats, width) in enumerate(zip(config.blocks, config.channels, strict=True)):
        if level > 0 or config.block == "bottleneck":
            stride = 2 if level > 0 else 1
            v = conv(f"levels.{level}.Pi.0", v, stride=stride, groups=v.shape[1])
            v = F.relu(norm(f"levels.{level}.Pi.1", v))
        widths = widths_of(width, config.s_c, config.until == "<")
        groups = [q // min(config.s_g, q) for q in widths[:-1]] + [1]
        for i in range(repeats):
            v = mgic_block(v, state, f"levels.{level}.blocks.{i}", groups, cnn_block, training)
    return v.mean((2, 3)) @ state["head.linear.weight"].T + state["head.linear.bias"]


def rounded(c):
    up = 8 * int(c / 8 + 0.5)
    up = max(up, 8)
    return up + 8 if up < 0.9 * c else up


def uneven_matrix(state, at, c_in, c_out, groups):
    """The dense matrix of a 1x1 convolution in groups, one of whose sides may be uneven."""
    if f"{at}.weight" in state:
        weight = state[f"{at}.weight"][:, :, 0, 0]
        rows = list(weight)
    else:
        rows = [*state[f"{at}.parts.0.weight"][:, :, 0, 0]]
        rows += [*state[f"{at}.parts.1.weight"][:, :, 0, 0]]
    sizes_in = [c_in // groups + (g < c_in % groups) for g in range(groups)]
    sizes_out = [c_out // groups + (g < c_out % groups) for g in range(groups)]
    lines, first, row = [], 0, 0
    for a, b in zip(sizes_in, sizes_out, strict=True):
        for _ in range(b):
            lines.append(F.pad(rows[row], (first, c_in - first - a)))
            row += 1
        first += a
    return torch.stack(lines)


def mobilenet(x, state, config, training):
    """MGIC-MobileNetV3; `config` gives nothing but numbers."""

    def norm(name, v):
        return batch_norm(v, state, name, training)

    def hard_sigmoid(v):
        return torch.clamp(v + 3, 0, 6) / 6

    def hard_swish(v):
        return v * hard_sigmoid(v)

    c = rounded(16 * config.width)
    v = F.relu(norm("stem.1", F.conv2d(x, state["stem.0.weight"], stride=2, padding=1)))
    level, position = 0, 0
    for number, (kernel, t, c_row, squeeze, stride) in enumerate(config.bottlenecks):
        c_in, c, m = c, rounded(c_row * config.width), rounded(c * t)
        if stride == 2 and number > 0:
            level, position = level + 1, 0
        at = f"levels.{level}.{position}"
        position += 1
        if stride == 2 or c != c_in:
            if config.connector == "dense":
                v = F.conv2d(v, state[f"{at}.Pi.0.weight"], stride=stride)
            else:
                kernels = state[f"{at}.Pi.0.conv.weight"]
                v = torch.cat(
                    [
                        F.conv2d(
                            v[:, [o * c_in // c]], kernels[o : o + 1], stride=stride, padding=1
                        )
                        for o in range(c)
                    ],
                    dim=1,
                )
            v = norm(f"{at}.Pi.1", v)
        widths = widths_of(c, config.s_c, strictly=False)
        hidden = [m // 2**j for j in range(len(widths))]
        groups = []
        for c_j, m_j in zip(widths, hidden, strict=True):
            if config.grouping == "size":
                s = max(s for s in range(1, config.s_g + 1) if c_j % s == 0 and m_j % s == 0)
                groups.append(c_j // s)
            else:
                fits = [g for g in range(1, c_j + 1) if c_j // 2 % g == c_j % g == m_j % g == 0]
                groups.append(min(g for g in fits if c_j / g <= config.s_g))
        groups[-1] = 1
        act = hard_swish if config.hard_swish and c_row >= 80 else F.relu

        def cnn_block(
            v, at, j, g, m=m, widths=widths, hidden=hidden, act=act, squeeze=squeeze, kernel=kernel
        ):
            c_j, m_j, place, y = widths[j], hidden[j], 0, v
            if c_j != m_j:
                matrix = uneven_matrix(state, f"{at}.branch.0", c_j, m_j, g)
                y = act(norm(f"{at}.branch.1", torch.einsum("oi,nihw->nohw", matrix, y)))
                place = 3
            weight = state[f"{at}.branch.{place}.weight"]
            y = F.conv2d(y, weight, padding=kernel // 2, groups=m_j)
            y = act(norm(f"{at}.branch.{place + 1}", y))
            place += 3
            if squeeze and j == 0:
                s = y.mean((2, 3))
                for name in ("reduce", "expand"):
                    name = f"{at}.branch.{place}.{name}"
                    s = s @ state[f"{name}.weight"][:, :, 0, 0].T
                    if config.squeeze_bias:
                        s = s + state[f"{name}.bias"]
                    s = F.relu(s) if name.endswith("reduce") else hard_sigmoid(s)
                y = y * s[:, :, None, None]
                place += 1
            matrix = uneven_matrix(state, f"{at}.branch.{place}", m_j, c_j, g)
            return v + norm(f"{at}.branch.{place + 1}", torch.einsum("oi,nihw->nohw", matrix, y))

        v = mgic_block(v, state, f"{at}.block", groups, cnn_block, training, norm_R=True)
    act = hard_swish if config.hard_swish else F.relu
    v = act(norm("head.features.1", F.conv2d(v, state["head.features.0.weight"])))
    v = act(v.mean((2, 3)) @ state["head.hidden.0.weight"].T + state["head.hidden.0.bias"])
    return v @ state["head.linear.weight"].T + state["head.linear.bias"]
