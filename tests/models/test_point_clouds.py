"""The networks for clouds of points: their counts, a literal transcription, what they ignore."""

import warnings
from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.models import differences, from_dict, neighbours
from mgtutorial.models.config import as_dict
from mgtutorial.models.counting import count_weights
from mgtutorial.models.differences import (
    OPERATORS,
    Differences,
    Rows,
    differences_on,
    map_differences,
)
from mgtutorial.models.graph_convolutions import DiffConv, EdgeConv
from mgtutorial.models.neighbours import graph_of, nearest, nearest_of_all
from mgtutorial.models.point_clouds import NAMED, PointCloudConfig
from mgtutorial.reproduction.papers.printed_table import read_table

from .literal import hold_against
from .literal_clouds import point_clouds

SMALL = {
    "edge-conv": PointCloudConfig(width=8, k=4),
    "edge-conv, hidden": PointCloudConfig(width=8, k=4, hidden=12),
    "diff-gcn": PointCloudConfig("diff-gcn", width=8, k=4),
    "diff-gcn, gradient": PointCloudConfig("diff-gcn", width=8, k=4, operators="gradient"),
    "mgic-diff-gcn": PointCloudConfig(
        "mgic-diff-gcn", width=16, k=4, group_size=4, coarsest=4, num_classes=3
    ),
}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_the_rows_of_table_10():
    rows = read_table("mgic_table10_pointcloud_architecture.csv")
    net = PointCloudConfig().build()
    kinds = [(r["operation"], int(r["repetitions"]), int(r["c_out"])) for r in rows]
    assert kinds == [
        ("g_conv", 1, net.first.norm.num_features),
        ("g_conv", 2, 64), ("mlp", 1, 64), ("g_conv", 3, 64), ("mlp", 1, 64),
        ("maxpool", 1, 64), ("mlp", 3, 64), ("fc", 1, net.head[-1].out_features),
    ]  # fmt: skip
    assert len(net.blocks) == 5 and len(net.mlps) == 2 and len(net.head) == 5


def test_weights_follow_from_the_widths():
    c, norms = 64, 2 * 64 * 11
    around = 5 * c * c + 10 * c + 10 + norms
    wanted = {"dgcnn": 6 * c + 5 * 2 * c * c, "diffgcn": 21 * c + 5 * 7 * c * c,
              "diffgcn-gradient": 9 * c + 5 * 3 * c * c,
              "dgcnn-hidden": 6 * 128 + 128 * c + 5 * (128 * 128 + 128 * c) + 6 * 256}  # fmt: skip
    for operators, name in ((7, "mgic-diffgcn"), (3, "mgic-diffgcn-gradient")):
        cycle = sum(operators * w * min(16, w) + 2 * w for w in (64, 32, 16))
        cycle += sum(16 * w + 2 * w for w in (64, 32))  # R and P, and the norm of P
        wanted[name] = 3 * operators * c + 5 * (cycle - 2 * c)  # whose norms are among the 11
    assert {n: count_weights(NAMED[n]) - around for n in wanted} == wanted


def test_counts_against_the_print():
    """One reading rounds to the print; MGIC's is 13 % below; diffGCN's is far below."""
    printed = {r["backbone"]: float(r["params_m"])
               for r in read_table("mgic_table11_modelnet10.csv") if r["params_m"]}  # fmt: skip
    ours = {name: count_weights(config) / 1e6 for name, config in NAMED.items()}
    assert f"{ours['dgcnn-hidden']:.2f}" == f"{printed['dgcnn']:.2f}" == "0.16"
    assert ours["mgic-diffgcn"] / printed["mgic_diffgcn"] == pytest.approx(0.87, abs=0.005)
    assert ours["diffgcn"] / printed["diffgcn"] == pytest.approx(0.29, abs=0.005)
    same = {s: count_weights(PointCloudConfig("mgic-diff-gcn", group_size=s, coarsest=s)) / 1e6
            for s in (4, 8, 16, 32)}  # fmt: skip
    assert min(same, key=lambda s: abs(same[s] - printed["mgic_diffgcn"])) == 16
    nearer = count_weights(PointCloudConfig("mgic-diff-gcn", group_size=16, coarsest=32))
    assert nearer == 101_642
    assert ours["mgic-diffgcn"] < nearer / 1e6 < printed["mgic_diffgcn"]


@pytest.mark.parametrize("name", SMALL)
def test_torch_counts_the_same_multiplications(name, monkeypatch):
    """Where groups are not made dense with zeros, as they are for speed on a CPU."""
    monkeypatch.setattr(differences, "_is_quick", lambda x: False)
    net, points = SMALL[name].build().eval(), 20
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.rand(2, points, 3))
    assert counter.get_total_flops() == 2 * 2 * net.macs(points)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", SMALL)
def test_the_network_equals_the_literal_one(name, training):
    # with these first weights results are of size 1, and no norm divides by next to nothing
    torch.manual_seed(1)
    law = "torch" if SMALL[name].hidden else "he-fan-in-grouped"
    config = replace(SMALL[name], initial_weights=law)
    x = torch.randn(3, 12, 3, dtype=torch.float64)

    def literal(x, state, training):
        return point_clouds(x, state, config, training)

    # a constant in the features has no differences, and the next norm takes away what it adds: on
    # a channel level, and behind the maximum where none of the clouds has a zero there
    idle = {"mgic-diff-gcn": r"P\.1\.bias", "diff-gcn": r"mlps\.1\.1\.bias"} if training else {}
    hold_against(config.build(), literal, x, training, idle.get(name))


@pytest.mark.parametrize("name", SMALL)
def test_the_order_of_points_does_not_matter(name):
    net, x = SMALL[name].build().double().eval(), torch.randn(2, 30, 3, dtype=torch.float64)
    order = torch.randperm(30)
    torch.testing.assert_close(net(x[:, order]), net(x), rtol=0, atol=1e-12)
    mixed = net.features(x[:, order])
    torch.testing.assert_close(mixed, net.features(x)[:, order], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SMALL)
def test_a_cloud_does_not_see_its_companions(name):
    net, x = SMALL[name].build().double().eval(), torch.randn(4, 20, 3, dtype=torch.float64)
    alone = torch.cat([net(cloud[None]) for cloud in x])
    torch.testing.assert_close(net(x), alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_maximum_over_neighbours_and_its_gradient_are_torchs(dtype):
    graph = graph_of(torch.rand(3, 40, 3), 6)
    x = (torch.randn(120, 9) * torch.logspace(-20, 20, 9)).to(dtype)
    x[:, 0] = -x[:, 0].abs()  # all of one sign
    ours, theirs = (x.clone().requires_grad_() for _ in range(2))
    y, z = neighbours.neighbour_max(ours, graph), theirs[graph.neighbours].max(1).values
    assert torch.equal(y, z)
    weights = torch.randn(120, 9, dtype=dtype)
    (y * weights).sum().backward()
    (z * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf, 3e38])
def test_the_maximum_is_the_same_with_and_without_a_gradient_where_a_feature_is_not_finite(value):
    graph = graph_of(torch.rand(2, 20, 3), 5)
    x = torch.randn(40, 3)
    x[7], x[graph.neighbours[3]] = value, value  # of one point all neighbours
    y = neighbours.neighbour_max(x, graph)
    z = neighbours.neighbour_max(x.requires_grad_(), graph)
    torch.testing.assert_close(y, z.detach(), rtol=0, atol=0, equal_nan=True)
    assert torch.equal(y.isnan(), x[graph.neighbours].isnan().any(1))


def test_of_equal_neighbours_one_gets_the_gradient():
    graph = graph_of(torch.rand(1, 20, 3), 5)
    x = torch.zeros(20, 3, requires_grad=True)
    neighbours.neighbour_max(x, graph).sum().backward()
    assert x.grad.sum() == 60 and torch.equal(x.grad, x.grad.round())


@pytest.mark.parametrize("operators", OPERATORS)
@pytest.mark.parametrize("groups", [1, 2])
def test_differences_and_their_map_are_sparse_matrices_written_out(operators, groups):
    """And the quick way gives the gradients of the plain one."""
    graph = graph_of(torch.rand(3, 12, 3, dtype=torch.float64), 4)
    found = differences_on(graph, operators)
    q, x = OPERATORS[operators], torch.randn(36, 6, dtype=torch.float64, requires_grad=True)
    matrices = torch.zeros(q, 36, 36, dtype=torch.float64)
    e = graph.offsets
    h = e.square().sum(2).mean(1).sqrt()
    for i, near in enumerate(graph.neighbours):
        for m, j in enumerate(near):
            of_edge = [*e[i, m] / (4 * h[i]), *e[i, m] ** 2 / (4 * h[i] ** 2)]
            for a, weight in enumerate(of_edge if q == 7 else of_edge[:3]):
                matrices[a + (q == 7), i, j] += weight
                matrices[a + (q == 7), i, i] -= weight
    if q == 7:
        matrices[0] = torch.eye(36)
    expected = torch.einsum("qij,jc->iqc", matrices, x)
    torch.testing.assert_close(found.apply(x), expected, rtol=0, atol=1e-12)
    for r, rows in enumerate((found.matrix, found.transposed)):
        for i, of_cloud in enumerate(zip(*rows, strict=True)):
            own = matrices[:, 12 * i : 12 * i + 12, 12 * i : 12 * i + 12]
            own = own.transpose(0, 1).reshape(12 * q, 12)
            own = own.T if r else own
            ours = Rows.sums(torch.eye(own.shape[1], dtype=torch.float64), *of_cloud)
            torch.testing.assert_close(ours, own, rtol=0, atol=1e-12)

    weight = torch.randn(groups, 5, q, 6 // groups, dtype=torch.float64, requires_grad=True)
    mapped = torch.einsum("iqgc,goqc->igo", expected.unflatten(2, (groups, -1)), weight).flatten(1)
    ours = map_differences(x, found, weight)
    torch.testing.assert_close(ours, mapped, rtol=0, atol=1e-12)
    plain = map_differences(x, Differences(graph, found.weights), weight)
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-12)
    with torch.no_grad():
        assert torch.equal(map_differences(x, differences_on(graph, operators), weight), ours)
    assert "Mapped" in type(ours.grad_fn).__name__
    assert torch.autograd.gradcheck(lambda x, w: map_differences(x, found, w), (x, weight))


@pytest.mark.parametrize("name", SMALL)
def test_gradients_with_respect_to_the_points_are_those_of_differences(name):
    """What is done for speed must not cut the way to the coordinates."""
    net, x = SMALL[name].build().double().eval(), torch.randn(1, 12, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(net, (x.requires_grad_(),), eps=1e-7, atol=1e-5)


def test_nearest_neighbours_of_coinciding_points_never_are_the_point_itself():
    for points in (torch.zeros(2, 9, 3), torch.rand(1, 10, 3).repeat(1, 3, 1)):
        for find in (nearest, nearest_of_all):
            found = find(points, 5)
            itself = torch.arange(points.shape[1])[None, :, None]
            assert not (found == itself).any() and found.min() >= 0
            assert (found.sort(2).values.diff(dim=2) > 0).all()  # five different ones
    apart = (points[:, :, None] - points[:, None]).norm(dim=3)
    assert apart.gather(2, found).max() == apart.topk(6, largest=False).values.max()


def test_differences_of_a_linear_function_are_its_gradient_in_the_moments_of_the_edges():
    points, slope = torch.rand(2, 50, 3, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    graph = differences_on(graph_of(points, 8), "all")
    f = (points @ slope).view(-1, 1)
    found = graph.apply(f)[:, 1:, 0]
    e = graph.graph.offsets
    h = e.square().sum(2).mean(1, keepdim=True).sqrt()
    first = torch.einsum("ika,ikb,b->ia", e, e, slope) / (8 * h)
    second = torch.einsum("ika,ikb,b->ia", e**2, e, slope) / (8 * h**2)
    torch.testing.assert_close(found, torch.cat([first, second], dim=1), rtol=0, atol=1e-12)
    # a constant has none; and the size of the cloud is no matter
    assert graph.apply(torch.ones_like(f))[:, 1:].abs().max() < 1e-12
    larger = differences_on(graph_of(7 * points, 8), "all")
    torch.testing.assert_close(graph.weights, larger.weights, rtol=0, atol=1e-12)


def test_no_row_of_a_difference_operator_is_large_however_the_points_lie():
    """Bounded by 2; the second differences together are a mean of neighbours, less the point."""
    points = torch.rand(3, 40, 3, dtype=torch.float64)
    points[1, :5] *= 100  # far off
    points[2, 1:4] = points[2, 0] + 1e-9  # close together
    weights = differences_on(graph_of(points, 6), "all").weights
    assert weights.abs().sum(2).max() <= 2 + 1e-12
    together = weights[:, 4:, 1:].sum((1, 2))
    torch.testing.assert_close(together, torch.ones_like(together), rtol=0, atol=1e-5)
    coincide = differences_on(graph_of(torch.zeros(1, 9, 3), 4), "all").weights
    assert coincide.isfinite().all()


def test_edge_conv_is_that_of_torch_geometric():
    geometric = pytest.importorskip("torch_geometric", reason="comes with the extra clouds")
    graph = graph_of(torch.rand(2, 30, 3, dtype=torch.float64), 6)
    ours = EdgeConv(5, 7).double()
    linear = torch.nn.Linear(10, 7, bias=False, dtype=torch.float64)
    theirs = geometric.nn.EdgeConv(linear, aggr="max")
    linear.weight.data = ours.conv.weight[:, :, 0, 0].detach().clone()  # it drew others
    target = torch.arange(60).repeat_interleave(6)
    x = torch.randn(60, 5, dtype=torch.float64)
    expected = theirs(x, torch.stack([graph.neighbours.flatten(), target]))
    torch.testing.assert_close(ours(x, graph), expected, rtol=0, atol=1e-12)


def test_groups_read_their_own_channels_alone():
    graph = differences_on(graph_of(torch.rand(1, 20, 3), 4), "all")
    layer, x = DiffConv(8, 12, groups=4), torch.randn(20, 8)
    jacobian = torch.autograd.functional.jacobian(lambda v: layer(v, graph).sum(0), x)
    full = jacobian.abs().amax(1) > 0
    own = torch.arange(12)[:, None] // 3 == torch.arange(8)[None] // 2
    assert torch.equal(full, own)


def exported(net, x):
    batch = torch.export.Dim("n", min=2)
    return torch.export.export(net, (x,), dynamic_shapes=({0: batch},)).module()


def traced(net, x):
    return torch.jit.trace(net, x, check_trace=False)


def onnx(net, x):
    pytest.importorskip("onnxscript", reason="comes with the extra onnx")
    session = pytest.importorskip("onnxruntime", reason="comes with the extra onnx")
    shapes = ({0: torch.export.Dim("n", min=2)},)
    program = torch.onnx.export(net, (x,), dynamo=True, dynamic_shapes=shapes, verbose=False)
    run = session.InferenceSession(program.model_proto.SerializeToString())
    (entry,) = run.get_inputs()
    return lambda x: torch.from_numpy(run.run(None, {entry.name: x.numpy()})[0])


WAYS = {
    "torch.export": exported,
    "torch.jit.trace": traced,
    "torch.fx": lambda net, x: torch.fx.symbolic_trace(net),
    "ONNX Runtime": onnx,
}


@pytest.mark.timeout(900)  # exporters take their time
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SMALL)
def test_every_network_goes_every_way(name, way):
    """And the result is the network for other clouds, and for another number of them."""
    net, x = SMALL[name].build().eval(), torch.randn(3, 24, 3)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters' own
        other = WAYS[way](net, x)
        for clouds in (x, torch.randn(5, 24, 3)):
            expected = net(clouds)
            scale = expected.abs().max()
            torch.testing.assert_close(other(clouds) / scale, expected / scale, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", SMALL)
def test_a_config_comes_back_from_plain_data_and_every_weight_learns(name):
    config = SMALL[name]
    assert from_dict(as_dict(config)) == config
    net = config.build().train()
    net(torch.randn(4, 20, 3)).square().sum().backward()
    assert not [n for n, p in net.named_parameters() if p.grad is None]


@pytest.mark.parametrize(
    "shape, message",
    [
        ((2, 10, 3), r"a cloud of 10 points: each needs 10 neighbours beside itself"),
        ((20, 3), r"clouds of shape \(n, points, 3\), but was given \(20, 3\)"),
        ((2, 3, 20), r"was given \(2, 3, 20\): put the three coordinates last"),
        ((2, 20, 2), r"was given \(2, 20, 2\)"),
    ],
)
def test_what_is_no_batch_of_clouds_is_one_sentence(shape, message):
    with pytest.raises(InvalidValue, match=message):
        PointCloudConfig().build()(torch.rand(shape))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_coordinates_that_are_no_numbers_are_one_sentence(value):
    points = torch.rand(3, 20, 3)
    points[1, 7, 2] = value
    with pytest.raises(InvalidValue, match="cloud 1 of the batch has a coordinate that is no"):
        PointCloudConfig().build()(points)


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"layer": "edgeconv"}, UnknownName, "did you mean 'edge-conv'"),
        ({"operators": "laplacian"}, UnknownName, "Allowed: all, gradient"),
        ({"k": 0}, InvalidValue, "k=0: it must be a whole number, at least 1"),
        ({"hidden": -1}, InvalidValue, "hidden=-1"),
        ({"layer": "diff-gcn", "hidden": 8}, InvalidValue, "the hidden layer is one of an Edge"),
        ({"layer": "mgic-diff-gcn", "group_size": 7}, InvalidValue, "group_size=7 does not"),
    ],
)
def test_bad_configs_are_one_sentence(changes, error, message):
    with pytest.raises(error, match=message):
        PointCloudConfig(**changes)


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (torch.rand(2, 20, 3).double(), "points are of type torch.float64"),
        (torch.rand(2, 20, 3).bfloat16(), "points are of type torch.bfloat16"),
        (torch.rand(2, 20, 3).numpy(), "takes tensors, but was given a ndarray"),
        (torch.rand(0, 20, 3), "without clouds"),
    ],
)
def test_what_are_no_clouds_for_the_network_is_a_sentence(points, said):
    with pytest.raises(InvalidValue, match=said):
        PointCloudConfig(k=4).build()(points)


def test_a_network_of_half_precision_takes_such_clouds():
    net = PointCloudConfig(k=4).build().bfloat16()
    assert net(torch.rand(2, 20, 3).bfloat16()).isfinite().all()
