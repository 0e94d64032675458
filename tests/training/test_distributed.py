"""One run on two processes is the run of one process: same batches, same losses, one record."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mgtutorial import models
from mgtutorial.cli import main
from mgtutorial.data import images as data
from mgtutorial.errors import DeviceUnavailable, InvalidValue
from mgtutorial.training import devices, distributed, protocols, records, tasks
from mgtutorial.training.loop import train
from mgtutorial.training.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]

needs_fabric = pytest.mark.skipif(
    find_spec("lightning_fabric") is None, reason="lightning-fabric is in the extra 'cluster'"
)

BARE = models.MgNetConfig(channels=(4, 8), steps=1, norm="none")
NORMED = models.MgNetConfig(channels=(4, 8), steps=1)


def bare():
    """Float64, no norm: then the sum over two halves of a batch is that over the batch.

    The 325 images are ten batches of 32 and one of 5, which has no equal halves.
    """
    return protocols.configure(
        BARE, "digits", "smoke", epochs=1, n_train=325, precision="float64",
        augmentation="crop-flip", schedule="constant", lr=0.02,
    )  # fmt: skip


def normed(**changes):
    return protocols.configure(NORMED, "digits", "smoke", epochs=3, n_train=320, **changes)


# What each process runs; it leaves its losses, its weights and what it was told.
_MEMBER = """
import os, sys
from pathlib import Path
import torch
sys.path.insert(0, sys.argv[2])
from tests.training import test_distributed as here
from mgtutorial import errors
from mgtutorial.training import distributed, tasks, time_limits
from mgtutorial.training.workspace import Workspace

folder = Path(sys.argv[1])
rank = int(os.environ["RANK"])
losses, kept = [], {}
cross_entropy, prepare = tasks.F.cross_entropy, distributed.Team.prepare

def noting(z, y, **options):
    loss = cross_entropy(z, y, **options)
    losses.append(loss.item())
    return loss

def keeping(self, module, config):
    kept["model"] = prepare(self, module, config)
    return kept["model"]

tasks.F.cross_entropy, distributed.Team.prepare = noting, keeping

def run(name, config, **options):
    losses.clear()
    record = error = None
    try:
        place = Workspace(folder / name / "runs", device="cpu", **options)
        record = distributed.train(config, place)
    except errors.Unfinished as raised:
        error = str(raised)
    state = {k: v.clone() for k, v in kept["model"].state_dict().items()}
    record = record and record.to_json()
    told = {"losses": list(losses), "weights": state, "record": record, "error": error}
    torch.save(told, folder / f"{name}-{rank}.pt")

run("bare", here.bare())
run("whole", here.normed())
after_one = time_limits.TimeLimit()
after_one._asked = lambda: after_one.epochs == 1
run("broken", here.normed(), time_limit=after_one)
os.replace(folder / f"broken-{rank}.pt", folder / f"stopped-{rank}.pt")
run("broken", here.normed())
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What two processes under torchrun said: name of the run -> [rank 0, rank 1]."""
    pytest.importorskip("lightning_fabric", reason="lightning-fabric is in the extra 'cluster'")
    folder = tmp_path_factory.mktemp("team")
    script = folder / "member.py"
    script.write_text(_MEMBER)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", str(script), str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=one_thread())
    assert done.returncode == 0, done.stderr[:6000]

    def load(name):
        return [torch.load(folder / f"{name}-{r}.pt", weights_only=True) for r in (0, 1)]

    names = ("bare", "whole", "stopped", "broken")
    return SimpleNamespace(folder=folder, **{name: load(name) for name in names})


def one_thread():
    return {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The losses, the weights and the record of one process."""
    inner, losses = tasks.F.cross_entropy, []

    def noting(z, y, **options):
        losses.append(inner(z, y, **options))
        return losses[-1]

    folder = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks.F, "cross_entropy", noting)
        record = train(bare(), Workspace(folder / "runs", device="cpu"))
    (path,) = (folder / "checkpoints").glob("*.pt")
    weights = torch.load(path, weights_only=True)["model"]
    return SimpleNamespace(losses=[x.item() for x in losses], weights=weights, record=record)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_both_processes_have_the_same_parameters_bit_for_bit(told):
    for first, second in (told.bare, told.whole, told.broken):
        parameters = dict(NORMED.build().named_parameters()).keys() & first["weights"].keys()
        assert parameters
        for name in parameters:
            assert torch.equal(first["weights"][name], second["weights"][name]), name


def test_the_first_ten_losses_are_those_of_one_process(told, alone):
    means = [(a + b) / 2 for a, b in zip(*(t["losses"] for t in told.bare), strict=True)]
    assert len(means) == 11
    for mean, theirs in zip(means[:10], alone.losses[:10], strict=True):
        assert abs(mean - theirs) < 1e-10


def test_the_weights_are_those_of_one_process_after_a_batch_without_equal_halves(told, alone):
    ours = told.bare[0]["weights"]
    assert ours.keys() == alone.weights.keys()
    for name, theirs in alone.weights.items():
        assert (ours[name] - theirs).abs().max() < 1e-10, name


def test_the_record_is_one_and_says_how_many_took_part(told, alone):
    (ours,) = records.read(told.folder / "bare" / "runs")
    assert [t["record"] for t in told.bare] == [ours.to_json()] * 2
    assert (ours.world_size, ours.strategy) == (2, "ddp")
    # Without batch norm the run is that of one process, by name too.
    assert ours.digest == alone.record.digest and ours.batch_norm is None
    assert alone.record.world_size == 1
    assert ours.curve[0].loss == pytest.approx(alone.record.curve[0].loss, abs=1e-10)
    assert ours.metric == alone.record.metric


def test_a_run_with_statistics_of_its_own_in_each_process_says_so_and_has_its_own_name(told):
    (ours,) = records.read(told.folder / "whole" / "runs")
    assert ours.batch_norm == "per process" and ours.config.norm_parts == 2
    assert records.digest(ours.choices) != records.digest(normed().as_dict())
    running = [k for k in told.whole[0]["weights"] if k.endswith("running_mean")]
    assert any(not torch.equal(*(t["weights"][k] for t in told.whole)) for k in running)


def test_a_stop_reaches_both_and_the_run_goes_on_bit_for_bit(told):
    assert [t["record"] for t in told.stopped] == [None, None]
    assert told.stopped[0]["error"] == told.stopped[1]["error"] is not None
    (whole,), (broken,) = (records.read(told.folder / n / "runs") for n in ("whole", "broken"))
    assert [r.loss for r in whole.curve] == [r.loss for r in broken.curve]
    assert whole.metric.value == broken.metric.value
    paths = [next((told.folder / n / "checkpoints").glob("*.pt")) for n in ("whole", "broken")]
    assert same(*(torch.load(p, weights_only=True)["model"] for p in paths))
    # the second call trained two epochs, not three
    assert len(told.broken[0]["losses"]) == 2 * len(told.stopped[0]["losses"])


LAUNCHERS = {
    "this program": [sys.executable, "-m", "mgtutorial"],
    "fabric run": [os.path.join(os.path.dirname(sys.executable), "fabric"), "run",
                   "--accelerator", "cpu", "--devices", "2",
                   os.path.join(os.path.dirname(sys.executable), "mgtutorial")],
}  # fmt: skip


@needs_fabric
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_the_command_prints_once_and_writes_one_record(tmp_path, launcher):
    program = LAUNCHERS[launcher]
    if not os.path.exists(program[-1]) and launcher == "fabric run":
        pytest.skip("the command mgtutorial is not installed beside this Python")
    command = [*program, "train", "--model", "mgiad-20-g4", "--epochs", "1", "--device", "cpu",
               "--runs", str(tmp_path / "runs")]  # fmt: skip
    command += ["--devices", "2"] if launcher == "this program" else []
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=one_thread())
    assert done.returncode == 0, done.stderr[:6000]
    assert done.stdout.count("test accuracy") == 1
    (record,) = records.read(tmp_path / "runs")
    assert (record.world_size, record.batch_norm) == (2, "per process")


def mistake(capsys, *arguments):
    assert main(["train", "--model", "mgnet-20", *arguments]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("mgtutorial: ") and "\n" not in said
    return said


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_synchronised_batch_norm_on_a_cpu_is_one_sentence(capsys):
    said = mistake(capsys, "--devices", "2", "--sync-batchnorm")
    assert "exists on GPUs only" in said
    assert "nothing to synchronise" in mistake(capsys, "--sync-batchnorm")
    assert "use 'cpu'" in mistake(capsys, "--devices", "2", "--device", "cuda")


def test_without_fabric_it_is_one_sentence(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    said = mistake(capsys, "--devices", "2", "--device", "cpu")
    assert "pip install -e '.[cluster]'" in said  # no index has the package, by its bare name


def test_numbers_that_contradict_torchrun_are_one_sentence(monkeypatch):
    pytest.importorskip("lightning_fabric", reason="lightning-fabric is in the extra 'cluster'")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert devices.shared()
    with pytest.raises(InvalidValue, match="leave --devices and --nodes to torchrun"):
        distributed._launched(3, 1, "cpu")
    with pytest.raises(DeviceUnavailable, match="ask for fewer"):
        distributed._launched(1, 1, "cuda") if torch.cuda.device_count() < 2 else pytest.skip()


@pytest.mark.parametrize("who", ["WORLD_SIZE", "SLURM_NTASKS"])
def test_it_is_said_that_one_waits_for_what_somebody_else_starts(monkeypatch, capsys, who):
    for name in ("WORLD_SIZE", "SLURM_NTASKS", distributed._STARTED_HERE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(who, "2")
    distributed._say_wait(2, None)
    assert "waiting for 2 processes" in capsys.readouterr().err
    distributed._say_wait(2, None, say=False)
    distributed._say_wait(2, 2)  # torchrun has started them
    assert not capsys.readouterr().err


def test_nobody_waits_for_what_this_program_starts_itself(monkeypatch, capsys):
    monkeypatch.setattr(os, "environ", {})
    distributed._say_wait(2, None)
    # so Fabric's launcher goes on, for itself and for those that it starts
    os.environ.update(WORLD_SIZE="2", LOCAL_RANK="0")
    distributed._say_wait(2, None)
    assert not capsys.readouterr().err


def member(size, rank=0, device="cpu", sync=None):
    fabric = SimpleNamespace(global_rank=rank, world_size=size, device=torch.device(device))
    return distributed.Team(fabric, "ddp", sync)


def test_a_batch_that_has_no_equal_parts_is_refused():
    images = data.load("digits", "train")
    with pytest.raises(InvalidValue, match="multiple of 3"):
        member(3).share(images, 32)
    with pytest.raises(InvalidValue, match="last batch of an epoch has 1 images"):
        member(2).share(images.take(33), 32)


@pytest.mark.parametrize("augmentation", ["none", "crop-flip"])
@pytest.mark.parametrize("size", [2, 4])
def test_the_parts_are_the_batches_of_one_process(augmentation, size):
    """Same images, same order, same augmentation; the last batch is not full."""
    images = data.load("digits", "train").take(86)

    def epoch(those):
        generator = torch.Generator().manual_seed(3)
        return list(data.batches(those, 16, augmentation, generator=generator))

    whole = epoch(images)
    parts = [epoch(member(size, rank).share(images, 16)) for rank in range(size)]
    for batch, *pieces in zip(whole, *parts, strict=True):
        for i in (0, 1):
            assert torch.equal(batch[i], torch.cat([piece[i] for piece in pieces]))
        sizes = {len(piece[1]) for piece in pieces}
        assert len(sizes) == 1 or len(batch[1]) % size


def test_images_that_stay_on_disk_are_read_by_one_process_each():
    """Their share is chosen by number, before a file is opened."""

    class OnDisk:
        policies = ("none", "resized-crop")

        def epoch(self, order, batch_size, augmentation, seed):
            opened.extend(order.tolist())
            yield from order.split(batch_size)

    opened = []
    share = distributed.Share(OnDisk(), 1, 2)
    batches = list(share.epoch(torch.arange(10), 4, "resized-crop", 0))
    assert [b.tolist() for b in batches] == [[2, 3], [6, 7], [9]] and len(opened) == 5


def test_on_gpus_batch_norm_is_synchronised_and_the_run_keeps_its_name():
    """As far as this can be seen without a GPU: the modules, the record, the digest."""
    team, config = member(2, device="cuda"), normed()
    assert team.norm_parts(NORMED) == 1
    module = team.prepare(NORMED.build(), config)
    kinds = {type(m) for m in module.modules() if "BatchNorm" in type(m).__name__}
    assert kinds == {torch.nn.SyncBatchNorm}
    assert module.state_dict().keys() == NORMED.build().state_dict().keys()
    assert team.record["batch_norm"] == "synchronised"
    each = member(2, device="cuda", sync=False)
    assert each.norm_parts(NORMED) == 2 and each.norm_parts(BARE) == 1


def test_parameters_that_no_loss_reaches_are_found():
    """DDP would wait for their gradients; MgNet carries transfers that it does not use."""
    model = models.named("mgnet-20", in_channels=1).build()
    idle = {id(p) for p in distributed._without_gradient(model, torch.zeros(1, 1, 8, 8))}
    names = [n for n, p in model.named_parameters() if id(p) in idle]
    assert names and all("unused" in n for n in names)
    assert all(p.grad is None for p in model.parameters())
