"""Relatives as public codes have them: their counts, and equality with transcriptions of them."""

import pytest
import torch
import torch.nn.functional as F

from mgtutorial import models
from mgtutorial.models import count_weights
from mgtutorial.models.mgic import ChannelLevel

from .literal import batch_norm, hold_against
from .literal_mgic import mgic_block, widths_of

F64 = torch.float64


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("mgnet-hexu", 8_278_794),
        ("mgnet-hexu-a", 10_638_090),
        ("mgic-resnet50-code-g16", 5_962_792),
        ("mgic-resnet50-code-g32", 9_409_576),
        ("mgic-resnet50-code-g64", 16_303_144),
        ("mgic-mobilenetv3-0.6-code", 2_111_508),
        ("mgic-mobilenetv3-1.0-code", 5_026_136),
        ("mgic-mobilenetv3-1.2-code", 8_103_164),
    ],
)
def test_counts_of_the_public_codes(name, weights):
    assert count_weights(models.named(name)) == weights


def test_what_the_chapters_say_of_other_widths():
    for share_B, weights in ((True, 4_750_602), (False, 7_109_898)):
        assert count_weights(models.MgNetConfig((256,) * 4, share_B=share_B)) == weights


def he_and_xu(x, state, config, training):
    """MgNet of He and Xu's group: a step, then dense transfers with norm and ReLU."""

    def conv(name, v, stride=1):
        return F.conv2d(v, state[f"{name}.weight"], stride=stride, padding=1)

    def relu_norm(name, v):
        return F.relu(batch_norm(v, state, name, training))

    f = relu_norm("stem.1", conv("stem.0", x))
    u = torch.zeros_like(f)
    for l in range(len(config.channels)):
        for i in range(config.steps):
            step = f"levels.{l}.smoothers.{i}"
            r = relu_norm(f"{step}.norm_in", f - conv(f"levels.{l}.A", u))
            u = u + relu_norm(f"{step}.norm_out", conv(f"{step}.B", r))
        if l + 1 < len(config.channels):
            r = f - conv(f"levels.{l}.A", u)
            u = relu_norm(f"levels.{l}.Pi.1", conv(f"levels.{l}.Pi.0", u, stride=2))
            r = relu_norm(f"levels.{l}.R.1", conv(f"levels.{l}.R.0", r, stride=2))
            f = r + conv(f"levels.{l + 1}.A", u)
    return u.mean((2, 3)) @ state["head.linear.weight"].T + state["head.linear.bias"]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("share_B", [True, False])
def test_he_and_xus_mgnet_equals_its_transcription(share_B, training):
    torch.manual_seed(0)
    config = models.MgNetConfig((6,) * 3, share_B=share_B, transfers="dense")
    x = torch.randn(4, 3, 12, 12, dtype=F64)
    hold_against(config.build(), lambda *a: he_and_xu(a[0], a[1], config, a[2]), x, training)


def code_resnet(x, state, config, training):
    """Bottlenecks, of which the coarsest level's have a ReLU more; halving goes on below s_c."""

    def conv(name, v, stride=1, groups=1):
        weight = state[f"{name}.weight"]
        return F.conv2d(v, weight, None, stride, weight.shape[-1] // 2, groups=groups)

    def norm(name, v):
        return batch_norm(v, state, name, training)

    def bottleneck(v, at, j, groups):
        coarsest = f"{at}.norm3.0.weight" in state
        y = F.relu(norm(f"{at}.norm1", conv(f"{at}.conv1", v, groups=groups)))
        y = F.relu(norm(f"{at}.norm2", conv(f"{at}.conv2", y, groups=groups)))
        y = norm(f"{at}.norm3" + ".0" * coarsest, conv(f"{at}.conv3", y, groups=groups))
        assert coarsest == (j == len(widths) - 1)
        return F.relu(v + (F.relu(y) if coarsest else y))

    v = F.relu(norm("stem.1", conv("stem.0", x)))
    for level, (repeats, width) in enumerate(zip(config.blocks, config.channels, strict=True)):
        stride = 2 if level else 1
        v = F.relu(
            norm(f"levels.{level}.Pi.1", conv(f"levels.{level}.Pi.0", v, stride, v.shape[1]))
        )
        widths = widths_of(width, config.coarsest, strictly=True)
        groups = [c // min(config.group_size, c) for c in widths[:-1]] + [1]
        for i in range(repeats):
            v = mgic_block(v, state, f"levels.{level}.blocks.{i}", groups, bottleneck, training)
    return v.mean((2, 3)) @ state["head.linear.weight"].T + state["head.linear.bias"]


@pytest.mark.parametrize("training", [True, False])
def test_mgics_resnet50_equals_its_transcription(training):
    torch.manual_seed(0)
    config = models.named(
        "mgic-resnet50-code-g16", blocks=(1, 2), channels=(4, 8), group_size=2, coarsest=4,
        stem="3x3", num_classes=5,
    )  # fmt: skip
    x = torch.randn(4, 3, 12, 12, dtype=F64)
    hold_against(config.build(), lambda *a: code_resnet(a[0], a[1], config, a[2]), x, training)


def code_mobilenet(x, state, config, training):
    """The inverted bottlenecks of the code; `config` gives nothing but numbers."""

    def conv(name, v, **options):
        return F.conv2d(v, state[f"{name}.weight"], state.get(f"{name}.bias"), **options)

    def norm(name, v):
        return batch_norm(v, state, name, training)

    def hard(v):
        return torch.clamp(v + 3, 0, 6) / 6

    v = F.relu(norm("stem.1", conv("stem.0", x)))
    level, position, c_in = 0, 0, 16
    for kernel, expansion, c, squeeze, stride in config.bottlenecks:
        if stride == 2 and position:
            level, position = level + 1, 0
        at = f"levels.{level}.{position}"
        position += 1
        if stride == 2 or c != c_in:
            v = conv(f"{at}.Pi", v, stride=stride)
        m = int(c_in * expansion + 4) // 8 * 8
        widths, groups = widths_of(c, config.coarsest, strictly=True), []
        for j, c_j in enumerate(widths):
            g = max(int(c_j / config.group_size), 1)
            while c_j % g or (m >> j) % g:
                g -= 1
            groups.append(g)
        groups[-1] = 1
        act = (lambda t: t * hard(t)) if c >= 80 else F.relu

        def block(v, at, j, g, m=m, widths=widths, act=act, squeeze=squeeze, kernel=kernel):
            m_j, y, place = m >> j, v, 0
            wide = m_j != widths[j]
            if wide:
                y = act(norm(f"{at}.branch.1", conv(f"{at}.branch.0", y, groups=g)))
                place = 3
            y = conv(f"{at}.branch.{place}", y, padding=kernel // 2, groups=m_j)
            y = norm(f"{at}.branch.{place + 1}", y)
            if not wide:
                y = act(y)
            if squeeze:
                gate = f"{at}.branch.{place + 2 + (not wide)}"
                s = F.relu(conv(f"{gate}.reduce", y.mean((2, 3), keepdim=True)))
                y = y * hard(conv(f"{gate}.expand", s))
            if wide:
                y = act(y)
            y = norm(f"{at}.branch.{place + 5}", conv(f"{at}.branch.{place + 4}", y, groups=g))
            return v + F.relu(v + y)

        v = mgic_block(v, state, f"{at}.block", groups, block, training, norm_R=True)
        c_in = c
    v = F.relu(norm("head.features.1", conv("head.features.0", v)))
    v = F.relu(conv("head.features.3", v)).amax((2, 3))
    return v @ state["head.linear.weight"].T + state["head.linear.bias"]


def test_mgics_mobilenetv3_equals_its_transcription():
    """In evaluation mode, where every bias has an influence."""
    torch.manual_seed(0)
    rows = ((3, 1, 16, True, 1), (3, 3, 24, True, 2), (5, 6, 40, False, 1), (3, 2.5, 80, True, 2))
    config = models.MGICMobileNetV3CodeConfig(
        group_size=10, coarsest=24, bottlenecks=rows, hidden=32, num_classes=5
    )
    x = torch.randn(4, 3, 12, 12, dtype=F64)
    hold_against(config.build(), lambda *a: code_mobilenet(a[0], a[1], config, a[2]), x, False)


def test_the_code_draws_its_transfers_and_the_text_has_means():
    for name, drawn in (("mgic-resnet50-g16", False), ("mgic-resnet50-code-g16", True)):
        net = models.named(name, blocks=(1,), channels=(64,), coarsest=32).build()
        levels = [m for m in net.modules() if isinstance(m, ChannelLevel) and m.R is not None]
        assert all((m.R.weight.unique().numel() > 1) == drawn for m in levels) and levels
