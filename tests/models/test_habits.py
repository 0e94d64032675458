"""Networks fit torch's habits: a table of network x way, and what a user of a library expects."""

import json
import multiprocessing
import os
import warnings
from pathlib import Path

import pytest
import torch

from mgtutorial import models
from mgtutorial.errors import InvalidValue

from .kinds import KINDS, X, small


def exported(net):
    batch = torch.export.Dim("n", min=2)
    return torch.export.export(net, (X,), dynamic_shapes=({0: batch},)).module()


def compiled(net):
    torch._dynamo.reset()
    return torch.compile(net, fullgraph=True, backend="eager", dynamic=False)


def traced(net):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        return torch.jit.trace(net, X)


def onnx(net):
    pytest.importorskip("onnxscript", reason="comes with the extra onnx")
    session = pytest.importorskip("onnxruntime", reason="comes with the extra onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        batch = torch.export.Dim("n", min=2)
        program = torch.onnx.export(
            net, (X,), dynamo=True, dynamic_shapes=({0: batch},), verbose=False
        )
    run = session.InferenceSession(program.model_proto.SerializeToString())
    (entry,) = run.get_inputs()
    return lambda x: torch.from_numpy(run.run(None, {entry.name: x.numpy()})[0])


WAYS = {
    "torch.export": exported,
    "torch.compile(fullgraph=True)": compiled,
    "torch.jit.trace": traced,
    "torch.fx": torch.fx.symbolic_trace,
    "ONNX Runtime": onnx,
}
SLOW = exported, compiled, onnx
# One kind of each class: what goes a slow way at each change. The others go it each week.
FIRST = tuple({type(config): name for name, config in reversed(KINDS.items())}.values())


def cases(kinds, daily):
    """Network x way; the slow ways of all but the daily kinds wait for the week."""
    found = []
    for name in kinds:
        for way, go in WAYS.items():
            marks = [pytest.mark.weekly] if go in SLOW and name not in daily else []
            found.append(pytest.param(name, way, id=f"{name}-{way}", marks=marks))
    return found


@pytest.mark.parametrize(("name", "way"), cases(KINDS, FIRST))
def test_every_network_goes_every_way(name, way):
    """And the result is the network for other images, and for another number of them."""
    net = small(name)
    with torch.no_grad():
        other = WAYS[way](net)
        for x in (X, torch.randn(5, 3, 16, 16)):
            expected = net(x)
            scale = expected.abs().max()
            torch.testing.assert_close(other(x) / scale, expected / scale, rtol=0, atol=1e-4)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_what_is_not_on_the_table_is_scripting():
    """The page says: trace or export. Scripting reads the source, and NamedTuples stop it."""
    with pytest.raises(Exception, match=r".+"):  # torch has several types for it
        torch.jit.script(small("mgnet"))


def _few_steps(rank, folder, kinds):
    """Train the kinds on two processes; leave what became of each."""
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    os.environ.update(MASTER_ADDR="localhost", GLOO_SOCKET_IFNAME="lo")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    found = {}
    for name in kinds:
        torch.manual_seed(0)
        net = DistributedDataParallel(KINDS[name].build())
        optimiser = torch.optim.SGD(net.parameters(), 0.01)
        start = [p.detach().clone() for p in net.parameters()]
        try:
            for step in range(3):  # a parameter without gradient stops the second
                draws = torch.Generator().manual_seed(2 * step + rank)
                optimiser.zero_grad()
                net(torch.randn(4, 3, 16, 16, generator=draws)).square().mean().backward()
                optimiser.step()
        except RuntimeError as error:
            found[name] = str(error)
        else:
            moved = sum(
                float((p - q).abs().sum()) for p, q in zip(net.parameters(), start, strict=True)
            )
            found[name] = [moved, float(sum(p.double().sum() for p in net.parameters()))]
    (Path(folder) / f"{rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


@pytest.mark.parametrize(
    "kinds",
    [
        pytest.param(FIRST, id="of each class one"),
        pytest.param(tuple(KINDS), id="all", marks=pytest.mark.weekly),
    ],
)
def test_plain_distributed_data_parallel_trains_every_kind(kinds, tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_few_steps, args=(r, tmp_path, kinds)) for r in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(270)
    assert [w.exitcode for w in workers] == [0, 0]
    one, other = (json.loads((tmp_path / f"{r}.json").read_text()) for r in range(2))
    assert one == other  # the same weights
    assert {name: said for name, said in one.items() if isinstance(said, str)} == {}
    assert [*one] == [*kinds] and all(moved > 0 for moved, _ in one.values())


@pytest.mark.parametrize("name", KINDS)
def test_images_that_torch_would_refuse_in_its_own_words_are_sentences(name):
    net = small(name)
    for images, words in (
        (X.numpy(), r"torch\.as_tensor"),
        (X.double(), r"float64 .*float32"),
        (X.half(), "float16"),
        (X[..., :0], "no pixels"),
        (X[:, :2], "in_channels"),
        (X + 1j, "real and imaginary parts"),
        (X.to(torch.complex128), "real and imaginary parts"),
    ):
        with pytest.raises(InvalidValue, match=words):
            net(images)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert net(X).shape == net(X.bfloat16()).shape  # there types may differ
    assert net.double()(X.double()).dtype == torch.float64
    whole = (X * 9).byte()
    assert torch.equal(net(whole), net(whole.double()))  # in the type of the weights
    assert net.bfloat16()(whole).dtype == torch.bfloat16


@pytest.mark.parametrize("name", KINDS)
def test_every_weight_gets_a_gradient_unless_it_is_kept_for_a_count(name):
    if name == "mgiad-fas":
        pytest.skip("its Pi in channels cancels: see test_mgiad")
    net = small(name).train()
    net(X).square().sum().backward()
    assert not [n for n, p in net.named_parameters() if p.grad is None]


def test_named_networks_keep_the_unused_transfers_of_their_counts():
    never = {"mgiad-20-g4", "mgiad-20-g8", "mgiad-20-g16", "mgnet-hexu", "mgnet-hexu-a"}
    ours = models.PolyMGiaDConfig, models.ConstrainedConfig  # of no paper
    never |= {name for name, config in models.CONFIGS.items() if isinstance(config, ours)}
    for name, config in models.CONFIGS.items():
        if hasattr(config, "unused_transfers"):
            assert config.unused_transfers == (name not in never), name
            assert type(config)().unused_transfers is False
