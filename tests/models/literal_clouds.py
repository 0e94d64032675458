"""The networks of MGIC's Table 10, transcribed point by point and independently of the package.

Neighbours are found by sorting distances, an edge at a time is computed from its two ends, and
groups of channels are written out.
"""

import torch
import torch.nn.functional as F

from .literal import batch_norm
from .literal_mgic import mgic_block, widths_of


def neighbours(cloud, k):
    """For each point the numbers of its nearest ones, itself left out."""
    found = []
    for i, p in enumerate(cloud):
        distances = [(float(((q - p) ** 2).sum()), j) for j, q in enumerate(cloud) if j != i]
        found.append([j for _, j in sorted(distances)[:k]])
    return found


def edge_conv(x, near, state, at):
    """The maximum over neighbours of a linear map of x_i and x_j - x_i."""
    weight = state[f"{at}.conv.weight"][:, :, 0, 0]
    out = [
        torch.stack([weight @ torch.cat([x[i], x[j] - x[i]]) for j in near[i]]).amax(0)
        for i in range(len(x))
    ]
    return torch.stack(out)


def edge_convs_with_hidden(xs, nears, state, at, training):
    """With a hidden layer, whose norm takes its statistics over the edges of all clouds."""
    weight, last = (state[f"{at}.{name}.weight"][:, :, 0, 0] for name in ("conv", "last"))
    edges = [
        weight @ torch.cat([x[i], x[j] - x[i]])
        for x, near in zip(xs, nears, strict=True)
        for i in range(len(x))
        for j in near[i]
    ]
    edges = torch.stack(edges)[:, :, None, None]
    edges = F.relu(batch_norm(edges, state, f"{at}.norm", training))[:, :, 0, 0] @ last.T
    k = len(nears[0][0])
    return edges.view(len(xs), -1, k, edges.shape[1]).amax(2)


def diff_conv(x, cloud, near, state, at, groups, operators):
    """Mass, gradient and second differences of each channel, then a map of each group."""
    k = len(near[0])
    rows = []
    for i in range(len(x)):
        h = (sum(((cloud[j] - cloud[i]) ** 2).sum() for j in near[i]) / k).sqrt()
        first, second = ([torch.zeros_like(x[i])] * 3 for _ in range(2))
        for j in near[i]:
            for a in range(3):
                step = (cloud[j, a] - cloud[i, a]) / h
                first[a] = first[a] + step * (x[j] - x[i]) / k
                second[a] = second[a] + step**2 * (x[j] - x[i]) / k
        all_of_them = [x[i], *first, *second] if operators == "all" else [*first]
        rows.append(torch.stack(all_of_them))  # (operators, c)
    features = torch.stack(rows)
    weight = state[f"{at}.conv.weight"][:, :, 0, 0]
    c, c_out, out = x.shape[1] // groups, len(weight) // groups, []
    for g in range(groups):
        own = features[:, :, g * c : (g + 1) * c].flatten(1)
        out.append(own @ weight[g * c_out : (g + 1) * c_out].T)
    return torch.cat(out, dim=1)


def point_clouds(clouds, state, config, training):
    """Table 10, row by row; `clouds` (n, points, 3)."""
    n = len(clouds)
    nears = [neighbours(cloud, config.k) for cloud in clouds]

    def g_conv(x, at, groups=1):
        """A graph convolution of all clouds, batch norm, ReLU; features (n * points, c, 1, 1)."""
        xs = x[:, :, 0, 0].view(n, -1, x.shape[1])
        if config.layer == "edge-conv" and config.hidden:
            y = edge_convs_with_hidden(xs, nears, state, f"{at}.layer", training)
        elif config.layer == "edge-conv":
            pairs = zip(xs, nears, strict=True)
            y = torch.stack([edge_conv(*pair, state, f"{at}.layer") for pair in pairs])
        else:
            y = torch.stack([
                diff_conv(*those, state, f"{at}.layer", groups, config.operators)
                for those in zip(xs, clouds, nears, strict=True)
            ])  # fmt: skip
        y = y.flatten(0, 1)[:, :, None, None]
        return F.relu(batch_norm(y, state, f"{at}.norm", training))

    def block(x, at):
        if config.layer != "mgic-diff-gcn":
            return g_conv(x, at)
        widths = widths_of(config.width, config.coarsest, strictly=False)
        groups = [max(1, w // config.group_size) for w in widths[:-1]] + [1]
        return mgic_block(x, state, at, groups, lambda v, name, j, g: g_conv(v, name, g), training)

    def mlp(x, at):
        return F.relu(batch_norm(F.conv2d(x, state[f"{at}.0.weight"]), state, f"{at}.1", training))

    x = g_conv(clouds.flatten(0, 1)[:, :, None, None], "first")
    x = block(block(x, "blocks.0"), "blocks.1")
    x = mlp(x, "mlps.0")
    for i in (2, 3, 4):
        x = block(x, f"blocks.{i}")
    x = mlp(x, "mlps.1")
    x = x.view(n, -1, config.width).amax(1)[:, :, None, None]
    for i in range(3):
        x = mlp(x, f"head.{i}")
    return x[:, :, 0, 0] @ state["head.4.weight"].T + state["head.4.bias"]
