"""Light networks as in MGIC's Table 8: one image on one thread, and a batch of 128.

The networks take turns, so that whatever else the machine does affects all alike; the column of
ratios is relative to MobileNetV2. Each way of execution computes what the eager network does:
``difference`` is the largest one in the outputs, in units of the largest output, and more than 1e-4
is an error. ``first`` is the wall time of the first pass, in which a network is compiled.
"""

import copy
import time
import warnings

import torch

from mgtutorial import models
from mgtutorial._torchvision import torchvision
from mgtutorial.models import counting

from .side_by_side import alternate

#: The four of the table, MobileNetV2 first; random weights change no time.
NETWORKS = {
    "torchvision mobilenetv2 1.0": lambda: torchvision().models.mobilenet_v2(),
    "torchvision mobilenetv3 0.75": lambda: torchvision().models.mobilenet_v3_large(
        width_mult=0.75
    ),
    "mgtutorial ghostnet 1.0": lambda: models.named("ghostnet-1.0x").build(),
    "mgtutorial mgic-mobilenetv3 1.0": lambda: models.named("mgic-mobilenetv3-1.0").build(),
}


def compiled(net, x):
    return torch.compile(copy.deepcopy(net), dynamic=False, options={"freezing": True})


def onnx_runtime(net, x):
    """The network as ONNX Runtime executes it, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        program = torch.onnx.export(net, (x,), dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString(), options)
    (entry,) = session.get_inputs()
    return lambda y: torch.from_numpy(session.run(None, {entry.name: y.numpy()})[0])


WAYS = {"eager": lambda net, x: net, "compiled": compiled, "ONNX Runtime": onnx_runtime}


def measure(names=tuple(NETWORKS), size=224, repeat=50, ways=WAYS, batch=128, passes=3):
    """Yield a row for each network and way, and for a batch; `batch` None: one image only."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        torch.manual_seed(0)
        nets = {name: NETWORKS[name]() for name in names}
        x = torch.randn(1, 3, size, size)
        facts = {
            side: {
                "weights": counting.count_weights(net),
                "macs": counting.count_macs(net, size, 3),
            }
            for side, net in nets.items()
        }
        for net in nets.values():
            with torch.no_grad():  # statistics that are not trivial
                net.train()(torch.randn(16, 3, max(size // 4, 32), max(size // 4, 32)))
            net.eval()
        with torch.no_grad():
            expected = {side: net(x) for side, net in nets.items()}
            for way in ways:
                yield from _one_image(way, nets, x, expected, facts, repeat)
            if batch:
                yield from _many(nets, torch.randn(batch, 3, size, size), facts, passes)
    finally:
        torch.set_num_threads(threads)


def _one_image(way, nets, x, expected, facts, repeat):
    calls, about = {}, {}
    for side, net in nets.items():
        begun = time.perf_counter()
        run = WAYS[way](net, x)
        apart = (run(x) - expected[side]).abs().max() / expected[side].abs().max()
        if not apart < 1e-4:
            raise AssertionError(f"{side}, {way}: differs by {apart:.1e} of the largest output")
        about[side] = {
            **facts[side], "difference": float(apart), "first": time.perf_counter() - begun
        }  # fmt: skip
        calls[side] = lambda run=run: run(x)
    _, seconds = alternate(calls, repeat, warm=2)
    for side, values in seconds.items():
        yield {
            "case": f"one image, {way}", "side": side, "unit": "s", "values": values,
            "facts": about[side],
        }  # fmt: skip


def _many(nets, x, facts, passes):
    calls = {side: lambda net=net: net(x) for side, net in nets.items()}
    _, seconds = alternate(calls, passes)
    for side, values in seconds.items():
        yield {
            "case": f"{len(x)} images, eager", "side": side, "unit": "images/s",
            "values": [len(x) / s for s in values], "facts": facts[side],
        }  # fmt: skip
