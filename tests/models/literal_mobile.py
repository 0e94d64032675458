"""GhostNet, and MGIC's network of Table 2 with its three blocks: line by line, independently."""

import torch
import torch.nn.functional as F

from .literal import batch_norm
from .literal_mgic import mgic_block


def divisible(v, divisor):
    """GhostNet's rounding of widths: to the nearest multiple, not below nine tenths."""
    new = max(divisor, int(v + divisor / 2) // divisor * divisor)
    return new + divisor if new < 0.9 * v else new


class Weights:
    """Convolutions and norms by name, from a dictionary of weights."""

    def __init__(self, state, training):
        self.state, self.training = state, training

    def norm(self, name, v):
        return batch_norm(v, self.state, name, self.training)

    def conv(self, name, v, stride=1, groups=1):
        weight = self.state[f"{name}.weight"]
        padding = (weight.shape[-1] - 1) // 2
        return F.conv2d(v, weight, stride=stride, padding=padding, groups=groups)

    def ghost_module(self, at, v, c_out, relu):
        """Section 3.1: intrinsic maps, then one cheap map of each."""
        act = F.relu if relu else lambda t: t
        primary = act(self.norm(f"{at}.primary.1", self.conv(f"{at}.primary.0", v)))
        each = primary.shape[1]
        cheap = self.conv(f"{at}.cheap.0", primary, groups=each)
        cheap = act(self.norm(f"{at}.cheap.1", cheap))
        return torch.cat([primary, cheap], dim=1)[:, :c_out]

    def squeeze_excite(self, at, v):
        s = v.mean((2, 3), keepdim=True)
        s = F.relu(self.conv(f"{at}.reduce", s) + self.state[f"{at}.reduce.bias"].view(-1, 1, 1))
        s = self.conv(f"{at}.expand", s) + self.state[f"{at}.expand.bias"].view(-1, 1, 1)
        return v * torch.clamp(s + 3, 0, 6) / 6

    def ghost_bottleneck(self, at, v, m, c, squeeze=False, stride=1):
        """Section 3.2, Figure 3."""
        y, place = self.ghost_module(f"{at}.branch.0", v, m, relu=True), 1
        if stride > 1:
            y = self.norm(f"{at}.branch.2", self.conv(f"{at}.branch.1", y, stride, groups=m))
            place = 3
        if squeeze:
            y = self.squeeze_excite(f"{at}.branch.{place}", y)
            place += 1
        y = self.ghost_module(f"{at}.branch.{place}", y, c, relu=False)
        if v.shape[1] != c or stride > 1:
            v = self.conv(f"{at}.shortcut.0", v, stride, groups=v.shape[1])
            v = self.norm(f"{at}.shortcut.1", v)
            v = self.norm(f"{at}.shortcut.3", self.conv(f"{at}.shortcut.2", v))
        return y + v

    def inverted_bottleneck(self, at, v, groups=1):
        """MobileNetV2's, which V3 has: expand, filter each channel, project."""
        y = F.relu(self.norm(f"{at}.branch.1", self.conv(f"{at}.branch.0", v, groups=groups)))
        y = self.conv(f"{at}.branch.3", y, groups=y.shape[1])
        y = F.relu(self.norm(f"{at}.branch.4", y))
        y = self.norm(f"{at}.branch.7", self.conv(f"{at}.branch.6", y, groups=groups))
        return v + y if v.shape == y.shape else y


def ghostnet(x, state, config, training):
    """GhostNet's Table 1; `config` gives nothing but numbers."""
    w = Weights(state, training)
    v = F.relu(w.norm("stem.1", w.conv("stem.0", x, stride=2)))
    level = place = 0
    for _, hidden, channels, squeeze, stride in config.bottlenecks:
        if stride == 2 and place > 0:
            level, place = level + 1, 0
        m, c = divisible(hidden * config.width, 4), divisible(channels * config.width, 4)
        v = w.ghost_bottleneck(f"levels.{level}.{place}", v, m, c, squeeze, stride)
        place += 1
    v = F.relu(w.norm("head.features.1", w.conv("head.features.0", v))).mean((2, 3))
    v = F.relu(v @ state["head.hidden.0.weight"].T + state["head.hidden.0.bias"])
    return v @ state["head.linear.weight"].T + state["head.linear.bias"]


def implicit(points, state, config, training):
    """MGIC's Table 2 with one of the three blocks of section 4.2, each point an image."""
    w = Weights(state, training)
    c = int(160 * config.alpha + 0.5)
    v = F.relu(w.norm("layers.1", w.conv("layers.0", points[:, :, None, None])))
    place = 3
    if config.block == "mgic-bneck":  # section 3.3: depthwise filters lead to the new width
        v = w.norm("layers.4", w.conv("layers.3", v, groups=16))
        place = 5
    for _ in range(2):
        at = f"layers.{place}"
        if config.block == "mobilenetv3":
            v = w.inverted_bottleneck(at, v)
        elif config.block == "ghostnet":
            v = w.ghost_bottleneck(at, v, 2 * v.shape[1], c)
        else:
            v = cycle(w, at, v, config)
        place += 1
    v = F.relu(w.norm(f"layers.{place + 1}", w.conv(f"layers.{place}", v)))
    if config.end == "linear":
        v = v.flatten(1) @ state["last.weight"].T + state["last.bias"]
        return v[:, 0]
    v = F.relu(w.norm(f"layers.{place + 4}", w.conv(f"layers.{place + 3}", v))).flatten(1)
    return v[:, 0] - v[:, 1]


def cycle(w, at, v, config):
    """Algorithm 1 around the inverted bottleneck; groups as in section 4.3.2."""
    widths = [v.shape[1], v.shape[1] // 2]
    while widths[-1] > config.s_c:
        widths.append(widths[-1] // 2)
    sizes = [max(s for s in range(1, config.s_g + 1) if c % s == 0 == 2 * c % s) for c in widths]
    groups = [c // s for c, s in zip(widths, sizes, strict=True)]
    groups[-1] = 1

    def cnn_block(y, name, j, g):
        return w.inverted_bottleneck(name, y, groups=g)

    return mgic_block(v, w.state, at, groups, cnn_block, w.training)
